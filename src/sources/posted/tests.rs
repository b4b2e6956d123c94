//! What programs post, as n8n and chat widgets write it.

use super::super::{Source, chat, n8n};
use super::*;
use crate::domain::booking::{Change, ChangeKind, ChangeOf, UnifiedBookingData};
use crate::domain::channel::DateOrder;
use crate::domain::money::Currency;
use crate::domain::phone::Region;
use crate::domain::tenant::TenantSettings;
use serde_json::json;
use std::collections::BTreeMap;

fn corrected(source: &dyn Source, body: &Value, set: &[(&str, &str)]) -> Vec<Mapped> {
    let tenant = TenantSettings {
        id: "8d8ac610-566d-4ef0-9c22-186b2a5ed793".parse().unwrap(),
        slug: "liffey-light".to_owned(),
        default_region: Region::parse("IE").unwrap(),
        timezone: chrono_tz::Europe::Dublin,
        currency: Currency::parse("EUR").unwrap(),
        date_order: DateOrder::Dmy,
    };
    let received_at = "2026-11-23T12:00:00Z".parse().unwrap();
    let (body, headers) = (body.to_string(), Headers::default());
    let delivery = Delivery { body: body.as_bytes(), headers: &headers, received_at };
    let item = source.split(&delivery).unwrap().remove(0);
    let set = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let overrides: BTreeMap<_, _> = set.collect();
    source.map(&item, &Reading::plain(&tenant, received_at, &overrides))
}

fn read(body: &Value) -> Vec<Mapped> {
    corrected(&n8n::Source, body, &[])
}

fn booking(mapped: &[Mapped]) -> &UnifiedBookingData {
    let [Mapped::Booking(telling)] = mapped else { panic!("{mapped:?}") };
    &telling.data
}

fn change(mapped: &[Mapped]) -> &Change {
    let [Mapped::Change(telling)] = mapped else { panic!("{mapped:?}") };
    &telling.data
}

fn problems(mapped: &[Mapped]) -> Vec<(&str, &str)> {
    let [Mapped::NeedsReview(review)] = mapped else { panic!("{mapped:?}") };
    review.problems.iter().map(|p| (p.pointer.as_str(), p.code.as_str())).collect()
}

/// A booking as n8n tells it, with one member changed.
fn with(member: &str, value: Value) -> Value {
    let mut body = json!({"tenantId": "liffey-light", "bookingData": {
        "phone": "+353871234567", "service": "Facial", "dateTime": "2026-12-02T15:00:00Z",
        "source": "voice",
    }});
    body["bookingData"][member] = value;
    body
}

#[test]
fn an_event_that_names_a_change_is_one() {
    for (event, what) in [
        ("cancelled", ChangeKind::Cancel),
        ("booking.cancelled", ChangeKind::Cancel),
        ("BOOKING_CANCELED", ChangeKind::Cancel),
        ("appointment.completed", ChangeKind::Complete),
        ("bookingNoShow", ChangeKind::NoShow),
        ("no_show", ChangeKind::NoShow),
    ] {
        let mut body = with("phorestBookingId", json!("PH-1"));
        body["event"] = json!(event);
        let mapped = read(&body);
        assert_eq!(change(&mapped).what, what, "{event}");
        let provider = Some("phorest".to_owned());
        assert_eq!(change(&mapped).of, ChangeOf::ExternalId { provider, id: "PH-1".to_owned() });
    }
    let mut inside = with("event", json!("booking_rescheduled"));
    inside["bookingData"]["previousAppointmentDateTime"] = json!("2026-12-01T15:00:00Z");
    inside["bookingData"]["status"] = json!("confirmed");
    let moved = ChangeKind::Reschedule("2026-12-02T15:00:00Z".parse().unwrap());
    assert_eq!(change(&read(&inside)).what, moved);
    let flat = json!({"event": "booking.cancelled", "phone": "0871234567", "service": "Facial",
        "dateTime": "2026-12-02T15:00:00Z"});
    assert_eq!(change(&corrected(&chat::Source, &flat, &[])).what, ChangeKind::Cancel);
}

#[test]
fn an_event_that_names_no_change_says_nothing() {
    for event in
        [json!("booking.created"), json!("booking-confirmed"), json!("call_ended"), json!({"a": 1})]
    {
        let mut body = with("status", json!("pending"));
        body["event"] = event.clone();
        assert_eq!(booking(&read(&body)).status, BookingStatus::Pending, "{event}");
    }
}

#[test]
fn an_event_and_a_status_that_differ_are_not_guessed() {
    let mut body = with("status", json!("confirmed"));
    body["event"] = json!("booking.cancelled");
    assert_eq!(problems(&read(&body)), [("/event", "status_contradicts_event")]);
    let by_person = corrected(&n8n::Source, &body, &[("status", "confirmed")]);
    assert_eq!(booking(&by_person).status, BookingStatus::Confirmed);
    body["bookingData"]["status"] = json!("Cancelled");
    assert_eq!(change(&read(&body)).what, ChangeKind::Cancel);
}

#[test]
fn numbers_are_read_as_n8n_writes_them() {
    let price = |value: Value| booking(&read(&with("price", value))).price.map(|p| p.minor);
    for (value, minor) in [
        (json!(75), 7500),
        (json!(75.1), 7510),
        (json!(0), 0),
        (json!("75.10"), 7510),
        (json!("42,50"), 4250),
        (json!("€75"), 7500),
    ] {
        assert_eq!(price(value.clone()), Some(minor), "{value}");
    }
    // What n8n makes of `NaN`, and of a member that nothing filled in.
    for nothing in [json!(null), json!(""), json!("undefined"), json!("[object Object]")] {
        assert_eq!(price(nothing.clone()), None, "{nothing}");
    }
    let huge = read(&with("price", serde_json::from_str("1e+21").unwrap()));
    assert_eq!(problems(&huge), [("/bookingData/price", "amount_unreadable")]);
    let told = read(&with("phone", json!(353_871_234_567_i64)));
    assert_eq!(booking(&told).customer_phone.as_ref().unwrap().as_str(), "+353871234567");
}

#[test]
fn times_are_read_as_n8n_writes_them() {
    for (written, at) in [
        // Luxon's $now in n8n's default zone, in UTC, in Dublin's winter; a JS Date.
        ("2026-11-22T10:20:47.788-05:00", "2026-11-22T15:20:47.788Z"),
        ("2026-11-22T10:20:47.788Z", "2026-11-22T10:20:47.788Z"),
        ("2026-11-22T10:20:47.788+00:00", "2026-11-22T10:20:47.788Z"),
        // Without a zone it is the salon's clock, never the server's: summer is an hour ahead.
        ("2026-07-22 10:20", "2026-07-22T09:20:00Z"),
        ("2026-07-22T10:20:00", "2026-07-22T09:20:00Z"),
    ] {
        let at: DateTime<Utc> = at.parse().unwrap();
        assert_eq!(booking(&read(&with("dateTime", json!(written)))).appointment_date_time, at);
    }
    for (number, at) in [
        ("1796223600", "2026-12-02T15:00:00Z"),
        ("1796223600000", "2026-12-02T15:00:00Z"),
        ("1796223600.5", "2026-12-02T15:00:00.5Z"),
    ] {
        let at: DateTime<Utc> = at.parse().unwrap();
        let number = serde_json::from_str(number).unwrap();
        assert_eq!(booking(&read(&with("dateTime", number))).appointment_date_time, at);
    }
}

#[test]
fn names_of_older_callers_that_mean_nothing_here_hurt_nothing() {
    let mut body = with("depositAmount", json!(20));
    body["bookingData"]["staffMemberId"] = json!("st_1");
    body["bookingData"]["paymentStatus"] = json!("no_payment");
    let told = read(&body);
    assert_eq!((booking(&told).price, &booking(&told).staff_member), (None, &None));
    assert_eq!(booking(&told).payment_status.unwrap().as_str(), "pending");
    for (word, state) in [
        ("awaiting_deposit", "pending"),
        ("deposit_paid", "deposit_paid"),
        ("refunded", "refunded"),
    ] {
        let told = read(&with("paymentStatus", json!(word)));
        assert_eq!(booking(&told).payment_status.unwrap().as_str(), state);
    }
}

#[test]
fn an_original_that_is_no_event_is_looked_past() {
    let flat = json!({"event": "call_ended", "tenant": {"id": "liffey-light", "name": "Liffey"},
        "call": {"callId": "c1", "fromNumber": "+353871234567"}, "originalPayload": {"a": 1},
        "phone": "+353871234567", "service": "Facial", "dateTime": "2026-12-02T15:00:00Z",
        "source": "voice"});
    assert_eq!(booking(&read(&flat)).service_name, "Facial");
    let hints = n8n::Source.hints(flat.to_string().as_bytes());
    assert_eq!(hints.tenant.as_deref(), Some("liffey-light"));
}

#[test]
fn what_a_person_supplies_for_a_passed_on_event_stands_nowhere_in_the_body() {
    let original = include_str!("../../../fixtures/retell/call_ended_booking_by_tool.json");
    let original: Value = serde_json::from_str(original).unwrap();
    let body = json!({"originalPayload": original});
    assert_eq!(
        problems(&corrected(&n8n::Source, &body, &[("duration", "long")])),
        [("", "duration_unreadable")]
    );
}

#[test]
fn a_booking_that_is_no_object_is_named() {
    let booking = json!({"phone": "+353871234567", "service": "Facial"});
    for odd in [json!(booking.to_string()), json!([booking]), json!(7)] {
        let mapped = read(&json!({"tenantId": "liffey-light", "bookingData": odd}));
        let named = ("/bookingData", "value_unreadable");
        assert!(problems(&mapped).contains(&named), "{odd}: {mapped:?}");
    }
    for nothing in [json!(null), json!(""), json!([])] {
        let mut flat = with("notes", json!("x"))["bookingData"].clone();
        flat["bookingData"] = nothing;
        assert_eq!(booking_of(&flat), "Facial");
    }
}

fn booking_of(body: &Value) -> String {
    booking(&read(body)).service_name.clone()
}

#[test]
fn the_outermost_tenant_is_the_one_that_is_named() {
    for body in [
        json!({"tenantId": "a", "bookingData": {"tenantId": "b"}}),
        json!({"tenant": {"id": "a"}}),
        json!({"metadata": {"tenant_id": "a"}, "bookingConfirmed": true}),
        json!({"body": {"tenant_id": "a", "bookingData": {}}}),
        json!({"args": {"tenantId": " a "}}),
        json!({"tenantId": "{{ $json.tenant }}", "bookingData": {"tenantId": "a"}}),
    ] {
        assert_eq!(hints(body.to_string().as_bytes()).tenant.as_deref(), Some("a"), "{body}");
    }
    assert_eq!(hints(b"{\"tenantId\":\"\"}").tenant, None);
}
