//! Draining the spool once the database is back, and looking whether it is.
//!
//! In order, with the usual idempotence, under the ids that were answered. A delivery leaves the
//! spool after the commit that stored it; where this is cut off in between, the event is found
//! stored the next time.

use super::Spool;
use super::record::Record;
use super::trouble::{Failure, Halt, Troubles};
use crate::domain::tenant::TenantSettings;
use crate::sources::DeliveryKey;
use crate::storage::spool::QueuedRow;
use crate::storage::{self, event_aliases, installation, tenants};
use crate::tracking::answer::Answer;
use crate::tracking::directory::Registry;
use crate::tracking::intake::InboxTaken;
use crate::tracking::store::Placed;
use crate::tracking::{Taken, Tracker};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How often it is looked whether the database is back, and whether anything waits.
const EVERY: Duration = Duration::from_secs(1);

/// The longest pause after draining failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// How long the database may take to show that it is there.
const LONGEST_TOUCH: Duration = Duration::from_secs(2);

/// How long it may take to track what is drained at a time.
const LONGEST_BATCH: Duration = Duration::from_secs(30);

/// The most deliveries that are drained at a time.
const TOGETHER: i64 = 64;

/// How long that may take: a delivery that arrives meanwhile and tells of the same person waits for
/// it. Fewer are drained at a time where it takes longer.
const SHORT: Duration = Duration::from_millis(100);

/// How long one that fails alone is left before it is tried again.
const SET_ASIDE: Duration = Duration::from_mins(1);

/// The same for one that finds the database away each time, while it is there; longer each time.
const SET_ASIDE_AWAY: Duration = Duration::from_secs(5);

/// How often one may find the database away, or its queue full, before it is taken to be the one
/// at fault: a connection may be cut at any time, and a queue may be full for seconds.
const MOST_AWAY: u32 = 2;
const MOST_BUSY: u32 = 5;

/// Drains a spool.
pub struct Drain {
    spool: Arc<Spool>,
    tracker: Tracker,
    registry: Arc<Registry>,
}

/// One time through the queue.
#[derive(Default)]
struct Pass {
    stored: usize,
    /// Why some that are stored could not be removed.
    stays: Option<storage::Error>,
}

impl Drain {
    /// Drains `spool` by `tracker`, for the tenants that `registry` knows.
    #[must_use]
    pub fn new(spool: Arc<Spool>, tracker: Tracker, registry: Arc<Registry>) -> Self {
        Self { spool, tracker, registry }
    }

    /// Looks after the spool for as long as the service runs.
    pub async fn run(&self) {
        let (mut pause, mut troubles) = (EVERY, Troubles::default());
        loop {
            tokio::time::sleep(pause).await;
            self.spool.show();
            pause = EVERY;
            let trips = self.spool.trips();
            if self.spool.is_taking() && !self.is_back().await {
                continue;
            }
            match self.drain(&mut troubles).await {
                Ok(()) => self.spool.resume(trips),
                Err(Halt::Away(cause)) => {
                    self.spool.trip(&cause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(Halt::Busy(cause)) => tracing::debug!(cause, "draining waits"),
                Err(Halt::Spool(error)) => {
                    // The database is not at fault: what arrives goes there. What is stored and
                    // could not be removed is found stored the next time.
                    tracing::error!(%error, "the spool can't be drained; what waits in it stays");
                    self.spool.resume(trips);
                    pause = LONGEST_PAUSE;
                }
            }
        }
    }

    /// True when the database answers, and can be written to.
    async fn is_back(&self) -> bool {
        let touched = async {
            let mut tx = self.tracker.db.begin().await?;
            installation::touch(&mut tx.conn()).await?;
            tx.commit().await
        };
        matches!(tokio::time::timeout(LONGEST_TOUCH, touched).await, Ok(Ok(())))
    }

    /// Drains everything.
    async fn drain(&self, troubles: &mut Troubles) -> Result<(), Halt> {
        let (mut after, mut together, mut pass) = (0, 1, Pass::default());
        loop {
            // The first shows whether the database really takes anything.
            let limit = if self.spool.is_taking() { 1 } else { together };
            let mut rows = self.spool.file.after(after, limit).await.map_err(Halt::Spool)?;
            let Some(last) = rows.last() else { break };
            after = last.seq;
            rows.retain(|row| !troubles.leave(row));
            if rows.is_empty() {
                continue;
            }
            let (trips, before, begun) = (self.spool.trips(), pass.stored, Instant::now());
            self.some(&rows, troubles, &mut pass).await?;
            let in_time = begun.elapsed() < SHORT;
            together = if in_time { (together * 2).min(TOGETHER) } else { (together / 2).max(1) };
            if pass.stored > before {
                self.spool.resume(trips);
            }
        }
        if let Some(error) = pass.stays {
            return Err(Halt::Spool(error));
        }
        if pass.stored > 0 {
            self.spool.recount().await.map_err(Halt::Spool)?;
            tracing::info!(drained = pass.stored, "the spool is drained");
            if self.spool.is_empty() {
                *troubles = Troubles::default();
                if let Err(error) = self.spool.file.tidy().await {
                    tracing::debug!(%error, "the spool's room could not be given back");
                }
            }
        }
        Ok(())
    }

    /// Drains some together, or, where anything stands in the way of one, each by itself.
    async fn some(
        &self,
        rows: &[QueuedRow],
        troubles: &mut Troubles,
        pass: &mut Pass,
    ) -> Result<(), Halt> {
        let stored = self.together(rows).await;
        if let [row] = rows {
            return self.settle(row, stored, troubles, pass).await;
        }
        match stored {
            Ok(()) => {
                self.remove(rows, pass).await;
                return Ok(());
            }
            Err(Failure::Away(cause)) if !self.is_back().await => return Err(Halt::Away(cause)),
            Err(_) => {}
        }
        for row in rows {
            let stored = self.together(std::slice::from_ref(row)).await;
            self.settle(row, stored, troubles, pass).await?;
        }
        Ok(())
    }

    /// Removes one that is stored. One that is not is left where it is the one at fault; otherwise
    /// nothing can be drained now.
    async fn settle(
        &self,
        row: &QueuedRow,
        stored: Result<(), Failure>,
        troubles: &mut Troubles,
        pass: &mut Pass,
    ) -> Result<(), Halt> {
        let stored = match stored {
            Err(Failure::KeyReused) => self.hold(row).await,
            stored => stored,
        };
        match stored {
            Ok(()) => {
                troubles.forgive(row);
                self.remove(std::slice::from_ref(row), pass).await;
            }
            Err(Failure::Alone(cause)) => troubles.set_aside(row, &cause, SET_ASIDE),
            Err(Failure::KeyReused) => troubles.set_aside(row, "its key is taken", SET_ASIDE),
            Err(Failure::Away(cause)) => {
                if !self.is_back().await {
                    return Err(Halt::Away(cause));
                }
                let times = troubles.failed_again(row);
                if times < MOST_AWAY {
                    return Err(Halt::Away(cause));
                }
                // Something holds just this one up: the others don't wait for it.
                troubles.set_aside(row, &cause, (SET_ASIDE_AWAY * times).min(SET_ASIDE));
            }
            Err(Failure::Busy(cause)) => {
                if troubles.failed_again(row) < MOST_BUSY {
                    return Err(Halt::Busy(cause));
                }
                troubles.set_aside(row, &cause, SET_ASIDE);
            }
        }
        Ok(())
    }

    /// Removes what is stored. Where the spool can't be written to it stays, and keeps nothing
    /// behind it from being stored.
    async fn remove(&self, rows: &[QueuedRow], pass: &mut Pass) {
        pass.stored += rows.len();
        if let Err(error) = self.spool.remove(rows).await {
            pass.stays = Some(error);
        }
    }

    async fn together(&self, rows: &[QueuedRow]) -> Result<(), Failure> {
        let stored = tokio::time::timeout(LONGEST_BATCH, self.store(rows)).await;
        stored.unwrap_or_else(|_| Err(Failure::Away("it does not answer".to_owned())))
    }

    /// Stores what is not stored yet, and under which other id what another instance stored.
    async fn store(&self, rows: &[QueuedRow]) -> Result<(), Failure> {
        let (mut taken, mut answered) = (Vec::new(), Vec::new());
        let missing = self.missing(rows).await?;
        for row in rows.iter().filter(|row| missing.contains(&row.seq)) {
            match self.placed(row).await? {
                Placed::Tenant(one) => taken.push(one),
                Placed::Inbox(one) => {
                    let answer = self.tracker.keep_in_inbox(&one).await?;
                    answered.push((None, one.event_id, answer));
                }
                Placed::Nowhere => {}
            }
        }
        let of = |one: &Taken| (Some(one.tenant.id), one.event_id);
        let of: Vec<_> = taken.iter().map(of).collect();
        let answers = self.tracker.track_all(taken).await?;
        let tracked = of.into_iter().zip(answers);
        answered.extend(tracked.map(|((tenant, id), answer)| (tenant, id, answer)));
        Ok(self.note_aliases(&answered).await?)
    }

    /// The places of those that are not stored yet: this was cut off before it could remove the
    /// others.
    async fn missing(&self, rows: &[QueuedRow]) -> storage::Result<BTreeSet<i64>> {
        let mut reader = self.tracker.db.reader().await?;
        let mut missing = BTreeSet::new();
        for row in rows {
            if !event_aliases::is_stored(&mut reader.conn(), row.tenant_id, row.id).await? {
                missing.insert(row.seq);
            }
        }
        Ok(missing)
    }

    /// An id that was answered is found for ever, whichever the event was stored under.
    async fn note_aliases(&self, answered: &[(Option<Uuid>, Uuid, Answer)]) -> storage::Result<()> {
        let other = |(tenant, id, answer): &(Option<Uuid>, Uuid, Answer)| {
            Some((*tenant, *id, answer.event_id.filter(|stored| stored != id)?))
        };
        let others: Vec<_> = answered.iter().filter_map(other).collect();
        if others.is_empty() {
            return Ok(());
        }
        let mut tx = self.tracker.db.begin().await?;
        for (tenant, id, stored) in others {
            event_aliases::insert(&mut tx.conn(), tenant, id, stored).await?;
        }
        tx.commit().await
    }

    /// Keeps one whose key was used with other bytes for a person: its caller, who could have
    /// chosen another, is gone.
    async fn hold(&self, row: &QueuedRow) -> Result<(), Failure> {
        if let Placed::Tenant(mut taken) = self.placed(row).await? {
            let detail = "its key was used before with another body";
            taken.held = Some(("delivery_key_reused".to_owned(), detail.to_owned()));
            taken.item.key = DeliveryKey::None;
            self.tracker.track(taken).await?;
        }
        Ok(())
    }

    /// What waits, as it was taken. What belongs to a tenant that is gone is nobody's.
    async fn placed(&self, row: &QueuedRow) -> Result<Placed, Failure> {
        let unreadable = || Failure::Alone("this program can't read it".to_owned());
        let (source, record) = Record::read(row).ok_or_else(unreadable)?;
        let tenant = match row.tenant_id {
            Some(id) => self.tenant(id).await?,
            None => None,
        };
        let is_gone = row.tenant_id.is_some() && tenant.is_none();
        let Some(tenant) = tenant else {
            return Ok(Placed::Inbox(InboxTaken {
                event_id: row.id,
                connection_id: record.connection_id.filter(|_| !is_gone),
                source,
                item: record.item,
                headers: record.headers,
                received_at: row.received_at,
            }));
        };
        let directory = self.registry.current();
        let connection = record.connection_id.and_then(|id| directory.as_ref()?.connection(id));
        Ok(Placed::Tenant(Taken {
            event_id: row.id,
            queued: true,
            tenant,
            connection_id: record.connection_id,
            source,
            map: connection.and_then(|c| c.map.clone()),
            item: record.item,
            path: record.path,
            headers: record.headers,
            received_at: row.received_at,
            held: record.held,
        }))
    }

    /// The tenant as it is now, disabled or not: what was taken for it is its own.
    async fn tenant(&self, id: Uuid) -> Result<Option<Arc<TenantSettings>>, Failure> {
        let directory = self.registry.current();
        if let Some(known) = directory.and_then(|directory| directory.tenant(id).cloned()) {
            return Ok(Some(known));
        }
        let mut reader = self.tracker.db.reader().await?;
        let row = tenants::find(&mut reader.conn(), &id.to_string()).await?;
        Ok(row.map(|row| row.settings()).transpose()?.map(Arc::new))
    }
}
