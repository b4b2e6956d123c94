//! Many events of one delivery, in few transactions.
//!
//! A transaction costs more than what most events write in it. So the events of a tenant go into
//! one together, in their order, as if they had come one after the other; where anything stands in
//! the way of one, the transaction is undone and each is tried by itself.

use super::answer::Answer;
use super::work::Work;
use super::{Taken, TrackError, Tracker, Trouble};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The most events of one transaction: whoever else wants to write waits for it.
const TOGETHER: usize = 64;

/// How often events are tried together with more locks, before each is tried by itself.
const ATTEMPTS: u32 = 4;

/// An event and its place in the delivery.
type Placed<'a> = (usize, &'a Taken);

impl Tracker {
    /// Tracks the events of one delivery, each as [`Tracker::track`] does, and answers them in
    /// their order.
    ///
    /// # Errors
    /// As [`Tracker::track`]. Some events may be stored then: a repeat finds them.
    pub async fn track_all(&self, taken: &[Taken]) -> Result<Vec<Answer>, TrackError> {
        let mut by_tenant: BTreeMap<Uuid, Vec<Placed<'_>>> = BTreeMap::new();
        for (place, one) in taken.iter().enumerate() {
            by_tenant.entry(one.tenant.id).or_default().push((place, one));
        }
        let chunks = by_tenant.values().flat_map(|list| list.chunks(TOGETHER));
        let mut answered: Vec<(usize, Answer)> = Vec::with_capacity(taken.len());
        for chunk in chunks {
            answered.extend(self.together(chunk).await?);
        }
        answered.sort_by_key(|(place, _)| *place);
        Ok(answered.into_iter().map(|(_, answer)| answer).collect())
    }

    async fn together(&self, chunk: &[Placed<'_>]) -> Result<Vec<(usize, Answer)>, TrackError> {
        let none = BTreeMap::new();
        let mut works = Vec::with_capacity(chunk.len());
        for (_, taken) in chunk {
            works.push(self.read(taken, taken.event_id, &none, false));
        }
        let answers = match self.try_together(&works).await? {
            Some(answers) => answers,
            None => self.one_by_one(&works).await?,
        };
        Ok(chunk.iter().map(|(place, _)| *place).zip(answers).collect())
    }

    /// `None` when they have to be tried by themselves.
    async fn try_together(&self, works: &[Work<'_>]) -> Result<Option<Vec<Answer>>, TrackError> {
        if works.len() < 2 {
            return Ok(None);
        }
        let mut locked: BTreeSet<String> = works.iter().flat_map(Work::locks).collect();
        for _ in 0..ATTEMPTS {
            match self.attempt(works, &locked).await {
                Ok(answers) => return Ok(Some(answers)),
                Err(Trouble::Relock(more)) => locked.extend(more),
                Err(Trouble::Storage(error)) if error.is_unavailable() => {
                    return Err(TrackError::Unavailable(error));
                }
                Err(Trouble::Storage(_) | Trouble::Track(_)) => return Ok(None),
            }
        }
        Ok(None)
    }

    async fn one_by_one(&self, works: &[Work<'_>]) -> Result<Vec<Answer>, TrackError> {
        let mut answers = Vec::with_capacity(works.len());
        for work in works {
            answers.push(self.run(work).await?);
        }
        Ok(answers)
    }
}
