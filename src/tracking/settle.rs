//! Events that need a person no more: what they could not do was done by a later telling.
//!
//! Only where that is certain. The same words told again (the same tool call, in another event of
//! its call) are the same booking. Other words of the same call are it where the agent asked again:
//! they came later, they made a booking that was not there before, and nothing that was understood
//! the first time is different in them.

use super::answer::Answer;
use super::outcome::is_wait;
use super::write::Write;
use crate::domain::booking::{UnifiedBookingData, service_key};
use crate::domain::channel::EventStatus;
use crate::domain::problem::Problem;
use crate::domain::sighting::{Says, Sighting};
use crate::sources::{Mapped, Meant, Review, Telling};
use crate::storage::reviews::{self, OpenReview, Settled};
use crate::storage::sightings::Lookup;
use crate::storage::{Error, Result, bookings, events, sightings};
use serde_json::Value;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Why an event is ignored whose booking was made by a later telling.
const TOLD_AGAIN: &str = "told_again";

/// The calls and messages in which something was told that waits for a person.
pub(super) fn review_contexts(mapped: &[Mapped]) -> impl Iterator<Item = &str> {
    mapped.iter().filter_map(|one| match one {
        Mapped::NeedsReview(review) => review.told.as_ref()?.context.as_deref(),
        _ => None,
    })
}

impl Write<'_, '_> {
    /// An event whose waiting change found its booking waits no more; what else stands in its way
    /// still does.
    pub(super) async fn settle_waiting(&mut self, event: Uuid) -> Result<()> {
        let Some(row) = events::find(self.conn, self.tenant, event).await? else { return Ok(()) };
        let mut problems: Vec<Problem> = read(&row.problems, "problems")?;
        problems.retain(|problem| !is_wait(problem));
        let settled = Settled {
            status: if problems.is_empty() {
                EventStatus::Tracked
            } else {
                EventStatus::NeedsReview
            },
            reason: problems.first().map(|problem| problem.code.clone()),
            problems: write(&problems, "problems")?,
            told_again_as: row.told_again_as,
            answer: None,
        };
        reviews::settle(self.conn, self.tenant, event, &settled, self.now).await
    }

    /// Settles what waits for a person in these calls and messages and was told again there since.
    /// Where that is the event at hand, it is answered so too. What changed their words before
    /// anything was told in them is for a person now.
    pub(super) async fn settle_reviews(
        &mut self,
        contexts: &BTreeSet<String>,
        own: Uuid,
        answer: &mut Answer,
    ) -> Result<()> {
        for context in contexts {
            let open = reviews::list(self.conn, self.tenant, context).await?;
            if open.is_empty() {
                continue;
            }
            let by = Lookup::Context(context.clone());
            let told = sightings::list(self.conn, self.tenant, &by).await?;
            for row in open {
                let Some(booking) = done_by(&row, &told) else { continue };
                self.settle_review(&row, booking, (row.id == own).then_some(&mut *answer)).await?;
            }
        }
        self.wake_reworded(contexts, own).await
    }

    async fn settle_review(
        &mut self,
        row: &OpenReview,
        booking: Uuid,
        own: Option<&mut Answer>,
    ) -> Result<()> {
        let given: Answer = read(&row.answer, "answer")?;
        // An event that made a booking of its own beside is tracked; the others keep their reasons.
        let tracked = given.booking_id.is_some();
        let settled = Settled {
            status: if tracked { EventStatus::Tracked } else { EventStatus::Ignored },
            reason: (!tracked).then(|| TOLD_AGAIN.to_owned()),
            problems: if tracked { "[]".to_owned() } else { row.problems.clone() },
            told_again_as: (!tracked).then_some(booking),
            answer: None,
        };
        let mut replaced = None;
        if let Some(own) = own {
            let found = bookings::find(self.conn, self.tenant, booking).await?;
            own.outcome = settled.status;
            own.reason.clone_from(&settled.reason);
            own.problems.clear();
            own.booking_id = own.booking_id.or(Some(booking));
            own.client_id = own.client_id.or(found.map(|row| row.client_id));
            replaced = Some(write(own, "answer")?);
        }
        let settled = Settled { answer: replaced, ..settled };
        reviews::settle(self.conn, self.tenant, row.id, &settled, self.now).await
    }
}

/// The booking that all of an event's open parts came to since; `None` while one is open, or what
/// was kept of the event is of another version of this program.
fn done_by(row: &OpenReview, told: &[Sighting]) -> Option<Uuid> {
    let mapped: Vec<Mapped> = serde_json::from_str(row.understood.as_deref()?).ok()?;
    let problems: Vec<Problem> = serde_json::from_str(&row.problems).ok()?;
    if problems.iter().any(is_wait) {
        return None;
    }
    let reviews = mapped.iter().filter_map(|one| match one {
        Mapped::NeedsReview(review) => Some(review),
        _ => None,
    });
    let done: Option<Vec<Uuid>> = reviews.map(|review| booking_of(review, told)).collect();
    done?.first().copied()
}

/// The booking that a review came to since, where that is certain.
fn booking_of(review: &Review, told: &[Sighting]) -> Option<Uuid> {
    let place = review.told.as_deref()?;
    let same = told.iter().find(|one| {
        one.item == place.item || one.told_as.iter().any(|words| place.told_as.contains(words))
    });
    if let Some(same) = same {
        return same.booking_id;
    }
    let again = told.iter().filter(|one| is_asked_again(review, place, one));
    let bookings: BTreeSet<Uuid> = again.filter_map(|one| one.booking_id).collect();
    let is_new = |booking: &Uuid| {
        let of = told.iter().filter(|one| one.booking_id == Some(*booking));
        of.filter(|one| is_alike(&one.item, &place.item)).all(|one| one.order.seq > place.seq)
    };
    let mut new = bookings.into_iter().filter(is_new);
    new.next().filter(|_| new.next().is_none())
}

/// True for a booking told later in the same way, with everything that was understood before.
fn is_asked_again(review: &Review, place: &Telling<Meant>, one: &Sighting) -> bool {
    let Says::Booking(booking) = &one.says else { return false };
    place.data == Meant::Booking
        && is_alike(&one.item, &place.item)
        && one.order.seq > place.seq
        && agrees(review, booking)
}

/// True where two items are of one kind (`tool:…`): only then their places can be compared.
fn is_alike(a: &str, b: &str) -> bool {
    a.split(':').next() == b.split(':').next()
}

/// True when start or service is known of both, and nothing that names the booking differs.
fn agrees(review: &Review, booking: &UnifiedBookingData) -> bool {
    let Ok(Value::Object(booking)) = serde_json::to_value(booking) else { return false };
    let same = |name: &&str| {
        let pair = review.understood.get(*name).zip(booking.get(*name));
        pair.and_then(|(a, b)| Some(service_key(a.as_str()?) == service_key(b.as_str()?)))
    };
    let appointment = ["appointmentDateTime", "serviceName"];
    let person = ["customerPhone", "whatsappId", "firstName", "lastName"];
    let known: Vec<bool> = appointment.iter().filter_map(same).collect();
    !known.is_empty() && known.into_iter().chain(person.iter().filter_map(same)).all(|same| same)
}

fn read<T: serde::de::DeserializeOwned>(text: &str, column: &'static str) -> Result<T> {
    serde_json::from_str(text).map_err(|_| Error::Inconsistent { table: "webhook_events", column })
}

fn write<T: serde::Serialize>(value: &T, column: &'static str) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|_| Error::Inconsistent { table: "webhook_events", column })
}
