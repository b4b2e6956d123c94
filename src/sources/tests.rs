//! What holds for every source, whatever it is sent.

use super::*;
use crate::domain::channel::DateOrder;
use crate::domain::money::Currency;
use crate::domain::phone::Region;
use chrono::TimeDelta;
use serde_json::json;

fn tenant() -> TenantSettings {
    TenantSettings {
        id: "8d8ac610-566d-4ef0-9c22-186b2a5ed793".parse().unwrap(),
        slug: "liffey-light".to_owned(),
        default_region: Region::parse("IE").unwrap(),
        timezone: chrono_tz::Europe::Dublin,
        currency: Currency::parse("EUR").unwrap(),
        date_order: DateOrder::Dmy,
    }
}

fn received_at() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn headers(pairs: &[(&str, &str)]) -> Headers {
    let mut headers = Headers::default();
    for (name, value) in pairs {
        headers.insert(name, value);
    }
    headers
}

fn items(source: &str, body: &str, headers: &Headers) -> Vec<Item> {
    let delivery = Delivery { body: body.as_bytes(), headers, received_at: received_at() };
    find(source).unwrap().split(&delivery).unwrap()
}

fn item(source: &str, body: &Value) -> Item {
    items(source, &body.to_string(), &Headers::default()).remove(0)
}

/// What an event says, with these fields set by a person.
fn corrected(source: &str, body: &Value, set: &[(&str, &str)]) -> Vec<Mapped> {
    let pairs = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let (tenant, overrides) = (tenant(), pairs.collect());
    let reading = Reading::plain(&tenant, received_at(), &overrides);
    find(source).unwrap().map(&item(source, body), &reading)
}

fn codes(mapped: &[Mapped]) -> Vec<String> {
    let [Mapped::NeedsReview(review)] = mapped else { panic!("{mapped:?}") };
    review.problems.iter().map(|problem| problem.code.clone()).collect()
}

fn booking(mapped: &[Mapped]) -> &Telling<UnifiedBookingData> {
    let [Mapped::Booking(telling)] = mapped else { panic!("{mapped:?}") };
    telling
}

#[test]
fn a_name_and_a_path_belong_to_one_source() {
    for source in ALL {
        assert_eq!(find(source.name()).unwrap().path(), source.path());
        assert!(source.path().starts_with(&format!("/{}/", source.name())));
        assert_eq!(source.takes_tokens(), source.manners() == Manners::Correct);
    }
    assert!(find("fax").is_none());
}

#[test]
fn what_retell_repeats_is_known_by_event_and_call() {
    let key = |body| item("retell", &body).key;
    let parts = |parts: &[&str]| {
        DeliveryKey::WithBody(parts.iter().map(|part| (*part).to_owned()).collect())
    };
    let call = json!({"call_id": "c1", "start_timestamp": 1_773_051_302_417_i64});
    let ended = json!({"event": "call_ended", "call": call});
    assert_eq!(key(ended), parts(&["call_ended", "c1"]));
    let moved = json!({"event": "transfer_started", "call": call});
    assert_eq!(key(moved), parts(&["transfer_started", "c1", "1773051302417"]));
    assert_eq!(key(json!({"event": "call_ended", "call": {}})), DeliveryKey::BodyForAnHour);
    let function = |args| json!({"name": "book_appointment", "args": args, "call": call});
    let (one, same) = (json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1}));
    assert_eq!(key(function(one.clone())), key(function(same)));
    assert_ne!(key(function(one)), key(function(json!({"a": 2, "b": 2}))));
    let nameless = json!({"name": "book_appointment", "args": {"a": 1}});
    assert_eq!(key(nameless), DeliveryKey::None);
}

#[test]
fn a_program_chooses_its_own_key() {
    let key = |pairs: &[(&str, &str)]| items("n8n", "{}", &headers(pairs)).remove(0).key;
    let chosen = |key: &str| DeliveryKey::Chosen(key.to_owned());
    assert_eq!(key(&[("webhook-id", "msg_1"), ("Idempotency-Key", "k")]), chosen("msg_1"));
    assert_eq!(key(&[("Idempotency-Key", "k")]), chosen("k"));
    assert_eq!(key(&[("webhook-id", " ")]), DeliveryKey::BodyForAnHour);
    assert_eq!(key(&[]), DeliveryKey::BodyForAnHour);
}

#[test]
fn a_program_says_when_it_happened() {
    let at = |body: &str, pairs: &[(&str, &str)]| {
        let at = items("n8n", body, &headers(pairs)).remove(0).occurred_at;
        at.map(|at| at.to_rfc3339())
    };
    let sent = [("webhook-timestamp", "1767225600")];
    let told = r#"{"occurredAt":"2026-03-09T10:15:00+01:00"}"#;
    assert_eq!(at(told, &sent).as_deref(), Some("2026-03-09T09:15:00+00:00"));
    assert_eq!(
        at(r#"{"occurredAt":1773051302}"#, &[]).as_deref(),
        Some("2026-03-09T10:15:02+00:00")
    );
    assert_eq!(at("{}", &sent).as_deref(), Some("2026-01-01T00:00:00+00:00"));
    assert_eq!(at("{}", &[]), None);
    // Of what was sent within a second and came at once, the arrival says which came first.
    let sent = |before: i64| {
        let second = (received_at() - TimeDelta::seconds(before)).timestamp().to_string();
        at("{}", &[("webhook-timestamp", &second)]).unwrap()
    };
    assert_eq!(sent(0), "2026-11-23T12:00:00+00:00");
    assert_eq!(sent(1), "2026-11-23T11:59:59.999999+00:00");
    assert_eq!(sent(2), "2026-11-23T11:59:58+00:00");
    assert_eq!(sent(-1), "2026-11-23T12:00:01+00:00");
}

#[test]
fn what_a_person_supplies_completes_a_booking() {
    let call = json!({"event": "call_ended", "call": {"call_id": "c1", "transcript_with_tool_calls": [
        {"role": "tool_call_invocation", "tool_call_id": "t1", "name": "book_appointment",
         "arguments": "{\"service\":\"Cut\",\"when\":\"half eleven\",\"price\":\"a lot\"}"},
        {"role": "tool_call_result", "tool_call_id": "t1", "content": "{\"success\":true}"},
    ]}});
    let lacking = corrected("retell", &call, &[]);
    assert_eq!(codes(&lacking), ["start_unreadable", "amount_unreadable", "phone_missing"]);
    let set = [
        ("customerPhone", "087 123 4567"),
        ("appointmentDateTime", "2026-04-02 15:00"),
        ("price", "€42,50"),
    ];
    let mapped = corrected("retell", &call, &set);
    let telling = booking(&mapped);
    assert_eq!(telling.set_by_person, ["appointmentDateTime", "customerPhone", "price"]);
    assert_eq!(telling.data.price.unwrap().minor, 4250);
    assert_eq!(telling.data.service_name, "Cut");
    let emptied = [
        ("customerPhone", "0871234567"),
        ("appointmentDateTime", "2026-04-02 15:00"),
        ("price", ""),
    ];
    assert_eq!(booking(&corrected("retell", &call, &emptied)).data.price, None);
}

#[test]
fn what_a_person_supplies_is_read_by_the_same_rules() {
    let body = json!({"phone": "+353871234567", "service": "Cut", "dateTime": "2026-04-02 15:00"});
    let wrong = corrected("chat", &body, &[("customerPhone", "12"), ("shoeSize", "44")]);
    assert_eq!(codes(&wrong), ["field_unknown", "phone_invalid"]);
    let set = [("phorestBookingId", "PH-1"), ("lastName", "Daly")];
    let telling = corrected("chat", &body, &set);
    assert_eq!(booking(&telling).set_by_person, ["lastName", "externalBookingId"]);
    assert_eq!(booking(&telling).data.labelled(), Some(("phorest", "PH-1")));
}

#[test]
fn in_a_call_of_several_a_correction_is_for_those_that_lack_something() {
    let call = json!({"event": "call_ended", "call": {
        "call_id": "c1", "direction": "inbound", "from_number": "+353871234567",
        "transcript_with_tool_calls": [
            {"role": "tool_call_invocation", "tool_call_id": "t1", "name": "book_appointment",
             "arguments": "{\"service\":\"Cut\",\"when\":\"half eleven\"}"},
            {"role": "tool_call_result", "tool_call_id": "t1", "content": "true"},
            {"role": "tool_call_invocation", "tool_call_id": "t2", "name": "book_appointment",
             "arguments": "{\"service\":\"Colour\",\"when\":\"2026-04-02 15:00\"}"},
            {"role": "tool_call_result", "tool_call_id": "t2", "content": "true"},
        ]
    }});
    let mapped = corrected("retell", &call, &[("appointmentDateTime", "2026-04-02 11:30")]);
    let [Mapped::Booking(cut), Mapped::Booking(colour)] = mapped.as_slice() else {
        panic!("{mapped:?}")
    };
    assert_eq!(cut.data.appointment_date_time.to_rfc3339(), "2026-04-02T10:30:00+00:00");
    assert_eq!(colour.data.appointment_date_time.to_rfc3339(), "2026-04-02T14:00:00+00:00");
    assert!(colour.set_by_person.is_empty());
}

#[test]
fn a_person_says_what_the_words_left_open() {
    let fixture = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let unclear = fixture(include_str!("../../fixtures/retell/call_ended_answer_unclear.json"));
    assert_eq!(codes(&corrected("retell", &unclear, &[])), ["result_unclear"]);
    let booked = corrected("retell", &unclear, &[("status", "confirmed")]);
    assert_eq!(booking(&booked).set_by_person, ["status"]);
    let off = corrected("retell", &unclear, &[("status", "cancelled")]);
    assert!(matches!(off.as_slice(), [Mapped::Change(_)]), "{off:?}");
    let enquiry = fixture(include_str!("../../fixtures/retell/call_analyzed_enquiry.json"));
    let set = [
        ("status", "pending"),
        ("customerPhone", "0871234567"),
        ("appointmentDateTime", "2026-04-02 15:00"),
    ];
    assert_eq!(booking(&corrected("retell", &enquiry, &set)).data.service_name, "Full set lashes");
    let token = fixture(include_str!("../../fixtures/whatsapp/flow_with_token_only.json"));
    let set = [("serviceName", "Facial"), ("appointmentDateTime", "2026-04-02 15:00")];
    let telling = corrected("whatsapp", &token, &set);
    assert_eq!(booking(&telling).data.customer_phone.as_ref().unwrap().as_str(), "+353863334455");
    let text = fixture(include_str!("../../fixtures/whatsapp/text_cancels_in_prose.json"));
    let off = corrected("whatsapp", &text, &[("status", "cancelled")]);
    assert!(matches!(off.as_slice(), [Mapped::Change(_)]), "{off:?}");
    let nobody = fixture(include_str!("../../fixtures/whatsapp/text_of_nobody.json"));
    let lead = corrected("whatsapp", &nobody, &[("customerPhone", "0871234567")]);
    assert!(matches!(lead.as_slice(), [Mapped::Lead(_)]), "{lead:?}");
}

#[test]
fn a_number_of_another_is_not_the_callers() {
    let at = |args: Value| {
        let call = json!({"event": "call_ended", "call": {
            "call_id": "c1", "direction": "inbound", "from_number": "+353871234567",
            "transcript_with_tool_calls": [
                {"role": "tool_call_invocation", "tool_call_id": "t1", "name": "book_appointment",
                 "arguments": args.to_string()},
                {"role": "tool_call_result", "tool_call_id": "t1", "content": "true"},
            ]
        }});
        let mapped = corrected("retell", &call, &[]);
        let data = &booking(&mapped).data;
        (data.customer_phone.as_ref().unwrap().as_str().to_owned(), data.phone_is_callers)
    };
    let args = json!({"service": "Cut", "when": "2026-04-02 15:00"});
    assert_eq!(at(args.clone()), ("+353871234567".to_owned(), true));
    let with = |phone: &str| {
        let mut args = args.clone();
        args["phone"] = phone.into();
        at(args)
    };
    assert_eq!(with("086 555 0199"), ("+353865550199".to_owned(), false));
    assert_eq!(with("oh eight six"), ("+353871234567".to_owned(), true));
    assert_eq!(with("Not provided"), ("+353871234567".to_owned(), true));
}

#[test]
fn notes_that_nobody_can_read_do_not_undo_what_the_tool_told() {
    let fixture = include_str!("../../fixtures/retell/call_ended_booking_by_tool.json");
    let mut body: Value = serde_json::from_str(fixture).unwrap();
    body["call"]["collected_dynamic_variables"] = json!({"price": "not discussed", "notes": "x"});
    assert_eq!(booking(&corrected("retell", &body, &[])).data.price.unwrap().minor, 7500);
    body["call"]["collected_dynamic_variables"] =
        json!({"duration_minutes": "?", "category": "Massage"});
    let kept = corrected("retell", &body, &[]);
    assert_eq!(booking(&kept).data.service_category.as_deref(), Some("Massage"));
}

#[test]
fn a_function_whose_arguments_stand_alone_is_named_by_its_address() {
    let named = |body: &str| {
        let body = retell::Source.named("book_appointment", body.as_bytes()).unwrap();
        serde_json::from_slice::<Value>(&body).unwrap()
    };
    let args = json!({"service": "Cut", "phone": "0871234567", "when": "2026-04-02 15:00"});
    let wrapped = named(&args.to_string());
    assert_eq!(wrapped, json!({"name": "book_appointment", "args": args}));
    let told = corrected("retell", &wrapped, &[]);
    assert_eq!(booking(&told).data.status, crate::domain::channel::BookingStatus::Pending);
    for whole in [
        json!({"name": "x", "call": {}, "args": {"a": 1}}),
        json!({"args": {"a": 1}}),
        json!({"name": "x", "call": {}}),
        json!({"event": "call_ended", "call": {}}),
    ] {
        assert_eq!(named(&whole.to_string()), whole);
    }
    let named_like_a_call = json!({"name": "Ann", "event": "wedding", "call": "me back"});
    assert_eq!(named(&named_like_a_call.to_string())["args"], named_like_a_call);
}

#[test]
fn arguments_are_kept_as_they_came() {
    let spaced = r#"{ "service" : "Cut",  "price": 1.50 }"#;
    let body = retell::Source.named("a \"b\"", spaced.as_bytes()).unwrap();
    let text = std::str::from_utf8(&body).unwrap();
    assert!(text.contains(spaced), "{text}");
    assert_eq!(serde_json::from_str::<Value>(text).unwrap()["name"], "a \"b\"");
    assert!(retell::Source.named("x", b"[1]").is_err());
}

#[test]
fn two_functions_of_one_call_are_two_tellings() {
    let call = |args: Value| {
        let call = json!({"call_id": "c1", "direction": "inbound", "from_number": "+353871234567"});
        let body = json!({"name": "book_appointment", "call": call, "args": args});
        let mapped = corrected("retell", &body, &[]);
        booking(&mapped).item.clone()
    };
    let cut = json!({"service": "Cut", "when": "2026-12-02 15:00"});
    let colour = json!({"service": "Colour", "when": "2026-12-02 15:00"});
    assert_eq!(call(cut.clone()), call(cut.clone()));
    assert_ne!(call(cut), call(colour));
}

#[test]
fn a_whatsapp_id_may_stand_in_for_a_phone() {
    let body = |id: &str| json!({"whatsappId": id, "service": "Cut", "dateTime": "2026-04-02 15:00", "source": "whatsapp"});
    let told = corrected("n8n", &body("IE.40817263554098123001"), &[]);
    let whatsapp_id = booking(&told).data.whatsapp_id.as_ref().unwrap();
    assert_eq!(whatsapp_id.as_str(), "IE.40817263554098123001");
    let wrong = codes(&corrected("n8n", &body("353871234567"), &[]));
    assert_eq!(wrong, ["whatsapp_id_invalid", "phone_missing"]);
}

#[test]
fn a_text_is_never_cut_to_fit() {
    let body = json!({
        "phone": "+353871234567", "dateTime": "2026-04-02 15:00",
        "service": "x".repeat(201), "notes": "n".repeat(5000),
    });
    assert_eq!(codes(&corrected("chat", &body, &[])), ["text_too_long"]);
}

#[test]
fn an_id_longer_than_any_is_none() {
    let long = "x".repeat(3000);
    let body = json!({"event": long, "call": {"call_id": long, "agent_id": long}});
    let read = item("retell", &body);
    assert_eq!(
        (read.kind.as_str(), read.account, read.key),
        ("unknown", None, DeliveryKey::BodyForAnHour)
    );
}

#[test]
fn one_bad_message_never_drops_its_siblings() {
    let message = |id: &str| {
        format!(
            r#"{{"from":"353871234567","id":"{id}","timestamp":"1795434000","type":"text","text":{{"body":"Hi"}}}}"#
        )
    };
    let change = |value: &str| format!(r#"{{"field":"messages","value":{value}}}"#);
    let good = change(&format!(
        r#"{{"metadata":{{"phone_number_id":"1"}},"contacts":[7],"messages":[{},"no message",{}]}}"#,
        message("a"),
        message("b"),
    ));
    let body = format!(
        r#"{{"object":"whatsapp_business_account","entry":["no entry",{{"changes":[{},{good}]}}]}}"#,
        change("[]"),
    );
    let items = items("whatsapp", &body, &Headers::default());
    let keys: Vec<_> = items.iter().map(|item| item.key.clone()).collect();
    let exact = |id: &str| DeliveryKey::Exact(vec![id.to_owned()]);
    let nameless = DeliveryKey::WithBody(vec!["messages".to_owned()]);
    assert_eq!(keys, [exact("a"), nameless, exact("b")]);
}

#[test]
fn a_body_that_is_none_is_malformed() {
    for source in ALL {
        for body in ["", "hello", "[1]", "{\"a\":1}x", "\u{feff}{}"] {
            let headers = Headers::default();
            let delivery =
                Delivery { body: body.as_bytes(), headers: &headers, received_at: received_at() };
            assert!(source.split(&delivery).is_err(), "{}: {body}", source.name());
            assert_eq!(source.hints(body.as_bytes()), Hints::default());
        }
    }
}
