//! Faults of an earlier service of this kind, each shown not to be possible here.

use crate::bad_input::Salon;
use crate::support::app::TestApp;
use crate::support::bodies::{chat, form, whatsapp};
use crate::support::catalog::Schema;
use crate::tracking::{call_analyzed, call_ended, workflow};
use bookhook::domain::channel::Role;
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What a booking of these fields is answered: chat, on the connection's own address.
fn with(changes: &[(&str, Value)]) -> String {
    let mut body = chat("0865550199", "Gel Nails", "2026-07-14T15:00:00");
    for (member, value) in changes {
        body[*member] = value.clone();
    }
    body.to_string()
}

both_engines! {
    // 1, 2, 9
    async fn a_forged_event_changes_no_tenants_rows(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let other = app.tenant("other-salon").await;
        let others = app.connection_with("retell", Some(other), &[], "another secret").await;
        let body = call_ended("call_1", "+353871234567");
        let real = salon.deliver(&app, "retell", body.to_string().as_bytes()).await;
        let before = app.read(salon.tenant, &format!("clients/{}", real.text("clientId"))).await;
        // The other tenant tells the same call, names the first, and signs it with its own key.
        let mut forged = call_ended("call_1", "+353860000000");
        forged["call"]["metadata"] = json!({"tenant_id": salon.tenant.to_string()});
        let forged = forged.to_string();
        let sent = app.deliver_as("retell", Some(&others), forged.as_bytes(), "another secret", "");
        assert_eq!(sent.await.body["reason"], "tenant_mismatch");
        let own = salon.connection("retell");
        let sent = app.deliver_as("retell", Some(own), forged.as_bytes(), "another secret", "");
        assert_eq!(sent.await.status, StatusCode::UNAUTHORIZED);
        let told = app.deliver_as("retell", Some(&others), body.to_string().as_bytes(),
            "another secret", "").await;
        assert_ne!(told.body["bookingId"], real.body["bookingId"], "the other's own booking");
        let after = app.read(salon.tenant, &format!("clients/{}", real.text("clientId"))).await;
        assert_eq!(after, before);
        assert_eq!(app.rows(salon.tenant, "events").await.len(), 1);
    }

    // 3, 5, 10
    async fn there_is_no_default_credential_and_no_key_of_all_tenants(db: TestDb) {
        let app = TestApp::start(&db).await;
        Salon::open(&app).await;
        for table in ["users", "sessions", "api_tokens"] {
            assert_eq!(db.count(table).await, 0, "{table} of a fresh installation");
        }
        for token in ["", "verify", "token", "secret", "bookhook", "whatsapp", "test"] {
            let asked = format!("/whatsapp/inbound?hub.mode=subscribe&hub.challenge=1&\
                hub.verify_token={token}");
            let answer = app.ask(Method::GET, &asked, "").await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{token}");
        }
        let other = app.tenant("other-salon").await;
        for role in [Role::Service, Role::ClientAdmin] {
            let token = app.token(role, Some(other)).await;
            let mut body = workflow("0851112222", "Cut", "2026-06-01T10:00:00Z");
            body["tenantId"] = json!("glow-studio");
            let answer = app.deliver_with_token("n8n", &token, &body).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN);
        }
        assert_eq!(db.written().await, 0);
    }

    // 11, 12
    async fn sixteen_copies_of_a_booking_and_its_call_told_again_are_one_row(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let body = with(&[("externalBookingId", json!("PH-1"))]);
        let posts = (0..16).map(|_| salon.deliver(&app, "chat", body.as_bytes()));
        let answers = join_all(posts).await;
        let ids: BTreeSet<&str> = answers.iter().map(|a| a.text("bookingId")).collect();
        assert_eq!(ids.len(), 1, "{answers:#?}");
        let phone = "+353871234567";
        let mut flow = workflow(phone, "Deep Tissue Massage", "2026-04-02T15:00:00");
        for event in ["call_ended", "call_analyzed"] {
            let call = match event {
                "call_ended" => call_ended("call_1", phone),
                _ => call_analyzed("call_1", phone, phone),
            };
            salon.deliver(&app, "retell", call.to_string().as_bytes()).await;
            // A workflow that runs for each of the two.
            flow["bookingData"]["notes"] = json!(event);
            salon.deliver(&app, "n8n", flow.to_string().as_bytes()).await;
        }
        assert_eq!(app.rows(salon.tenant, "bookings").await.len(), 2);
    }

    // 13
    async fn nobody_loses_a_race_of_first_contacts(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let phone = "353865550199";
        let bodies: Vec<(&str, Vec<u8>)> = (0..24)
            .map(|n| match n % 3 {
                0 => ("chat", with(&[("service", json!(format!("Nails {n}")))]).into_bytes()),
                1 => {
                    let (id, at) = (format!("wamid.{n}"), format!("{:02}:00", 8 + n / 3));
                    ("whatsapp", whatsapp(&[form("1", &id, phone, "Brows", ("2027-01-14", &at))]))
                }
                _ => {
                    let body = workflow(phone, &format!("Cut {n}"), "2026-06-01T10:00:00Z");
                    ("n8n", body.to_string().into_bytes())
                }
            })
            .collect();
        let posts = bodies.iter().map(|(source, body)| salon.deliver(&app, source, body));
        let answers = join_all(posts).await;
        assert!(answers.iter().all(|a| a.status == StatusCode::OK), "{answers:#?}");
        assert_eq!(app.rows(salon.tenant, "clients").await.len(), 1);
        assert_eq!(app.rows(salon.tenant, "bookings").await.len(), 24);
    }

    // 16
    async fn zero_is_an_amount_and_nonsense_is_refused_by_name(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let free = salon.deliver(&app, "chat", with(&[("amount", json!(0))]).as_bytes()).await;
        assert_eq!(free.body["outcome"], "tracked", "{}", free.body);
        let priced = with(&[("amount", json!("€75")), ("service", json!("Brows"))]);
        let priced = salon.deliver(&app, "chat", priced.as_bytes()).await;
        assert_eq!(priced.body["outcome"], "tracked", "{}", priced.body);
        for (member, value) in [
            ("amount", json!(-5)), ("amount", json!("a lot")), ("dateTime", json!("tomorrow 3pm")),
            ("source", json!("fax")), ("currency", json!("BANANA")),
        ] {
            let answer = salon.deliver(&app, "chat", with(&[(member, value)]).as_bytes()).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
            let pointer = answer.body["errors"][0]["pointer"].as_str().unwrap();
            assert_eq!(pointer, format!("/{member}"));
        }
        let bookings = app.rows(salon.tenant, "bookings").await;
        let amounts: Vec<String> = bookings.iter().map(|b| b["amount"].to_string()).collect();
        assert_eq!(amounts, ["75.00", "0.00"]);
        assert_eq!(bookings[0]["currency"], "EUR");
    }

    // 17
    async fn an_irish_summer_afternoon_is_an_hour_before_it_by_utc(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        for (told, stored) in [
            ("2026-07-14T15:00:00", "2026-07-14T14:00:00Z"),
            ("2026-12-14T15:00:00", "2026-12-14T15:00:00Z"),
            ("2026-07-15T15:00:00+02:00", "2026-07-15T13:00:00Z"),
            ("2026-07-16T15:00:00Z", "2026-07-16T15:00:00Z"),
        ] {
            let body = with(&[("dateTime", json!(told))]);
            let answer = salon.deliver(&app, "chat", body.as_bytes());
            assert_eq!(answer.await.body["outcome"], "tracked", "{told}");
            assert_eq!(app.rows(salon.tenant, "bookings").await[0]["bookingDate"], stored);
        }
    }

    // 18
    async fn one_phone_is_one_client_however_it_is_written(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let spellings = ["+353865550199", "086 555 0199", "00353865550199", "(086) 555-0199",
            "353 86 555 0199", "+353 (0)86 555 0199"];
        let mut clients = BTreeSet::new();
        for (n, phone) in spellings.iter().enumerate() {
            let service = json!(format!("Nails {n}"));
            let body = with(&[("phone", json!(phone)), ("service", service)]);
            let answer = salon.deliver(&app, "chat", body.as_bytes()).await;
            assert_eq!(answer.body["outcome"], "tracked", "{phone}: {}", answer.body);
            clients.insert(answer.text("clientId").to_owned());
        }
        assert_eq!(clients.len(), 1);
        for phone in ["Not provided", "unknown", "", "N/A", "0000000000", "1234"] {
            let body = with(&[("phone", json!(phone))]);
            let answer = salon.deliver(&app, "chat", body.as_bytes()).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{phone}: {}", answer.body);
        }
        assert_eq!(app.rows(salon.tenant, "clients").await.len(), 1);
    }

    // 19
    async fn a_name_is_not_needed_and_fills_in_later(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let first = salon.deliver(&app, "chat", with(&[("name", Value::Null)]).as_bytes()).await;
        assert_eq!(first.body["outcome"], "tracked", "{}", first.body);
        assert_eq!(app.rows(salon.tenant, "clients").await[0]["firstName"], "Unknown");
        let named = with(&[("service", json!("Brows"))]);
        let second = salon.deliver(&app, "chat", named.as_bytes()).await;
        assert_eq!(second.body["clientId"], first.body["clientId"]);
        let nameless = with(&[("service", json!("Lashes")), ("name", json!("unknown"))]);
        salon.deliver(&app, "chat", nameless.as_bytes()).await;
        let client = app.rows(salon.tenant, "clients").await.remove(0);
        assert_eq!((&client["firstName"], &client["lastName"]), (&json!("Ciara"), &json!("Byrne")));
    }

    // 21
    async fn a_lead_that_books_in_any_channel_is_converted(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let asks = |n: u32| crate::support::bodies::text(
            "1", &format!("wamid.{n}"), &format!("35386555010{n}"), "Have you time on Friday?");
        let asked = whatsapp(&[asks(1), asks(2), asks(3), asks(4)]);
        salon.deliver(&app, "whatsapp", &asked).await;
        assert_eq!(db.count("leads where status = 'new'").await, 4);
        let call = call_ended("call_1", "+353865550101").to_string();
        salon.deliver(&app, "retell", call.as_bytes()).await;
        let body = with(&[("phone", json!("086 555 0102"))]);
        salon.deliver(&app, "chat", body.as_bytes()).await;
        let body = workflow("00353865550103", "Cut", "2026-06-01T10:00:00Z").to_string();
        salon.deliver(&app, "n8n", body.as_bytes()).await;
        let filled = form("1", "wamid.9", "353865550104", "Brows", ("2027-01-14", "15:30"));
        salon.deliver(&app, "whatsapp", &whatsapp(&[filled])).await;
        let converted = "leads where status = 'converted' and converted_client_id is not null";
        assert_eq!(db.count(converted).await, 4);
    }

    // 25
    async fn a_call_of_an_hour_with_its_transcript_is_taken(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let mut call = call_ended("call_1", "+353871234567");
        call["call"]["transcript"] = json!("User: and then, you know, she said. ".repeat(40_000));
        let body = call.to_string();
        assert!(body.len() > 1_400_000);
        let answer = salon.deliver(&app, "retell", body.as_bytes()).await;
        assert_eq!(answer.body["outcome"], "tracked", "{}", answer.body);
        assert_eq!(db.raw_events().await, [body.as_bytes()]);
    }

    // 27
    async fn an_unknown_tenant_or_agent_gets_no_answer_that_makes_retell_try_again(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        let own = app.connection("retell", Some(tenant), &[("agent_known", tenant)]).await;
        app.connection_with("retell", None, &[], "platform secret").await;
        let mut body = call_ended("call_1", "+353871234567");
        body["call"]["metadata"] = json!({"tenant_id": "11111111-2222-3333-4444-555555555555"});
        let body = body.to_string();
        let unknown_agent = app.deliver("retell", Some(&own), body.as_bytes()).await;
        let unknown_tenant =
            app.deliver_as("retell", None, body.as_bytes(), "platform secret", "").await;
        for answer in [unknown_agent, unknown_tenant] {
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
            assert_eq!(answer.body["outcome"], "needs_review");
            assert!(!answer.body.to_string().contains("constraint"), "{}", answer.body);
        }
    }

    // 31
    async fn money_is_whole_cents_in_every_table(db: TestDb) {
        let schema = Schema::read(&db).await;
        let names = schema.0.values().flat_map(|table| table.columns.keys());
        let money: Vec<&String> = names.filter(|c| c.contains("amount")).collect();
        assert_eq!(money, ["amount_minor"]);
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        for (n, amount) in ["0.1", "0.2", "0.29", "1.15", "90071992547409.91"].iter().enumerate() {
            let body = with(&[("service", json!(format!("Nails {n}"))), ("amount", json!(amount))]);
            let answer = salon.deliver(&app, "chat", body.as_bytes()).await;
            assert_eq!(answer.body["outcome"], "tracked", "{}", answer.body);
        }
        let minor = db.texts("select cast(amount_minor as text) from bookings order by id").await;
        assert_eq!(minor, ["10", "20", "29", "115", "9007199254740991"]);
        let shown = app.rows(salon.tenant, "bookings").await;
        let shown: Vec<String> = shown.iter().rev().map(|b| b["amount"].to_string()).collect();
        assert_eq!(shown, ["0.10", "0.20", "0.29", "1.15", "90071992547409.91"]);
    }
}
