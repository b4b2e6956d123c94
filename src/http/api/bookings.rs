//! `…/bookings`: the appointments.

pub(in crate::http) mod list;
mod read;
pub(in crate::http) mod write;

use crate::domain::money::{Currency, Money};
use crate::http::Shared;
use crate::http::extract::access::Records;
use crate::http::extract::entity::Entity;
use crate::http::openapi::{Refusals, TenantPath};
use crate::http::problem::Problem;
use crate::storage::bookings::{self, BookingRow};
use crate::storage::sightings::{self, Lookup};
use crate::storage::{Result as Stored, events};
use crate::tracking::provenance::{self, Trace};
use actix_web::web::{Data, Path};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Number;
use utoipa::ToSchema;
use uuid::Uuid;

/// A booking as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct BookingJson {
    #[schema(example = "019c2f51-27d3-7e10-a6f4-5b9c8d7e6f10")]
    id: Uuid,
    #[schema(example = "019c2f4e-1111-7c52-9b0d-3f1a2b4c5d6e")]
    tenant_id: Uuid,
    #[schema(example = "019c2f4e-8a61-7c52-9b0d-3f1a2b4c5d6e")]
    client_id: Uuid,
    #[schema(example = "2026-03-14T15:00:00Z")]
    booking_date: DateTime<Utc>,
    #[schema(example = "Deep Tissue Massage")]
    service_name: String,
    #[schema(example = "massage")]
    service_category: Option<String>,
    #[schema(example = 60)]
    duration: Option<i64>,
    #[schema(example = "Sarah Kelly")]
    staff_member: Option<String>,
    #[schema(value_type = Option<f64>, example = 75.00)]
    amount: Option<Number>,
    #[schema(example = "EUR")]
    currency: Option<String>,
    #[schema(example = "confirmed")]
    status: String,
    #[schema(example = "deposit_paid")]
    payment_status: String,
    #[schema(example = "voice")]
    source: String,
    #[schema(example = "phorest-booking-789")]
    external_booking_id: Option<String>,
    #[schema(example = "First visit")]
    notes: Option<String>,
    /// Whose reference `externalBookingId` is; null while nobody said.
    #[schema(example = "phorest")]
    service_provider: Option<String>,
    /// Another booking that may be the same appointment in other words.
    possible_duplicate_of: Option<Uuid>,
    /// `impossible_change`: a change was told that can't follow what came before it.
    flags: Vec<String>,
    #[schema(example = "2026-03-01T10:15:00Z")]
    created_at: DateTime<Utc>,
    #[schema(example = "2026-03-01T10:15:00Z")]
    updated_at: DateTime<Utc>,
}

impl BookingJson {
    /// The row in the API's words.
    pub(in crate::http) fn of(tenant: Uuid, row: BookingRow) -> Self {
        let currency = row.currency.as_deref().and_then(Currency::parse);
        let amount = row.amount_minor.zip(currency);
        Self {
            id: row.id,
            tenant_id: tenant,
            client_id: row.client_id,
            booking_date: row.booking_at,
            service_name: row.service_name,
            service_category: row.service_category,
            duration: row.duration_minutes,
            staff_member: row.staff_member,
            amount: amount.map(|(minor, currency)| Money { minor, currency }.to_number()),
            currency: row.currency,
            status: row.status,
            payment_status: row.payment_status,
            source: row.source,
            external_booking_id: row.external_booking_id,
            notes: row.notes,
            service_provider: row.provider,
            possible_duplicate_of: row.possible_duplicate_of,
            flags: serde_json::from_str(&row.flags).unwrap_or_default(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A booking with everything that was told of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct TracedJson {
    #[serde(flatten)]
    booking: BookingJson,
    sightings: Vec<SightingJson>,
}

/// One telling of a booking.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SightingJson {
    event_id: Uuid,
    source: String,
    kind: String,
    told: &'static str,
    occurred_at: Option<DateTime<Utc>>,
    received_at: DateTime<Utc>,
    /// The booking's fields whose value comes from it.
    fields: Vec<&'static str>,
}

/// A booking, and which event told what of it; also by an id that it was answered under before it
/// proved to be another's.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/bookings/{id}", tag = "bookings",
    operation_id = "getBooking",
    params(TenantPath, ("id" = String, Path, description = "The booking's id")),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses((status = 304, description = "`If-None-Match` names the `ETag` that it has"), (status = 200, description = "The booking", body = TracedJson), Refusals)
)]
pub(in crate::http) async fn show(
    access: Records,
    path: Path<(String, String)>,
    shared: Data<Shared>,
) -> Result<Entity<TracedJson>, Problem> {
    let id = Uuid::try_parse(&path.1).map_err(|_| Problem::not_found())?;
    entity(&shared, access.tenant.id, id).await
}

/// A booking by its id, also one that it was answered under before.
async fn find(shared: &Shared, tenant: Uuid, id: Uuid) -> Stored<Option<BookingRow>> {
    let mut reader = shared.db.reader().await?;
    bookings::find(&mut reader.conn(), tenant, id).await
}

async fn entity(shared: &Shared, tenant: Uuid, id: Uuid) -> Result<Entity<TracedJson>, Problem> {
    let traced = traced(shared, tenant, id).await?;
    let (version, traced) = traced.ok_or_else(Problem::not_found)?;
    Ok(Entity::found(version, traced))
}

async fn traced(shared: &Shared, tenant: Uuid, id: Uuid) -> Stored<Option<(i64, TracedJson)>> {
    let mut reader = shared.db.reader().await?;
    let conn = &mut reader.conn();
    let Some(row) = bookings::find(conn, tenant, id).await? else { return Ok(None) };
    let told = sightings::list(conn, tenant, &Lookup::Booking(row.id)).await?;
    let events = events::list_by_booking(conn, tenant, row.id).await?;
    let sighting = |trace: Trace| {
        let event = events.iter().find(|event| event.id == trace.event_id)?;
        Some(SightingJson {
            event_id: event.id,
            source: event.source.clone(),
            kind: event.kind.clone(),
            told: trace.told,
            occurred_at: event.occurred_at,
            received_at: event.received_at,
            fields: trace.fields,
        })
    };
    let sightings = provenance::trace(&told).into_iter().filter_map(sighting).collect();
    Ok(Some((row.version, TracedJson { booking: BookingJson::of(tenant, row), sightings })))
}
