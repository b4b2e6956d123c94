//! What a client has to be to stand in a list, as SQL and as what is bound to it.

/// The columns of a row.
macro_rules! row {
    () => {
        "c.id, c.phone, c.whatsapp_id, c.first_name, c.last_name, c.email, c.status,
            c.first_interaction_source, c.first_interaction_at, c.first_booking_at,
            c.last_booking_at, c.provenance, c.set_by_person, c.bookings_count, c.spent_minor,
            c.version, c.created_at, c.updated_at"
    };
}

/// The same, of rows that have nothing else.
macro_rules! columns {
    () => {
        "id, phone, whatsapp_id, first_name, last_name, email, status,
            first_interaction_source, first_interaction_at, first_booking_at, last_booking_at,
            provenance, set_by_person, bookings_count, spent_minor, version, created_at, updated_at"
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
/// expressions, so that a client's few numbers are read, not all numbers; that nobody erased it is
/// asked as whether that was no later than it was made, which PostgreSQL takes for likely before it
/// has counted.
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
            $crate::storage::client_fits::word!("8", "9"),
            $crate::storage::client_fits::word!("10", "11"),
            $crate::storage::client_fits::word!("12", "13"),
            $crate::storage::client_fits::word!("14", "15"),
            $crate::storage::client_fits::word!("16", "17"),
            $crate::storage::client_fits::word!("18", "19"),
            " and (cast($20 as text) is null or (
                select 1 from client_identities i where i.tenant_id = $1 and i.client_id = c.id
                    and i.kind || '' = 'phone' and (
                        (i.value || '' >= $20 and i.value || '' < $21)
                        or (i.value || '' >= $22 and i.value || '' < $23)
                        or (i.value || '' >= $24 and i.value || '' < $25)
                        or (i.value || '' >= $26 and i.value || '' < $27)) limit 1) is not null)"
        )
    };
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
    ($conn:expr, $sql:expr, $by:expr $(, $bind:expr)* $(,)?) => { {
        let by: &$crate::storage::client_filter::Bound = $by;
        let (ids, booked) = (by.ids_asked(), by.last_booking_asked());
        let [a, b, c, d, e, f] = [0, 1, 2, 3, 4, 5].map(|place| by.word(place));
        let [k, l, m, n] = [0, 1, 2, 3].map(|place| by.number(place));
        $crate::storage::client_fits::fetch_planned!($conn, $crate::storage::clients::ClientRow, $sql, by.tenant, by.status, by.source, ids.0, ids.1,
            booked.0, booked.1, a.0, a.1, b.0, b.1, c.0, c.1, d.0, d.1, e.0, e.1, f.0, f.1, k.0, k.1, l.0, l.1, m.0, m.1, n.0, n.1 $(, $bind)*)
    } };
}

pub(super) use {columns, fetch_fitting, fetch_planned, fits, row, word};
