//! Tracking: turning what an event says into client, booking and mapping, in one transaction.
//!
//! Its shape is lock, read, decide, write: `gather` locks and reads, [`mod@resolve`] decides and is
//! pure, `write` writes the difference.

pub mod again;
pub mod answer;
pub mod by_hand;
pub mod converting;
pub mod directory;
pub mod erasing;
pub mod facts;
pub mod fold;
pub mod hand;
pub mod importing;
pub mod intake;
pub mod people;
pub mod provenance;
pub mod resolve;
pub mod seeding;
pub mod spool;

mod accounts;
mod ahead;
mod asked;
mod attempts;
mod batch;
mod clashes;
mod draft;
mod erased;
mod gather;
mod hand_erased;
mod inbox;
mod outcome;
mod people_rows;
mod queue;
mod repeat;
mod reworded;
mod route;
mod settle;
mod store;
mod tallies;
mod vouch;
mod work;
mod write;

use crate::clock::Clock;
use crate::domain::channel::EventStatus;
use crate::domain::sighting::Sighting;
use crate::domain::tenant::TenantSettings;
use crate::sources::fieldmap::FieldMap;
use crate::sources::{Item, Manners, Source};
use crate::storage::seal::MasterKey;
use crate::storage::{self, Conn, Db, Error, events, leads};
use answer::{Answer, BookingAnswer};
use by_hand::Denied;
use chrono::{DateTime, Utc};
use gather::{Stopped, gather};
use outcome::Decided;
use queue::Queue;
use repeat::Repeat;
use resolve::Resolution;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::runtime::Handle;
use uuid::Uuid;
use work::{Work, told_at};
use write::{Plan, Write};

/// One event, verified and routed to its tenant.
#[derive(Clone)]
pub struct Taken {
    /// The id it is stored under, wherever that is: in the database, or first in the spool.
    pub event_id: Uuid,
    /// True when its caller was answered `queued` and is gone: nobody can correct it any more.
    pub queued: bool,
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
    /// Where the connection's callers put what, where somebody said so.
    pub map: Option<Arc<FieldMap>>,
    /// Why it may not be tracked whatever it says (`tenant_mismatch`): kept for a person.
    pub held: Option<(String, String)>,
}

/// Why an event could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum TrackError {
    /// The database is away: nothing is stored, the caller is to come again.
    #[error("the database is not available")]
    Unavailable(#[source] Error),
    /// More events wait than can be kept in memory: the caller is to come again.
    #[error("too many deliveries wait to be stored")]
    Busy,
    /// The caller's own key was used before with another body.
    #[error("this key was used before with another body")]
    KeyReused {
        /// The event that has the key.
        event_id: Uuid,
    },
    /// What a person wrote may not be; nothing of it is kept. No delivery meets this.
    #[error(transparent)]
    Denied(#[from] Denied),
}

/// Takes events and answers with their outcomes, each when it is durable.
#[derive(Clone)]
pub struct Tracker {
    db: Db,
    key: MasterKey,
    clock: Clock,
    queue: Queue,
    runtime: Handle,
}

impl Tracker {
    /// A tracker on this database; `key` hashes delivery keys. It writes on the runtime in which
    /// it is made.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn new(db: Db, key: MasterKey, clock: Clock) -> Self {
        let (queue, runtime) = (Queue::new(db.engine()), Handle::current());
        Self { db, key, clock, queue, runtime }
    }

    /// Tracks one event: what it says is stored with it in one transaction, or it is kept with
    /// the reasons why not. A repeat is answered as the first was.
    ///
    /// # Errors
    /// [`TrackError::Unavailable`] when nothing could be stored, [`TrackError::KeyReused`] when
    /// the caller's key belongs to another body, [`TrackError::Busy`] when too many wait.
    pub async fn track(&self, taken: Taken) -> Result<Answer, TrackError> {
        let answers = self.track_all(vec![taken]).await?;
        answers.into_iter().next().ok_or(TrackError::Busy)
    }

    /// Reads a stored event again, with the fields that a person supplied, and tracks it under
    /// its own id. An event that was tracked already is answered as it was.
    ///
    /// # Errors
    /// As [`Tracker::track`].
    pub async fn replay(
        &self,
        taken: Taken,
        event_id: Uuid,
        overrides: BTreeMap<String, String>,
    ) -> Result<Answer, TrackError> {
        let work = self.read(taken, event_id, overrides, true);
        self.run(&work).await
    }

    /// One event, within the transaction: what its repeat is answered, or what it came to.
    async fn step(
        &self,
        conn: &mut Conn<'_>,
        work: &Work,
        locked: &BTreeSet<String>,
    ) -> Result<Step, Trouble> {
        let mut key = work.key_hash.as_deref();
        if let Some(known) = self.known(conn, work).await? {
            match Self::repeat(work, &known)? {
                Repeat::Answer(answer) => return Ok(Step::Known(answer)),
                Repeat::ReleaseKey => {
                    events::release_key(conn, work.taken.tenant.id, known.id).await?;
                }
                Repeat::Again => key = None,
            }
        }
        if let Some(answer) = self.of_erased(conn, work, key).await? {
            return Ok(Step::Known(answer));
        }
        let decided = self.decide_and_write(conn, work, key, locked).await?;
        Ok(Step::Decided(Box::new(decided)))
    }

    async fn decide_and_write(
        &self,
        conn: &mut Conn<'_>,
        work: &Work,
        key: Option<&str>,
        locked: &BTreeSet<String>,
    ) -> Result<Decided, Trouble> {
        let tenant = work.taken.tenant.id;
        let (mut fresh, kept) = Self::fresh(conn, work).await?;
        work.terms.begin(&mut fresh, self.clock.now());
        let (mut gathered, mut resolution) =
            match gather(conn, tenant, &fresh, &work.links(), locked).await {
                Ok(gathered) => gathered,
                Err(Stopped::Storage(error)) => return Err(error.into()),
                Err(Stopped::Relock(more)) => return Err(Trouble::Relock(more)),
                Err(Stopped::TooMany) if work.terms.by_hand() => {
                    return Err(Trouble::Track(Denied::ToldTooOften.into()));
                }
                Err(Stopped::TooMany) => return self.keep_apart(conn, work, key).await,
            };
        work.terms.place(&mut gathered, &mut fresh, &mut resolution);
        work.terms.check(conn, tenant, &fresh, (&gathered, &resolution)).await?;
        let lead = self.open_lead(conn, work, &gathered.people).await?;
        let mut moved = Vec::new();
        for change in work.identity_changes() {
            moved.push((change, self.move_identity(conn, tenant, change).await?));
        }
        let mut write =
            Write { conn, tenant, currency: work.taken.tenant.currency, now: self.clock.now() };
        let plan = write.bookings(&gathered, &resolution).await?;
        let mut decided = decide(work, &fresh, kept, &resolution, &plan);
        if reworded::told_something(write.conn, tenant, work).await? {
            decided.reworded(&work.mapped);
        }
        decided.finish(lead, &moved.iter().map(|(_, moved)| *moved).collect::<Vec<_>>());
        self.store_event(write.conn, work, &decided, key).await?;
        write.rest(&gathered, &plan, &fresh, work.event_id).await?;
        write.propose_moved(&moved, work.event_id).await?;
        write.settle_reviews(&work.contexts(), work.event_id, &mut decided.answer).await?;
        if let Some(lead) = lead {
            let (id, now) = (work.event_id, self.clock.now());
            leads::count_interaction(conn, tenant, lead, id, told_at(&work.taken), now).await?;
        }
        work.terms.note(conn, tenant, decided.answer.booking_id, self.clock.now()).await?;
        Ok(decided)
    }

    /// Too many tellings hang together: the event is kept for a person, by itself.
    async fn keep_apart(
        &self,
        conn: &mut Conn<'_>,
        work: &Work,
        key: Option<&str>,
    ) -> Result<Decided, Trouble> {
        let decided = Decided::too_many(work.event_id);
        self.store_event(conn, work, &decided, key).await?;
        Ok(decided)
    }

    async fn store_event(
        &self,
        conn: &mut Conn<'_>,
        work: &Work,
        decided: &Decided,
        key: Option<&str>,
    ) -> storage::Result<()> {
        let (taken, item) = (&work.taken, &work.taken.item);
        let row = decided.row(&work.overrides)?;
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
}

/// What became of an event in a transaction that is not through yet.
enum Step {
    /// It is known: this was answered.
    Known(Answer),
    /// It was decided and written.
    Decided(Box<Decided>),
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

/// What became of the event, as far as its bookings decide it.
fn decide(
    work: &Work,
    fresh: &[Sighting],
    kept: Vec<BookingAnswer>,
    resolution: &Resolution,
    plan: &Plan<'_>,
) -> Decided {
    let mut decided = Decided::by(work.event_id, work.taken.manners(), &work.mapped);
    let waiting = fresh.iter().filter_map(|s| resolution.waiting.get(&s.id).copied());
    let told = fresh.iter().filter_map(|s| plan.booking_of(s.id));
    let bookings = outcome::unique(kept.into_iter().chain(told));
    decided.found(bookings, &waiting.collect::<Vec<_>>());
    decided.confirmed = plan.confirmed();
    decided
}

/// True when the caller of this source can correct its request.
#[must_use]
pub fn can_correct(source: &dyn Source) -> bool {
    source.manners() == Manners::Correct
}
