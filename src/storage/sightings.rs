//! Sightings: every telling of a booking, kept for good. What a booking is follows from them.

use super::{Conn, Error, Result, execute, fetch_all, statements};
use crate::domain::sighting::{Order, Rank, Sighting};
use chrono::{DateTime, Utc};
use uuid::Uuid;

statements! {
    INSERT = "
        insert into booking_sightings (tenant_id, id, event_id, item, booking_id, event_time, rank,
            seq, sort_key, context, external_key, person_key, start_at, target_at, told_as, says,
            set_by_person, created_at, client_id)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
            $19)";
    ASSIGN = "
        update booking_sightings set booking_id = $3, client_id = $4
        where tenant_id = $1 and id = $2";
    GIVE = "
        update booking_sightings set client_id = $3 where tenant_id = $1 and booking_id = $2";
    DELETE_WAITING = "
        delete from booking_sightings
        where tenant_id = $1 and event_id = $2 and booking_id is null";
    LIST_BY_CONTEXT = "
        select id, event_id, item, booking_id, event_time, rank, seq, sort_key, context, told_as,
            says, set_by_person
        from booking_sightings where tenant_id = $1 and context = $2";
    LIST_BY_EXTERNAL_KEY = "
        select id, event_id, item, booking_id, event_time, rank, seq, sort_key, context, told_as,
            says, set_by_person
        from booking_sightings where tenant_id = $1 and external_key = $2";
    LIST_BY_PERSON = "
        select id, event_id, item, booking_id, event_time, rank, seq, sort_key, context, told_as,
            says, set_by_person
        from booking_sightings where tenant_id = $1 and person_key = $2 and start_at = $3
        union all
        select id, event_id, item, booking_id, event_time, rank, seq, sort_key, context, told_as,
            says, set_by_person
        from booking_sightings
        where tenant_id = $1 and person_key = $2 and target_at = $3 and target_at is not null";
    LIST_BY_BOOKING = "
        select id, event_id, item, booking_id, event_time, rank, seq, sort_key, context, told_as,
            says, set_by_person
        from booking_sightings where tenant_id = $1 and booking_id = $2";
    LIST_BY_EVENT = "
        select id, event_id, item, booking_id, event_time, rank, seq, sort_key, context, told_as,
            says, set_by_person
        from booking_sightings where tenant_id = $1 and event_id = $2";
    LIST_BY_CLIENT = "
        select s.id, s.event_id, s.item, s.booking_id, s.event_time, s.rank, s.seq, s.sort_key,
            s.context, s.told_as, s.says, s.set_by_person
        from bookings b
        join booking_sightings s on s.tenant_id = b.tenant_id and s.booking_id = b.id
        where b.tenant_id = $1 and b.client_id = $2";
}

/// What a sighting is looked up by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lookup {
    /// The call or message.
    Context(String),
    /// A reference, labelled or not.
    ExternalKey(String),
    /// A person (an identity's key) and a start, from or to which the booking was told.
    PersonAt(String, DateTime<Utc>),
    /// The booking it belongs to so far.
    Booking(Uuid),
    /// The event that told it.
    Event(Uuid),
    /// Every one of a client's bookings.
    Client(Uuid),
}

/// The columns by which a sighting is found again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// The reference it names.
    pub external_key: Option<String>,
    /// The person it is of.
    pub person_key: Option<String>,
    /// The start it names.
    pub start_at: Option<DateTime<Utc>>,
    /// The start that it moves the booking to, from `start_at`.
    pub target_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    event_id: Uuid,
    item: String,
    booking_id: Option<Uuid>,
    event_time: DateTime<Utc>,
    rank: i16,
    seq: i32,
    sort_key: String,
    context: Option<String>,
    told_as: String,
    says: String,
    set_by_person: String,
}

impl TryFrom<Row> for Sighting {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let bad = |column| move |_| Error::Inconsistent { table: "booking_sightings", column };
        Ok(Self {
            id: row.id,
            event_id: row.event_id,
            item: row.item,
            order: Order {
                event_time: row.event_time,
                rank: Rank::from_i16(row.rank),
                seq: row.seq,
                key: row.sort_key,
            },
            context: row.context,
            told_as: serde_json::from_str(&row.told_as).map_err(bad("told_as"))?,
            says: serde_json::from_str(&row.says).map_err(bad("says"))?,
            set_by_person: serde_json::from_str(&row.set_by_person)
                .map_err(bad("set_by_person"))?,
            booking_id: row.booking_id,
        })
    }
}

/// Inserts a sighting with the keys by which it is found again, and its booking's client.
///
/// # Errors
/// When the database fails; a conflict when its event has one at that place already.
pub async fn insert(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    sighting: &Sighting,
    (keys, client): (&Keys, Option<Uuid>),
    now: DateTime<Utc>,
) -> Result<()> {
    let bad = |column| move |_| Error::Inconsistent { table: "booking_sightings", column };
    let order = &sighting.order;
    execute!(
        conn,
        INSERT,
        tenant,
        sighting.id,
        sighting.event_id,
        sighting.item.as_str(),
        sighting.booking_id,
        order.event_time,
        order.rank.as_i16(),
        order.seq,
        order.key.as_str(),
        sighting.context.as_deref(),
        keys.external_key.as_deref(),
        keys.person_key.as_deref(),
        keys.start_at,
        keys.target_at,
        serde_json::to_string(&sighting.told_as).map_err(bad("told_as"))?,
        serde_json::to_string(&sighting.says).map_err(bad("says"))?,
        serde_json::to_string(&sighting.set_by_person).map_err(bad("set_by_person"))?,
        now,
        client
    )?;
    Ok(())
}

/// Says which booking, and whose, a sighting belongs to; `None` while it waits for one.
///
/// # Errors
/// When the database fails.
pub async fn assign(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    id: Uuid,
    booking: Option<(Uuid, Uuid)>,
) -> Result<()> {
    let (booking, client) = booking.unzip();
    execute!(conn, ASSIGN, tenant, id, booking, client)?;
    Ok(())
}

/// Says that a booking, with all that was told of it, is another client's.
///
/// # Errors
/// When the database fails.
pub async fn give(conn: &mut Conn<'_>, tenant: Uuid, booking: Uuid, client: Uuid) -> Result<()> {
    execute!(conn, GIVE, tenant, booking, client)?;
    Ok(())
}

/// Removes what an event told and no booking took, so that it can be told anew.
///
/// # Errors
/// When the database fails.
pub async fn delete_waiting(conn: &mut Conn<'_>, tenant: Uuid, event: Uuid) -> Result<()> {
    execute!(conn, DELETE_WAITING, tenant, event)?;
    Ok(())
}

/// The sightings that a lookup finds, in no order.
///
/// # Errors
/// When the database fails.
pub async fn list(conn: &mut Conn<'_>, tenant: Uuid, by: &Lookup) -> Result<Vec<Sighting>> {
    let rows = match by {
        Lookup::Context(context) => {
            fetch_all!(conn, Row, LIST_BY_CONTEXT, tenant, context.as_str())?
        }
        Lookup::ExternalKey(key) => {
            fetch_all!(conn, Row, LIST_BY_EXTERNAL_KEY, tenant, key.as_str())?
        }
        Lookup::PersonAt(person, start) => {
            fetch_all!(conn, Row, LIST_BY_PERSON, tenant, person.as_str(), *start)?
        }
        Lookup::Booking(id) => fetch_all!(conn, Row, LIST_BY_BOOKING, tenant, *id)?,
        Lookup::Event(id) => fetch_all!(conn, Row, LIST_BY_EVENT, tenant, *id)?,
        Lookup::Client(id) => fetch_all!(conn, Row, LIST_BY_CLIENT, tenant, *id)?,
    };
    rows.into_iter().map(Sighting::try_from).collect()
}
