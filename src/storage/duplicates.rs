//! Pairs of clients who may be one person: proposed, for a person to decide.

use super::{Conn, Result, execute, fetch_all, fetch_optional, statements};
use crate::domain::channel::{DuplicateReason, DuplicateStatus};
use crate::domain::ids;
use chrono::{DateTime, Utc};
use uuid::Uuid;

statements! {
    INSERT = "
        insert into client_duplicates (tenant_id, id, first_client, second_client, reason, detail,
            event_id, status, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
        on conflict (tenant_id, first_client, second_client, reason) do nothing";
    LIST = "
        select id, first_client, second_client, reason, detail, event_id, status, created_at
        from client_duplicates where tenant_id = $1 and status = $2 and id < $3
        order by id desc limit $4";
    LIST_BY_CLIENT = "
        select id, first_client, second_client, reason, detail, event_id, status, created_at
        from client_duplicates
        where tenant_id = $1 and (first_client = $2 or second_client = $2)
        order by id";
    FIND = "
        select id, first_client, second_client, reason, detail, event_id, status, created_at
        from client_duplicates where tenant_id = $1 and id = $2";
    DISMISS = "
        update client_duplicates set status = 'dismissed', updated_at = $3
        where tenant_id = $1 and id = $2";
    DISMISS_PAIR = "
        update client_duplicates set status = 'dismissed', updated_at = $5
        where tenant_id = $1 and first_client = $2 and second_client = $3 and reason = $4";
    WITHDRAW = "
        delete from client_duplicates
        where tenant_id = $1 and (first_client = $2 or second_client = $2) and reason = $3
            and status = 'proposed'";
    DELETE_OF = "
        delete from client_duplicates
        where tenant_id = $1 and (first_client = $2 or second_client = $2)";
}

/// Two clients who may be one person, not stored yet.
#[derive(Clone, Debug)]
pub struct NewDuplicate<'a> {
    /// The two, in any order.
    pub clients: (Uuid, Uuid),
    /// Why.
    pub reason: DuplicateReason,
    /// What they share, as JSON.
    pub detail: &'a str,
    /// The event that showed it.
    pub event_id: Option<Uuid>,
}

/// Two clients who may be one person.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct DuplicateRow {
    /// Its id.
    pub id: Uuid,
    /// The one with the lower id.
    pub first_client: Uuid,
    /// The other.
    pub second_client: Uuid,
    /// A word of [`DuplicateReason`].
    pub reason: String,
    /// What they share, as JSON.
    pub detail: String,
    /// The event that showed it.
    pub event_id: Option<Uuid>,
    /// A word of [`DuplicateStatus`].
    pub status: String,
    /// When it was first shown.
    pub created_at: DateTime<Utc>,
}

impl DuplicateRow {
    /// The client that is proposed beside this one.
    #[must_use]
    pub fn other(&self, client: Uuid) -> Uuid {
        if self.first_client == client { self.second_client } else { self.first_client }
    }
}

/// Proposes that two clients are one person; one that was proposed for this reason before, or
/// dismissed, stays as it is.
///
/// # Errors
/// When the database fails.
pub async fn propose(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    new: &NewDuplicate<'_>,
    now: DateTime<Utc>,
) -> Result<()> {
    let (one, other) = new.clients;
    let (first, second) = (one.min(other), one.max(other));
    if first == second {
        return Ok(());
    }
    let proposed = DuplicateStatus::Proposed.as_str();
    execute!(
        conn,
        INSERT,
        tenant,
        ids::new(now),
        first,
        second,
        new.reason.as_str(),
        new.detail,
        new.event_id,
        proposed,
        now
    )?;
    Ok(())
}

/// A tenant's pairs in this state before `before`, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    status: DuplicateStatus,
    before: Uuid,
    limit: i64,
) -> Result<Vec<DuplicateRow>> {
    Ok(fetch_all!(conn, DuplicateRow, LIST, tenant, status.as_str(), before, limit)?)
}

/// Every pair that a client is in, in whatever state, the oldest first.
///
/// # Errors
/// When the database fails.
pub async fn list_by_client(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    client: Uuid,
) -> Result<Vec<DuplicateRow>> {
    Ok(fetch_all!(conn, DuplicateRow, LIST_BY_CLIENT, tenant, client)?)
}

/// One pair of a tenant.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &mut Conn<'_>, tenant: Uuid, id: Uuid) -> Result<Option<DuplicateRow>> {
    Ok(fetch_optional!(conn, DuplicateRow, FIND, tenant, id)?)
}

/// Says that the two are two people: no delivery proposes them for this reason again. False when
/// there is no such pair.
///
/// # Errors
/// When the database fails.
pub async fn dismiss(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool> {
    Ok(execute!(conn, DISMISS, tenant, id, now)? == 1)
}

/// Takes back what was proposed of a client for a reason that no longer stands.
///
/// # Errors
/// When the database fails.
pub async fn withdraw(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    client: Uuid,
    reason: DuplicateReason,
) -> Result<()> {
    execute!(conn, WITHDRAW, tenant, client, reason.as_str())?;
    Ok(())
}

/// Gives every pair of one client to another that it proved to be: a pair of the two is settled
/// by that, and one that a person dismissed stays dismissed.
///
/// # Errors
/// When the database fails.
pub async fn move_to(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    gone: Uuid,
    stays: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    let moved = list_by_client(conn, tenant, gone).await?;
    delete_of(conn, tenant, gone).await?;
    for row in moved {
        let other = row.other(gone);
        let (first, second) = (other.min(stays), other.max(stays));
        if first == second {
            continue;
        }
        let (reason, detail) = (row.reason.as_str(), row.detail.as_str());
        let (event, status, made) = (row.event_id, row.status.as_str(), row.created_at);
        execute!(conn, INSERT, tenant, row.id, first, second, reason, detail, event, status, made)?;
        if status == DuplicateStatus::Dismissed.as_str() {
            execute!(conn, DISMISS_PAIR, tenant, first, second, reason, now)?;
        }
    }
    Ok(())
}

/// Removes every pair that a client is in.
///
/// # Errors
/// When the database fails.
pub async fn delete_of(conn: &mut Conn<'_>, tenant: Uuid, client: Uuid) -> Result<()> {
    execute!(conn, DELETE_OF, tenant, client)?;
    Ok(())
}
