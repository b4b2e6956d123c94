//! Functions that a voice agent calls in the middle of a conversation, over HTTP.

use crate::support::app::{Answer, SECRET, TestApp};
use crate::support::wire::signed;
use bookhook::clock::Clock;
use chrono::TimeDelta;
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

const AGENT: &str = "agent_7c1d90e2ab34f5568ef01b2c9d";
const CALLER: &str = "+353871234567";

fn arguments() -> Value {
    json!({
        "customer_name": "Niamh O'Brien", "service": "Deep Tissue Massage",
        "date_time": "2026-04-02T15:00:00", "duration_minutes": 60, "price": "75.00",
    })
}

fn call(id: &str) -> Value {
    json!({
        "call_id": id, "call_type": "phone_call", "agent_id": AGENT, "direction": "inbound",
        "from_number": CALLER, "to_number": "+35315550142",
        "start_timestamp": 1_773_051_302_417_i64,
    })
}

/// A function with the call it is called in.
fn function(name: &str, id: &str, arguments: &Value) -> Value {
    json!({"name": name, "call": call(id), "args": arguments})
}

/// The end of a call in which the function was called and answered.
fn ended(id: &str, answer: &Value) -> Value {
    let mut call = call(id);
    call["transcript_with_tool_calls"] = json!([
        {"role": "tool_call_invocation", "tool_call_id": "t1", "name": "book_appointment",
            "arguments": arguments().to_string()},
        {"role": "tool_call_result", "tool_call_id": "t1", "successful": true,
            "content": answer.to_string()},
    ]);
    json!({"event": "call_ended", "call": call})
}

fn analyzed(id: &str, answer: &Value) -> Value {
    let mut body = ended(id, answer);
    body["event"] = json!("call_analyzed");
    body["call"]["call_analysis"] = json!({"custom_analysis_data": {
        "appointment_booked": true, "service_type": "Deep Tissue Massage",
        "appointment_date": "2026-04-02", "appointment_time": "15:00", "staff_name": "Aoife Kelly",
    }});
    body
}

impl TestApp {
    /// Calls a function at its own address, signed.
    async fn call(&self, connection: &str, name: &str, body: &Value) -> Answer {
        let body = body.to_string().into_bytes();
        let headers = signed("retell", SECRET, &body);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        self.post(&format!("/retell/function/{connection}/{name}"), &headers, &body).await
    }

    /// A tenant with a connection for its agent.
    async fn salon_with_agent(&self) -> (Uuid, String) {
        let tenant = self.tenant("glow-studio").await;
        (tenant, self.connection("retell", Some(tenant), &[(AGENT, tenant)]).await)
    }
}

/// The orders of three things.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

both_engines! {
    async fn a_function_books_and_says_so_in_words(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = app.salon_with_agent().await;
        let body = function("book_appointment", "call_1", &arguments());
        let told = app.call(&connection, "book_appointment", &body).await;
        assert_eq!(told.status, StatusCode::OK, "{}", told.body);
        assert_eq!(told.body["success"], true, "{}", told.body);
        let words = "The booking of Deep Tissue Massage on Thursday 2 April 2026 at 15:00 is recorded.";
        assert_eq!(told.text("message"), words);
        let bookings = app.rows(tenant, "bookings").await;
        assert_eq!(bookings.len(), 1);
        assert_eq!(bookings[0]["id"], told.body["bookingId"]);
        assert_eq!(bookings[0]["status"], "pending");

        let mut retried = body.clone();
        retried["call"]["transcript"] = json!("Agent: one moment");
        let again = app.call(&connection, "book_appointment", &retried).await;
        assert_eq!(again.body["bookingId"], told.body["bookingId"], "{}", again.body);
        let same = app.call(&connection, "book_appointment", &body).await;
        assert_eq!(same.body["duplicate"], true, "{}", same.body);
        assert_eq!(same.without_duplicate(), told);
        assert_eq!(app.rows(tenant, "bookings").await.len(), 1);
    }

    async fn what_is_missing_is_asked_for_in_words(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = app.salon_with_agent().await;
        let mut body = function("book_appointment", "call_1", &json!({"when": "half eleven"}));
        body["call"]["from_number"] = json!("anonymous");
        let told = app.call(&connection, "book_appointment", &body).await;
        assert_eq!((told.status, &told.body["success"]), (StatusCode::OK, &json!(false)));
        assert_eq!(told.text("outcome"), "needs_review");
        let words = "Ask the customer for the day and the exact time, a phone number and the service";
        assert!(told.text("message").contains(words), "{}", told.body);

        let body = function("cancel_appointment", "call_1", &json!({"date_time": "2026-04-02 15:00"}));
        let told = app.call(&connection, "cancel_appointment", &body).await;
        assert_eq!(told.text("reason"), "booking_unknown", "{}", told.body);
        assert!(told.text("message").contains("the booking that is meant"), "{}", told.body);
        let body = function("check_availability", "call_1", &json!({"date": "2026-04-02"}));
        let told = app.call(&connection, "check_availability", &body).await;
        assert_eq!((told.text("outcome"), &told.body["success"]), ("ignored", &json!(false)));
        assert!(app.rows(tenant, "bookings").await.is_empty());
    }

    async fn a_call_told_three_times_in_any_order_is_one_booking(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = app.salon_with_agent().await;
        for (round, order) in ORDERS.iter().enumerate() {
            let id = format!("call_{round}");
            let start = format!("2026-04-{:02}T15:00:00", round + 2);
            let at_start = |body: Value| {
                let text = body.to_string().replace("2026-04-02T15:00:00", &start);
                let date = text.replace("\"2026-04-02\"", &format!("\"{}\"", &start[..10]));
                serde_json::from_str::<Value>(&date).unwrap()
            };
            let done = json!({"success": true, "message": "Booked."});
            let bodies = [
                at_start(function("book_appointment", &id, &arguments())),
                at_start(ended(&id, &done)),
                at_start(analyzed(&id, &done)),
            ];
            let mut told = BTreeSet::new();
            for which in order.iter().chain(order) {
                let answer = match which {
                    0 => app.call(&connection, "book_appointment", &bodies[0]).await,
                    n => app.deliver("retell", None, bodies[*n].to_string().as_bytes()).await,
                };
                assert_eq!(answer.text("outcome"), "tracked", "{order:?}: {}", answer.body);
                told.insert(answer.text("bookingId").to_owned());
            }
            assert_eq!(told.len(), 1, "{order:?}");
            let bookings = app.rows(tenant, "bookings").await;
            assert_eq!(bookings.len(), round + 1, "{order:?}");
            assert_eq!(bookings[0]["status"], "confirmed", "{order:?}");
            assert_eq!(bookings[0]["staffMember"], "Aoife Kelly", "{order:?}");
        }
        assert_eq!(app.rows(tenant, "clients").await.len(), 1);
    }

    async fn a_call_told_three_times_at_once_is_one_booking(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = app.salon_with_agent().await;
        let done = json!({"success": true});
        let body = function("book_appointment", "call_1", &arguments());
        let told = [ended("call_1", &done).to_string(), analyzed("call_1", &done).to_string()];
        let functions = join_all((0..8).map(|_| app.call(&connection, "book_appointment", &body)));
        let events =
            join_all((0..16).map(|n| app.deliver("retell", None, told[n % 2].as_bytes())));
        let (functions, events) = futures_util::future::join(functions, events).await;
        for answer in functions.iter().chain(&events) {
            assert_eq!(answer.text("outcome"), "tracked", "{}", answer.body);
        }
        let bookings = app.rows(tenant, "bookings").await;
        assert_eq!(bookings.len(), 1, "{bookings:#?}");
        assert_eq!(app.rows(tenant, "events").await.len(), 3);
    }

    async fn our_own_answer_coming_back_as_the_result_names_its_booking(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = app.salon_with_agent().await;
        let body = function("book_appointment", "call_1", &arguments());
        // The same function at the address of all events is answered in words too.
        let told = app.deliver("retell", Some(&connection), body.to_string().as_bytes()).await;
        assert_eq!(told.body["success"], true, "{}", told.body);
        assert!(told.text("message").contains("is recorded"), "{}", told.body);
        let end = ended("call_1", &told.body).to_string();
        let answer = app.deliver("retell", None, end.as_bytes()).await;
        assert_eq!(answer.body["bookingId"], told.body["bookingId"], "{}", answer.body);
        let client = app.read(tenant, &format!("clients/{}", answer.text("clientId"))).await;
        assert_eq!(client["mappings"], json!([]), "no id of ours became a salon system's");
        assert_eq!(client["bookings"][0]["status"], "confirmed");
    }

    async fn a_function_cancels_what_this_or_another_call_booked(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = app.salon_with_agent().await;
        let book = function("book_appointment", "call_1", &arguments());
        let booked = app.call(&connection, "book_appointment", &book).await;
        let which = json!({"date_time": "2026-04-02T15:00:00"});
        let off = function("cancel_appointment", "call_2", &which);
        let told = app.call(&connection, "cancel_appointment", &off).await;
        assert_eq!(told.body["bookingId"], booked.body["bookingId"], "{}", told.body);
        assert!(told.text("message").ends_with("is cancelled."), "{}", told.body);
        assert_eq!(app.rows(tenant, "bookings").await[0]["status"], "cancelled");
    }

    async fn what_is_cancelled_first_is_not_what_is_booked_afterwards(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = app.salon_with_agent().await;
        let began = json!((Clock::system().now() - TimeDelta::minutes(1)).timestamp_millis());
        let mut off = function("cancel_appointment", "call_1", &json!({}));
        off["call"]["start_timestamp"] = began.clone();
        let told = app.call(&connection, "cancel_appointment", &off).await;
        assert_eq!(told.text("reason"), "booking_unknown", "{}", told.body);
        let mut book = function("book_appointment", "call_1", &arguments());
        book["call"]["start_timestamp"] = began;
        let told = app.call(&connection, "book_appointment", &book).await;
        assert!(told.text("message").ends_with("is recorded."), "{}", told.body);
        assert_eq!(app.rows(tenant, "bookings").await[0]["status"], "pending");
    }

    async fn two_functions_of_one_call_are_two_bookings(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = app.salon_with_agent().await;
        for service in ["Cut", "Colour"] {
            let mut arguments = arguments();
            arguments["service"] = json!(service);
            let body = function("book_appointment", "call_1", &arguments);
            let told = app.call(&connection, "book_appointment", &body).await;
            assert!(told.text("message").contains(service), "{}", told.body);
        }
        assert_eq!(app.rows(tenant, "bookings").await.len(), 2);
    }

    async fn arguments_alone_are_taken_where_the_secret_is_one_tenants(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = app.salon_with_agent().await;
        let mut alone = arguments();
        alone["phone"] = json!("087 123 4567");
        let told = app.call(&connection, "book_appointment", &alone).await;
        assert_eq!(told.body["success"], true, "{}", told.body);
        let again = app.call(&connection, "book_appointment", &alone).await;
        assert_eq!(again.body["bookingId"], told.body["bookingId"], "{}", again.body);
        assert!(again.body.get("duplicate").is_none(), "nothing says that it is a repeat");
        assert_eq!(app.rows(tenant, "bookings").await.len(), 1);
    }

    async fn arguments_alone_are_nobodys_where_the_secret_is_several_tenants(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = app.salon_with_agent().await;
        let other = app.tenant("other-studio").await;
        app.connection("retell", Some(other), &[("agent_other", other)]).await;
        let mut alone = arguments();
        alone["phone"] = json!("087 123 4567");
        let told = app.call(&connection, "book_appointment", &alone).await;
        assert_eq!((told.status, told.text("reason")), (StatusCode::OK, "tenant_unknown"));
        assert!(told.text("message").contains("somebody will be in touch"), "{}", told.body);
        assert!(app.rows(tenant, "events").await.is_empty());
        assert_eq!(db.count("platform_inbox").await, 1);
        let whole = function("book_appointment", "call_9", &alone);
        let told = app.call(&connection, "book_appointment", &whole).await;
        assert_eq!(told.body["success"], true, "its call names the agent: {}", told.body);
    }

    async fn a_function_is_refused_like_any_delivery(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (_, connection) = app.salon_with_agent().await;
        let body = function("book_appointment", "call_1", &arguments()).to_string();
        let path = format!("/retell/function/{connection}/book_appointment");
        let unsigned = app.post(&path, &[], body.as_bytes()).await;
        let other = signed("retell", "whsec_T1RIRVItU0VDUkVU", body.as_bytes());
        let other: Vec<(&str, &str)> = other.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let wrong = app.post(&path, &other, body.as_bytes()).await;
        let own = signed("retell", SECRET, body.as_bytes());
        let own: Vec<(&str, &str)> = own.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let nobodys = app.post("/retell/function/cn_none/book_appointment", &own, body.as_bytes()).await;
        for refused in [unsigned, wrong, nobodys] {
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{}", refused.body);
        }
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = app.ask(method, &path, "").await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        }
        assert_eq!(db.written().await, 0);
        let broken = b"{\"name\":";
        let headers = signed("retell", SECRET, broken);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let told = app.post(&path, &headers, broken).await;
        assert_eq!((told.status, &told.body["success"]), (StatusCode::OK, &json!(false)));
        assert_eq!(told.text("reason"), "body_not_json", "{}", told.body);
    }
}
