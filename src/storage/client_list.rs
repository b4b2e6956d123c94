//! Pages of clients: narrowed, searched, sorted, each found without reading the table through.
//!
//! A page is read along the index of its order, past the rows that don't fit. Where a filter leaves
//! only a few clients, that could pass over all of the others: then the few are found by the filter
//! and sorted. How many a filter leaves is counted first, but never far; and where it leaves neither
//! few nor most, the order is tried for some rows before.

use super::client_counts::{FEW, MOST, narrowest};
use super::client_few;
use super::client_filter::{Bound, Filter, Key, Place, Sort, SortKey};
use super::client_fits::{columns, fetch_fitting, fits};
use super::clients::ClientRow;
use super::{Conn, Result, statements};
use crate::domain::channel::ClientStatus;
use uuid::Uuid;

/// How many rows of an order are tried for each that a page has.
const TRIED: i64 = 40;

/// The same where nothing but a state is asked for: all of them fit but who was erased.
const TRIED_OF_ALL: i64 = 2;

/// A page among so many rows ($31) of an inner list, which is in order.
macro_rules! among {
    ($inner:expr) => {
        concat!(
            "select ",
            columns!(),
            " from (select ",
            columns!(),
            ", ",
            fits!(),
            " as fits
            from clients c where c.tenant_id = $1",
            $inner,
            " limit $31) tried
            where fits limit $28"
        )
    };
}

/// A page along the index of a column.
macro_rules! along {
    ($column:literal, $beyond:literal, $direction:literal, $within:literal) => {
        among!(concat!(
            $within,
            " and (c.",
            $column,
            ", c.id) ",
            $beyond,
            " ($29, $30)
            order by c.",
            $column,
            " ",
            $direction,
            ", c.id ",
            $direction
        ))
    };
}

/// A page in the order in which they were made, which their ids have.
macro_rules! along_ids {
    ($direction:literal, $within:literal) => {
        among!(concat!($within, " and c.id >= $29 and c.id < $30 order by c.id ", $direction))
    };
}

statements! {
    BY_NAME = along!("sort_name", ">", "asc", "");
    BY_NAME_DOWN = along!("sort_name", "<", "desc", "");
    BY_LAST_BOOKING = along!("last_booking_order", ">", "asc",
        " and c.last_booking_order < $32");
    BY_LAST_BOOKING_DOWN = along!("last_booking_order", "<", "desc",
        " and c.last_booking_order >= $32");
    BY_BOOKINGS = along!("bookings_count", ">", "asc", "");
    BY_BOOKINGS_DOWN = along!("bookings_count", "<", "desc", "");
    BY_SPENT = along!("spent_minor", ">", "asc", "");
    BY_SPENT_DOWN = along!("spent_minor", "<", "desc", "");
    BY_CREATED = along_ids!("asc", "");
    BY_CREATED_DOWN = along_ids!("desc", "");
    NOT_ACTIVE_BY_NAME = along!("sort_name", ">", "asc",
        " and c.status = $2 and c.status <> 'active'");
    NOT_ACTIVE_BY_NAME_DOWN = along!("sort_name", "<", "desc",
        " and c.status = $2 and c.status <> 'active'");
    NOT_ACTIVE_BY_LAST_BOOKING = along!("last_booking_order", ">", "asc",
        " and c.status = $2 and c.status <> 'active' and c.last_booking_order < $32");
    NOT_ACTIVE_BY_LAST_BOOKING_DOWN = along!("last_booking_order", "<", "desc",
        " and c.status = $2 and c.status <> 'active' and c.last_booking_order >= $32");
    NOT_ACTIVE_BY_BOOKINGS = along!("bookings_count", ">", "asc",
        " and c.status = $2 and c.status <> 'active'");
    NOT_ACTIVE_BY_BOOKINGS_DOWN = along!("bookings_count", "<", "desc",
        " and c.status = $2 and c.status <> 'active'");
    NOT_ACTIVE_BY_SPENT = along!("spent_minor", ">", "asc",
        " and c.status = $2 and c.status <> 'active'");
    NOT_ACTIVE_BY_SPENT_DOWN = along!("spent_minor", "<", "desc",
        " and c.status = $2 and c.status <> 'active'");
    NOT_ACTIVE_BY_CREATED = along_ids!("asc", " and c.status = $2 and c.status <> 'active'");
    NOT_ACTIVE_BY_CREATED_DOWN = along_ids!("desc", " and c.status = $2 and c.status <> 'active'");
}

/// A page of a tenant's clients behind a place, or from the first. Called again with the place of
/// the last row it goes on, past whatever was inserted meanwhile.
///
/// # Errors
/// When the database fails.
pub async fn page(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    filter: &Filter,
    sort: Sort,
    after: Option<&Place>,
    limit: i64,
) -> Result<Vec<ClientRow>> {
    let bound = Bound::of(tenant, filter);
    let start = after.cloned().unwrap_or_else(|| sort.start());
    let narrowed = bound.is_narrowed();
    if narrowed && let Some(way) = narrowest(conn, &bound, sort, FEW).await? {
        return client_few::page(conn, bound, way, sort, start, limit).await;
    }
    let among = if narrowed { limit * TRIED } else { limit * TRIED_OF_ALL };
    let tried = along(conn, &bound, sort, &start, (limit, among)).await?;
    if i64::try_from(tried.len()).is_ok_and(|found| found == limit) {
        return Ok(tried);
    }
    let way = if narrowed { narrowest(conn, &bound, sort, MOST).await? } else { None };
    match way {
        Some(way) => client_few::page(conn, bound, way, sort, start, limit).await,
        None => along(conn, &bound, sort, &start, (limit, i64::MAX)).await,
    }
}

/// A page along the index of the order, of so many rows, among so many.
async fn along(
    conn: &mut Conn<'_>,
    bound: &Bound,
    sort: Sort,
    start: &Place,
    (limit, among): (i64, i64),
) -> Result<Vec<ClientRow>> {
    let sql = order_of(bound, sort);
    let rows = match &start.key {
        Key::Id => {
            // Both ends of what is read, so that nothing beyond the filter is passed over.
            let (mut from, mut to) = bound.ids;
            if sort.descending {
                to = start.id.min(to);
            } else {
                from = Uuid::from_u128(start.id.as_u128().saturating_add(1)).max(from);
            }
            fetch_fitting!(conn, sql, bound, limit, from, to, among)?
        }
        Key::Number(key) if sort.by == SortKey::LastBooking => {
            // The place is within what is asked for, so that only its far end is left to be said:
            // with both ends beside the place SQLite would not seek the place.
            let (from, to) = bound.last_booking;
            let (key, id, far) = match sort.descending {
                true if *key >= to => (to, Uuid::nil(), from),
                true => (*key, start.id, from),
                false if *key < from => (from, Uuid::nil(), to),
                false => (*key, start.id, to),
            };
            fetch_fitting!(conn, sql, bound, limit, key, id, among, far)?
        }
        Key::Number(key) => fetch_fitting!(conn, sql, bound, limit, *key, start.id, among)?,
        Key::Name(key) => fetch_fitting!(conn, sql, bound, limit, key.as_slice(), start.id, among)?,
    };
    Ok(rows)
}

/// The statement that goes along an order.
fn order_of(bound: &Bound, sort: Sort) -> &'static str {
    let not_active = bound.status.is_some_and(|status| status != ClientStatus::Active.as_str());
    let [all, not] = match (sort.by, sort.descending) {
        (SortKey::Created, false) => [BY_CREATED, NOT_ACTIVE_BY_CREATED],
        (SortKey::Created, true) => [BY_CREATED_DOWN, NOT_ACTIVE_BY_CREATED_DOWN],
        (SortKey::Name, false) => [BY_NAME, NOT_ACTIVE_BY_NAME],
        (SortKey::Name, true) => [BY_NAME_DOWN, NOT_ACTIVE_BY_NAME_DOWN],
        (SortKey::LastBooking, false) => [BY_LAST_BOOKING, NOT_ACTIVE_BY_LAST_BOOKING],
        (SortKey::LastBooking, true) => [BY_LAST_BOOKING_DOWN, NOT_ACTIVE_BY_LAST_BOOKING_DOWN],
        (SortKey::Bookings, false) => [BY_BOOKINGS, NOT_ACTIVE_BY_BOOKINGS],
        (SortKey::Bookings, true) => [BY_BOOKINGS_DOWN, NOT_ACTIVE_BY_BOOKINGS_DOWN],
        (SortKey::Spent, false) => [BY_SPENT, NOT_ACTIVE_BY_SPENT],
        (SortKey::Spent, true) => [BY_SPENT_DOWN, NOT_ACTIVE_BY_SPENT_DOWN],
    };
    if not_active { not } else { all }
}
