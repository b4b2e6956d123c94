//! What POSTs with an `Idempotency-Key` were answered, for a day.

use super::{Conn, Result, execute, fetch_optional, statements};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// How long a repeat is answered as the first was.
const KEPT: TimeDelta = TimeDelta::hours(24);

/// After this time a request without an answer counts as broken off.
const BROKEN_OFF: TimeDelta = TimeDelta::minutes(2);

statements! {
    CLAIM = "
        insert into idempotency_answers
            (tenant_id, key_hash, body_hash, status_code, answer, created_at, expires_at)
        values ($1, $2, $3, null, null, $4, $5)
        on conflict (tenant_id, key_hash) do update
            set body_hash = excluded.body_hash, status_code = null, answer = null,
                created_at = excluded.created_at, expires_at = excluded.expires_at
            where idempotency_answers.expires_at <= $4
                or (idempotency_answers.status_code is null
                    and idempotency_answers.created_at <= $6)";
    FIND = "
        select body_hash, status_code, answer from idempotency_answers
        where tenant_id = $1 and key_hash = $2";
    KEEP = "
        update idempotency_answers set status_code = $3, answer = $4
        where tenant_id = $1 and key_hash = $2";
    RELEASE = "
        delete from idempotency_answers
        where tenant_id = $1 and key_hash = $2 and status_code is null";
    PURGE = "delete from idempotency_answers where expires_at <= $1";
    FORGET = "delete from idempotency_answers where tenant_id = $1 and expires_at > $2";
}

/// A request that came with the same key before.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Earlier {
    /// The hash of its body.
    pub body_hash: String,
    /// Its answer's status; `None` while it runs.
    pub status_code: Option<i32>,
    /// Its answer, as JSON.
    pub answer: Option<String>,
}

/// Takes the key for a request; the earlier one when it is taken.
///
/// # Errors
/// When the database fails.
pub async fn claim(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    key_hash: &str,
    body_hash: &str,
    now: DateTime<Utc>,
) -> Result<Option<Earlier>> {
    let (until, broken) = (now + KEPT, now - BROKEN_OFF);
    let taken = execute!(conn, CLAIM, tenant, key_hash, body_hash, now, until, broken)?;
    if taken > 0 {
        return Ok(None);
    }
    Ok(fetch_optional!(conn, Earlier, FIND, tenant, key_hash)?)
}

/// Keeps the answer.
///
/// # Errors
/// When the database fails.
pub async fn keep(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    key_hash: &str,
    status: i32,
    answer: &str,
) -> Result<()> {
    execute!(conn, KEEP, tenant, key_hash, status, answer)?;
    Ok(())
}

/// Gives the key back: the request did nothing.
///
/// # Errors
/// When the database fails.
pub async fn release(conn: &mut Conn<'_>, tenant: Uuid, key_hash: &str) -> Result<()> {
    execute!(conn, RELEASE, tenant, key_hash)?;
    Ok(())
}

/// Removes what has run out.
///
/// # Errors
/// When the database fails.
pub async fn purge(conn: &mut Conn<'_>, now: DateTime<Utc>) -> Result<u64> {
    Ok(execute!(conn, PURGE, now)?)
}

/// Removes every answer of a tenant: they may name a person who is to be forgotten.
///
/// # Errors
/// When the database fails.
pub async fn forget(conn: &mut Conn<'_>, tenant: Uuid) -> Result<()> {
    execute!(conn, FORGET, tenant, DateTime::<Utc>::MIN_UTC)?;
    Ok(())
}
