//! People who may sign in.

use super::{Conn, Result, execute, fetch_all, fetch_optional, statements};
use crate::domain::channel::Role;
use crate::domain::ids;
use chrono::{DateTime, Utc};
use uuid::Uuid;

statements! {
    INSERT = "
        insert into users
            (id, email, password_hash, role, tenant_id, status, created_at, updated_at)
        values ($1, $2, $3, $4, $5, 'active', $6, $6)
        on conflict do nothing";
    LIST = "
        select id, email, role, tenant_id, status, created_at
        from users order by created_at, id";
    LIST_OF_TENANT = "
        select id, email, role, tenant_id, status, created_at
        from users where tenant_id = $1 and id < $2 order by id desc limit $3";
    FIND = "
        select id, email, role, tenant_id, status, created_at
        from users where id = $1";
    UPDATE = "
        update users set role = $2, status = $3, updated_at = $4 where id = $1";
    SET_PASSWORD = "update users set password_hash = $2, updated_at = $3 where id = $1";
    END_SESSIONS = "delete from sessions where user_id = $1";
}

/// A user's row: everything but the password's hash.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct UserRow {
    /// Its id.
    pub id: Uuid,
    /// In lower case, unique.
    pub email: String,
    /// A word of [`Role`].
    pub role: String,
    /// The tenant; `None` for the whole platform.
    pub tenant_id: Option<Uuid>,
    /// `active` or `disabled`.
    pub status: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// Inserts a user with the hash of its password; `None` when the e-mail is taken.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    conn: &mut Conn<'_>,
    email: &str,
    password_hash: &str,
    role: Role,
    tenant: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<Option<Uuid>> {
    let id = ids::new(now);
    let done = execute!(conn, INSERT, id, email, password_hash, role.as_str(), tenant, now)?;
    Ok((done == 1).then_some(id))
}

/// All users, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn list(conn: &mut Conn<'_>) -> Result<Vec<UserRow>> {
    Ok(fetch_all!(conn, UserRow, LIST)?)
}

/// A tenant's users before `before`, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn list_of_tenant(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    before: Uuid,
    limit: i64,
) -> Result<Vec<UserRow>> {
    Ok(fetch_all!(conn, UserRow, LIST_OF_TENANT, tenant, before, limit)?)
}

/// The user of this id.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &mut Conn<'_>, id: Uuid) -> Result<Option<UserRow>> {
    Ok(fetch_optional!(conn, UserRow, FIND, id)?)
}

/// Writes a user's role and status.
///
/// # Errors
/// When the database fails.
pub async fn update(conn: &mut Conn<'_>, user: &UserRow, now: DateTime<Utc>) -> Result<()> {
    execute!(conn, UPDATE, user.id, user.role.as_str(), user.status.as_str(), now)?;
    Ok(())
}

/// Gives a user another password, by its hash.
///
/// # Errors
/// When the database fails.
pub async fn set_password(
    conn: &mut Conn<'_>,
    id: Uuid,
    password_hash: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    execute!(conn, SET_PASSWORD, id, password_hash, now)?;
    Ok(())
}

/// Signs a user out everywhere.
///
/// # Errors
/// When the database fails.
pub async fn end_sessions(conn: &mut Conn<'_>, id: Uuid) -> Result<()> {
    execute!(conn, END_SESSIONS, id)?;
    Ok(())
}
