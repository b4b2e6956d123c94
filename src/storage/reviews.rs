//! Events that wait for a person, and what became of them.

use super::bulk::{Rows, bulk};
use super::{Conn, Result, execute, fetch_all, statements};
use crate::domain::channel::EventStatus;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
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

bulk! {
    LIST_OF_CONTEXTS(tenant_id Uuid, context Text) = "
        select e.tenant_id, e.review_context, e.status, e.id, e.problems, e.understood, e.answer
        from k cross join webhook_events e
        where e.tenant_id = k.tenant_id and e.review_context = k.context
            and e.status = 'needs_review'
        union all
        select e.tenant_id, e.review_context, e.status, e.id, e.problems, e.understood, e.answer
        from k cross join webhook_events e
        where e.tenant_id = k.tenant_id and e.review_context = k.context
            and e.status = 'ignored' and e.reason in ('edit', 'revoke')
        order by 4";
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

/// An event of a context, as far as [`list`] and [`list_reworded`] answer it.
#[derive(Clone, Debug)]
pub(super) enum OfContext {
    Open(OpenReview),
    Reworded(Uuid, Option<String>),
}

#[derive(sqlx::FromRow)]
struct Found {
    tenant_id: Uuid,
    review_context: String,
    status: String,
    #[sqlx(flatten)]
    review: OpenReview,
}

/// Reads ahead for [`list`] and [`list_reworded`]: tenants and calls or messages.
///
/// # Errors
/// When the database fails.
pub async fn read_ahead(conn: &mut Conn<'_>, contexts: &BTreeSet<(Uuid, String)>) -> Result<()> {
    let mut rows = Rows::default();
    for (tenant, context) in contexts {
        rows.push([(*tenant).into(), context.as_str().into()]);
    }
    let found: Vec<Found> = LIST_OF_CONTEXTS.fetch(conn.settled().await?, rows).await?;
    let Some(known) = conn.known_mut() else { return Ok(()) };
    for key in contexts {
        known.contexts.hold(key.clone(), Vec::new());
    }
    for Found { tenant_id, review_context, status, review } in found {
        let one = if status == EventStatus::NeedsReview.as_str() {
            OfContext::Open(review)
        } else {
            OfContext::Reworded(review.id, review.understood)
        };
        known.contexts.change(&(tenant_id, review_context), |list| list.push(one));
    }
    Ok(())
}

/// The events that wait for a person with something told in this call or message.
///
/// # Errors
/// When the database fails.
pub async fn list(conn: &mut Conn<'_>, tenant: Uuid, context: &str) -> Result<Vec<OpenReview>> {
    let ahead = conn.known().and_then(|known| known.contexts.get(&(tenant, context.to_owned())));
    if let Some(list) = ahead {
        let open = list.iter().filter_map(|one| match one {
            OfContext::Open(review) => Some(review.clone()),
            OfContext::Reworded(..) => None,
        });
        return Ok(open.collect());
    }
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
    let ahead = conn.known().and_then(|known| known.contexts.get(&(tenant, context.to_owned())));
    if let Some(list) = ahead {
        let reworded = list.iter().filter_map(|one| match one {
            OfContext::Reworded(id, understood) => Some((*id, understood.clone())),
            OfContext::Open(_) => None,
        });
        return Ok(reworded.collect());
    }
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
