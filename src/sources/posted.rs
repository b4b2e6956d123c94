//! What chat and n8n share: one booking in one JSON body, posted by a program.
//!
//! The contract is `{tenantId, bookingData: {…}}`, or the same fields at the root. Both sign by
//! Standard Webhooks, or come with a `service` token.

use super::fieldmap::Document;
use super::fields::{Draft, Field, Place, Raw, Rules, Take, yes_no};
use super::signature::{self, StandardHeaders};
use super::{
    Checked, Delivery, DeliveryKey, Headers, Hints, Item, Malformed, Mapped, Reading, Telling,
    json, tell,
};
use crate::domain::channel::{BookingStatus, Channel};
use crate::domain::problem::Problem;
use crate::domain::sighting::Rank;
use crate::domain::when;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";

/// True when the delivery claims to be signed.
pub(super) fn is_signed(headers: &Headers) -> bool {
    headers.get(SIGNATURE).is_some()
}

/// Checks the Standard Webhooks headers.
pub(super) fn verify(secret: &str, delivery: &Delivery<'_>) -> Checked {
    let headers = StandardHeaders {
        id: delivery.headers.get(ID),
        timestamp: delivery.headers.get(TIMESTAMP),
        signature: delivery.headers.get(SIGNATURE),
    };
    signature::check_standard(secret, delivery.body, headers, delivery.received_at)
}

/// The Standard Webhooks headers for a body.
pub(super) fn sign(
    secret: &str,
    body: &[u8],
    id: &str,
    now: DateTime<Utc>,
) -> Result<Vec<(&'static str, String)>, String> {
    let [id, time, signature] = signature::sign_standard(secret, body, id, now)?;
    Ok(vec![(ID, id), (TIMESTAMP, time), (SIGNATURE, signature)])
}

/// The tenant that a body names.
pub(super) fn hints(body: &[u8]) -> Hints {
    let tenant = json::object(body).ok().and_then(|root| Post::of(&root).tenant());
    Hints { accounts: Vec::new(), tenant }
}

/// The one event of a delivery. Where it does not say when it happened, that is `usual`, or when
/// it was sent.
pub(super) fn split(
    delivery: &Delivery<'_>,
    rank: Rank,
    usual: Option<DateTime<Utc>>,
) -> Result<Vec<Item>, Malformed> {
    let root = json::object(delivery.body)?;
    let post = Post::of(&root);
    let header = |name| delivery.headers.get(name).filter(|value| !value.trim().is_empty());
    let key = header(ID).or_else(|| header("idempotency-key"));
    let told_at = post.occurred_at().and_then(|(_, raw)| when::absolute(raw.text()?));
    Ok(vec![Item {
        kind: "booking".to_owned(),
        account: None,
        tenant: post.tenant(),
        key: key.map_or(DeliveryKey::BodyForAnHour, |key| DeliveryKey::Chosen(key.to_owned())),
        occurred_at: told_at.or(usual).or_else(|| when::absolute(header(TIMESTAMP)?)),
        rank,
        raw: delivery.body.to_vec(),
    }])
}

/// Reads the booking, or the change that its `status` tells. Without a `channel` the body must
/// name one.
pub(super) fn map(item: &Item, reading: &Reading<'_>, channel: Option<Channel>) -> Vec<Mapped> {
    let root = match json::object(&item.raw) {
        Ok(root) => root,
        Err(Malformed { problem }) => return vec![Mapped::NeedsReview(problem.into())],
    };
    let post = Post::of(&root);
    let whole = reading.map.map(|_| Value::Object(root.clone()));
    let draft = post.draft(reading, &Document::of(whole.as_ref()));
    let rules = Rules {
        tenant: reading.tenant,
        // A program's words are not read against the clock: it can send the date itself.
        told_at: None,
        contract: true,
        channel,
        sender: None,
        provider: reading.provider(),
    };
    let booked = draft.get(Field::Booked).and_then(|found| yes_no(&found.raw));
    let mut understood = draft.read(&rules);
    if booked == Some(false) && understood.told.is_none() {
        return vec![Mapped::Ignored("no_booking".to_owned())];
    }
    understood.problems.extend(post.occurred_at_problem());
    let telling = Telling {
        item: "booking".to_owned(),
        seq: 0,
        context: None,
        told_as: Vec::new(),
        set_by_person: Vec::new(),
        data: (),
    };
    vec![tell::either(understood, BookingStatus::Confirmed, telling)]
}

/// A posted body, and where in it the booking stands.
struct Post<'a> {
    /// The objects around the booking, the outermost first, the booking's own last.
    levels: Vec<(Place, &'a Map<String, Value>)>,
}

impl<'a> Post<'a> {
    /// Goes in through what callers wrap a booking in.
    fn of(root: &'a Map<String, Value>) -> Self {
        const WRAPPERS: &[&str] = &["bookingData", "booking_data", "body", "args"];
        let mut levels = vec![(Place::object(""), root)];
        let mut next = Some((Place::object(""), root));
        while let Some((place, object)) = next.take() {
            let inside =
                WRAPPERS.iter().find_map(|key| Some((key, object.get(*key)?.as_object()?)));
            if let Some((key, inner)) = inside {
                levels.push((place.inner(key), inner));
                next = Some((place.inner(key), inner));
            }
        }
        Self { levels }
    }

    fn draft(&self, reading: &Reading<'_>, document: &Document<'_>) -> Draft {
        let mut draft = Draft::corrected(reading.overrides).mapped(reading.map, document);
        let Some((place, booking)) = self.levels.last() else {
            return draft;
        };
        draft.add(booking, place, Take::All);
        for key in ["customer", "client"] {
            if let Some(person) = booking.get(key).and_then(Value::as_object) {
                draft.add(person, &place.inner(key), Take::Person);
            }
        }
        draft
    }

    /// The tenant named by the outermost object that names one.
    fn tenant(&self) -> Option<String> {
        let named = |object: &Map<String, Value>| {
            let direct = ["tenantId", "tenant_id"].iter().find_map(|key| object.get(*key));
            let inner = || {
                let holder =
                    ["tenant", "metadata"].iter().find_map(|key| object.get(*key)?.as_object());
                let names = ["id", "tenantId", "tenant_id"];
                holder.and_then(|holder| names.iter().find_map(|key| holder.get(*key)))
            };
            let found = direct.and_then(Raw::of).or_else(|| inner().and_then(Raw::of));
            let named = found.and_then(|raw| raw.text().map(str::to_owned));
            named.filter(|name| name.len() <= json::MAX_ID)
        };
        self.levels.iter().find_map(|(_, object)| named(object))
    }

    /// When it happened, by the caller's own word.
    fn occurred_at(&self) -> Option<(String, Raw)> {
        const NAMES: &[&str] = &["occurredAt", "occurred_at"];
        self.levels.iter().find_map(|(place, object)| {
            let (key, value) = NAMES.iter().find_map(|key| Some((key, object.get(*key)?)))?;
            Some((place.of(key), Raw::of(value)?))
        })
    }

    fn occurred_at_problem(&self) -> Option<Problem> {
        let (pointer, raw) = self.occurred_at()?;
        if raw.text().and_then(when::absolute).is_some() {
            return None;
        }
        let detail =
            "It is not a moment; send occurredAt as 2026-03-09T10:15:00Z, or leave it out.";
        let value = raw.shown();
        Some(Problem::at(
            &pointer,
            "occurred_at_unreadable",
            detail,
            "occurredAt",
            value.as_deref(),
        ))
    }
}
