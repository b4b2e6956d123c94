//! What WhatsApp's users really send: every kind of message, every shape of a form.

use bookhook::domain::channel::DateOrder;
use bookhook::domain::money::Currency;
use bookhook::domain::phone::Region;
use bookhook::domain::tenant::TenantSettings;
use bookhook::sources::{self, Delivery, Headers, Mapped, Reading};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// 2026-11-23, a Monday, 11:40 in Dublin.
const SENT: &str = "1795434000";

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

/// A delivery with this as the value of its only change.
fn delivery(field: &str, value: &Value) -> Vec<u8> {
    let change = json!({"field": field, "value": value});
    json!({"object": "whatsapp_business_account", "entry": [{"id": "9", "changes": [change]}]})
        .to_string()
        .into_bytes()
}

/// What each event of a body is read as, as JSON.
fn read(body: &[u8]) -> Vec<Value> {
    let source = sources::find("whatsapp").unwrap();
    let headers = Headers::default();
    let received_at = "2026-11-23T12:00:00Z".parse().unwrap();
    let delivery = Delivery { body, headers: &headers, received_at };
    let (tenant, none) = (tenant(), BTreeMap::new());
    let reading = Reading::plain(&tenant, received_at, &none);
    let items = source.split(&delivery).unwrap();
    let mapped: Vec<Mapped> = items.iter().flat_map(|item| source.map(item, &reading)).collect();
    mapped.iter().map(|one| serde_json::to_value(one).unwrap()).collect()
}

/// One message of this type, from somebody whose number and id are known.
fn message(kind: &str, inner: &Value) -> Value {
    let mut message = json!({"from": "353871112233", "from_user_id": "IE.70817263554098123021",
        "id": "wamid.1", "timestamp": SENT, "type": kind});
    message[kind] = inner.clone();
    message
}

/// What one message is read as, beside its contact.
fn said(message: &Value) -> Value {
    let contact = json!({"profile": {"name": "Orla"}, "wa_id": "353871112233",
        "user_id": "IE.70817263554098123021"});
    let value = json!({"messaging_product": "whatsapp", "contacts": [contact],
        "metadata": {"phone_number_id": "771234500000001"}, "messages": [message]});
    let mut read = read(&delivery("messages", &value));
    assert_eq!(read.len(), 1, "{read:?}");
    read.remove(0)
}

/// What a form with these answers is read as.
fn form(answers: &Value) -> Value {
    let reply = json!({"name": "flow", "body": "Sent", "response_json": answers.to_string()});
    said(&message("interactive", &json!({"type": "nfm_reply", "nfm_reply": reply})))
}

/// The codes of what stands in the way.
fn problems(read: &Value) -> Vec<&str> {
    let list = read["needsReview"]["problems"].as_array().unwrap_or_else(|| panic!("{read}"));
    list.iter().map(|problem| problem["code"].as_str().unwrap()).collect()
}

/// A booking's members as they are read.
fn booking<'a>(read: &'a Value, members: &[&str]) -> Vec<&'a Value> {
    let data = &read["booking"]["data"];
    assert!(data.is_object(), "{read}");
    members.iter().map(|member| &data[*member]).collect()
}

#[test]
fn what_books_nothing_and_asks_nothing_is_ignored_by_name() {
    let card = json!([{"name": {"formatted_name": "Niamh"}, "origin": "other",
        "phones": [{"phone": "+353 87 999 9999", "wa_id": "353879999999"}]}]);
    let address = json!({"type": "nfm_reply", "nfm_reply": {"name": "address_message",
        "body": "Sent", "response_json": "{\"values\":{\"name\":\"Orla\",\"city\":\"Dublin\"}}"}});
    for (kind, inner, why) in [
        ("reaction", json!({"message_id": "wamid.0", "emoji": "👍"}), "reaction"),
        ("reaction", json!({"message_id": "wamid.0"}), "reaction"),
        ("edit", json!({"message": {"type": "text", "text": {"body": "Hello"}}}), "edit"),
        ("revoke", Value::Null, "revoke"),
        ("request_welcome", Value::Null, "request_welcome"),
        ("location", json!({"latitude": 53.3, "longitude": -6.2}), "location"),
        ("order", json!({"product_items": [{"item_price": 20, "currency": "EUR"}]}), "order"),
        ("contacts", card, "contacts"),
        ("contacts", json!([]), "contacts"),
        ("sticker", json!({"id": "1", "mime_type": "image/webp"}), "media"),
        ("audio", json!({"id": "1", "voice": true}), "media"),
        ("image", json!({"id": "1", "caption": "  "}), "media"),
        ("unsupported", json!({"type": "poll"}), "unsupported"),
        ("unknown", Value::Null, "unsupported"),
        ("something_of_next_year", json!({"a": 1}), "unsupported"),
        ("system", json!({"type": "customer_identity_changed", "body": "changed"}), "system"),
        ("system", json!({"body": "User A changed from 1 to 2"}), "system"),
        ("button", json!({"payload": "no", "text": "No"}), "selection"),
        ("button", json!({"text": "Yes"}), "selection"),
        ("interactive", json!({}), "unsupported"),
        ("interactive", Value::Null, "unsupported"),
        ("interactive", json!({"type": "button_reply"}), "selection"),
        (
            "interactive",
            json!({"type": "call_permission_reply",
            "call_permission_reply": {"response": "accept"}}),
            "call_permission",
        ),
        (
            "interactive",
            json!({"type": "list_reply",
            "list_reply": {"id": "slot:2026-12-02T10:00", "title": "Confirm booking"}}),
            "selection",
        ),
        (
            "interactive",
            json!({"type": "button_reply",
            "button_reply": {"id": "menu_confirm_help", "title": "Confirm booking"}}),
            "selection",
        ),
        (
            "interactive",
            json!({"type": "button_reply",
            "button_reply": {"id": "pay_inperson___4711", "title": "Pay there"}}),
            "selection",
        ),
        ("interactive", address, "address"),
    ] {
        assert_eq!(said(&message(kind, &inner)), json!({"ignored": why}), "{kind} {inner}");
    }
}

#[test]
fn fields_that_are_not_about_messages_make_no_event() {
    let metadata = json!({"phone_number_id": "771234500000001"});
    for (field, value) in [
        ("message_template_status_update", json!({"event": "APPROVED", "message_template_id": 1})),
        ("account_update", json!({"event": "VERIFIED_ACCOUNT"})),
        (
            "history",
            json!({"metadata": metadata, "history": [{"threads": [{"id": "353871112233",
            "messages": [message("text", &json!({"body": "yes"}))]}]}]}),
        ),
        ("smb_app_state_sync", json!({"metadata": metadata, "state_sync": [{"type": "contact"}]})),
        ("calls", json!({"metadata": metadata, "calls": [{"id": "wacid.1", "event": "connect"}]})),
        (
            "user_preferences",
            json!({"metadata": metadata, "user_preferences": [{"value": "stop"}]}),
        ),
        ("messages", json!({"metadata": metadata, "errors": [{"code": 131_000}]})),
        ("flows", Value::Null),
    ] {
        assert_eq!(read(&delivery(field, &value)), [""; 0].map(Value::from), "{field}");
    }
}

#[test]
fn whoever_asks_is_a_lead_whatever_the_message_is() {
    let phone = json!({"kind": "phone", "value": "+353871112233"});
    for (kind, inner) in [
        ("text", json!({"body": "Is my booking confirmed?"})),
        ("text", json!({"body": "please cancel my booking"})),
        ("text", json!({"body": "ok, how much is a cut?"})),
        ("text", json!({"body": ""})),
        ("text", Value::Null),
        ("image", json!({"id": "1", "caption": "Can you do this?"})),
        ("video", json!({"id": "1", "caption": "Service: Cut\nDate: 02/12/2026\nTime: 10:00"})),
    ] {
        let lead = said(&message(kind, &inner));
        assert_eq!(lead["lead"]["identities"][0], phone, "{kind} {inner}: {lead}");
        assert_eq!(lead["lead"]["firstName"], "Orla");
        assert_eq!(lead["lead"]["nameIsProfile"], true);
    }
}

#[test]
fn whoever_shares_their_own_number_is_known_by_it_and_their_id() {
    let card = json!([{"name": {"formatted_name": "Orla"}, "origin": "contact_request",
        "phones": [{"phone": "+353 87 111 2233", "wa_id": "353871112233", "type": "CELL"}]}]);
    let mut message = message("contacts", &card);
    message.as_object_mut().unwrap().remove("from");
    let value = json!({"metadata": {"phone_number_id": "1"}, "messages": [message],
        "contacts": [{"profile": {"name": "Orla"}, "user_id": "IE.70817263554098123021"}]});
    let lead = &read(&delivery("messages", &value))[0]["lead"];
    assert_eq!(
        lead["identities"],
        json!([{"kind": "phone", "value": "+353871112233"},
        {"kind": "whatsapp", "value": "IE.70817263554098123021"}])
    );
}

#[test]
fn a_sender_is_read_by_form_and_not_by_place() {
    let id = json!({"kind": "whatsapp", "value": "IE.871234567"});
    let phone = |number: &str| json!({"kind": "phone", "value": number});
    for (sender, identities) in [
        // An id where a number was: never read as digits.
        (json!({"from": "IE.871234567"}), vec![id.clone()]),
        (json!({"from_user_id": "IE.871234567"}), vec![id.clone()]),
        (
            json!({"from": "353871112233", "from_user_id": "IE.871234567"}),
            vec![phone("+353871112233"), id],
        ),
        (json!({"from": "551187654321"}), vec![phone("+5511987654321")]),
        (json!({"from": "551132654321"}), vec![phone("+551132654321")]),
        (json!({"from": "5215512345678"}), vec![phone("+525512345678")]),
        (json!({"from": "5491123456789"}), vec![phone("+5491123456789")]),
        (json!({"from": "447911123456"}), vec![phone("+447911123456")]),
    ] {
        let mut message = sender.clone();
        message["id"] = json!("wamid.1");
        message["type"] = json!("text");
        message["text"] = json!({"body": "Hi"});
        message["timestamp"] = json!(1_795_434_000);
        let value = json!({"metadata": {"phone_number_id": "1"}, "messages": [message]});
        let read = read(&delivery("messages", &value));
        assert_eq!(read[0]["lead"]["identities"], json!(identities), "{sender}");
    }
}

#[test]
fn contacts_belong_to_messages_by_id_and_not_by_place() {
    let mut first = message("text", &json!({"body": "Hi"}));
    let mut second = first.clone();
    first["from"] = json!("353861110001");
    second["from"] = json!("353861110002");
    for message in [&mut first, &mut second] {
        message.as_object_mut().unwrap().remove("from_user_id");
    }
    let contacts = json!([{"wa_id": "353861110002", "profile": {"name": "Second"}},
        {"wa_id": "353861110001", "profile": {"name": "First"}}, "no contact", {"profile": null}]);
    let value = json!({"metadata": {"phone_number_id": "1"}, "contacts": contacts,
        "messages": [first, second]});
    let read = read(&delivery("messages", &value));
    let names: Vec<&Value> = read.iter().map(|one| &one["lead"]["firstName"]).collect();
    assert_eq!(names, ["First", "Second"]);
}

#[test]
fn a_person_keeps_their_record_in_whatever_form_a_change_is_told() {
    let number = json!([{"identity": {"from": {"kind": "phone", "value": "+353871112233"},
        "to": {"kind": "phone", "value": "+353899876543"}}}]);
    let id = |from: &str, to: &str| {
        json!([{"identity": {"from": {"kind": "whatsapp", "value": from},
        "to": {"kind": "whatsapp", "value": to}}}])
    };
    let from = json!({"from": "353871112233"});
    let sender = json!({"from_user_id": "IE.1"});
    for (sender, system, expected) in [
        (&from, json!({"type": "user_changed_number", "wa_id": "353899876543"}), number.clone()),
        (
            &json!({}),
            json!({"type": "customer_changed_number", "customer": "353871112233",
            "new_wa_id": "353899876543"}),
            number.clone(),
        ),
        (
            &json!({}),
            json!({"type": "customer_changed_number", "customer": "353871112233",
            "wa_id": "353899876543"}),
            number,
        ),
        (
            &json!({}),
            json!({"type": "user_changed_user_id", "previous_user_id": "IE.1",
            "user_id": "IE.2"}),
            id("IE.1", "IE.2"),
        ),
        // Meta's page of June 2026 has the old id in the sentence and beside the message only.
        (&sender, json!({"type": "user_changed_user_id", "user_id": "IE.2"}), id("IE.1", "IE.2")),
        (
            &sender,
            json!({"type": "user_changed_user_id", "user_id": "IE.1"}),
            json!([{"ignored": "system"}]),
        ),
        (
            &from,
            json!({"type": "user_changed_number", "body": "A changed from 1 to 353899876543"}),
            json!([{"ignored": "system"}]),
        ),
    ] {
        let mut message = sender.clone();
        message["id"] = json!("wamid.1");
        message["type"] = json!("system");
        message["system"] = system.clone();
        let value = json!({"metadata": {"phone_number_id": "1"}, "messages": [message]});
        assert_eq!(json!(read(&delivery("messages", &value))), expected, "{system}");
    }
}

#[test]
fn forms_of_other_authors_are_bookings_by_their_fields() {
    let members = ["serviceName", "appointmentDateTime", "firstName", "staffMember", "email"];
    let expect = |answers: &Value, expected: [&str; 5]| {
        let read = form(answers);
        let found = booking(&read, &members);
        let found: Vec<&str> = found.iter().map(|value| value.as_str().unwrap_or("-")).collect();
        assert_eq!(found, expected, "{answers}");
    };
    let start = "2026-12-02T10:30:00Z";
    // Meta's sample, completed without its endpoint: titles where the ids are plain words.
    expect(
        &json!({"department": "beauty", "location": "1", "date": "2026-12-02", "time": "10:30",
        "name": "Orla Daly", "email": "orla@example.ie", "phone": "", "more_details": "none"}),
        ["beauty", start, "Orla", "-", "orla@example.ie"],
    );
    // A clinic's.
    expect(
        &json!({"date": "2026-12-02", "time": "10:30", "professional_id": "7",
        "doctor_name": "Dr Byrne", "specialty_name": "Facial", "patient_name": "Orla Daly",
        "patient_email": "orla@example.ie"}),
        ["Facial", start, "Orla", "Dr Byrne", "orla@example.ie"],
    );
    // With the slot as an instant, by a form without a token.
    expect(
        &json!({"selected_service": "Brows", "selected_date": "2026-12-02",
        "selected_slot": "2026-12-02T10:30:00Z", "customer_name": "Orla Daly", "notes": null}),
        ["Brows", start, "Orla", "-", "-"],
    );
    // With preferred date and time.
    expect(
        &json!({"service_id": "gel-nails", "customer_name": "Orla Daly",
        "preferred_date": "02/12/2026", "preferred_time": "10:30 am", "flow_db_id": 12}),
        ["gel-nails", start, "Orla", "-", "-"],
    );
    // A date picker of old: milliseconds, as text, at midnight by UTC.
    expect(
        &json!({"service": "Brows", "date": "1796169600000", "time": "10:30", "flow_token": "unused"}),
        ["Brows", start, "Orla", "-", "-"],
    );
    // Of Meta's builder.
    expect(
        &json!({"screen_0_Service_0": "0_Gel nails", "screen_0_Date_1": "2026-12-02",
        "screen_1_Time_0": "1_10:30", "screen_1_Name_1": "Orla Daly", "screen_1_Email_2": "orla@example.ie"}),
        ["Gel nails", start, "Orla", "-", "orla@example.ie"],
    );
    // Screens as objects.
    expect(
        &json!({"flow_token": "t", "screen_one": {"service": "Brows"},
        "screen_two": {"date": "2026-12-02", "time": "10:30", "extra": [1, null, {"a": []}]}}),
        ["Brows", start, "Orla", "-", "-"],
    );
}

#[test]
fn a_form_that_does_not_say_what_or_when_is_no_booking() {
    let token = json!({"flow_token": "t"});
    assert_eq!(problems(&form(&token)), ["flow_without_answers"]);
    // What a form with an endpoint of its own sends: it says confirmed, not what.
    let ticket = json!({"event_id": "evt_1", "status": "confirmed", "confirmation_title": "Done"});
    assert_eq!(problems(&form(&ticket)), ["service_missing", "start_missing"]);
    // A doctor at a time, and for what?
    let bare =
        json!({"doctor": "Dr Byrne", "location": "2", "date": "2026-12-02", "time_slot": "10:30"});
    assert_eq!(problems(&form(&bare)), ["service_missing"]);
    let call = json!({"name": "Orla", "email": "orla@example.ie", "company": "x", "date": "2026-12-02",
        "time": "10:30"});
    assert_eq!(problems(&form(&call)), ["service_missing"]);
    let day = json!({"service": "Brows", "date": "2026-12-02"});
    assert_eq!(problems(&form(&day)), ["start_missing"]);
    let prose = json!({"service": "Brows", "date": "sometime next week", "time": "10:30"});
    assert_eq!(problems(&form(&prose)), ["start_unreadable"]);
    for text in ["[]", "", "null", "7", "\"yes\"", "{", "[{\"service\":\"Brows\"}]"] {
        let reply = json!({"name": "flow", "body": "Sent", "response_json": text});
        let inner = json!({"type": "nfm_reply", "nfm_reply": reply});
        assert_eq!(problems(&said(&message("interactive", &inner))), ["flow_unreadable"], "{text}");
    }
    for reply in [json!({"body": "Sent"}), Value::Null, json!({"response_json": 7})] {
        let inner = json!({"type": "nfm_reply", "nfm_reply": reply});
        assert_eq!(problems(&said(&message("interactive", &inner))), ["flow_unreadable"]);
    }
}

#[test]
fn answers_that_are_an_object_already_are_read_as_well() {
    let answers = json!({"service": "Brows", "date": "2026-12-02", "time": "10:30", "price": 22.5});
    let reply = json!({"body": "Sent", "response_json": answers});
    let read = said(&message("interactive", &json!({"type": "nfm_reply", "nfm_reply": reply})));
    assert_eq!(booking(&read, &["serviceName"]), ["Brows"]);
    assert_eq!(read["booking"]["data"]["price"].to_string(), "22.50");
}

#[test]
fn several_services_chosen_in_one_form_are_not_guessed_at() {
    let read = form(&json!({"service": ["Cut", "Colour"], "date": "2026-12-02", "time": "10:30"}));
    assert!(read.get("needsReview").is_some(), "{read}");
    let read = form(&json!({"service": ["Cut"], "date": "2026-12-02", "time": "10:30"}));
    assert_eq!(booking(&read, &["serviceName"]), ["Cut"], "one choice of a list is that one");
}

#[test]
fn a_labelled_text_is_read_however_it_is_decorated() {
    let members =
        ["serviceName", "appointmentDateTime", "firstName", "lastName", "staffMember", "status"];
    for (text, expected) in [
        (
            "✅ *Booking confirmed*\r\n💇 *Service:* Cut & colour\r\n📅 *Date:* 02/12/2026\r\n🕓 *Time:* 4:15 pm\r\n\
          👤 *Name:* Róisín Ní Dhomhnaill\r\n✂️ *Stylist:* Emma",
            [
                "Cut & colour", "2026-12-02T16:15:00Z", "Róisín Ní", "Dhomhnaill", "Emma",
                "confirmed",
            ],
        ),
        (
            "Appointment Confirmation\nName = Orla Daly\nService = Brows\nDate = 2026-12-02\nTime = 16:15",
            ["Brows", "2026-12-02T16:15:00Z", "Orla", "Daly", "-", "confirmed"],
        ),
        (
            "Service： Brows\nDate： 02/12/2026\nTime： 16:15",
            ["Brows", "2026-12-02T16:15:00Z", "Orla", "-", "-", "pending"],
        ),
        // Relative words count from when it was sent, in the salon's zone.
        (
            "Booking confirmed\nService: Brows\nDate: tomorrow\nTime: 4:15 pm",
            ["Brows", "2026-11-24T16:15:00Z", "Orla", "-", "-", "confirmed"],
        ),
    ] {
        let read = said(&message("text", &json!({"body": text})));
        let found = booking(&read, &members);
        let found: Vec<&str> = found.iter().map(|value| value.as_str().unwrap_or("-")).collect();
        assert_eq!(found, expected, "{text}");
    }
    let price = said(&message(
        "text",
        &json!({"body":
        "Booking confirmed\nService: Brows\nDate: 02/12/2026\nTime: 16:15\nPrice: €38,50"}),
    ));
    assert_eq!(price["booking"]["data"]["price"].to_string(), "38.50");
}
