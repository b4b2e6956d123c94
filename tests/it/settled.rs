//! What waits for a person is not left waiting once a later telling of the same call did it.

use crate::support::app::{Answer, SECRET, TestApp, now};
use crate::support::db::TestDb;
use crate::support::wire::signed;
use bookhook::clock::Clock;
use bookhook::storage::events;
use bookhook::storage::seal::MasterKey;
use bookhook::tracking::Tracker;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

const AGENT: &str = "agent_7c1d90e2ab34f5568ef01b2c9d";

struct Salon {
    app: TestApp,
    tenant: Uuid,
    connection: String,
    began: i64,
}

impl Salon {
    async fn open(db: &TestDb) -> Self {
        let app = TestApp::start(db).await;
        let tenant = app.tenant("glow-studio").await;
        let connection = app.connection("retell", Some(tenant), &[(AGENT, tenant)]).await;
        Self { app, tenant, connection, began: now().timestamp_millis() - 60_000 }
    }

    fn call(&self) -> Value {
        json!({
            "call_id": "call_1", "call_type": "phone_call", "agent_id": AGENT,
            "direction": "inbound", "from_number": "+353871234567",
            "to_number": "+35315550142", "start_timestamp": self.began,
        })
    }

    /// Calls the booking function in the call.
    async fn asks(&self, arguments: Value) -> Answer {
        let body = json!({"name": "book_appointment", "call": self.call(), "args": arguments});
        let body = body.to_string().into_bytes();
        let headers = signed("retell", SECRET, &body);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let path = format!("/retell/function/{}/book_appointment", self.connection);
        self.app.post(&path, &headers, &body).await
    }

    /// Tells the call, with what its tools were asked and what they answered.
    async fn tells(&self, event: &str, tools: &[(&str, Value, &str)], said: Value) -> Answer {
        let mut call = self.call();
        let lines = tools.iter().enumerate().flat_map(|(number, (name, arguments, result))| {
            let id = format!("t{number}");
            [
                json!({"role": "tool_call_invocation", "tool_call_id": id, "name": name,
                    "arguments": arguments.to_string()}),
                json!({"role": "tool_call_result", "tool_call_id": id, "content": result}),
            ]
        });
        call["transcript_with_tool_calls"] = lines.collect();
        call["call_analysis"] = json!({"custom_analysis_data": said});
        let body = json!({"event": event, "call": call}).to_string();
        self.app.deliver("retell", Some(&self.connection), body.as_bytes()).await
    }

    async fn event(&self, answer: &Answer) -> Value {
        self.app.read(self.tenant, &format!("events/{}", answer.text("eventId"))).await
    }

    async fn waiting(&self) -> usize {
        let page = self.app.read(self.tenant, "events?status=needs_review").await;
        page["data"].as_array().unwrap().len()
    }

    /// Reads an event again, as a person does.
    async fn again(
        &self,
        answer: &Answer,
        set: &[(&str, &str)],
    ) -> bookhook::tracking::answer::Answer {
        let key = MasterKey::parse(crate::support::app::MASTER_KEY).unwrap();
        let tracker = Tracker::new(self.app.db.clone(), key, Clock::system());
        let id = answer.text("eventId").parse().unwrap();
        let mut reader = self.app.db.reader().await.unwrap();
        let row = events::find(&mut reader.conn(), self.tenant, id).await.unwrap().unwrap();
        drop(reader);
        let set = set.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        tracker.again(&row, &set.collect::<BTreeMap<_, _>>()).await.unwrap()
    }
}

fn at(hour: u8) -> String {
    format!("2027-04-02T{hour:02}:00:00")
}

both_engines! {
    async fn what_the_agent_asked_again_and_got_is_left_to_nobody(db: TestDb) {
        let salon = Salon::open(&db).await;
        let first = salon.asks(json!({"date_time": at(15)})).await;
        assert_eq!(first.text("reason"), "service_missing", "{}", first.body);
        let second = salon.asks(json!({"date_time": at(15), "customer_name": "Orla Daly"})).await;
        assert_eq!(second.text("outcome"), "needs_review", "{}", second.body);
        assert_eq!(salon.waiting().await, 2);
        let third = salon
            .asks(json!({"date_time": at(15), "service": "Cut", "customer_name": "Orla Daly"}))
            .await;
        assert_eq!(third.text("outcome"), "tracked", "{}", third.body);
        for answer in [&first, &second] {
            let event = salon.event(answer).await;
            assert_eq!((&event["status"], &event["reason"]), (&json!("ignored"), &json!("told_again")));
            assert_eq!(event["bookingId"], third.body["bookingId"]);
            assert_eq!(event["problems"][0]["code"], "service_missing", "its reasons are kept");
        }
        assert_eq!(salon.waiting().await, 0);

        let replayed = salon.again(&first, &[]).await;
        assert_eq!(replayed.reason.as_deref(), Some("told_again"));
        assert_eq!(replayed.booking_id.unwrap().to_string(), third.text("bookingId"));
        assert_eq!(replayed.client_id.unwrap().to_string(), third.text("clientId"));
        assert_eq!(salon.waiting().await, 0);
        assert_eq!(db.count("bookings").await, 1);
        // A person knows better: it was the daughter's.
        let person = salon.again(&first, &[("serviceName", "Colour")]).await;
        assert_eq!(person.outcome.as_str(), "tracked");
        assert_eq!(db.count("bookings").await, 2);
    }

    async fn another_booking_of_the_call_settles_nothing(db: TestDb) {
        let salon = Salon::open(&db).await;
        let before = salon.asks(json!({"date_time": at(15), "service": "Cut"})).await;
        assert_eq!(before.text("outcome"), "tracked", "{}", before.body);
        for open in [
            // What was booked before is not what was asked for then.
            json!({"date_time": at(15)}),
            json!({"date_time": at(17)}),
            json!({"service": "Brows", "date_time": "half eleven"}),
            json!({"date_time": at(16), "customer_name": "Maeve Daly"}),
            json!({}),
        ] {
            let open = salon.asks(open).await;
            assert_eq!(open.text("outcome"), "needs_review", "{}", open.body);
        }
        for (hour, name) in [(16, "Orla Daly"), (18, "Orla Daly")] {
            let asked = json!({"date_time": at(hour), "service": "Facial", "customer_name": name});
            let other = salon.asks(asked).await;
            assert_eq!(other.text("outcome"), "tracked", "{}", other.body);
        }
        assert_eq!(salon.waiting().await, 5);
        let asked_again = json!({"date_time": at(17), "service": "Facial"});
        assert_eq!(salon.asks(asked_again).await.text("outcome"), "tracked");
        assert_eq!(salon.waiting().await, 4, "only the one that it was");
    }

    async fn what_the_end_left_open_and_the_analysis_settles_is_left_to_nobody(db: TestDb) {
        for ended_first in [true, false] {
            let db = TestDb::fresh(db.engine).await;
            let salon = Salon::open(&db).await;
            let tool = [("book_appointment", json!({"date_time": at(15), "service": "Cut"}),
                "Let me see what I can do.")];
            let ended = async || salon.tells("call_ended", &tool, Value::Null).await;
            let said = json!({"appointment_booked": true});
            let analyzed = async || salon.tells("call_analyzed", &tool, said.clone()).await;
            let (open, done) = if ended_first {
                (ended().await, analyzed().await)
            } else {
                let done = analyzed().await;
                (ended().await, done)
            };
            assert_eq!(done.text("outcome"), "tracked", "{}", done.body);
            let event = salon.event(&open).await;
            assert_eq!(event["reason"], "told_again", "{event:#}");
            assert_eq!(event["bookingId"], done.body["bookingId"]);
            assert_eq!(salon.waiting().await, 0);
            let first = if ended_first { "needs_review" } else { "ignored" };
            assert_eq!(open.text("outcome"), first);
            assert_eq!(open.body.get("bookingId").is_some(), !ended_first);
        }
    }

    async fn a_second_try_within_one_event_makes_it_tracked(db: TestDb) {
        let salon = Salon::open(&db).await;
        let tools = [
            ("book_appointment", json!({"date_time": at(15), "service": "Cut"}), "One moment."),
            ("book_appointment", json!({"date_time": at(15), "service": "Cut", "try": 2}),
                "{\"success\":true}"),
        ];
        let told = salon.tells("call_ended", &tools, Value::Null).await;
        assert_eq!(told.text("outcome"), "tracked", "{}", told.body);
        assert!(told.body.get("problems").is_none() && told.body["bookingId"].is_string());
        assert_eq!((salon.waiting().await, db.count("bookings").await), (0, 1));
        let again = salon.tells("call_ended", &tools, Value::Null).await;
        assert_eq!(again.without_duplicate(), told.without_duplicate());
    }

    async fn a_change_that_finds_its_booking_leaves_the_rest_of_its_event_open(db: TestDb) {
        let salon = Salon::open(&db).await;
        let n8n = salon.app.connection("n8n", Some(salon.tenant), &[]).await;
        let tools = [
            ("book_appointment", json!({"date_time": at(15), "service": "Cut"}), "One moment."),
            ("cancel_appointment", json!({"booking_reference": "PH-1"}), "{\"success\":true}"),
        ];
        let told = salon.tells("call_ended", &tools, Value::Null).await;
        assert_eq!(told.text("outcome"), "needs_review", "{}", told.body);
        let booking = json!({"bookingData": {"phone": "+353871234567", "service": "Brows",
            "dateTime": at(12), "phorestBookingId": "PH-1", "source": "web"}});
        let booked = salon.app.deliver("n8n", Some(&n8n), booking.to_string().as_bytes()).await;
        assert_eq!(booked.text("outcome"), "tracked", "{}", booked.body);
        assert_eq!(db.count("bookings where status = 'cancelled'").await, 1);
        let event = salon.event(&told).await;
        assert_eq!(event["status"], "needs_review", "{event:#}");
        assert_eq!(event["reason"], "result_unclear");
        assert_eq!(event["problems"].as_array().unwrap().len(), 1, "{event:#}");
    }

    async fn tries_at_the_same_moment_leave_nothing_open_that_was_done(db: TestDb) {
        let salon = Salon::open(&db).await;
        let tool = [("book_appointment", json!({"date_time": at(15), "service": "Cut"}),
            "Let me see what I can do.")];
        let said = json!({"appointment_booked": true});
        futures_util::future::join(
            salon.tells("call_ended", &tool, Value::Null),
            salon.tells("call_analyzed", &tool, said),
        )
        .await;
        assert_eq!((salon.waiting().await, db.count("bookings").await), (0, 1));
    }
}
