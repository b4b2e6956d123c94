//! `/api/platform/inbox`: events that belong to no tenant.

use crate::domain::problem::Problem as Reason;
use crate::http::Shared;
use crate::http::extract::access::Platform;
use crate::http::extract::page::{Page, PageQuery};
use crate::http::extract::query::Query;
use crate::http::openapi::Refusals;
use crate::http::problem::Problem;
use crate::storage::event_aliases;
use crate::storage::inbox::{self, InboxSummary};
use actix_web::web::{Data, Json, Path};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// An event of nobody.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = InboxEvent)]
pub(in crate::http) struct InboxJson {
    id: Uuid,
    source: String,
    kind: String,
    account_id: Option<String>,
    status: String,
    reason: Option<String>,
    received_at: DateTime<Utc>,
}

impl From<InboxSummary> for InboxJson {
    fn from(row: InboxSummary) -> Self {
        Self {
            id: row.id,
            source: row.source,
            kind: row.kind,
            account_id: row.account_id,
            status: row.status,
            reason: row.reason,
            received_at: row.received_at,
        }
    }
}

/// Everything that is kept of an event of nobody.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct InboxDetail {
    #[serde(flatten)]
    event: InboxJson,
    problems: Vec<Reason>,
    occurred_at: Option<DateTime<Utc>>,
    #[schema(value_type = Object)]
    headers: Value,
    /// The body as it came; what is no text in it is replaced.
    raw: String,
}

/// Events that belong to no tenant, the newest first.
#[utoipa::path(
    get, path = "/api/platform/inbox", tag = "platform", operation_id = "listInbox",
    params(PageQuery),
    security(("token" = ["platform_admin"])),
    responses((status = 200, description = "A page of events", body = Page<InboxJson>), Refusals)
)]
pub(in crate::http) async fn list(
    _access: Platform,
    query: Query<PageQuery>,
    shared: Data<Shared>,
) -> Result<Json<Page<InboxJson>>, Problem> {
    let span = query.span()?;
    let mut reader = shared.db.reader().await?;
    let rows = inbox::list(&mut reader.conn(), span.before, span.fetch).await?;
    let rows = rows.into_iter().map(InboxJson::from).collect();
    Ok(Json(span.page(rows, |event| event.id)))
}

/// An event that belongs to no tenant.
#[utoipa::path(
    get, path = "/api/platform/inbox/{id}", tag = "platform", operation_id = "getInboxEvent",
    params(("id" = String, Path, description = "The event's id")),
    security(("token" = ["platform_admin"])),
    responses((status = 200, description = "The event", body = InboxDetail), Refusals)
)]
pub(in crate::http) async fn show(
    _access: Platform,
    path: Path<String>,
    shared: Data<Shared>,
) -> Result<Json<InboxDetail>, Problem> {
    let id = Uuid::try_parse(&path).map_err(|_| Problem::not_found())?;
    let mut reader = shared.db.reader().await?;
    let conn = &mut reader.conn();
    let stored = event_aliases::find_in_inbox(conn, id).await?.unwrap_or(id);
    let row = inbox::find(conn, stored).await?.ok_or_else(Problem::not_found)?;
    let event = InboxJson {
        id: row.id,
        source: row.source,
        kind: row.kind,
        account_id: row.account_id,
        status: row.status,
        reason: row.reason,
        received_at: row.received_at,
    };
    Ok(Json(InboxDetail {
        event,
        problems: serde_json::from_str(&row.problems).unwrap_or_default(),
        occurred_at: row.occurred_at,
        headers: serde_json::from_str(&row.headers).unwrap_or_default(),
        raw: String::from_utf8_lossy(&row.raw).into_owned(),
    }))
}
