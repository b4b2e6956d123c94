//! Where the events of a verified delivery are stored: in the database, or, while that is away,
//! in the spool.

use super::answer::Answer;
use super::intake::{InboxTaken, Refusal};
use super::spool::{Slot, Spool};
use super::{Taken, TrackError, Tracker};
use crate::storage::spool::QueuedRow;
use std::time::Duration;

/// How long the database may take for a delivery, and for each of its events more, before the
/// delivery goes to the spool: its caller does not wait much longer. What the database stores of it
/// all the same is found when the spool is drained: the id is the same.
const PATIENCE: Duration = Duration::from_secs(5);
const PATIENCE_EACH: Duration = Duration::from_millis(20);

/// Where an event goes.
#[derive(Clone)]
pub(super) enum Placed {
    /// To nobody: it is another's.
    Nowhere,
    /// To the platform's inbox.
    Inbox(InboxTaken),
    /// To a tenant.
    Tenant(Taken),
}

/// Stores events, and answers when they are durable.
pub(super) struct Store {
    tracker: Tracker,
    spool: Slot,
}

impl Store {
    pub(super) fn new(tracker: Tracker, spool: Slot) -> Self {
        Self { tracker, spool }
    }

    /// The spool, where there is one.
    pub(super) fn spool(&self) -> Option<&Spool> {
        self.spool.get().map(|spool| &**spool)
    }

    /// Stores the events of one delivery, and answers in their order.
    pub(super) async fn all(&self, placed: Vec<Placed>) -> Result<Vec<Answer>, Refusal> {
        let Some(spool) = self.spool() else { return Ok(self.track(placed).await?) };
        if spool.is_taking() {
            return self.queue(spool, &placed).await;
        }
        let (known, rest) = self.waiting(spool, placed).await?;
        let each = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        let patience = PATIENCE + PATIENCE_EACH.saturating_mul(each);
        let stored = match tokio::time::timeout(patience, self.track(rest.clone())).await {
            Ok(Err(TrackError::Unavailable(error))) => {
                if error.is_unavailable() {
                    spool.trip(&error.told());
                }
                self.queue(spool, &rest).await?
            }
            Ok(stored) => stored?,
            Err(_elapsed) => {
                spool.trip(&"it does not answer");
                self.queue(spool, &rest).await?
            }
        };
        let mut stored = stored.into_iter();
        Ok(known.into_iter().filter_map(|known| known.or_else(|| stored.next())).collect())
    }

    /// Tracks events where they belong.
    async fn track(&self, placed: Vec<Placed>) -> Result<Vec<Answer>, TrackError> {
        let (mut answers, mut taken) = (Vec::with_capacity(placed.len()), Vec::new());
        for one in placed {
            let answer = match one {
                Placed::Nowhere => Some(nobodys()),
                Placed::Inbox(one) => Some(self.tracker.keep_in_inbox(&one).await?),
                Placed::Tenant(one) => {
                    taken.push(one);
                    None
                }
            };
            answers.push(answer);
        }
        let mut tracked = self.tracker.track_all(taken).await?.into_iter();
        Ok(answers.into_iter().filter_map(|known| known.or_else(|| tracked.next())).collect())
    }

    /// Repeats of what waits in the spool are answered by it; the others are still to be tracked.
    async fn waiting(
        &self,
        spool: &Spool,
        placed: Vec<Placed>,
    ) -> Result<(Vec<Option<Answer>>, Vec<Placed>), Refusal> {
        let (mut known, mut rest) = (Vec::with_capacity(placed.len()), Vec::new());
        let is_empty = spool.is_empty();
        for one in placed {
            let answer = match &one {
                _ if is_empty => None,
                Placed::Nowhere => None,
                Placed::Inbox(_) | Placed::Tenant(_) => spool.repeat(&self.row(&one)?).await?,
            };
            if answer.is_none() {
                rest.push(one);
            }
            known.push(answer);
        }
        Ok((known, rest))
    }

    /// Puts the events of a delivery into the spool, all or none.
    async fn queue(&self, spool: &Spool, placed: &[Placed]) -> Result<Vec<Answer>, Refusal> {
        let mut rows = Vec::with_capacity(placed.len());
        for one in placed.iter().filter(|one| !matches!(one, Placed::Nowhere)) {
            rows.push(self.row(one)?);
        }
        let mut queued = spool.keep(rows).await?.into_iter();
        let answer = |one: &Placed| match one {
            Placed::Nowhere => Some(nobodys()),
            _ => queued.next(),
        };
        Ok(placed.iter().filter_map(answer).collect())
    }

    fn row(&self, placed: &Placed) -> Result<(QueuedRow, super::spool::Repeats), Refusal> {
        let row = match placed {
            Placed::Tenant(taken) => self.tracker.queued(taken),
            Placed::Inbox(taken) => self.tracker.queued_for_inbox(taken),
            Placed::Nowhere => return Err(Refusal::Unavailable(None)),
        };
        row.map_err(|error| Refusal::Unavailable(Some(Box::new(error))))
    }
}

fn nobodys() -> Answer {
    Answer::ignored("not_this_account", None)
}
