//! What a tool does, by its name: agents are free in what they call their tools.

use crate::sources::fieldmap::{FieldMap, ToolJob};
use crate::sources::fields::normalise;

/// What a tool does to bookings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// Makes one.
    Book,
    /// Settles one; where it tells a whole booking, it makes that.
    Confirm,
    /// Calls one off.
    Cancel,
    /// Moves one.
    Move,
    /// Anything else, or nothing.
    Other,
}

/// What the tools of a connection do: what its field map says, else what their names say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Jobs<'a>(pub(super) Option<&'a FieldMap>);

impl Jobs<'_> {
    /// What a tool does.
    pub(super) fn of(self, tool: &str) -> Job {
        match self.mapped(tool) {
            Some(ToolJob::Book) => Job::Book,
            Some(ToolJob::Confirm) => Job::Confirm,
            Some(ToolJob::Change) => Job::Move,
            Some(ToolJob::Cancel) => Job::Cancel,
            Some(ToolJob::Ignore) => Job::Other,
            None => job_of(tool),
        }
    }

    /// True for a tool that begins a booking which another one is to finish.
    pub(super) fn only_begins(self, tool: &str) -> bool {
        self.mapped(tool).is_none() && normalise(tool).starts_with("start")
    }

    fn mapped(self, tool: &str) -> Option<ToolJob> {
        self.0.and_then(|map| map.job_of(tool))
    }
}

/// What is done to what: `book_appointment`, `create-booking`, `confirmReservation`.
///
/// A tool that only looks, prepares or sends is none of these, whatever else its name says.
fn job_of(tool: &str) -> Job {
    const NOUNS: &[&str] = &["appointment", "booking", "job", "reservation"];
    const NOT: &[&str] = &[
        "check", "avail", "status", "lookup", "list", "find", "search", "detail", "link", "sms",
        "email", "reminder", "draft", "prepare", "validate", "quote", "slot", "payment", "invoice",
    ];
    let name = normalise(tool);
    let about = |rest: &str| NOUNS.iter().any(|noun| rest.contains(noun));
    let after =
        |verbs: &[&str]| verbs.iter().any(|verb| name.strip_prefix(verb).is_some_and(about));
    if NOT.iter().any(|word| name.contains(word)) {
        Job::Other
    } else if name == "cancel" || after(&["cancel", "delete", "remove"]) {
        Job::Cancel
    } else if name == "reschedule" || after(&["reschedule", "move", "change"]) {
        Job::Move
    } else if after(&["confirm"]) {
        Job::Confirm
    } else if name == "book" || after(&["book", "create", "make", "schedule", "start"]) {
        Job::Book
    } else {
        Job::Other
    }
}

impl Job {
    /// True for what can leave a booking behind that was not there before.
    pub(super) fn books(self) -> bool {
        matches!(self, Self::Book | Self::Confirm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_known_by_what_it_does() {
        for name in [
            "book_appointment", "book_appointment_cal", "create_booking", "create-booking",
            "bookAppointment", "Book Appointment", "book_job", "start_booking", "book",
            "schedule_appointment", "make_reservation",
        ] {
            assert_eq!(job_of(name), Job::Book, "{name}");
        }
        assert_eq!(job_of("confirm_booking"), Job::Confirm);
        assert_eq!(job_of("cancel_appointment"), Job::Cancel);
        assert_eq!(job_of("delete_booking"), Job::Cancel);
        assert_eq!(job_of("reschedule_appointment"), Job::Move);
        for name in [
            "check_availability", "check_availability_cal", "end_call", "transfer_call", "booking",
            "book_appointment_check", "create_booking_link", "collect_appointment_data", "",
            "get_appointment", "create_client", "confirm_booking_sms", "приём",
            "schedule_callback", "make_payment_for_booking", "book_slot_check",
            "create-embellics-client",
        ] {
            assert_eq!(job_of(name), Job::Other, "{name}");
        }
    }
}
