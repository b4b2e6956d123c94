//! Lists of bookings: narrowed, sorted, page by page.
//!
//! Every page begins where the one before ended, by the key of its sort, so that it costs the same
//! wherever it is. What narrows a list the most leads its statement, and has an index of its own.

use super::bookings::BookingRow;
use super::{Conn, Result, fetch_all, statements};
use crate::domain::booking::service_key;
use crate::domain::channel::{BookingStatus, Channel, PaymentStatus};
use chrono::{DateTime, TimeZone as _, Utc};
use uuid::Uuid;

/// A list by the appointments' dates: what leads it, and which way it goes.
macro_rules! by_date {
    ($lead:literal, $beyond:literal, $way:literal) => {
        list!(
            $lead,
            concat!(
                "and (booking_at, id) ",
                $beyond,
                " ($12, $2) order by booking_at ",
                $way,
                ", id ",
                $way
            )
        )
    };
}

/// A list by when the bookings came.
macro_rules! by_creation {
    ($lead:literal, $beyond:literal, $way:literal) => {
        list!($lead, concat!("and id ", $beyond, " $2 order by id ", $way))
    };
}

/// What all lists have in common.
macro_rules! list {
    ($lead:literal, $order:expr) => {
        concat!(
            "
        select id, client_id, booking_at, service_name, service_key, service_category,
            duration_minutes, staff_member, amount_minor, currency, status, payment_status, source,
            provider, external_booking_id, origin_key, notes, possible_duplicate_of, flags,
            booked_at, version, created_at, updated_at
        from bookings where tenant_id = $1 ",
            $lead,
            "
            and booking_at >= $4 and booking_at < $5
            and (cast($6 as uuid) is null or client_id = $6)
            and (cast($7 as text) is null or status = $7)
            and (cast($8 as text) is null or payment_status = $8)
            and (cast($9 as text) is null or source = $9)
            and (cast($10 as text) is null or service_key = $10)
            and (cast($11 as text) is null or staff_key = $11)
            ",
            $order,
            " limit $3"
        )
    };
}

statements! {
    ALL_FORTH = by_date!("", ">", "asc");
    ALL_BACK = by_date!("", "<", "desc");
    CLIENT_FORTH = by_date!("and client_id = $6", ">", "asc");
    CLIENT_BACK = by_date!("and client_id = $6", "<", "desc");
    STAFF_FORTH = by_date!("and staff_key = $11", ">", "asc");
    STAFF_BACK = by_date!("and staff_key = $11", "<", "desc");
    SERVICE_FORTH = by_date!("and service_key = $10", ">", "asc");
    SERVICE_BACK = by_date!("and service_key = $10", "<", "desc");
    STATUS_FORTH = by_date!("and status = $7", ">", "asc");
    STATUS_BACK = by_date!("and status = $7", "<", "desc");
    PAYMENT_FORTH = by_date!("and payment_status = $8", ">", "asc");
    PAYMENT_BACK = by_date!("and payment_status = $8", "<", "desc");
    SOURCE_FORTH = by_date!("and source = $9", ">", "asc");
    SOURCE_BACK = by_date!("and source = $9", "<", "desc");
    CREATED_FORTH = by_creation!("", ">", "asc");
    CREATED_BACK = by_creation!("", "<", "desc");
    CREATED_CLIENT_FORTH = by_creation!("and client_id = $6", ">", "asc");
    CREATED_CLIENT_BACK = by_creation!("and client_id = $6", "<", "desc");
}

/// What a list of bookings is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct BookingFilter {
    /// Only this client's.
    pub client: Option<Uuid>,
    /// Only those in this state.
    pub status: Option<BookingStatus>,
    /// Only those whose payment is in this state.
    pub payment_status: Option<PaymentStatus>,
    /// Only those that came this way.
    pub source: Option<Channel>,
    /// Only of this service, in any spelling.
    pub service: Option<String>,
    /// Only with this person, in any spelling.
    pub staff: Option<String>,
    /// Only appointments that start then or later.
    pub from: Option<DateTime<Utc>>,
    /// Only appointments that start earlier.
    pub to: Option<DateTime<Utc>>,
}

/// What a list of bookings is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookingSort {
    /// When the appointment starts.
    Date,
    /// When the booking came.
    Created,
}

/// Where a page begins.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// By what the list is sorted.
    pub sort: BookingSort,
    /// Whether it goes from the last to the first.
    pub descending: bool,
    /// The date and id of the last row of the page before.
    pub after: Option<(DateTime<Utc>, Uuid)>,
}

/// The bookings of a page, at most `limit`.
///
/// # Errors
/// When the database fails.
pub async fn page(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    filter: &BookingFilter,
    start: Start,
    limit: i64,
) -> Result<Vec<BookingRow>> {
    let sql = statement(filter, start);
    let (at, id) = start.after.unwrap_or_else(|| {
        if start.descending { (end(), Uuid::max()) } else { (beginning(), Uuid::nil()) }
    });
    let (from, to) = (filter.from.unwrap_or_else(beginning), filter.to.unwrap_or_else(end));
    let status = filter.status.map(BookingStatus::as_str);
    let payment = filter.payment_status.map(PaymentStatus::as_str);
    let source = filter.source.map(Channel::as_str);
    let service = filter.service.as_deref().map(service_key);
    let staff = filter.staff.as_deref().map(service_key);
    let (client, service, staff) = (filter.client, service.as_deref(), staff.as_deref());
    Ok(match start.sort {
        BookingSort::Date => fetch_all!(
            conn, BookingRow, sql, tenant, id, limit, from, to, client, status, payment, source,
            service, staff, at
        )?,
        BookingSort::Created => fetch_all!(
            conn, BookingRow, sql, tenant, id, limit, from, to, client, status, payment, source,
            service, staff
        )?,
    })
}

/// The statement that the narrowest filter leads.
fn statement(filter: &BookingFilter, start: Start) -> &'static str {
    let [forth, back] = match start.sort {
        BookingSort::Created if filter.client.is_some() => {
            [CREATED_CLIENT_FORTH, CREATED_CLIENT_BACK]
        }
        BookingSort::Created => [CREATED_FORTH, CREATED_BACK],
        BookingSort::Date if filter.client.is_some() => [CLIENT_FORTH, CLIENT_BACK],
        BookingSort::Date if filter.staff.is_some() => [STAFF_FORTH, STAFF_BACK],
        BookingSort::Date if filter.service.is_some() => [SERVICE_FORTH, SERVICE_BACK],
        BookingSort::Date if filter.status.is_some() => [STATUS_FORTH, STATUS_BACK],
        BookingSort::Date if filter.payment_status.is_some() => [PAYMENT_FORTH, PAYMENT_BACK],
        BookingSort::Date if filter.source.is_some() => [SOURCE_FORTH, SOURCE_BACK],
        BookingSort::Date => [ALL_FORTH, ALL_BACK],
    };
    if start.descending { back } else { forth }
}

/// Before any appointment.
fn beginning() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

/// After any appointment.
fn end() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(9999, 12, 31, 0, 0, 0).single().unwrap_or(DateTime::<Utc>::MAX_UTC)
}
