//! Many events in one transaction.
//!
//! A transaction costs more than what most events write in it. So events go into one together, in
//! their order, as if they had come one after the other; where anything stands in the way of one,
//! the transaction is undone and each is tried by itself.

use super::answer::Answer;
use super::attempts::{Attempt, Locks};
use super::queue::Outcome;
use super::work::Work;
use super::{Taken, TrackError, Tracker, Trouble};
use crate::storage::Error;
use std::collections::BTreeMap;

/// How often events are tried together with more locks, before each is tried by itself.
const ATTEMPTS: u32 = 4;

impl Tracker {
    /// Tracks the events of one delivery, each as [`Tracker::track`] does, and answers them in
    /// their order.
    ///
    /// # Errors
    /// As [`Tracker::track`]. Some events may be stored then: a repeat finds them.
    pub async fn track_all(&self, taken: Vec<Taken>) -> Result<Vec<Answer>, TrackError> {
        let read = |taken: Taken| {
            let id = taken.event_id;
            self.read(taken, id, BTreeMap::new(), false)
        };
        self.submit(taken.into_iter().map(read).collect()).await
    }

    /// Writes events together where that can be, and says what became of each.
    pub(super) async fn write_together(&self, works: &[Work]) -> Vec<Outcome> {
        let all: Vec<&Work> = works.iter().collect();
        let mut locked = Locks::default();
        for work in works {
            locked.add(work.taken.tenant.id, work.locks());
        }
        for _ in 0..ATTEMPTS {
            if works.len() < 2 {
                break;
            }
            match self.attempt(&all, &locked).await {
                Ok(Attempt::Done(outcomes)) => return outcomes,
                Ok(Attempt::Relock(more)) => locked.extend(more),
                Err(Trouble::Storage(error)) if error.is_unavailable() => {
                    return unavailable(error, works.len());
                }
                Err(_) => break,
            }
        }
        let mut outcomes = Vec::with_capacity(works.len());
        for work in works {
            outcomes.push(self.run(work).await);
        }
        outcomes
    }
}

/// The same failure for each of them.
fn unavailable(error: Error, count: usize) -> Vec<Outcome> {
    let others = (1..count).map(|_| Err(TrackError::Unavailable(error.same_again())));
    let mut outcomes: Vec<Outcome> = others.collect();
    outcomes.push(Err(TrackError::Unavailable(error)));
    outcomes
}
