//! What a caller is told, and what a repeat is told again.

use crate::domain::channel::EventStatus;
use crate::domain::problem::Problem;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The answer to one event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// True whenever the event is durable.
    pub success: bool,
    /// What became of it.
    pub outcome: EventStatus,
    /// The event's id; absent where nothing was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Uuid>,
    /// The client of the first booking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Uuid>,
    /// The first booking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booking_id: Option<Uuid>,
    /// True when that client was not known before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_new_client: Option<bool>,
    /// The lead that was opened or counted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_id: Option<Uuid>,
    /// True when the same was delivered before, and this is what was answered then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
    /// Every booking, when there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bookings: Vec<BookingAnswer>,
    /// A sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Why it wasn't tracked: a stable word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What stood in the way, without the raw values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

/// One booking of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BookingAnswer {
    /// The booking.
    pub booking_id: Uuid,
    /// Its client.
    pub client_id: Uuid,
    /// True when that client was not known before.
    pub is_new_client: bool,
}

impl Answer {
    /// An answer without bookings.
    #[must_use]
    pub fn new(outcome: EventStatus, event_id: Option<Uuid>) -> Self {
        Self {
            success: true,
            outcome,
            event_id,
            client_id: None,
            booking_id: None,
            is_new_client: None,
            lead_id: None,
            duplicate: false,
            bookings: Vec::new(),
            message: None,
            reason: None,
            problems: Vec::new(),
        }
    }

    /// Nothing to track, and why; `event_id` where it was stored.
    #[must_use]
    pub fn ignored(reason: &str, event_id: Option<Uuid>) -> Self {
        Self { reason: Some(reason.to_owned()), ..Self::new(EventStatus::Ignored, event_id) }
    }

    /// Says which bookings it came to: the first by itself, all of them when there are several.
    pub fn set_bookings(&mut self, bookings: Vec<BookingAnswer>) {
        if let Some(first) = bookings.first() {
            self.booking_id = Some(first.booking_id);
            self.client_id = Some(first.client_id);
            self.is_new_client = Some(first.is_new_client);
        }
        if bookings.len() > 1 {
            self.bookings = bookings;
        }
    }

    /// Says what stood in the way; the first problem's code is the reason. Raw values stay out:
    /// an answer may be logged by whoever gets it.
    pub fn set_problems(&mut self, problems: &[Problem]) {
        self.reason = problems.first().map(|p| p.code.clone());
        self.problems = problems.iter().map(|p| Problem { value: None, ..p.clone() }).collect();
    }

    /// The same answer, to a repeat.
    #[must_use]
    pub fn repeated(self) -> Self {
        Self { duplicate: true, ..self }
    }
}
