//! Answers to a WhatsApp Flow: a form, whose fields are its author's.
//!
//! `response_json` is a text that holds JSON. Forms made in Meta's builder name their fields
//! `screen_0_First_Name_1` and their choices `0_Title`; forms with an endpoint of their own may
//! answer with nothing but their token. Source: Meta, "Receiving flow responses".

use super::map::ignored;
use super::message::{AT, Message};
use crate::domain::channel::BookingStatus;
use crate::domain::problem::Problem;
use crate::sources::fields::{Draft, Field, Place, Take, yes_no};
use crate::sources::{Mapped, json, tell};
use serde_json::{Map, Value};

/// Reads the answers: a booking, a change of one, or somebody who left their name.
pub(super) fn map(message: &Message<'_>) -> Mapped {
    let reply = message.object.get("interactive").and_then(|i| i.get("nfm_reply"));
    if reply.and_then(|reply| reply.get("name")?.as_str()) == Some("address_message") {
        return ignored("address");
    }
    let at = format!("{AT}/interactive/nfm_reply/response_json");
    let response = reply.and_then(|reply| reply.get("response_json"));
    let (answers, place) = match response {
        Some(Value::String(text)) => (json::inner(text), Place::inside_text(&at)),
        Some(built @ Value::Object(_)) => (Some(built.clone()), Place::object(&at)),
        _ => (None, Place::inside_text(&at)),
    };
    let answers = answers.filter(Value::is_object);
    // A person who supplies what is missing needs no answers.
    let answers = answers.or_else(|| is_corrected(message).then(|| Value::Object(Map::new())));
    let Some(Value::Object(answers)) = answers else {
        let detail = "The form's answers are not a JSON object.";
        let problem = Problem { pointer: at, ..Problem::whole("flow_unreadable", detail) };
        return Mapped::NeedsReview(problem.into());
    };
    let document = message.document().with("answers", &answers, place.clone());
    let begun = Draft::corrected(message.reading.overrides).mapped(message.reading.map, &document);
    let answers = plain(answers);
    let draft = draft(begun, &answers, &place);
    let is_empty = answers.is_empty() && !is_corrected(message);
    read(message, &draft, is_empty)
}

fn is_corrected(message: &Message<'_>) -> bool {
    !message.reading.overrides.is_empty()
}

fn read(message: &Message<'_>, draft: &Draft, is_empty: bool) -> Mapped {
    let mut understood = draft.read(&message.rules());
    if is_empty {
        let detail = "The form came back without its answers, so nothing says what was booked.";
        understood.missing("", "flow_without_answers", "serviceName", detail);
        return Mapped::NeedsReview(understood.review());
    }
    let about_booking = [
        Field::Service,
        Field::Status,
        Field::Booked,
        Field::Reference,
        Field::ExternalBooking,
        Field::PhorestBooking,
    ];
    let about_booking = about_booking.iter().any(|field| draft.get(*field).is_some());
    let booked = draft.get(Field::Booked).and_then(|found| yes_no(&found.raw));
    if booked == Some(false) || !(about_booking || draft.has_start()) {
        // A form that is not about a booking is somebody who asked, with what they filled in.
        return message.lead(understood);
    }
    tell::either(understood, BookingStatus::Confirmed, message.telling())
}

/// How many objects of the answers are looked into: a form has a few screens.
const MOST_OBJECTS: usize = 100;

fn draft(mut draft: Draft, answers: &Map<String, Value>, place: &Place) -> Draft {
    let mut levels = vec![(place.clone(), answers)];
    let mut next = 0;
    while let Some((place, level)) = levels.get(next).cloned() {
        draft.add(level, &place, Take::All);
        let inner = level.iter().filter_map(|(key, value)| Some((key, value.as_object()?)));
        let named = inner.filter(|(key, _)| key.len() <= json::MAX_ID);
        let room = MOST_OBJECTS.saturating_sub(levels.len());
        levels.extend(named.take(room).map(|(key, object)| (place.inner(key), object)));
        next += 1;
    }
    draft
}

/// The answers without what belongs to the form itself, and without what the builder put around
/// their names and choices.
fn plain(answers: Map<String, Value>) -> Map<String, Value> {
    let own = |key: &String| !key.starts_with("flow_");
    let answers = answers.into_iter().filter(|(key, _)| own(key));
    answers
        .map(|(key, value)| match label(&key) {
            Some(label) => (label, choice(value)),
            None => (key, value),
        })
        .collect()
}

/// `First_Name` of `screen_0_First_Name_1`.
fn label(key: &str) -> Option<String> {
    let (screen, rest) = key.strip_prefix("screen_")?.split_once('_')?;
    let (label, place) = rest.rsplit_once('_')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (is_number(screen) && is_number(place)).then(|| label.to_owned())
}

/// `Gel nails` of `0_Gel nails`.
fn choice(value: Value) -> Value {
    let title = value.as_str().and_then(|text| {
        let (place, title) = text.split_once('_')?;
        let is_number = (1..=2).contains(&place.len()) && place.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| title.to_owned())
    });
    title.map_or(value, Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builders_wrapping_is_taken_off() {
        assert_eq!(label("screen_0_First_Name_1").as_deref(), Some("First_Name"));
        assert_eq!(label("screen_12_Email_0").as_deref(), Some("Email"));
        assert_eq!(label("screen_name"), None);
        assert_eq!(label("service"), None);
        assert_eq!(choice("0_Gel nails".into()), Value::from("Gel nails"));
        assert_eq!(choice("2027_01".into()), Value::from("2027_01"));
        assert_eq!(choice("Gel nails".into()), Value::from("Gel nails"));
    }
}
