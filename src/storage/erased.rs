//! What was told of people who were erased, as keyed hashes: what comes later is known by them.

use super::bulk::{Rows, bulk};
use super::{Conn, Result, execute, fetch_all, fetch_optional, statements};
use crate::domain::sighting::Says;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use uuid::Uuid;

statements! {
    INSERT = "
        insert into erased_tellings (tenant_id, hash, created_at) values ($1, $2, $3)
        on conflict do nothing";
    LIST_TOLD = "
        select context, says from booking_sightings where tenant_id = $1 and client_id = $2";
    LIST_WAITING = "
        select context, says from booking_sightings
        where tenant_id = $1 and person_key = $2 and booking_id is null";
    LIST_REFERENCES = "
        select provider, external_booking_id from bookings
        where tenant_id = $1 and client_id = $2
            and provider is not null and external_booking_id is not null";
    TELLS_STILL = "
        select 1 from booking_sightings where tenant_id = $1 and event_id = $2
            and booking_id is not null and (client_id is null or client_id <> $3) limit 1";
    EMPTY = "
        update webhook_events set raw = $3, headers = '{}', understood = null, overrides = null,
            problems = '[]', answer = $4, review_context = null, status = 'ignored',
            reason = 'erased', attempts = attempts + 1, updated_at = $5
        where tenant_id = $1 and id = $2";
}

bulk! {
    FIND(tenant_id Uuid, hash Text) = "
        select e.tenant_id, e.hash from k cross join erased_tellings e
        where e.tenant_id = k.tenant_id and e.hash = k.hash";
}

/// Where a person was told of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The calls and messages.
    pub contexts: BTreeSet<String>,
    /// The labelled references of their bookings: provider and id.
    pub references: BTreeSet<(String, String)>,
}

impl Told {
    fn add(&mut self, (context, says): (Option<String>, String)) {
        self.contexts.extend(context);
        let says = serde_json::from_str::<Says>(&says);
        let reference = says.as_ref().ok().and_then(Says::labelled);
        self.references.extend(reference.map(|(provider, id)| (provider.into(), id.into())));
    }
}

/// Where a client was told of so far; `person_keys` are what else they are known by.
///
/// # Errors
/// When the database fails.
pub async fn told_of(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    client: Uuid,
    person_keys: &[String],
) -> Result<Told> {
    type Row = (Option<String>, String);
    let mut told = Told::default();
    for row in fetch_all!(conn, Row, LIST_TOLD, tenant, client)? {
        told.add(row);
    }
    for key in person_keys {
        for row in fetch_all!(conn, Row, LIST_WAITING, tenant, key.as_str())? {
            told.add(row);
        }
    }
    told.references.extend(fetch_all!(conn, (String, String), LIST_REFERENCES, tenant, client)?);
    Ok(told)
}

/// True for an event that tells a booking of somebody else than the client.
///
/// # Errors
/// When the database fails.
pub async fn tells_of_others(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    event: Uuid,
    client: Uuid,
) -> Result<bool> {
    Ok(fetch_optional!(conn, (i32,), TELLS_STILL, tenant, event, client)?.is_some())
}

/// Remembers keyed hashes of what was told.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    hashes: &BTreeSet<String>,
    now: DateTime<Utc>,
) -> Result<()> {
    for hash in hashes {
        execute!(conn, INSERT, tenant, hash.as_str(), now)?;
    }
    Ok(())
}

/// A tenant, and a keyed hash.
pub type Mark = (Uuid, String);

/// Reads ahead for [`knows_any`].
///
/// # Errors
/// When the database fails.
pub async fn read_ahead(conn: &mut Conn<'_>, marks: &BTreeSet<Mark>) -> Result<()> {
    let found: BTreeSet<Mark> = find(conn, marks).await?.into_iter().collect();
    let Some(known) = conn.known_mut() else { return Ok(()) };
    for mark in marks {
        known.erased.hold(mark.clone(), found.contains(mark));
    }
    Ok(())
}

/// Those of them that are of what was told of somebody who was erased.
async fn find(conn: &mut Conn<'_>, marks: &BTreeSet<Mark>) -> Result<Vec<Mark>> {
    let mut rows = Rows::default();
    for (tenant, hash) in marks {
        rows.push([(*tenant).into(), hash.as_str().into()]);
    }
    FIND.fetch(conn.settled().await?, rows).await
}

/// True when any of the hashes is of what was told of somebody who was erased.
///
/// # Errors
/// When the database fails.
pub async fn knows_any(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    hashes: &BTreeSet<String>,
) -> Result<bool> {
    let marks: BTreeSet<Mark> = hashes.iter().map(|hash| (tenant, hash.clone())).collect();
    let ahead: Option<Vec<bool>> = conn
        .known()
        .and_then(|known| marks.iter().map(|mark| known.erased.get(mark).copied()).collect());
    match ahead {
        Some(erased) => Ok(erased.contains(&true)),
        None => Ok(!find(conn, &marks).await?.is_empty()),
    }
}

/// Leaves of a stored event what became of it.
///
/// # Errors
/// When the database fails.
pub async fn empty(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    event: Uuid,
    answer: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    execute!(conn, EMPTY, tenant, event, Vec::<u8>::new(), answer, now)?;
    Ok(())
}
