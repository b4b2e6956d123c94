//! Who did what: kept beyond whatever it was done to.

use super::{Conn, Result, execute, statements};
use crate::domain::ids;
use chrono::{DateTime, Utc};
use uuid::Uuid;

statements! {
    INSERT = "
        insert into audit_log
            (tenant_id, id, actor, action, subject_kind, subject_id, detail, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)";
}

/// Notes that somebody did something. `detail` never names a person.
///
/// # Errors
/// When the database fails.
#[expect(clippy::too_many_arguments, reason = "a row's columns, one by one")]
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
