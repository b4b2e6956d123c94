//! What somebody wrote: a question, a yes, or a booking in labelled lines.

use super::choice::is_yes;
use super::message::{AT, Message};
use crate::domain::booking::ChangeOf;
use crate::domain::channel::BookingStatus;
use crate::sources::fields::{Draft, Field, Place, Take, Told, yes_no};
use crate::sources::{Mapped, tell};
use serde_json::{Map, Value};

/// Reads a text. What is no yes and no labelled booking is a question; what was passed on from
/// somebody else is never more than that.
pub(super) fn map(message: &Message<'_>) -> Mapped {
    let text = message.text("text/body").unwrap_or_default();
    if message.is_forwarded() {
        return message.asked();
    }
    if is_yes(text) {
        let of = Some(ChangeOf::OnlyOpenPending);
        return tell::change(message.corrections(), Told::Confirmed, of, message.telling());
    }
    let Some(draft) = draft(message, text, &format!("{AT}/text/body")) else {
        return message.asked();
    };
    booking(message, &draft, heading(text))
}

/// The labelled lines of the text at this pointer, where they say what is booked and when.
pub(super) fn draft(message: &Message<'_>, text: &str, at: &str) -> Option<Draft> {
    let lines = labelled(text);
    let place = Place::inside_text(at);
    let document = message.document().with("lines", &lines, place.clone());
    let draft = Draft::corrected(message.reading.overrides);
    let mut draft = draft.mapped(message.reading.map, &document);
    draft.add(&lines, &place, Take::All);
    (draft.get(Field::Service).is_some() && draft.has_start()).then_some(draft)
}

fn booking(message: &Message<'_>, draft: &Draft, heading: Heading) -> Mapped {
    let mut understood = draft.read(&message.rules());
    let said = draft.get(Field::Booked).and_then(|found| yes_no(&found.raw));
    let usual = match heading {
        Heading::None if said == Some(true) => BookingStatus::Confirmed,
        Heading::Confirmed => BookingStatus::Confirmed,
        Heading::None => BookingStatus::Pending,
        Heading::Other if understood.status_is_set() => BookingStatus::Confirmed,
        Heading::Other => {
            let detail = "The words above the lines do not say that this was booked.";
            understood.missing("", "booked_unclear", "status", detail);
            return Mapped::NeedsReview(understood.review());
        }
    };
    tell::booking(understood, usual, message.telling())
}

/// What the lines without a label say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heading {
    /// That it is settled.
    Confirmed,
    /// Nothing about it.
    None,
    /// Something that may take it back, or ask.
    Other,
}

fn heading(text: &str) -> Heading {
    const TAKEN_BACK: &[&str] = &["cancel", "not ", "n't", "reschedul", "move", "change", "?"];
    let words: String = text.lines().filter(|line| label_of(line).is_none()).collect();
    let words = words.to_lowercase();
    if TAKEN_BACK.iter().any(|word| words.contains(word)) {
        Heading::Other
    } else if words.contains("confirmed") || words.contains("confirmation") {
        Heading::Confirmed
    } else {
        Heading::None
    }
}

/// The labelled lines of a text, the first of each label.
fn labelled(text: &str) -> Map<String, Value> {
    let mut lines = Map::new();
    for (label, value) in text.lines().filter_map(label_of) {
        lines.entry(label).or_insert(value.into());
    }
    lines
}

/// `Date` and `16/01/2027` of `📅 *Date:* 16/01/2027`: markup and pictures only decorate.
fn label_of(line: &str) -> Option<(String, String)> {
    let (label, value) = line.split_once([':', '：', '='])?;
    let markup = |c: char| matches!(c, '*' | '_' | '~' | '`');
    let label = label.trim_matches(|c: char| !c.is_alphanumeric());
    let value = value.trim_matches(|c| markup(c) || c.is_whitespace());
    let fits = (1..=40).contains(&label.chars().count()) && !value.is_empty();
    fits.then(|| (label.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_label_before_a_colon() {
        let pair = |label: &str, value: &str| Some((label.to_owned(), value.to_owned()));
        assert_eq!(label_of("Date: 16/01/2027"), pair("Date", "16/01/2027"));
        assert_eq!(label_of("📅 *Date:* 16/01/2027\r"), pair("Date", "16/01/2027"));
        assert_eq!(label_of("- _Time_ = 4:15 pm"), pair("Time", "4:15 pm"));
        assert_eq!(label_of("日期：15/01/2027"), pair("日期", "15/01/2027"));
        assert_eq!(label_of("✅ *Booking confirmed*"), None);
        assert_eq!(label_of("Notes:"), None);
    }

    #[test]
    fn the_words_above_say_whether_it_is_settled() {
        assert_eq!(heading("✅ *Booking confirmed*\nDate: x"), Heading::Confirmed);
        assert_eq!(heading("Appointment Confirmation\nDate: x"), Heading::Confirmed);
        assert_eq!(heading("Date: x"), Heading::None);
        assert_eq!(heading("Please cancel\nDate: x"), Heading::Other);
        assert_eq!(heading("Is this confirmed?\nDate: x"), Heading::Other);
    }
}
