//! The spool in use: what waits in it, and whether deliveries go to it now.
//!
//! It is a circuit breaker as well. Once the database was found away, deliveries go to the spool
//! at once, without waiting for it; `drain` looks whether it is back.

pub mod drain;
mod record;
mod trouble;

use super::answer::Answer;
use super::intake::Refusal;
use crate::clock::Clock;
use crate::domain::channel::EventStatus;
use crate::storage::seal::MasterKey;
use crate::storage::spool::{self, Depth, QueuedKey, QueuedRow, SpoolFile};
use crate::storage::{self, Error};
use crate::telemetry;
use chrono::TimeDelta;
use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// What the kept directory is sealed for.
const PLACE: &str = "spool/directory";

/// How long a delivery may wait for those before it to be on the spool's disk.
const LONGEST_TURN: Duration = Duration::from_secs(10);

/// Deliveries go to the spool: the lowest bit of the breaker. Those above count how often the
/// database was found away.
const TAKING: u64 = 1;
const ONE_TRIP: u64 = 2;

/// The spool is full when it has no room for this: few deliveries take more.
const USUAL: u64 = 64 << 10;

/// How long a failure of the file counts. Somebody who asks whether deliveries are taken, and sends
/// none while they are not, would never hear that they are again.
const REMEMBERED: Duration = Duration::from_secs(30);

/// How often the database was found away until a moment.
#[derive(Clone, Copy, Debug)]
pub struct Trips(u64);

/// Where the spool is once it could be opened. There is none with SQLite, and none while another
/// process has its file.
pub type Slot = Arc<OnceLock<Arc<Spool>>>;

/// What makes a delivery with the same key a repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeats {
    /// The key alone.
    Always,
    /// The key; other bytes are an error of the caller's.
    SameBytes,
    /// The key, within an hour.
    WithinAnHour,
}

/// A delivery on its way into the spool.
pub(super) type Queuing = (QueuedRow, Repeats);

/// The spool of this instance.
pub struct Spool {
    file: SpoolFile,
    most: u64,
    clock: Clock,
    breaker: AtomicU64,
    /// When its file last failed, unless it took something since.
    failed: Mutex<Option<Instant>>,
    /// Who writes: what waits changes in the file and in `depth` as one.
    writing: tokio::sync::Mutex<()>,
    depth: Mutex<Depth>,
}

/// How it stands with the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// True while deliveries go to it, because the database is away.
    pub taking: bool,
    /// True when it can't take a usual one: it is full, or its disk failed a moment ago.
    pub refusing: bool,
    /// How many wait.
    pub deliveries: u64,
    /// How much room they take.
    pub bytes: u64,
    /// How long the oldest has waited.
    pub oldest_seconds: i64,
}

/// Why a delivery can't be queued.
#[derive(Debug, thiserror::Error)]
#[error("the spool is full; more room is given by BOOKHOOK_SPOOL_SIZE")]
struct Full;

/// The same.
#[derive(Debug, thiserror::Error)]
#[error("the spool's disk is too slow")]
struct Slow;

impl Spool {
    /// Takes an open file into use, for at most so many bytes. Until [`Spool::resume`] says that
    /// the database is there, deliveries go to the spool.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn new(file: SpoolFile, most: u64, clock: Clock) -> storage::Result<Self> {
        let depth = Mutex::new(file.depth().await?);
        let (breaker, failed) = (AtomicU64::new(TAKING), Mutex::default());
        let writing = tokio::sync::Mutex::default();
        Ok(Self { file, most, clock, breaker, failed, writing, depth })
    }

    /// True while deliveries go to the spool.
    #[must_use]
    pub fn is_taking(&self) -> bool {
        self.breaker.load(Ordering::Acquire) & TAKING != 0
    }

    /// True when nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().deliveries == 0
    }

    /// How it stands.
    #[must_use]
    pub fn report(&self) -> Report {
        let depth = *self.lock();
        let waited = depth.oldest.map(|at| (self.clock.now() - at).num_seconds().max(0));
        Report {
            taking: self.is_taking(),
            refusing: depth.bytes.saturating_add(USUAL) > self.most || self.has_failed(),
            deliveries: depth.deliveries,
            bytes: depth.bytes,
            oldest_seconds: waited.unwrap_or(0),
        }
    }

    /// From now on deliveries go to the spool: the database was found away.
    pub fn trip(&self, cause: &dyn Display) {
        let trip = |then: u64| Some(then.wrapping_add(ONE_TRIP) | TAKING);
        let then = self.breaker.fetch_update(Ordering::AcqRel, Ordering::Acquire, trip);
        if then.is_ok_and(|then| then & TAKING == 0) {
            tracing::warn!(%cause, "the database is away: deliveries go to the spool");
        }
        self.show();
    }

    /// Asked before the database is, for [`Spool::resume`].
    pub fn trips(&self) -> Trips {
        Trips(self.breaker.load(Ordering::Acquire) & !TAKING)
    }

    /// From now on deliveries go to the database again: it answered, and nobody found it away
    /// since `trips` was asked for.
    pub fn resume(&self, Trips(trips): Trips) {
        let (taking, not) = (trips | TAKING, trips);
        let swapped =
            self.breaker.compare_exchange(taking, not, Ordering::AcqRel, Ordering::Acquire);
        if swapped.is_ok() {
            tracing::info!("the database is there: deliveries go to it");
        }
        self.show();
    }

    /// Shows how it stands to whoever reads the counters.
    pub fn show(&self) {
        let Report { taking, deliveries, bytes, oldest_seconds, .. } = self.report();
        telemetry::show_spool(taking, deliveries, bytes, oldest_seconds);
    }

    /// One delivery that waits.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn find(&self, id: uuid::Uuid) -> storage::Result<Option<QueuedRow>> {
        if self.is_empty() {
            return Ok(None);
        }
        self.file.find(id).await
    }

    /// Keeps the directory, so that a service which starts while the database is away knows whom
    /// to believe.
    ///
    /// # Errors
    /// When it can't be sealed or written.
    pub(super) async fn save_directory(&self, key: &MasterKey, text: &str) -> storage::Result<()> {
        self.file.save_directory(&key.seal(text.as_bytes(), PLACE)?).await
    }

    /// The directory that was kept.
    ///
    /// # Errors
    /// When it can't be read, or was sealed under another key.
    pub(super) async fn directory(&self, key: &MasterKey) -> storage::Result<Option<Vec<u8>>> {
        let sealed = self.file.directory().await?;
        Ok(sealed.map(|sealed| key.open(&sealed, PLACE)).transpose()?)
    }

    /// What a repeat of something that waits is answered. Where the file can't be read it is none:
    /// the database takes it, and finds the other the same when that is drained.
    pub(super) async fn repeat(&self, (row, repeats): &Queuing) -> Result<Option<Answer>, Refusal> {
        let Some(key) = &row.key_hash else { return Ok(None) };
        let known = self.file.latest_by_key(row.tenant_id, key).await.unwrap_or_else(|error| {
            tracing::error!(%error, "the spool can't be read");
            None
        });
        known.map_or(Ok(None), |known| repeated(row, *repeats, &known))
    }

    /// Puts the events of one delivery at the end of the queue, all or none; what waits already
    /// is answered as it was. When this returns they are on the disk.
    pub(super) async fn keep(&self, queuing: Vec<Queuing>) -> Result<Vec<Answer>, Refusal> {
        let kept = self.try_keep(&queuing).await;
        self.note(kept.as_ref().err());
        self.show();
        kept
    }

    /// Notes whether its file works. That one delivery finds no room says nothing of the next.
    fn note(&self, refusal: Option<&Refusal>) {
        let failed = match refusal {
            Some(Refusal::Unavailable(Some(cause))) if cause.is::<Full>() => return,
            Some(Refusal::Unavailable(_)) => Some(Instant::now()),
            _ => None,
        };
        let mut last = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.is_some() && last.is_none() {
            tracing::error!("the spool can't take deliveries: they are sent back");
        }
        *last = failed;
    }

    fn has_failed(&self) -> bool {
        let failed = *self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.is_some_and(|at| at.elapsed() < REMEMBERED)
    }

    async fn try_keep(&self, queuing: &[Queuing]) -> Result<Vec<Answer>, Refusal> {
        let turn = tokio::time::timeout(LONGEST_TURN, self.writing.lock());
        let _turn = turn.await.map_err(|_| Refusal::Unavailable(Some(Box::new(Slow))))?;
        let room = self.most.saturating_sub(self.lock().bytes);
        let (mut answers, mut added) = (Vec::with_capacity(queuing.len()), Depth::default());
        let mut tx = self.file.begin().await.map_err(failed)?;
        for (row, repeats) in queuing {
            let conn = &mut tx.conn();
            let known = match &row.key_hash {
                Some(key) => {
                    spool::latest_by_key(conn, row.tenant_id, key).await.map_err(failed)?
                }
                None => None,
            };
            if let Some(known) = known
                && let Some(answer) = repeated(row, *repeats, &known)?
            {
                answers.push(answer);
                continue;
            }
            if added.bytes + row.size() > room {
                tracing::warn!(bytes = row.size(), "a delivery finds no room in the spool");
                return Err(Refusal::Unavailable(Some(Box::new(Full))));
            }
            spool::insert(conn, row).await.map_err(failed)?;
            added.deliveries += 1;
            added.bytes += row.size();
            added.oldest = added.oldest.or(Some(row.received_at));
            answers.push(Answer::new(EventStatus::Queued, Some(row.id)));
        }
        tx.commit().await.map_err(failed)?;
        let mut depth = self.lock();
        depth.deliveries += added.deliveries;
        depth.bytes += added.bytes;
        depth.oldest = depth.oldest.or(added.oldest);
        Ok(answers)
    }

    /// Removes what the database has now.
    async fn remove(&self, rows: &[QueuedRow]) -> storage::Result<()> {
        let places: Vec<i64> = rows.iter().map(|row| row.seq).collect();
        let _turn = self.writing.lock().await;
        self.file.remove(&places).await?;
        let front = self.file.front().await?;
        {
            let mut depth = self.lock();
            let count = u64::try_from(rows.len()).unwrap_or(0);
            depth.deliveries = depth.deliveries.saturating_sub(count);
            depth.bytes = depth.bytes.saturating_sub(rows.iter().map(QueuedRow::size).sum());
            depth.oldest = front;
        }
        self.note(None);
        self.show();
        Ok(())
    }

    /// Counts again what waits. A caller that went away in the middle of a commit had its delivery
    /// kept and not counted.
    async fn recount(&self) -> storage::Result<()> {
        let _turn = self.writing.lock().await;
        let depth = self.file.depth().await?;
        *self.lock() = depth;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Depth> {
        self.depth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the file.
    pub async fn close(&self) {
        self.file.close().await;
    }
}

/// What a delivery is answered that has the same key as one that waits; `None` where it is none
/// of its repeats.
fn repeated(
    row: &QueuedRow,
    repeats: Repeats,
    known: &QueuedKey,
) -> Result<Option<Answer>, Refusal> {
    let hour_later = known.received_at + TimeDelta::hours(1);
    match repeats {
        Repeats::WithinAnHour if row.received_at >= hour_later => return Ok(None),
        Repeats::SameBytes if row.body_hash != known.body_hash => {
            return Err(Refusal::KeyReused(known.id));
        }
        _ => {}
    }
    Ok(Some(Answer::new(EventStatus::Queued, Some(known.id)).repeated()))
}

fn failed(error: Error) -> Refusal {
    tracing::error!(error = error.told(), "the spool failed");
    Refusal::Unavailable(Some(Box::new(error)))
}
