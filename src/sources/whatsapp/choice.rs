//! What a tap on a button or a list entry means: by its id, never by the title people see.

use super::map::ignored;
use super::message::{Message, context_of};
use crate::domain::booking::ChangeOf;
use crate::sources::fields::{Told, normalise};
use crate::sources::{Mapped, json, tell};

/// Reads the id of what was tapped. One that neither confirms nor cancels is a selection on the
/// way to something, and tells nothing yet.
pub(super) fn map(message: &Message<'_>, id: &str) -> Mapped {
    let Some((told, reference)) = read(id) else {
        return ignored("selection");
    };
    let asked_in = message
        .text("context/id")
        .filter(|id| id.len() <= json::MAX_ID)
        .map(|id| ChangeOf::Context(context_of(id)));
    let of = match reference {
        Some(id) => Some(ChangeOf::ExternalId { provider: None, id }),
        None if told == Told::Confirmed => asked_in.or(Some(ChangeOf::OnlyOpenPending)),
        None => asked_in,
    };
    tell::change(message.corrections(), told, of, message.telling())
}

/// True for an answer that is a plain yes, as a whole message.
pub(super) fn is_yes(text: &str) -> bool {
    const WORDS: &[&str] =
        &["yes", "y", "ok", "okay", "confirm", "confirmed", "sure", "done", "✓", "✅"];
    let word = text.trim().trim_end_matches(['.', '!']).to_lowercase();
    WORDS.contains(&word.as_str())
}

/// What an id does, and to which reference: `confirm_booking:GLW-20482`, `CONFIRM|MB-7801`,
/// `cancel_booking_4711`, `yes`.
fn read(id: &str) -> Option<(Told, Option<String>)> {
    let id = id.trim();
    if let Some((verb, reference)) = id.split_once([':', '|']) {
        let reference = reference.trim();
        let fits = (1..=200).contains(&reference.chars().count());
        return verb_of(verb).filter(|_| fits).map(|told| (told, Some(reference.to_owned())));
    }
    if is_yes(id) {
        return Some((Told::Confirmed, None));
    }
    verb_of(id).map(|told| (told, None)).or_else(|| by_prefix(id))
}

fn verb_of(verb: &str) -> Option<Told> {
    match normalise(verb).as_str() {
        "confirm"
        | "confirmbooking"
        | "confirmappointment"
        | "confirmyes"
        | "confirmbookingyes"
        | "confirmappointmentyes"
        | "bookingconfirm"
        | "appointmentconfirm" => Some(Told::Confirmed),
        "cancel" | "cancelbooking" | "cancelappointment" | "bookingcancel"
        | "appointmentcancel" => Some(Told::Cancelled),
        _ => None,
    }
}

/// The forms with the reference glued on: it must have a digit, as `confirm_booking_help` has not.
fn by_prefix(id: &str) -> Option<(Told, Option<String>)> {
    let lower = id.to_ascii_lowercase();
    let nouns = ["booking", "appointment"];
    let of = |verb: &str| {
        nouns.iter().find_map(|noun| {
            let marks = ['_', '-'];
            let rest = lower.strip_prefix(verb)?.strip_prefix(marks)?.strip_prefix(noun)?;
            let rest = rest.strip_prefix(marks)?;
            id.get(id.len() - rest.len()..)
        })
    };
    let has_digit = |text: &&str| text.chars().any(|c| c.is_ascii_digit());
    let found = |verb, told| of(verb).filter(has_digit).map(|id| (told, Some(id.to_owned())));
    found("confirm", Told::Confirmed).or_else(|| found("cancel", Told::Cancelled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_what_it_does_and_to_what() {
        let confirm = |id: &str| Some((Told::Confirmed, Some(id.to_owned())));
        assert_eq!(read("confirm_booking:GLW-20482"), confirm("GLW-20482"));
        assert_eq!(read("CONFIRM|MB-7801"), confirm("MB-7801"));
        assert_eq!(read("confirm_booking_4711"), confirm("4711"));
        assert_eq!(read("Confirm-Appointment-A7"), confirm("A7"));
        let cancel = Some((Told::Cancelled, Some("MB-1".to_owned())));
        assert_eq!(read("CANCEL|MB-1"), cancel);
        assert_eq!(read("confirm-appointment-yes"), Some((Told::Confirmed, None)));
        assert_eq!(read("yes"), Some((Told::Confirmed, None)));
        assert_eq!(read("cancel"), Some((Told::Cancelled, None)));
    }

    #[test]
    fn what_only_looks_like_an_answer_is_none() {
        for id in [
            "menu_confirm_help", "slot:2027-01-21T10:00", "service_12", "confirm_booking_help",
            "confirm:", "no", "confirm_no", "date_2027-01-21", "", "cancellation_policy",
        ] {
            assert_eq!(read(id), None, "{id}");
        }
    }

    #[test]
    fn only_a_whole_message_is_a_yes() {
        for text in ["yes", "Yes!", " OK ", "✅", "Confirmed."] {
            assert!(is_yes(text), "{text}");
        }
        for text in ["yes please", "ok, how much?", "Is my booking confirmed?", "👍", "no", ""] {
            assert!(!is_yes(text), "{text}");
        }
    }
}
