//! The transaction in which events are tracked, run until it is through.

use super::ahead::read_ahead;
use super::answer::Answer;
use super::outcome::{self, Decided};
use super::queue::Outcome;
use super::work::Work;
use super::{Step, TrackError, Tracker, Trouble};
use crate::storage::{Error, locks};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// From how many events on it pays to read ahead for them.
const WORTH_READING_AHEAD: usize = 2;

/// How often a transaction that met another is run again before it counts as failed.
pub(super) const ATTEMPTS: u32 = 12;

impl Tracker {
    /// Runs the transaction until it is through: again when another was in the way, and with
    /// more locks when more turned out to be involved.
    pub(super) async fn run(&self, work: &Work) -> Result<Answer, TrackError> {
        let mut locked = Locks::default();
        locked.add(work.tenant(), work.locks());
        let mut failure = None;
        for attempt in 0..ATTEMPTS {
            match self.attempt(&[work], &locked).await {
                Ok(Attempt::Done(outcomes)) => {
                    if let Some(outcome) = outcomes.into_iter().next() {
                        return outcome;
                    }
                }
                Ok(Attempt::Relock(more)) => locked.extend(more),
                Err(Trouble::Relock(more)) => locked.add(work.tenant(), more),
                Err(Trouble::Track(error)) => return Err(error),
                Err(Trouble::Storage(error)) if error.is_unavailable() => {
                    return Err(TrackError::Unavailable(error));
                }
                Err(Trouble::Storage(error)) if error.is_out_of_time() => {
                    return Err(TrackError::Unavailable(error));
                }
                Err(Trouble::Storage(error)) if error.is_conflict() => {
                    failure = Some(error);
                    tokio::time::sleep(Duration::from_millis(2 << attempt.min(6))).await;
                }
                Err(Trouble::Storage(error)) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        match failure {
            // A person waits for the answer, and can write it again.
            Some(error) if work.terms.by_hand() => Err(TrackError::Unavailable(error)),
            // Nothing is wrong with the event.
            Some(error) if error.is_contention() => Err(TrackError::Unavailable(error)),
            failure => self.keep_failed(work, failure).await,
        }
    }

    /// What says it can't be stored for good is kept raw, so that nothing acknowledged is lost.
    async fn keep_failed(&self, work: &Work, failure: Option<Error>) -> Result<Answer, TrackError> {
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

    /// Tracks events in one transaction, each as if those before it had come alone.
    pub(super) async fn attempt(
        &self,
        works: &[&Work],
        locked: &Locks,
    ) -> Result<Attempt, Trouble> {
        let begun = Instant::now();
        let mut tx = self.db.begin_batch().await?;
        let conn = &mut tx.conn();
        locks::lock_all(conn, &locked.all()).await?;
        let (mut done, mut wanted) = (Vec::with_capacity(works.len()), Locks::default());
        let mut is_read = false;
        for (place, work) in works.iter().enumerate() {
            if works.len() - place >= WORTH_READING_AHEAD && (!is_read || conn.take_stale()) {
                read_ahead(conn, works.get(place..).unwrap_or_default()).await?;
                is_read = true;
            }
            match self.step(conn, work, locked.of(work.tenant())).await {
                Ok(step) => done.push(Ok(step)),
                // The others may want more as well: all of it is locked in the next attempt.
                Err(Trouble::Relock(more)) => wanted.add(work.tenant(), more),
                // Nothing was written of it.
                Err(Trouble::Track(error @ TrackError::KeyReused { .. })) => done.push(Err(error)),
                Err(trouble) => return Err(trouble),
            }
        }
        if !wanted.is_empty() {
            return Ok(Attempt::Relock(wanted));
        }
        tx.commit().await?;
        let outcome = |(step, work): (Result<Step, TrackError>, &&Work)| match step? {
            Step::Known(answer) => Ok(answer),
            Step::Decided(decided) => {
                work.span.in_scope(|| decided.log(work, begun.elapsed()));
                Ok(decided.answer)
            }
        };
        Ok(Attempt::Done(done.into_iter().zip(works).map(outcome).collect()))
    }
}

/// What a transaction has locked: names, by their tenant.
#[derive(Debug, Default)]
pub(super) struct Locks(BTreeMap<Uuid, BTreeSet<String>>);

impl Locks {
    pub(super) fn add(&mut self, tenant: Uuid, names: impl IntoIterator<Item = String>) {
        self.0.entry(tenant).or_default().extend(names);
    }

    pub(super) fn extend(&mut self, more: Self) {
        for (tenant, names) in more.0 {
            self.add(tenant, names);
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of one tenant.
    fn of(&self, tenant: Uuid) -> &BTreeSet<String> {
        const NONE: &BTreeSet<String> = &BTreeSet::new();
        self.0.get(&tenant).unwrap_or(NONE)
    }

    fn all(&self) -> Vec<(Uuid, &str)> {
        self.0
            .iter()
            .flat_map(|(tenant, names)| names.iter().map(|name| (*tenant, name.as_str())))
            .collect()
    }
}

/// What became of one attempt at a transaction.
pub(super) enum Attempt {
    /// It is through.
    Done(Vec<Outcome>),
    /// More has to be locked first.
    Relock(Locks),
}
