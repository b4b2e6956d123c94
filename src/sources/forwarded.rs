//! A Retell event that a workflow passes on: whole, beside what the workflow made of it, or alone.
//!
//! It is read as Retell's own, so that what a workflow passes on and what Retell told us itself
//! become one booking.

use super::fields::Place;
use super::{Delivery, Headers, Item, Mapped, Reading, Source, json, retell};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

/// The passed-on event.
pub(super) struct Forwarded {
    pointer: String,
    bytes: Vec<u8>,
}

/// Finds it: as `originalPayload`, or as what a webhook node got.
pub(super) fn find(body: &[u8]) -> Option<Forwarded> {
    let root = json::object(body).ok()?;
    // A booking that the workflow's author wrote out is what was meant.
    if root.contains_key("bookingData") {
        return None;
    }
    let mut level = (Place::object(""), &root);
    loop {
        let (place, object) = &level;
        if let Some((key, payload)) = original(object) {
            return Some(Forwarded::of(&place.of(key), payload));
        }
        if is_event(object) {
            return Some(Forwarded::of(place.pointer(), object));
        }
        level = (place.inner("body"), object.get("body")?.as_object()?);
    }
}

impl Forwarded {
    fn of(pointer: &str, event: &Map<String, Value>) -> Self {
        let bytes = Value::Object(event.clone()).to_string().into_bytes();
        Self { pointer: pointer.to_owned(), bytes }
    }

    /// The tenant it names.
    pub(super) fn tenant(&self) -> Option<String> {
        retell::Source.hints(&self.bytes).tenant
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
                problem.pointer.insert_str(0, &self.pointer);
            }
        }
        Some(mapped)
    }

    fn item(&self, received_at: DateTime<Utc>) -> Option<Item> {
        let headers = Headers::default();
        let delivery = Delivery { body: &self.bytes, headers: &headers, received_at };
        retell::Source.split(&delivery).ok()?.into_iter().next()
    }
}

fn original(object: &Map<String, Value>) -> Option<(&'static str, &Map<String, Value>)> {
    let key = "originalPayload";
    object.get(key)?.as_object().filter(|payload| is_event(payload)).map(|payload| (key, payload))
}

/// True for a body in Retell's own form: an event, and the call or chat it is of.
fn is_event(object: &Map<String, Value>) -> bool {
    let has = |key: &str, id: &str| object.get(key).is_some_and(|talk| talk.get(id).is_some());
    let talk = has("call", "call_id") || has("chat", "chat_id");
    talk && object.get("event").is_some_and(Value::is_string)
}
