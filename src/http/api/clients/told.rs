//! `…/clients/{id}/bookings` and `…/events`: what they booked, and what told of it.

use super::{ClientPath, named};
use crate::http::Shared;
use crate::http::api::bookings::BookingJson;
use crate::http::api::events::EventJson;
use crate::http::extract::access::Records;
use crate::http::extract::keyset;
use crate::http::extract::page::{Page, PageQuery, span};
use crate::http::extract::query::Query;
use crate::http::openapi::{Refusals, TenantPath};
use crate::http::problem::Problem;
use crate::storage::history;
use actix_web::web::{Data, Json, Path};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A client's bookings, the latest appointment first.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/clients/{id}/bookings", tag = "clients",
    operation_id = "listClientBookings",
    params(TenantPath, ClientPath, PageQuery),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses(
        (status = 200, description = "A page of bookings", body = Page<BookingJson>),
        (status = 409, description = "Several clients have this external id",
            body = crate::http::problem::ProblemJson,
            content_type = "application/problem+json"),
        Refusals
    )
)]
pub(in crate::http) async fn bookings(
    access: Records,
    path: Path<(String, String)>,
    query: Query<PageQuery>,
    shared: Data<Shared>,
) -> Result<Json<Page<BookingJson>>, Problem> {
    let limit = keyset::limit(query.limit)?;
    let after = keyset::decode(query.cursor.as_deref(), read)?;
    let tenant = access.tenant.id;
    let mut reader = shared.db.reader().await?;
    let conn = &mut reader.conn();
    let client = named(conn, &access.tenant, &path.1).await?.id;
    let after = after.unwrap_or((latest(), Uuid::max()));
    let rows = history::bookings(conn, tenant, client, after, limit + 1).await?;
    let cursor = |row: &crate::storage::bookings::BookingRow| write(row.booking_at, row.id);
    Ok(Json(keyset::cut(rows, limit, cursor, |row| BookingJson::of(tenant, row))))
}

/// Later than any appointment, and a year that both databases write alike.
fn latest() -> DateTime<Utc> {
    DateTime::from_timestamp(253_402_300_799, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn write(at: DateTime<Utc>, id: Uuid) -> Vec<u8> {
    [at.timestamp_micros().to_be_bytes().as_slice(), id.as_bytes()].concat()
}

fn read(bytes: &[u8]) -> Option<(DateTime<Utc>, Uuid)> {
    let (at, id) = bytes.split_first_chunk::<8>()?;
    let at = DateTime::from_timestamp_micros(i64::from_be_bytes(*at));
    Some((at.filter(|at| *at <= latest())?, Uuid::from_slice(id).ok()?))
}

/// The events that told of a client's bookings, the newest first.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/clients/{id}/events", tag = "clients",
    operation_id = "listClientEvents",
    params(TenantPath, ClientPath, PageQuery),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses(
        (status = 200, description = "A page of events", body = Page<EventJson>),
        (status = 409, description = "Several clients have this external id",
            body = crate::http::problem::ProblemJson,
            content_type = "application/problem+json"),
        Refusals
    )
)]
pub(in crate::http) async fn events(
    access: Records,
    path: Path<(String, String)>,
    query: Query<PageQuery>,
    shared: Data<Shared>,
) -> Result<Json<Page<EventJson>>, Problem> {
    let span = span(query.limit, query.cursor.as_deref())?;
    let mut reader = shared.db.reader().await?;
    let conn = &mut reader.conn();
    let client = named(conn, &access.tenant, &path.1).await?.id;
    let rows = history::events(conn, access.tenant.id, client, span.before, span.fetch).await?;
    Ok(Json(span.page(rows.into_iter().map(EventJson::from).collect(), EventJson::id)))
}
