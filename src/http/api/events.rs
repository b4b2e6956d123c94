//! `…/events`: what was delivered, and what became of it.

use crate::domain::channel::EventStatus;
use crate::domain::problem::Problem as Reason;
use crate::http::Shared;
use crate::http::extract::access::Records;
use crate::http::extract::page::{Page, span};
use crate::http::extract::query::Query;
use crate::http::openapi::{Refusals, TenantPath};
use crate::http::problem::Problem;
use crate::sources;
use crate::storage::bookings::{self, BookingRow};
use crate::storage::event_aliases;
use crate::storage::events::{self, EventFilter, EventRow, EventSummary};
use crate::storage::packed::Body;
use crate::storage::sightings::{self, Lookup};
use crate::storage::{Result as Stored, connections};
use crate::tracking::answer::Answer;
use actix_web::web::{Data, Json, Path};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// An event as lists show it.
#[derive(Debug, Serialize, ToSchema)]
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

impl EventJson {
    /// Its id.
    pub(in crate::http) fn id(&self) -> Uuid {
        self.id
    }
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
            booking_id: row.told_again_as.or(answer.as_ref().and_then(|a| a.booking_id)),
            occurred_at: row.occurred_at,
            received_at: row.received_at,
            attempts: row.attempts,
        }
    }
}

/// Everything that is kept of an event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct DetailJson {
    #[serde(flatten)]
    event: EventJson,
    /// The public id of the connection it came by; none where a token vouched for it.
    connection: Option<String>,
    account_id: Option<String>,
    /// What makes a repeat of it one, as a keyed hash; none once it was released.
    delivery_key_hash: Option<String>,
    understood: Value,
    overrides: Option<Value>,
    answer: Value,
    headers: Value,
    /// The body as it came, where that is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
    /// The body as it came, where it is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_base64: Option<String>,
}

impl DetailJson {
    fn of(row: EventRow, connection: Option<String>, booking: Option<BookingRow>) -> Self {
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        let (raw, raw_base64) = match String::from_utf8(row.raw.into_bytes()) {
            Ok(text) => (Some(text), None),
            Err(bytes) => (None, Some(STANDARD.encode(bytes.as_bytes()))),
        };
        let (understood, answer) = (row.understood.as_deref().map(json), json(&row.answer));
        let mut event = EventJson::from(EventSummary {
            tenant_id: row.tenant_id,
            id: row.id,
            source: row.source,
            kind: row.kind,
            status: row.status,
            reason: row.reason,
            problems: row.problems,
            answer: row.answer,
            occurred_at: row.occurred_at,
            received_at: row.received_at,
            attempts: row.attempts,
            told_again_as: row.told_again_as,
        });
        // What waited when it was answered may have found its booking since.
        if let Some(booking) = booking {
            (event.booking_id, event.client_id) = (Some(booking.id), Some(booking.client_id));
        }
        Self {
            event,
            connection,
            account_id: row.account_id,
            delivery_key_hash: row.delivery_key_hash,
            understood: understood.unwrap_or_default(),
            overrides: row.overrides.as_deref().map(json),
            answer,
            headers: json(&row.headers),
            raw,
            raw_base64,
        }
    }
}

/// What an event list is narrowed to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct EventQuery {
    /// Only those in this state.
    #[param(inline)]
    status: Option<EventStatus>,
    /// Only those of this source.
    source: Option<String>,
    /// How many rows a page has.
    #[param(minimum = 1, maximum = 100, default = 25)]
    limit: Option<i64>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// A tenant's events, the newest first.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/events", tag = "events",
    operation_id = "listEvents",
    params(TenantPath, EventQuery),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses((status = 200, description = "A page of events", body = Page<EventJson>), Refusals)
)]
pub(in crate::http) async fn list(
    access: Records,
    query: Query<EventQuery>,
    shared: Data<Shared>,
) -> Result<Json<Page<EventJson>>, Problem> {
    let span = span(query.limit, query.cursor.as_deref())?;
    let source = query.source.clone();
    if source.as_deref().is_some_and(|name| sources::api::find_teller(name).is_none()) {
        let detail = "source is not the name of one";
        return Err(Problem::bad_query("source", "source_unknown", detail));
    }
    let filter = EventFilter { status: query.status, source };
    let (tenant, mut reader) = (access.tenant.id, shared.db.reader().await?);
    let conn = &mut reader.conn();
    let rows = events::list(conn, tenant, &filter, span.before, span.fetch).await?;
    let rows = rows.into_iter().map(EventJson::from).collect();
    Ok(Json(span.page(rows, |event| event.id)))
}

/// An event as it came, what was understood of it, and what it came to.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/events/{id}", tag = "events",
    operation_id = "getEvent",
    params(TenantPath, ("id" = String, Path, description = "The event's id")),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses((status = 200, description = "The event", body = DetailJson), Refusals)
)]
pub(in crate::http) async fn show(
    access: Records,
    path: Path<(String, String)>,
    shared: Data<Shared>,
) -> Result<Json<DetailJson>, Problem> {
    let id = Uuid::try_parse(&path.1).map_err(|_| Problem::not_found())?;
    let detail = detail(&shared, access.tenant.id, id).await?;
    detail.map(Json).ok_or_else(Problem::not_found)
}

/// An event that waits in this instance's spool.
async fn queued(shared: &Shared, tenant: Uuid, id: Uuid) -> Stored<Option<DetailJson>> {
    let Some(spool) = shared.spool.get() else { return Ok(None) };
    let row = spool.find(id).await?.filter(|row| row.tenant_id == Some(tenant));
    let Some(row) = row else { return Ok(None) };
    let answer = Answer::new(EventStatus::Queued, Some(id));
    let row = EventRow {
        tenant_id: tenant,
        id,
        connection_id: None,
        source: row.source,
        kind: row.kind,
        account_id: None,
        delivery_key_hash: row.key_hash,
        status: EventStatus::Queued.as_str().to_owned(),
        reason: None,
        problems: "[]".to_owned(),
        understood: None,
        answer: serde_json::to_string(&answer).unwrap_or_default(),
        overrides: None,
        headers: "{}".to_owned(),
        raw: Body::of(row.raw),
        occurred_at: None,
        received_at: row.received_at,
        attempts: 0,
        told_again_as: None,
    };
    Ok(Some(DetailJson::of(row, None, None)))
}

async fn detail(shared: &Shared, tenant: Uuid, id: Uuid) -> Stored<Option<DetailJson>> {
    // First: what leaves the spool is in the database by then.
    if let Some(row) = queued(shared, tenant, id).await? {
        return Ok(Some(row));
    }
    let mut reader = shared.db.reader().await?;
    let conn = &mut reader.conn();
    let row = match events::find(conn, tenant, id).await? {
        Some(row) => Some(row),
        None => match event_aliases::find(conn, tenant, id).await? {
            Some(stored) => events::find(conn, tenant, stored).await?,
            None => None,
        },
    };
    let Some(row) = row else { return Ok(None) };
    let connection = match row.connection_id {
        Some(id) => connections::find_by_id(conn, id).await?.map(|row| row.public_id),
        None => None,
    };
    let told = sightings::list(conn, tenant, &Lookup::Event(row.id)).await?;
    let first = told.iter().filter(|s| s.booking_id.is_some()).min_by_key(|s| &s.order);
    let booking = match first.and_then(|sighting| sighting.booking_id) {
        Some(id) => bookings::find(conn, tenant, id).await?,
        None => None,
    };
    Ok(Some(DetailJson::of(row, connection, booking)))
}
