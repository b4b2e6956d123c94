//! Reading everything that may have to do with what was just told.

use super::people::{People, Person};
use super::resolve::{Resolution, Seen, resolve};
use crate::domain::booking::{ChangeKind, ChangeOf, UnifiedBookingData};
use crate::domain::edit::Set;
use crate::domain::person::{Identity, WhatsAppId};
use crate::domain::phone::Phone;
use crate::domain::sighting::{Says, Sighting};
use crate::storage::clients::IdentityRow;
use crate::storage::sightings::{Keys, Lookup};
use crate::storage::{self, Conn, Error, bookings, clients, locks, sightings};
use chrono::{DateTime, Utc};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Past this many sightings that hang together something is wrong with how they are told; a
/// person has to look before more are read for each delivery.
const MOST: usize = 1000;

/// What hangs together with the new sightings, and who the people in it are.
pub(super) struct Gathered {
    /// Old and new sightings, each with its person.
    pub(super) seen: Vec<Seen>,
    /// The people.
    pub(super) people: People,
    /// Clients that proved to be another: which goes, and which stays.
    pub(super) joined: Vec<(Uuid, Uuid)>,
    /// Phones and WhatsApp ids that arrived together and are not one person's.
    pub(super) clashes: Vec<Clash>,
}

/// A phone and a WhatsApp id that arrived together and are not one person's.
pub(super) struct Clash {
    /// Each with whose it is, as [`People`] numbers them; one may be nobody's.
    pub(super) told: [(Identity, Option<u32>); 2],
    /// The event that told it; `None` for the one at hand.
    pub(super) event: Option<Uuid>,
}

/// Why gathering stopped.
pub(super) enum Stopped {
    /// The database failed.
    Storage(Error),
    /// More identities are involved than were locked: lock these as well and begin again.
    Relock(BTreeSet<String>),
    /// More than [`MOST`] sightings hang together.
    TooMany,
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Storage(error)
    }
}

/// What the sighting says of a booking, when it carries a whole one.
pub(super) fn telling(sighting: &Sighting) -> Option<&UnifiedBookingData> {
    match &sighting.says {
        Says::Booking(telling) => Some(telling),
        Says::Change(change) => change.telling.as_deref(),
        Says::Edit(_) => None,
    }
}

/// The identities of the person that a sighting is of, the phone first.
pub(super) fn identities(sighting: &Sighting) -> Vec<Identity> {
    match &sighting.says {
        Says::Booking(telling) => telling.identities(),
        Says::Change(change) if !change.by.is_empty() => {
            let mut by = change.by.clone();
            by.sort();
            by
        }
        Says::Change(change) => change.telling.as_ref().map(|t| t.identities()).unwrap_or_default(),
        Says::Edit(edit) => edit.by.clone(),
    }
}

/// The columns by which a sighting is found again.
pub(super) fn keys(sighting: &Sighting) -> Keys {
    let told = telling(sighting);
    let reference = told.and_then(|t| t.external_booking.as_ref()).map(|e| e.id.clone());
    let (external_key, start_at) = match &sighting.says {
        Says::Booking(telling) => (reference, Some(telling.appointment_date_time)),
        Says::Change(change) => match &change.of {
            ChangeOf::ExternalId { id, .. } => {
                (Some(id.clone()), told.map(|t| t.appointment_date_time))
            }
            ChangeOf::Start { start, .. } => (reference, Some(*start)),
            ChangeOf::Context(_) | ChangeOf::OnlyOpenPending => {
                (reference, told.map(|t| t.appointment_date_time))
            }
        },
        Says::Edit(edit) => match &edit.set.external_booking {
            Set::To(external) => (Some(external.id.clone()), None),
            Set::Kept | Set::Emptied => (None, None),
        },
    };
    let person_key = identities(sighting).first().map(Identity::key);
    Keys { external_key, person_key, start_at, target_at: target(sighting) }
}

/// The start that a sighting moves its booking to.
fn target(sighting: &Sighting) -> Option<DateTime<Utc>> {
    match &sighting.says {
        Says::Change(change) => match change.what {
            ChangeKind::Reschedule(start) => Some(start),
            _ => None,
        },
        Says::Edit(edit) => edit.set.appointment_date_time,
        Says::Booking(_) => None,
    }
}

/// Every start that a sighting names: where its booking was, is, or is to be.
pub(super) fn starts(sighting: &Sighting) -> Vec<DateTime<Utc>> {
    let told = telling(sighting).map(|t| t.appointment_date_time);
    let Keys { start_at, target_at, .. } = keys(sighting);
    start_at.into_iter().chain(told).chain(target_at).collect()
}

/// The call or message that a sighting was told in, and the one that its change names.
pub(super) fn contexts(sighting: &Sighting) -> impl Iterator<Item = String> {
    let named = match &sighting.says {
        Says::Change(change) => match &change.of {
            ChangeOf::Context(context) => Some(context.clone()),
            _ => None,
        },
        Says::Booking(_) | Says::Edit(_) => None,
    };
    sighting.context.clone().into_iter().chain(named)
}

/// The identities to lock before anything is read that a sighting may change.
pub(super) fn names(sighting: &Sighting) -> BTreeSet<String> {
    let people = identities(sighting).into_iter().map(|i| i.key());
    let contexts = contexts(sighting).map(|c| context_lock(&c));
    let reference = keys(sighting).external_key.map(|k| reference_lock(&k));
    let account = telling(sighting).and_then(|told| told.account.as_ref());
    let account = account.map(|account| locks::account(&account.provider, &account.client_id));
    people.chain(contexts).chain(reference).chain(account).collect()
}

/// What is locked for a call or message.
pub(super) fn context_lock(context: &str) -> String {
    format!("context:{context}")
}

/// What is locked for a reference.
pub(super) fn reference_lock(reference: &str) -> String {
    format!("reference:{reference}")
}

/// Reads, until nothing new turns up, the sightings that share an identity with the new ones, and
/// says which bookings they come to. `links` are identities that arrived together without a
/// booking.
pub(super) async fn gather(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    fresh: &[Sighting],
    links: &[Vec<Identity>],
    locked: &BTreeSet<String>,
) -> Result<(Gathered, Resolution), Stopped> {
    let mut search = Search { tenant, ..Search::default() };
    for link in links {
        search.meet(conn, link).await?;
    }
    for sighting in fresh {
        search.known.insert(sighting.id, sighting.clone());
        search.frontier.push(sighting.clone());
    }
    let (gathered, resolution) = loop {
        search.follow(conn).await?;
        let gathered = search.gathered(links);
        let resolution = resolve(&gathered.seen);
        search.cross(conn, &gathered, &resolution).await?;
        if search.frontier.is_empty() {
            break (gathered, resolution);
        }
    };
    let mut wanted: BTreeSet<String> = search.known.values().flat_map(names).collect();
    wanted.extend(links.iter().flatten().map(Identity::key));
    if locks::are_taken_by_name(conn) && !wanted.is_subset(locked) {
        return Err(Stopped::Relock(wanted));
    }
    Ok((gathered, resolution))
}

/// A search for everything that hangs together.
#[derive(Default)]
struct Search {
    tenant: Uuid,
    known: BTreeMap<Uuid, Sighting>,
    frontier: Vec<Sighting>,
    looked_up: BTreeSet<Lookup>,
    people: People,
    joined: Vec<(Uuid, Uuid)>,
}

impl Search {
    /// Reads what shares an identity with what was found, until nothing more does.
    async fn follow(&mut self, conn: &mut Conn<'_>) -> Result<(), Stopped> {
        while let Some(sighting) = self.frontier.pop() {
            self.meet(conn, &identities(&sighting)).await?;
            for lookup in lookups(conn, self.tenant, &sighting, &self.people).await? {
                self.look_up(conn, lookup).await?;
            }
            if self.known.len() > MOST {
                return Err(Stopped::TooMany);
            }
        }
        Ok(())
    }

    /// Reads what stands in the slots that bookings came to by several tellings together: one
    /// gave the person and another the start, and nobody told both.
    async fn cross(
        &mut self,
        conn: &mut Conn<'_>,
        gathered: &Gathered,
        resolution: &Resolution,
    ) -> storage::Result<()> {
        for booking in resolution.bookings.iter().filter(|booking| booking.members.len() > 1) {
            let is_member = |seen: &&Seen| booking.members.contains(&seen.sighting.id);
            let members: Vec<&Seen> = gathered.seen.iter().filter(is_member).collect();
            let people: BTreeSet<u32> = members.iter().filter_map(|seen| seen.person).collect();
            let told: BTreeSet<_> =
                members.iter().flat_map(|seen| starts(&seen.sighting)).collect();
            for person in people.iter().filter_map(|number| gathered.people.get(*number)) {
                for start in &told {
                    self.look_at_slot(conn, person, *start).await?;
                }
            }
        }
        Ok(())
    }

    async fn look_at_slot(
        &mut self,
        conn: &mut Conn<'_>,
        person: &Person,
        start: DateTime<Utc>,
    ) -> storage::Result<()> {
        let at = person.identities.iter().map(|i| Lookup::PersonAt(i.key(), start));
        let new: Vec<Lookup> = at.filter(|lookup| !self.looked_up.contains(lookup)).collect();
        if let (false, Some(client)) = (new.is_empty(), person.client) {
            for booking in bookings::list_at(conn, self.tenant, client, start).await? {
                self.look_up(conn, Lookup::Booking(booking)).await?;
            }
        }
        for lookup in new {
            self.look_up(conn, lookup).await?;
        }
        Ok(())
    }

    /// Reads who has these identities. Two clients that they prove to be one are joined, and then
    /// everything of the one that goes is read: it may stand in the other's slots.
    async fn meet(&mut self, conn: &mut Conn<'_>, met: &[Identity]) -> storage::Result<()> {
        for identity in met {
            know(conn, self.tenant, identity, &mut self.people).await?;
        }
        if let Some((gone, stays)) = self.people.join(met) {
            self.joined.push((gone, stays));
            self.look_up(conn, Lookup::Client(gone)).await?;
        }
        Ok(())
    }

    async fn look_up(&mut self, conn: &mut Conn<'_>, lookup: Lookup) -> storage::Result<()> {
        if !self.looked_up.insert(lookup.clone()) {
            return Ok(());
        }
        for found in sightings::list(conn, self.tenant, &lookup).await? {
            if let Entry::Vacant(place) = self.known.entry(found.id) {
                place.insert(found.clone());
                self.frontier.push(found);
            }
        }
        Ok(())
    }

    /// Gives every sighting its person, in the order of history.
    fn gathered(&self, links: &[Vec<Identity>]) -> Gathered {
        let (mut people, joined) = (self.people.clone(), self.joined.clone());
        let mut known: Vec<Sighting> = self.known.values().cloned().collect();
        known.sort_by(|a, b| a.order.cmp(&b.order));
        let seen = known.into_iter().map(|sighting| {
            let person = people.meet(&identities(&sighting));
            Seen { sighting, person }
        });
        let seen: Vec<Seen> = seen.collect();
        for link in links {
            // A stranger who only asked is no client.
            if link.iter().any(|identity| people.with(identity).is_some()) {
                people.meet(link);
            }
        }
        let told = seen.iter().map(|s| (identities(&s.sighting), Some(s.sighting.event_id)));
        let told = told.chain(links.iter().map(|link| (link.clone(), None)));
        let clashes = told.filter_map(|(met, event)| clash(&people, &met, event)).collect();
        Gathered { seen, people, joined, clashes }
    }
}

fn clash(people: &People, met: &[Identity], event: Option<Uuid>) -> Option<Clash> {
    if met.iter().any(|identity| matches!(identity, Identity::Client(_))) {
        // A person said whose it is.
        return None;
    }
    Some(Clash { told: people.clash(met)?, event })
}

/// Reads whose identity it is, and all of that client's identities.
pub(super) async fn know(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    identity: &Identity,
    people: &mut People,
) -> storage::Result<()> {
    if people.with(identity).is_some() {
        return Ok(());
    }
    if let Some(client) = clients::find_by_identity(conn, tenant, identity).await? {
        let rows = clients::list_identities(conn, tenant, client).await?;
        let mut known: Vec<Identity> = rows.iter().filter_map(read_identity).collect();
        // So that it is found as whom a person may have named, too.
        known.push(Identity::Client(client));
        if !known.contains(identity) {
            known.push(identity.clone());
        }
        people.know(client, known);
    }
    Ok(())
}

/// An identity as the database has it.
pub(super) fn read_identity(row: &IdentityRow) -> Option<Identity> {
    match row.kind.as_str() {
        "phone" => Some(Identity::Phone(Phone::from_stored(row.value.clone()))),
        _ => WhatsAppId::parse(&row.value).map(Identity::WhatsApp),
    }
}

/// Where else a sighting's booking may have been told.
async fn lookups(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    sighting: &Sighting,
    people: &People,
) -> storage::Result<Vec<Lookup>> {
    let mut lookups: Vec<Lookup> = contexts(sighting).map(Lookup::Context).collect();
    let reference = keys(sighting).external_key;
    let own = reference.as_deref().and_then(|key| Uuid::try_parse(key).ok());
    let edited = match &sighting.says {
        Says::Edit(edit) => Some(edit.of),
        _ => None,
    };
    lookups.extend(reference.map(Lookup::ExternalKey));
    for own in own.into_iter().chain(edited) {
        let row = bookings::find(conn, tenant, own).await?;
        lookups.extend(row.map(|row| Lookup::Booking(row.id)));
    }
    lookups.extend(sighting.booking_id.map(Lookup::Booking));
    let identities = identities(sighting);
    let Some(first) = identities.first() else { return Ok(lookups) };
    let person = people.with(first);
    let aliases = person.map_or(identities.as_slice(), |p| p.identities.as_slice());
    for start in starts(sighting) {
        lookups.extend(aliases.iter().map(|i| Lookup::PersonAt(i.key(), start)));
        if let Some(client) = person.and_then(|p| p.client) {
            let at = bookings::list_at(conn, tenant, client, start).await?;
            lookups.extend(at.into_iter().map(Lookup::Booking));
        }
    }
    if let (true, Some(client)) = (is_bare(sighting), person.and_then(|p| p.client)) {
        let since = sighting.order.event_time;
        let pending = bookings::list_pending(conn, tenant, client, since).await?;
        lookups.extend(pending.into_iter().map(Lookup::Booking));
    }
    Ok(lookups)
}

/// True for a change that names nothing but the person: "yes".
fn is_bare(sighting: &Sighting) -> bool {
    matches!(&sighting.says, Says::Change(c) if c.of == ChangeOf::OnlyOpenPending)
}
