//! What the analysis of a call says about whether something was booked.
//!
//! Its fields are the tenant's own, filled in by a language model. `call_successful` is none of
//! them: it says that the agent did well, not that anything was booked.

use super::map::Conversation;
use crate::sources::fields::{Draft, Field, Take, Told, normalise, yes_no};

/// What an analysis says of the whole call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Something was booked.
    Booked,
    /// Nothing was, or the analysis has no word about it.
    NotBooked,
    /// A booking was called off.
    Cancelled,
    /// A booking was moved.
    Moved,
    /// It could be either.
    Unclear,
}

impl Conversation<'_> {
    /// The verdict of the analysis; of a call without one, that it says nothing.
    pub(super) fn verdict(&self) -> Verdict {
        let mut draft = Draft::default();
        draft.add(&self.custom.0, &self.custom.1, Take::All);
        verdict(&draft)
    }
}

fn verdict(draft: &Draft) -> Verdict {
    let flag = |field| draft.get(field).map(|found| yes_no(&found.raw));
    let text = |field| draft.get(field).and_then(|found| found.raw.text());
    let status = text(Field::Status).and_then(Told::parse);
    let intent = text(Field::Intent).map(normalise).unwrap_or_default();
    let cancelled = flag(Field::Cancelled) == Some(Some(true)) || status == Some(Told::Cancelled);
    let moved = flag(Field::Rescheduled) == Some(Some(true)) || status == Some(Told::Rescheduled);
    let booked = flag(Field::Booked).or_else(|| match (status, intent.as_str()) {
        (Some(Told::Pending | Told::Confirmed), _) => Some(Some(true)),
        (_, "booked" | "appointmentbooked" | "bookingmade" | "bookingconfirmed") => {
            Some(Some(true))
        }
        _ => None,
    });
    // What was confirmed in a call about a cancellation is the cancellation.
    let of_cancel = intent.contains("cancel") && booked == Some(Some(true));
    let of_move = intent.contains("reschedul") && booked == Some(Some(true));
    match (cancelled || of_cancel, moved || of_move, booked) {
        (true, true, _) => Verdict::Unclear,
        (true, false, Some(Some(true))) if !of_cancel => Verdict::Unclear,
        (true, false, _) => Verdict::Cancelled,
        (false, true, _) => Verdict::Moved,
        (false, false, Some(Some(true))) => Verdict::Booked,
        (false, false, Some(Some(false))) => Verdict::NotBooked,
        (false, false, Some(None)) => Verdict::Unclear,
        (false, false, None) if draft.has_start() => Verdict::Unclear,
        (false, false, None) => Verdict::NotBooked,
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
        verdict(&draft)
    }

    #[test]
    fn only_a_plain_yes_is_a_booking() {
        assert_eq!(of(&json!({"appointment_booked": "Yes"})), Verdict::Booked);
        assert_eq!(of(&json!({"booked": 1})), Verdict::Booked);
        assert_eq!(of(&json!({"booking_status": "confirmed"})), Verdict::Booked);
        assert_eq!(of(&json!({"appointment_booked": false, "date": "x"})), Verdict::NotBooked);
        assert_eq!(of(&json!({})), Verdict::NotBooked);
        assert_eq!(of(&json!({"call_successful": true})), Verdict::NotBooked);
        assert_eq!(of(&json!({"booked": "maybe"})), Verdict::Unclear);
        assert_eq!(of(&json!({"date": "2026-04-02", "time": "15:00"})), Verdict::Unclear);
    }

    #[test]
    fn a_cancellation_is_never_read_as_a_booking() {
        assert_eq!(of(&json!({"appointment_cancelled": true})), Verdict::Cancelled);
        assert_eq!(of(&json!({"call_type": "cancellation", "confirmed": true})), Verdict::Cancelled);
        assert_eq!(of(&json!({"appointment_rescheduled": "yes"})), Verdict::Moved);
        assert_eq!(of(&json!({"booked": true, "cancelled": true})), Verdict::Unclear);
        assert_eq!(of(&json!({"booked": true, "cancelled": false})), Verdict::Booked);
    }
}
