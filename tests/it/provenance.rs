//! What was delivered, and which of it every field of a booking and a client comes from.

use crate::support::app::TestApp;
use crate::tracking::{call_analyzed, call_ended, salon, workflow};
use bookhook::domain::channel::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

/// The sighting that an event is of.
fn of<'a>(booking: &'a Value, event: &Value) -> &'a Value {
    let sightings = booking["sightings"].as_array().unwrap();
    let found = sightings.iter().find(|s| s["eventId"] == *event);
    found.unwrap_or_else(|| panic!("{event}: {booking:#}"))
}

fn fields(sighting: &Value) -> Vec<&str> {
    sighting["fields"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect()
}

both_engines! {
    async fn a_booking_shows_which_event_told_what_of_it(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = salon(&app).await;
        let n8n = app.connection("n8n", Some(tenant), &[]).await;
        let phone = "+353871234567";
        let mut told = workflow(phone, "Deep Tissue Massage", "2026-04-02T15:00:00");
        told["bookingData"]["staffMember"] = json!("Aoife Kelly");
        told["bookingData"]["email"] = json!("aine@example.ie");
        let third = app.deliver("n8n", Some(&n8n), told.to_string().as_bytes()).await;
        let analyzed = call_analyzed("call_1", phone, "086 555 0199").to_string();
        let second = app.deliver("retell", None, analyzed.as_bytes()).await;
        let ended = call_ended("call_1", phone).to_string();
        let first = app.deliver("retell", None, ended.as_bytes()).await;
        for answer in [&first, &second, &third] {
            assert_eq!(answer.body["outcome"], "tracked", "{}", answer.body);
        }

        let booking = app.read(tenant, &format!("bookings/{}", first.text("bookingId"))).await;
        assert_eq!(booking["serviceName"], "Deep Tissue Massage");
        let by_call = of(&booking, &first.body["eventId"]);
        assert_eq!((&by_call["source"], &by_call["kind"]), (&json!("retell"), &json!("call_ended")));
        assert_eq!(by_call["told"], "booking");
        assert_eq!(by_call["occurredAt"], "2026-03-09T10:15:02.417Z");
        for field in ["bookingDate", "serviceName", "duration", "status", "externalBookingId"] {
            assert!(fields(by_call).contains(&field), "{field}: {booking:#}");
        }
        let all: Vec<&str> = booking["sightings"].as_array().unwrap().iter().flat_map(fields).collect();
        let mut once = all.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), all.len(), "a field comes from one telling: {booking:#}");
        for field in once {
            assert!(!booking[field].is_null(), "{field} is a field of the booking: {booking:#}");
        }
    }

    async fn a_client_shows_which_event_told_each_field(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = salon(&app).await;
        let n8n = app.connection("n8n", Some(tenant), &[]).await;
        let phone = "+353871234567";
        let ended = call_ended("call_1", phone).to_string();
        let call = app.deliver("retell", None, ended.as_bytes()).await;
        let mut told = workflow(phone, "Facial", "2026-05-02T15:00:00");
        told["bookingData"]["email"] = json!("niamh@example.ie");
        let flow = app.deliver("n8n", Some(&n8n), told.to_string().as_bytes()).await;
        let client = app.read(tenant, &format!("clients/{}", call.text("clientId"))).await;
        assert_eq!(client["firstName"], "Niamh");
        let told_by = |field: &str| &client["toldBy"][field];
        for field in ["firstName", "lastName", "firstInteractionDate", "firstInteractionSource"] {
            assert_eq!(*told_by(field), call.body["eventId"], "{field}: {client:#}");
        }
        assert_eq!(*told_by("email"), flow.body["eventId"]);
    }

    async fn a_booking_is_found_by_every_id_it_was_answered_under(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = salon(&app).await;
        let n8n = app.connection("n8n", Some(tenant), &[]).await;
        // Told in this order by their own clock: within one second their keys would decide.
        let post = async |second: u8, mut told: Value| {
            told["occurredAt"] = json!(format!("2026-03-01T09:00:{second:02}Z"));
            let answer = app.deliver("n8n", Some(&n8n), told.to_string().as_bytes()).await;
            assert_eq!(answer.body["outcome"], "tracked", "{}", answer.body);
            answer
        };
        let phone = "+353871234567";
        let mut labelled = workflow(phone, "Cut", "2026-06-02T10:00:00Z");
        labelled["bookingData"]["phorestBookingId"] = json!("PH-1");
        let one = post(1, labelled.clone()).await;
        let other = post(2, workflow(phone, "Cut", "2026-06-02T11:00:00Z")).await;
        assert_ne!(one.body["bookingId"], other.body["bookingId"]);
        labelled["bookingData"]["dateTime"] = json!("2026-06-02T11:00:00Z");
        labelled["bookingData"]["status"] = json!("rescheduled");
        let moved = post(3, labelled).await;
        assert_eq!(app.rows(tenant, "bookings").await.len(), 1);
        for answer in [&one, &other, &moved] {
            let booking = app.read(tenant, &format!("bookings/{}", answer.text("bookingId"))).await;
            assert_eq!(booking["externalBookingId"], "PH-1");
            assert_eq!(booking["sightings"].as_array().unwrap().len(), 3, "{booking:#}");
            let sighting = of(&booking, &moved.body["eventId"]);
            assert_eq!(sighting["told"], "reschedule");
        }
        let event = app.read(tenant, &format!("events/{}", other.text("eventId"))).await;
        assert_eq!(event["bookingId"], moved.body["bookingId"], "its booking as it is now");
    }

    async fn an_event_shows_all_that_is_kept_of_it(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        let id = app.connection("retell", Some(tenant), &[]).await;
        let ended = call_ended("call_1", "+353871234567").to_string();
        let told = app.deliver("retell", Some(&id), ended.as_bytes()).await;
        let event = app.read(tenant, &format!("events/{}", told.text("eventId"))).await;
        assert_eq!(event["raw"].as_str().unwrap(), ended);
        assert_eq!((&event["status"], &event["attempts"]), (&json!("tracked"), &json!(1)));
        assert_eq!((&event["connection"], &event["kind"]), (&json!(id), &json!("call_ended")));
        assert_eq!(event["bookingId"], told.body["bookingId"]);
        assert_eq!(event["clientId"], told.body["clientId"]);
        let understood = &event["understood"][0]["booking"]["data"];
        assert_eq!(understood["serviceName"], "Deep Tissue Massage");
        assert!(event["deliveryKeyHash"].is_string(), "{event:#}");
        assert!(event.get("rawBase64").is_none());

        let mut lacking = call_ended("call_2", "+353871234567");
        let unread = json!({"service": "Cut", "when": "half eleven"}).to_string();
        lacking["call"]["transcript_with_tool_calls"][0]["arguments"] = json!(unread);
        lacking["call"]["transcript_with_tool_calls"][1]["content"] = json!("true");
        let told = app.deliver("retell", Some(&id), lacking.to_string().as_bytes()).await;
        let event = app.read(tenant, &format!("events/{}", told.text("eventId"))).await;
        assert_eq!(event["reason"], "start_unreadable", "{event:#}");
        assert_eq!(event["problems"][0]["value"], "half eleven");
        let review = &event["understood"][0]["needsReview"];
        assert_eq!(review["understood"]["serviceName"], "Cut");
        assert!(event["bookingId"].is_null());

        let told = app.deliver("retell", Some(&id), b"\xff\xfe{").await;
        let event = app.read(tenant, &format!("events/{}", told.text("eventId"))).await;
        assert_eq!(event["rawBase64"], "//57", "{event:#}");
        assert!(event.get("raw").is_none());
    }

    async fn a_change_that_waited_shows_the_booking_it_found(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = salon(&app).await;
        let n8n = app.connection("n8n", Some(tenant), &[]).await;
        let early = json!({"bookingData": {"status": "cancelled", "phorestBookingId": "PH-1",
            "source": "web"}});
        let waits = app.deliver("n8n", Some(&n8n), early.to_string().as_bytes()).await;
        assert_eq!(waits.body["reason"], "booking_unknown", "{}", waits.body);
        let mut told = workflow("+353871234567", "Cut", "2026-06-02T10:00:00Z");
        told["bookingData"]["phorestBookingId"] = json!("PH-1");
        let told = app.deliver("n8n", Some(&n8n), told.to_string().as_bytes()).await;
        let event = app.read(tenant, &format!("events/{}", waits.text("eventId"))).await;
        assert_eq!((&event["status"], &event["reason"]), (&json!("tracked"), &Value::Null));
        assert_eq!(event["bookingId"], told.body["bookingId"]);
        let booking = app.read(tenant, &format!("bookings/{}", told.text("bookingId"))).await;
        assert_eq!(booking["status"], "cancelled");
        assert_eq!(fields(of(&booking, &waits.body["eventId"])), ["status"], "{booking:#}");
    }

    async fn what_is_anothers_is_not_there_and_who_may_not_read_is_told_so(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = salon(&app).await;
        let other = app.tenant("other-studio").await;
        let ended = call_ended("call_1", "+353871234567").to_string();
        let told = app.deliver("retell", None, ended.as_bytes()).await;
        let own = app.token(Role::ClientAdmin, Some(tenant)).await;
        let others = app.token(Role::ClientAdmin, Some(other)).await;
        let support = app.token(Role::SupportStaff, Some(tenant)).await;
        let paths = [
            format!("bookings/{}", told.text("bookingId")),
            format!("events/{}", told.text("eventId")),
        ];
        for path in &paths {
            let ask = async |tenant: Uuid, token: &str| {
                let path = format!("/api/platform/tenants/{tenant}/{path}");
                app.ask(Method::GET, &path, token).await.status
            };
            assert_eq!(ask(tenant, &own).await, StatusCode::OK, "{path}");
            assert_eq!(ask(tenant, &others).await, StatusCode::NOT_FOUND, "{path}");
            assert_eq!(ask(other, &others).await, StatusCode::NOT_FOUND, "{path}");
            assert_eq!(ask(tenant, &support).await, StatusCode::FORBIDDEN, "{path}");
            assert_eq!(ask(tenant, "").await, StatusCode::UNAUTHORIZED, "{path}");
        }
        for path in ["bookings/none", "events/none", &format!("bookings/{}", Uuid::nil())] {
            let path = format!("/api/platform/tenants/{tenant}/{path}");
            let answer = app.ask(Method::GET, &path, &own).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        }
    }
}
