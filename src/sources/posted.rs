//! What chat and n8n share: one booking in one JSON body, posted by a program.
//!
//! The contract is `{tenantId, bookingData: {…}}`, or the same fields at the root. Both sign by
//! Standard Webhooks, or come with a `service` token.

use super::fieldmap::{Document, Event};
use super::fields::{
    Draft, Field, Place, Raw, Rules, Take, Told, Understood, is_placeholder, normalise, yes_no,
};
use super::signature::{self, StandardHeaders};
use super::skim::{self, skimmed};
use super::{
    Checked, Delivery, DeliveryKey, Headers, Hints, Item, Malformed, Mapped, Reading, Telling,
    json, tell,
};
use crate::domain::channel::{BookingStatus, Channel};
use crate::domain::problem::Problem;
use crate::domain::sighting::Rank;
use crate::domain::when;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use serde_json::value::RawValue;

const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";

/// What chat and n8n declare alike of themselves: who posts, how it is signed, how it is answered.
macro_rules! declarations {
    () => {
        fn body_limit(&self) -> usize {
            1024 * 1024
        }

        fn manners(&self) -> $crate::sources::Manners {
            $crate::sources::Manners::Correct
        }

        fn takes_tokens(&self) -> bool {
            true
        }

        fn makes_secrets(&self) -> bool {
            true
        }

        fn is_signed(&self, headers: &$crate::sources::Headers) -> bool {
            $crate::sources::posted::is_signed(headers)
        }

        fn verify(
            &self,
            secret: &str,
            delivery: &$crate::sources::Delivery<'_>,
        ) -> $crate::sources::Checked {
            $crate::sources::posted::verify(secret, delivery)
        }

        fn sign(
            &self,
            secret: &str,
            body: &[u8],
            id: &str,
            now: chrono::DateTime<chrono::Utc>,
        ) -> Result<Vec<(&'static str, String)>, String> {
            $crate::sources::posted::sign(secret, body, id, now)
        }
    };
}
pub(super) use declarations;

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
    let tenant = Post::of(body).ok().and_then(|post| post.tenant());
    Hints { accounts: Vec::new(), tenant }
}

/// The one event of a delivery. Where it does not say when it happened, that is `usual`, or when
/// it was sent.
pub(super) fn split(
    delivery: &Delivery<'_>,
    rank: Rank,
    usual: Option<DateTime<Utc>>,
) -> Result<Vec<Item>, Malformed> {
    // Built once to know that it can be, whatever part of it is read.
    json::object(delivery.body)?;
    let post = Post::of(delivery.body)?;
    let header = |name| delivery.headers.get(name).filter(|value| !value.trim().is_empty());
    let key = header(ID).or_else(|| header("idempotency-key"));
    let told_at = post.occurred_at().and_then(|(_, raw)| when::absolute(raw.text()?));
    Ok(vec![Item {
        kind: "booking".to_owned(),
        account: None,
        tenant: post.tenant(),
        key: key.map_or(DeliveryKey::BodyForAnHour, |key| DeliveryKey::Chosen(key.to_owned())),
        context: None,
        occurred_at: told_at
            .or(usual)
            .or_else(|| sent_at(header(TIMESTAMP)?, delivery.received_at)),
        rank,
        raw: delivery.body.to_vec(),
    }])
}

/// When it was sent. The header names a second; of what was sent within one, the arrival says
/// which came first, where it came at once.
fn sent_at(timestamp: &str, received_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let second = when::absolute(timestamp)?;
    let at_once = (TimeDelta::zero()..TimeDelta::seconds(2)).contains(&(received_at - second));
    let end = second + TimeDelta::microseconds(999_999);
    Some(if at_once { received_at.min(end) } else { second })
}

/// Reads the booking, or the change that its `status` tells. Without a `channel` the body must
/// name one.
pub(super) fn map(item: &Item, reading: &Reading<'_>, channel: Option<Channel>) -> Vec<Mapped> {
    let post = match Post::of(&item.raw) {
        Ok(post) => post,
        Err(Malformed { problem }) => return vec![Mapped::NeedsReview(problem.into())],
    };
    let whole = reading.map.and_then(|_| json::object(&item.raw).ok());
    let whole = whole.map(|root| Event::new(Value::Object(root)));
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
    post.tell_event(&mut understood);
    if booked == Some(false) && understood.told.is_none() {
        return vec![Mapped::Ignored("no_booking".to_owned())];
    }
    understood.problems.extend(post.occurred_at_problem());
    understood.problems.extend(post.misshapen());
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

skimmed! {
    /// An object of a posted body, as far as it says whose the booking is and where it stands.
    struct Level<'a> {
        booking_data "bookingData": skim::Raw<'a>,
        booking_data_snake "booking_data": skim::Raw<'a>,
        body "body": skim::Raw<'a>,
        args "args": skim::Raw<'a>,
        tenant_id "tenantId": skim::Raw<'a>,
        tenant_id_snake "tenant_id": skim::Raw<'a>,
        tenant "tenant": skim::Raw<'a>,
        metadata "metadata": skim::Raw<'a>,
        occurred_at "occurredAt": skim::Raw<'a>,
        occurred_at_snake "occurred_at": skim::Raw<'a>,
        event "event": skim::Raw<'a>,
    }
}

skimmed! {
    /// An object that describes a tenant.
    struct Holder<'a> {
        id "id": skim::Raw<'a>,
        tenant_id "tenantId": skim::Raw<'a>,
        tenant_id_snake "tenant_id": skim::Raw<'a>,
    }
}

impl<'a> Level<'a> {
    /// What callers wrap a booking in, and its name.
    fn wrapped(&self) -> Option<(&'static str, &'a RawValue)> {
        let wrappers = [
            ("bookingData", self.booking_data),
            ("booking_data", self.booking_data_snake),
            ("body", self.body),
            ("args", self.args),
        ];
        let mut there = wrappers.into_iter().filter_map(|(key, raw)| Some((key, raw?)));
        there.find(|(_, raw)| raw.get().starts_with('{'))
    }

    /// The tenant that it names.
    fn named(&self) -> Option<String> {
        let name = |raw: skim::Raw| {
            let text = json::id(raw)?.trim().to_owned();
            (!is_placeholder(&text)).then_some(text)
        };
        let direct = name(self.tenant_id).or_else(|| name(self.tenant_id_snake));
        direct.or_else(|| {
            let holder = [self.tenant, self.metadata].into_iter().flatten().find_map(json::part);
            let Holder { id, tenant_id, tenant_id_snake } = holder?;
            [id, tenant_id, tenant_id_snake].into_iter().find_map(name)
        })
    }
}

/// How deep a booking may stand: it is wrapped once or twice.
const MOST_LEVELS: usize = 8;

/// A posted body, and where in it the booking stands.
struct Post<'a> {
    /// The objects around the booking, the outermost first, the booking's own last.
    levels: Vec<(Place, Level<'a>)>,
    /// The booking's own object, as it is written.
    booking: &'a str,
}

impl<'a> Post<'a> {
    /// Goes in through what callers wrap a booking in.
    fn of(body: &'a [u8]) -> Result<Self, Malformed> {
        let (mut place, mut level): (_, Level) = (Place::object(""), json::typed(body)?);
        let mut post = Self { levels: Vec::new(), booking: json::text(body)? };
        while let Some((key, raw)) = level.wrapped().filter(|_| post.levels.len() < MOST_LEVELS) {
            let inside = place.inner(key);
            let Some(inner) = json::part(raw) else { break };
            post.levels.push((place, level));
            (place, level, post.booking) = (inside, inner, raw.get());
        }
        post.levels.push((place, level));
        Ok(post)
    }

    fn draft(&self, reading: &Reading<'_>, document: &Document<'_>) -> Draft {
        let mut draft = Draft::corrected(reading.overrides).mapped(reading.map, document);
        let Some(((place, _), Value::Object(booking))) =
            self.levels.last().zip(json::inner(self.booking))
        else {
            return draft;
        };
        draft.add(&booking, place, Take::All);
        for key in ["customer", "client"] {
            if let Some(person) = booking.get(key).and_then(Value::as_object) {
                draft.add(person, &place.inner(key), Take::Person);
            }
        }
        draft
    }

    /// The tenant named by the outermost object that names one.
    fn tenant(&self) -> Option<String> {
        self.levels.iter().find_map(|(_, level)| level.named())
    }

    /// When it happened, by the caller's own word, and where that stands.
    fn occurred_at(&self) -> Option<(String, Raw)> {
        self.levels.iter().find_map(|(place, level)| {
            let told =
                [("occurredAt", level.occurred_at), ("occurred_at", level.occurred_at_snake)];
            let (key, raw) = told.into_iter().find_map(|(key, raw)| Some((key, raw?)))?;
            Some((place.of(key), Raw::of(&json::build(Some(raw))?)?))
        })
    }

    /// A booking that is announced and is no object: a list, or JSON put into a text.
    fn misshapen(&self) -> Option<Problem> {
        let (place, level) = self.levels.last()?;
        let told =
            [("bookingData", level.booking_data), ("booking_data", level.booking_data_snake)];
        let (key, raw) = told.into_iter().find_map(|(key, raw)| Some((key, raw?)))?;
        Raw::of(&json::build(Some(raw))?)?;
        let detail = "It is not a JSON object; send {…}, neither a list nor a text.";
        Some(Problem::at(&place.of(key), "value_unreadable", detail, key, None))
    }

    /// What the outermost `event` that names a change says of the booking, and where it stands:
    /// `booking.cancelled`. One that names none (`booking.created`) says nothing.
    fn event(&self) -> Option<(String, Told)> {
        self.levels.iter().find_map(|(place, level)| {
            let word = normalise(&json::word(level.event)?);
            let bare = ["booking", "appointment"].iter().find_map(|noun| word.strip_prefix(noun));
            let told = Told::parse(bare.unwrap_or(&word))?;
            let opens = matches!(told, Told::Pending | Told::Confirmed);
            (!opens).then(|| (place.of("event"), told))
        })
    }

    /// Takes in the change that the body's `event` names. Beside it a status may say in what
    /// state a moved booking is now; what a person set stays.
    fn tell_event(&self, understood: &mut Understood) {
        let Some((pointer, event)) = self.event().filter(|_| !understood.status_is_set()) else {
            return;
        };
        let opens = matches!(understood.told, Some(Told::Pending | Told::Confirmed));
        match understood.told {
            None => understood.told = Some(event),
            Some(_) if opens && event == Told::Rescheduled => understood.told = Some(event),
            Some(told) if told == event => {}
            Some(_) => {
                let detail = "The event and the status name two changes: send one of them.";
                let problem =
                    Problem::at(&pointer, "status_contradicts_event", detail, "status", None);
                understood.problems.push(problem);
            }
        }
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

#[cfg(test)]
mod tests;
