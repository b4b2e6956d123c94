//! `…/events/{id}/replay` and `…/events/replay`: reading stored events again.

use super::note;
use crate::domain::channel::EventStatus;
use crate::http::Shared;
use crate::http::extract::access::Manage;
use crate::http::extract::body::Body;
use crate::http::extract::fields::{Fields, Patch};
use crate::http::extract::page::{Page, span};
use crate::http::openapi::{Repeatable, TenantPath, WriteRefusals};
use crate::http::problem::Problem;
use crate::sources::{self, fields};
use crate::storage::events::{self, EventFilter, EventRow};
use crate::tracking::again::{AgainError, HELD};
use crate::tracking::answer::Answer;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Json, Path};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// The longest value that a person supplies.
const LONGEST: usize = 2000;

/// What a person supplies for an event.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only described")]
pub(in crate::http) struct ReplayInput {
    /// Values by the names of `UnifiedBookingData`; each replaces what the body says.
    set: Option<BTreeMap<String, String>>,
}

/// Which events are to be read again.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only described")]
pub(in crate::http) struct BulkInput {
    /// Events in this state.
    status: EventStatus,
    /// Of those, only this source's.
    source: Option<String>,
    /// How many at the most.
    #[schema(minimum = 1, maximum = 100, default = 25, nullable = false)]
    limit: Option<i64>,
    /// The `nextCursor` of the answer before.
    cursor: Option<String>,
}

/// What became of one event.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Replayed {
    event_id: Uuid,
    /// What it came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Answer>,
    /// Why it could not be read again.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Reads an event again, with what a person supplies; one that was tracked is answered as it was.
#[utoipa::path(
    post, path = "/api/platform/tenants/{tenantId}/events/{id}/replay", tag = "events",
    operation_id = "replayEvent",
    params(TenantPath, ("id" = String, Path, description = "The event's id"), Repeatable),
    request_body(content = ReplayInput, example = json!({"set": {"serviceName": "Gel nails"}})),
    security(("token" = ["platform_admin", "client_admin"])),
    responses((status = 200, description = "What it came to", body = Answer), WriteRefusals)
)]
pub(in crate::http) async fn one(
    access: Manage,
    path: Path<(String, String)>,
    mut body: Body,
    shared: Data<Shared>,
) -> Result<Json<Answer>, Problem> {
    let (tenant, now) = (access.tenant.id, shared.clock.now());
    let id = Uuid::try_parse(&path.1).map_err(|_| Problem::not_found())?;
    let set = supplied(&mut body.fields);
    body.fields.finish()?;
    let row = events::find(&mut shared.db.reader().await?.conn(), tenant, id).await?;
    let row = row.ok_or_else(Problem::not_found)?;
    let answer = shared.tracker.again(&row, &set).await.map_err(refused)?;
    let mut tx = shared.db.begin().await?;
    let subject = ("event.replayed", "event", &*id.to_string());
    note(&mut tx.conn(), tenant, &access.by, subject, now).await?;
    tx.commit().await?;
    Ok(Json(answer))
}

/// Reads many events again by what their connections say today, the newest first; pass
/// `nextCursor` until `hasMore` is false. Those held back for a person to see are left alone.
#[utoipa::path(
    post, path = "/api/platform/tenants/{tenantId}/events/replay", tag = "events",
    operation_id = "replayEvents",
    params(TenantPath, Repeatable),
    request_body(content = BulkInput, example = json!({"status": "needs_review"})),
    security(("token" = ["platform_admin", "client_admin"])),
    responses((status = 200, description = "What each came to", body = Page<Replayed>), WriteRefusals)
)]
pub(in crate::http) async fn many(
    access: Manage,
    mut body: Body,
    shared: Data<Shared>,
) -> Result<Json<Page<Replayed>>, Problem> {
    let (tenant, now, fields) = (access.tenant.id, shared.clock.now(), &mut body.fields);
    fields.require("status");
    let status: Patch<EventStatus> = fields.word("status");
    let source = fields.text("source", 20).value();
    if source.as_deref().is_some_and(|name| sources::find(name).is_none()) {
        fields.fault("source", "source_unknown", "there is no such source");
    }
    let limit = fields.integer("limit", 1..=100);
    fields.refuse_null("limit");
    let cursor = fields.text("cursor", 200).value();
    if span(None, cursor.as_deref()).is_err() {
        let detail = "it is not one that this operation answered; leave it out to begin";
        fields.fault("cursor", "cursor_invalid", detail);
    }
    body.fields.finish()?;
    let span = span(limit.value(), cursor.as_deref())?;
    let filter = EventFilter { status: status.value(), source };
    let mut reader = shared.db.reader().await?;
    let rows = events::list(&mut reader.conn(), tenant, &filter, span.before, span.fetch).await?;
    drop(reader);
    let page = span.page(rows, |row| row.id);
    let mut replayed = Vec::new();
    for row in page.rows() {
        if row.reason.as_deref().is_none_or(|reason| !HELD.contains(&reason)) {
            replayed.push(again(&shared, tenant, row.id).await?);
        }
    }
    if replayed.is_empty() {
        return Ok(Json(page.with(replayed)));
    }
    let mut tx = shared.db.begin().await?;
    let subject = ("events.replayed", "event", &*replayed.len().to_string());
    note(&mut tx.conn(), tenant, &access.by, subject, now).await?;
    tx.commit().await?;
    Ok(Json(page.with(replayed)))
}

/// One of many: what stands in its way is told in its place.
async fn again(shared: &Shared, tenant: Uuid, event_id: Uuid) -> Result<Replayed, Problem> {
    let row: Option<EventRow> =
        events::find(&mut shared.db.reader().await?.conn(), tenant, event_id).await?;
    let Some(row) = row else {
        let error = Some("the event is gone".to_owned());
        return Ok(Replayed { event_id, answer: None, error });
    };
    match shared.tracker.again(&row, &BTreeMap::new()).await {
        Ok(answer) => Ok(Replayed { event_id, answer: Some(answer), error: None }),
        Err(error @ (AgainError::Unreadable(_) | AgainError::Supplied(_))) => {
            Ok(Replayed { event_id, answer: None, error: Some(error.to_string()) })
        }
        Err(error) => Err(refused(error)),
    }
}

/// The values that were supplied, each a text or a number.
fn supplied(fields: &mut Fields) -> BTreeMap<String, String> {
    let known = fields::settable_names();
    let mut set = BTreeMap::new();
    for (name, value) in fields.object("set").value().unwrap_or_default() {
        let text = match value {
            Value::String(text) if text.len() <= LONGEST => text,
            Value::Number(number) => number.to_string(),
            _ => {
                fields.fault_at(
                    "set",
                    &name,
                    "value_invalid",
                    "send a number, or a text of up to 2000 bytes",
                );
                continue;
            }
        };
        if known.contains(&name.as_str()) {
            set.insert(name, text);
        } else {
            let detail = format!("there is no such field; there are {}", known.join(", "));
            fields.fault_at("set", &name, "field_unknown", &detail);
        }
    }
    set
}

fn refused(error: AgainError) -> Problem {
    match error {
        AgainError::Unreadable(detail) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "event_unreadable", &detail)
        }
        AgainError::Supplied(mut problems) => {
            for problem in &mut problems {
                let field = problem.field.take().unwrap_or_default();
                problem.pointer = format!("/set/{field}");
                problem.value = None;
            }
            Problem::unprocessable(None, problems)
        }
        AgainError::Track(error) => error.into(),
    }
}
