//! Removing a tenant: every row that is its own, most of them piece by piece.

use super::installation::bump_registry;
use super::{Conn, Db, Result, execute, statements};
use uuid::Uuid;

statements! {
    DISABLE = "update tenants set status = 'disabled' where id = $1";
    UNLINK = "
        update bookings set possible_duplicate_of = null
        where tenant_id = $1 and possible_duplicate_of is not null";
    SOME_DUPLICATES = "
        delete from client_duplicates where tenant_id = $1 and id in (
            select id from client_duplicates where tenant_id = $1 limit $2)";
    SOME_WORDS = "
        delete from client_words where tenant_id = $1 and (word, client_id) in (
            select word, client_id from client_words where tenant_id = $1 limit $2)";
    SOME_INTERACTIONS = "
        delete from lead_interactions where tenant_id = $1 and id in (
            select id from lead_interactions where tenant_id = $1 limit $2)";
    SOME_LEADS = "
        delete from leads where tenant_id = $1 and id in (
            select id from leads where tenant_id = $1 limit $2)";
    SOME_SIGHTINGS = "
        delete from booking_sightings where tenant_id = $1 and id in (
            select id from booking_sightings where tenant_id = $1 limit $2)";
    SOME_BOOKINGS = "
        delete from bookings where tenant_id = $1 and id in (
            select id from bookings where tenant_id = $1 limit $2)";
    SOME_MAPPINGS = "
        delete from client_service_mappings where tenant_id = $1 and id in (
            select id from client_service_mappings where tenant_id = $1 limit $2)";
    SOME_BESIDE = "
        delete from identities_told_beside where tenant_id = $1 and id in (
            select id from identities_told_beside where tenant_id = $1 limit $2)";
    SOME_IDENTITIES = "
        delete from client_identities where tenant_id = $1 and id in (
            select id from client_identities where tenant_id = $1 limit $2)";
    SOME_CLIENTS = "
        delete from clients where tenant_id = $1 and id in (
            select id from clients where tenant_id = $1 limit $2)";
    SOME_EVENTS = "
        delete from webhook_events where tenant_id = $1 and id in (
            select id from webhook_events where tenant_id = $1 limit $2)";
    SOME_AUDIT = "
        delete from audit_log where tenant_id = $1 and id in (
            select id from audit_log where tenant_id = $1 limit $2)";
    // The slug is a key: on PostgreSQL nothing can refer to the tenant from now on, so that nothing
    // is added to it while it goes.
    SEIZE = "update tenants set slug = $2, status = 'disabled' where id = $1";
    SEEDED = "delete from seeded_rows where tenant_id = $1";
    ERASED = "delete from erased_tellings where tenant_id = $1";
    DUPLICATES = "delete from client_duplicates where tenant_id = $1";
    BESIDE = "delete from identities_told_beside where tenant_id = $1";
    WORDS = "delete from client_words where tenant_id = $1";
    INTERACTIONS = "delete from lead_interactions where tenant_id = $1";
    LEADS = "delete from leads where tenant_id = $1";
    SIGHTINGS = "delete from booking_sightings where tenant_id = $1";
    BOOKINGS = "delete from bookings where tenant_id = $1";
    MAPPINGS = "delete from client_service_mappings where tenant_id = $1";
    IDENTITIES = "delete from client_identities where tenant_id = $1";
    ALIASES = "delete from record_aliases where tenant_id = $1";
    CLIENTS = "delete from clients where tenant_id = $1";
    EVENT_ALIASES = "delete from event_aliases where tenant_id = $1";
    EVENTS = "delete from webhook_events where tenant_id = $1";
    ANSWERS = "delete from idempotency_answers where tenant_id = $1";
    AUDIT = "delete from audit_log where tenant_id = $1";
    TOKENS = "delete from api_tokens where tenant_id = $1";
    SESSIONS = "
        delete from sessions where user_id in (select id from users where tenant_id = $1)";
    USERS = "delete from users where tenant_id = $1";
    SECRETS = "
        delete from connection_secrets
        where connection_id in (select id from connections where tenant_id = $1)";
    ACCOUNTS = "
        delete from connection_accounts
        where tenant_id = $1
            or connection_id in (select id from connections where tenant_id = $1)";
    LEAVE_INBOX = "
        update platform_inbox set connection_id = null
        where connection_id in (select id from connections where tenant_id = $1)";
    LEAVE_EVENTS = "
        update webhook_events set connection_id = null
        where connection_id in (select id from connections where tenant_id = $1)";
    CONNECTIONS = "delete from connections where tenant_id = $1";
    TENANT = "delete from tenants where id = $1";
    // The platform's own answers of the last day: one may have told who made the tenant its id.
    PLATFORM_ANSWERS = "
        delete from idempotency_answers
        where tenant_id = $1 and answer is not null and answer like $2";
}

/// What refers to others comes before what it refers to.
const IN_ORDER: &[&str] = &[
    SEEDED, ERASED, DUPLICATES, BESIDE, WORDS, INTERACTIONS, LEADS, SIGHTINGS, BOOKINGS, MAPPINGS,
    IDENTITIES, ALIASES, CLIENTS, EVENT_ALIASES, EVENTS, ANSWERS, AUDIT, TOKENS, SESSIONS, USERS,
    SECRETS, ACCOUNTS, LEAVE_INBOX, LEAVE_EVENTS, CONNECTIONS, TENANT,
];

/// The tables that grow with what is done, some of whose rows are removed at a time.
const IN_PIECES: &[&str] = &[
    SOME_DUPLICATES, SOME_WORDS, SOME_INTERACTIONS, SOME_LEADS, SOME_SIGHTINGS, SOME_BOOKINGS,
    SOME_MAPPINGS, SOME_BESIDE, SOME_IDENTITIES, SOME_CLIENTS, SOME_EVENTS, SOME_AUDIT,
];

/// How many rows are removed at a time: whoever else wants to write waits for it.
const PIECE: i64 = 500;

/// Disables a tenant and removes most of what is its own, piece by piece, so that others write in
/// between. [`remove`] does the rest, and everything that was added meanwhile.
///
/// # Errors
/// When the database fails; what is removed stays so.
pub async fn thin_out(db: &Db, tenant: Uuid) -> Result<()> {
    let mut tx = db.begin().await?;
    let conn = &mut tx.conn();
    execute!(conn, DISABLE, tenant)?;
    execute!(conn, UNLINK, tenant)?;
    bump_registry(conn).await?;
    tx.commit().await?;
    for statement in IN_PIECES {
        loop {
            let mut tx = db.begin().await?;
            let removed = match execute!(&mut tx.conn(), *statement, tenant, PIECE) {
                Ok(removed) => removed,
                Err(error) => match super::Error::from(error) {
                    // Something is being added that refers to it: that is left to the end.
                    error if error.is_conflict() => break,
                    error => return Err(error),
                },
            };
            tx.commit().await?;
            if removed < PIECE.unsigned_abs() {
                break;
            }
        }
    }
    Ok(())
}

/// Removes a tenant and everything that is its own; the instances hear of it.
///
/// # Errors
/// When the database fails; a conflict when a delivery is being stored in this moment.
pub async fn remove(conn: &mut Conn<'_>, tenant: Uuid) -> Result<()> {
    execute!(conn, SEIZE, tenant, format!("removed-{tenant}"))?;
    for statement in IN_ORDER {
        execute!(conn, *statement, tenant)?;
    }
    execute!(conn, PLATFORM_ANSWERS, Uuid::nil(), format!("%{tenant}%"))?;
    bump_registry(conn).await
}
