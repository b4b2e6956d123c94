//! Words that were changed or taken back on WhatsApp: ignored, unless they told of a booking.

use crate::people::{BY_PHONE, post, salon};
use crate::support::app::TestApp;
use crate::support::db::TestDb;
use bookhook::domain::channel::Role;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

const LINES: &str = "Booking confirmed\nService: Cut\nDate: 20/01/2027\nTime: 16:15";
const LATER: &str = "Booking confirmed\nService: Cut\nDate: 20/01/2027\nTime: 17:15";

fn text(wamid: &str, words: &str) -> String {
    BY_PHONE.message(wamid, json!({"type": "text", "text": {"body": words}}))
}

/// The message `wamid.1` changed into these words, or taken back.
fn changed(wamid: &str, words: Option<&str>) -> String {
    let (kind, mut inner) = ("edit", json!({"original_message_id": "wamid.1"}));
    let Some(words) = words else {
        return later(&BY_PHONE.message(wamid, json!({"type": "revoke", "revoke": inner})));
    };
    inner["message"] = json!({"type": "text", "text": {"body": words}});
    later(&BY_PHONE.message(wamid, json!({"type": kind, kind: inner})))
}

fn later(body: &str) -> String {
    body.replace("1773051302", "1773051402")
}

async fn said(app: &TestApp, connection: &str, body: &str) -> (String, String) {
    let answer = post(app, connection, body).await;
    let word = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    (word("outcome"), word("reason"))
}

fn pair(outcome: &str, reason: &str) -> (String, String) {
    (outcome.to_owned(), reason.to_owned())
}

/// The state of every edit and revoke, with its reason.
async fn states(db: &TestDb) -> Vec<String> {
    db.texts(
        "select status || ' ' || coalesce(reason, '-') from webhook_events
        where kind in ('edit', 'revoke') order by id",
    )
    .await
}

async fn starts(app: &TestApp, tenant: Uuid) -> Vec<Value> {
    let bookings = app.rows(tenant, "bookings").await;
    bookings.iter().map(|b| json!([b["bookingDate"], b["status"]])).collect()
}

/// Reads the only edit or revoke again, as a person who says what it means.
async fn means(app: &TestApp, tenant: Uuid, set: &Value) -> Value {
    let events = app.rows(tenant, "events").await;
    let of = |e: &&Value| matches!(e["kind"].as_str(), Some("edit" | "revoke"));
    let id = events.iter().find(of).unwrap()["id"].as_str().unwrap().to_owned();
    let token = app.token(Role::PlatformAdmin, None).await;
    let path = format!("/api/platform/tenants/{tenant}/events/{id}/replay");
    let answer = app.send(Method::POST, &path, &token, &json!({"set": set})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

both_engines! {
    async fn words_that_told_nothing_may_be_changed(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (_, connection) = salon(&app).await;
        for words in [Some("Are you open on Monday?"), None] {
            let name = if words.is_some() { "edit" } else { "revoke" };
            let wamid = format!("wamid.{name}");
            assert_eq!(said(&app, &connection, &changed(&wamid, words)).await, pair("ignored", name));
        }
        post(&app, &connection, &text("wamid.1", "Are you open on Sunday?")).await;
        assert_eq!(states(&db).await, ["ignored edit", "ignored revoke"]);
        assert_eq!(db.count("leads").await, 1);
    }

    async fn words_of_a_booking_are_changed_by_a_person(db: TestDb) {
        for (words, code) in [
            (Some("Oh, leave it"), "message_edited"),
            (None, "message_revoked"),
            (Some(LATER), "message_edited"),
        ] {
            for late in [true, false] {
                let db = TestDb::fresh(db.engine).await;
                let app = TestApp::start(&db).await;
                let (tenant, connection) = salon(&app).await;
                let mut bodies = [text("wamid.1", LINES), changed("wamid.2", words)];
                if late {
                    bodies.reverse();
                }
                for body in &bodies {
                    post(&app, &connection, body).await;
                    post(&app, &connection, body).await;
                }
                assert_eq!(states(&db).await, [format!("needs_review {code}")], "{words:?} {late}");
                let expected = json!(["2027-01-20T16:15:00Z", "confirmed"]);
                assert_eq!(starts(&app, tenant).await, [expected], "{words:?} {late}");
            }
        }
    }

    async fn an_answer_that_settled_something_is_not_taken_back_unseen(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (_, connection) = salon(&app).await;
        post(&app, &connection, &text("wamid.0", "Service: Cut\nDate: 20/01/2027\nTime: 16:15")).await;
        post(&app, &connection, &later(&text("wamid.1", "yes"))).await;
        let edit = changed("wamid.2", Some("no"));
        assert_eq!(said(&app, &connection, &edit).await, pair("needs_review", "message_edited"));
    }

    async fn a_question_that_is_changed_into_a_booking_is_not_lost(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = salon(&app).await;
        post(&app, &connection, &text("wamid.1", "Are you open on Sunday?")).await;
        let edit = changed("wamid.2", Some(LINES));
        assert_eq!(said(&app, &connection, &edit).await, pair("needs_review", "message_edited"));
        let told = means(&app, tenant, &json!({"status": "pending"})).await;
        assert_eq!(told["outcome"], "tracked", "{told}");
        assert_eq!(starts(&app, tenant).await, [json!(["2027-01-20T16:15:00Z", "pending"])]);
    }

    async fn a_person_says_what_changed_words_mean(db: TestDb) {
        let moved = json!(["2027-01-20T17:15:00Z", "confirmed"]);
        let stands = json!(["2027-01-20T16:15:00Z", "confirmed"]);
        let off = json!(["2027-01-20T16:15:00Z", "cancelled"]);
        for (words, status, expected) in [
            (Some(LATER), "confirmed", &moved),
            (Some(LATER), "rescheduled", &moved),
            (Some(LATER), "cancelled", &off),
            (Some("Oh, leave it"), "cancelled", &off),
            (None, "cancelled", &off),
            (None, "confirmed", &stands),
        ] {
            let db = TestDb::fresh(db.engine).await;
            let app = TestApp::start(&db).await;
            let (tenant, connection) = salon(&app).await;
            post(&app, &connection, &text("wamid.1", LINES)).await;
            post(&app, &connection, &changed("wamid.2", words)).await;
            let told = means(&app, tenant, &json!({"status": status})).await;
            assert_eq!(told["outcome"], "tracked", "{words:?} {status}: {told}");
            assert_eq!(starts(&app, tenant).await, std::slice::from_ref(expected), "{words:?} {status}");
        }
    }

    async fn what_could_not_be_read_is_settled_by_the_words_it_was_changed_into(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = salon(&app).await;
        let prose = text("wamid.1", &LINES.replace("16:15", "after lunch"));
        assert_eq!(said(&app, &connection, &prose).await.0, "needs_review");
        post(&app, &connection, &changed("wamid.2", Some(LINES))).await;
        means(&app, tenant, &json!({"status": "confirmed"})).await;
        let states = db.texts("select status || ' ' || coalesce(reason, '-') from webhook_events order by id").await;
        assert_eq!(states, ["ignored told_again", "tracked -"]);
    }
}
