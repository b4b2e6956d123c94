//! What is told of a person after the erasure: nothing of it brings them back.

use crate::support::app::{Answer, TestApp};
use crate::support::db::{Engine, TestDb};
use crate::support::people::Desk;
use crate::support::rows::lines_with;
use crate::tracking::{call_analyzed, call_ended};
use reqwest::Method;
use serde_json::{Value, json};

/// What a workflow tells of the booking with this reference.
fn workflow(phone: &str, reference: &str) -> Value {
    json!({"bookingData": {
        "phone": phone, "firstName": "Ysolde", "serviceName": "Cut", "source": "voice",
        "dateTime": "2027-05-04T12:00:00Z", "phorestBookingId": reference,
    }})
}

both_engines! {
    async fn later_events_of_an_erased_call_are_ignored(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        let line = app.connection("retell", Some(desk.tenant), &[]).await;
        let said = |body: &Value| body.to_string().into_bytes();
        let ended = call_ended("call_1", "+353871234567");
        let first = app.deliver("retell", Some(&line), &said(&ended)).await;
        assert_eq!(first.body["outcome"], "tracked", "{}", first.body);
        // Nothing was booked in this one, and its events are the person's as well.
        let mut idle = call_ended("call_2", "+353871234567");
        idle["call"].as_object_mut().unwrap().retain(|name, _| !name.starts_with("transcript"));
        let idled = app.deliver("retell", Some(&line), &said(&idle)).await;
        assert_eq!(idled.body["outcome"], "ignored", "{}", idled.body);
        let id = first.text("clientId").to_owned();
        let stats = desk.get("clients/stats").await.body;
        assert_eq!(desk.delete(&format!("clients/{id}")).await.status, 204);

        let mut another = ended.clone();
        another["call"]["disconnection_reason"] = json!("agent_hangup_after_all");
        let analyzed = call_analyzed("call_1", "+353871234567", "0871234567");
        let of_idle = call_analyzed("call_2", "+353871234567", "0871234567");
        for body in [another, analyzed, of_idle] {
            let late = app.deliver("retell", Some(&line), &said(&body)).await;
            assert_eq!(late.status, 200);
            let told = (late.text("outcome"), late.text("reason"), late.text("clientId"));
            assert_eq!(told, ("ignored", "erased", ""), "{}", late.body);
            let again = app.deliver("retell", Some(&line), &said(&body)).await;
            assert_eq!(again.body["duplicate"], true, "{}", again.body);
            assert_eq!(again.without_duplicate(), late.clone().without_duplicate());
            let event = desk.get(&format!("events/{}", late.text("eventId"))).await;
            assert_eq!((event.status.as_u16(), event.text("raw")), (200, ""));
            // Reading it again brings nothing back either.
            desk.post(&format!("events/{}/replay", late.text("eventId")), &json!({})).await;
        }
        assert!(lines_with(&db.dump().await, "871234567").is_empty());
        assert_eq!(desk.get("clients/phone:0871234567").await.status, 404);
        let counted = desk.get("clients/stats").await.body;
        assert_eq!(counted["totalClients"], stats["totalClients"]);
        assert_eq!(db.count("bookings").await, 1);

        // Whoever calls anew is somebody new; another tenant's call of that name is another.
        let anew = call_ended("call_3", "+353871234567");
        let anew = app.deliver("retell", Some(&line), &said(&anew)).await;
        assert_eq!(anew.body["isNewClient"], true, "{}", anew.body);
        assert_ne!(anew.text("clientId"), id);
        let other = Desk::open(&app, "other").await;
        let line = app.connection("retell", Some(other.tenant), &[]).await;
        let theirs = app.deliver("retell", Some(&line), &said(&ended)).await;
        assert_eq!(theirs.body["outcome"], "tracked", "{}", theirs.body);
    }

    async fn what_names_an_erased_bookings_reference_is_ignored(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        let first = desk.deliver(&workflow("0871234567", "QR-77"), "msg_1").await;
        let other = desk.deliver(&workflow("0861110000", "QR-78"), "msg_2").await;
        let id = first.text("clientId");
        assert_eq!(desk.delete(&format!("clients/{id}")).await.status, 204);
        let mut cancelled = workflow("0871234567", "QR-77");
        cancelled["bookingData"]["status"] = json!("cancelled");
        let bare = json!({"bookingData": {"phorestBookingId": "QR-77", "status": "cancelled",
            "source": "voice"}});
        let told = workflow("0871234567", "QR-77");
        for (number, body) in [told, cancelled, bare].iter().enumerate() {
            let late = desk.deliver(body, &format!("late_{number}")).await;
            let told = (late.text("outcome"), late.text("reason"));
            assert_eq!(told, ("ignored", "erased"), "{}", late.body);
        }
        assert!(lines_with(&db.dump().await, "871234567").is_empty());
        assert!(lines_with(&db.dump().await, "QR-77").is_empty());
        // Others' bookings go on, also with a reference that is not theirs yet.
        let mut cancelled = workflow("0861110000", "QR-78");
        cancelled["bookingData"]["status"] = json!("cancelled");
        let done = desk.deliver(&cancelled, "msg_3").await;
        assert_eq!(done.body["bookingId"], other.body["bookingId"], "{}", done.body);
        let anew = desk.deliver(&workflow("0871234567", "QR-79"), "msg_4").await;
        assert_eq!(anew.body["isNewClient"], true, "{}", anew.body);
    }

    async fn kept_answers_that_name_only_what_was_deleted_go_too(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        let post = async |noun: &str, key: &str, body: &Value| {
            let request = app.request(Method::POST, &desk.path(noun), &desk.token);
            let request = request.header("content-type", "application/json");
            let sent = request.header("idempotency-key", key).body(body.to_string()).send().await;
            let answer = sent.unwrap();
            let status = answer.status().as_u16();
            let body = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
            Answer { status: status.try_into().unwrap(), body }
        };
        let lead = json!({"phone": "0876780055", "firstName": "Wilhelmina", "source": "voice"});
        let lead = post("leads", "key-0", &lead).await;
        assert_eq!(lead.status, 201, "{}", lead.body);
        let talk = json!({"kind": "call", "note": "Spoke to Wilhelmina Snark"});
        let interactions = format!("leads/{}/interactions", lead.text("id"));
        assert_eq!(post(&interactions, "key-1", &talk).await.status, 201);
        let converted = post(&format!("leads/{}/convert", lead.text("id")), "key-2", &json!({})).await;
        assert!(converted.status.is_success(), "{}", converted.body);
        let client = desk.get("clients/phone:0876780055").await;
        let mappings = format!("clients/{}/mappings", client.text("id"));
        let account = json!({"serviceProvider": "phorest", "externalClientId": "SNARK-1"});
        assert_eq!(post(&mappings, "key-3", &account).await.status, 201);

        let erased = desk.delete(&format!("clients/{}", client.text("id"))).await;
        assert_eq!(erased.status, 204, "{}", erased.body);
        for (noun, key, body) in [(&interactions, "key-1", &talk), (&mappings, "key-3", &account)] {
            let again = post(noun, key, body).await;
            assert_eq!((again.status.as_u16(), again.text("code")), (409, "client_erased"));
        }
        let left = db.dump().await;
        for trace in ["wilhelmina", "SNARK"] {
            assert!(lines_with(&left, trace).is_empty(), "{:?}", lines_with(&left, trace));
        }
    }

    async fn an_erased_persons_booking_can_still_be_called_off(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        let mut told = workflow("0871234567", "QR-77");
        told["bookingData"]["amount"] = json!(40);
        let told = desk.deliver(&told, "msg_1").await;
        let (client, booking) = (told.text("clientId"), told.text("bookingId"));
        assert_eq!(desk.delete(&format!("clients/{client}")).await.status, 204);
        let path = format!("bookings/{booking}");
        let version = desk.get(&path).await.body["version"].clone();
        let refused = desk.patch(&path, &json!({"status": "cancelled", "notes": "Ysolde"})).await;
        assert_eq!((refused.status.as_u16(), refused.text("code")), (409, "client_erased"));
        let paid = desk.patch(&path, &json!({"paymentStatus": "paid"})).await;
        assert_eq!((paid.status.as_u16(), paid.text("paymentStatus")), (200, "paid"));
        let done = desk.patch(&path, &json!({"status": "cancelled"})).await;
        assert_eq!((done.status.as_u16(), done.text("status")), (200, "cancelled"), "{}", done.body);
        assert_eq!(desk.patch(&path, &json!({"status": "cancelled"})).await.status, 200);
        let refused = desk.patch(&path, &json!({"status": "completed"})).await;
        assert_eq!(refused.text("code"), "transition_forbidden", "{}", refused.body);
        assert_eq!(db.count("clients where bookings_count = 0 and spent_minor = 0").await, 1);
        assert_eq!(db.count("audit_log where action = 'booking.updated'").await, 2);
        assert!(version.is_null() || version != done.body["version"]);
        assert!(lines_with(&db.dump().await, "Ysolde").is_empty());
    }

    async fn an_account_is_the_same_however_it_is_written(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        let id = desk.client(&json!({"phone": "0871234567"})).await;
        let mappings = format!("clients/{id}/mappings");
        let account = |provider: &str, more: &Value| {
            let mut body = json!({"serviceProvider": provider, "externalClientId": "EX9"});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        let made = desk.post(&mappings, &account("Phorest_API", &json!({"businessId": "b1"}))).await;
        assert_eq!((made.status.as_u16(), made.text("serviceProvider")), (201, "phorest"));
        let branch = json!({"businessId": "b1", "branchId": "br1"});
        let filled = desk.post(&mappings, &account("phorest", &branch)).await;
        assert_eq!((filled.status.as_u16(), filled.text("branchId")), (201, "br1"), "{}", filled.body);
        assert_eq!(filled.body["id"], made.body["id"]);
        for again in [branch, json!({"branchId": "br2"}), json!({})] {
            let refused = desk.post(&mappings, &account("phorest", &again)).await;
            assert_eq!((refused.status.as_u16(), refused.text("code")), (409, "mapping_exists"));
        }
        for name in ["phorest", "Phorest", "phorest_api"] {
            let found = desk.get(&format!("clients/ext:{name}:EX9")).await;
            assert_eq!(found.status, 200, "{name}: {}", found.body);
        }
        let refused = desk.post(&mappings, &account("a:b", &json!({}))).await;
        assert_eq!((refused.status.as_u16(), refused.text("code")), (422, "text_invalid"));
    }

    async fn the_platforms_inbox_is_looked_through_as_well(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        let platform = app.connection("retell", None, &[]).await;
        for (call, phone) in [("call_1", "+353876780001"), ("call_2", "+353876780002")] {
            let body = call_ended(call, phone).to_string();
            let kept = app.deliver("retell", Some(&platform), body.as_bytes()).await;
            assert_eq!(kept.text("reason"), "tenant_unknown", "{}", kept.body);
        }
        let client = json!({"phone": "087 678 0001", "firstName": "Ysolde"});
        let id = desk.client(&client).await;
        assert_eq!(desk.delete(&format!("clients/{id}")).await.status, 204);
        let left = db.dump().await;
        assert!(lines_with(&left, "876780001").is_empty());
        assert!(!lines_with(&left, "876780002").is_empty(), "others stay");
        assert_eq!(db.count("platform_inbox where reason = 'erased'").await, 1);
        let again = call_ended("call_1", "+353876780001").to_string();
        let again = app.deliver("retell", Some(&platform), again.as_bytes()).await;
        assert_eq!(again.body["duplicate"], true, "{}", again.body);
    }

    async fn a_person_is_found_in_what_json_escapes(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        let line = app.connection("retell", Some(desk.tenant), &[]).await;
        let said = [
            r"mail ottoline\u0040gruff.example", r"call 087\u00a0678\u00a00066",
            "call 087_678_0066", "call 087,678,0066",
        ];
        for (number, words) in said.iter().enumerate() {
            let body = format!(
                r#"{{"event":"call_ended","call":{{"call_id":"c{number}","from_number":"anonymous",
                "transcript":"Ottoline: {words}"}}}}"#
            );
            let kept = app.deliver("retell", Some(&line), body.as_bytes()).await;
            assert_eq!(kept.text("outcome"), "ignored", "{}", kept.body);
        }
        let client = json!({"phone": "0876780066", "email": "ottoline@gruff.example"});
        let id = desk.client(&client).await;
        assert_eq!(desk.delete(&format!("clients/{id}")).await.status, 204);
        assert!(lines_with(&db.dump().await, "Ottoline").is_empty());
    }
}

#[actix_web::test]
async fn an_erased_persons_words_are_gone_from_the_file() {
    let db = TestDb::fresh(Engine::Sqlite).await;
    let app = TestApp::start(&db).await;
    let desk = Desk::open(&app, "salon").await;
    // Long enough to fill pages of its own, short enough to share one.
    for (number, length) in [1, 40, 400, 4000, 20_000].into_iter().enumerate() {
        let mut told = workflow("0871234567", &format!("B-{number}"));
        told["bookingData"]["notes"] =
            json!(format!("Ysolde Bramblewick {}", "x".repeat(length.min(4900))));
        told["bookingData"]["dateTime"] = json!(format!("2027-05-0{}T12:00:00Z", number + 1));
        told["meta"] = json!(format!("Bramblewick {}", "y".repeat(length)));
        let told = desk.deliver(&told, &format!("msg_{number}")).await;
        assert_eq!(told.body["outcome"], "tracked", "{}", told.body);
        let other = workflow(&format!("086111000{number}"), &format!("C-{number}"));
        desk.deliver(&other, &format!("other_{number}")).await;
    }
    let path = db.url.strip_prefix("sqlite://").unwrap();
    let stands = |word: &str| {
        let log = std::fs::read(format!("{path}-wal")).unwrap_or_default();
        let bytes = [std::fs::read(path).unwrap(), log].concat();
        bytes.windows(word.len()).any(|window| window == word.as_bytes())
    };
    assert!(stands("Bramblewick"));
    let id = desk.get("clients/phone:0871234567").await.text("id").to_owned();
    assert_eq!(desk.delete(&format!("clients/{id}")).await.status, 204);
    for word in ["Bramblewick", "bramblewick", "871234567"] {
        assert!(!stands(word), "{word} stands in the file");
    }
    assert!(stands("861110000"), "others stay");
}
