//! Made-up customers to try a tenant out with: told as events like any others, so that whatever
//! reads clients and bookings finds them as it finds real ones, and removed without a trace.

mod clean;
mod sample;

pub use clean::Cleaned;

use super::attempts::ATTEMPTS;
use super::facts;
use super::work::Work;
use super::{Step, Taken, Tracker, Trouble};
use crate::domain::booking::{ExternalClient, UnifiedBookingData};
use crate::domain::channel::{BookingStatus, ClientStatus, InteractionKind};
use crate::domain::ids;
use crate::domain::person::Identity;
use crate::domain::phone::Phone;
use crate::domain::tenant::TenantSettings;
use crate::sources::api::{self, BY_HAND};
use crate::sources::{Mapped, Telling};
use crate::storage::clients::ClientRow;
use crate::storage::lead_records::{self, LeadRecord};
use crate::storage::seeds::{self, Kind, Seeds};
use crate::storage::{Conn, Error, Result, audit, clients, leads, locks, mappings, words};
use chrono::{DateTime, TimeDelta, Utc};
use sample::{Asker, Customer};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// What seeding came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seeded {
    /// True when the tenant had seeded rows already: nothing was done.
    pub was_there: bool,
    /// How many of its clients are seeded now.
    pub clients: usize,
    /// How many of its bookings.
    pub bookings: usize,
    /// How many of its leads.
    pub leads: usize,
    /// Phones that real people have: they were left alone.
    pub taken: Vec<String>,
}

/// Whom the events are for, and when all of it is done.
struct Seeding<'a> {
    tenant: &'a Arc<TenantSettings>,
    now: DateTime<Utc>,
    seeded: Seeded,
}

impl Tracker {
    /// Makes six customers with seventeen bookings over sixty days, and three leads, in one
    /// transaction. Where that was done before, nothing is.
    ///
    /// # Errors
    /// When the database fails; nothing is done then.
    pub async fn seed(&self, tenant: &Arc<TenantSettings>, actor: &str) -> Result<Seeded> {
        let mut locked = BTreeSet::new();
        self.in_one(&mut locked, async |locked| self.try_seed(tenant, actor, locked).await).await
    }

    /// Runs a transaction until it is through: again with more locks, and when another was in
    /// the way.
    async fn in_one<T>(
        &self,
        locked: &mut BTreeSet<String>,
        run: impl AsyncFn(&BTreeSet<String>) -> std::result::Result<T, Trouble>,
    ) -> Result<T> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match run(locked).await {
                Ok(done) => return Ok(done),
                Err(Trouble::Relock(more)) if attempt < ATTEMPTS => locked.extend(more),
                Err(Trouble::Storage(error)) if error.is_conflict() && attempt < ATTEMPTS => {
                    tokio::time::sleep(Duration::from_millis(2 << attempt.min(6))).await;
                }
                Err(Trouble::Storage(error)) => return Err(error),
                // What is told here is ours, and nobody's to refuse.
                Err(Trouble::Relock(_) | Trouble::Track(_)) => {
                    return Err(Error::Inconsistent { table: "booking_sightings", column: "says" });
                }
            }
        }
    }

    async fn try_seed(
        &self,
        tenant: &Arc<TenantSettings>,
        actor: &str,
        locked: &BTreeSet<String>,
    ) -> std::result::Result<Seeded, Trouble> {
        let now = self.clock.now();
        let (customers, askers) = (sample::customers(tenant, now), sample::askers(now));
        let mut tx = self.db.begin().await?;
        let conn = &mut tx.conn();
        let phones = customers.iter().map(|c| &c.phone).chain(askers.iter().map(|a| &a.phone));
        let mut names: BTreeSet<String> = phones.map(|phone| identity(phone).key()).collect();
        names.extend(locked.iter().cloned());
        names.extend(self.all_locks(tenant, now)?);
        let names: Vec<String> = names.into_iter().collect();
        locks::lock(conn, tenant.id, &names).await?;
        let known = seeds::list(conn, tenant.id).await?;
        if !known.is_empty() {
            return Ok(there(&known));
        }
        let locked: BTreeSet<String> = names.into_iter().collect();
        let mut seeding = Seeding { tenant, now, seeded: Seeded::default() };
        for customer in &customers {
            self.seed_customer(conn, &mut seeding, customer, &locked).await?;
        }
        for asker in &askers {
            seeding.ask(conn, asker).await?;
        }
        let (id, action) = (tenant.id.to_string(), "tenant.seeded");
        audit::note(conn, tenant.id, actor, action, "tenant", &id, None, now).await?;
        tx.commit().await?;
        Ok(seeding.seeded)
    }

    async fn seed_customer(
        &self,
        conn: &mut Conn<'_>,
        seeding: &mut Seeding<'_>,
        customer: &Customer,
        locked: &BTreeSet<String>,
    ) -> std::result::Result<(), Trouble> {
        let (tenant, now) = (seeding.tenant, seeding.now);
        if seeding.is_taken(conn, &customer.phone).await? {
            return Ok(());
        }
        let mut client = None;
        for (booked_at, told) in &customer.bookings {
            let taken = taken(tenant, told.clone(), *booked_at, now)?;
            let work = self.read(taken, ids::new(now), BTreeMap::new(), false);
            let (booking, of) = self.tell(conn, &work, locked).await?;
            client = Some(of);
            seeds::insert(conn, tenant.id, Kind::Event, work.event_id, now).await?;
            seeds::insert(conn, tenant.id, Kind::Booking, booking, now).await?;
            seeding.seeded.bookings += 1;
        }
        let client = match client {
            Some(client) => client,
            None => insert(conn, tenant.id, customer, now).await?,
        };
        seeds::insert(conn, tenant.id, Kind::Client, client, now).await?;
        for mapping in mappings::list_by_client(conn, tenant.id, client).await? {
            seeds::insert(conn, tenant.id, Kind::Mapping, mapping.id, now).await?;
        }
        seeding.seeded.clients += 1;
        Ok(())
    }

    /// Tracks one booking; answers it and its client.
    async fn tell(
        &self,
        conn: &mut Conn<'_>,
        work: &Work,
        locked: &BTreeSet<String>,
    ) -> std::result::Result<(Uuid, Uuid), Trouble> {
        let answer = match self.step(conn, work, locked).await? {
            Step::Known(answer) => answer,
            Step::Decided(decided) => decided.answer,
        };
        let unread = Error::Inconsistent { table: "webhook_events", column: "raw" };
        answer.booking_id.zip(answer.client_id).ok_or(Trouble::Storage(unread))
    }

    /// Everything that telling the sample touches.
    fn all_locks(
        &self,
        tenant: &Arc<TenantSettings>,
        now: DateTime<Utc>,
    ) -> std::result::Result<BTreeSet<String>, Trouble> {
        let mut all = BTreeSet::new();
        for (booked_at, told) in sample::customers(tenant, now).into_iter().flat_map(|c| c.bookings)
        {
            let taken = taken(tenant, told, booked_at, now)?;
            let work = self.read(taken, ids::new(now), BTreeMap::new(), false);
            all.extend(work.locks());
        }
        Ok(all)
    }
}

/// What is left of what was seeded before.
fn there(known: &Seeds) -> Seeded {
    Seeded {
        was_there: true,
        clients: known.of(Kind::Client).count(),
        bookings: known.of(Kind::Booking).count(),
        leads: known.of(Kind::Lead).count(),
        taken: Vec::new(),
    }
}

fn identity(phone: &Phone) -> Identity {
    Identity::Phone(phone.clone())
}

/// A booking as somebody wrote it by hand when it was booked. What became of it since counts as
/// set by a person: a telling alone only asks or confirms.
fn taken(
    tenant: &Arc<TenantSettings>,
    told: UnifiedBookingData,
    booked_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> std::result::Result<Taken, Trouble> {
    let is_over = !matches!(told.status, BookingStatus::Pending | BookingStatus::Confirmed);
    let telling = Telling {
        item: "booking".to_owned(),
        seq: 0,
        context: None,
        told_as: Vec::new(),
        set_by_person: if is_over { vec!["status".to_owned()] } else { Vec::new() },
        data: told,
    };
    let request = br#"{"seed":"customers"}"#;
    let item = api::written("booking.seeded", Mapped::Booking(telling), request);
    let unread = Error::Inconsistent { table: "webhook_events", column: "raw" };
    let mut item = item.map_err(|_| Trouble::Storage(unread))?;
    item.occurred_at = Some(booked_at);
    Ok(Taken {
        event_id: ids::new(now),
        queued: false,
        tenant: Arc::clone(tenant),
        connection_id: None,
        source: BY_HAND,
        item,
        path: BY_HAND.path().to_owned(),
        headers: "{}".to_owned(),
        received_at: now,
        map: None,
        held: None,
    })
}

/// The customer who never booked.
async fn insert(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    customer: &Customer,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let first = now - TimeDelta::days(i64::try_from(customer.days).unwrap_or(0));
    let row = ClientRow {
        id: ids::new(now),
        phone: Some(customer.phone.as_str().to_owned()),
        whatsapp_id: None,
        first_name: customer.first_name.to_owned(),
        last_name: customer.last_name.to_owned(),
        email: customer.email.map(str::to_owned),
        status: ClientStatus::Inactive.as_str().to_owned(),
        first_interaction_source: customer.source.as_str().to_owned(),
        first_interaction_at: first,
        first_booking_at: None,
        last_booking_at: None,
        provenance: facts::by_hand(first, customer.source),
        set_by_person: "[]".to_owned(),
        bookings_count: 0,
        spent_minor: 0,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    clients::insert(conn, tenant, &row).await?;
    clients::insert_identity(conn, tenant, row.id, &identity(&customer.phone), now).await?;
    words::write(conn, tenant, row.id, &row.words()).await?;
    let account: &ExternalClient = &customer.account;
    mappings::insert(conn, tenant, row.id, account, now).await?;
    Ok(row.id)
}

impl Seeding<'_> {
    /// True when a real person has the phone: whoever that is, is left alone.
    async fn is_taken(&mut self, conn: &mut Conn<'_>, phone: &Phone) -> Result<bool> {
        let identity = identity(phone);
        let taken = clients::find_by_identity(conn, self.tenant.id, &identity).await?.is_some()
            || leads::find_open(conn, self.tenant.id, &identity).await?.is_some();
        if taken {
            self.seeded.taken.push(phone.as_str().to_owned());
        }
        Ok(taken)
    }

    async fn ask(&mut self, conn: &mut Conn<'_>, asker: &Asker) -> Result<()> {
        let tenant = self.tenant.id;
        if self.is_taken(conn, &asker.phone).await? {
            return Ok(());
        }
        let lead = LeadRecord {
            id: ids::new(self.now),
            phone: Some(asker.phone.as_str().to_owned()),
            whatsapp_id: None,
            first_name: Some(asker.first_name.to_owned()),
            last_name: Some(asker.last_name.to_owned()),
            email: asker.email.map(str::to_owned),
            source: asker.source.as_str().to_owned(),
            details: None,
            status: asker.status.as_str().to_owned(),
            interactions: 0,
            attempts: 0,
            last_contacted_at: None,
            next_follow_up_at: asker.follow_up_at,
            converted_client_id: None,
            converted_at: None,
            notes: Some(asker.notes.to_owned()),
            first_interaction_at: asker.asked_at,
            version: 1,
            created_at: asker.asked_at,
            updated_at: asker.asked_at,
        };
        lead_records::insert(conn, tenant, &lead).await?;
        for at in &asker.calls {
            let kind = InteractionKind::Call;
            lead_records::add_interaction(conn, tenant, lead.id, kind, None, *at).await?;
        }
        seeds::insert(conn, tenant, Kind::Lead, lead.id, self.now).await?;
        self.seeded.leads += 1;
        Ok(())
    }
}
