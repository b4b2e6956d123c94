//! What a person changes of a booking by hand.

use super::booking::ExternalBooking;
use super::channel::{BookingStatus, Channel, PaymentStatus};
use super::money::Money;
use super::person::Identity;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A person's own change of one booking. What it sets is so, whatever was told before, and no
/// telling changes it afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Edit {
    /// The booking.
    pub of: Uuid,
    /// Whose booking it is: by these its other tellings are found.
    pub by: Vec<Identity>,
    /// What is set.
    pub set: Edited,
}

/// The fields that a person sets of a booking.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Edited {
    /// When the appointment starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appointment_date_time: Option<DateTime<Utc>>,
    /// What is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    /// The booking's state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<BookingStatus>,
    /// The payment's state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_status: Option<PaymentStatus>,
    /// How the customer spoke.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Channel>,
    /// The kind of service.
    #[serde(skip_serializing_if = "Set::is_kept")]
    pub service_category: Set<String>,
    /// In minutes.
    #[serde(skip_serializing_if = "Set::is_kept")]
    pub duration: Set<u32>,
    /// Who is to do it.
    #[serde(skip_serializing_if = "Set::is_kept")]
    pub staff_member: Set<String>,
    /// What it costs.
    #[serde(skip_serializing_if = "Set::is_kept")]
    pub price: Set<Money>,
    /// The booking's reference.
    #[serde(skip_serializing_if = "Set::is_kept")]
    pub external_booking: Set<ExternalBooking>,
    /// Free text.
    #[serde(skip_serializing_if = "Set::is_kept")]
    pub notes: Set<String>,
}

/// What becomes of a field that may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Set<T> {
    /// It stays as it is.
    #[default]
    Kept,
    /// It is emptied.
    Emptied,
    /// It gets this value.
    To(T),
}

impl<T> Set<T> {
    /// True when the field stays as it is.
    pub fn is_kept(&self) -> bool {
        matches!(self, Self::Kept)
    }
}

impl<T: Clone> Set<T> {
    /// Lays it over what was there.
    pub fn lay(&self, over: &mut Option<T>) {
        match self {
            Self::Kept => {}
            Self::Emptied => *over = None,
            Self::To(value) => *over = Some(value.clone()),
        }
    }
}

impl Edited {
    /// Names of the fields that are set, as `UnifiedBookingData` has them.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let all = [
            ("appointmentDateTime", self.appointment_date_time.is_some()),
            ("serviceName", self.service_name.is_some()),
            ("status", self.status.is_some()),
            ("paymentStatus", self.payment_status.is_some()),
            ("source", self.source.is_some()),
            ("serviceCategory", !self.service_category.is_kept()),
            ("duration", !self.duration.is_kept()),
            ("staffMember", !self.staff_member.is_kept()),
            ("price", !self.price.is_kept()),
            ("externalBookingId", !self.external_booking.is_kept()),
            ("notes", !self.notes.is_kept()),
        ];
        all.into_iter().filter(|(_, set)| *set).map(|(name, _)| name.to_owned()).collect()
    }
}
