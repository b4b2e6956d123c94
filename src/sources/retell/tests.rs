//! What public handlers of Retell's events met, told of, or got wrong: one test each.

use super::*;
use crate::domain::booking::{ChangeKind, ChangeOf, UnifiedBookingData};
use crate::domain::channel::{BookingStatus, Channel, DateOrder};
use crate::domain::money::Currency;
use crate::domain::phone::Region;
use crate::domain::tenant::TenantSettings;
use crate::sources::Source as _;
use serde_json::json;
use std::collections::BTreeMap;

mod values;

/// When the calls of these tests began: Monday, 10:15 in Dublin.
const BEGAN: i64 = 1_773_051_302_417;

fn read(body: &Value) -> Vec<Mapped> {
    let tenant = TenantSettings {
        id: "8d8ac610-566d-4ef0-9c22-186b2a5ed793".parse().unwrap(),
        slug: "liffey-light".to_owned(),
        default_region: Region::parse("IE").unwrap(),
        timezone: chrono_tz::Europe::Dublin,
        currency: Currency::parse("EUR").unwrap(),
        date_order: DateOrder::Dmy,
    };
    let (headers, overrides) = (Headers::default(), BTreeMap::new());
    let received_at = "2026-11-23T12:00:00Z".parse().unwrap();
    let body = body.to_string();
    let delivery = Delivery { body: body.as_bytes(), headers: &headers, received_at };
    let item = Source.split(&delivery).unwrap().remove(0);
    Source.map(&item, &Reading::plain(&tenant, received_at, &overrides))
}

fn booking(body: &Value) -> UnifiedBookingData {
    match read(body).as_slice() {
        [Mapped::Booking(telling)] => telling.data.clone(),
        other => panic!("{body}: {other:?}"),
    }
}

/// The codes of what a person must look at; none where nobody must.
fn codes(body: &Value) -> Vec<String> {
    let reviews = read(body).into_iter().filter_map(|mapped| match mapped {
        Mapped::NeedsReview(review) => Some(review.problems),
        _ => None,
    });
    reviews.flatten().map(|problem| problem.code).collect()
}

fn ignored(word: &str) -> Vec<Mapped> {
    vec![Mapped::Ignored(word.to_owned())]
}

fn asked(id: &str, name: &str, arguments: &Value) -> Value {
    json!({"role": "tool_call_invocation", "tool_call_id": id, "name": name, "time_sec": 31.5,
        "arguments": arguments.to_string()})
}

fn answered(id: &str, content: &Value) -> Value {
    json!({"role": "tool_call_result", "tool_call_id": id, "time_sec": 32.25,
        "content": content.to_string()})
}

/// A call that is over, with these lines.
fn ended(lines: &[Value]) -> Value {
    json!({"event": "call_ended", "call": {
        "call_id": "c1", "agent_id": "a1", "call_type": "phone_call", "direction": "inbound",
        "from_number": "+353871234567", "to_number": "+35315550142", "start_timestamp": BEGAN,
        "transcript_with_tool_calls": lines,
    }})
}

fn arguments() -> Value {
    json!({"customer_name": "Niamh O'Brien", "service": "Cut", "date_time": "2026-12-02 15:00"})
}

/// A call in which a tool was asked this and said yes.
fn booked(arguments: &Value) -> Value {
    ended(&[asked("t1", "book_appointment", arguments), answered("t1", &json!({"success": true}))])
}

fn booked_with(name: &str, value: &str) -> Value {
    let mut arguments = arguments();
    arguments[name] = json!(value);
    booked(&arguments)
}

/// An analysis alone, of a call whose transcript was not kept.
fn analyzed(custom: &Value) -> Value {
    json!({"event": "call_analyzed", "call": {
        "call_id": "c1", "direction": "inbound", "from_number": "+353871234567",
        "start_timestamp": BEGAN, "data_storage_setting": "basic_attributes_only",
        "call_analysis": {"call_successful": true, "custom_analysis_data": custom},
    }})
}

#[test]
fn what_tells_nothing_is_ignored_by_name() {
    let call = booked(&arguments())["call"].clone();
    for (event, word) in [
        ("call_started", "event_call_started"),
        ("transcript_updated", "event_transcript_updated"),
        ("transfer_started", "event_transfer_started"),
        ("transfer_bridged", "event_transfer_bridged"),
        ("transfer_cancelled", "event_transfer_cancelled"),
        ("transfer_ended", "event_transfer_ended"),
        ("chat_started", "event_chat_started"),
        // Names that others made up.
        ("call.ended", "event_unknown"),
        ("CALL_ENDED", "event_unknown"),
        ("voicemail_detected", "event_unknown"),
        ("", "event_unknown"),
    ] {
        let body = json!({"event": event, "call": call,
            "transfer_destination": {"number": "+353871234567", "extension": null},
            "transfer_option": {"type": "warm_transfer", "showTransfereeAsCaller": false}});
        assert_eq!(read(&body), ignored(word), "{event}");
    }
    let inbound = json!({"event": "call_inbound", "event_timestamp": BEGAN, "call_inbound": {
        "agent_id": "a1", "from_number": "+353871234567", "to_number": "+35315550142"}});
    assert_eq!(read(&inbound), ignored("event_call_inbound"));
    let headless = json!({"event_type": "call_ended", "call": call});
    assert_eq!(read(&headless), ignored("event_unknown"));
}

#[test]
fn what_is_null_is_absent_and_what_is_unknown_is_passed_over() {
    let plain = booked(&arguments());
    let mut full = plain.clone();
    for name in [
        "metadata", "retell_llm_dynamic_variables", "collected_dynamic_variables", "call_analysis",
        "custom_sip_headers", "end_timestamp", "duration_ms", "disconnection_reason", "transcript",
        "transcript_object", "telephony_identifier", "call_cost", "latency", "llm_token_usage",
    ] {
        full["call"][name] = Value::Null;
    }
    full["call"]["call_status"] = json!("registered");
    full["call"]["opt_out_sensitive_data_storage"] = json!(false);
    full["call"]["disconnection_reason"] = json!("a_reason_of_tomorrow");
    full["data"] = full["call"].clone();
    full["chat"] = Value::Null;
    assert_eq!(read(&full), read(&plain));
    let mut nothing = plain;
    for (_, value) in nothing["call"].as_object_mut().unwrap() {
        *value = Value::Null;
    }
    assert_eq!(read(&nothing), ignored("no_booking"));
}

#[test]
fn the_customer_is_at_the_other_end_of_the_line() {
    let at = |changes: &Value| {
        let mut body = booked(&arguments());
        for (name, value) in changes.as_object().unwrap() {
            body["call"][name] = value.clone();
        }
        match read(&body).as_slice() {
            [Mapped::Booking(telling)] => {
                telling.data.customer_phone.as_ref().map(|phone| phone.as_str().to_owned())
            }
            _ => None,
        }
    };
    let (customer, salon) = (Some("+353871234567".to_owned()), Some("+35315550142".to_owned()));
    assert_eq!(at(&json!({})), customer);
    assert_eq!(at(&json!({"direction": "outbound"})), salon, "it is the salon that calls there");
    assert_eq!(at(&json!({"direction": null, "call_type": "web_call"})), None);
    for number in ["sip:+353871234567@pbx.example.ie", "tel:+353871234567", "353871234567"] {
        assert_eq!(at(&json!({"from_number": number})), customer, "{number}");
    }
    for number in ["anonymous", "unknown", "sip:reception@pbx.example.ie", "", "+000"] {
        assert_eq!(at(&json!({"from_number": number})), None, "{number}");
    }
}

#[test]
fn a_value_is_taken_from_the_best_place_that_tells_it() {
    let mut body = ended(&[
        asked(
            "t1",
            "book_appointment",
            &json!({
                "service": "of the question", "date_time": "2026-12-02 10:00", "price": "20",
            }),
        ),
        answered("t1", &json!({"success": true, "booking": {"price": 10}})),
    ]);
    body["event"] = json!("call_analyzed");
    body["call"]["call_analysis"] = json!({"call_summary": "Notes: of the summary",
    "custom_analysis_data": {
        "booked": true, "price": "30", "service": "of the analysis", "staff": "Aoife",
    }});
    body["call"]["collected_dynamic_variables"] =
        json!({"price": "40", "staff": "of the notes", "duration": "45"});
    body["call"]["retell_llm_dynamic_variables"] = json!({"price": "50", "duration": "60", "category": "of the input", "notes": "of the input"});
    body["call"]["metadata"] = json!({"category": "of the metadata", "email": "a@example.ie"});
    let told = booking(&body);
    assert_eq!(told.price.unwrap().minor, 1000, "the answer");
    assert_eq!(told.service_name, "of the question");
    assert_eq!(told.staff_member.as_deref(), Some("Aoife"), "the analysis");
    assert_eq!(told.duration, Some(45), "what the agent noted");
    assert_eq!((told.service_category, told.notes, told.email), (None, None, None), "no input");
}

#[test]
fn what_a_call_was_begun_with_makes_no_booking() {
    let mut body = analyzed(&json!({}));
    let appointment = json!({"appointment_booked": "true", "service": "Cut",
        "appointment_date": "2026-12-02", "appointment_time": "15:00"});
    body["call"]["retell_llm_dynamic_variables"] = appointment.clone();
    body["call"]["metadata"] = appointment;
    body["call"]["call_analysis"]["call_summary"] = json!("The appointment was booked.");
    body["call"]["transcript"] = json!("Agent: You are booked for 2 December at 15:00.");
    assert_eq!(read(&body), ignored("no_booking"));
    // An analysis beside the call is where Retell never puts one.
    body["call_analysis"] = json!({"custom_analysis_data": {"booked": true}});
    assert_eq!(read(&body), ignored("no_booking"));
}

#[test]
fn what_the_agent_noted_tells_a_booking_where_it_says_that_it_was_made() {
    let noted = |collected: Value| {
        let mut body = ended(&[]);
        body["call"]["collected_dynamic_variables"] = collected;
        body
    };
    let mut made = json!({"booking_confirmed": "true", "service": "Cut",
        "appointment_date": "2026-12-02", "appointment_time": "15:00"});
    let told = booking(&noted(made.clone()));
    assert_eq!((told.service_name.as_str(), told.status), ("Cut", BookingStatus::Confirmed));
    made["appointment_time"] = json!("in the afternoon");
    assert_eq!(codes(&noted(made.clone())), ["start_unreadable"]);
    for wish in [
        json!({"service": "Cut", "appointment_date": "2026-12-02", "appointment_time": "15:00"}),
        json!({"service": "Cut", "booking_confirmed": "true"}),
        json!({"booking_confirmed": "false", "service": "Cut", "start": "2026-12-02 15:00"}),
    ] {
        assert_eq!(read(&noted(wish.clone())), ignored("no_booking"), "{wish}");
    }
    // The analysis knows better.
    let mut body = analyzed(&json!({"appointment_booked": "No"}));
    body["call"]["collected_dynamic_variables"] = made;
    assert_eq!(read(&body), ignored("no_booking"));
}

#[test]
fn a_tool_call_that_nobody_can_read_leaves_the_others() {
    let mut broken = asked("t0", "book_appointment", &json!({}));
    for arguments in ["{\"service\":\"Cut\"", "", "null", "[1]", "\"text\""] {
        broken["arguments"] = json!(arguments);
        let yes = json!({"success": true});
        let lines = [
            broken.clone(),
            answered("t0", &yes),
            json!("no line"),
            json!({"role": "node_transition", "former_node_id": "n1", "new_node_id": "n2"}),
            asked("t1", "book_appointment", &arguments_of_cut()),
            answered("t1", &yes),
        ];
        assert_eq!(booking(&ended(&lines)).service_name, "Cut", "{arguments}");
    }
}

fn arguments_of_cut() -> Value {
    json!({"service": "Cut", "date_time": "2026-12-02 15:00"})
}

#[test]
fn what_a_tool_answers_is_read_in_every_form_that_was_seen() {
    for (answer, id) in [
        (json!({"booked": true}), None),
        (json!({"booking_confirmed": "true"}), None),
        (json!({"success": true, "data": {"booking_id": "B-1"}}), Some("B-1")),
        (json!({"status": "Job booked", "jobId": 7, "appointmentId": "A-7"}), Some("A-7")),
        (json!({"confirmed": true, "dispatchRequestId": "D-9"}), Some("D-9")),
        (json!({"id": 12, "status": "accepted"}), Some("12")),
    ] {
        let body = ended(&[asked("t1", "book_job", &arguments()), answered("t1", &answer)]);
        let told = booking(&body);
        assert_eq!(told.external_booking.map(|b| b.id).as_deref(), id, "{answer}");
    }
    // Never by a label: a reference is the agent's own.
    let body = ended(&[
        asked("t1", "book_job", &arguments()),
        answered("t1", &json!({"booking_id": "B-1"})),
    ]);
    assert_eq!(booking(&body).labelled(), None);
}

#[test]
fn what_is_booked_and_moved_in_one_call_is_one_booking_and_a_change() {
    let body = ended(&[
        asked("t1", "book_appointment", &arguments()),
        answered("t1", &json!({"success": true})),
        asked("t2", "reschedule_appointment", &json!({"new_date_time": "2026-12-03T11:00"})),
        answered("t2", &json!({"success": true})),
    ]);
    let mapped = read(&body);
    let [Mapped::Booking(first), Mapped::Change(then)] = mapped.as_slice() else {
        panic!("{mapped:?}")
    };
    assert_eq!(first.data.status, BookingStatus::Confirmed);
    let noon = "2026-12-03T11:00:00Z".parse().unwrap();
    assert_eq!(then.data.what, ChangeKind::Reschedule(noon));
    assert_eq!(then.data.of, ChangeOf::Context("retell:call:c1".to_owned()));
    assert!(then.seq > first.seq);
}

#[test]
fn a_chat_has_no_line_and_knows_its_customer_by_what_is_told() {
    let chat = |metadata: Value, custom: Value| {
        json!({"event": "chat_analyzed", "chat": {
            "chat_id": "chat_77", "agent_id": "a1", "version": 2, "chat_status": "ended",
            "chat_type": "api_chat", "metadata": metadata, "start_timestamp": BEGAN,
            "message_with_tool_calls": [{"message_id": "m1", "role": "user", "content": "hi"}],
            "chat_analysis": {"chat_successful": true, "custom_analysis_data": custom}}})
    };
    let mut custom = json!({"appointment_set": true, "chosen_slot": "2026-12-02T15:00",
        "full_name": "Ana Ruiz", "service": "Cut"});
    let whatsapp = booking(&chat(json!({"whatsapp_user": "353861112222"}), custom.clone()));
    assert_eq!(whatsapp.source, Channel::WhatsApp);
    assert_eq!(whatsapp.customer_phone.unwrap().as_str(), "+353861112222");
    assert_eq!(codes(&chat(Value::Null, custom.clone())), ["phone_missing"]);
    custom["callback_phone"] = json!("+353863334455");
    let function = json!({"name": "book_appointment", "args": arguments(), "chat": {
        "chat_id": "chat_77", "metadata": {"whatsapp_user": "353861112222"}}});
    assert_eq!(booking(&function).source, Channel::WhatsApp);
    let web = booking(&chat(Value::Null, custom));
    assert_eq!(web.source, Channel::Web);
    assert_eq!(web.customer_phone.unwrap().as_str(), "+353863334455");
}
