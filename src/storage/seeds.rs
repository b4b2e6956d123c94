//! What `seed customers` made: remembered by its ids, so that nothing else is ever removed with it.

use super::{Conn, Result, execute, fetch_all, fetch_optional, statements};
use chrono::{DateTime, Utc};
use uuid::Uuid;

statements! {
    INSERT = "
        insert into seeded_rows (tenant_id, kind, id, created_at) values ($1, $2, $3, $4)
        on conflict do nothing";
    LIST = "select kind, id from seeded_rows where tenant_id = $1 order by kind, id";
    LIST_CONVERTED = "
        select c.id from seeded_rows s
        join leads l on l.tenant_id = s.tenant_id and l.id = s.id
        join clients c on c.tenant_id = l.tenant_id and c.id = l.converted_client_id
        where s.tenant_id = $1 and s.kind = 'lead' and c.erased_at is null
            and c.created_at = l.converted_at and not exists (
                select 1 from lead_interactions i
                where i.tenant_id = l.tenant_id and i.lead_id = l.id and i.event_id is not null)";
    WAS_MADE = "
        select 1 from audit_log
        where tenant_id = $1 and subject_kind = 'client' and subject_id = $2
            and action = 'client.created' limit 1";
    DELETE_ALL = "delete from seeded_rows where tenant_id = $1";
    FIND_NOW = "
        select now_id from record_aliases where tenant_id = $1 and kind = 'client' and id = $2";
    WAS_JOINED = "
        select 1 from record_aliases where tenant_id = $1 and kind = 'client' and now_id = $2";
    DELETE_ALIASES = "
        delete from record_aliases where tenant_id = $1 and kind = $2 and now_id = $3";
    DELETE_SIGHTINGS_OF_EVENT = "
        delete from booking_sightings where tenant_id = $1 and event_id = $2";
    DELETE_SIGHTINGS_OF_BOOKING = "
        delete from booking_sightings where tenant_id = $1 and booking_id = $2";
    FORGET_DUPLICATE = "
        update bookings set possible_duplicate_of = null
        where tenant_id = $1 and possible_duplicate_of = $2";
    DELETE_BOOKING = "delete from bookings where tenant_id = $1 and id = $2";
    DELETE_UNTOLD_EVENT = "
        delete from webhook_events
        where tenant_id = $1 and id = $2 and source = 'api' and not exists (
            select 1 from booking_sightings where tenant_id = $1 and event_id = $2)";
    FORGET_EVENT = "
        update client_duplicates set event_id = null where tenant_id = $1 and event_id = $2";
    DELETE_MAPPING = "
        delete from client_service_mappings where tenant_id = $1 and id = $2";
    DELETE_MAPPINGS = "
        delete from client_service_mappings where tenant_id = $1 and client_id = $2";
    FORGET_CLIENT = "
        update leads set converted_client_id = null
        where tenant_id = $1 and converted_client_id = $2";
    LEAD_WROTE = "
        select 1 from lead_interactions
        where tenant_id = $1 and lead_id = $2 and event_id is not null limit 1";
    DELETE_INTERACTIONS = "
        delete from lead_interactions where tenant_id = $1 and lead_id = $2";
    DELETE_LEAD = "delete from leads where tenant_id = $1 and id = $2";
    RECOUNT = "
        update clients set
            bookings_count = (
                select count(*) from bookings b
                where b.tenant_id = $1 and b.client_id = $2
                    and b.status not in ('cancelled', 'no_show')),
            spent_minor = (
                select cast(coalesce(sum(b.amount_minor), 0) as bigint) from bookings b
                where b.tenant_id = $1 and b.client_id = $2 and b.currency = $3
                    and b.status not in ('cancelled', 'no_show')
                    and b.payment_status <> 'refunded')
        where tenant_id = $1 and id = $2";
    COUNT_LEFT = "
        select cast(count(*) as bigint) from bookings where tenant_id = $1 and client_id = $2";
}

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A client.
    Client,
    /// A client's account at a salon system.
    Mapping,
    /// A booking.
    Booking,
    /// The event that told a booking.
    Event,
    /// A lead.
    Lead,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Mapping => "mapping",
            Self::Booking => "booking",
            Self::Event => "event",
            Self::Lead => "lead",
        }
    }
}

/// The rows that were made for a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seeds(Vec<(String, Uuid)>);

impl Seeds {
    /// Those of a kind.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = Uuid> {
        self.0.iter().filter(move |(word, _)| word == kind.as_str()).map(|(_, id)| *id)
    }

    /// True when nothing was made, or all is removed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Remembers that a row was made.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    kind: Kind,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    execute!(conn, INSERT, tenant, kind.as_str(), id, now)?;
    Ok(())
}

/// What was made for a tenant.
///
/// # Errors
/// When the database fails.
pub async fn list(conn: &mut Conn<'_>, tenant: Uuid) -> Result<Seeds> {
    Ok(Seeds(fetch_all!(conn, (String, Uuid), LIST, tenant)?))
}

/// What was made, and the clients that made-up leads became, whom nobody wrote down by hand.
///
/// # Errors
/// When the database fails.
pub async fn list_with_converted(conn: &mut Conn<'_>, tenant: Uuid) -> Result<Seeds> {
    let mut seeds = list(conn, tenant).await?;
    for (client,) in fetch_all!(conn, (Uuid,), LIST_CONVERTED, tenant)? {
        let name = client.to_string();
        let is_known = seeds.of(Kind::Client).any(|known| known == client);
        if !is_known && fetch_optional!(conn, (i32,), WAS_MADE, tenant, name)?.is_none() {
            seeds.0.push((Kind::Client.as_str().to_owned(), client));
        }
    }
    Ok(seeds)
}

/// Forgets what was made: it is removed.
///
/// # Errors
/// When the database fails.
pub async fn forget(conn: &mut Conn<'_>, tenant: Uuid) -> Result<()> {
    execute!(conn, DELETE_ALL, tenant)?;
    Ok(())
}

/// The client that a seeded one proved to be; itself where it proved to be no other.
///
/// # Errors
/// When the database fails.
pub async fn client_now(conn: &mut Conn<'_>, tenant: Uuid, id: Uuid) -> Result<Uuid> {
    let now = fetch_optional!(conn, (Uuid,), FIND_NOW, tenant, id)?;
    Ok(now.map_or(id, |(now,)| now))
}

/// True when another client proved to be this one.
///
/// # Errors
/// When the database fails.
pub async fn was_joined(conn: &mut Conn<'_>, tenant: Uuid, client: Uuid) -> Result<bool> {
    Ok(fetch_optional!(conn, (i32,), WAS_JOINED, tenant, client)?.is_some())
}

/// How many bookings a client has.
///
/// # Errors
/// When the database fails.
pub async fn bookings_of(conn: &mut Conn<'_>, tenant: Uuid, client: Uuid) -> Result<i64> {
    let row = fetch_optional!(conn, (i64,), COUNT_LEFT, tenant, client)?;
    Ok(row.map_or(0, |(count,)| count))
}

/// Counts anew what a client booked and spent.
///
/// # Errors
/// When the database fails.
pub async fn recount(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    client: Uuid,
    currency: &str,
) -> Result<()> {
    execute!(conn, RECOUNT, tenant, client, currency)?;
    Ok(())
}

/// Takes back what an event told.
///
/// # Errors
/// When the database fails.
pub async fn untell(conn: &mut Conn<'_>, tenant: Uuid, event: Uuid) -> Result<()> {
    execute!(conn, DELETE_SIGHTINGS_OF_EVENT, tenant, event)?;
    Ok(())
}

/// Removes a booking and everything that was told of it.
///
/// # Errors
/// When the database fails.
pub async fn delete_booking(conn: &mut Conn<'_>, tenant: Uuid, id: Uuid) -> Result<()> {
    execute!(conn, FORGET_DUPLICATE, tenant, id)?;
    execute!(conn, DELETE_SIGHTINGS_OF_BOOKING, tenant, id)?;
    execute!(conn, DELETE_ALIASES, tenant, "booking", id)?;
    execute!(conn, DELETE_BOOKING, tenant, id)?;
    Ok(())
}

/// Removes an event that people wrote by hand and that tells nothing any more.
///
/// # Errors
/// When the database fails.
pub async fn delete_event(conn: &mut Conn<'_>, tenant: Uuid, id: Uuid) -> Result<()> {
    execute!(conn, FORGET_EVENT, tenant, id)?;
    execute!(conn, DELETE_UNTOLD_EVENT, tenant, id)?;
    Ok(())
}

/// Removes a mapping.
///
/// # Errors
/// When the database fails.
pub async fn delete_mapping(conn: &mut Conn<'_>, tenant: Uuid, id: Uuid) -> Result<()> {
    execute!(conn, DELETE_MAPPING, tenant, id)?;
    Ok(())
}

/// Lets go of everything that refers to a client without bookings.
///
/// # Errors
/// When the database fails.
pub async fn detach_client(conn: &mut Conn<'_>, tenant: Uuid, id: Uuid) -> Result<()> {
    execute!(conn, DELETE_MAPPINGS, tenant, id)?;
    execute!(conn, FORGET_CLIENT, tenant, id)?;
    execute!(conn, DELETE_ALIASES, tenant, "client", id)?;
    Ok(())
}

/// Removes a lead, unless a delivery told that it wrote; false then.
///
/// # Errors
/// When the database fails.
pub async fn delete_lead(conn: &mut Conn<'_>, tenant: Uuid, id: Uuid) -> Result<bool> {
    if fetch_optional!(conn, (i32,), LEAD_WROTE, tenant, id)?.is_some() {
        return Ok(false);
    }
    execute!(conn, DELETE_INTERACTIONS, tenant, id)?;
    Ok(execute!(conn, DELETE_LEAD, tenant, id)? == 1)
}
