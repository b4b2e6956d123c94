//! Removing what was seeded, and nothing else: whatever a real delivery or a person made stays.

use super::super::gather::{Stopped, gather, telling};
use super::super::write::Write;
use super::super::{Tracker, Trouble};
use crate::domain::sighting::Sighting;
use crate::domain::tenant::TenantSettings;
use crate::storage::seeds::{self, Kind, Seeds};
use crate::storage::sightings::{self, Lookup};
use crate::storage::{Conn, Result, audit, bookings, clients, locks};
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use uuid::Uuid;

/// What cleaning came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// How many seeded clients were removed.
    pub clients: usize,
    /// How many seeded bookings were removed.
    pub bookings: usize,
    /// How many seeded leads were removed.
    pub leads: usize,
    /// Seeded clients who really booked: they stay, with what they really booked.
    pub kept_clients: Vec<Uuid>,
    /// Seeded leads that really wrote: they stay.
    pub kept_leads: Vec<Uuid>,
}

/// One transaction that cleans a tenant.
struct Cleaning<'c, 'a> {
    conn: &'a mut Conn<'c>,
    tenant: &'a TenantSettings,
    now: DateTime<Utc>,
    seeds: Seeds,
    /// The events that are made up.
    told: BTreeSet<Uuid>,
    /// Events of people's own changes to what goes: they go as well.
    edits: BTreeSet<Uuid>,
    done: Cleaned,
}

impl Tracker {
    /// Removes everything that was seeded, in one transaction, also where people changed it. A
    /// seeded client who really booked stays, with that booking alone.
    ///
    /// # Errors
    /// When the database fails; nothing is done then.
    pub async fn clean(&self, tenant: &TenantSettings, actor: &str) -> Result<Cleaned> {
        let mut locked = BTreeSet::new();
        self.in_one(&mut locked, async |locked| self.try_clean(tenant, actor, locked).await).await
    }

    async fn try_clean(
        &self,
        tenant: &TenantSettings,
        actor: &str,
        locked: &BTreeSet<String>,
    ) -> std::result::Result<Cleaned, Trouble> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let conn = &mut tx.conn();
        let seeds = seeds::list_with_converted(conn, tenant.id).await?;
        if seeds.is_empty() {
            return Ok(Cleaned::default());
        }
        let mut wanted = known_by(conn, tenant.id, &seeds).await?;
        wanted.extend(locked.iter().cloned());
        let names: Vec<String> = wanted.iter().cloned().collect();
        locks::lock(conn, tenant.id, &names).await?;
        let told = seeds.of(Kind::Event).collect();
        let (edits, done) = (BTreeSet::new(), Cleaned::default());
        let mut cleaning = Cleaning { conn, tenant, now, seeds, told, edits, done };
        cleaning.bookings().await?;
        cleaning.leads().await?;
        cleaning.clients(&wanted).await?;
        cleaning.events().await?;
        let done = cleaning.done;
        seeds::forget(conn, tenant.id).await?;
        let (id, action) = (tenant.id.to_string(), "tenant.cleaned");
        audit::note(conn, tenant.id, actor, action, "tenant", &id, None, now).await?;
        tx.commit().await?;
        Ok(done)
    }
}

/// Everything that the seeded clients are known by now.
async fn known_by(conn: &mut Conn<'_>, tenant: Uuid, seeds: &Seeds) -> Result<BTreeSet<String>> {
    let mut keys = BTreeSet::new();
    for id in seeds.of(Kind::Client) {
        let client = seeds::client_now(conn, tenant, id).await?;
        let known = clients::list_identities(conn, tenant, client).await?;
        keys.extend(known.iter().map(|known| format!("{}:{}", known.kind, known.value)));
    }
    Ok(keys)
}

impl Cleaning<'_, '_> {
    /// Takes back what the made-up events told. A booking that a real one told as well stays.
    async fn bookings(&mut self) -> Result<()> {
        let tenant = self.tenant.id;
        let mut found: BTreeSet<Uuid> = BTreeSet::new();
        for event in self.told.clone() {
            let told = sightings::list(self.conn, tenant, &Lookup::Event(event)).await?;
            found.extend(told.iter().filter_map(|one| one.booking_id));
        }
        for id in self.seeds.of(Kind::Booking).collect::<Vec<_>>() {
            // Told as another booking since, or erased with its person.
            found.extend(bookings::find(self.conn, tenant, id).await?.map(|row| row.id));
        }
        for booking in found {
            let members = sightings::list(self.conn, tenant, &Lookup::Booking(booking)).await?;
            if members.iter().any(|one| self.is_real(one)) {
                continue;
            }
            self.edits.extend(members.iter().map(|one| one.event_id));
            seeds::delete_booking(self.conn, tenant, booking).await?;
            self.done.bookings += 1;
        }
        for event in self.told.clone() {
            seeds::untell(self.conn, tenant, event).await?;
        }
        Ok(())
    }

    /// True for a telling of a whole booking that nobody made up.
    fn is_real(&self, one: &Sighting) -> bool {
        !self.told.contains(&one.event_id) && telling(one).is_some()
    }

    async fn leads(&mut self) -> Result<()> {
        for lead in self.seeds.of(Kind::Lead).collect::<Vec<_>>() {
            if seeds::delete_lead(self.conn, self.tenant.id, lead).await? {
                self.done.leads += 1;
            } else {
                self.done.kept_leads.push(lead);
            }
        }
        Ok(())
    }

    async fn clients(&mut self, locked: &BTreeSet<String>) -> std::result::Result<(), Trouble> {
        let tenant = self.tenant.id;
        for mapping in self.seeds.of(Kind::Mapping).collect::<Vec<_>>() {
            seeds::delete_mapping(self.conn, tenant, mapping).await?;
        }
        for id in self.seeds.of(Kind::Client).collect::<Vec<_>>() {
            let client = seeds::client_now(self.conn, tenant, id).await?;
            let booked = seeds::bookings_of(self.conn, tenant, client).await? > 0;
            if booked || seeds::was_joined(self.conn, tenant, client).await? {
                self.lay_anew(client, locked).await?;
                self.done.kept_clients.push(client);
                continue;
            }
            seeds::detach_client(self.conn, tenant, client).await?;
            clients::delete(self.conn, tenant, client).await?;
            self.done.clients += 1;
        }
        Ok(())
    }

    /// Lets a client and what it really booked say only what was really told.
    async fn lay_anew(
        &mut self,
        client: Uuid,
        locked: &BTreeSet<String>,
    ) -> std::result::Result<(), Trouble> {
        let (tenant, now) = (self.tenant.id, self.now);
        let told = sightings::list(self.conn, tenant, &Lookup::Client(client)).await?;
        let currency = self.tenant.currency;
        let Some(event) = told.first().map(|one| one.event_id) else {
            return Ok(seeds::recount(self.conn, tenant, client, currency.as_str()).await?);
        };
        let gathered = gather(self.conn, tenant, &told, &[], locked).await;
        let (gathered, resolution) = gathered.map_err(|stopped| match stopped {
            Stopped::Storage(error) => Trouble::Storage(error),
            Stopped::Relock(more) => Trouble::Relock(more),
            Stopped::TooMany => Trouble::Relock(BTreeSet::new()),
        })?;
        let mut write = Write { conn: self.conn, tenant, currency, now };
        let mut plan = write.bookings(&gathered, &resolution).await?;
        plan.lost.insert(client);
        write.rest(&gathered, &plan, &[], event).await?;
        Ok(seeds::recount(self.conn, tenant, client, currency.as_str()).await?)
    }

    /// Removes the made-up events, and people's own changes to what is gone.
    async fn events(&mut self) -> Result<()> {
        let all: BTreeSet<Uuid> = self.told.union(&self.edits).copied().collect();
        for event in all {
            seeds::delete_event(self.conn, self.tenant.id, event).await?;
        }
        Ok(())
    }
}
