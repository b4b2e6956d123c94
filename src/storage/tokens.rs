//! API tokens, kept as hashes.

use super::installation::bump_registry;
use super::{Conn, Result, execute, fetch_all, fetch_optional, statements};
use crate::domain::channel::Role;
use crate::domain::ids;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

statements! {
    INSERT = "
        insert into api_tokens (id, token_hash, tenant_id, role, name, created_at, expires_at)
        values ($1, $2, $3, $4, $5, $6, $7)";
    FIND_LIVE = "
        select id, tenant_id, role, name, created_at, expires_at, last_used_at, revoked_at
        from api_tokens
        where token_hash = $1 and revoked_at is null and (expires_at is null or expires_at > $2)";
    LIST = "
        select id, tenant_id, role, name, created_at, expires_at, last_used_at, revoked_at
        from api_tokens order by created_at, id";
    LIST_LIVE = "
        select id, token_hash, tenant_id, role, expires_at from api_tokens
        where revoked_at is null and (expires_at is null or expires_at > $1)";
    LIST_OF_TENANT = "
        select id, tenant_id, role, name, created_at, expires_at, last_used_at, revoked_at
        from api_tokens where tenant_id = $1 and id < $2 order by id desc limit $3";
    FIND = "
        select id, tenant_id, role, name, created_at, expires_at, last_used_at, revoked_at
        from api_tokens where id = $1";
    TOUCH = "
        update api_tokens set last_used_at = $2
        where id = $1 and (last_used_at is null or last_used_at < $3)";
    REVOKE = "update api_tokens set revoked_at = $2 where id = $1 and revoked_at is null";
}

/// A token's row: everything but the token.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct TokenRow {
    /// Its id.
    pub id: Uuid,
    /// The tenant it is for; `None` for the whole platform.
    pub tenant_id: Option<Uuid>,
    /// A word of [`Role`].
    pub role: String,
    /// What people call it.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Until when it is good; `None` for good.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A token that is good, by its hash: what a service keeps for when its database is away.
#[derive(Clone, Debug, sqlx::FromRow, Serialize, Deserialize)]
pub struct LiveToken {
    /// Its id.
    pub id: Uuid,
    /// Its SHA-256 in hex.
    pub token_hash: String,
    /// The tenant it is for; `None` for the whole platform.
    pub tenant_id: Option<Uuid>,
    /// A word of [`Role`].
    pub role: String,
    /// Until when it is good; `None` for good.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Inserts a token by its SHA-256 in hex; the instances hear of it.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    conn: &mut Conn<'_>,
    hash: &str,
    tenant: Option<Uuid>,
    role: Role,
    name: &str,
    (now, expires_at): (DateTime<Utc>, Option<DateTime<Utc>>),
) -> Result<Uuid> {
    let id = ids::new(now);
    execute!(conn, INSERT, id, hash, tenant, role.as_str(), name, now, expires_at)?;
    bump_registry(conn).await?;
    Ok(id)
}

/// A tenant's tokens before `before`, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn list_of_tenant(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    before: Uuid,
    limit: i64,
) -> Result<Vec<TokenRow>> {
    Ok(fetch_all!(conn, TokenRow, LIST_OF_TENANT, tenant, before, limit)?)
}

/// The token of this id, whatever its state.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &mut Conn<'_>, id: Uuid) -> Result<Option<TokenRow>> {
    Ok(fetch_optional!(conn, TokenRow, FIND, id)?)
}

/// The token of this hash, unless it is revoked or has run out.
///
/// # Errors
/// When the database fails.
pub async fn find_live(
    conn: &mut Conn<'_>,
    hash: &str,
    now: DateTime<Utc>,
) -> Result<Option<TokenRow>> {
    Ok(fetch_optional!(conn, TokenRow, FIND_LIVE, hash, now)?)
}

/// Every token that is good.
///
/// # Errors
/// When the database fails.
pub async fn list_live(conn: &mut Conn<'_>, now: DateTime<Utc>) -> Result<Vec<LiveToken>> {
    Ok(fetch_all!(conn, LiveToken, LIST_LIVE, now)?)
}

/// All tokens, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn list(conn: &mut Conn<'_>) -> Result<Vec<TokenRow>> {
    Ok(fetch_all!(conn, TokenRow, LIST)?)
}

/// Notes that a token was used, unless that was noted since `not_since`.
///
/// # Errors
/// When the database fails.
pub async fn touch(
    conn: &mut Conn<'_>,
    id: Uuid,
    now: DateTime<Utc>,
    not_since: DateTime<Utc>,
) -> Result<()> {
    execute!(conn, TOUCH, id, now, not_since)?;
    Ok(())
}

/// Revokes a token, and the instances hear of it; false when there is none of this id that was still good.
///
/// # Errors
/// When the database fails.
pub async fn revoke(conn: &mut Conn<'_>, id: Uuid, now: DateTime<Utc>) -> Result<bool> {
    let done = execute!(conn, REVOKE, id, now)? == 1;
    bump_registry(conn).await?;
    Ok(done)
}
