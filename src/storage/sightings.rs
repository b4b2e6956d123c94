//! Sightings: every telling of a booking, kept for good. What a booking is follows from them.

use super::batch::Stage;
use super::bulk::{Rows, bulk};
use super::{Conn, Error, Result, execute, fetch_all, statements};
use crate::domain::sighting::{Order, Rank, Sighting};
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use uuid::Uuid;

statements! {
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

bulk! {
    INSERT(
        tenant_id Uuid, id Uuid, event_id Uuid, item Text, booking_id Uuid, event_time Time,
        rank Number, seq Number, sort_key Text, context Text, external_key Text, person_key Text,
        start_at Time, target_at Time, told_as Text, says Text, set_by_person Text,
        created_at Time, client_id Uuid,
    ) = "
        insert into booking_sightings (tenant_id, id, event_id, item, booking_id, event_time, rank,
            seq, sort_key, context, external_key, person_key, start_at, target_at, told_as, says,
            set_by_person, created_at, client_id)
        select tenant_id, id, event_id, item, booking_id, event_time, rank, seq, sort_key,
            context, external_key, person_key, start_at, target_at, told_as, says, set_by_person,
            created_at, client_id
        from k";
    LIST_BY_CONTEXTS(n Number, tenant_id Uuid, context Text) = "
        select k.n, s.id, s.event_id, s.item, s.booking_id, s.event_time, s.rank, s.seq,
            s.sort_key, s.context, s.told_as, s.says, s.set_by_person
        from k cross join booking_sightings s
        where s.tenant_id = k.tenant_id and s.context = k.context";
    LIST_BY_EXTERNAL_KEYS(n Number, tenant_id Uuid, external_key Text) = "
        select k.n, s.id, s.event_id, s.item, s.booking_id, s.event_time, s.rank, s.seq,
            s.sort_key, s.context, s.told_as, s.says, s.set_by_person
        from k cross join booking_sightings s
        where s.tenant_id = k.tenant_id and s.external_key = k.external_key";
    LIST_BY_PEOPLE(n Number, tenant_id Uuid, person_key Text, start_at Time) = "
        select k.n, s.id, s.event_id, s.item, s.booking_id, s.event_time, s.rank, s.seq,
            s.sort_key, s.context, s.told_as, s.says, s.set_by_person
        from k cross join booking_sightings s
        where s.tenant_id = k.tenant_id and s.person_key = k.person_key
            and s.start_at = k.start_at
        union all
        select k.n, s.id, s.event_id, s.item, s.booking_id, s.event_time, s.rank, s.seq,
            s.sort_key, s.context, s.told_as, s.says, s.set_by_person
        from k cross join booking_sightings s
        where s.tenant_id = k.tenant_id and s.person_key = k.person_key
            and s.target_at = k.start_at and s.target_at is not null";
    LIST_BY_BOOKINGS(n Number, tenant_id Uuid, booking_id Uuid) = "
        select k.n, s.id, s.event_id, s.item, s.booking_id, s.event_time, s.rank, s.seq,
            s.sort_key, s.context, s.told_as, s.says, s.set_by_person
        from k cross join booking_sightings s
        where s.tenant_id = k.tenant_id and s.booking_id = k.booking_id";
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
    if let Some(known) = conn.known_mut() {
        for lookup in finding(sighting, keys) {
            known.sightings.forget(&(tenant, lookup));
        }
    }
    let row = Rows::one([
        tenant.into(),
        sighting.id.into(),
        sighting.event_id.into(),
        sighting.item.as_str().into(),
        sighting.booking_id.into(),
        order.event_time.into(),
        order.rank.as_i16().into(),
        order.seq.into(),
        order.key.as_str().into(),
        sighting.context.as_deref().into(),
        keys.external_key.as_deref().into(),
        keys.person_key.as_deref().into(),
        keys.start_at.into(),
        keys.target_at.into(),
        serde_json::to_string(&sighting.told_as).map_err(bad("told_as"))?.into(),
        serde_json::to_string(&sighting.says).map_err(bad("says"))?.into(),
        serde_json::to_string(&sighting.set_by_person).map_err(bad("set_by_person"))?.into(),
        now.into(),
        client.into(),
    ]);
    conn.write(Stage::Sightings, &INSERT, row).await?;
    Ok(())
}

/// Everything that finds a sighting and can be read ahead.
fn finding(sighting: &Sighting, keys: &Keys) -> Vec<Lookup> {
    let mut all: Vec<Lookup> = sighting.context.clone().map(Lookup::Context).into_iter().collect();
    all.extend(keys.external_key.clone().map(Lookup::ExternalKey));
    all.extend(sighting.booking_id.map(Lookup::Booking));
    for at in keys.start_at.into_iter().chain(keys.target_at) {
        all.extend(keys.person_key.clone().map(|person| Lookup::PersonAt(person, at)));
    }
    all
}

#[derive(sqlx::FromRow)]
struct Numbered {
    n: i64,
    #[sqlx(flatten)]
    row: Row,
}

/// Reads ahead for [`list`], by all but events and clients.
///
/// # Errors
/// When the database fails.
pub async fn read_ahead(conn: &mut Conn<'_>, lookups: &BTreeSet<(Uuid, Lookup)>) -> Result<()> {
    let (mut contexts, mut references) = (Rows::default(), Rows::default());
    let (mut people, mut bookings) = (Rows::default(), Rows::default());
    let mut answers: Vec<((Uuid, Lookup), Vec<Sighting>)> = Vec::new();
    for (n, key) in (0_i64..).zip(lookups) {
        let (n, tenant) = (n.into(), key.0.into());
        match &key.1 {
            Lookup::Context(context) => contexts.push([n, tenant, context.as_str().into()]),
            Lookup::ExternalKey(key) => references.push([n, tenant, key.as_str().into()]),
            Lookup::PersonAt(person, at) => {
                people.push([n, tenant, person.as_str().into(), (*at).into()]);
            }
            Lookup::Booking(id) => bookings.push([n, tenant, (*id).into()]),
            Lookup::Event(_) | Lookup::Client(_) => {}
        }
        answers.push((key.clone(), Vec::new()));
    }
    let raw = conn.settled().await?;
    let mut found: Vec<Numbered> = LIST_BY_CONTEXTS.fetch(raw, contexts).await?;
    found.extend(LIST_BY_EXTERNAL_KEYS.fetch::<Numbered>(raw, references).await?);
    found.extend(LIST_BY_PEOPLE.fetch::<Numbered>(raw, people).await?);
    found.extend(LIST_BY_BOOKINGS.fetch::<Numbered>(raw, bookings).await?);
    for Numbered { n, row } in found {
        let place = usize::try_from(n).ok().and_then(|n| answers.get_mut(n));
        if let Some((_, list)) = place {
            list.push(row.try_into()?);
        }
    }
    let Some(known) = conn.known_mut() else { return Ok(()) };
    for (key, list) in answers {
        if !matches!(key.1, Lookup::Event(_) | Lookup::Client(_)) {
            known.sightings.hold(key, list);
        }
    }
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
    if let Some(list) = conn.known().and_then(|known| known.sightings.get(&(tenant, by.clone()))) {
        return Ok(list.clone());
    }
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
