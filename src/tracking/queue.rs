//! The events that wait to be written, and who writes them.
//!
//! Nobody waits for company: an event that finds a writer free is written at once, by itself. What
//! comes while all writers are busy is written together by the next that is free.

use super::answer::Answer;
use super::work::Work;
use super::{TrackError, Tracker};
use crate::storage::Error;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};

/// The most events of one transaction: whoever comes later waits for all of them. With more, or
/// with one writer, less is stored in a second on two cores (`docs/performance.md`).
const TOGETHER: usize = 64;

/// The most bytes of one transaction's events.
const TOGETHER_BYTES: usize = 4 << 20;

/// The most events that may wait before a further delivery is sent away.
const MOST_WAITING: usize = 4096;

/// The most bytes that may wait before a further delivery is sent away.
const MOST_WAITING_BYTES: usize = 64 << 20;

/// How long a transaction may take, and what one event adds to that: a server that never answers
/// would hold a writer for good.
const PATIENCE: Duration = Duration::from_secs(15);
const PATIENCE_EACH: Duration = Duration::from_millis(100);

/// Writers of a server: the one decides while the other waits for the disk.
const WRITERS: usize = 2;

/// What became of one event.
pub(super) type Outcome = Result<Answer, TrackError>;

/// An event that waits, and who waits for its outcome.
struct Job {
    work: Work,
    reply: oneshot::Sender<Outcome>,
}

/// The events that wait, the longest waiting first.
#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    bytes: usize,
}

/// The queue of one database.
#[derive(Clone)]
pub(super) struct Queue {
    waiting: Arc<Mutex<Waiting>>,
    writers: Arc<Semaphore>,
}

impl Queue {
    /// A queue for `engine`. SQLite has one writer at a time whatever we do.
    pub(super) fn new(engine: &str) -> Self {
        let writers = if engine == "sqlite" { 1 } else { WRITERS };
        Self { waiting: Arc::default(), writers: Arc::new(Semaphore::new(writers)) }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the events of one delivery wait: all of them, or none where too many wait already.
    fn push(&self, works: Vec<Work>) -> Result<Vec<oneshot::Receiver<Outcome>>, TrackError> {
        let mut waiting = self.waiting();
        if waiting.jobs.len() >= MOST_WAITING || waiting.bytes >= MOST_WAITING_BYTES {
            return Err(TrackError::Busy);
        }
        let mut replies = Vec::with_capacity(works.len());
        for work in works {
            let (reply, outcome) = oneshot::channel();
            waiting.bytes += work.taken.item.raw.len();
            waiting.jobs.push_back(Job { work, reply });
            replies.push(outcome);
        }
        Ok(replies)
    }

    /// Takes those that have waited longest.
    fn take(&self) -> Vec<Job> {
        let mut waiting = self.waiting();
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while taken.len() < TOGETHER && (taken.is_empty() || bytes < TOGETHER_BYTES) {
            let Some(job) = waiting.jobs.pop_front() else { break };
            let size = job.work.taken.item.raw.len();
            bytes += size;
            waiting.bytes -= size;
            taken.push(job);
        }
        taken
    }
}

impl Tracker {
    /// Has events written, and answers them in their order when they are.
    pub(super) async fn submit(&self, works: Vec<Work>) -> Result<Vec<Answer>, TrackError> {
        let replies = self.queue.push(works)?;
        self.wake();
        let mut answers = Vec::with_capacity(replies.len());
        let mut failure = None;
        for reply in replies {
            // A writer that is gone answered nobody: whether it committed, a repeat finds out.
            match reply.await.unwrap_or(Err(TrackError::Busy)) {
                Ok(answer) => answers.push(answer),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(answers), Err)
    }

    /// Sets a writer to work, if one is free. It is nobody's request: who waits for its event may
    /// go away, and the others' are written all the same.
    fn wake(&self) {
        let Ok(permit) = Arc::clone(&self.queue.writers).try_acquire_owned() else { return };
        let tracker = self.clone();
        self.runtime.spawn(async move {
            loop {
                let jobs = tracker.queue.take();
                if jobs.is_empty() {
                    break;
                }
                tracker.write_jobs(jobs).await;
            }
            drop(permit);
            // Whoever came between the last look and now found no writer free.
            if !tracker.queue.waiting().jobs.is_empty() {
                tracker.wake();
            }
        });
    }

    async fn write_jobs(&self, jobs: Vec<Job>) {
        let (works, replies): (Vec<Work>, Vec<_>) =
            jobs.into_iter().map(|job| (job.work, job.reply)).unzip();
        let each = u32::try_from(works.len()).unwrap_or(u32::MAX);
        let patience = PATIENCE + PATIENCE_EACH.saturating_mul(each);
        let written = tokio::time::timeout(patience, self.write_together(&works)).await;
        let outcomes = written.unwrap_or_else(|_elapsed| late(works.len()));
        for (reply, outcome) in replies.into_iter().zip(outcomes) {
            // Who asked may be gone: what was written stays.
            drop(reply.send(outcome));
        }
    }
}

/// Whether they were stored is not known; a repeat finds out.
fn late(count: usize) -> Vec<Outcome> {
    (0..count).map(|_| Err(TrackError::Unavailable(Error::late()))).collect()
}
