//! The spool in use: what waits in it, and whether deliveries go to it now.
//!
//! It is a circuit breaker as well. Once the database was found away, deliveries go to the spool
//! at once, without waiting for it; `drain` looks whether it is back.

pub mod drain;
mod record;

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
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// What the kept directory is sealed for.
const PLACE: &str = "spool/directory";

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
    taking: AtomicBool,
    refusing: AtomicBool,
    depth: Mutex<Depth>,
}

/// How it stands with the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// True while deliveries go to it, because the database is away.
    pub taking: bool,
    /// True when it had to refuse the last one: it is full, or its disk is.
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

impl Spool {
    /// Takes an open file into use, for at most so many bytes. Until [`Spool::resume`] says that
    /// the database is there, deliveries go to the spool.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn new(file: SpoolFile, most: u64, clock: Clock) -> storage::Result<Self> {
        let depth = Mutex::new(file.depth().await?);
        let (taking, refusing) = (AtomicBool::new(true), AtomicBool::new(false));
        Ok(Self { file, most, clock, taking, refusing, depth })
    }

    /// True while deliveries go to the spool.
    #[must_use]
    pub fn is_taking(&self) -> bool {
        self.taking.load(Ordering::Acquire)
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
            refusing: self.refusing.load(Ordering::Acquire),
            deliveries: depth.deliveries,
            bytes: depth.bytes,
            oldest_seconds: waited.unwrap_or(0),
        }
    }

    /// From now on deliveries go to the spool: the database was found away.
    pub fn trip(&self, cause: &dyn Display) {
        if !self.taking.swap(true, Ordering::AcqRel) {
            tracing::warn!(%cause, "the database is away: deliveries go to the spool");
        }
        self.show();
    }

    /// From now on deliveries go to the database again.
    pub fn resume(&self) {
        if self.taking.swap(false, Ordering::AcqRel) {
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

    /// What a repeat of something that waits is answered.
    pub(super) async fn repeat(&self, (row, repeats): &Queuing) -> Result<Option<Answer>, Refusal> {
        let Some(key) = &row.key_hash else { return Ok(None) };
        let known = self.file.latest_by_key(row.tenant_id, key).await.map_err(failed)?;
        known.map_or(Ok(None), |known| repeated(row, *repeats, &known))
    }

    /// Puts the events of one delivery at the end of the queue, all or none; what waits already
    /// is answered as it was. When this returns they are on the disk.
    pub(super) async fn keep(&self, queuing: Vec<Queuing>) -> Result<Vec<Answer>, Refusal> {
        let kept = self.try_keep(&queuing).await;
        let refusing = matches!(kept, Err(Refusal::Unavailable(_)));
        if refusing != self.refusing.swap(refusing, Ordering::AcqRel) && refusing {
            tracing::error!("the spool can't take deliveries: they are sent back");
        }
        let (answers, added) = kept?;
        {
            let mut depth = self.lock();
            depth.deliveries += added.deliveries;
            depth.bytes += added.bytes;
            depth.oldest = depth.oldest.or(added.oldest);
        }
        self.show();
        Ok(answers)
    }

    async fn try_keep(&self, queuing: &[Queuing]) -> Result<(Vec<Answer>, Depth), Refusal> {
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
                return Err(Refusal::Unavailable(Some(Box::new(Full))));
            }
            spool::insert(conn, row).await.map_err(failed)?;
            added.deliveries += 1;
            added.bytes += row.size();
            added.oldest = added.oldest.or(Some(row.received_at));
            answers.push(Answer::new(EventStatus::Queued, Some(row.id)));
        }
        tx.commit().await.map_err(failed)?;
        Ok((answers, added))
    }

    /// Removes what the database has now.
    async fn remove(&self, rows: &[QueuedRow]) -> storage::Result<()> {
        let places: Vec<i64> = rows.iter().map(|row| row.seq).collect();
        self.file.remove(&places).await?;
        let front = self.file.front().await?;
        {
            let mut depth = self.lock();
            let count = u64::try_from(rows.len()).unwrap_or(0);
            depth.deliveries = depth.deliveries.saturating_sub(count);
            depth.bytes = depth.bytes.saturating_sub(rows.iter().map(QueuedRow::size).sum());
            depth.oldest = front;
        }
        self.refusing.store(false, Ordering::Release);
        self.show();
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
