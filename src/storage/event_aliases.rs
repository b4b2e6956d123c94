//! Ids that were answered for queued deliveries which another instance had stored already.

use super::{Conn, Result, execute, fetch_optional, statements};
use uuid::Uuid;

statements! {
    INSERT = "
        insert into event_aliases (tenant_id, id, event_id) values ($1, $2, $3)
        on conflict do nothing";
    INSERT_IN_INBOX = "
        insert into platform_inbox_aliases (id, event_id) values ($1, $2)
        on conflict do nothing";
    FIND = "select event_id from event_aliases where tenant_id = $1 and id = $2";
    FIND_ANYWHERE = "select tenant_id, event_id from event_aliases where id = $1";
    FIND_IN_INBOX = "select event_id from platform_inbox_aliases where id = $1";
    IS_STORED = "select id from webhook_events where tenant_id = $1 and id = $2";
    IS_IN_INBOX = "select id from platform_inbox where id = $1";
}

/// Notes that `alias` was answered for what is stored as `event`; no tenant is the inbox.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    conn: &mut Conn<'_>,
    tenant: Option<Uuid>,
    alias: Uuid,
    event: Uuid,
) -> Result<()> {
    match tenant {
        Some(tenant) => execute!(conn, INSERT, tenant, alias, event)?,
        None => execute!(conn, INSERT_IN_INBOX, alias, event)?,
    };
    Ok(())
}

/// The event that a tenant's alias stands for.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &mut Conn<'_>, tenant: Uuid, alias: Uuid) -> Result<Option<Uuid>> {
    let row = fetch_optional!(conn, (Uuid,), FIND, tenant, alias)?;
    Ok(row.map(|(id,)| id))
}

/// The event that an alias of whichever tenant stands for.
///
/// # Errors
/// When the database fails.
pub async fn find_anywhere(conn: &mut Conn<'_>, alias: Uuid) -> Result<Option<Uuid>> {
    let row = fetch_optional!(conn, (Uuid, Uuid), FIND_ANYWHERE, alias)?;
    Ok(row.map(|(_, id)| id))
}

/// The inbox event that an alias stands for.
///
/// # Errors
/// When the database fails.
pub async fn find_in_inbox(conn: &mut Conn<'_>, alias: Uuid) -> Result<Option<Uuid>> {
    let row = fetch_optional!(conn, (Uuid,), FIND_IN_INBOX, alias)?;
    Ok(row.map(|(id,)| id))
}

/// True when an event of this very id is stored; no tenant is the inbox.
///
/// # Errors
/// When the database fails.
pub async fn is_stored(conn: &mut Conn<'_>, tenant: Option<Uuid>, id: Uuid) -> Result<bool> {
    let row = match tenant {
        Some(tenant) => fetch_optional!(conn, (Uuid,), IS_STORED, tenant, id)?,
        None => fetch_optional!(conn, (Uuid,), IS_IN_INBOX, id)?,
    };
    Ok(row.is_some())
}
