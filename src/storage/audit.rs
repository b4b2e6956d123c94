//! The audit log: who did what to what. It names fields, never the values that name a person.

use super::{Conn, Result, execute, fetch_all, statements};
use crate::domain::ids;
use chrono::{DateTime, Utc};
use uuid::Uuid;

statements! {
    INSERT = "
        insert into audit_log
            (tenant_id, id, actor, action, subject_kind, subject_id, detail, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)";
    LIST = "
        select id, actor, action, subject_kind, subject_id, detail, created_at
        from audit_log where tenant_id = $1 and id < $2 order by id desc limit $3";
}

/// One entry of the log.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AuditRow {
    /// Its id.
    pub id: Uuid,
    /// Who did it: `token:<id>`, `user:<id>`, `command`, or the service itself.
    pub actor: String,
    /// What was done: `client.updated`, …
    pub action: String,
    /// What it was done to: `client`, `booking`, …
    pub subject_kind: String,
    /// The id of that.
    pub subject_id: String,
    /// More, as JSON.
    pub detail: Option<String>,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// Notes what somebody did, in the transaction that does it. The nil UUID is the platform.
///
/// # Errors
/// When the database fails.
#[expect(clippy::too_many_arguments, reason = "they are the columns")]
pub async fn note(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    actor: &str,
    action: &str,
    subject_kind: &str,
    subject_id: &str,
    detail: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    let id = ids::new(now);
    execute!(conn, INSERT, tenant, id, actor, action, subject_kind, subject_id, detail, now)?;
    Ok(())
}

/// A tenant's log before `before`, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    before: Uuid,
    limit: i64,
) -> Result<Vec<AuditRow>> {
    Ok(fetch_all!(conn, AuditRow, LIST, tenant, before, limit)?)
}
