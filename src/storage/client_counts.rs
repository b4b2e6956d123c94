//! How many clients a filter leaves: counted in an index, and never far.

use super::client_filter::{Bound, Sort, SortKey};
use super::{Conn, Result, fetch_optional, statements};
use uuid::Uuid;

/// Up to this many clients are found by a filter and sorted at once.
pub(super) const FEW: i64 = 1000;

/// Up to this many are, once some rows of the order held no page.
pub(super) const MOST: i64 = 15_000;

/// How many a filter leaves, counted no further than a bound.
macro_rules! count {
    ($found:literal, $limit:literal) => {
        concat!("select cast(count(*) as bigint) from (", $found, " limit ", $limit, ") found")
    };
}

statements! {
    COUNT_WORD = count!("
        select 1 as one from client_words
        where tenant_id = $1 and word >= $2 and word < $3", "$4");
    COUNT_NUMBER = count!("
        select 1 as one from client_identities
        where tenant_id = $1 and kind = 'phone' and value >= $2 and value < $3", "$4");
    COUNT_SOURCE = count!("
        select 1 as one from clients
        where tenant_id = $1 and first_interaction_source = $2", "$3");
    COUNT_CREATED = count!("
        select 1 as one from clients where tenant_id = $1 and id >= $2 and id < $3", "$4");
    COUNT_LAST_BOOKING = count!("
        select 1 as one from clients
        where tenant_id = $1 and last_booking_order >= $2 and last_booking_order < $3", "$4");
}

/// A filter by which clients are found.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// The word at this place.
    Word(usize),
    /// The number.
    Number,
    /// How they first came.
    Source,
    /// When they were made.
    Created,
    /// When they last booked.
    LastBooking,
}

/// The filter that leaves the fewest, if these are no more than `few`.
pub(super) async fn narrowest(
    conn: &mut Conn<'_>,
    bound: &Bound,
    sort: Sort,
    few: i64,
) -> Result<Option<Way>> {
    let (tenant, most) = (bound.tenant, few + 1);
    let mut counted: Vec<(i64, Way)> = Vec::new();
    let first = |row: Option<(i64,)>| row.map_or(most, |(count,)| count);
    for (place, (from, to)) in bound.words.iter().enumerate() {
        let row = fetch_optional!(
            conn,
            (i64,),
            COUNT_WORD,
            tenant,
            from.as_slice(),
            to.as_slice(),
            most
        )?;
        counted.push((first(row), Way::Word(place)));
    }
    if !bound.numbers.is_empty() {
        let mut all = 0;
        for (from, to) in &bound.numbers {
            let row = fetch_optional!(
                conn,
                (i64,),
                COUNT_NUMBER,
                tenant,
                from.as_str(),
                to.as_str(),
                most
            )?;
            all += first(row);
        }
        counted.push((all, Way::Number));
    }
    if let Some(source) = bound.source {
        let row = fetch_optional!(conn, (i64,), COUNT_SOURCE, tenant, source, most)?;
        counted.push((first(row), Way::Source));
    }
    if bound.ids != (Uuid::nil(), Uuid::max()) && sort.by != SortKey::Created {
        let (from, to) = bound.ids;
        let row = fetch_optional!(conn, (i64,), COUNT_CREATED, tenant, from, to, most)?;
        counted.push((first(row), Way::Created));
    }
    if bound.last_booking != (i64::MIN, i64::MAX) && sort.by != SortKey::LastBooking {
        let (from, to) = bound.last_booking;
        let row = fetch_optional!(conn, (i64,), COUNT_LAST_BOOKING, tenant, from, to, most)?;
        counted.push((first(row), Way::LastBooking));
    }
    let least = counted.into_iter().min_by_key(|(count, _)| *count);
    Ok(least.filter(|(count, _)| *count <= few).map(|(_, way)| way))
}
