//! Pages of clients: narrowed, searched, sorted, each found without reading the table through.
//!
//! A page is read along the index of its order, past the rows that don't fit. Where one of the
//! filters leaves only a few clients, that could pass over all of the others: then the few are
//! read and sorted here instead. How many a filter leaves is counted first, but never further
//! than `FEW`.

use super::client_counts::{FEW, Way, narrowest};
use super::client_filter::{Bound, Filter, Key, Place, Sort, SortKey};
use super::clients::ClientRow;
use super::{Conn, Raw, Result, statements};
use uuid::Uuid;

/// How many rows are read by their ids at once: the most that a page has, and one.
const AT_ONCE: usize = 101;

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

/// What a client has to be, whichever way it is found. The kind is compared as an expression, so
/// that a client's few numbers are read, not all numbers; that nobody erased it is asked as whether
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
                        (i.value >= $20 and i.value < $21) or (i.value >= $22 and i.value < $23)
                        or (i.value >= $24 and i.value < $25)
                        or (i.value >= $26 and i.value < $27)) limit 1) is not null)"
        )
    };
}

/// A page along the index of a column.
macro_rules! along {
    ($column:literal, $beyond:literal, $direction:literal $(, $within:literal)?) => {
        concat!(
            "select ", row!(), " from clients c where ", fits!(), $($within,)?
            " and (c.", $column, ", c.id) ", $beyond, " ($29, $30)
            order by c.", $column, " ", $direction, ", c.id ", $direction, " limit $28"
        )
    };
}

/// A page in the order in which they were made, which their ids have.
macro_rules! along_ids {
    ($direction:literal) => {
        concat!(
            "select ",
            row!(),
            " from clients c where ",
            fits!(),
            " and c.id >= $29 and c.id < $30 order by c.id ",
            $direction,
            " limit $28"
        )
    };
}

/// The few that a filter leaves, to be sorted. The limit keeps the filter the way by which they
/// are found.
macro_rules! few_by {
    ($found:literal) => {
        concat!(
            "select c.id, c.sort_name, c.last_booking_order, c.bookings_count, c.spent_minor
            from (",
            $found,
            " limit $28) found cross join clients c
            where c.id = found.id and ",
            fits!()
        )
    };
}

/// The few that a filter of their own columns leaves.
macro_rules! few {
    ($filter:literal) => {
        concat!(
            "select c.id, c.sort_name, c.last_booking_order, c.bookings_count, c.spent_minor
            from clients c where ",
            $filter,
            " and ",
            fits!(),
            " limit $28"
        )
    };
}

statements! {
    BY_NAME = along!("sort_name", ">", "asc");
    BY_NAME_DOWN = along!("sort_name", "<", "desc");
    BY_LAST_BOOKING = along!("last_booking_order", ">", "asc",
        " and c.last_booking_order >= $31 and c.last_booking_order < $32");
    BY_LAST_BOOKING_DOWN = along!("last_booking_order", "<", "desc",
        " and c.last_booking_order >= $31 and c.last_booking_order < $32");
    BY_BOOKINGS = along!("bookings_count", ">", "asc");
    BY_BOOKINGS_DOWN = along!("bookings_count", "<", "desc");
    BY_SPENT = along!("spent_minor", ">", "asc");
    BY_SPENT_DOWN = along!("spent_minor", "<", "desc");
    BY_CREATED = along_ids!("asc");
    BY_CREATED_DOWN = along_ids!("desc");
    FEW_BY_WORD = few_by!("
        select distinct w.client_id as id from client_words w
        where w.tenant_id = $1 and w.word >= $29 and w.word < $30");
    FEW_BY_NUMBER = few_by!("
        select client_id as id from client_identities
        where tenant_id = $1 and kind = 'phone' and value >= $20 and value < $21
        union select client_id from client_identities
        where tenant_id = $1 and kind = 'phone' and value >= $22 and value < $23
        union select client_id from client_identities
        where tenant_id = $1 and kind = 'phone' and value >= $24 and value < $25
        union select client_id from client_identities
        where tenant_id = $1 and kind = 'phone' and value >= $26 and value < $27");
    FEW_BY_STATUS = few!("c.status = $2 and c.status <> 'active'");
    FEW_BY_SOURCE = few!("c.first_interaction_source = $3");
    FEW_BY_CREATED = few!("c.id >= $29 and c.id < $30");
    FEW_BY_LAST_BOOKING = few!("c.last_booking_order >= $29 and c.last_booking_order < $30");
    BY_IDS = concat!(
        "select ", row!(), " from clients c where c.tenant_id = $1 and c.id in (
            $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
            $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37,
            $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48, $49, $50, $51, $52, $53, $54,
            $55, $56, $57, $58, $59, $60, $61, $62, $63, $64, $65, $66, $67, $68, $69, $70, $71,
            $72, $73, $74, $75, $76, $77, $78, $79, $80, $81, $82, $83, $84, $85, $86, $87, $88,
            $89, $90, $91, $92, $93, $94, $95, $96, $97, $98, $99, $100, $101, $102)"
    );
}

/// A client of the few, as far as it is sorted.
#[derive(sqlx::FromRow)]
struct Found {
    id: Uuid,
    sort_name: Vec<u8>,
    last_booking_order: i64,
    bookings_count: i64,
    spent_minor: i64,
}

/// Where a client stands in this order.
fn place_of(sort: Sort, found: Found) -> Place {
    let key = match sort.by {
        SortKey::Created => Key::Id,
        SortKey::Name => Key::Name(found.sort_name),
        SortKey::LastBooking => Key::Number(found.last_booking_order),
        SortKey::Bookings => Key::Number(found.bookings_count),
        SortKey::Spent => Key::Number(found.spent_minor),
    };
    Place { key, id: found.id }
}

/// Reads all rows as `$row` by a statement whose best way depends on the values: PostgreSQL plans it
/// for them each time, where it would come to plan once for any.
macro_rules! fetch_planned {
    ($conn:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $conn.settled().await? {
            $crate::storage::Raw::Sqlite(c) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*
                .fetch_all(&mut **c).await,
            $crate::storage::Raw::Postgres(c) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*
                .persistent(false).fetch_all(&mut **c).await,
        }
    };
}

/// Reads rows by a statement that has the whole filter, and what else it binds.
macro_rules! fetch_fitting {
    ($conn:expr, $row:ty, $sql:expr, $by:expr $(, $bind:expr)* $(,)?) => { {
        let by: &Bound = $by;
        let (ids, booked) = (by.ids_asked(), by.last_booking_asked());
        let [a, b, c, d, e, f] = [0, 1, 2, 3, 4, 5].map(|place| by.word(place));
        let [k, l, m, n] = [0, 1, 2, 3].map(|place| by.number(place));
        fetch_planned!($conn, $row, $sql, by.tenant, by.status, by.source, ids.0, ids.1,
            booked.0, booked.1, a.0, a.1, b.0, b.1, c.0, c.1, d.0, d.1, e.0, e.1, f.0, f.1, k.0, k.1, l.0, l.1, m.0, m.1, n.0, n.1 $(, $bind)*)
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
    let mut bound = Bound::of(tenant, filter);
    if let Some(few) = few(conn, &mut bound, sort).await? {
        return of_few(conn, tenant, few, sort, after, limit).await;
    }
    let start = after.cloned().unwrap_or_else(|| sort.start());
    along(conn, bound, sort, start, limit).await
}

/// A page along the index of the order.
async fn along(
    conn: &mut Conn<'_>,
    bound: Bound,
    sort: Sort,
    start: Place,
    limit: i64,
) -> Result<Vec<ClientRow>> {
    let sql = match (sort.by, sort.descending) {
        (SortKey::Created, false) => BY_CREATED,
        (SortKey::Created, true) => BY_CREATED_DOWN,
        (SortKey::Name, false) => BY_NAME,
        (SortKey::Name, true) => BY_NAME_DOWN,
        (SortKey::LastBooking, false) => BY_LAST_BOOKING,
        (SortKey::LastBooking, true) => BY_LAST_BOOKING_DOWN,
        (SortKey::Bookings, false) => BY_BOOKINGS,
        (SortKey::Bookings, true) => BY_BOOKINGS_DOWN,
        (SortKey::Spent, false) => BY_SPENT,
        (SortKey::Spent, true) => BY_SPENT_DOWN,
    };
    let rows = match start.key {
        Key::Id => {
            // Both ends of what is read, so that nothing beyond the filter is passed over.
            let (mut from, mut to) = bound.ids;
            if sort.descending {
                to = start.id.min(to);
            } else {
                from = Uuid::from_u128(start.id.as_u128().saturating_add(1)).max(from);
            }
            fetch_fitting!(conn, ClientRow, sql, &bound, limit, from, to)?
        }
        Key::Number(key) if sort.by == SortKey::LastBooking => {
            let (from, to) = bound.last_booking;
            let (key, id) = match sort.descending {
                true if key >= to => (to, Uuid::nil()),
                false if key < from => (from, Uuid::nil()),
                _ => (key, start.id),
            };
            fetch_fitting!(conn, ClientRow, sql, &bound, limit, key, id, from, to)?
        }
        Key::Number(key) => fetch_fitting!(conn, ClientRow, sql, &bound, limit, key, start.id)?,
        Key::Name(key) => fetch_fitting!(conn, ClientRow, sql, &bound, limit, key, start.id)?,
    };
    Ok(rows)
}

/// The places of all that fit, when one of the filters leaves few.
async fn few(conn: &mut Conn<'_>, bound: &mut Bound, sort: Sort) -> Result<Option<Vec<Place>>> {
    let Some(way) = narrowest(conn, bound, sort).await? else { return Ok(None) };
    let most = FEW * 2;
    let found = match way {
        Way::Word(place) => {
            let (from, to) = bound.words.remove(place);
            fetch_fitting!(conn, Found, FEW_BY_WORD, bound, most, from, to)?
        }
        Way::Number => fetch_fitting!(conn, Found, FEW_BY_NUMBER, bound, most)?,
        Way::Status => fetch_fitting!(conn, Found, FEW_BY_STATUS, bound, most)?,
        Way::Source => fetch_fitting!(conn, Found, FEW_BY_SOURCE, bound, most)?,
        Way::Created => {
            let (from, to) = bound.ids;
            fetch_fitting!(conn, Found, FEW_BY_CREATED, bound, most, from, to)?
        }
        Way::LastBooking => {
            let (from, to) = bound.last_booking;
            fetch_fitting!(conn, Found, FEW_BY_LAST_BOOKING, bound, most, from, to)?
        }
    };
    Ok(Some(found.into_iter().map(|found| place_of(sort, found)).collect()))
}

/// Sorts the few, and reads the rows of the page.
async fn of_few(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    mut few: Vec<Place>,
    sort: Sort,
    after: Option<&Place>,
    limit: i64,
) -> Result<Vec<ClientRow>> {
    few.retain(|place| after.is_none_or(|after| sort.compare(place, after).is_gt()));
    few.sort_unstable_by(|one, other| sort.compare(one, other));
    few.truncate(usize::try_from(limit).unwrap_or_default());
    let mut rows = Vec::with_capacity(few.len());
    for some in few.chunks(AT_ONCE) {
        let ids: Vec<Uuid> = some.iter().map(|place| place.id).collect();
        let mut read = by_ids(conn, tenant, &ids).await?;
        // What changed since it was sorted stands where it stood.
        read.sort_by_key(|row| ids.iter().position(|id| *id == row.id));
        rows.append(&mut read);
    }
    Ok(rows)
}

/// The rows of at most [`AT_ONCE`] ids, in no order.
async fn by_ids(conn: &mut Conn<'_>, tenant: Uuid, ids: &[Uuid]) -> Result<Vec<ClientRow>> {
    let Some(first) = ids.first() else { return Ok(Vec::new()) };
    let all = (0..AT_ONCE).map(|place| *ids.get(place).unwrap_or(first));
    let rows = match conn.settled().await? {
        Raw::Sqlite(c) => {
            let mut query = sqlx::query_as(BY_IDS).bind(tenant);
            for id in all {
                query = query.bind(id);
            }
            query.fetch_all(&mut **c).await
        }
        Raw::Postgres(c) => {
            let mut query = sqlx::query_as(BY_IDS).bind(tenant);
            for id in all {
                query = query.bind(id);
            }
            query.fetch_all(&mut **c).await
        }
    };
    Ok(rows?)
}
