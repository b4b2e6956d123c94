//! A sighting: one booking, or one change to one, understood from one event.

use super::booking::{Change, ChangeOf, UnifiedBookingData};
use super::edit::{Edit, Set};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How much a kind of telling is worth beside another of the same moment: the later, the more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// A function call made to us in the middle of a call.
    Function,
    /// Retell `call_ended`.
    CallEnded,
    /// Retell `call_analyzed`.
    CallAnalyzed,
    /// A chat post or a WhatsApp message.
    Message,
    /// An n8n workflow.
    Workflow,
    /// A person's own edit.
    Person,
}

impl Rank {
    const ALL: [Self; 6] = [
        Self::Function,
        Self::CallEnded,
        Self::CallAnalyzed,
        Self::Message,
        Self::Workflow,
        Self::Person,
    ];

    /// The rank as the database keeps it: 0 for the least.
    #[must_use]
    pub fn as_i16(self) -> i16 {
        Self::ALL.iter().position(|r| *r == self).and_then(|p| i16::try_from(p).ok()).unwrap_or(0)
    }

    /// Reads what [`Rank::as_i16`] wrote; an unknown number is the least rank.
    #[must_use]
    pub fn from_i16(number: i16) -> Self {
        let place = usize::try_from(number).unwrap_or(0);
        Self::ALL.get(place).copied().unwrap_or(Self::Function)
    }
}

/// Where a sighting stands among all others of its tenant, whatever the order of arrival.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Order {
    /// When it was told, by the provider's clock; never later than it arrived.
    pub event_time: DateTime<Utc>,
    /// What kind of telling it is.
    pub rank: Rank,
    /// Its place among the tellings of the same call or message.
    pub seq: i32,
    /// A text that no other sighting of the tenant has and that a repeat has again.
    pub key: String,
}

/// One telling of a booking, or of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Its id.
    pub id: Uuid,
    /// The event that told it.
    pub event_id: Uuid,
    /// Its place within the event: unique there.
    pub item: String,
    /// Its place in history.
    pub order: Order,
    /// The call or message it was told in (`retell:call_…`), shared by all events of that call.
    pub context: Option<String>,
    /// What it was told as within the context (a tool call's id): the same words told again.
    pub told_as: Vec<String>,
    /// What it says.
    pub says: Says,
    /// Names of `UnifiedBookingData` fields in it that a person set.
    pub set_by_person: Vec<String>,
    /// The booking it belongs to so far.
    pub booking_id: Option<Uuid>,
}

/// What a sighting says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Says {
    /// A booking.
    Booking(Box<UnifiedBookingData>),
    /// A change to one.
    Change(Box<Change>),
    /// What a person set of one.
    Edit(Box<Edit>),
}

impl Says {
    /// The labelled reference that it names, as `(provider, id)`.
    #[must_use]
    pub fn labelled(&self) -> Option<(&str, &str)> {
        match self {
            Self::Booking(told) => told.labelled(),
            Self::Change(change) => match &change.of {
                ChangeOf::ExternalId { provider, id } => Some((provider.as_deref()?, id)),
                _ => change.telling.as_ref()?.labelled(),
            },
            Self::Edit(edit) => match &edit.set.external_booking {
                Set::To(external) => Some((external.provider.as_deref()?, &external.id)),
                Set::Kept | Set::Emptied => None,
            },
        }
    }
}
