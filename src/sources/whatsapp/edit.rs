//! Words that were changed or taken back after they were sent.
//!
//! Nothing in them says what the salon has done about the first words since, so nothing follows
//! from them by itself. Where they are, or were, words of a booking, a person says what they mean:
//! by the state of the booking that was told in the first place.

use super::map::ignored;
use super::message::{AT, Message, context_of};
use super::text;
use crate::domain::booking::ChangeOf;
use crate::domain::channel::BookingStatus;
use crate::domain::problem::Problem;
use crate::sources::fields::{Told, Understood};
use crate::sources::{Mapped, Reworded, Telling, json, tell};

/// Reads an `edit` or a `revoke`: which is said by `how`.
pub(super) fn map(message: &Message<'_>, how: &str) -> Mapped {
    let original = message.text(&format!("{how}/original_message_id"));
    let Some(original) = original.filter(|id| id.len() <= json::MAX_ID) else {
        return ignored(how);
    };
    let context = context_of(original);
    let at = format!("{AT}/{how}/message/text/body");
    let words = message.text(&format!("{how}/message/text/body"));
    let lines = words.and_then(|words| text::draft(message, words, &at));
    let lines = lines.map(|draft| draft.read(&message.rules()));
    let corrections = message.corrections();
    if let Some(told) = corrections.told.filter(|_| corrections.status_is_set()) {
        return meant(message, told, (corrections, lines), context);
    }
    match lines {
        Some(mut lines) => {
            lines.missing("", "message_edited", "status", EDITED);
            Mapped::NeedsReview(lines.review())
        }
        None => reworded(how, context, (&at, words)),
    }
}

const EDITED: &str = "A message was changed into this after it was sent. Say what it means by the \
                      status: confirmed or pending if this is the booking now, rescheduled, \
                      cancelled.";

const REVOKED: &str = "A message that told of a booking was taken back. Say what it means by the \
                       status: cancelled, or confirmed if it stands.";

/// What a person said it means, for what the first words told of.
fn meant(
    message: &Message<'_>,
    told: Told,
    (corrections, lines): (Understood, Option<Understood>),
    context: String,
) -> Mapped {
    let telling = Telling { context: Some(context.clone()), ..message.telling() };
    match (told, lines) {
        // The same booking, told in other words: what is in the same place of the same message.
        (Told::Confirmed | Told::Pending, Some(lines)) => {
            tell::booking(lines, BookingStatus::Confirmed, telling)
        }
        (Told::Rescheduled, Some(lines)) => {
            tell::change(lines, told, Some(ChangeOf::Context(context)), telling)
        }
        // The new words name a start that the booking may never have had.
        _ => tell::change(corrections, told, Some(ChangeOf::Context(context)), telling),
    }
}

fn reworded(how: &str, context: String, (at, words): (&str, Option<&str>)) -> Mapped {
    let problem = match how {
        "edit" => Problem::at(at, "message_edited", EDITED, "status", words),
        _ => Problem::at(AT, "message_revoked", REVOKED, "status", None),
    };
    Mapped::Reworded(Reworded { how: how.to_owned(), context, problem })
}
