//! Tracking: turning what an event says into client, booking and mapping, in one transaction.
//!
//! Its shape is lock, read, decide, write: [`gather`] locks and reads, [`resolve`] decides and is
//! pure, [`write`] writes the difference.

pub mod answer;
pub mod directory;
pub mod fold;
pub mod intake;
pub mod people;
pub mod resolve;

mod draft;
mod facts;
mod gather;
mod outcome;
mod route;
mod vouch;
mod write;

use crate::clock::Clock;
use crate::domain::channel::EventStatus;
use crate::domain::ids;
use crate::domain::sighting::{Order, Says, Sighting};
use crate::domain::tenant::TenantSettings;
use crate::sources::{DeliveryKey, Item, Lead, Manners, Mapped, Reading, Source, Telling};
use crate::storage::seal::MasterKey;
use crate::storage::{self, Conn, Db, Error, events, leads, locks};
use answer::{Answer, BookingAnswer};
use chrono::{DateTime, TimeDelta, Utc};
use gather::{Stopped, gather};
use outcome::Decided;
use resolve::{Waiting, resolve};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// How often a transaction that met another is run again before it counts as failed.
const ATTEMPTS: u32 = 12;

/// One event, verified and routed to its tenant.
#[derive(Clone)]
pub struct Taken {
    /// Whose it is.
    pub tenant: Arc<TenantSettings>,
    /// The connection that verified it; `None` when a token did.
    pub connection_id: Option<Uuid>,
    /// Where it comes from.
    pub source: &'static dyn Source,
    /// The event.
    pub item: Item,
    /// The path it was posted to: part of the key where only the bytes make a repeat.
    pub path: String,
    /// The kept headers, as a JSON object.
    pub headers: String,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// Why it may not be tracked whatever it says (`tenant_mismatch`): kept for a person.
    pub held: Option<(String, String)>,
}

/// Why an event could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum TrackError {
    /// The database is away: nothing is stored, the caller is to come again.
    #[error("the database is not available")]
    Unavailable(#[source] Error),
    /// The caller's own key was used before with another body.
    #[error("this key was used before with another body")]
    KeyReused {
        /// The event that has the key.
        event_id: Uuid,
    },
}

/// Takes events and answers with their outcomes, each when it is durable.
#[derive(Clone)]
pub struct Tracker {
    db: Db,
    key: MasterKey,
    clock: Clock,
}

/// One event on its way: read, with its hashes.
struct Work<'a> {
    taken: &'a Taken,
    event_id: Uuid,
    key_hash: Option<String>,
    body_hash: String,
    mapped: Vec<Mapped>,
    sightings: Vec<Sighting>,
    overrides: &'a BTreeMap<String, String>,
    /// True for an event that is stored already and read again.
    again: bool,
}

impl Tracker {
    /// A tracker on this database; `key` hashes delivery keys.
    #[must_use]
    pub fn new(db: Db, key: MasterKey, clock: Clock) -> Self {
        Self { db, key, clock }
    }

    /// Tracks one event: what it says is stored with it in one transaction, or it is kept with
    /// the reasons why not. A repeat is answered as the first was.
    ///
    /// # Errors
    /// [`TrackError::Unavailable`] when nothing could be stored, [`TrackError::KeyReused`] when
    /// the caller's key belongs to another body.
    pub async fn track(&self, taken: &Taken) -> Result<Answer, TrackError> {
        let none = BTreeMap::new();
        let work = self.read(taken, ids::new(taken.received_at), &none, false);
        self.run(&work).await
    }

    /// Reads a stored event again, with the fields that a person supplied, and tracks it under
    /// its own id. An event that was tracked already is answered as it was.
    ///
    /// # Errors
    /// As [`Tracker::track`].
    pub async fn replay(
        &self,
        taken: &Taken,
        event_id: Uuid,
        overrides: &BTreeMap<String, String>,
    ) -> Result<Answer, TrackError> {
        let work = self.read(taken, event_id, overrides, true);
        self.run(&work).await
    }

    /// Keeps an event that belongs to no tenant, for the platform's admins. A repeat is answered
    /// as the first was.
    ///
    /// # Errors
    /// [`TrackError::Unavailable`] when it could not be stored.
    pub async fn keep_in_inbox(&self, taken: &intake::InboxTaken) -> Result<Answer, TrackError> {
        for _ in 0..ATTEMPTS {
            match self.try_inbox(taken).await {
                Ok(answer) => return Ok(answer),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(TrackError::Unavailable(error)),
            }
        }
        self.try_inbox(taken).await.map_err(TrackError::Unavailable)
    }

    async fn try_inbox(&self, taken: &intake::InboxTaken) -> storage::Result<Answer> {
        let (item, id) = (&taken.item, ids::new(taken.received_at));
        let body_hash = self.key.hash(&[b"body", &item.raw]);
        let key = self.key.hash(&[b"inbox", taken.source.name().as_bytes(), body_hash.as_bytes()]);
        let mut tx = self.db.begin().await?;
        if let Some(known) = events::find_inbox_by_key(&mut tx.conn(), &key).await? {
            let bad = |_| Error::Inconsistent { table: "platform_inbox", column: "answer" };
            return serde_json::from_str(&known.answer).map(Answer::repeated).map_err(bad);
        }
        let decided = Decided::of_nobody(id);
        let row = decided.row(&BTreeMap::new())?;
        let event = events::NewEvent {
            id,
            connection_id: taken.connection_id,
            source: taken.source.name(),
            kind: &item.kind,
            account_id: item.account.as_deref(),
            delivery_key_hash: Some(&key),
            body_hash: &body_hash,
            outcome: row.outcome(),
            headers: &taken.headers,
            raw: &item.raw,
            occurred_at: item.occurred_at,
            received_at: taken.received_at,
        };
        events::insert_inbox(&mut tx.conn(), &event).await?;
        tx.commit().await?;
        Ok(decided.answer)
    }

    fn read<'a>(
        &self,
        taken: &'a Taken,
        event_id: Uuid,
        overrides: &'a BTreeMap<String, String>,
        again: bool,
    ) -> Work<'a> {
        let received_at = taken.received_at;
        let reading = Reading { tenant: &taken.tenant, received_at, overrides };
        let mapped = match &taken.held {
            Some((code, detail)) => {
                vec![Mapped::NeedsReview(crate::sources::Review::whole(code, detail))]
            }
            None => taken.source.map(&taken.item, &reading),
        };
        let body_hash = self.key.hash(&[b"body", &taken.item.raw]);
        let key_hash = self.key_hash(taken, &body_hash);
        let key = key_hash.clone().unwrap_or_else(|| event_id.to_string());
        let sightings = mapped.iter().filter_map(|one| sighting(one, event_id, &key, taken));
        let sightings = sightings.collect();
        Work { taken, event_id, key_hash, body_hash, mapped, sightings, overrides, again }
    }

    /// The keyed hash of what makes a repeat of this event a repeat.
    fn key_hash(&self, taken: &Taken, body_hash: &str) -> Option<String> {
        let source = taken.source.name();
        let mut parts: Vec<&[u8]> = vec![b"delivery", source.as_bytes()];
        let connection = taken.connection_id.map(|id| id.to_string()).unwrap_or_default();
        match &taken.item.key {
            DeliveryKey::None => return None,
            DeliveryKey::WithBody(key) => {
                parts.extend(key.iter().map(String::as_bytes));
                parts.push(body_hash.as_bytes());
            }
            DeliveryKey::Exact(key) => parts.extend(key.iter().map(String::as_bytes)),
            DeliveryKey::Chosen(key) => parts.extend([connection.as_bytes(), key.as_bytes()]),
            DeliveryKey::BodyForAnHour => {
                parts.extend([b"hour", taken.path.as_bytes(), body_hash.as_bytes()]);
            }
        }
        Some(self.key.hash(&parts))
    }

    /// Runs the transaction until it is through: again when another was in the way, and with
    /// more locks when more turned out to be involved.
    async fn run(&self, work: &Work<'_>) -> Result<Answer, TrackError> {
        let mut locked: BTreeSet<String> = work.sightings.iter().flat_map(gather::locks).collect();
        locked.extend(lead_identities(&work.mapped));
        locked.extend(work.key_hash.iter().map(|key| format!("delivery:{key}")));
        let mut failure = None;
        for attempt in 0..ATTEMPTS {
            match self.attempt(work, &locked).await {
                Ok(answer) => return Ok(answer),
                Err(Trouble::Relock(more)) => locked.extend(more),
                Err(Trouble::Track(error)) => return Err(error),
                Err(Trouble::Storage(error)) if error.is_unavailable() => {
                    return Err(TrackError::Unavailable(error));
                }
                Err(Trouble::Storage(error)) if error.is_conflict() => {
                    failure = Some(error);
                    let wait = std::time::Duration::from_millis(2 << attempt.min(6));
                    tokio::time::sleep(wait).await;
                }
                Err(Trouble::Storage(error)) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        self.keep_failed(work, failure).await
    }

    /// What says it can't be stored for good is kept raw, so that nothing acknowledged is lost.
    async fn keep_failed(
        &self,
        work: &Work<'_>,
        failure: Option<Error>,
    ) -> Result<Answer, TrackError> {
        let tenant = work.taken.tenant.id;
        let cause = failure.as_ref().map(outcome::cause).unwrap_or_default();
        tracing::error!(%tenant, event = %work.event_id, cause, "an event could not be tracked");
        let decided = Decided::failed(work.event_id);
        let stored = async {
            let mut tx = self.db.begin().await?;
            self.store_event(&mut tx.conn(), work, &decided, None).await?;
            tx.commit().await
        };
        match stored.await {
            Ok(()) => Ok(decided.answer),
            Err(error) => Err(TrackError::Unavailable(error)),
        }
    }

    async fn attempt(&self, work: &Work<'_>, locked: &BTreeSet<String>) -> Result<Answer, Trouble> {
        let tenant = work.taken.tenant.id;
        let mut tx = self.db.begin().await?;
        let mut conn = tx.conn();
        let names: Vec<String> = locked.iter().cloned().collect();
        locks::lock(&mut conn, tenant, &names).await?;
        let mut key = work.key_hash.as_deref();
        if let Some(known) = self.known(&mut conn, work).await? {
            match self.repeat(work, &known)? {
                Repeat::Answer(answer) => return Ok(answer),
                Repeat::ReleaseKey => events::release_key(&mut conn, tenant, known.id).await?,
                Repeat::Again => key = None,
            }
        }
        let decided = self.decide_and_write(&mut conn, work, key, locked).await?;
        tx.commit().await?;
        Ok(decided.answer)
    }

    /// The event that was stored under this delivery key, or under this id when it is read again.
    async fn known(
        &self,
        conn: &mut Conn<'_>,
        work: &Work<'_>,
    ) -> storage::Result<Option<events::KnownEvent>> {
        let tenant = work.taken.tenant.id;
        if work.again {
            let row = events::find(conn, tenant, work.event_id).await?;
            return Ok(row.map(|row| events::KnownEvent {
                id: row.id,
                body_hash: work.body_hash.clone(),
                status: row.status,
                answer: row.answer,
                received_at: row.received_at,
            }));
        }
        match &work.key_hash {
            Some(key) => events::find_by_key(conn, tenant, key).await,
            None => Ok(None),
        }
    }

    fn repeat(&self, work: &Work<'_>, known: &events::KnownEvent) -> Result<Repeat, Trouble> {
        let unreadable = Error::Inconsistent { table: "webhook_events", column: "answer" };
        let answer = || serde_json::from_str::<Answer>(&known.answer).map(Answer::repeated);
        if work.again {
            let tracked = known.status == EventStatus::Tracked.as_str();
            let answer = answer().map_err(|_| unreadable)?;
            return Ok(if tracked { Repeat::Answer(answer) } else { Repeat::Again });
        }
        let chosen = matches!(work.taken.item.key, DeliveryKey::Chosen(_));
        let hourly = matches!(work.taken.item.key, DeliveryKey::BodyForAnHour);
        if hourly && known.received_at + TimeDelta::hours(1) <= work.taken.received_at {
            return Ok(Repeat::ReleaseKey);
        }
        if chosen && known.body_hash != work.body_hash {
            return Err(Trouble::Track(TrackError::KeyReused { event_id: known.id }));
        }
        Ok(Repeat::Answer(answer().map_err(|_| unreadable)?))
    }

    async fn decide_and_write(
        &self,
        conn: &mut Conn<'_>,
        work: &Work<'_>,
        key: Option<&str>,
        locked: &BTreeSet<String>,
    ) -> Result<Decided, Trouble> {
        let tenant = work.taken.tenant.id;
        let (fresh, kept) = self.fresh(conn, work).await?;
        let gathered = match gather(conn, tenant, &fresh, locked).await {
            Ok(gathered) => gathered,
            Err(Stopped::Storage(error)) => return Err(error.into()),
            Err(Stopped::Relock(more)) => return Err(Trouble::Relock(more)),
            Err(Stopped::TooMany) => return self.keep_apart(conn, work, key).await,
        };
        let resolution = resolve(&gathered.seen);
        let lead = self.open_lead(conn, work).await?;
        let mut write = write::Write { conn, tenant, now: self.clock.now() };
        let plan = write.bookings(&gathered, &resolution).await?;
        let waiting = fresh.iter().filter_map(|s| resolution.waiting.get(&s.id).copied());
        let waiting: Vec<Waiting> = waiting.collect();
        let told = fresh.iter().filter_map(|s| plan.booking_of(s.id));
        let mut decided = Decided::by(work.event_id, work.taken.source.manners(), &work.mapped);
        decided.found(unique(kept.into_iter().chain(told)), &waiting);
        decided.finish(lead);
        self.store_event(write.conn, work, &decided, key).await?;
        write.rest(&gathered, &plan, &fresh).await?;
        if let Some(lead) = lead {
            let (id, now) = (work.event_id, self.clock.now());
            leads::count_interaction(conn, tenant, lead, id, told_at(work.taken), now).await?;
        }
        Ok(decided)
    }

    /// The sightings to be added. An event that is read again keeps those that have a booking
    /// (answered second) and tells the others anew.
    async fn fresh(
        &self,
        conn: &mut Conn<'_>,
        work: &Work<'_>,
    ) -> storage::Result<(Vec<Sighting>, Vec<BookingAnswer>)> {
        if !work.again {
            return Ok((work.sightings.clone(), Vec::new()));
        }
        let tenant = work.taken.tenant.id;
        storage::sightings::delete_waiting(conn, tenant, work.event_id).await?;
        let by = storage::sightings::Lookup::Event(work.event_id);
        let known = storage::sightings::list(conn, tenant, &by).await?;
        let mut kept = Vec::new();
        for id in known.iter().filter_map(|s| s.booking_id) {
            let booking = storage::bookings::find(conn, tenant, id).await?;
            kept.extend(booking.map(|row| BookingAnswer {
                booking_id: row.id,
                client_id: row.client_id,
                is_new_client: false,
            }));
        }
        let fresh = work.sightings.iter().filter(|s| !known.iter().any(|k| k.item == s.item));
        Ok((fresh.cloned().collect(), kept))
    }

    /// Too many tellings hang together: the event is kept for a person, by itself.
    async fn keep_apart(
        &self,
        conn: &mut Conn<'_>,
        work: &Work<'_>,
        key: Option<&str>,
    ) -> Result<Decided, Trouble> {
        let decided = Decided::too_many(work.event_id);
        self.store_event(conn, work, &decided, key).await?;
        Ok(decided)
    }

    async fn store_event(
        &self,
        conn: &mut Conn<'_>,
        work: &Work<'_>,
        decided: &Decided,
        key: Option<&str>,
    ) -> storage::Result<()> {
        let (taken, item) = (work.taken, &work.taken.item);
        let row = decided.row(work.overrides)?;
        let now = self.clock.now();
        if work.again {
            return events::update(conn, taken.tenant.id, work.event_id, &row.outcome(), now).await;
        }
        // A rejected event releases its key: the corrected request may carry it again.
        let rejected = decided.answer.outcome == EventStatus::Rejected;
        let event = events::NewEvent {
            id: work.event_id,
            connection_id: taken.connection_id,
            source: taken.source.name(),
            kind: &item.kind,
            account_id: item.account.as_deref(),
            delivery_key_hash: key.filter(|_| !rejected),
            body_hash: &work.body_hash,
            outcome: row.outcome(),
            headers: &taken.headers,
            raw: &item.raw,
            occurred_at: item.occurred_at,
            received_at: taken.received_at,
        };
        events::insert(conn, taken.tenant.id, &event, now).await
    }

    /// The open lead of whoever asked, opened now for a stranger; a client opens none.
    async fn open_lead(
        &self,
        conn: &mut Conn<'_>,
        work: &Work<'_>,
    ) -> storage::Result<Option<Uuid>> {
        let tenant = work.taken.tenant.id;
        let Some(lead) = work.mapped.iter().find_map(as_lead) else { return Ok(None) };
        for identity in &lead.identities {
            if storage::clients::find_by_identity(conn, tenant, identity).await?.is_some() {
                return Ok(None);
            }
        }
        for identity in &lead.identities {
            if let Some(open) = leads::find_open(conn, tenant, identity).await? {
                return Ok(Some(open.id));
            }
        }
        let new = new_lead(lead, told_at(work.taken));
        leads::insert(conn, tenant, &new, self.clock.now()).await.map(Some)
    }
}

/// When an event was told: by the provider's clock where it says so, never after it arrived.
fn told_at(taken: &Taken) -> DateTime<Utc> {
    taken.item.occurred_at.unwrap_or(taken.received_at).min(taken.received_at)
}

/// What a known delivery key means for the delivery at hand.
enum Repeat {
    /// It is a repeat: this was answered.
    Answer(Answer),
    /// The key's hour is over: the old event lets go of it.
    ReleaseKey,
    /// The stored event is to be read again.
    Again,
}

/// Why one attempt at the transaction stopped.
enum Trouble {
    Storage(Error),
    Relock(BTreeSet<String>),
    Track(TrackError),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Storage(error)
    }
}

fn as_lead(mapped: &Mapped) -> Option<&Lead> {
    match mapped {
        Mapped::Lead(lead) => Some(lead),
        _ => None,
    }
}

fn lead_identities(mapped: &[Mapped]) -> Vec<String> {
    let leads = mapped.iter().filter_map(as_lead);
    leads.flat_map(|lead| lead.identities.iter().map(|i| i.key())).collect()
}

fn new_lead(lead: &Lead, at: DateTime<Utc>) -> leads::NewLead<'_> {
    leads::NewLead {
        identities: &lead.identities,
        first_name: lead.first_name.as_deref(),
        last_name: lead.last_name.as_deref(),
        email: lead.email.as_deref(),
        source: lead.source,
        details: lead.details.as_ref().map(ToString::to_string),
        first_interaction_at: at,
    }
}

/// The sighting of a telling, at its place in history; `None` for what tells no booking.
fn sighting(mapped: &Mapped, event_id: Uuid, key: &str, taken: &Taken) -> Option<Sighting> {
    match mapped {
        Mapped::Booking(telling) => {
            let says = Says::Booking(Box::new(telling.data.clone()));
            Some(place(telling, says, event_id, key, taken))
        }
        Mapped::Change(telling) => {
            let says = Says::Change(Box::new(telling.data.clone()));
            Some(place(telling, says, event_id, key, taken))
        }
        _ => None,
    }
}

fn place<T>(
    telling: &Telling<T>,
    says: Says,
    event_id: Uuid,
    key: &str,
    taken: &Taken,
) -> Sighting {
    Sighting {
        id: ids::new(taken.received_at),
        event_id,
        item: telling.item.clone(),
        order: Order {
            event_time: told_at(taken),
            rank: taken.item.rank,
            seq: telling.seq,
            key: format!("{key}#{}", telling.item),
        },
        context: telling.context.clone(),
        told_as: telling.told_as.clone(),
        says,
        set_by_person: telling.set_by_person.clone(),
        booking_id: None,
    }
}

/// The bookings in the order in which they were told, each once.
fn unique(bookings: impl Iterator<Item = BookingAnswer>) -> Vec<BookingAnswer> {
    let mut unique: Vec<BookingAnswer> = Vec::new();
    for booking in bookings {
        if !unique.iter().any(|b| b.booking_id == booking.booking_id) {
            unique.push(booking);
        }
    }
    unique
}

/// True when the caller of this source can correct its request.
#[must_use]
pub fn can_correct(source: &dyn Source) -> bool {
    source.manners() == Manners::Correct
}
