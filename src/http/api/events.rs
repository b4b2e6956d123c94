//! `…/events`: what was delivered, and what became of it.

use crate::domain::channel::EventStatus;
use crate::domain::problem::Problem as Reason;
use crate::http::Shared;
use crate::http::extract::{Page, ReadRecords, span};
use crate::http::problem::Problem;
use crate::sources;
use crate::storage::events::{self, EventFilter, EventSummary};
use crate::tracking::answer::Answer;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Json, Query};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An event as lists show it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct EventJson {
    id: Uuid,
    tenant_id: Uuid,
    source: String,
    kind: String,
    status: String,
    reason: Option<String>,
    problems: Vec<Reason>,
    client_id: Option<Uuid>,
    booking_id: Option<Uuid>,
    occurred_at: Option<DateTime<Utc>>,
    received_at: DateTime<Utc>,
    attempts: i32,
}

impl From<EventSummary> for EventJson {
    fn from(row: EventSummary) -> Self {
        let answer = serde_json::from_str::<Answer>(&row.answer).ok();
        Self {
            id: row.id,
            tenant_id: row.tenant_id,
            source: row.source,
            kind: row.kind,
            status: row.status,
            reason: row.reason,
            problems: serde_json::from_str(&row.problems).unwrap_or_default(),
            client_id: answer.as_ref().and_then(|a| a.client_id),
            booking_id: answer.as_ref().and_then(|a| a.booking_id),
            occurred_at: row.occurred_at,
            received_at: row.received_at,
            attempts: row.attempts,
        }
    }
}

/// What an event list is narrowed to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct EventQuery {
    status: Option<EventStatus>,
    source: Option<String>,
    limit: Option<i64>,
    cursor: Option<String>,
}

/// `GET …/events`: the newest first.
pub(in crate::http) async fn list(
    access: ReadRecords,
    query: Query<EventQuery>,
    shared: Data<Shared>,
) -> Result<Json<Page<EventJson>>, Problem> {
    let span = span(query.limit, query.cursor.as_deref())?;
    let source = query.source.clone();
    if source.as_deref().is_some_and(|name| sources::find(name).is_none()) {
        let detail = "source is not the name of one";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "source_unknown", detail));
    }
    let filter = EventFilter { status: query.status, source };
    let (tenant, mut reader) = (access.tenant.id, shared.db.reader().await?);
    let conn = &mut reader.conn();
    let rows = events::list(conn, tenant, &filter, span.before, span.fetch).await?;
    let rows = rows.into_iter().map(EventJson::from).collect();
    Ok(Json(span.page(rows, |event| event.id)))
}
