//! A Retell event that a workflow passes on: whole, beside what the workflow made of it, or alone.
//!
//! It is read as Retell's own, so that what a workflow passes on and what Retell told us itself
//! become one booking.

use super::fields::Place;
use super::skim::{Raw, skimmed};
use super::{Delivery, Headers, Item, Mapped, Reading, Source, json, retell};
use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

/// The passed-on event.
pub(super) struct Forwarded<'a> {
    pointer: String,
    event: &'a RawValue,
}

skimmed! {
    /// An object of a posted body, as far as it may pass an event on or be one.
    struct Level<'a> {
        booking_data "bookingData": Raw<'a>,
        original "originalPayload": Raw<'a>,
        body "body": Raw<'a>,
        event "event": Raw<'a>,
        call "call": Raw<'a>,
        chat "chat": Raw<'a>,
    }
}

skimmed! {
    struct Talk<'a> {
        call_id "call_id": Raw<'a>,
        chat_id "chat_id": Raw<'a>,
    }
}

/// How deep an event may stand: a workflow hands on what its first node got.
const MOST_LEVELS: usize = 8;

/// Finds it: as `originalPayload`, or as what a webhook node got.
pub(super) fn find(body: &[u8]) -> Option<Forwarded<'_>> {
    let (mut place, mut object) = (Place::object(""), json::typed::<&RawValue>(body).ok()?);
    for depth in 0..MOST_LEVELS {
        let level: Level = json::part(object)?;
        // A booking that the workflow's author wrote out is what was meant.
        if depth == 0 && level.booking_data.is_some() {
            return None;
        }
        if let Some(event) =
            level.original.filter(|raw| is_event(&json::part(raw).unwrap_or_default()))
        {
            return Some(Forwarded { pointer: place.of("originalPayload"), event });
        }
        if is_event(&level) {
            return Some(Forwarded { pointer: place.pointer().to_owned(), event: object });
        }
        (place, object) = (place.inner("body"), level.body?);
    }
    None
}

impl Forwarded<'_> {
    /// The tenant it names.
    pub(super) fn tenant(&self) -> Option<String> {
        retell::Source.hints(self.bytes()).tenant
    }

    /// When what it tells was told.
    pub(super) fn told_at(&self, received_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.item(received_at)?.occurred_at
    }

    /// What it tells; its problems point into the body around it.
    pub(super) fn map(&self, reading: &Reading<'_>) -> Option<Vec<Mapped>> {
        let item = self.item(reading.received_at)?;
        let map = reading.map.map(|map| map.inside(&self.pointer));
        let mut mapped = retell::Source.map(&item, &Reading { map: map.as_ref(), ..*reading });
        for one in &mut mapped {
            let Mapped::NeedsReview(review) = one else { continue };
            for problem in &mut review.problems {
                // What a person supplied stands nowhere in the body.
                if !(problem.pointer.is_empty() && problem.field.is_some()) {
                    problem.pointer.insert_str(0, &self.pointer);
                }
            }
        }
        Some(mapped)
    }

    fn bytes(&self) -> &[u8] {
        self.event.get().as_bytes()
    }

    fn item(&self, received_at: DateTime<Utc>) -> Option<Item> {
        let headers = Headers::default();
        let delivery = Delivery { body: self.bytes(), headers: &headers, received_at };
        retell::Source.split(&delivery).ok()?.into_iter().next()
    }
}

/// True for a body in Retell's own form: an event, and the call or chat it is of.
fn is_event(object: &Level<'_>) -> bool {
    let has_id = [object.call, object.chat].into_iter().flatten().any(|raw| {
        let talk: Talk = json::part(raw).unwrap_or_default();
        talk.call_id.or(talk.chat_id).is_some()
    });
    has_id && object.event.is_some_and(|event| event.get().starts_with('"'))
}
