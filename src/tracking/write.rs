//! Writing the difference between what the database holds and what the sightings come to.

use super::answer::BookingAnswer;
use super::facts::{self, Laid, Told, UNKNOWN};
use super::gather::{Gathered, keys, telling};
use super::people::Person;
use super::resolve::{Resolution, Resolved, Seen};
use crate::domain::booking::ExternalClient;
use crate::domain::channel::{Channel, ClientStatus};
use crate::domain::ids;
use crate::domain::person::Identity;
use crate::domain::sighting::Sighting;
use crate::storage::bookings::BookingRow;
use crate::storage::clients::ClientRow;
use crate::storage::sightings::Lookup;
use crate::storage::{Conn, Error, Result, bookings, clients, events, leads, mappings, sightings};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// One write: the connection, whose data, and when.
pub(super) struct Write<'c, 'a> {
    pub(super) conn: &'a mut Conn<'c>,
    pub(super) tenant: Uuid,
    pub(super) now: DateTime<Utc>,
}

/// Bookings that are written, and what is still to be written about them.
pub(super) struct Plan<'a> {
    placed: Vec<Placed<'a>>,
    by_id: BTreeMap<Uuid, &'a Seen>,
    /// Clients that did not exist before.
    made: BTreeSet<Uuid>,
}

impl Plan<'_> {
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
struct Placed<'a> {
    resolved: &'a Resolved,
    id: Uuid,
    client: Uuid,
    /// The row as it was, when there was one.
    before: Option<BookingRow>,
}

impl Placed<'_> {
    /// The client it was another's before it proved to be this one's.
    /// True when the row says otherwise when it was booked, or by whom.
    fn booked_otherwise(&self) -> bool {
        let fold = &self.resolved.fold;
        self.before
            .as_ref()
            .is_some_and(|b| b.booked_at != fold.booked_at || b.client_id != self.client)
    }

    fn left(&self) -> Option<Uuid> {
        self.before.as_ref().map(|b| b.client_id).filter(|client| *client != self.client)
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
        let by_id = gathered.seen.iter().map(|s| (s.sighting.id, s)).collect();
        let (made, placed) = self.place(gathered, resolution, &by_id).await?;
        self.write_bookings(&placed, &by_id).await?;
        Ok(Plan { placed, by_id, made })
    }

    /// Writes what follows from the bookings, once the event is stored: its sightings, mappings,
    /// lead conversions, and what the clients' rows say.
    pub(super) async fn rest(
        &mut self,
        gathered: &Gathered,
        plan: &Plan<'_>,
        fresh: &[Sighting],
    ) -> Result<()> {
        self.write_sightings(plan, fresh).await?;
        for booking in &plan.placed {
            let members = booking.resolved.members.iter().filter_map(|m| plan.by_id.get(m));
            let members: Vec<&Sighting> = members.map(|seen| &seen.sighting).collect();
            self.write_mappings(booking, &members).await?;
        }
        self.write_people(gathered, plan).await
    }

    /// Finds the row and the client of every booking, making the clients that are new.
    async fn place<'r>(
        &mut self,
        gathered: &Gathered,
        resolution: &'r Resolution,
        by_id: &BTreeMap<Uuid, &Seen>,
    ) -> Result<(BTreeSet<Uuid>, Vec<Placed<'r>>)> {
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
                    made.insert(client);
                    client
                }
            };
            if of_person.insert(number, client).is_none() {
                for identity in &person.fresh {
                    let at = self.now;
                    clients::insert_identity(self.conn, self.tenant, client, identity, at).await?;
                }
            }
            let before = match resolved.id {
                Some(id) => bookings::find(self.conn, self.tenant, id).await?,
                None => None,
            };
            let id = before.as_ref().map_or_else(|| ids::new(self.now), |row| row.id);
            placed.push(Placed { resolved, id, client, before });
        }
        Ok((made, placed))
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
            person.identities.iter().find(|i| i.kind() == kind).map(|i| i.value().to_owned())
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
                    Some(_) => bookings::update(self.conn, self.tenant, &row).await?,
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
        let to = booking.before.as_ref().map(|row| row.id);
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
            created_at: booking.before.as_ref().map_or(self.now, |b| b.created_at),
            updated_at: self.now,
        }
    }

    /// Stores the new sightings, and moves those that belong elsewhere now. An event whose waiting
    /// change found its booking is settled.
    async fn write_sightings(&mut self, plan: &Plan<'_>, fresh: &[Sighting]) -> Result<()> {
        let booking_of = |id: Uuid| plan.booking_of(id).map(|b| b.booking_id);
        for sighting in fresh {
            let row = Sighting { booking_id: booking_of(sighting.id), ..sighting.clone() };
            sightings::insert(self.conn, self.tenant, &row, &keys(&row), self.now).await?;
        }
        let known = plan.by_id.values().map(|seen| &seen.sighting);
        for old in known.filter(|old| !fresh.iter().any(|s| s.id == old.id)) {
            let booking = booking_of(old.id);
            if booking == old.booking_id {
                continue;
            }
            sightings::assign(self.conn, self.tenant, old.id, booking).await?;
            if old.booking_id.is_none() && !self.waits(old.event_id).await? {
                events::settle(self.conn, self.tenant, old.event_id, self.now).await?;
            }
        }
        Ok(())
    }

    /// True while a sighting of the event has no booking.
    async fn waits(&mut self, event: Uuid) -> Result<bool> {
        let told = sightings::list(self.conn, self.tenant, &Lookup::Event(event)).await?;
        Ok(told.iter().any(|s| s.booking_id.is_none()))
    }

    /// The accounts told with a booking become its client's, unless another client has them.
    async fn write_mappings(&mut self, booking: &Placed<'_>, members: &[&Sighting]) -> Result<()> {
        let accounts = members.iter().filter_map(|m| telling(m)?.account.clone());
        let mut accounts: Vec<ExternalClient> = accounts.collect();
        accounts.dedup();
        for account in accounts {
            let rows = mappings::find_by_external_id(
                self.conn, self.tenant, &account.provider, &account.client_id,
            );
            let rows = rows.await?;
            let fits = |row: &&mappings::MappingRow| {
                row.business_id == account.business_id
                    || row.business_id.is_empty()
                    || account.business_id.is_empty()
            };
            let exact = rows.iter().find(|row| row.business_id == account.business_id);
            match exact.or_else(|| rows.iter().find(fits)) {
                Some(row) => self.keep_mapping(booking, row, &account).await?,
                None => {
                    let (tenant, client) = (self.tenant, booking.client);
                    mappings::insert(self.conn, tenant, client, &account, self.now).await?;
                }
            }
        }
        Ok(())
    }

    /// Fills what a known mapping didn't know, and takes it along when its booking moved to
    /// another client. One that is somebody else's is left.
    async fn keep_mapping(
        &mut self,
        booking: &Placed<'_>,
        row: &mappings::MappingRow,
        account: &ExternalClient,
    ) -> Result<()> {
        let (tenant, now) = (self.tenant, self.now);
        let theirs = row.client_id == booking.client;
        if !theirs && booking.left() != Some(row.client_id) {
            tracing::warn!(%tenant, client = %booking.client, other = %row.client_id,
                "an external client id belongs to another client; the mapping is left");
            return Ok(());
        }
        if !theirs {
            mappings::move_to(self.conn, tenant, row.id, booking.client, now).await?;
        }
        let or = |known: &str, told: &str| {
            if known.is_empty() { told.to_owned() } else { known.to_owned() }
        };
        let business = or(&row.business_id, &account.business_id);
        let branch = or(&row.branch_id, &account.branch_id);
        if business != row.business_id || branch != row.branch_id {
            mappings::fill(self.conn, tenant, row.id, &business, &branch, now).await?;
        }
        Ok(())
    }

    /// Lays the tellings over every client concerned, converts open leads, and removes a client
    /// that the tellings made and then left.
    async fn write_people(&mut self, gathered: &Gathered, plan: &Plan<'_>) -> Result<()> {
        let Plan { placed, by_id, made } = plan;
        let clients: BTreeSet<Uuid> = placed.iter().map(|b| b.client).collect();
        let left: BTreeSet<Uuid> = placed.iter().filter_map(Placed::left).collect();
        for client in left.iter().filter(|c| !clients.contains(c)) {
            if !self.remove_if_empty(*client).await? {
                self.write_client(*client, &[], None, &[]).await?;
            }
        }
        for client in clients {
            let theirs = || placed.iter().filter(|b| b.client == client);
            let number = theirs().find_map(|b| b.resolved.fold.person);
            let person = number.and_then(|n| gathered.people.get(n));
            let mut told: Vec<Told> = theirs()
                .flat_map(|b| &b.resolved.members)
                .filter_map(|m| Told::of(&by_id.get(m)?.sighting))
                .collect();
            if let Some(person) = person {
                told.extend(self.convert_leads(client, &person.identities).await?);
            }
            let recount = left.contains(&client) || theirs().any(Placed::booked_otherwise);
            let booked = theirs().map(|b| b.resolved.fold.booked_at);
            let booked: Vec<DateTime<Utc>> = if recount { Vec::new() } else { booked.collect() };
            let fresh = person.filter(|_| !made.contains(&client));
            self.write_client(client, &told, fresh, &booked).await?;
        }
        Ok(())
    }

    /// Writes one client's row. `booked` is when the bookings just told were made; empty when one
    /// of the client's bookings changed or moved, so that all have to be read again.
    async fn write_client(
        &mut self,
        client: Uuid,
        told: &[Told],
        person: Option<&Person>,
        booked: &[DateTime<Utc>],
    ) -> Result<()> {
        let Some(before) = clients::find(self.conn, self.tenant, client).await? else {
            return Ok(());
        };
        let mut row = before.clone();
        for identity in person.into_iter().flat_map(|p| &p.fresh) {
            match identity {
                Identity::Phone(p) => row.phone.get_or_insert_with(|| p.as_str().to_owned()),
                Identity::WhatsApp(id) => {
                    row.whatsapp_id.get_or_insert_with(|| id.as_str().to_owned())
                }
            };
        }
        if facts::lay(&mut row, told) == Laid::NeedsAll || told.is_empty() {
            self.lay_all(&mut row, client).await?;
        }
        self.count_bookings(&mut row, booked).await?;
        if row.status == ClientStatus::Inactive.as_str() && !told.is_empty() {
            ClientStatus::Active.as_str().clone_into(&mut row.status);
        }
        if row != before {
            row.updated_at = self.now;
            clients::update(self.conn, self.tenant, &row).await?;
        }
        Ok(())
    }

    /// Lays every telling of the client's bookings, and the leads that became it, on a bare row.
    async fn lay_all(&mut self, row: &mut ClientRow, client: Uuid) -> Result<()> {
        let all = sightings::list(self.conn, self.tenant, &Lookup::Client(client)).await?;
        let mut told: Vec<Told> = all.iter().filter_map(Told::of).collect();
        for lead in leads::list_by_client(self.conn, self.tenant, client).await? {
            let source = lead.source.parse().unwrap_or(Channel::Web);
            told.push(Told::asked(lead.first_interaction_at, source));
        }
        facts::bare(row);
        facts::lay(row, &told);
        Ok(())
    }

    /// A client's whole history is read only where a booking of it changed: the cost of a booking
    /// does not grow with the bookings before it.
    async fn count_bookings(
        &mut self,
        row: &mut ClientRow,
        booked: &[DateTime<Utc>],
    ) -> Result<()> {
        if let (Some(first), Some(last)) = (booked.iter().min(), booked.iter().max()) {
            row.first_booking_at = Some(row.first_booking_at.map_or(*first, |at| at.min(*first)));
            row.last_booking_at = Some(row.last_booking_at.map_or(*last, |at| at.max(*last)));
            return Ok(());
        }
        let range = bookings::booked_range(self.conn, self.tenant, row.id).await?;
        row.first_booking_at = range.map(|(first, _)| first);
        row.last_booking_at = range.map(|(_, last)| last);
        Ok(())
    }

    /// Open leads with one of these identities become this client; answers when they first asked.
    async fn convert_leads(&mut self, client: Uuid, identities: &[Identity]) -> Result<Vec<Told>> {
        let mut asked = Vec::new();
        for identity in identities {
            if let Some(lead) = leads::find_open(self.conn, self.tenant, identity).await? {
                leads::convert(self.conn, self.tenant, lead.id, client, self.now).await?;
                let source = lead.source.parse().unwrap_or(Channel::Web);
                asked.push(Told::asked(lead.first_interaction_at, source));
            }
        }
        Ok(asked)
    }

    /// Removes a client that has neither booking nor mapping and that nobody has touched.
    async fn remove_if_empty(&mut self, client: Uuid) -> Result<bool> {
        let Some(row) = clients::find(self.conn, self.tenant, client).await? else {
            return Ok(true);
        };
        let touched = row.set_by_person != "[]" || row.status != ClientStatus::Active.as_str();
        if touched || clients::has_anything(self.conn, self.tenant, client).await? {
            return Ok(false);
        }
        leads::reopen(self.conn, self.tenant, client, self.now).await?;
        clients::delete(self.conn, self.tenant, client).await?;
        Ok(true)
    }
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
