//! The one shape that every source maps to, and the changes that can be told of a booking.

use super::channel::{BookingStatus, Channel, PaymentStatus};
use super::money::{Currency, Money};
use super::person::{Identity, WhatsAppId};
use super::phone::Phone;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

/// One booking as one telling gave it, fully read: the only thing that tracking knows.
///
/// In JSON it has the names of the contract (design.md, section 3), flat, without what is absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "wire::Booking", try_from = "wire::Booking")]
pub struct UnifiedBookingData {
    /// Whose booking it is.
    pub tenant_id: Uuid,
    /// The client, where a person names one of ours.
    pub client_id: Option<Uuid>,
    /// The customer's phone. This, `whatsapp_id` or `client_id` is present.
    pub customer_phone: Option<Phone>,
    /// True when the phone is only the line's or the sender's, not given for this booking.
    pub phone_is_callers: bool,
    /// The WhatsApp id of the same person as `customer_phone`; absent when that phone is another's.
    pub whatsapp_id: Option<WhatsAppId>,
    /// As written; `None` when nobody said it.
    pub first_name: Option<String>,
    /// As written.
    pub last_name: Option<String>,
    /// True when the name is only the sender's profile name, not given for this booking.
    pub name_is_profile: bool,
    /// Checked for form only, in lower case.
    pub email: Option<String>,
    /// What is to be done: "Deep Tissue Massage". Never empty.
    pub service_name: String,
    /// The kind of service.
    pub service_category: Option<String>,
    /// When the appointment starts.
    pub appointment_date_time: DateTime<Utc>,
    /// In minutes.
    pub duration: Option<u32>,
    /// Who is to do it.
    pub staff_member: Option<String>,
    /// Absent is not zero.
    pub price: Option<Money>,
    /// How the customer spoke.
    pub source: Channel,
    /// `pending` or `confirmed`; other states are told as a [`ChangeKind`], or set by a person.
    pub status: BookingStatus,
    /// The state of the payment, where it was told.
    pub payment_status: Option<PaymentStatus>,
    /// The customer's account at a salon system.
    pub account: Option<ExternalClient>,
    /// The booking's reference.
    pub external_booking: Option<ExternalBooking>,
    /// Free text.
    pub notes: Option<String>,
}

/// A person's id at a salon system (Phorest, Fresha): opaque text, case kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalClient {
    /// `phorest`, `fresha`, …: lower case, without `_api`.
    pub provider: String,
    /// The person's id there.
    pub client_id: String,
    /// The business there, `""` when not told.
    pub business_id: String,
    /// The branch there, `""` when not told. Data, not part of the key.
    pub branch_id: String,
}

/// A booking's reference somewhere else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalBooking {
    /// Whose reference it is. `None` for an unlabelled one (a tool's result, a text), which is
    /// kept but never separates two tellings.
    pub provider: Option<String>,
    /// The reference as told.
    pub id: String,
}

impl UnifiedBookingData {
    /// The service's identity: NFKC, case folded, letters and digits only.
    #[must_use]
    pub fn service_key(&self) -> String {
        service_key(&self.service_name)
    }

    /// The identities of the person it is about: the client that a person named, then the phone.
    #[must_use]
    pub fn identities(&self) -> Vec<Identity> {
        let client = self.client_id.map(Identity::Client);
        let phone = self.customer_phone.clone().map(Identity::Phone);
        let whatsapp = self.whatsapp_id.clone().map(Identity::WhatsApp);
        client.into_iter().chain(phone).chain(whatsapp).collect()
    }

    /// The labelled reference, as `(provider, id)`.
    #[must_use]
    pub fn labelled(&self) -> Option<(&str, &str)> {
        let external = self.external_booking.as_ref()?;
        Some((external.provider.as_deref()?, external.id.as_str()))
    }
}

/// NFKC, lower case, letters and digits only: "Gel-Nails " and "gel nails" are one service.
///
/// A name without any letter or digit is kept as it is, so that it stays a service of its own.
#[must_use]
pub fn service_key(name: &str) -> String {
    let folded = name.nfkc().flat_map(char::to_lowercase);
    let key: String = folded.filter(|c| c.is_alphanumeric()).collect();
    if key.is_empty() { name.trim().to_owned() } else { key }
}

/// A change to a booking that exists, or may exist once it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// What happens to the booking.
    pub what: ChangeKind,
    /// Which booking.
    pub of: ChangeOf,
    /// Who told it: the person whose bookings are meant. Empty when only a reference names it.
    #[serde(default)]
    pub by: Vec<Identity>,
    /// The whole booking, when the telling carries client, service and start: then a booking that
    /// nobody told before is created in the changed state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telling: Option<Box<UnifiedBookingData>>,
}

/// What a change does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ChangeKind {
    /// pending → confirmed.
    Confirm,
    /// pending or confirmed → cancelled.
    Cancel,
    /// A new start; the status stays.
    Reschedule(DateTime<Utc>),
    /// confirmed → completed.
    Complete,
    /// confirmed → `no_show`.
    NoShow,
}

/// Which booking a change is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ChangeOf {
    /// The one with this reference (all services of it). Without a provider the reference is
    /// unlabelled and matches any booking of the person that has it.
    ExternalId {
        /// Whose reference it is.
        provider: Option<String>,
        /// The reference.
        id: String,
    },
    /// The person's one at this start, and of this service where it is told.
    Start {
        /// The start it had before the change.
        start: DateTime<Utc>,
        /// The service's name.
        service: Option<String>,
    },
    /// The one told in this message, flow or call (its context key).
    Context(String),
    /// The person's only open pending one: a bare "yes".
    OnlyOpenPending,
}

mod wire {
    //! The flat JSON of a booking, and the way back.
    use super::{
        BookingStatus, Channel, Currency, DateTime, Deserialize, ExternalBooking, ExternalClient,
        Money, PaymentStatus, Phone, Serialize, UnifiedBookingData, Utc, Uuid, WhatsAppId,
    };
    use serde_json::Number;

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    pub(super) struct Booking {
        tenant_id: Uuid,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<Uuid>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        customer_phone: Option<Phone>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        phone_is_callers: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        whatsapp_id: Option<WhatsAppId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        first_name: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_name: Option<String>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        name_is_profile: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email: Option<String>,
        service_name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service_category: Option<String>,
        appointment_date_time: DateTime<Utc>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        staff_member: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        price: Option<Number>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        currency: Option<String>,
        source: Channel,
        status: BookingStatus,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payment_status: Option<PaymentStatus>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service_provider: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        external_client_id: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        business_id: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        branch_id: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[serde(rename = "bookingProvider")]
        reference_provider: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        external_booking_id: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        notes: Option<String>,
    }

    impl From<UnifiedBookingData> for Booking {
        fn from(b: UnifiedBookingData) -> Self {
            let filled = |text: String| Some(text).filter(|t| !t.is_empty());
            let account = b.account;
            let (provider, client) = account
                .as_ref()
                .map_or((None, None), |a| (Some(a.provider.clone()), Some(a.client_id.clone())));
            let (business, branch) =
                account.map_or((None, None), |a| (filled(a.business_id), filled(a.branch_id)));
            let (reference_provider, external_booking_id) =
                b.external_booking.map_or((None, None), |e| (e.provider, Some(e.id)));
            Self {
                tenant_id: b.tenant_id,
                client_id: b.client_id,
                customer_phone: b.customer_phone,
                phone_is_callers: b.phone_is_callers,
                whatsapp_id: b.whatsapp_id,
                first_name: b.first_name,
                last_name: b.last_name,
                name_is_profile: b.name_is_profile,
                email: b.email,
                service_name: b.service_name,
                service_category: b.service_category,
                appointment_date_time: b.appointment_date_time,
                duration: b.duration,
                staff_member: b.staff_member,
                price: b.price.map(Money::to_number),
                currency: b.price.map(|p| p.currency.as_str().to_owned()),
                source: b.source,
                status: b.status,
                payment_status: b.payment_status,
                service_provider: provider,
                external_client_id: client,
                business_id: business,
                branch_id: branch,
                reference_provider,
                external_booking_id,
                notes: b.notes,
            }
        }
    }

    impl TryFrom<Booking> for UnifiedBookingData {
        type Error = String;

        fn try_from(w: Booking) -> Result<Self, String> {
            let price = match (w.price, w.currency) {
                (Some(price), Some(code)) => Some(money(&price, &code)?),
                (None, _) => None,
                (Some(_), None) => return Err("a price without a currency".to_owned()),
            };
            let account = match (w.service_provider, w.external_client_id) {
                (Some(provider), Some(client_id)) => Some(ExternalClient {
                    provider,
                    client_id,
                    business_id: w.business_id.unwrap_or_default(),
                    branch_id: w.branch_id.unwrap_or_default(),
                }),
                _ => None,
            };
            let provider = w.reference_provider;
            let external_booking = w.external_booking_id.map(|id| ExternalBooking { provider, id });
            Ok(Self {
                tenant_id: w.tenant_id,
                client_id: w.client_id,
                customer_phone: w.customer_phone,
                phone_is_callers: w.phone_is_callers,
                whatsapp_id: w.whatsapp_id,
                first_name: w.first_name,
                last_name: w.last_name,
                name_is_profile: w.name_is_profile,
                email: w.email,
                service_name: w.service_name,
                service_category: w.service_category,
                appointment_date_time: w.appointment_date_time,
                duration: w.duration,
                staff_member: w.staff_member,
                price,
                source: w.source,
                status: w.status,
                payment_status: w.payment_status,
                account,
                external_booking,
                notes: w.notes,
            })
        }
    }

    /// Reads back what [`Money::to_number`] wrote.
    fn money(price: &Number, code: &str) -> Result<Money, String> {
        let currency = Currency::parse(code).ok_or("not a currency")?;
        let digits: String = price.to_string().chars().filter(char::is_ascii_digit).collect();
        let minor = digits.parse().map_err(|_| "an amount out of range")?;
        Ok(Money { minor, currency })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_does_not_make_another_service() {
        assert_eq!(service_key("Gel-Nails "), service_key("gel nails"));
        assert_eq!(service_key("ＧＥＬ nails"), "gelnails");
        assert_eq!(service_key("Áine's cut"), "áinescut");
        assert_eq!(service_key("✂️"), "✂️");
    }
}
