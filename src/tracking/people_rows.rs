//! Writing what the clients' rows say, once their bookings are written.

use super::facts::{self, Laid, Told};
use super::gather::Gathered;
use super::people::Person;
use super::write::{Placed, Plan, Write};
use crate::domain::channel::{Channel, ClientStatus};
use crate::domain::person::Identity;
use crate::storage::clients::{ClientRow, Tally};
use crate::storage::sightings::Lookup;
use crate::storage::{Result, bookings, clients, leads, sightings};
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use uuid::Uuid;

/// What there is to write of one client.
#[derive(Default)]
struct News<'a> {
    /// What was told of them; `None` when something that was no longer is, so that everything has
    /// to be laid anew.
    told: Option<&'a [Told]>,
    /// The person, who may have gained an identity.
    person: Option<&'a Person>,
    /// When the bookings just told were made; empty when one of the client's bookings changed or
    /// moved, so that all have to be read again.
    booked: &'a [DateTime<Utc>],
    /// What the counters grow by.
    tally: Tally,
    /// It was made just now: it has no words yet.
    is_made: bool,
}

impl Write<'_, '_> {
    /// Lays the tellings over every client concerned, converts open leads, and removes a client
    /// that the tellings made and then left.
    pub(super) async fn write_people(
        &mut self,
        gathered: &Gathered,
        plan: &Plan<'_>,
    ) -> Result<()> {
        let Plan { placed, by_id, made, lost, .. } = plan;
        let mut tallies = plan.tallies.clone();
        let clients: BTreeSet<Uuid> = placed.iter().map(|b| b.client).collect();
        for client in lost.iter().filter(|c| !clients.contains(c)) {
            let tally = tallies.take(*client);
            if !self.remove_if_empty(*client).await? {
                self.write_client(*client, News { tally, ..News::default() }).await?;
            }
        }
        for (client, person) in gathered.people.gained().filter(|(c, _)| !clients.contains(c)) {
            let news = News { told: Some(&[]), person: Some(person), ..News::default() };
            self.write_client(client, news).await?;
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
            let recount = lost.contains(&client) || theirs().any(Placed::booked_otherwise);
            let booked = theirs().map(|b| b.resolved.fold.booked_at);
            let booked: Vec<DateTime<Utc>> = if recount { Vec::new() } else { booked.collect() };
            let is_made = made.contains(&client);
            let news = News {
                told: (!lost.contains(&client)).then_some(told.as_slice()),
                person: person.filter(|_| !is_made),
                booked: &booked,
                tally: tallies.take(client),
                is_made,
            };
            self.write_client(client, news).await?;
        }
        for (client, tally) in tallies.rest() {
            clients::count(self.conn, self.tenant, client, tally).await?;
        }
        Ok(())
    }

    /// Writes one client's row.
    async fn write_client(&mut self, client: Uuid, news: News<'_>) -> Result<()> {
        let Some(before) = clients::find(self.conn, self.tenant, client).await? else {
            return Ok(());
        };
        let mut row = before.clone();
        for identity in news.person.into_iter().flat_map(|p| &p.identities) {
            let value = match identity {
                Identity::Phone(_) => &mut row.phone,
                Identity::WhatsApp(_) => &mut row.whatsapp_id,
                Identity::Client(_) => continue,
            };
            value.get_or_insert_with(|| identity.value().into_owned());
        }
        let laid = news.told.map(|told| facts::lay(&mut row, told)).transpose()?;
        if laid != Some(Laid::Done) {
            self.lay_all(&mut row, client).await?;
        }
        self.count_bookings(&mut row, news.booked).await?;
        if row.status == ClientStatus::Inactive.as_str()
            && news.told.is_some_and(|told| !told.is_empty())
        {
            ClientStatus::Active.as_str().clone_into(&mut row.status);
        }
        if row != before || news.tally != Tally::default() {
            row.updated_at = self.now;
            let before = Some(&before).filter(|_| !news.is_made);
            clients::update(self.conn, self.tenant, before, &row, news.tally).await?;
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
        facts::bare(row)?;
        facts::lay(row, &told)?;
        Ok(())
    }

    /// A client's whole history is read only where a booking of it changed: the cost of a booking
    /// does not grow with the bookings before it.
    async fn count_bookings(
        &mut self,
        row: &mut ClientRow,
        booked: &[DateTime<Utc>],
    ) -> Result<()> {
        let fixed = facts::set_by_person(row)?.iter().any(|f| f == facts::FIRST_BOOKING);
        let first_set = row.first_booking_at.filter(|_| fixed);
        if let (Some(first), Some(last)) = (booked.iter().min(), booked.iter().max()) {
            row.first_booking_at = Some(row.first_booking_at.map_or(*first, |at| at.min(*first)));
            row.last_booking_at = Some(row.last_booking_at.map_or(*last, |at| at.max(*last)));
        } else {
            let range = bookings::booked_range(self.conn, self.tenant, row.id).await?;
            row.first_booking_at = range.map(|(first, _)| first);
            row.last_booking_at = range.map(|(_, last)| last);
        }
        if let Some(set) = first_set {
            row.first_booking_at = Some(set);
            row.last_booking_at = Some(row.last_booking_at.map_or(set, |at| at.max(set)));
        }
        Ok(())
    }

    /// Open leads with one of these identities become this client; answers when they first asked.
    pub(super) async fn convert_leads(
        &mut self,
        client: Uuid,
        identities: &[Identity],
    ) -> Result<Vec<Told>> {
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
        let touched = facts::is_a_persons(&row)? || row.status != ClientStatus::Active.as_str();
        if touched || clients::has_anything(self.conn, self.tenant, client).await? {
            return Ok(false);
        }
        leads::reopen(self.conn, self.tenant, client, self.now).await?;
        clients::delete(self.conn, self.tenant, client).await?;
        Ok(true)
    }
}
