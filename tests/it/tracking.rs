//! From a signed delivery to client, booking and mapping, over HTTP, on both engines.

use crate::support::app::TestApp;
use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

const AGENT: &str = "agent_7c1d90e2ab34f5568ef01b2c9d";

/// A call that booked with a tool, told when it ended.
pub(crate) fn call_ended(call: &str, from: &str) -> Value {
    let arguments = json!({
        "customer_name": "Niamh O'Brien", "service": "Deep Tissue Massage",
        "date_time": "2026-04-02T15:00:00", "duration_minutes": 60, "price": "75.00",
    });
    let result = json!({
        "success": true, "booking_id": "PH-88213", "client_id": format!("phc_{call}"),
        "branch_id": "br_02", "starts_at": "2026-04-02T15:00:00+01:00",
    });
    json!({"event": "call_ended", "call": {
        "call_id": call, "call_type": "phone_call", "agent_id": AGENT, "agent_version": 1,
        "call_status": "ended", "direction": "inbound", "from_number": from,
        "to_number": "+35315550142", "start_timestamp": 1_773_051_302_417_i64,
        "transcript_with_tool_calls": [
            {"role": "tool_call_invocation", "tool_call_id": "t1", "name": "book_appointment",
                "arguments": arguments.to_string()},
            {"role": "tool_call_result", "tool_call_id": "t1", "successful": true,
                "content": result.to_string()},
        ],
    }})
}

/// The same call once it was analysed, with another phone given for the booking.
pub(crate) fn call_analyzed(call: &str, from: &str, given: &str) -> Value {
    let mut body = call_ended(call, from);
    body["event"] = json!("call_analyzed");
    body["call"]["call_analysis"] = json!({"custom_analysis_data": {
        "appointment_booked": true, "customer_name": "Ciara Byrne", "callback_phone": given,
        "service_type": "Deep Tissue Massage", "appointment_date": "2026-04-02",
        "appointment_time": "15:00",
    }});
    body
}

/// A booking from a workflow.
pub(crate) fn workflow(phone: &str, service: &str, start: &str) -> Value {
    json!({"bookingData": {
        "phone": phone, "firstName": "Áine", "lastName": "O’Brien", "serviceName": service,
        "dateTime": start, "price": 75, "currency": "EUR", "source": "web",
        "phorestClientId": "igK6P6lu40g3UeT_zhmJhw", "phorestBusinessId": "biz_1",
    }})
}

/// A tenant with a connection of every source, each owning the accounts of the test's bodies.
pub(crate) async fn salon(app: &TestApp) -> Uuid {
    let tenant = app.tenant("glow-studio").await;
    app.connection("retell", Some(tenant), &[(AGENT, tenant)]).await;
    app.connection("whatsapp", Some(tenant), &[("771234500000001", tenant)]).await;
    tenant
}

both_engines! {
    async fn each_source_ends_in_client_booking_and_mapping(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = salon(&app).await;
        let chat = app.connection("chat", Some(tenant), &[]).await;
        let n8n = app.connection("n8n", Some(tenant), &[]).await;

        let call = call_ended("call_1", "+353871234567").to_string();
        let voice = app.deliver("retell", None, call.as_bytes()).await;
        assert_eq!(voice.status, StatusCode::OK, "{}", voice.body);
        assert_eq!(voice.body["outcome"], "tracked", "{}", voice.body);
        assert_eq!(voice.body["isNewClient"], true);

        let body = json!({
            "phone": "086 555 0199", "name": "Ciara Byrne", "service": "Gel Nails",
            "dateTime": "2026-05-14T11:30:00", "amount": "42.50", "serviceProvider": "fresha_api",
            "externalClientId": "fr_9",
        });
        let web = app.deliver("chat", Some(&chat), body.to_string().as_bytes()).await;
        assert_eq!(web.body["outcome"], "tracked", "{}", web.body);

        let flow = json!({
            "flow_token": "x", "service_name": "Brow lamination", "date": "2027-01-14",
            "time": "15:30", "name": "Aoife Kavanagh",
        });
        let message = json!({"object": "whatsapp_business_account", "entry": [{"id": "9", "changes":
            [{"field": "messages", "value": {"messaging_product": "whatsapp",
                "metadata": {"display_phone_number": "35315550100",
                    "phone_number_id": "771234500000001"},
                "contacts": [{"profile": {"name": "Aoife K"}, "wa_id": "353879999999"}],
                "messages": [{"from": "353879999999", "id": "wamid.1", "timestamp": "1798795803",
                    "type": "interactive", "interactive": {"type": "nfm_reply",
                        "nfm_reply": {"name": "flow", "body": "Sent",
                            "response_json": flow.to_string()}}}]}}]}]});
        let text = app.deliver("whatsapp", None, message.to_string().as_bytes()).await;
        assert_eq!(text.body["results"][0]["outcome"], "tracked", "{}", text.body);

        let body = workflow("+353851112222", "Hot Stone Massage", "2026-06-01T10:00:00+01:00");
        let flow = app.deliver("n8n", Some(&n8n), body.to_string().as_bytes()).await;
        assert_eq!(flow.body["outcome"], "tracked", "{}", flow.body);

        assert_eq!(app.rows(tenant, "clients").await.len(), 4);
        assert_eq!(app.rows(tenant, "bookings").await.len(), 4);
        let client = app.read(tenant, &format!("clients/{}", voice.text("clientId"))).await;
        assert_eq!(client["phone"], "+353871234567");
        assert_eq!(client["firstName"], "Niamh");
        assert_eq!(client["lastName"], "O'Brien");
        assert_eq!(client["bookings"][0]["bookingDate"], "2026-04-02T14:00:00Z");
        assert_eq!(client["bookings"][0]["amount"].to_string(), "75.00");
        assert_eq!(client["bookings"][0]["externalBookingId"], "PH-88213");
        assert_eq!(client["mappings"][0]["externalClientId"], "phc_call_1");
        let client = app.read(tenant, &format!("clients/{}", web.text("clientId"))).await;
        assert_eq!(client["mappings"][0]["serviceProvider"], "fresha");
        assert_eq!(client["bookings"][0]["amount"].to_string(), "42.50");
        let client = app.read(tenant, &format!("clients/{}", flow.text("clientId"))).await;
        assert_eq!(client["mappings"][0]["businessId"], "biz_1");
    }

    async fn sixty_four_first_contacts_of_one_phone_make_one_client(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = salon(&app).await;
        let n8n = app.connection("n8n", Some(tenant), &[]).await;
        let spellings = ["+353871234567", "087 123 4567", "00353871234567", "0871234567"];
        let bodies = (0..64).map(|n| {
            let start = format!("2026-06-{:02}T{:02}:00:00Z", n % 28 + 1, 8 + n / 28);
            workflow(spellings[n % 4], "Cut", &start).to_string()
        });
        let bodies: Vec<String> = bodies.collect();
        let answers =
            join_all(bodies.iter().map(|b| app.deliver("n8n", Some(&n8n), b.as_bytes()))).await;
        assert!(answers.iter().all(|a| a.status == StatusCode::OK), "{answers:#?}");
        let clients: BTreeSet<&str> = answers.iter().map(|a| a.text("clientId")).collect();
        assert_eq!(clients.len(), 1);
        let new = answers.iter().filter(|a| a.body["isNewClient"] == true).count();
        assert_eq!(new, 1, "one of them met a new client");
        assert_eq!(app.rows(tenant, "clients").await.len(), 1);
        assert_eq!(app.rows(tenant, "bookings").await.len(), 64);
    }

    async fn one_delivery_posted_64_times_at_once_is_one_booking(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = salon(&app).await;
        let body = call_ended("call_1", "+353871234567").to_string();
        let posts = (0..64).map(|_| app.deliver("retell", None, body.as_bytes()));
        let answers = join_all(posts).await;
        let repeats = answers.iter().filter(|a| a.body["duplicate"] == true).count();
        assert_eq!(repeats, 63);
        let first = answers[0].clone().without_duplicate();
        assert_eq!(first.body["outcome"], "tracked");
        for answer in answers {
            assert_eq!(answer.without_duplicate(), first);
        }
        assert_eq!(app.rows(tenant, "bookings").await.len(), 1);
        assert_eq!(app.rows(tenant, "events").await.len(), 1);
    }

    async fn one_call_told_twice_at_once_with_two_phones_is_one_booking(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = salon(&app).await;
        for round in 0..8 {
            let (call, husband) = (format!("call_{round}"), format!("+35387123450{round}"));
            let wife = format!("+35386555010{round}");
            let ended = call_ended(&call, &husband).to_string();
            let analyzed = call_analyzed(&call, &husband, &wife).to_string();
            let both = [ended, analyzed];
            let answers =
                join_all(both.iter().map(|b| app.deliver("retell", None, b.as_bytes()))).await;
            assert!(answers.iter().all(|a| a.body["outcome"] == "tracked"), "{answers:#?}");
            assert_eq!(app.rows(tenant, "bookings").await.len(), round + 1, "{answers:#?}");
            let clients = app.rows(tenant, "clients").await;
            let phones: Vec<&str> = clients.iter().filter_map(|c| c["phone"].as_str()).collect();
            assert!(phones.contains(&wife.as_str()), "{phones:?}");
            assert!(!phones.contains(&husband.as_str()), "nobody else was booked for: {phones:?}");
        }
    }

    async fn the_same_booking_told_by_call_analysis_and_workflow_stays_one(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = salon(&app).await;
        let n8n = app.connection("n8n", Some(tenant), &[]).await;
        let phone = "+353871234567";
        let ended = call_ended("call_1", phone).to_string();
        let analyzed = call_analyzed("call_1", phone, phone).to_string();
        let mut told = workflow(phone, "deep tissue massage", "2026-04-02T15:00:00");
        told["bookingData"]["phorestBookingId"] = json!("PHX_1");
        told["bookingData"]["staffMember"] = json!("Aoife Kelly");
        let first = app.deliver("retell", None, ended.as_bytes()).await;
        let second = app.deliver("retell", None, analyzed.as_bytes()).await;
        let third = app.deliver("n8n", Some(&n8n), told.to_string().as_bytes()).await;
        assert_eq!(first.body["bookingId"], second.body["bookingId"]);
        assert_eq!(first.body["bookingId"], third.body["bookingId"], "{}", third.body);
        let bookings = app.rows(tenant, "bookings").await;
        assert_eq!(bookings.len(), 1);
        assert_eq!(bookings[0]["externalBookingId"], "PHX_1");
        assert_eq!(bookings[0]["staffMember"], "Aoife Kelly");
        assert_eq!(bookings[0]["duration"], 60);
        assert_eq!(app.rows(tenant, "clients").await.len(), 1);
    }

    async fn two_instances_on_one_database_make_one_client_and_one_booking(db: TestDb) {
        let (one, two) = (TestApp::start(&db).await, TestApp::start(&db).await);
        let tenant = salon(&one).await;
        let ended = call_ended("call_1", "+353871234567").to_string();
        let posts = (0..32).map(|n| {
            let app = if n % 2 == 0 { &one } else { &two };
            app.deliver("retell", None, ended.as_bytes())
        });
        let answers = join_all(posts).await;
        assert!(answers.iter().all(|a| a.status == StatusCode::OK), "{answers:#?}");
        assert_eq!(two.rows(tenant, "clients").await.len(), 1);
        assert_eq!(two.rows(tenant, "bookings").await.len(), 1);
    }
}
