//! What was understood of one telling, and what it takes to make a booking or a change of it.

use super::draft::Place;
use super::read::Sender;
use super::values::normalise;
use crate::domain::booking::{
    Change, ChangeKind, ChangeOf, ExternalBooking, ExternalClient, UnifiedBookingData,
};
use crate::domain::channel::{BookingStatus, Channel, PaymentStatus};
use crate::domain::money::Money;
use crate::domain::person::{Identity, WhatsAppId};
use crate::domain::phone::Phone;
use crate::domain::problem::Problem;
use crate::sources::Review;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The states that a telling can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Asked for.
    Pending,
    /// Settled.
    Confirmed,
    /// It took place.
    Completed,
    /// Called off.
    Cancelled,
    /// The customer did not come.
    NoShow,
    /// Moved to a new start.
    Rescheduled,
}

impl Told {
    /// Reads the words of the contract, in any case and with `-`, `_` or a space in them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match normalise(text).as_str() {
            "pending" => Some(Self::Pending),
            "confirmed" => Some(Self::Confirmed),
            "completed" => Some(Self::Completed),
            "cancelled" | "canceled" => Some(Self::Cancelled),
            "noshow" => Some(Self::NoShow),
            "rescheduled" => Some(Self::Rescheduled),
            _ => None,
        }
    }
}

/// Everything that could be read of one telling, and the problems of what could not.
#[derive(Clone, Debug, Default)]
pub struct Understood {
    /// Whose booking it is.
    pub tenant_id: Uuid,
    /// The customer's phone.
    pub phone: Option<Phone>,
    /// True when the phone is only the line's or the sender's.
    pub phone_is_callers: bool,
    /// The WhatsApp id of the person whose phone that is.
    pub whatsapp_id: Option<WhatsAppId>,
    /// As written.
    pub first_name: Option<String>,
    /// As written.
    pub last_name: Option<String>,
    /// True when the name is only the sender's profile name.
    pub name_is_profile: bool,
    /// In lower case.
    pub email: Option<String>,
    /// What is to be done.
    pub service: Option<String>,
    /// Why somebody comes: the service where no service is named, but never that of a change.
    pub reason: Option<String>,
    /// The kind of service.
    pub category: Option<String>,
    /// When the appointment starts.
    pub start: Option<DateTime<Utc>>,
    /// When it was to start before it was moved.
    pub previous_start: Option<DateTime<Utc>>,
    /// In minutes.
    pub duration: Option<u32>,
    /// Who is to do it.
    pub staff: Option<String>,
    /// Absent is not zero.
    pub price: Option<Money>,
    /// How the customer spoke.
    pub source: Option<Channel>,
    /// The state that was named.
    pub told: Option<Told>,
    /// The state of the payment.
    pub payment_status: Option<PaymentStatus>,
    /// The customer's account at a salon system.
    pub account: Option<ExternalClient>,
    /// The booking's reference.
    pub external_booking: Option<ExternalBooking>,
    /// Free text.
    pub notes: Option<String>,
    /// Where a missing field would stand.
    pub home: Option<Place>,
    /// Names of the fields that a person supplied.
    pub set_by_person: Vec<String>,
    /// What is there and can't be read.
    pub problems: Vec<Problem>,
}

impl Understood {
    /// Fills in what is known of the sender: the phone where none was given, the WhatsApp id
    /// unless the phone given is another person's, the profile name where nobody is named.
    pub(super) fn completed_by(mut self, sender: Option<&Sender>) -> Self {
        let Some(sender) = sender else {
            return self;
        };
        let is_anothers =
            self.phone.is_some() && sender.phone.is_some() && self.phone != sender.phone;
        if self.phone.is_none() && sender.phone.is_some() {
            self.phone.clone_from(&sender.phone);
            self.phone_is_callers = true;
        }
        if is_anothers {
            return self;
        }
        if self.whatsapp_id.is_none() {
            self.whatsapp_id.clone_from(&sender.whatsapp_id);
        }
        if self.first_name.is_none() && self.last_name.is_none() && sender.profile_name.is_some() {
            let (first, last) =
                super::values::split_name(sender.profile_name.as_deref().unwrap_or(""));
            self.first_name = Some(first).filter(|name| !name.is_empty());
            self.last_name = last;
            self.name_is_profile = self.first_name.is_some();
        }
        self
    }

    /// The booking, when nothing is missing and everything there could be read.
    ///
    /// # Errors
    /// A [`Review`] with every problem at once.
    pub fn booking(mut self, usual: BookingStatus) -> Result<UnifiedBookingData, Review> {
        self.service = self.service.take().or(self.reason.take());
        self.need_person();
        if self.service.is_none() {
            self.missing("service", "service_missing", "serviceName", "The service is missing.");
        }
        if self.start.is_none() {
            let detail = "The start is missing: send dateTime, as 2026-04-02T15:00:00+01:00.";
            self.missing("dateTime", "start_missing", "appointmentDateTime", detail);
        }
        if self.source.is_none() {
            let detail = "The source is missing: send voice, web or whatsapp.";
            self.missing("source", "source_missing", "source", detail);
        }
        if !self.problems.is_empty() {
            return Err(self.review());
        }
        self.clone().whole(usual).ok_or_else(|| self.review())
    }

    /// True when a person said what state the booking is in.
    #[must_use]
    pub fn status_is_set(&self) -> bool {
        self.told.is_some() && self.set_by_person.iter().any(|name| name == "status")
    }

    /// True when a booking can be made of it.
    #[must_use]
    pub fn is_complete(self) -> bool {
        self.booking(BookingStatus::Confirmed).is_ok()
    }

    /// The change, when the booking it is of is named (or `of`, where it is not) and everything
    /// there could be read.
    ///
    /// # Errors
    /// A [`Review`] with every problem at once.
    pub fn change(mut self, told: Told, of: Option<ChangeOf>) -> Result<Change, Review> {
        let what = self.kind(told);
        let of = self.named_booking(told).or(of);
        if of.is_none() && self.problems.is_empty() {
            let detail = "Nothing says which booking is meant: send its externalBookingId, or its \
                          start and the customer's phone.";
            self.missing("externalBookingId", "booking_unnamed", "externalBookingId", detail);
        }
        if !self.problems.is_empty() {
            return Err(self.review());
        }
        let (Some(what), Some(of)) = (what, of) else {
            return Err(self.review());
        };
        let by = self.identities();
        let telling = self.clone().whole(BookingStatus::Confirmed).map(Box::new);
        Ok(Change { what, of, by, telling })
    }

    /// The identities of the person it is about, the phone first.
    #[must_use]
    pub fn identities(&self) -> Vec<Identity> {
        let phone = self.phone.clone().map(Identity::Phone);
        phone.into_iter().chain(self.whatsapp_id.clone().map(Identity::WhatsApp)).collect()
    }

    /// What could not be read, beside everything that could.
    #[must_use]
    pub fn review(&self) -> Review {
        Review { problems: self.problems.clone(), understood: self.to_map(), told: None }
    }

    /// Notes that a field is not there, unless it is there and its problem is noted already.
    pub fn missing(&mut self, key: &str, code: &str, field: &str, detail: &str) {
        if self.problems.iter().any(|problem| problem.field.as_deref() == Some(field)) {
            return;
        }
        let pointer = self.home.as_ref().map(|place| place.of(key)).unwrap_or_default();
        self.problems.push(Problem::at(&pointer, code, detail, field, None));
    }

    fn need_person(&mut self) {
        if self.phone.is_none() && self.whatsapp_id.is_none() {
            let detail = "The customer's phone is missing: send it as +353871234567.";
            self.missing("phone", "phone_missing", "customerPhone", detail);
        }
    }

    fn kind(&mut self, told: Told) -> Option<ChangeKind> {
        match told {
            Told::Pending => None,
            Told::Confirmed => Some(ChangeKind::Confirm),
            Told::Cancelled => Some(ChangeKind::Cancel),
            Told::Completed => Some(ChangeKind::Complete),
            Told::NoShow => Some(ChangeKind::NoShow),
            Told::Rescheduled => {
                if self.start.is_none() {
                    let detail = "The new start is missing: send dateTime.";
                    self.missing("dateTime", "start_missing", "appointmentDateTime", detail);
                }
                self.start.map(ChangeKind::Reschedule)
            }
        }
    }

    /// By its reference, else by the start it had before the change. A move that tells the start
    /// it moves from is named by that: the booking may be known without its reference so far, and
    /// where it is known with it, the reference beside it goes first.
    fn named_booking(&self, told: Told) -> Option<ChangeOf> {
        if let (Told::Rescheduled, Some(start)) = (told, self.previous_start)
            && !self.identities().is_empty()
        {
            return Some(ChangeOf::Start { start, service: self.service.clone() });
        }
        if let Some(ExternalBooking { provider, id }) = self.external_booking.clone() {
            return Some(ChangeOf::ExternalId { provider, id });
        }
        let had = if told == Told::Rescheduled { None } else { self.start };
        let start = self.previous_start.or(had)?;
        let service = self.service.clone();
        (!self.identities().is_empty()).then_some(ChangeOf::Start { start, service })
    }

    /// The booking, where client, service, start and channel are there.
    fn whole(self, usual: BookingStatus) -> Option<UnifiedBookingData> {
        if self.phone.is_none() && self.whatsapp_id.is_none() {
            return None;
        }
        let status = match self.told {
            Some(Told::Pending) => BookingStatus::Pending,
            Some(Told::Confirmed) => BookingStatus::Confirmed,
            _ => usual,
        };
        Some(UnifiedBookingData {
            tenant_id: self.tenant_id,
            client_id: None,
            customer_phone: self.phone,
            phone_is_callers: self.phone_is_callers,
            whatsapp_id: self.whatsapp_id,
            first_name: self.first_name,
            last_name: self.last_name,
            name_is_profile: self.name_is_profile,
            email: self.email,
            service_name: self.service?,
            service_category: self.category,
            appointment_date_time: self.start?,
            duration: self.duration,
            staff_member: self.staff,
            price: self.price,
            source: self.source?,
            status,
            payment_status: self.payment_status,
            account: self.account,
            external_booking: self.external_booking,
            notes: self.notes,
        })
    }

    /// What was understood, by the names of `UnifiedBookingData`.
    fn to_map(&self) -> BTreeMap<String, Value> {
        let instant = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let account = self.account.as_ref();
        let text = |text: &Option<String>| text.clone().map(Value::from);
        let id = |id: &String| Some(id).filter(|id| !id.is_empty()).cloned().map(Value::from);
        let pairs = [
            ("customerPhone", self.phone.as_ref().map(|p| p.as_str().into())),
            ("whatsappId", self.whatsapp_id.as_ref().map(|id| id.as_str().into())),
            ("firstName", text(&self.first_name)),
            ("lastName", text(&self.last_name)),
            ("email", text(&self.email)),
            ("serviceName", text(&self.service)),
            ("serviceCategory", text(&self.category)),
            ("appointmentDateTime", self.start.map(|at| instant(at).into())),
            ("duration", self.duration.map(Value::from)),
            ("staffMember", text(&self.staff)),
            ("price", self.price.map(|price| Value::Number(price.to_number()))),
            ("currency", self.price.map(|price| price.currency.as_str().into())),
            ("source", self.source.map(|source| source.as_str().into())),
            ("paymentStatus", self.payment_status.map(|status| status.as_str().into())),
            ("serviceProvider", account.and_then(|a| id(&a.provider))),
            ("externalClientId", account.and_then(|a| id(&a.client_id))),
            ("businessId", account.and_then(|a| id(&a.business_id))),
            ("branchId", account.and_then(|a| id(&a.branch_id))),
            ("externalBookingId", self.external_booking.as_ref().and_then(|b| id(&b.id))),
            ("notes", text(&self.notes)),
        ];
        let told = pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        told.collect()
    }
}
