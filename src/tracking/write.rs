//! Writing the difference between what the database holds and what the sightings come to.

use super::answer::BookingAnswer;
use super::facts::UNKNOWN;
use super::gather::{Gathered, keys};
use super::people::Person;
use super::resolve::{Resolution, Resolved, Seen};
use super::tallies::Tallies;
use crate::domain::channel::{BookingStatus, ClientStatus};
use crate::domain::ids;
use crate::domain::money::Currency;
use crate::domain::person::Identity;
use crate::domain::sighting::Sighting;
use crate::storage::bookings::BookingRow;
use crate::storage::clients::ClientRow;
use crate::storage::sightings::Lookup;
use crate::storage::{Conn, Error, Result, bookings, clients, joins, sightings};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// One write: the connection, whose data, and when.
pub(super) struct Write<'c, 'a> {
    pub(super) conn: &'a mut Conn<'c>,
    pub(super) tenant: Uuid,
    /// The tenant's: what clients spent is counted in it.
    pub(super) currency: Currency,
    pub(super) now: DateTime<Utc>,
}

/// Bookings that are written, and what is still to be written about them.
pub(super) struct Plan<'a> {
    pub(super) placed: Vec<Placed<'a>>,
    pub(super) by_id: BTreeMap<Uuid, &'a Seen>,
    /// Clients that did not exist before.
    pub(super) made: BTreeSet<Uuid>,
    /// Clients that a telling was of before and is no longer: what it said of them is void.
    pub(super) lost: BTreeSet<Uuid>,
    /// What the clients' counters are to grow by.
    pub(super) tallies: Tallies,
    /// The client of each person who has one by now.
    of_person: BTreeMap<u32, Uuid>,
}

impl Plan<'_> {
    /// The client of a person, known or just made.
    pub(super) fn client_of(&self, gathered: &Gathered, person: u32) -> Option<Uuid> {
        let known = || gathered.people.get(person)?.client;
        self.of_person.get(&person).copied().or_else(known)
    }

    /// The bookings that were not confirmed before, or not there.
    pub(super) fn confirmed(&self) -> Vec<BookingAnswer> {
        let confirmed = BookingStatus::Confirmed;
        let now = self.placed.iter().filter(|b| b.resolved.fold.status == confirmed);
        let was =
            |b: &Placed<'_>| b.before.as_ref().is_some_and(|row| row.status == confirmed.as_str());
        let new = now.filter(|b| !was(b));
        new.filter_map(|b| self.booking_of(*b.resolved.members.first()?)).collect()
    }

    /// The booking of each sighting.
    pub(super) fn booking_of(&self, sighting: Uuid) -> Option<BookingAnswer> {
        let placed = self.placed.iter().find(|b| b.resolved.members.contains(&sighting))?;
        Some(BookingAnswer {
            booking_id: placed.id,
            client_id: placed.client,
            is_new_client: self.made.contains(&placed.client),
        })
    }
}

/// A booking on its way into the database.
pub(super) struct Placed<'a> {
    pub(super) resolved: &'a Resolved,
    id: Uuid,
    pub(super) client: Uuid,
    /// The row as it was, when there was one.
    pub(super) before: Option<BookingRow>,
}

impl Placed<'_> {
    /// True when the client's rows said otherwise when something was booked, or how often.
    pub(super) fn booked_otherwise(&self) -> bool {
        let fold = &self.resolved.fold;
        let differs = |b: &BookingRow| b.booked_at != fold.booked_at || b.client_id != self.client;
        !self.resolved.folded.is_empty() || self.before.as_ref().is_some_and(differs)
    }
}

impl Write<'_, '_> {
    /// Writes the clients that are new, and the bookings: everything that does not refer to the
    /// event, so that the event can be stored with its final answer.
    pub(super) async fn bookings<'r>(
        &mut self,
        gathered: &'r Gathered,
        resolution: &'r Resolution,
    ) -> Result<Plan<'r>> {
        for (gone, stays) in &gathered.joined {
            joins::absorb(self.conn, self.tenant, *gone, *stays, self.now).await?;
        }
        for (client, person) in gathered.people.gained() {
            self.give_identities(client, person).await?;
        }
        let by_id = gathered.seen.iter().map(|s| (s.sighting.id, s)).collect();
        let (made, of_person, placed) = self.place(gathered, resolution, &by_id).await?;
        let folded = self.folded(&placed).await?;
        let mut lost = lost(&placed, &folded, &by_id);
        lost.extend(gathered.joined.iter().map(|(_, stays)| *stays));
        let rows: Vec<_> = placed.iter().map(|b| (b, self.booking_row(b))).collect();
        let tallies = Tallies::of(&rows, &folded, self.currency);
        drop(rows);
        self.write_bookings(&placed, &by_id).await?;
        Ok(Plan { placed, by_id, made, lost, tallies, of_person })
    }

    /// Writes what follows from the bookings, once the event is stored: its sightings, mappings,
    /// what is proposed, lead conversions, and what the clients' rows say.
    pub(super) async fn rest(
        &mut self,
        gathered: &Gathered,
        plan: &Plan<'_>,
        fresh: &[Sighting],
        event: Uuid,
    ) -> Result<()> {
        self.write_sightings(plan, fresh).await?;
        for booking in &plan.placed {
            let members = booking.resolved.members.iter().filter_map(|m| plan.by_id.get(m));
            let members: Vec<&Sighting> = members.map(|seen| &seen.sighting).collect();
            self.write_mappings(booking.client, &members, &plan.lost).await?;
        }
        self.read_accounts_again(&plan.lost).await?;
        self.propose_people(gathered, plan, event).await?;
        self.write_people(gathered, plan).await
    }

    /// The bookings that proved to be another one.
    async fn folded(&mut self, placed: &[Placed<'_>]) -> Result<BTreeMap<Uuid, BookingRow>> {
        let mut folded = BTreeMap::new();
        for id in placed.iter().flat_map(|b| &b.resolved.folded) {
            let row = bookings::find(self.conn, self.tenant, *id).await?;
            folded.extend(row.map(|row| (*id, row)));
        }
        Ok(folded)
    }

    /// Finds the row and the client of every booking, making the clients that are new.
    async fn place<'r>(
        &mut self,
        gathered: &Gathered,
        resolution: &'r Resolution,
        by_id: &BTreeMap<Uuid, &Seen>,
    ) -> Result<(BTreeSet<Uuid>, BTreeMap<u32, Uuid>, Vec<Placed<'r>>)> {
        let (mut made, mut of_person) = (BTreeSet::new(), BTreeMap::new());
        let mut placed = Vec::new();
        for resolved in &resolution.bookings {
            let person = resolved.fold.person.and_then(|number| gathered.people.get(number));
            let (number, person) = resolved
                .fold
                .person
                .zip(person)
                .ok_or(Error::Inconsistent { table: "booking_sightings", column: "person_key" })?;
            let client = match (person.client, of_person.get(&number)) {
                (Some(client), _) | (None, Some(&client)) => client,
                (None, None) => {
                    let client = self.make_client(person, resolved, by_id).await?;
                    self.give_identities(client, person).await?;
                    made.insert(client);
                    client
                }
            };
            of_person.insert(number, client);
            let before = match resolved.id {
                Some(id) => bookings::find(self.conn, self.tenant, id).await?,
                None => None,
            };
            let id = before.as_ref().map_or_else(|| ids::new(self.now), |row| row.id);
            placed.push(Placed { resolved, id, client, before });
        }
        Ok((made, of_person, placed))
    }

    pub(super) async fn give_identities(&mut self, client: Uuid, person: &Person) -> Result<()> {
        let own = |identity: &&Identity| !matches!(identity, Identity::Client(_));
        for identity in person.fresh.iter().filter(own) {
            clients::insert_identity(self.conn, self.tenant, client, identity, self.now).await?;
        }
        Ok(())
    }

    /// A bare client; its fields are laid on once its bookings are written.
    async fn make_client(
        &mut self,
        person: &Person,
        resolved: &Resolved,
        by_id: &BTreeMap<Uuid, &Seen>,
    ) -> Result<Uuid> {
        let id = ids::new(self.now);
        let value = |kind| {
            person.identities.iter().find(|i| i.kind() == kind).map(|i| i.value().into_owned())
        };
        let first = resolved.members.first().and_then(|m| by_id.get(m));
        let at = first.map_or(self.now, |seen| seen.sighting.order.event_time);
        let row = ClientRow {
            id,
            phone: value("phone"),
            whatsapp_id: value("whatsapp"),
            first_name: UNKNOWN.to_owned(),
            last_name: String::new(),
            email: None,
            status: ClientStatus::Active.as_str().to_owned(),
            first_interaction_source: resolved.fold.source.as_str().to_owned(),
            first_interaction_at: at,
            first_booking_at: None,
            last_booking_at: None,
            provenance: "{}".to_owned(),
            set_by_person: "[]".to_owned(),
            bookings_count: 0,
            spent_minor: 0,
            version: 1,
            created_at: self.now,
            updated_at: self.now,
        };
        clients::insert(self.conn, self.tenant, &row).await?;
        Ok(id)
    }

    /// Bookings that proved to be one are folded first, then rows change, then new ones come:
    /// so no unique index is in the way. Links between bookings come last.
    async fn write_bookings(
        &mut self,
        placed: &[Placed<'_>],
        by_id: &BTreeMap<Uuid, &Seen>,
    ) -> Result<()> {
        for booking in placed {
            for folded in &booking.resolved.folded {
                self.fold_booking(booking, *folded, by_id).await?;
            }
        }
        let mut links = Vec::new();
        for new in [false, true] {
            for booking in placed.iter().filter(|b| b.before.is_none() == new) {
                let row = self.booking_row(booking);
                let other = booking.resolved.duplicate_of.and_then(|place| placed.get(place));
                match &booking.before {
                    None => bookings::insert(self.conn, self.tenant, &row).await?,
                    Some(before) if same(before, &row, other.map(|o| o.id)) => continue,
                    Some(before) => {
                        bookings::update(self.conn, self.tenant, &row).await?;
                        if before.client_id != row.client_id {
                            let (id, client) = (row.id, row.client_id);
                            sightings::give(self.conn, self.tenant, id, client).await?;
                        }
                    }
                }
                links.extend(other.map(|other| (row, other.id)));
            }
        }
        for (row, other) in links {
            let row = BookingRow { possible_duplicate_of: Some(other), ..row };
            bookings::update(self.conn, self.tenant, &row).await?;
        }
        Ok(())
    }

    /// Moves the sightings of a booking that proved to be another, then removes it.
    async fn fold_booking(
        &mut self,
        booking: &Placed<'_>,
        folded: Uuid,
        by_id: &BTreeMap<Uuid, &Seen>,
    ) -> Result<()> {
        let to = booking.before.as_ref().map(|row| (row.id, booking.client));
        for seen in by_id.values().filter(|s| s.sighting.booking_id == Some(folded)) {
            sightings::assign(self.conn, self.tenant, seen.sighting.id, to).await?;
        }
        bookings::fold_into(self.conn, self.tenant, folded, booking.id, self.now).await
    }

    fn booking_row(&self, booking: &Placed<'_>) -> BookingRow {
        let fold = &booking.resolved.fold;
        let (provider, reference) = fold.reference();
        let flags: &[&str] = if fold.impossible_change { &["impossible_change"] } else { &[] };
        BookingRow {
            id: booking.id,
            client_id: booking.client,
            booking_at: fold.start,
            service_name: fold.service_name.clone(),
            service_key: fold.service_key.clone(),
            service_category: fold.service_category.clone(),
            duration_minutes: fold.duration.map(i64::from),
            staff_member: fold.staff_member.clone(),
            amount_minor: fold.price.map(|p| p.minor),
            currency: fold.price.map(|p| p.currency.as_str().to_owned()),
            status: fold.status.as_str().to_owned(),
            payment_status: fold.payment_status.as_str().to_owned(),
            source: fold.source.as_str().to_owned(),
            provider: provider.map(ToOwned::to_owned),
            external_booking_id: reference.map(ToOwned::to_owned),
            origin_key: booking.resolved.origin.clone(),
            notes: fold.notes.clone(),
            possible_duplicate_of: None,
            flags: serde_json::to_string(flags).unwrap_or_default(),
            booked_at: fold.booked_at,
            version: booking.before.as_ref().map_or(1, |b| b.version),
            created_at: booking.before.as_ref().map_or(self.now, |b| b.created_at),
            updated_at: self.now,
        }
    }

    /// Stores the new sightings, and moves those that belong elsewhere now. An event whose waiting
    /// change found its booking is settled.
    async fn write_sightings(&mut self, plan: &Plan<'_>, fresh: &[Sighting]) -> Result<()> {
        let booking_of = |id: Uuid| plan.booking_of(id).map(|b| (b.booking_id, b.client_id));
        for sighting in fresh {
            let (booking_id, client) = booking_of(sighting.id).unzip();
            let row = Sighting { booking_id, ..sighting.clone() };
            let found_by = (&keys(&row), client);
            sightings::insert(self.conn, self.tenant, &row, found_by, self.now).await?;
        }
        let known = plan.by_id.values().map(|seen| &seen.sighting);
        for old in known.filter(|old| !fresh.iter().any(|s| s.id == old.id)) {
            let booking = booking_of(old.id);
            if booking.map(|(id, _)| id) == old.booking_id {
                continue;
            }
            sightings::assign(self.conn, self.tenant, old.id, booking).await?;
            if old.booking_id.is_none() && !self.waits(old.event_id).await? {
                self.settle_waiting(old.event_id).await?;
            }
        }
        Ok(())
    }

    /// True while a sighting of the event has no booking.
    async fn waits(&mut self, event: Uuid) -> Result<bool> {
        let told = sightings::list(self.conn, self.tenant, &Lookup::Event(event)).await?;
        Ok(told.iter().any(|s| s.booking_id.is_none()))
    }
}

/// The clients that tellings were of before, by the booking they belonged to, and are not now.
fn lost(
    placed: &[Placed<'_>],
    folded: &BTreeMap<Uuid, BookingRow>,
    by_id: &BTreeMap<Uuid, &Seen>,
) -> BTreeSet<Uuid> {
    let rows = placed.iter().filter_map(|b| b.before.as_ref());
    let mut owner: BTreeMap<Uuid, Uuid> = rows.map(|row| (row.id, row.client_id)).collect();
    owner.extend(folded.iter().map(|(id, row)| (*id, row.client_id)));
    let before = |member: &Uuid| by_id.get(member)?.sighting.booking_id;
    let lost = placed.iter().flat_map(|booking| {
        let owners = booking.resolved.members.iter().filter_map(before);
        let owners = owners.filter_map(|id| owner.get(&id).copied());
        owners.filter(|client| *client != booking.client)
    });
    lost.collect()
}

/// True when writing the row would change nothing but its time.
fn same(before: &BookingRow, row: &BookingRow, duplicate_of: Option<Uuid>) -> bool {
    let row = BookingRow {
        possible_duplicate_of: duplicate_of,
        updated_at: before.updated_at,
        ..row.clone()
    };
    *before == row
}
