//! From what was understood to what an event tells.

use super::fields::{Told, Understood};
use super::{Mapped, Meant, Review, Telling};
use crate::domain::booking::ChangeOf;
use crate::domain::channel::BookingStatus;

/// A booking in the state that was told, else `usual`; where a person set another state, the
/// change to that.
pub(super) fn booking(
    understood: Understood,
    usual: BookingStatus,
    telling: Telling<()>,
) -> Mapped {
    match understood.told {
        Some(told) if understood.status_is_set() && !is_open(told) => {
            change(understood, told, None, telling)
        }
        _ => {
            let set_by_person = understood.set_by_person.clone();
            match understood.booking(usual) {
                Ok(data) => Mapped::Booking(telling.holding(data, set_by_person)),
                Err(why) => review(why, Meant::Booking, telling),
            }
        }
    }
}

/// A change, of the booking that it names, else of `of`.
pub(super) fn change(
    understood: Understood,
    told: Told,
    of: Option<ChangeOf>,
    telling: Telling<()>,
) -> Mapped {
    let set_by_person = understood.set_by_person.clone();
    match understood.change(told, of) {
        Ok(data) => Mapped::Change(telling.holding(data, set_by_person)),
        Err(why) => review(why, Meant::Change, telling),
    }
}

/// What can't be read with certainty, and where it was told: a later telling of the same call may
/// do what this could not.
pub(super) fn review(review: Review, meant: Meant, telling: Telling<()>) -> Mapped {
    let told = telling.context.is_some().then(|| Box::new(telling.holding(meant, Vec::new())));
    Mapped::NeedsReview(Review { told, ..review })
}

/// A booking, or the change that its state names.
pub(super) fn either(understood: Understood, usual: BookingStatus, telling: Telling<()>) -> Mapped {
    match understood.told {
        Some(told) if !is_open(told) => change(understood, told, None, telling),
        _ => booking(understood, usual, telling),
    }
}

/// True for the states that a booking begins in.
fn is_open(told: Told) -> bool {
    matches!(told, Told::Pending | Told::Confirmed)
}
