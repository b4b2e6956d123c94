//! `…/bookings`: the appointments.

use crate::domain::money::{Currency, Money};
use crate::http::Shared;
use crate::http::extract::{Page, PageQuery, ReadRecords};
use crate::http::problem::Problem;
use crate::storage::bookings::{self, BookingRow};
use actix_web::web::{Data, Json, Query};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Number;
use uuid::Uuid;

/// A booking as the API shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct BookingJson {
    id: Uuid,
    tenant_id: Uuid,
    client_id: Uuid,
    booking_date: DateTime<Utc>,
    service_name: String,
    service_category: Option<String>,
    duration: Option<i64>,
    staff_member: Option<String>,
    amount: Option<Number>,
    currency: Option<String>,
    status: String,
    payment_status: String,
    source: String,
    external_booking_id: Option<String>,
    notes: Option<String>,
    possible_duplicate_of: Option<Uuid>,
    created_at: DateTime<Utc>,
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
            possible_duplicate_of: row.possible_duplicate_of,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// `GET …/bookings`: the newest first.
pub(in crate::http) async fn list(
    access: ReadRecords,
    query: Query<PageQuery>,
    shared: Data<Shared>,
) -> Result<Json<Page<BookingJson>>, Problem> {
    let (span, tenant) = (query.span()?, access.tenant.id);
    let mut reader = shared.db.reader().await?;
    let rows = bookings::list(&mut reader.conn(), tenant, span.before, span.fetch).await?;
    let rows = rows.into_iter().map(|row| BookingJson::of(tenant, row)).collect();
    Ok(Json(span.page(rows, |booking| booking.id)))
}
