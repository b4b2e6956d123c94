//! Values that are none, in bodies that are good JSON: refused by name and place, alike on both
//! engines, and never in the way of the next delivery.

use crate::bad_input::{Salon, goes_on};
use crate::support::app::TestApp;
use crate::support::bodies::{chat, text, whatsapp};
use crate::tracking::{call_analyzed, call_ended, workflow};
use reqwest::StatusCode;
use serde_json::json;

/// A chat body as text, with one member replaced by this text.
fn with(member: &str, value: &str) -> String {
    let body = chat("0865550199", "Gel Nails", "2026-05-14T11:30:00");
    let mut members: Vec<String> = Vec::new();
    for (key, old) in body.as_object().unwrap() {
        if key != member {
            members.push(format!("{}:{old}", json!(key)));
        }
    }
    members.push(format!("{}:{value}", json!(member)));
    format!("{{{}}}", members.join(","))
}

/// Values that are refused: the member, its text, the code.
const REFUSED: &[(&str, &str, &str)] = &[
    ("price", "1e400", "amount_unreadable"),
    ("price", "1e30", "amount_unreadable"),
    ("price", "99999999999999999999", "amount_unreadable"),
    ("price", "-0.01", "amount_negative"),
    ("price", "-5", "amount_negative"),
    ("price", "75.005", "amount_too_precise"),
    ("price", "\"seventy five\"", "amount_unreadable"),
    ("price", "{\"amount\":75}", "amount_unreadable"),
    ("price", "[70, 75]", "amount_unreadable"),
    ("currency", "\"BANANA\"", "currency_unknown"),
    ("currency", "7", "currency_unknown"),
    ("dateTime", "\"0000-01-01T00:00:00Z\"", "start_out_of_range"),
    ("dateTime", "\"9999-12-31T23:59:59Z\"", "start_out_of_range"),
    ("dateTime", "\"10000-01-01T00:00:00Z\"", "start_unreadable"),
    ("dateTime", "\"-2026-05-14T11:30:00Z\"", "start_unreadable"),
    ("dateTime", "\"2026-02-30T11:30:00\"", "start_unreadable"),
    ("dateTime", "\"2026-05-14T25:30:00\"", "start_unreadable"),
    ("dateTime", "\"2026-05-14\"", "start_missing"),
    ("dateTime", "1e400", "start_unreadable"),
    ("dateTime", "-1", "start_unreadable"),
    ("dateTime", "99999999999999999999", "start_unreadable"),
    ("dateTime", "9223372036854775807", "start_unreadable"),
    ("dateTime", "\"tomorrow 3pm\"", "start_unreadable"),
    // This hour does not exist in Dublin, and this one comes twice.
    ("dateTime", "\"2026-03-29T01:30:00\"", "start_in_dst_gap"),
    ("dateTime", "\"2026-10-25T01:30:00\"", "start_in_dst_overlap"),
    ("duration", "-60", "duration_unreadable"),
    ("duration", "1e400", "duration_unreadable"),
    ("duration", "4294967296", "duration_unreadable"),
    ("phone", "\"Not a phone\"", "phone_invalid"),
    ("phone", "1e400", "phone_invalid"),
    ("phone", "\"+3538712345678901234567890\"", "phone_invalid"),
    ("phone", "{\"a\":1}", "phone_invalid"),
    ("email", "\"a@b@c\"", "email_invalid"),
    ("source", "\"fax\"", "source_unknown"),
    ("status", "\"banana\"", "status_unknown"),
    ("occurredAt", "\"yesterday\"", "occurred_at_unreadable"),
    ("occurredAt", "1e400", "occurred_at_unreadable"),
];

both_engines! {
    async fn a_value_that_is_none_is_refused_by_its_place_in_the_callers_body(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let mut wrong = Vec::new();
        for (member, value, code) in REFUSED {
            let answer = salon.deliver(&app, "chat", with(member, value).as_bytes()).await;
            let found = answer.body["errors"].as_array().cloned().unwrap_or_default();
            let named = found.iter().any(|e| e["pointer"] == format!("/{member}").as_str());
            if answer.status != StatusCode::UNPROCESSABLE_ENTITY || !named {
                wrong.push(format!("{member} {value}: {} {}", answer.status, answer.body));
            } else if found[0]["code"] != *code {
                wrong.push(format!("{member} {value} {code}: {}", found[0]["code"]));
            }
            assert!(answer.body["eventId"].is_string(), "{member} {value}: {}", answer.body);
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert_eq!(db.count("clients").await, 0);
        let rejected = "webhook_events where status = 'rejected' and delivery_key_hash is null";
        assert_eq!(db.count(rejected).await, i64::try_from(REFUSED.len()).unwrap());
        goes_on(&app, &salon).await;
    }

    async fn pointers_name_the_callers_own_nesting(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let mut body = workflow("12", "", "tomorrow");
        body["bookingData"]["a/b~c"] = json!(1);
        let answer = salon.deliver(&app, "n8n", body.to_string().as_bytes()).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        let errors = answer.body["errors"].as_array().unwrap();
        let pointers: Vec<&str> = errors.iter().map(|e| e["pointer"].as_str().unwrap()).collect();
        for pointer in ["/bookingData/phone", "/bookingData/dateTime", "/bookingData/service"] {
            assert!(pointers.contains(&pointer), "{pointer}: {}", answer.body);
        }
        let wrapped = json!({"body": body}).to_string();
        let answer = salon.deliver(&app, "n8n", wrapped.as_bytes()).await;
        assert_eq!(answer.body["errors"][0]["pointer"], "/body/bookingData/phone", "{}", answer.body);
    }

    async fn a_nul_is_dropped_and_the_rest_is_stored_alike(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let mut body = chat("086\u{0}5550199", "Gel\u{0} Nails", "2026-05-14T11:30:00");
        body["name"] = json!("\u{0}Ciara Byr\u{0}ne");
        body["notes"] = json!("a\u{0}b");
        body["externalBookingId"] = json!("PH\u{0}-1");
        body["externalClientId"] = json!("\u{0}c-1");
        body["occurredAt"] = json!("2026-03-09T10:15:00Z\u{0}");
        let answer = salon.deliver(&app, "chat", body.to_string().as_bytes()).await;
        assert_eq!(answer.body["outcome"], "tracked", "{}", answer.body);
        let client = app.read(salon.tenant, &format!("clients/{}", answer.text("clientId"))).await;
        assert_eq!(client["phone"], "+353865550199");
        assert_eq!(client["firstName"], "Ciara");
        assert_eq!(client["lastName"], "Byrne");
        assert_eq!(client["bookings"][0]["serviceName"], "Gel Nails");
        assert_eq!(client["bookings"][0]["notes"], "ab");
        assert_eq!(client["bookings"][0]["externalBookingId"], "PH-1");
        assert_eq!(client["mappings"][0]["externalClientId"], "c-1");
    }

    async fn a_nul_in_ids_and_hidden_in_json_within_json_is_dropped_too(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let mut call = call_ended("call\u{0}_1", "+353871234567");
        call["call"]["agent_id"] = json!("agent\u{0}");
        call["event"] = json!("call_ended\u{0}");
        let tool = json!({"customer_name": "Niamh\u{0} O'Brien", "service": "Cut\u{0}",
            "date_time": "2026-04-02T15:00:00"});
        call["call"]["transcript_with_tool_calls"][0]["arguments"] = json!(tool.to_string());
        let answer = salon.deliver(&app, "retell", call.to_string().as_bytes()).await;
        assert_eq!(answer.body["outcome"], "tracked", "{}", answer.body);
        let said = text("1\u{0}", "wamid\u{0}.1", "353879999999", "Hello\u{0}");
        let answer = salon.deliver(&app, "whatsapp", &whatsapp(&[said])).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        // serde_json's own name for a piece of text that is JSON itself.
        let hidden = r#"{"$serde_json::private::RawValue":"{\"phone\":\"0865550199\",\"service\":\"\u005cu0000Cut\",\"dateTime\":\"2026-05-14T11:30:00\"}"}"#;
        let answer = salon.deliver(&app, "chat", hidden.as_bytes()).await;
        assert!(answer.status.as_u16() < 500, "{}", answer.body);
        let number = with("price", r#"{"$serde_json::private::Number":"75.00 or so"}"#);
        let answer = salon.deliver(&app, "chat", number.as_bytes()).await;
        assert!(answer.status.as_u16() < 500, "{}", answer.body);
        assert_eq!(db.count("webhook_events where status = 'failed'").await, 0);
        goes_on(&app, &salon).await;
    }

    async fn half_of_a_surrogate_pair_costs_no_booking(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let call = call_ended("call_1", "+353871234567").to_string();
        let spoken = call.replacen("\"call_id\"", "\"transcript\":\"a smile \\ud83d\",\"call_id\"", 1);
        let answer = salon.deliver(&app, "retell", spoken.as_bytes()).await;
        assert_eq!(answer.body["outcome"], "tracked", "{}", answer.body);
        let analyzed = call_analyzed("call_2", "+353871234567", "+353871234567").to_string();
        let noted = analyzed.replacen("\"Ciara Byrne\"", "\"Ciara \\ud83d\"", 1);
        let noted = noted.replacen("transcript_with_tool_calls", "other_transcript", 1);
        let answer = salon.deliver(&app, "retell", noted.as_bytes()).await;
        assert_eq!(answer.body["outcome"], "tracked", "{}", answer.body);
        let answer = salon.deliver(&app, "chat", with("name", "\"\\udead\"").as_bytes()).await;
        assert_eq!(answer.body["outcome"], "tracked", "{}", answer.body);
    }

    async fn of_a_repeated_key_the_last_counts(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let good = with("service", "\"Brows\",\"phone\":\"12\",\"phone\":\"0865550199\"");
        let answer = salon.deliver(&app, "chat", good.as_bytes()).await;
        assert_eq!(answer.body["outcome"], "tracked", "{}", answer.body);
        let call = call_ended("call_1", "+353871234567").to_string();
        let before = |first: &str| call.replacen("{\"call\"", &format!("{{{first},\"call\""), 1);
        let twice = before("\"event\":\"call_started\",\"call\":{\"call_id\":\"call_0\"}");
        let answer = salon.deliver(&app, "retell", twice.as_bytes()).await;
        assert_eq!(answer.body["outcome"], "tracked", "{}", answer.body);
        // Whatever form the first had; the bytes are kept as they came.
        let torn = before("\"call\":7");
        let answer = salon.deliver(&app, "retell", torn.as_bytes()).await;
        assert_eq!(answer.body["outcome"], "tracked", "{}", answer.body);
        assert_eq!(db.raw_events().await.last().unwrap(), torn.as_bytes());
    }

    async fn unknown_fields_hurt_nothing(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let mut body = chat("0865550199", "Gel Nails", "2026-05-14T11:30:00");
        for n in 0..10_000 {
            body[format!("field_{n}")] = json!([n, {"a": null}]);
        }
        let answer = salon.deliver(&app, "chat", body.to_string().as_bytes()).await;
        assert_eq!(answer.body["outcome"], "tracked", "{}", answer.body);
        let mut call = call_ended("call_1", "+353871234567");
        for n in 0..10_000 {
            call["call"][format!("field_{n}")] = json!({"n": n});
        }
        let answer = salon.deliver(&app, "retell", call.to_string().as_bytes()).await;
        assert_eq!(answer.body["outcome"], "tracked", "{}", answer.body);
    }

    async fn an_enormous_text_is_refused_by_name_or_harmless(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let long = noise(200_000);
        for member in ["phone", "name", "service", "dateTime", "price", "currency", "email",
            "duration", "staffMember", "source", "externalBookingId", "externalClientId",
            "serviceProvider", "category", "notes"] {
            let body = with(member, &json!(long).to_string());
            let answer = salon.deliver(&app, "chat", body.as_bytes()).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{member}");
            let pointer = &answer.body["errors"][0]["pointer"];
            assert_eq!(*pointer, json!(format!("/{member}")), "{}", answer.body);
            let size = answer.body.to_string().len();
            assert!(size < 5_000, "{member}: the answer has {size} bytes");
        }
        assert_eq!(db.count("clients").await, 0);
        goes_on(&app, &salon).await;
    }

    async fn an_enormous_id_of_a_provider_harms_nothing(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let long = noise(20_000);
        let mut call = call_ended("call_1", "+353871234567");
        call["call"]["call_id"] = json!(long);
        let answer = salon.deliver(&app, "retell", call.to_string().as_bytes()).await;
        assert_eq!(answer.body["outcome"], "tracked", "call id: {}", answer.body);
        call["call"]["call_id"] = json!("call_2");
        for entry in 0..2 {
            call["call"]["transcript_with_tool_calls"][entry]["tool_call_id"] = json!(long);
        }
        let answer = salon.deliver(&app, "retell", call.to_string().as_bytes()).await;
        assert_eq!(answer.status, StatusCode::OK, "tool call id: {}", answer.body);
        call["call"]["agent_id"] = json!(long);
        call["event"] = json!(long);
        let answer = salon.deliver(&app, "retell", call.to_string().as_bytes()).await;
        assert_eq!(answer.status, StatusCode::OK, "agent id, event: {}", answer.body);
        let said = crate::support::bodies::form(
            "1", &long, "353879999999", "Brows", ("2027-01-14", "15:30"));
        let answer = salon.deliver(&app, "whatsapp", &whatsapp(&[said])).await;
        assert_eq!(answer.body["results"][0]["outcome"], "tracked", "wamid: {}", answer.body);
        assert_eq!(db.count("webhook_events where status = 'failed'").await, 0);
    }

    async fn a_retell_event_of_any_time_is_taken(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let times = ["-1", "0", "1e400", "1e18", "9223372036854775807", "99999999999999999999",
            "-9223372036854775808", "\"soon\"", "null", "253402300800000", "32503680000000"];
        for (n, time) in times.iter().enumerate() {
            let call = call_ended(&format!("call_{n}"), "+353871234567").to_string();
            let call = call.replacen("1773051302417", time, 1);
            assert!(call.contains(time));
            let answer = salon.deliver(&app, "retell", call.as_bytes()).await;
            assert_eq!(answer.status, StatusCode::OK, "{time}: {}", answer.body);
            assert_eq!(answer.body["outcome"], "tracked", "{time}: {}", answer.body);
        }
        let events = app.rows(salon.tenant, "events").await;
        assert_eq!(events.len(), times.len());
        let mut body = String::from_utf8(whatsapp(&[text("1", "wamid.1", "353879999999", "Hi")]))
            .unwrap();
        for (n, time) in times.iter().enumerate() {
            body = body.replacen(&format!("wamid.{}", n + 1), &format!("wamid.{}", n + 2), 1);
            let sent = body.replacen("\"1773051302\"", time, 1);
            let answer = salon.deliver(&app, "whatsapp", sent.as_bytes()).await;
            let one = &answer.body["results"][0];
            assert_eq!(one["outcome"], "ignored", "{time}: {}", answer.body);
        }
        goes_on(&app, &salon).await;
    }
}

/// Text that no compression makes short.
fn noise(length: usize) -> String {
    let text = bookhook::domain::ids::random_text(length).unwrap();
    assert_eq!(text.len(), length);
    text
}

/// JSON in JSON in JSON, each text behind the name under which `serde_json` passes raw JSON on to
/// itself: as deep as a parser that believes the name would go.
fn smuggled(limit: usize) -> Vec<u8> {
    let mut body = "{}".to_owned();
    loop {
        let arrays = 120;
        let text = json!(body).to_string();
        let next = format!(
            "{}{{\"$serde_json::private::RawValue\":{text}}}{}",
            "[".repeat(arrays),
            "]".repeat(arrays)
        );
        if next.len() + 20 > limit {
            return format!("{{\"a\":{{\"$serde_json::private::RawValue\":{}}}}}", json!(body))
                .into_bytes();
        }
        body = next;
    }
}

both_engines! {
    async fn json_smuggled_into_json_does_not_exhaust_the_stack(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let body = smuggled(400_000);
        let headers = [("webhook-signature", "v1,AAAA")];
        let answer = app.post("/n8n/booking-created", &headers, &body).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.body);
        goes_on(&app, &salon).await;
    }
}
