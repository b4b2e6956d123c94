//! Pages of the few clients that a filter leaves: found by the filter, then sorted.

use super::client_counts::Way;
use super::client_filter::{Bound, Key, Place, Sort, SortKey};
use super::client_fits::{fetch_fitting, fits, row};
use super::clients::ClientRow;
use super::{Conn, Result, statements};

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
            " and cast($31 as bigint) is not null and (",
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

/// A page of those that one of the filters leaves.
///
/// # Errors
/// When the database fails.
pub(super) async fn page(
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
