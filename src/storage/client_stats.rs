//! Sums over a tenant's clients, and over one client's bookings: read from indexes alone.

use super::{Conn, Result, fetch_all, fetch_optional, statements};
use chrono::{DateTime, Utc};
use uuid::Uuid;

statements! {
    COUNT = "
        select first_interaction_source, status, cast(count(*) as bigint)
        from clients where tenant_id = $1
        group by first_interaction_source, status";
    COUNT_NEW = "
        select cast(count(*) as bigint),
            cast(coalesce(sum(case when first_interaction_at >= $3 then 1 else 0 end), 0) as bigint)
        from clients
        where tenant_id = $1 and first_interaction_source in ('voice', 'web', 'whatsapp')
            and status in ('active', 'inactive', 'blocked')
            and first_interaction_at >= $2 and first_interaction_at < $4";
    SUMS = "
        select status, payment_status, currency, cast(count(*) as bigint),
            cast(count(amount_minor) as bigint),
            cast(coalesce(sum(amount_minor), 0) as bigint)
        from bookings where tenant_id = $1 and client_id = $2
        group by status, payment_status, currency";
    SERVICES = "
        select service_name, cast(count(*) as bigint) from bookings
        where tenant_id = $1 and client_id = $2 and status not in ('cancelled', 'no_show')
        group by service_name";
    FIRST = "
        select booking_at from bookings
        where tenant_id = $1 and client_id = $2 and status not in ('cancelled', 'no_show')
        order by booking_at limit 1";
    LAST = "
        select booking_at from bookings
        where tenant_id = $1 and client_id = $2 and booking_at <= $3
            and status not in ('cancelled', 'no_show')
        order by booking_at desc limit 1";
    NEXT = "
        select booking_at from bookings
        where tenant_id = $1 and client_id = $2 and booking_at > $3
            and status not in ('cancelled', 'no_show')
        order by booking_at limit 1";
}

/// How many clients a tenant has.
#[derive(Clone, Debug)]
pub struct Counts {
    /// By source and state: words of `Channel` and `ClientStatus`.
    pub by_source_and_status: Vec<(String, String, i64)>,
    /// Whose first interaction was last month.
    pub last_month: i64,
    /// Whose first interaction was this month.
    pub this_month: i64,
}

/// Counts a tenant's clients; the months begin at these moments, the last of them ends this month.
/// Who asked to be forgotten still counts.
///
/// # Errors
/// When the database fails.
pub async fn count(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    [last, this, next]: [DateTime<Utc>; 3],
) -> Result<Counts> {
    let by_source_and_status = fetch_all!(conn, (String, String, i64), COUNT, tenant)?;
    let new = fetch_optional!(conn, (i64, i64), COUNT_NEW, tenant, last, this, next)?;
    let (both, this_month) = new.unwrap_or_default();
    Ok(Counts { by_source_and_status, last_month: both - this_month, this_month })
}

/// A client's bookings of one state, state of payment and currency.
#[derive(Clone, Debug)]
pub struct Sum {
    /// A word of `BookingStatus`.
    pub status: String,
    /// A word of `PaymentStatus`.
    pub payment_status: String,
    /// Of the amounts.
    pub currency: Option<String>,
    /// How many there are.
    pub bookings: i64,
    /// How many of them have an amount.
    pub priced: i64,
    /// What these come to.
    pub amount_minor: i64,
}

/// Sums up a client's bookings.
///
/// # Errors
/// When the database fails.
pub async fn sums(conn: &mut Conn<'_>, tenant: Uuid, client: Uuid) -> Result<Vec<Sum>> {
    type Row = (String, String, Option<String>, i64, i64, i64);
    let rows = fetch_all!(conn, Row, SUMS, tenant, client)?;
    let sum = |(status, payment_status, currency, bookings, priced, amount_minor)| Sum {
        status,
        payment_status,
        currency,
        bookings,
        priced,
        amount_minor,
    };
    Ok(rows.into_iter().map(sum).collect())
}

/// How often a client booked each service, as it was written; without what was cancelled or
/// missed.
///
/// # Errors
/// When the database fails.
pub async fn services(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    client: Uuid,
) -> Result<Vec<(String, i64)>> {
    Ok(fetch_all!(conn, (String, i64), SERVICES, tenant, client)?)
}

/// A client's first appointment, the last before now, and the next; without what was cancelled or
/// missed.
#[derive(Clone, Copy, Debug)]
pub struct Appointments {
    /// The earliest.
    pub first: Option<DateTime<Utc>>,
    /// The latest that has begun.
    pub last: Option<DateTime<Utc>>,
    /// The earliest that has not.
    pub next: Option<DateTime<Utc>>,
}

/// Reads a client's first, last and next appointment.
///
/// # Errors
/// When the database fails.
pub async fn appointments(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    client: Uuid,
    now: DateTime<Utc>,
) -> Result<Appointments> {
    type Row = (DateTime<Utc>,);
    let first = fetch_optional!(conn, Row, FIRST, tenant, client)?;
    let last = fetch_optional!(conn, Row, LAST, tenant, client, now)?;
    let next = fetch_optional!(conn, Row, NEXT, tenant, client, now)?;
    let at = |row: Option<Row>| row.map(|(at,)| at);
    Ok(Appointments { first: at(first), last: at(last), next: at(next) })
}
