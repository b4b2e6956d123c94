//! Many messages in one delivery: what becomes of each is what would have become of it alone.

use crate::failing::refuse_bookings;
use crate::support::app::{Answer, TestApp};
use crate::support::bodies::{Said, form, text, whatsapp};
use crate::support::db::{Engine, TestDb};
use serde_json::Value;
use std::sync::Arc;
use uuid::Uuid;

const A: &str = "771234500000001";
const B: &str = "771234500000002";

/// Two salons behind one secret; the first one's connection.
async fn two_salons(app: &TestApp) -> (Uuid, Uuid, String) {
    let (a, b) = (app.tenant("salon-a").await, app.tenant("salon-b").await);
    let connection = app.connection("whatsapp", Some(a), &[(A, a)]).await;
    app.connection("whatsapp", Some(b), &[(B, b)]).await;
    (a, b, connection)
}

/// A day of two salons: questions, forms, a form sent twice, a yes, one message told twice.
fn messages(count: usize) -> Vec<Said> {
    let mut said: Vec<Said> = (0..count)
        .map(|n| {
            let (to, id) = (if n % 3 == 0 { B } else { A }, format!("wamid.{n}"));
            let from = format!("35387{:07}", 1_000_000 + n % 17);
            let day = format!("2027-01-{:02}", n % 5 + 1);
            match n % 4 {
                0 => form(to, &id, &from, "Brows", (&day, "15:30")),
                1 => text(to, &id, &from, "yes"),
                _ => text(to, &id, &from, "Are you open on Monday?"),
            }
        })
        .collect();
    said.push(text(A, "wamid.2", "353871000002", "Are you open on Monday?"));
    said
}

async fn deliver(app: &TestApp, said: &[Said]) -> Vec<Value> {
    let answer: Answer = app.deliver("whatsapp", None, &whatsapp(said)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["results"].as_array().unwrap().clone()
}

/// What was answered, without ids.
fn plain(results: &[Value]) -> Vec<String> {
    let plain = |one: &Value| {
        let is = |member: &str| one.get(member).is_some();
        let said = (&one["outcome"], &one["reason"], &one["isNewClient"], &one["duplicate"]);
        format!("{said:?} {} {}", is("bookingId"), is("leadId"))
    };
    results.iter().map(plain).collect()
}

/// The rows of a tenant without ids and times of arrival, sorted.
async fn rows(app: &TestApp, db: &TestDb, tenant: Uuid) -> Vec<String> {
    let mut shown = Vec::new();
    for (noun, members) in [
        ("clients", &["phone", "firstName", "firstInteractionDate", "lastBookingDate"][..]),
        ("bookings", &["bookingDate", "serviceName", "status"][..]),
        ("events", &["kind", "status", "reason"][..]),
    ] {
        let all = app.rows(tenant, noun).await;
        shown.extend(all.iter().map(|row| {
            format!("{noun} {:?}", members.iter().map(|m| &row[*m]).collect::<Vec<_>>())
        }));
    }
    let select =
        "select phone || ' ' || status || ' ' || interactions from leads where tenant_id = ";
    let tenant = match db.engine {
        Engine::Sqlite => format!("x'{}'", tenant.simple()),
        Engine::Postgres => format!("'{tenant}'"),
    };
    shown.extend(db.texts(&format!("{select}{tenant}")).await);
    shown.sort();
    shown
}

both_engines! {
    async fn a_batch_ends_in_the_rows_and_answers_of_its_messages_one_by_one(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (a, b, _) = two_salons(&app).await;
        let said = messages(90);
        let results = deliver(&app, &said).await;
        assert_eq!(results.len(), said.len());
        // Told again, whole, every message is answered as it was.
        let again = deliver(&app, &said).await;
        for (first, again) in results.iter().zip(&again) {
            assert_eq!(again["duplicate"], true, "{again}");
            assert_eq!(again["eventId"], first["eventId"]);
            assert_eq!(again["outcome"], first["outcome"]);
        }

        let alone = TestDb::fresh(db.engine).await;
        let other = TestApp::start(&alone).await;
        let (other_a, other_b, _) = two_salons(&other).await;
        let mut one_by_one = Vec::new();
        for one in &said {
            one_by_one.extend(deliver(&other, std::slice::from_ref(one)).await);
        }
        assert_eq!(plain(&results), plain(&one_by_one));
        for (here, there) in [(a, other_a), (b, other_b)] {
            assert_eq!(rows(&app, &db, here).await, rows(&other, &alone, there).await);
        }
    }

    async fn what_cannot_be_stored_takes_none_of_its_siblings_with_it(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (a, ..) = two_salons(&app).await;
        refuse_bookings(&db).await;
        let said: Vec<Said> = (0..30)
            .map(|n| {
                let from = format!("35387{:07}", 1_000_000 + n);
                match n {
                    7 => form(A, "wamid.7", &from, "Brows", ("2027-01-14", "15:30")),
                    _ => text(A, &format!("wamid.{n}"), &from, "Are you open on Monday?"),
                }
            })
            .collect();
        let results = deliver(&app, &said).await;
        for (n, result) in results.iter().enumerate() {
            let reason = if n == 7 { "storing_failed" } else { "lead_recorded" };
            assert_eq!(result["reason"], reason, "{n}: {result}");
        }
        assert_eq!(app.rows(a, "events").await.len(), 30);
        assert_eq!(db.count("leads").await, 29);
        assert_eq!(db.count("lead_interactions").await, 29);
    }

    async fn batches_of_the_same_people_at_once_wait_for_each_other_and_all_go_through(db: TestDb) {
        let app = Arc::new(TestApp::start(&db).await);
        let (a, b, _) = two_salons(&app).await;
        let tasks = (0..6).map(|turn: usize| {
            let app = Arc::clone(&app);
            actix_web::rt::spawn(async move {
                let mut said = messages(150);
                // The same people in another order each time, and half of the messages twice.
                let places = said.len();
                said.rotate_left(turn * 31 % places);
                if turn.is_multiple_of(2) {
                    said.reverse();
                }
                deliver(&app, &said).await.len()
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            assert_eq!(task.await.unwrap(), 151);
        }
        assert_eq!(db.count("webhook_events").await, 150);
        let failed = db.count("webhook_events where status = 'failed'").await;
        assert_eq!(failed, 0);
        // Seventeen people, each with a form in each salon that they wrote to.
        let clients = app.rows(a, "clients").await.len() + app.rows(b, "clients").await.len();
        assert_eq!(i64::try_from(clients).unwrap(), db.count("clients").await);
        let twice = db.texts("select cast(count(*) as text) from bookings group by tenant_id, client_id, booking_at having count(*) > 1").await;
        assert!(twice.is_empty(), "{twice:?}");
    }
}
