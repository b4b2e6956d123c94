//! Forgetting a person, under the locks of everything they are known by.

use super::gather::{context_lock, read_identity, reference_lock};
use super::hand::{By, Refused, note};
use super::{again, erased as later};
use crate::domain::person::Identity;
use crate::domain::traces::Traces;
use crate::sources;
use crate::storage::erased::{self, Told};
use crate::storage::erasure::{self, Gone, Person};
use crate::storage::seal::MasterKey;
use crate::storage::{Conn, Db, Error, clients, events, inbox, locks};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeSet;
use uuid::Uuid;

/// How long an event may have been on its way while the others were looked through.
const ON_ITS_WAY: TimeDelta = TimeDelta::minutes(2);

/// Erases a client: what names the person goes everywhere, what was booked and spent stays, as
/// nobody's. Looking through every event takes its time and holds nobody up; only what is found is
/// changed in one transaction.
///
/// # Errors
/// [`Refused`].
pub async fn erase(
    db: &Db,
    key: &MasterKey,
    by: &By,
    client: Uuid,
    gone: Gone<'_>,
) -> Result<(), Refused> {
    let mut reader = db.reader().await?;
    let conn = &mut reader.conn();
    let seen = person(conn, by.tenant, client).await?;
    let found = Found::behind(conn, by.tenant, &seen, Uuid::nil()).await?;
    let locked = locks(&seen, &told_of(conn, by.tenant, &seen).await?);
    drop(reader);
    let mut tx = db.begin().await?;
    let conn = &mut tx.conn();
    locks::lock(conn, by.tenant, &locked).await?;
    let person = person(conn, by.tenant, client).await?;
    let mut events = erasure::events_of(conn, by.tenant, &person).await?;
    // They may have become known by something else in between.
    let is_same = person.traces == seen.traces;
    let since = if is_same { first_of(by.now - ON_ITS_WAY) } else { Uuid::nil() };
    let late = Found::behind(conn, by.tenant, &person, since).await?;
    events.extend(found.events.union(&late.events).copied());
    inbox::empty(conn, &found.inbox.union(&late.inbox).copied().collect()).await?;
    let mut told = told_of(conn, by.tenant, &person).await?;
    told.contexts.extend(contexts(conn, by.tenant, &person, &events).await?);
    erased::insert(conn, by.tenant, &later::hashes(key, &told), by.now).await?;
    erasure::erase(conn, by.tenant, &person, events, gone, by.now).await?;
    note(conn, by, client, "client.erased", None).await?;
    tx.commit().await?;
    match db.cut_log().await {
        Ok(true) => {}
        Ok(false) => tracing::info!("the log still holds what was erased until it is next cut off"),
        Err(error) => tracing::warn!(%error, "the log could not be cut off"),
    }
    Ok(())
}

/// Events in whose text the person stands.
struct Found {
    events: BTreeSet<Uuid>,
    /// Of those that belong to no tenant: any of them may be this one's.
    inbox: BTreeSet<Uuid>,
}

impl Found {
    /// Those behind an id, oldest first.
    async fn behind(
        conn: &mut Conn<'_>,
        tenant: Uuid,
        person: &Person,
        after: Uuid,
    ) -> Result<Self, Error> {
        let events = erasure::events_naming(conn, tenant, &person.traces, after).await?;
        let inbox = inbox::naming(conn, &person.traces, after).await?;
        Ok(Self { events, inbox })
    }
}

/// Before every id that was made since.
fn first_of(since: DateTime<Utc>) -> Uuid {
    Uuid::from_u128(u128::try_from(since.timestamp_millis()).unwrap_or(0) << 80)
}

async fn told_of(conn: &mut Conn<'_>, tenant: Uuid, person: &Person) -> Result<Told, Error> {
    let keys: Vec<String> = person.identities.iter().map(Identity::key).collect();
    erased::told_of(conn, tenant, person.client, &keys).await
}

/// What a delivery locks that tells of the person.
fn locks(person: &Person, told: &Told) -> Vec<String> {
    let known = person.identities.iter().map(Identity::key);
    let contexts = told.contexts.iter().map(|context| context_lock(context));
    let references = told.references.iter().map(|(_, id)| reference_lock(id));
    known.chain(contexts).chain(references).collect()
}

/// The calls and messages that the events are of, but for those that tell of others alone.
async fn contexts(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    person: &Person,
    events: &BTreeSet<Uuid>,
) -> Result<BTreeSet<String>, Error> {
    let mut contexts = BTreeSet::new();
    for event in events {
        let Some(row) = events::find(conn, tenant, *event).await? else { continue };
        let source = sources::api::find_teller(&row.source);
        let item = source.and_then(|source| again::item(source, &row).ok());
        let Some(context) = item.and_then(|item| item.context) else { continue };
        if !erased::tells_of_others(conn, tenant, *event, person.client).await? {
            contexts.insert(context);
        }
    }
    Ok(contexts)
}

async fn person(conn: &mut Conn<'_>, tenant: Uuid, client: Uuid) -> Result<Person, Refused> {
    let row = clients::find(conn, tenant, client).await?.ok_or(Refused::Missing)?;
    let identities = clients::list_identities(conn, tenant, client).await?;
    let identities: Vec<Identity> = identities.iter().filter_map(read_identity).collect();
    let mut email = row.email;
    if let Some(shared) = &email
        && erasure::shares_email(conn, tenant, client, shared).await?
    {
        email = None;
    }
    let traces = Traces::of(&identities, email.as_deref());
    Ok(Person { client, identities, traces })
}
