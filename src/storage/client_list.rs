//! Pages of clients: narrowed, searched, sorted, each found without reading the table through.
//!
//! A page is read along the index of its order, past the rows that don't fit. Where a filter leaves
//! only a few clients, that could pass over all of the others: then the few are found by the filter
//! and sorted. How many a filter leaves is counted first, but never far; and where it leaves neither
//! few nor most, the order is tried for some rows before.

use super::client_counts::{FEW, MOST, Way, narrowest};
use super::client_filter::{Bound, Filter, Key, Place, Sort, SortKey};
use super::clients::ClientRow;
use super::{Conn, Result, statements};
use crate::domain::channel::ClientStatus;
use uuid::Uuid;

/// How many rows of an order are tried for each that a page has.
const TRIED: i64 = 40;

/// The columns of a row.
macro_rules! row {
    () => {
        "c.id, c.phone, c.whatsapp_id, c.first_name, c.last_name, c.email, c.status,
            c.first_interaction_source, c.first_interaction_at, c.first_booking_at,
            c.last_booking_at, c.provenance, c.set_by_person, c.bookings_count, c.spent_minor,
            c.version, c.created_at, c.updated_at"
    };
}

/// A word that one of the client's words has to begin with. Not `exists`: PostgreSQL would rather
/// read every word that begins so, and there may be as many as clients.
macro_rules! word {
    ($from:literal, $to:literal) => {
        concat!(
            " and (cast($",
            $from,
            " as bytea) is null or (
                select 1 from client_words w where w.tenant_id = $1 and w.client_id = c.id
                    and w.word >= $",
            $from,
            " and w.word < $",
            $to,
            " limit 1) is not null)"
        )
    };
}

/// What a client has to be, whichever way it is found. Kind and number are compared as
/// expressions, so that a client's few numbers are read, not all numbers; that nobody erased it is asked as whether
/// that was no later than it was made, which PostgreSQL takes for likely before it has counted.
macro_rules! fits {
    () => {
        concat!(
            "c.tenant_id = $1 and coalesce(c.erased_at, c.created_at) <= c.created_at
            and (cast($2 as text) is null or c.status = $2)
            and (cast($3 as text) is null or c.first_interaction_source = $3)
            and (cast($4 as uuid) is null or c.id >= $4)
            and (cast($5 as uuid) is null or c.id < $5)
            and (cast($6 as bigint) is null or c.last_booking_order >= $6)
            and (cast($7 as bigint) is null or c.last_booking_order < $7)",
            word!("8", "9"),
            word!("10", "11"),
            word!("12", "13"),
            word!("14", "15"),
            word!("16", "17"),
            word!("18", "19"),
            " and (cast($20 as text) is null or (
                select 1 from client_identities i where i.tenant_id = $1 and i.client_id = c.id
                    and i.kind || '' = 'phone' and (
                        (i.value || '' >= $20 and i.value || '' < $21) or (i.value || '' >= $22 and i.value || '' < $23)
                        or (i.value || '' >= $24 and i.value || '' < $25)
                        or (i.value || '' >= $26 and i.value || '' < $27)) limit 1) is not null)"
        )
    };
}

/// A page among so many rows ($31) of an inner list, which is in order.
macro_rules! among {
    ($inner:expr) => {
        concat!(
            "select ",
            row!(),
            " from (select ",
            row!(),
            ", ",
            fits!(),
            " as fits
            from clients c where c.tenant_id = $1",
            $inner,
            " limit $31) c
            where c.fits limit $28"
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

/// The number that a list is sorted by.
macro_rules! number {
    () => {
        "case cast($31 as bigint) when 1 then c.last_booking_order when 2 then c.bookings_count
            when 3 then c.spent_minor else 0 end"
    };
}

/// A page of those that a filter leaves, sorted by an expression. Joined in this order: the limit
/// keeps the filter the way by which they are found.
macro_rules! few {
    ($found:expr, $key:expr, $beyond:literal, $direction:literal) => {
        concat!(
            "select ",
            row!(),
            " from (",
            $found,
            " limit 50000) found cross join clients c
            where c.id = found.id and ",
            fits!(),
            "
                and (",
            $key,
            ", c.id) ",
            $beyond,
            " ($29, $30)
            order by ",
            $key,
            " ",
            $direction,
            ", c.id ",
            $direction,
            " limit $28"
        )
    };
}

/// Who has a word that begins so. Every client once, without a look at the order of an index that
/// would give each client once by itself: the limit keeps that apart.
macro_rules! of_word {
    () => {
        "select distinct id from (
            select w.client_id as id from client_words w
            where w.tenant_id = $1 and w.word >= $32 and w.word < $33 limit 50000) told"
    };
}

/// Who has a number that begins so.
macro_rules! of_number {
    () => {
        concat!(
            "select distinct id from (",
            number_from!("20", "21"),
            " union all ",
            number_from!("22", "23"),
            " union all ",
            number_from!("24", "25"),
            " union all ",
            number_from!("26", "27"),
            " limit 50000) told"
        )
    };
}

/// One of the beginnings of a number.
macro_rules! number_from {
    ($from:literal, $to:literal) => {
        concat!(
            "select client_id as id from client_identities
            where tenant_id = $1 and kind = 'phone' and value >= $",
            $from,
            " and value < $",
            $to
        )
    };
}

/// Who came so.
macro_rules! of_source {
    () => {
        "select id from clients where tenant_id = $1 and first_interaction_source = $3"
    };
}

/// Who was made then.
macro_rules! of_created {
    () => {
        "select id from clients where tenant_id = $1 and id >= $32 and id < $33"
    };
}

/// Who last booked then.
macro_rules! of_last_booking {
    () => {
        "select id from clients
        where tenant_id = $1 and last_booking_order >= $32 and last_booking_order < $33"
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
    WORD = few!(of_word!(), number!(), ">", "asc");
    WORD_DOWN = few!(of_word!(), number!(), "<", "desc");
    WORD_BY_NAME = few!(of_word!(), "c.sort_name", ">", "asc");
    WORD_BY_NAME_DOWN = few!(of_word!(), "c.sort_name", "<", "desc");
    NUMBER = few!(of_number!(), number!(), ">", "asc");
    NUMBER_DOWN = few!(of_number!(), number!(), "<", "desc");
    NUMBER_BY_NAME = few!(of_number!(), "c.sort_name", ">", "asc");
    NUMBER_BY_NAME_DOWN = few!(of_number!(), "c.sort_name", "<", "desc");
    SOURCE = few!(of_source!(), number!(), ">", "asc");
    SOURCE_DOWN = few!(of_source!(), number!(), "<", "desc");
    SOURCE_BY_NAME = few!(of_source!(), "c.sort_name", ">", "asc");
    SOURCE_BY_NAME_DOWN = few!(of_source!(), "c.sort_name", "<", "desc");
    CREATED = few!(of_created!(), number!(), ">", "asc");
    CREATED_DOWN = few!(of_created!(), number!(), "<", "desc");
    CREATED_BY_NAME = few!(of_created!(), "c.sort_name", ">", "asc");
    CREATED_BY_NAME_DOWN = few!(of_created!(), "c.sort_name", "<", "desc");
    LAST_BOOKING = few!(of_last_booking!(), number!(), ">", "asc");
    LAST_BOOKING_DOWN = few!(of_last_booking!(), number!(), "<", "desc");
    LAST_BOOKING_BY_NAME = few!(of_last_booking!(), "c.sort_name", ">", "asc");
    LAST_BOOKING_BY_NAME_DOWN = few!(of_last_booking!(), "c.sort_name", "<", "desc");
}

/// Reads all rows as `$row` by a statement whose best way depends on the values: PostgreSQL plans it
/// for them each time, where it would come to plan once for any.
macro_rules! fetch_planned {
    ($conn:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $conn {
            $crate::storage::Conn::Sqlite(c) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*
                .fetch_all(&mut **c).await,
            $crate::storage::Conn::Postgres(c) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*
                .persistent(false).fetch_all(&mut **c).await,
        }
    };
}

/// Reads rows by a statement that has the whole filter, and what else it binds.
macro_rules! fetch_fitting {
    ($conn:expr, $sql:expr, $by:expr $(, $bind:expr)* $(,)?) => { {
        let by: &Bound = $by;
        let (ids, booked) = (by.ids_asked(), by.last_booking_asked());
        let [a, b, c, d, e, f] = [0, 1, 2, 3, 4, 5].map(|place| by.word(place));
        let [k, l, m, n] = [0, 1, 2, 3].map(|place| by.number(place));
        fetch_planned!($conn, ClientRow, $sql, by.tenant, by.status, by.source, ids.0, ids.1,
            booked.0, booked.1, a.0, a.1, b.0, b.1, c.0, c.1, d.0, d.1, e.0, e.1, f.0, f.1, k.0, k.1, l.0, l.1, m.0, m.1, n.0, n.1 $(, $bind)*)
    } };
}

/// Reads a page of those that a filter leaves, with what that filter binds.
macro_rules! fetch_few {
    ($conn:expr, $sql:expr, $by:expr, $way:expr $(, $bind:expr)* $(,)?) => { {
        let mut by: Bound = $by;
        match $way {
            Way::Word(place) => {
                // It is found by that: it needn't be looked for once more.
                let (from, to) = by.words.remove(place);
                fetch_fitting!($conn, $sql, &by $(, $bind)*, from, to)
            }
            Way::Number | Way::Source => fetch_fitting!($conn, $sql, &by $(, $bind)*),
            Way::Created => {
                let (from, to) = by.ids;
                fetch_fitting!($conn, $sql, &by $(, $bind)*, from, to)
            }
            Way::LastBooking => {
                let (from, to) = by.last_booking;
                fetch_fitting!($conn, $sql, &by $(, $bind)*, from, to)
            }
        }
    } };
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
    if !bound.is_narrowed() {
        return along(conn, &bound, sort, &start, (limit, i64::MAX)).await;
    }
    if let Some(way) = narrowest(conn, &bound, sort, FEW).await? {
        return of_few(conn, bound, way, sort, start, limit).await;
    }
    let tried = along(conn, &bound, sort, &start, (limit, limit * TRIED)).await?;
    if i64::try_from(tried.len()).is_ok_and(|found| found == limit) {
        return Ok(tried);
    }
    match narrowest(conn, &bound, sort, MOST).await? {
        Some(way) => of_few(conn, bound, way, sort, start, limit).await,
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

/// A page of those that one of the filters leaves.
async fn of_few(
    conn: &mut Conn<'_>,
    bound: Bound,
    way: Way,
    sort: Sort,
    start: Place,
    limit: i64,
) -> Result<Vec<ClientRow>> {
    let [[up, down], [by_name, by_name_down]] = match way {
        Way::Word(_) => [[WORD, WORD_DOWN], [WORD_BY_NAME, WORD_BY_NAME_DOWN]],
        Way::Number => [[NUMBER, NUMBER_DOWN], [NUMBER_BY_NAME, NUMBER_BY_NAME_DOWN]],
        Way::Source => [[SOURCE, SOURCE_DOWN], [SOURCE_BY_NAME, SOURCE_BY_NAME_DOWN]],
        Way::Created => [[CREATED, CREATED_DOWN], [CREATED_BY_NAME, CREATED_BY_NAME_DOWN]],
        Way::LastBooking => {
            let by_name = [LAST_BOOKING_BY_NAME, LAST_BOOKING_BY_NAME_DOWN];
            [[LAST_BOOKING, LAST_BOOKING_DOWN], by_name]
        }
    };
    let (number, code) = match (&start.key, sort.by) {
        (Key::Number(key), SortKey::LastBooking) => (*key, 1_i64),
        (Key::Number(key), SortKey::Bookings) => (*key, 2),
        (Key::Number(key), _) => (*key, 3),
        _ => (0, 0),
    };
    let id = start.id;
    if let Key::Name(name) = start.key {
        let sql = if sort.descending { by_name_down } else { by_name };
        return Ok(fetch_few!(conn, sql, bound, way, limit, name, id, code)?);
    }
    let sql = if sort.descending { down } else { up };
    Ok(fetch_few!(conn, sql, bound, way, limit, number, id, code)?)
}
