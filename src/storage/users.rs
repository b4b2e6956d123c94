//! People who may sign in.

use super::{Conn, Result, execute, fetch_all, statements};
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
