//! Lists of bookings: narrowed, sorted, page by page.
//!
//! Every page begins where the one before ended, by the key of its sort, so that it costs the same
//! wherever it is. What narrows a list the most leads its statement, and has an index of its own.

use super::bookings::BookingRow;
use super::{Conn, Result, fetch_all, fetch_optional, statements};
use crate::domain::booking::service_key;
use crate::domain::channel::{BookingStatus, Channel, PaymentStatus};
use chrono::{DateTime, TimeZone as _, Utc};
use uuid::Uuid;

/// A list by the appointments' dates: what leads it, and which way it goes. Its first place is
/// within the dates that are asked for, so that only their far end ($11) is left to be said: with
/// both ends beside the place SQLite would not seek the place.
macro_rules! by_date {
    ($lead:literal) => {
        concat!(
            list!(),
            $lead,
            " and (booking_at, id) > ($10, $2) and booking_at < $11
            order by booking_at, id limit $3"
        )
    };
    ($lead:literal, back) => {
        concat!(
            list!(),
            $lead,
            " and (booking_at, id) < ($10, $2) and booking_at >= $11
            order by booking_at desc, id desc limit $3"
        )
    };
}

/// A list by when the bookings came.
macro_rules! by_creation {
    ($lead:literal) => {
        concat!(
            list!(),
            $lead,
            " and booking_at >= $10 and booking_at < $11 and id > $2 order by id limit $3"
        )
    };
    ($lead:literal, back) => {
        concat!(
            list!(),
            $lead,
            " and booking_at >= $10 and booking_at < $11 and id < $2 order by id desc limit $3"
        )
    };
}

/// What all lists have in common.
macro_rules! list {
    () => {
        "
        select id, client_id, booking_at, service_name, service_key, service_category,
            duration_minutes, staff_member, amount_minor, currency, status, payment_status, source,
            provider, external_booking_id, origin_key, notes, possible_duplicate_of, flags,
            booked_at, version, created_at, updated_at
        from bookings where tenant_id = $1
            and (cast($4 as uuid) is null or client_id = $4)
            and (cast($5 as text) is null or status = $5)
            and (cast($6 as text) is null or payment_status = $6)
            and (cast($7 as text) is null or source = $7)
            and (cast($8 as text) is null or service_key = $8)
            and (cast($9 as text) is null or staff_key = $9)
            "
    };
}

/// A list by when the bookings came, of the few that a filter leaves: found by the filter and
/// sorted. The order is an expression, so that no index of it is taken.
macro_rules! few {
    ($lead:literal) => {
        concat!(
            list!(),
            $lead,
            " and booking_at >= $10 and booking_at < $11 and coalesce(id, id) > $2
            order by coalesce(id, id) limit $3"
        )
    };
    ($lead:literal, back) => {
        concat!(
            list!(),
            $lead,
            " and booking_at >= $10 and booking_at < $11 and coalesce(id, id) < $2
            order by coalesce(id, id) desc limit $3"
        )
    };
}

/// How many a filter leaves within the dates, counted no further than a bound.
macro_rules! count {
    ($filter:literal) => {
        concat!(
            "select cast(count(*) as bigint) from (
                select 1 as one from bookings where tenant_id = $1 ",
            $filter,
            " and booking_at >= $2 and booking_at < $3 limit $4) found"
        )
    };
}

statements! {
    ALL_FORTH = by_date!("");
    ALL_BACK = by_date!("", back);
    CLIENT_FORTH = by_date!("and client_id = $4");
    CLIENT_BACK = by_date!("and client_id = $4", back);
    STAFF_FORTH = by_date!("and staff_key = $9");
    STAFF_BACK = by_date!("and staff_key = $9", back);
    SERVICE_FORTH = by_date!("and service_key = $8");
    SERVICE_BACK = by_date!("and service_key = $8", back);
    STATUS_FORTH = by_date!("and status = $5");
    STATUS_BACK = by_date!("and status = $5", back);
    PAYMENT_FORTH = by_date!("and payment_status = $6");
    PAYMENT_BACK = by_date!("and payment_status = $6", back);
    SOURCE_FORTH = by_date!("and source = $7");
    SOURCE_BACK = by_date!("and source = $7", back);
    CREATED_FORTH = by_creation!("");
    CREATED_BACK = by_creation!("", back);
    CREATED_CLIENT_FORTH = by_creation!("and client_id = $4");
    CREATED_CLIENT_BACK = by_creation!("and client_id = $4", back);
    FEW_STAFF_FORTH = few!("and staff_key = $9");
    FEW_STAFF_BACK = few!("and staff_key = $9", back);
    FEW_SERVICE_FORTH = few!("and service_key = $8");
    FEW_SERVICE_BACK = few!("and service_key = $8", back);
    FEW_STATUS_FORTH = few!("and status = $5");
    FEW_STATUS_BACK = few!("and status = $5", back);
    FEW_PAYMENT_FORTH = few!("and payment_status = $6");
    FEW_PAYMENT_BACK = few!("and payment_status = $6", back);
    FEW_SOURCE_FORTH = few!("and source = $7");
    FEW_SOURCE_BACK = few!("and source = $7", back);
    FEW_DATES_FORTH = few!("");
    FEW_DATES_BACK = few!("", back);
    COUNT_STAFF = count!("and staff_key = $5");
    COUNT_SERVICE = count!("and service_key = $5");
    COUNT_STATUS = count!("and status = $5");
    COUNT_PAYMENT = count!("and payment_status = $5");
    COUNT_SOURCE = count!("and source = $5");
    COUNT_DATES = count!("");
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

/// Up to this many bookings are read and sorted, rather than sought along their order: to seek a
/// page of 25 of them among half a million costs more.
const FEW: i64 = 3000;

/// A filter as it is bound.
struct Bound<'a> {
    client: Option<Uuid>,
    status: Option<&'a str>,
    payment: Option<&'a str>,
    source: Option<&'a str>,
    service: Option<&'a str>,
    staff: Option<&'a str>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
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
    let service = filter.service.as_deref().map(service_key);
    let staff = filter.staff.as_deref().map(service_key);
    let by = Bound {
        client: filter.client,
        status: filter.status.map(BookingStatus::as_str),
        payment: filter.payment_status.map(PaymentStatus::as_str),
        source: filter.source.map(Channel::as_str),
        service: service.as_deref(),
        staff: staff.as_deref(),
        from: filter.from.unwrap_or_else(beginning),
        to: filter.to.unwrap_or_else(end),
    };
    let (at, id) = start.after.unwrap_or_else(|| {
        if start.descending { (end(), Uuid::max()) } else { (beginning(), Uuid::nil()) }
    });
    let few = start.sort == BookingSort::Created && by.client.is_none();
    let few = if few { few_of(conn, tenant, &by).await? } else { None };
    let [forth, back] = few.unwrap_or_else(|| along(start.sort, &by));
    let sql = if start.descending { back } else { forth };
    let (id, one, other) = match (start.sort, start.descending) {
        (BookingSort::Created, _) => (id, by.from, by.to),
        (BookingSort::Date, false) if at < by.from => (Uuid::nil(), by.from, by.to),
        (BookingSort::Date, false) => (id, at, by.to),
        (BookingSort::Date, true) if at >= by.to => (Uuid::nil(), by.to, by.from),
        (BookingSort::Date, true) => (id, at, by.from),
    };
    Ok(fetch_all!(
        conn, BookingRow, sql, tenant, id, limit, by.client, by.status, by.payment, by.source,
        by.service, by.staff, one, other
    )?)
}

/// The statements that go along an order, the narrowest filter leading them.
fn along(sort: BookingSort, by: &Bound<'_>) -> [&'static str; 2] {
    match sort {
        BookingSort::Created if by.client.is_some() => [CREATED_CLIENT_FORTH, CREATED_CLIENT_BACK],
        BookingSort::Created => [CREATED_FORTH, CREATED_BACK],
        BookingSort::Date if by.client.is_some() => [CLIENT_FORTH, CLIENT_BACK],
        BookingSort::Date if by.staff.is_some() => [STAFF_FORTH, STAFF_BACK],
        BookingSort::Date if by.service.is_some() => [SERVICE_FORTH, SERVICE_BACK],
        BookingSort::Date if by.status.is_some() => [STATUS_FORTH, STATUS_BACK],
        BookingSort::Date if by.payment.is_some() => [PAYMENT_FORTH, PAYMENT_BACK],
        BookingSort::Date if by.source.is_some() => [SOURCE_FORTH, SOURCE_BACK],
        BookingSort::Date => [ALL_FORTH, ALL_BACK],
    }
}

/// The statements of the first filter that leaves few.
async fn few_of(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    by: &Bound<'_>,
) -> Result<Option<[&'static str; 2]>> {
    let most = FEW + 1;
    for (value, count, few) in [
        (by.staff, COUNT_STAFF, [FEW_STAFF_FORTH, FEW_STAFF_BACK]),
        (by.service, COUNT_SERVICE, [FEW_SERVICE_FORTH, FEW_SERVICE_BACK]),
        (by.status, COUNT_STATUS, [FEW_STATUS_FORTH, FEW_STATUS_BACK]),
        (by.payment, COUNT_PAYMENT, [FEW_PAYMENT_FORTH, FEW_PAYMENT_BACK]),
        (by.source, COUNT_SOURCE, [FEW_SOURCE_FORTH, FEW_SOURCE_BACK]),
    ] {
        let Some(value) = value else { continue };
        let row = fetch_optional!(conn, (i64,), count, tenant, by.from, by.to, most, value)?;
        if row.is_some_and(|(found,)| found <= FEW) {
            return Ok(Some(few));
        }
    }
    if (by.from, by.to) == (beginning(), end()) {
        return Ok(None);
    }
    let row = fetch_optional!(conn, (i64,), COUNT_DATES, tenant, by.from, by.to, most)?;
    let few = row.is_some_and(|(found,)| found <= FEW);
    Ok(few.then_some([FEW_DATES_FORTH, FEW_DATES_BACK]))
}

/// Before any appointment.
fn beginning() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

/// After any appointment.
fn end() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(9999, 12, 31, 0, 0, 0).single().unwrap_or(DateTime::<Utc>::MAX_UTC)
}
