//! Deciding what became of an event: its state, its reasons, its answer.

use super::answer::{Answer, BookingAnswer};
use super::asked::Moved;
use super::resolve::Waiting;
use super::reworded::reworded;
use super::settle::review_contexts;
use super::work::Work;
use crate::domain::channel::EventStatus;
use crate::domain::problem::Problem;
use crate::sources::{Manners, Mapped};
use crate::storage::{self, Error, events};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

/// What became of an event.
pub(super) struct Decided {
    /// What its caller is told.
    pub(super) answer: Answer,
    /// What stood in the way, with the raw values: for the person who reviews.
    problems: Vec<Problem>,
    /// What was understood, as JSON.
    understood: Value,
    ignored: Option<String>,
    /// The call or message in which something was told that needs a person, or may.
    review_context: Option<String>,
    manners: Manners,
    /// Bookings that became confirmed by this event.
    pub(super) confirmed: Vec<BookingAnswer>,
    /// Bookings that it told.
    tracked: Vec<BookingAnswer>,
}

/// An event's outcome in the form that is stored.
pub(super) struct Row {
    status: EventStatus,
    reason: Option<String>,
    problems: String,
    understood: String,
    answer: String,
    overrides: Option<String>,
    review_context: Option<String>,
}

impl Row {
    pub(super) fn outcome(&self) -> events::Outcome<'_> {
        events::Outcome {
            status: self.status,
            reason: self.reason.as_deref(),
            problems: &self.problems,
            understood: Some(&self.understood),
            answer: &self.answer,
            overrides: self.overrides.as_deref(),
            review_context: self.review_context.as_deref(),
        }
    }
}

impl Decided {
    /// What the reading alone decides; bookings and leads come in by [`Decided::found`].
    pub(super) fn by(event_id: Uuid, manners: Manners, mapped: &[Mapped]) -> Self {
        let (mut problems, mut ignored) = (Vec::new(), None);
        for one in mapped {
            match one {
                Mapped::NeedsReview(review) => problems.extend(review.problems.clone()),
                Mapped::Ignored(reason) => ignored = ignored.or(Some(reason.clone())),
                Mapped::Reworded(words) => ignored = ignored.or(Some(words.how.clone())),
                _ => {}
            }
        }
        let rejected = !problems.is_empty() && manners == Manners::Correct;
        let status = if rejected { EventStatus::Rejected } else { EventStatus::NeedsReview };
        let understood = serde_json::to_value(mapped).unwrap_or_default();
        let answer = Answer::new(status, Some(event_id));
        let about = reworded(mapped).map(|words| words.context.as_str());
        let context = review_contexts(mapped).next().or(about);
        Self {
            answer,
            problems,
            understood,
            ignored,
            review_context: context.map(str::to_owned),
            manners,
            confirmed: Vec::new(),
            tracked: Vec::new(),
        }
    }

    /// Storing it failed for good: the caller is told that a person will look.
    pub(super) fn failed(event_id: Uuid) -> Self {
        let detail = "it could not be stored as a booking; the raw delivery is kept for a person";
        Self::kept(event_id, EventStatus::Failed, Problem::whole("storing_failed", detail))
    }

    /// It belongs to no tenant that we know.
    pub(super) fn of_nobody(event_id: Uuid) -> Self {
        let detail = "it names no tenant, or an account that no tenant owns";
        Self::kept(event_id, EventStatus::NeedsReview, Problem::whole("tenant_unknown", detail))
    }

    /// Too many tellings hang together to be read for one delivery.
    pub(super) fn too_many(event_id: Uuid) -> Self {
        let detail = "over a thousand tellings hang together with this one; look for a reference \
                      or call id that is sent again and again";
        Self::kept(event_id, EventStatus::NeedsReview, Problem::whole("told_too_often", detail))
    }

    fn kept(event_id: Uuid, status: EventStatus, problem: Problem) -> Self {
        let problems = vec![problem];
        let mut answer = Answer::new(status, Some(event_id));
        answer.set_problems(&problems);
        let manners = Manners::Push;
        Self {
            answer,
            problems,
            understood: json!([]),
            ignored: None,
            review_context: None,
            manners,
            confirmed: Vec::new(),
            tracked: Vec::new(),
        }
    }

    /// Takes in which bookings the tellings came to, and which changes wait for one.
    pub(super) fn found(&mut self, bookings: Vec<BookingAnswer>, waiting: &[Waiting]) {
        self.problems.extend(waiting.iter().map(|waiting| match waiting {
            Waiting::BookingUnknown => Problem::whole(
                "booking_unknown",
                "no booking of this tenant is the one meant; the change applies by itself once \
                 that booking is told",
            ),
            Waiting::SeveralBookings => Problem::whole(
                "several_bookings",
                "it could be one of several bookings; name it by its reference",
            ),
        }));
        self.tracked.clone_from(&bookings);
        self.answer.set_bookings(bookings);
    }

    /// Takes in that the words which were changed or taken back told something.
    pub(super) fn reworded(&mut self, mapped: &[Mapped]) {
        self.problems.extend(reworded(mapped).map(|words| words.problem.clone()));
    }

    /// Settles state and answer. Whatever still needs a person is said, even beside a booking.
    pub(super) fn finish(&mut self, lead: Option<Uuid>, moved: &[Moved]) {
        if moved.iter().any(|moved| matches!(moved, Moved::Taken(..))) {
            let detail = "the new number or id is another client's; the two are proposed as duplicates, and \
                 this applies once they are one";
            self.problems.push(Problem::whole("identity_taken", detail));
        }
        let client = moved.iter().find_map(|moved| match moved {
            Moved::Done(client) => Some(*client),
            _ => None,
        });
        self.answer.client_id = self.answer.client_id.or(client);
        let tracked = self.answer.client_id.is_some();
        // A change that waits is understood: it is kept even where the caller could correct it.
        let only_waits = self.problems.iter().all(is_wait);
        let correct = self.manners == Manners::Correct && !only_waits && !tracked;
        self.answer.outcome = match (self.problems.is_empty(), tracked) {
            (true, true) => EventStatus::Tracked,
            (true, false) => EventStatus::Ignored,
            (false, _) if correct => EventStatus::Rejected,
            (false, _) => EventStatus::NeedsReview,
        };
        self.answer.set_problems(&self.problems);
        let of_lead = moved.iter().find_map(|moved| match moved {
            Moved::Lead(lead) => Some((*lead, "lead_moved")),
            Moved::LeadStays(lead) => Some((*lead, "lead_stays")),
            _ => None,
        });
        let of_lead = of_lead.or(lead.map(|lead| (lead, "lead_recorded")));
        self.answer.lead_id = of_lead.map(|(lead, _)| lead);
        if self.answer.outcome == EventStatus::Ignored {
            let reason = match (of_lead, moved.contains(&Moved::Nobody)) {
                (Some((_, reason)), _) => reason,
                (None, true) => "person_unknown",
                (None, false) => self.ignored.as_deref().unwrap_or("no_booking"),
            };
            self.answer.reason = Some(reason.to_owned());
        }
    }

    /// One line a booking that was confirmed and one a customer that was tracked: ids only.
    pub(super) fn log(&self, work: &Work, took: Duration) {
        let (tenant, source) = (work.taken.tenant.id, work.taken.source.name());
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let known = |b: &BookingAnswer| if b.is_new_client { "new" } else { "known" };
        for b in &self.confirmed {
            tracing::info!(%tenant, client = %b.client_id, booking = %b.booking_id, source,
                customer = known(b), duration_ms = ms, "booking confirmed");
        }
        for b in &self.tracked {
            tracing::info!(%tenant, client = %b.client_id, booking = %b.booking_id, source,
                customer = known(b), duration_ms = ms, "customer tracked");
        }
    }

    /// The outcome as it is stored.
    pub(super) fn row(&self, overrides: &BTreeMap<String, String>) -> storage::Result<Row> {
        let bad = |_| Error::Inconsistent { table: "webhook_events", column: "answer" };
        let overrides = (!overrides.is_empty()).then(|| json!(overrides).to_string());
        Ok(Row {
            status: self.answer.outcome,
            reason: self.answer.reason.clone(),
            problems: serde_json::to_string(&self.problems).map_err(bad)?,
            understood: self.understood.to_string(),
            answer: serde_json::to_string(&self.answer).map_err(bad)?,
            overrides,
            review_context: self.review_context.clone(),
        })
    }
}

/// The bookings in the order in which they were told, each once.
pub(super) fn unique(bookings: impl Iterator<Item = BookingAnswer>) -> Vec<BookingAnswer> {
    let mut unique: Vec<BookingAnswer> = Vec::new();
    for booking in bookings {
        if !unique.iter().any(|b| b.booking_id == booking.booking_id) {
            unique.push(booking);
        }
    }
    unique
}

/// True for a change that waits for its booking, or for a person to say which of several it is of.
pub(super) fn is_wait(problem: &Problem) -> bool {
    matches!(problem.code.as_str(), "booking_unknown" | "several_bookings")
}

/// The chain of causes as one line for the log: database words, no customer's data in a statement's
/// parameters, since those are bound.
pub(super) fn cause(error: &Error) -> String {
    match std::error::Error::source(error) {
        // A constraint's message can quote the row; its kind says enough.
        Some(_) => format!("{error} ({})", kind(error)),
        None => error.to_string(),
    }
}

fn kind(error: &Error) -> &'static str {
    match error {
        Error::Conflict(_) => "conflict",
        Error::Refused(_) => "refused",
        Error::Unavailable(_) => "unavailable",
        _ => "other",
    }
}
