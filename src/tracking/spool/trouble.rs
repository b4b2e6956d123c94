//! What goes wrong while the spool is drained, and what is done about it.

use crate::storage::{self, spool::QueuedRow};
use crate::tracking::TrackError;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Why something can't be drained now.
pub(super) enum Failure {
    /// The database is away.
    Away(String),
    /// More wait to be stored than may, or the writer of this one broke off.
    Busy(String),
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
            busy @ TrackError::Busy => Self::Busy(busy.to_string()),
            TrackError::KeyReused { .. } => Self::KeyReused,
            TrackError::Denied(denied) => Self::Alone(denied.to_string()),
        }
    }
}

/// Why draining stops for now.
pub(super) enum Halt {
    /// The database is away.
    Away(String),
    /// The database is busy with what arrives.
    Busy(String),
    /// The spool's own file fails, and the database does not.
    Spool(storage::Error),
}

/// What went wrong so far, by the place in the queue.
#[derive(Default)]
pub(super) struct Troubles {
    /// Those that failed alone, and until when each is left.
    aside: BTreeMap<i64, Instant>,
    /// How often each found the database away or busy.
    failed: BTreeMap<i64, u32>,
}

impl Troubles {
    /// True while one is left.
    pub(super) fn leave(&self, row: &QueuedRow) -> bool {
        self.aside.get(&row.seq).is_some_and(|until| *until > Instant::now())
    }

    /// Leaves one for a while.
    pub(super) fn set_aside(&mut self, row: &QueuedRow, cause: &str, time: Duration) {
        tracing::error!(event = %row.id, cause, "a queued delivery can't be stored; it stays");
        self.aside.insert(row.seq, Instant::now() + time);
    }

    /// Forgets what was held against one that is stored.
    pub(super) fn forgive(&mut self, row: &QueuedRow) {
        self.failed.remove(&row.seq);
    }

    /// How often one found the database away or busy, this time included.
    pub(super) fn failed_again(&mut self, row: &QueuedRow) -> u32 {
        let times = self.failed.entry(row.seq).or_default();
        *times = times.saturating_add(1);
        *times
    }
}
