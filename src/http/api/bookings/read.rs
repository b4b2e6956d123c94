//! What a body says of a booking.

use crate::domain::booking::{ExternalBooking, ExternalClient, UnifiedBookingData};
use crate::domain::channel::{BookingStatus, Channel, PaymentStatus};
use crate::domain::edit::{Edited, Set};
use crate::domain::money::Currency;
use crate::domain::person::WhatsAppId;
use crate::domain::phone::Phone;
use crate::domain::tenant::TenantSettings;
use crate::http::extract::fields::{Fields, Patch};
use crate::http::problem::Problem;
use crate::sources::fields::provider_name;
use crate::storage::bookings::BookingRow;
use crate::storage::clients::ClientRow;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Whose reference it is where nobody says.
const PROVIDER: &str = "phorest";

/// A booking to be made.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewBooking)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only described")]
pub(super) struct NewBookingJson {
    /// Whose it is.
    client_id: Uuid,
    /// When the appointment starts; without an offset it is in the tenant's zone.
    #[schema(example = "2026-03-14T15:00:00Z")]
    booking_date: DateTime<Utc>,
    /// What is to be done.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S", example = "Deep Tissue Massage")]
    service_name: String,
    /// The kind of service.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S", example = "massage")]
    service_category: Option<String>,
    /// In minutes.
    #[schema(minimum = 1, maximum = 1440, example = 60)]
    duration: Option<i64>,
    /// Who is to do it.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S", example = "Sarah Kelly")]
    staff_member: Option<String>,
    /// A decimal number with no more decimals than the currency has.
    #[schema(minimum = 0, example = 75.00)]
    amount: Option<f64>,
    /// ISO 4217; the tenant's where it is left out.
    #[schema(pattern = "^[A-Za-z]{3}$", example = "EUR")]
    currency: Option<String>,
    /// `confirmed` where it is left out.
    status: Option<BookingStatus>,
    /// `pending` where it is left out.
    payment_status: Option<PaymentStatus>,
    /// How the customer spoke.
    source: Channel,
    /// Its reference at `serviceProvider`.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S", example = "phorest-booking-789")]
    external_booking_id: Option<String>,
    /// Whose reference it is; `phorest` where it is left out.
    #[schema(min_length = 1, max_length = 64, pattern = r"\S", example = "phorest")]
    service_provider: Option<String>,
    /// The client's id at `serviceProvider`.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    external_client_id: Option<String>,
    /// The business there; counts beside `externalClientId` only.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    business_id: Option<String>,
    /// The branch there; counts beside `externalClientId` only.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    branch_id: Option<String>,
    /// Free text.
    #[schema(min_length = 1, max_length = 5000, pattern = r"\S")]
    notes: Option<String>,
}

/// What is to be changed of a booking.
#[derive(Deserialize, ToSchema)]
#[schema(as = BookingPatch)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only described")]
pub(super) struct BookingPatchJson {
    /// Moves it.
    #[schema(nullable = false, required = false, example = "2026-03-14T16:30:00Z")]
    booking_date: DateTime<Utc>,
    /// What is to be done.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S", required = false)]
    service_name: String,
    /// The kind of service.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    service_category: Option<String>,
    /// In minutes.
    #[schema(minimum = 1, maximum = 1440)]
    duration: Option<i64>,
    /// Who is to do it.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    staff_member: Option<String>,
    /// A decimal number with no more decimals than the currency has.
    #[schema(minimum = 0, example = 80.50)]
    amount: Option<f64>,
    /// ISO 4217, beside `amount`.
    #[schema(pattern = "^[A-Za-z]{3}$")]
    currency: Option<String>,
    /// Its state.
    #[schema(required = false)]
    status: BookingStatus,
    /// The payment's state.
    #[schema(required = false)]
    payment_status: PaymentStatus,
    /// How the customer spoke.
    #[schema(required = false)]
    source: Channel,
    /// Its reference at `serviceProvider`.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    external_booking_id: Option<String>,
    /// Whose reference it is.
    #[schema(min_length = 1, max_length = 64, pattern = r"\S")]
    service_provider: Option<String>,
    /// Free text.
    #[schema(min_length = 1, max_length = 5000, pattern = r"\S")]
    notes: Option<String>,
    /// True when something was recorded wrongly: then every state may follow every other.
    #[schema(required = false)]
    correction: bool,
}

/// What a body changes.
pub(super) struct Change {
    pub(super) set: Edited,
    pub(super) correction: bool,
}

/// Reads a new booking of a client, and the names of the fields that were set.
pub(super) fn booking(
    mut fields: Fields,
    client: Option<&ClientRow>,
    tenant: &TenantSettings,
) -> Result<(UnifiedBookingData, Vec<String>), Problem> {
    let date = fields.either("bookingDate", "bookingDateTime");
    let source = fields.either("source", "bookingSource");
    for name in ["clientId", date, "serviceName", source] {
        fields.require(name);
    }
    if client.is_none() && fields.names_id("clientId") {
        fields.fault("clientId", "client_unknown", "no client of this tenant has this id");
    }
    let mut set = common(&mut fields, tenant.currency);
    set.appointment_date_time = fields.time(date, tenant).value();
    set.service_name = fields.text("serviceName", 200).value();
    set.source = fields.word::<Channel>(source).value();
    set.status = fields.word::<BookingStatus>("status").value();
    set.payment_status = fields.word::<PaymentStatus>("paymentStatus").value();
    let provider = provider(&mut fields, None);
    let external_booking = reference(&mut fields, &provider).value();
    set.external_booking = external_booking.clone().map_or(Set::Kept, Set::To);
    let account = account(&mut fields, provider);
    let incomplete = || Problem::internal(&"a body without a fault is incomplete");
    fields.finish()?;
    let whole = client.zip(set.appointment_date_time).zip(set.service_name.clone());
    let (((client, start), service_name), source) = whole.zip(set.source).ok_or_else(incomplete)?;
    let told = UnifiedBookingData {
        tenant_id: tenant.id,
        client_id: Some(client.id),
        customer_phone: client.phone.clone().map(Phone::from_stored),
        phone_is_callers: false,
        whatsapp_id: client.whatsapp_id.as_deref().and_then(WhatsAppId::parse),
        first_name: None,
        last_name: None,
        name_is_profile: false,
        email: None,
        service_name,
        service_category: of(&set.service_category),
        appointment_date_time: start,
        duration: of(&set.duration),
        staff_member: of(&set.staff_member),
        price: of(&set.price),
        source,
        status: set.status.unwrap_or(BookingStatus::Confirmed),
        payment_status: set.payment_status,
        account,
        external_booking,
        notes: of(&set.notes),
    };
    Ok((told, set.names()))
}

/// Reads a change of a booking.
pub(super) fn change(
    mut fields: Fields,
    row: &BookingRow,
    tenant: &TenantSettings,
) -> Result<Change, Problem> {
    let known = row.currency.as_deref().and_then(Currency::parse).unwrap_or(tenant.currency);
    let mut set = common(&mut fields, known);
    let date = fields.either("bookingDate", "bookingDateTime");
    let read = fields.time(date, tenant);
    set.appointment_date_time = fields.full(date, read);
    let read = fields.text("serviceName", 200);
    set.service_name = fields.full("serviceName", read);
    let source = fields.either("source", "bookingSource");
    let read = fields.word::<Channel>(source);
    set.source = fields.full(source, read);
    let read = fields.word::<BookingStatus>("status");
    set.status = fields.full("status", read);
    let read = fields.word::<PaymentStatus>("paymentStatus");
    set.payment_status = fields.full("paymentStatus", read);
    set.external_booking = relabelled(&mut fields, row);
    let read = fields.boolean("correction");
    let correction = fields.full("correction", read).unwrap_or(false);
    fields.finish()?;
    Ok(Change { set, correction })
}

/// What is read alike for a new booking and a change.
fn common(fields: &mut Fields, currency: Currency) -> Edited {
    let staff = fields.either("staffMember", "staffMemberName");
    let sent = fields.currency("currency");
    let named = fields.is_there("currency");
    let amount = fields.amount("amount", sent.value().unwrap_or(currency));
    if named && !fields.has("amount") {
        fields.fault("currency", "amount_missing", "send the amount beside its currency");
    }
    Edited {
        service_category: patched(fields.text("serviceCategory", 200)),
        duration: patched(fields.minutes("duration")),
        staff_member: patched(fields.text(staff, 200)),
        price: patched(amount),
        notes: patched(fields.text("notes", 5000)),
        ..Edited::default()
    }
}

/// The booking's reference, labelled.
fn reference(fields: &mut Fields, provider: &str) -> Patch<ExternalBooking> {
    let name = fields.either("externalBookingId", "serviceProviderBookingId");
    let label = |id| ExternalBooking { provider: Some(provider.to_owned()), id };
    fields.text(name, 200).map(label)
}

/// What a change makes of the booking's reference: another id, or another label of the one it has.
fn relabelled(fields: &mut Fields, row: &BookingRow) -> Set<ExternalBooking> {
    let name = fields.either("serviceProvider", "externalServiceName");
    let is_labelled = fields.is_there(name);
    let provider = provider(fields, row.provider.as_deref());
    let read = reference(fields, &provider);
    if !is_labelled || read != Patch::Absent {
        return patched(read);
    }
    let Some(id) = row.external_booking_id.clone() else {
        let detail = "the booking has no reference: send externalBookingId beside its provider";
        fields.fault(name, "reference_missing", detail);
        return Set::Kept;
    };
    Set::To(ExternalBooking { provider: Some(provider), id })
}

fn provider(fields: &mut Fields, usual: Option<&str>) -> String {
    let name = fields.either("serviceProvider", "externalServiceName");
    let sent = fields.text(name, 64).value().map(|text| provider_name(&text));
    sent.unwrap_or_else(|| usual.unwrap_or(PROVIDER).to_owned())
}

/// The client's account at the provider, where its id there is told.
fn account(fields: &mut Fields, provider: String) -> Option<ExternalClient> {
    let name = fields.either("externalClientId", "externalServiceClientId");
    let client = fields.text(name, 200).value();
    let name = fields.either("businessId", "externalBusinessId");
    let business_id = fields.text(name, 200).value().unwrap_or_default();
    let name = fields.either("branchId", "externalBranchId");
    let branch_id = fields.text(name, 200).value().unwrap_or_default();
    Some(ExternalClient { provider, client_id: client?, business_id, branch_id })
}

fn patched<T>(read: Patch<T>) -> Set<T> {
    match read {
        Patch::Absent => Set::Kept,
        Patch::Null => Set::Emptied,
        Patch::Value(value) => Set::To(value),
    }
}

fn of<T: Clone>(set: &Set<T>) -> Option<T> {
    match set {
        Set::To(value) => Some(value.clone()),
        Set::Kept | Set::Emptied => None,
    }
}
