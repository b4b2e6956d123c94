//! Told again, told late, told in another order: the same bookings, and the same answers.

use crate::bad_input::Salon;
use crate::support::app::{Answer, SECRET, TestApp, address};
use crate::support::bodies::{chat, form, text, whatsapp};
use crate::tracking::{call_analyzed, call_ended, workflow};
use bookhook::domain::channel::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};

fn is_repeat(answer: &Answer) -> bool {
    answer.body["duplicate"] == true
}

/// Posts a body with a key of the caller's own and a token.
async fn with_key(app: &TestApp, token: &str, header: &str, key: &str, body: &Value) -> Answer {
    let headers = [("x-api-key", token), (header, key)];
    app.post(&address("n8n", None), &headers, body.to_string().as_bytes()).await
}

/// A tenant's bookings without what differs from one run to another.
async fn plain(app: &TestApp, tenant: uuid::Uuid, noun: &str) -> Vec<Value> {
    let mut rows = app.rows(tenant, noun).await;
    for row in &mut rows {
        let row = row.as_object_mut().unwrap();
        row.retain(|name, _| {
            !matches!(name.as_str(), "id" | "tenantId" | "clientId" | "createdAt" | "updatedAt")
        });
    }
    rows.sort_by_key(ToString::to_string);
    rows
}

both_engines! {
    async fn the_same_call_event_again_is_answered_as_the_first(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let body = call_ended("call_1", "+353871234567").to_string();
        let first = salon.deliver(&app, "retell", body.as_bytes()).await;
        assert_eq!(first.body["outcome"], "tracked");
        assert!(!is_repeat(&first));
        for _ in 0..2 {
            let again = salon.deliver(&app, "retell", body.as_bytes()).await;
            assert!(is_repeat(&again), "{}", again.body);
            assert_eq!(again.without_duplicate(), first);
        }
        assert_eq!(app.rows(salon.tenant, "events").await.len(), 1);
    }

    async fn the_same_call_event_with_other_bytes_is_a_further_event_of_one_booking(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let mut body = call_ended("call_1", "+353871234567");
        let first = salon.deliver(&app, "retell", body.to_string().as_bytes()).await;
        body["call"]["duration_ms"] = json!(58122);
        let second = salon.deliver(&app, "retell", body.to_string().as_bytes()).await;
        assert!(!is_repeat(&second), "{}", second.body);
        assert_ne!(first.body["eventId"], second.body["eventId"]);
        assert_eq!(first.body["bookingId"], second.body["bookingId"]);
        assert_eq!(app.rows(salon.tenant, "events").await.len(), 2);
        assert_eq!(app.rows(salon.tenant, "bookings").await.len(), 1);
    }

    async fn a_message_again_in_another_batch_is_a_repeat(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let filled = || form("1", "wamid.1", "353879999999", "Brows", ("2027-01-14", "15:30"));
        let first = salon.deliver(&app, "whatsapp", &whatsapp(&[filled()])).await;
        let other = text("1", "wamid.2", "353871111111", "Do you do brows?");
        let second = salon.deliver(&app, "whatsapp", &whatsapp(&[other, filled()])).await;
        let results = second.body["results"].as_array().unwrap();
        assert_eq!(results[1]["duplicate"], true, "{}", second.body);
        assert_eq!(results[1]["bookingId"], first.body["results"][0]["bookingId"]);
        assert_eq!(results[0]["duplicate"], Value::Null);
        let twice = text("1", "wamid.3", "353871111111", "Hello?");
        let again = text("1", "wamid.3", "353871111111", "Hello?");
        let third = salon.deliver(&app, "whatsapp", &whatsapp(&[twice, again])).await;
        let repeats = third.body["results"].as_array().unwrap().iter();
        assert_eq!(repeats.filter(|one| one["duplicate"] == true).count(), 1, "{}", third.body);
        assert_eq!(app.rows(salon.tenant, "events").await.len(), 3);
        assert_eq!(db.count("lead_interactions").await, 2);
    }

    async fn the_callers_own_key_makes_a_repeat_and_may_not_be_reused(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let token = app.token(Role::Service, Some(salon.tenant)).await;
        for header in ["webhook-id", "idempotency-key"] {
            let key = format!("key of {header}");
            let body = workflow("0851112222", header, "2026-06-01T10:00:00Z");
            let first = with_key(&app, &token, header, &key, &body).await;
            assert_eq!(first.body["outcome"], "tracked", "{header}: {}", first.body);
            let again = with_key(&app, &token, header, &key, &body).await;
            assert!(is_repeat(&again), "{header}: {}", again.body);
            assert_eq!(again.without_duplicate(), first);
            let other = workflow("0863334444", header, "2026-06-02T10:00:00Z");
            let reused = with_key(&app, &token, header, &key, &other).await;
            assert_eq!(reused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", reused.body);
            assert_eq!(reused.body["code"], "delivery_key_reused");
            assert_eq!(reused.body["eventId"], first.body["eventId"]);
            let fresh = with_key(&app, &token, header, &format!("{key} 2"), &other).await;
            assert_eq!(fresh.body["outcome"], "tracked", "{}", fresh.body);
        }
        assert_eq!(app.rows(salon.tenant, "bookings").await.len(), 4);
    }

    async fn a_signed_post_with_the_same_webhook_id_is_a_repeat(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        for source in ["chat", "n8n"] {
            let path = salon.connection(source);
            let body = match source {
                "chat" => chat("0865550199", "Gel Nails", "2026-05-14T11:30:00"),
                _ => workflow("0851112222", "Cut", "2026-06-01T10:00:00Z"),
            };
            let sent = body.to_string();
            let first = app.deliver_as(source, Some(path), sent.as_bytes(), SECRET, "msg_1").await;
            assert_eq!(first.body["outcome"], "tracked", "{}", first.body);
            let again = app.deliver_as(source, Some(path), sent.as_bytes(), SECRET, "msg_1").await;
            assert!(is_repeat(&again), "{}", again.body);
            assert_eq!(again.without_duplicate(), first);
            let other = format!("{sent} ");
            let reused = app.deliver_as(source, Some(path), other.as_bytes(), SECRET, "msg_1").await;
            assert_eq!(reused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", reused.body);
            assert_eq!(reused.body["code"], "delivery_key_reused");
        }
    }

    async fn a_rejected_event_lets_go_of_its_key(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let token = app.token(Role::Service, Some(salon.tenant)).await;
        let mut body = workflow("12", "Cut", "2026-06-01T10:00:00Z");
        for _ in 0..2 {
            let refused = with_key(&app, &token, "idempotency-key", "order-7", &body).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
            assert_eq!(refused.body["code"], "phone_invalid");
        }
        body["bookingData"]["phone"] = json!("0851112222");
        let corrected = with_key(&app, &token, "idempotency-key", "order-7", &body).await;
        assert_eq!(corrected.body["outcome"], "tracked", "{}", corrected.body);
        assert!(!is_repeat(&corrected));
        let again = with_key(&app, &token, "idempotency-key", "order-7", &body).await;
        assert!(is_repeat(&again), "{}", again.body);
    }

    async fn without_a_key_the_same_body_within_the_hour_is_a_repeat(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let token = app.token(Role::Service, Some(salon.tenant)).await;
        let body = workflow("0851112222", "Cut", "2026-06-01T10:00:00Z");
        let first = app.deliver_with_token("n8n", &token, &body).await;
        assert_eq!(first.body["outcome"], "tracked", "{}", first.body);
        let again = app.deliver_with_token("n8n", &token, &body).await;
        assert!(is_repeat(&again), "{}", again.body);
        assert_eq!(again.without_duplicate(), first);
        let mut other = body.clone();
        other["bookingData"]["notes"] = json!("by the window");
        let other = app.deliver_with_token("n8n", &token, &other).await;
        assert!(!is_repeat(&other), "{}", other.body);
        assert_eq!(other.body["bookingId"], first.body["bookingId"]);
        assert_eq!(app.rows(salon.tenant, "events").await.len(), 2);
        assert_eq!(app.rows(salon.tenant, "bookings").await.len(), 1);
    }

    async fn a_restart_forgets_nothing(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let token = app.token(Role::Service, Some(salon.tenant)).await;
        let call = call_ended("call_1", "+353871234567").to_string();
        let body = workflow("0851112222", "Cut", "2026-06-01T10:00:00Z");
        let voice = salon.deliver(&app, "retell", call.as_bytes()).await;
        let keyed = with_key(&app, &token, "idempotency-key", "k", &body).await;
        app.stop().await.unwrap();

        let app = TestApp::start(&db).await;
        let again = salon.deliver(&app, "retell", call.as_bytes()).await;
        assert!(is_repeat(&again), "{}", again.body);
        assert_eq!(again.without_duplicate(), voice);
        let again = with_key(&app, &token, "idempotency-key", "k", &body).await;
        assert!(is_repeat(&again), "{}", again.body);
        assert_eq!(again.without_duplicate(), keyed);
        assert_eq!(app.rows(salon.tenant, "bookings").await.len(), 2);
    }

    async fn the_analysis_before_the_end_of_the_call_ends_in_the_same_rows(db: TestDb) {
        let app = TestApp::start(&db).await;
        let ended = call_ended("call_1", "+353871234567").to_string();
        let analyzed = call_analyzed("call_1", "+353871234567", "+353865550100").to_string();
        let mut ends = Vec::new();
        for (slug, order) in [("in-order", [&ended, &analyzed]), ("reversed", [&analyzed, &ended])] {
            let tenant = app.tenant(slug).await;
            let path = app.connection("retell", Some(tenant), &[]).await;
            for body in order {
                let answer = app.deliver("retell", Some(&path), body.as_bytes()).await;
                assert_eq!(answer.body["outcome"], "tracked", "{}", answer.body);
            }
            let (clients, bookings) =
                (plain(&app, tenant, "clients").await, plain(&app, tenant, "bookings").await);
            assert_eq!((clients.len(), bookings.len()), (1, 1), "{clients:?} {bookings:?}");
            ends.push((clients, bookings));
        }
        assert_eq!(ends[0], ends[1]);
    }

    async fn a_cancellation_before_its_booking_waits_and_applies_by_itself(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let cancelled = json!({"phorestBookingId": "pb_7", "status": "cancelled",
            "source": "web"});
        let waits = salon.deliver(&app, "n8n", cancelled.to_string().as_bytes()).await;
        assert_eq!(waits.status, StatusCode::OK, "{}", waits.body);
        assert_eq!(waits.body["outcome"], "needs_review");
        assert_eq!(waits.body["reason"], "booking_unknown");
        let mut booked = chat("0865550199", "Gel Nails", "2026-05-14T11:30:00");
        booked["phorestBookingId"] = json!("pb_7");
        // It was booked before it was cancelled, and is told after.
        booked["occurredAt"] = json!("2026-03-09T10:15:00Z");
        let booked = salon.deliver(&app, "chat", booked.to_string().as_bytes()).await;
        assert_eq!(booked.body["outcome"], "tracked", "{}", booked.body);
        let bookings = app.rows(salon.tenant, "bookings").await;
        assert_eq!(bookings.len(), 1);
        assert_eq!(bookings[0]["status"], "cancelled", "{bookings:?}");
        let events = app.rows(salon.tenant, "events").await;
        let waited = events.iter().find(|e| e["id"] == waits.body["eventId"]).unwrap();
        assert_eq!(waited["status"], "tracked", "{waited}");
        assert_eq!(waited["reason"], Value::Null);
    }

    async fn whoever_asked_and_then_books_was_a_lead_and_is_a_client(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        for n in 1..=2 {
            let id = format!("wamid.{n}");
            let asked = whatsapp(&[text("1", &id, "353865550199", "Do you have time on Friday?")]);
            let asked = salon.deliver(&app, "whatsapp", &asked).await;
            assert_eq!(asked.body["results"][0]["reason"], "lead_recorded", "{}", asked.body);
        }
        assert_eq!(db.texts("select status from leads").await, ["new"]);
        let booked = chat("086 555 0199", "Gel Nails", "2026-05-14T11:30:00").to_string();
        let booked = salon.deliver(&app, "chat", booked.as_bytes()).await;
        assert_eq!(booked.body["outcome"], "tracked", "{}", booked.body);
        assert_eq!(db.texts("select status from leads").await, ["converted"]);
        let client = app.rows(salon.tenant, "clients").await.remove(0);
        assert_eq!(client["firstInteractionSource"], "whatsapp", "{client}");
        let asks_again = whatsapp(&[text("1", "wamid.3", "353865550199", "Is there parking?")]);
        salon.deliver(&app, "whatsapp", &asks_again).await;
        assert_eq!(db.count("leads").await, 1, "a client opens none");
    }

    async fn one_key_posted_at_once_with_two_bodies_is_one_booking(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let path = salon.connection("n8n");
        let bodies: Vec<String> = (0..16)
            .map(|n| workflow("0851112222", &format!("Cut {}", n % 2), "2026-06-01T10:00:00Z"))
            .map(|body| body.to_string())
            .collect();
        let posts = bodies.iter().map(|b| app.deliver_as("n8n", Some(path), b.as_bytes(), SECRET, "k"));
        let answers = futures_util::future::join_all(posts).await;
        let tracked = answers.iter().filter(|a| a.status == StatusCode::OK).count();
        let reused = answers.iter().filter(|a| a.body["code"] == "delivery_key_reused").count();
        assert_eq!((tracked, reused), (8, 8), "{answers:#?}");
        assert_eq!(app.rows(salon.tenant, "bookings").await.len(), 1);
    }
}
