//! Events that wait for a person, and what became of them.

use super::{Conn, Result, execute, fetch_all, statements};
use crate::domain::channel::EventStatus;
use chrono::{DateTime, Utc};
use uuid::Uuid;

statements! {
    SETTLE = "
        update webhook_events set status = $3, reason = $4, problems = $5, told_again_as = $6,
            answer = coalesce($7, answer), updated_at = $8
        where tenant_id = $1 and id = $2 and status = 'needs_review'";
    LIST = "
        select id, problems, understood, answer from webhook_events
        where tenant_id = $1 and review_context = $2 and status = 'needs_review'
        order by id";
    LIST_REWORDED = "
        select id, understood from webhook_events
        where tenant_id = $1 and review_context = $2 and status = 'ignored'
            and reason in ('edit', 'revoke')
        order by id";
    REOPEN = "
        update webhook_events set status = 'needs_review', reason = $3, problems = $4,
            updated_at = $5
        where tenant_id = $1 and id = $2";
}

/// An event that waits for a person, as far as a later telling may settle it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct OpenReview {
    /// Its id.
    pub id: Uuid,
    /// A JSON array of problems.
    pub problems: String,
    /// What was understood, as JSON.
    pub understood: Option<String>,
    /// What the caller was told, as JSON.
    pub answer: String,
}

/// What became of an event that waited for a person.
#[derive(Clone, Debug)]
pub struct Settled {
    /// Its state.
    pub status: EventStatus,
    /// Why it isn't tracked, where it isn't.
    pub reason: Option<String>,
    /// The problems, as a JSON array.
    pub problems: String,
    /// The booking that a later telling made, where one did what this could not.
    pub told_again_as: Option<Uuid>,
    /// What the caller is told, as JSON, where that is not settled yet.
    pub answer: Option<String>,
}

/// Says what became of an event that waited for a person.
///
/// # Errors
/// When the database fails.
pub async fn settle(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    id: Uuid,
    settled: &Settled,
    now: DateTime<Utc>,
) -> Result<()> {
    execute!(
        conn,
        SETTLE,
        tenant,
        id,
        settled.status.as_str(),
        settled.reason.as_deref(),
        settled.problems.as_str(),
        settled.told_again_as,
        settled.answer.as_deref(),
        now
    )?;
    Ok(())
}

/// The events that wait for a person with something told in this call or message.
///
/// # Errors
/// When the database fails.
pub async fn list(conn: &mut Conn<'_>, tenant: Uuid, context: &str) -> Result<Vec<OpenReview>> {
    Ok(fetch_all!(conn, OpenReview, LIST, tenant, context)?)
}

/// The events that changed or took back what was said in this message, when nothing was told there
/// yet; each with what was understood of it, as JSON.
///
/// # Errors
/// When the database fails.
pub async fn list_reworded(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    context: &str,
) -> Result<Vec<(Uuid, Option<String>)>> {
    Ok(fetch_all!(conn, (Uuid, Option<String>), LIST_REWORDED, tenant, context)?)
}

/// Gives an event that was ignored to a person: `reason` is the first of the `problems`.
///
/// # Errors
/// When the database fails.
pub async fn reopen(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    id: Uuid,
    (reason, problems): (&str, &str),
    now: DateTime<Utc>,
) -> Result<()> {
    execute!(conn, REOPEN, tenant, id, reason, problems, now)?;
    Ok(())
}
