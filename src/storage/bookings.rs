//! Bookings.

use super::aliases::{self, Kind};
use super::batch::Stage;
use super::bulk::{Rows, bulk};
use super::{Conn, Result, execute, fetch_all, fetch_optional, statements};
use crate::domain::booking::service_key;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use uuid::Uuid;

statements! {
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

bulk! {
    INSERT(
        tenant_id Uuid, id Uuid, client_id Uuid, booking_at Time, service_name Text,
        service_key Text, service_category Text, duration_minutes Number, staff_member Text,
        amount_minor Number, currency Text, status Text, payment_status Text, source Text,
        provider Text, external_booking_id Text, origin_key Text, notes Text,
        possible_duplicate_of Uuid, flags Text, booked_at Time, staff_key Text, created_at Time,
    ) = "
        insert into bookings (tenant_id, id, client_id, booking_at, service_name, service_key,
            service_category, duration_minutes, staff_member, amount_minor, currency, status,
            payment_status, source, provider, external_booking_id, origin_key, notes,
            possible_duplicate_of, flags, booked_at, staff_key, version, created_at, updated_at)
        select tenant_id, id, client_id, booking_at, service_name, service_key, service_category,
            duration_minutes, staff_member, amount_minor, currency, status, payment_status, source,
            provider, external_booking_id, origin_key, notes, possible_duplicate_of, flags,
            booked_at, staff_key, 1, created_at, created_at
        from k";
    FIND_MANY(tenant_id Uuid, id Uuid) = "
        select b.tenant_id, b.id, b.client_id, b.booking_at, b.service_name, b.service_key,
            b.service_category, b.duration_minutes, b.staff_member, b.amount_minor, b.currency,
            b.status, b.payment_status, b.source, b.provider, b.external_booking_id, b.origin_key,
            b.notes, b.possible_duplicate_of, b.flags, b.booked_at, b.version, b.created_at,
            b.updated_at
        from k cross join bookings b where b.tenant_id = k.tenant_id and b.id = k.id";
    LIST_MANY_AT(tenant_id Uuid, client_id Uuid, booking_at Time) = "
        select k.tenant_id, k.client_id, k.booking_at, b.id
        from k cross join bookings b
        where b.tenant_id = k.tenant_id and b.client_id = k.client_id
            and b.booking_at = k.booking_at";
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
    if let Some(known) = conn.known_mut() {
        known.bookings.hold((tenant, booking.id), Some(booking.clone()));
        known.slots.forget(&(tenant, booking.client_id, booking.booking_at));
    }
    let row = Rows::one([
        tenant.into(),
        booking.id.into(),
        booking.client_id.into(),
        booking.booking_at.into(),
        booking.service_name.as_str().into(),
        booking.service_key.as_str().into(),
        booking.service_category.as_deref().into(),
        booking.duration_minutes.into(),
        booking.staff_member.as_deref().into(),
        booking.amount_minor.into(),
        booking.currency.as_deref().into(),
        booking.status.as_str().into(),
        booking.payment_status.as_str().into(),
        booking.source.as_str().into(),
        booking.provider.as_deref().into(),
        booking.external_booking_id.as_deref().into(),
        booking.origin_key.as_str().into(),
        booking.notes.as_deref().into(),
        booking.possible_duplicate_of.into(),
        booking.flags.as_str().into(),
        booking.booked_at.into(),
        booking.staff_member.as_deref().map(service_key).into(),
        booking.created_at.into(),
    ]);
    conn.write(Stage::Bookings, &INSERT, row).await?;
    Ok(())
}

/// Writes a booking's fields; `updated_at` of the row is used.
///
/// # Errors
/// When the database fails; a conflict when its labelled id or origin is another booking's.
pub async fn update(conn: &mut Conn<'_>, tenant: Uuid, booking: &BookingRow) -> Result<()> {
    execute!(
        conn,
        UPDATE,
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
        booking.updated_at,
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
    if let Some(row) = conn.known().and_then(|known| known.bookings.get(&(tenant, id))) {
        return Ok(row.clone());
    }
    if let Some(row) = fetch_optional!(conn, BookingRow, FIND, tenant, id)? {
        return Ok(Some(row));
    }
    match aliases::find(conn, tenant, Kind::Booking, id).await? {
        Some(now_id) => Ok(fetch_optional!(conn, BookingRow, FIND, tenant, now_id)?),
        None => Ok(None),
    }
}

#[derive(sqlx::FromRow)]
struct ById {
    tenant_id: Uuid,
    #[sqlx(flatten)]
    booking: BookingRow,
}

/// Reads ahead for [`find`]: tenants and ids of bookings. One that isn't there under its id is not
/// noted: it may have become another.
///
/// # Errors
/// When the database fails.
pub async fn read_ahead(conn: &mut Conn<'_>, ids: &BTreeSet<(Uuid, Uuid)>) -> Result<()> {
    let mut rows = Rows::default();
    for (tenant, id) in ids {
        rows.push([(*tenant).into(), (*id).into()]);
    }
    let found: Vec<ById> = FIND_MANY.fetch(conn.settled().await?, rows).await?;
    let Some(known) = conn.known_mut() else { return Ok(()) };
    for ById { tenant_id, booking } in found {
        known.bookings.hold((tenant_id, booking.id), Some(booking));
    }
    Ok(())
}

/// A tenant, a client of it, and when an appointment starts.
pub type Slot = (Uuid, Uuid, DateTime<Utc>);

/// Reads ahead for [`list_at`].
///
/// # Errors
/// When the database fails.
pub async fn read_slots_ahead(conn: &mut Conn<'_>, slots: &BTreeSet<Slot>) -> Result<()> {
    type Found = (Uuid, Uuid, DateTime<Utc>, Uuid);

    let mut rows = Rows::default();
    for (tenant, client, start) in slots {
        rows.push([(*tenant).into(), (*client).into(), (*start).into()]);
    }
    let found: Vec<Found> = LIST_MANY_AT.fetch(conn.settled().await?, rows).await?;
    let Some(known) = conn.known_mut() else { return Ok(()) };
    for slot in slots {
        known.slots.hold(*slot, Vec::new());
    }
    for (tenant, client, start, id) in found {
        known.slots.change(&(tenant, client, start), |ids| ids.push(id));
    }
    Ok(())
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
    if let Some(ids) = conn.known().and_then(|known| known.slots.get(&(tenant, client, start))) {
        return Ok(ids.clone());
    }
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
