//! Bookings.

use super::aliases::{self, Kind};
use super::{Conn, Result, execute, fetch_all, fetch_optional, statements};
use crate::domain::booking::service_key;
use chrono::{DateTime, Utc};
use uuid::Uuid;

statements! {
    INSERT = "
        insert into bookings (tenant_id, id, client_id, booking_at, service_name, service_key,
            service_category, duration_minutes, staff_member, amount_minor, currency, status,
            payment_status, source, provider, external_booking_id, origin_key, notes,
            possible_duplicate_of, flags, booked_at, staff_key, version, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
            $19, $20, $21, $23, 1, $22, $22)";
    UPDATE = "
        update bookings set client_id = $3, booking_at = $4, service_name = $5, service_key = $6,
            service_category = $7, duration_minutes = $8, staff_member = $9, amount_minor = $10,
            currency = $11, status = $12, payment_status = $13, source = $14, provider = $15,
            external_booking_id = $16, origin_key = $17, notes = $18, possible_duplicate_of = $19,
            flags = $20, booked_at = $21, staff_key = $23, version = version + 1, updated_at = $22
        where tenant_id = $1 and id = $2";
    DELETE = "delete from bookings where tenant_id = $1 and id = $2";
    FORGET_DUPLICATE = "
        update bookings set possible_duplicate_of = null
        where tenant_id = $1 and possible_duplicate_of = $2";
    FIND = "
        select id, client_id, booking_at, service_name, service_key, service_category,
            duration_minutes, staff_member, amount_minor, currency, status, payment_status, source,
            provider, external_booking_id, origin_key, notes, possible_duplicate_of, flags,
            booked_at, version, created_at, updated_at
        from bookings where tenant_id = $1 and id = $2";
    LIST = "
        select id, client_id, booking_at, service_name, service_key, service_category,
            duration_minutes, staff_member, amount_minor, currency, status, payment_status, source,
            provider, external_booking_id, origin_key, notes, possible_duplicate_of, flags,
            booked_at, version, created_at, updated_at
        from bookings where tenant_id = $1 and id < $2 order by id desc limit $3";
    LIST_BY_CLIENT = "
        select id, client_id, booking_at, service_name, service_key, service_category,
            duration_minutes, staff_member, amount_minor, currency, status, payment_status, source,
            provider, external_booking_id, origin_key, notes, possible_duplicate_of, flags,
            booked_at, version, created_at, updated_at
        from bookings where tenant_id = $1 and client_id = $2
        order by booking_at desc, id desc limit $3";
    LIST_AT = "
        select id from bookings where tenant_id = $1 and client_id = $2 and booking_at = $3";
    LIST_PENDING = "
        select id from bookings
        where tenant_id = $1 and client_id = $2 and status = 'pending' and booking_at >= $3";
    BOOKED_RANGE = "
        select min(booked_at), max(booked_at) from bookings
        where tenant_id = $1 and client_id = $2";
}

/// A booking's row.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct BookingRow {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub client_id: Uuid,
    /// When the appointment starts.
    pub booking_at: DateTime<Utc>,
    /// As written.
    pub service_name: String,
    /// The service's identity.
    pub service_key: String,
    /// The kind of service.
    pub service_category: Option<String>,
    /// In minutes.
    pub duration_minutes: Option<i64>,
    /// Who is to do it.
    pub staff_member: Option<String>,
    /// In the currency's smallest unit.
    pub amount_minor: Option<i64>,
    /// ISO 4217; present when the amount is.
    pub currency: Option<String>,
    /// A word of `BookingStatus`.
    pub status: String,
    /// A word of `PaymentStatus`.
    pub payment_status: String,
    /// A word of `Channel`.
    pub source: String,
    /// Whose reference `external_booking_id` is; `None` while it is unlabelled.
    pub provider: Option<String>,
    /// The booking's reference.
    pub external_booking_id: Option<String>,
    /// What the booking was first told as: unique, the last defence against doubling.
    pub origin_key: String,
    /// Free text.
    pub notes: Option<String>,
    /// Another booking of the client at the same start, told by another source.
    pub possible_duplicate_of: Option<Uuid>,
    /// A JSON array of words: `impossible_change`.
    pub flags: String,
    /// When the customer booked.
    pub booked_at: DateTime<Utc>,
    /// Counts the row's changes: 1 when it is made. Written by the statements alone.
    pub version: i64,
    /// When the row was made.
    pub created_at: DateTime<Utc>,
    /// When the row last changed.
    pub updated_at: DateTime<Utc>,
}

/// Inserts a booking; `created_at` of the row is used.
///
/// # Errors
/// When the database fails; a conflict when its labelled id or origin exists.
pub async fn insert(conn: &mut Conn<'_>, tenant: Uuid, booking: &BookingRow) -> Result<()> {
    write(conn, INSERT, tenant, booking, booking.created_at).await
}

/// Writes a booking's fields; `updated_at` of the row is used.
///
/// # Errors
/// When the database fails; a conflict when its labelled id or origin is another booking's.
pub async fn update(conn: &mut Conn<'_>, tenant: Uuid, booking: &BookingRow) -> Result<()> {
    write(conn, UPDATE, tenant, booking, booking.updated_at).await
}

/// Insert and update take the same values in the same order.
async fn write(
    conn: &mut Conn<'_>,
    sql: &'static str,
    tenant: Uuid,
    booking: &BookingRow,
    at: DateTime<Utc>,
) -> Result<()> {
    execute!(
        conn,
        sql,
        tenant,
        booking.id,
        booking.client_id,
        booking.booking_at,
        booking.service_name.as_str(),
        booking.service_key.as_str(),
        booking.service_category.as_deref(),
        booking.duration_minutes,
        booking.staff_member.as_deref(),
        booking.amount_minor,
        booking.currency.as_deref(),
        booking.status.as_str(),
        booking.payment_status.as_str(),
        booking.source.as_str(),
        booking.provider.as_deref(),
        booking.external_booking_id.as_deref(),
        booking.origin_key.as_str(),
        booking.notes.as_deref(),
        booking.possible_duplicate_of,
        booking.flags.as_str(),
        booking.booked_at,
        at,
        booking.staff_member.as_deref().map(service_key)
    )?;
    Ok(())
}

/// Removes a booking that proved to be another one, and remembers its id as that one's.
/// Its sightings have moved already.
///
/// # Errors
/// When the database fails.
pub async fn fold_into(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    id: Uuid,
    now_id: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    execute!(conn, FORGET_DUPLICATE, tenant, id)?;
    execute!(conn, DELETE, tenant, id)?;
    aliases::insert(conn, tenant, Kind::Booking, (id, now_id), now).await
}

/// One booking of a tenant, also by an id that it was once answered under.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &mut Conn<'_>, tenant: Uuid, id: Uuid) -> Result<Option<BookingRow>> {
    if let Some(row) = fetch_optional!(conn, BookingRow, FIND, tenant, id)? {
        return Ok(Some(row));
    }
    match aliases::find(conn, tenant, Kind::Booking, id).await? {
        Some(now_id) => Ok(fetch_optional!(conn, BookingRow, FIND, tenant, now_id)?),
        None => Ok(None),
    }
}

/// A tenant's bookings before `before`, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    before: Uuid,
    limit: i64,
) -> Result<Vec<BookingRow>> {
    Ok(fetch_all!(conn, BookingRow, LIST, tenant, before, limit)?)
}

/// A client's bookings, the latest appointment first.
///
/// # Errors
/// When the database fails.
pub async fn list_by_client(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    client: Uuid,
    limit: i64,
) -> Result<Vec<BookingRow>> {
    Ok(fetch_all!(conn, BookingRow, LIST_BY_CLIENT, tenant, client, limit)?)
}

/// Ids of a client's bookings that start at `start`.
///
/// # Errors
/// When the database fails.
pub async fn list_at(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    client: Uuid,
    start: DateTime<Utc>,
) -> Result<Vec<Uuid>> {
    let rows = fetch_all!(conn, (Uuid,), LIST_AT, tenant, client, start)?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Ids of a client's pending bookings from `since` on.
///
/// # Errors
/// When the database fails.
pub async fn list_pending(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    client: Uuid,
    since: DateTime<Utc>,
) -> Result<Vec<Uuid>> {
    let rows = fetch_all!(conn, (Uuid,), LIST_PENDING, tenant, client, since)?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// When a client first and last booked.
///
/// # Errors
/// When the database fails.
pub async fn booked_range(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    client: Uuid,
) -> Result<Option<(DateTime<Utc>, DateTime<Utc>)>> {
    type Range = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);
    let row = fetch_optional!(conn, Range, BOOKED_RANGE, tenant, client)?;
    Ok(row.and_then(|(first, last)| Some((first?, last?))))
}
