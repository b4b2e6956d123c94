//! What is told of people who were erased: nothing of it is kept, and nothing brings them back.
//!
//! A call has several events, and a booking is changed where it was made: what comes after the
//! erasure names the person again. It is known by keyed hashes of the calls, messages and labelled
//! references that were erased. Whoever calls or writes anew is somebody new.

use super::answer::Answer;
use super::reworded::reworded;
use super::work::Work;
use super::{Taken, Tracker, gather};
use crate::domain::channel::EventStatus;
use crate::domain::sighting::{Says, Sighting};
use crate::sources::api::BY_HAND;
use crate::sources::{Item, Mapped};
use crate::storage::erased::{self, Told};
use crate::storage::seal::MasterKey;
use crate::storage::{Conn, Error, Result, events};
use std::collections::BTreeSet;

/// Why such an event is ignored.
const ERASED: &str = "erased";

/// The keyed hashes of what was told.
pub(super) fn hashes(key: &MasterKey, told: &Told) -> BTreeSet<String> {
    let contexts = told.contexts.iter();
    let contexts = contexts.map(|context| key.hash(&[b"erased", b"context", context.as_bytes()]));
    let references = told.references.iter().map(|(provider, id)| {
        key.hash(&[b"erased", b"reference", provider.as_bytes(), id.as_bytes()])
    });
    contexts.chain(references).collect()
}

/// Where an event tells, and of which references.
fn told(item: &Item, mapped: &[Mapped], sightings: &[Sighting]) -> Told {
    let named = sightings.iter().flat_map(gather::contexts);
    let words = reworded(mapped).map(|words| words.context.clone());
    let references = sightings.iter().map(|sighting| &sighting.says);
    let references = references.filter_map(Says::labelled);
    Told {
        contexts: item.context.clone().into_iter().chain(named).chain(words).collect(),
        references: references.map(|(provider, id)| (provider.into(), id.into())).collect(),
    }
}

impl Tracker {
    /// The keyed hashes by which an event is known that belongs to what was erased. What a person
    /// writes is meant, whatever it refers to, and has none.
    pub(super) fn marks(
        &self,
        taken: &Taken,
        mapped: &[Mapped],
        sightings: &[Sighting],
    ) -> BTreeSet<String> {
        if taken.source.name() == BY_HAND.name() {
            return BTreeSet::new();
        }
        hashes(&self.key, &told(&taken.item, mapped, sightings))
    }

    /// What an event is answered that belongs to what was erased; `None` for every other one.
    pub(super) async fn of_erased(
        &self,
        conn: &mut Conn<'_>,
        work: &Work,
        key: Option<&str>,
    ) -> Result<Option<Answer>> {
        let tenant = work.taken.tenant.id;
        if !erased::knows_any(conn, tenant, &work.marks).await? {
            return Ok(None);
        }
        let answer = Answer::ignored(ERASED, Some(work.event_id));
        let bad = |_| Error::Inconsistent { table: "webhook_events", column: "answer" };
        let text = serde_json::to_string(&answer).map_err(bad)?;
        let now = self.clock.now();
        if work.again {
            erased::empty(conn, tenant, work.event_id, &text, now).await?;
        } else {
            events::insert(conn, tenant, &bare(work, key, &text), now).await?;
        }
        Ok(Some(answer))
    }
}

/// The event as it is kept: that it came, and nothing of what it says.
fn bare<'a>(work: &'a Work, key: Option<&'a str>, answer: &'a str) -> events::NewEvent<'a> {
    let (taken, item) = (&work.taken, &work.taken.item);
    let outcome = events::Outcome {
        status: EventStatus::Ignored,
        reason: Some(ERASED),
        problems: "[]",
        understood: None,
        answer,
        overrides: None,
        review_context: None,
    };
    events::NewEvent {
        id: work.event_id,
        connection_id: taken.connection_id,
        source: taken.source.name(),
        kind: &item.kind,
        account_id: item.account.as_deref(),
        delivery_key_hash: key,
        body_hash: &work.body_hash,
        outcome,
        headers: "{}",
        raw: &[],
        occurred_at: item.occurred_at,
        received_at: taken.received_at,
    }
}
