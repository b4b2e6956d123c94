//! Draining the spool once the database is back, and looking whether it is.
//!
//! In order, with the usual idempotence, under the ids that were answered. A delivery leaves the
//! spool after the commit that stored it; where this is cut off in between, the event is found
//! stored the next time.

use super::Spool;
use super::record::Record;
use crate::domain::tenant::TenantSettings;
use crate::sources::DeliveryKey;
use crate::storage::spool::QueuedRow;
use crate::storage::{self, event_aliases, installation, tenants};
use crate::tracking::answer::Answer;
use crate::tracking::directory::Registry;
use crate::tracking::intake::InboxTaken;
use crate::tracking::store::Placed;
use crate::tracking::{Taken, TrackError, Tracker};
use std::collections::{BTreeMap, BTreeSet};
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

/// Drains a spool.
pub struct Drain {
    spool: Arc<Spool>,
    tracker: Tracker,
    registry: Arc<Registry>,
}

/// Why something can't be drained now.
enum Failure {
    /// The database is away.
    Away(String),
    /// The database is there and this can't be stored, or is not known to be readable.
    Alone(String),
    /// The caller's key was used with other bytes.
    KeyReused,
}

impl From<storage::Error> for Failure {
    fn from(error: storage::Error) -> Self {
        let cause = error.told();
        if error.is_unavailable() { Self::Away(cause) } else { Self::Alone(cause) }
    }
}

impl From<TrackError> for Failure {
    fn from(error: TrackError) -> Self {
        match error {
            TrackError::Unavailable(error) => error.into(),
            busy @ TrackError::Busy => Self::Away(busy.to_string()),
            TrackError::KeyReused { .. } => Self::KeyReused,
            TrackError::Denied(denied) => Self::Alone(denied.to_string()),
        }
    }
}

/// Those that failed alone, and until when each is left.
type Aside = BTreeMap<i64, Instant>;

impl Drain {
    /// Drains `spool` by `tracker`, for the tenants that `registry` knows.
    #[must_use]
    pub fn new(spool: Arc<Spool>, tracker: Tracker, registry: Arc<Registry>) -> Self {
        Self { spool, tracker, registry }
    }

    /// Looks after the spool for as long as the service runs.
    pub async fn run(&self) {
        let (mut pause, mut aside) = (EVERY, Aside::new());
        loop {
            tokio::time::sleep(pause).await;
            self.spool.show();
            pause = EVERY;
            if self.spool.is_taking() && !self.is_back().await {
                continue;
            }
            match self.drain(&mut aside).await {
                Ok(()) => self.spool.resume(),
                Err(cause) => {
                    self.spool.trip(&cause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
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

    /// Drains everything; the error is why the database is taken to be away.
    async fn drain(&self, aside: &mut Aside) -> Result<(), String> {
        let (mut after, mut drained, mut together) = (0, 0, 1);
        loop {
            // The first shows whether the database really takes anything.
            let limit = if self.spool.is_taking() { 1 } else { together };
            let read = self.spool.file.after(after, limit).await;
            let mut rows = read.map_err(|error| format!("the spool can't be read: {error}"))?;
            let Some(last) = rows.last() else { break };
            after = last.seq;
            rows.retain(|row| aside.get(&row.seq).is_none_or(|until| *until <= Instant::now()));
            let (count, begun) = (rows.len(), Instant::now());
            self.some(rows, aside).await?;
            let in_time = begun.elapsed() < SHORT;
            together = if in_time { (together * 2).min(TOGETHER) } else { (together / 2).max(1) };
            if count > 0 {
                drained += count;
                self.spool.resume();
            }
        }
        if drained > 0 {
            tracing::info!(drained, "the spool is drained");
            if self.spool.is_empty()
                && let Err(error) = self.spool.file.tidy().await
            {
                tracing::debug!(%error, "the spool's room could not be given back");
            }
        }
        Ok(())
    }

    /// Drains some together, or, where anything stands in the way of one, each by itself.
    async fn some(&self, rows: Vec<QueuedRow>, aside: &mut Aside) -> Result<(), String> {
        match self.together(&rows).await {
            Ok(()) => return self.remove(&rows).await,
            Err(Failure::Away(cause)) => return Err(cause),
            Err(Failure::Alone(_) | Failure::KeyReused) => {}
        }
        for row in rows {
            let alone = std::slice::from_ref(&row);
            let stored = match self.together(alone).await {
                Err(Failure::KeyReused) => self.hold(&row).await,
                stored => stored,
            };
            match stored {
                Ok(()) => self.remove(alone).await?,
                Err(Failure::Away(cause)) => return Err(cause),
                Err(Failure::Alone(cause)) => set_aside(&row, &cause, aside),
                Err(Failure::KeyReused) => set_aside(&row, "its key is taken", aside),
            }
        }
        Ok(())
    }

    async fn remove(&self, rows: &[QueuedRow]) -> Result<(), String> {
        let removed = self.spool.remove(rows).await;
        removed.map_err(|error| format!("the spool can't be written to: {error}"))
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

fn set_aside(row: &QueuedRow, cause: &str, aside: &mut Aside) {
    tracing::error!(event = %row.id, cause, "a queued delivery can't be stored; it stays");
    aside.insert(row.seq, Instant::now() + SET_ASIDE);
}
