//! What the analysis of a call says about whether something was booked.
//!
//! Its fields are the tenant's own, filled in by a language model. `call_successful` is none of
//! them: it says that the agent did well, not that anything was booked.

use super::map::Conversation;
use crate::sources::fields::{Draft, Field, Take, Told, normalise, yes_no};
use std::collections::BTreeMap;

/// What an analysis says of the whole call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Something was booked.
    Booked,
    /// Nothing was.
    NotBooked,
    /// It has no word about it.
    Silent,
    /// A booking was called off.
    Cancelled,
    /// A booking was moved.
    Moved,
    /// It could be either.
    Unclear,
}

impl Conversation<'_> {
    /// The verdict of the analysis; where it says nothing, what the agent noted, as far as that is
    /// an outcome with a time: a time alone is what was asked for, and an outcome alone will be
    /// told by the analysis.
    pub(super) fn verdict(&self) -> Verdict {
        let mut draft = self.begun(&BTreeMap::new(), None);
        draft.add(&self.custom.0, &self.custom.1, Take::All);
        // A start that is mapped from elsewhere, the call's own metadata, is not told by the call.
        let analysed = verdict(&draft, draft.has_start_in(&self.custom.1));
        if analysed != Verdict::Silent {
            return analysed;
        }
        draft.add(&self.collected.0, &self.collected.1, Take::All);
        match verdict(&draft, false) {
            noted @ (Verdict::Booked | Verdict::Cancelled | Verdict::Moved)
                if draft.has_start_in(&self.collected.1) =>
            {
                noted
            }
            _ => Verdict::Silent,
        }
    }
}

fn verdict(draft: &Draft, has_start: bool) -> Verdict {
    let flag = |field| draft.get(field).map(|found| yes_no(&found.raw));
    let text = |field| draft.get(field).and_then(|found| found.raw.text());
    let status = text(Field::Status).and_then(Told::parse);
    let intent = text(Field::Intent).map(normalise).unwrap_or_default();
    let cancelled = flag(Field::Cancelled) == Some(Some(true)) || status == Some(Told::Cancelled);
    let moved = flag(Field::Rescheduled) == Some(Some(true)) || status == Some(Told::Rescheduled);
    let booked = match (flag(Field::Booked), status, intent.as_str()) {
        (Some(Some(yes)), ..) => Word::of(yes),
        (Some(None), ..) => Word::Unclear,
        (None, Some(Told::Pending | Told::Confirmed), _)
        | (None, _, "booked" | "appointmentbooked" | "bookingmade" | "bookingconfirmed") => {
            Word::Yes
        }
        // Day and clock without a word about them may be a wish.
        (None, ..) if has_start => Word::Unclear,
        (None, ..) => Word::None,
    };
    // What was confirmed in a call about a cancellation is the cancellation.
    let of_cancel = intent.contains("cancel") && booked == Word::Yes;
    let of_move = intent.contains("reschedul") && booked == Word::Yes;
    match (cancelled || of_cancel, moved || of_move) {
        (true, true) => Verdict::Unclear,
        (true, false) if booked == Word::Yes && !of_cancel => Verdict::Unclear,
        (true, false) => Verdict::Cancelled,
        (false, true) => Verdict::Moved,
        (false, false) => match booked {
            Word::Yes => Verdict::Booked,
            Word::No => Verdict::NotBooked,
            Word::None => Verdict::Silent,
            Word::Unclear => Verdict::Unclear,
        },
    }
}

/// What a flag says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Yes,
    No,
    Unclear,
    None,
}

impl Word {
    fn of(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::fields::Place;
    use serde_json::{Value, json};

    fn of(custom: &Value) -> Verdict {
        let mut draft = Draft::default();
        draft.add(custom.as_object().unwrap(), &Place::object(""), Take::All);
        verdict(&draft, draft.has_start())
    }

    #[test]
    fn only_a_plain_yes_is_a_booking() {
        assert_eq!(of(&json!({"appointment_booked": "Yes"})), Verdict::Booked);
        assert_eq!(of(&json!({"booked": 1})), Verdict::Booked);
        assert_eq!(of(&json!({"booking_status": "confirmed"})), Verdict::Booked);
        assert_eq!(of(&json!({"appointment_booked": false, "date": "x"})), Verdict::NotBooked);
        assert_eq!(of(&json!({})), Verdict::Silent);
        assert_eq!(of(&json!({"call_successful": true})), Verdict::Silent);
        assert_eq!(of(&json!({"booked": "maybe"})), Verdict::Unclear);
        assert_eq!(of(&json!({"date": "2026-04-02", "time": "15:00"})), Verdict::Unclear);
    }

    #[test]
    fn a_cancellation_is_never_read_as_a_booking() {
        assert_eq!(of(&json!({"appointment_cancelled": true})), Verdict::Cancelled);
        assert_eq!(
            of(&json!({"call_type": "cancellation", "confirmed": true})),
            Verdict::Cancelled
        );
        assert_eq!(of(&json!({"appointment_rescheduled": "yes"})), Verdict::Moved);
        assert_eq!(of(&json!({"booked": true, "cancelled": true})), Verdict::Unclear);
        assert_eq!(of(&json!({"booked": true, "cancelled": false})), Verdict::Booked);
    }
}
