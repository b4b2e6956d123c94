//! The database is away, busy, or the service is asked to stop: nothing acknowledged is lost.

use crate::bad_input::Salon;
use crate::support::app::{SECRET, TestApp, address};
use crate::support::bodies::{chat, form, whatsapp};
use crate::support::db::{Engine, TestDb};
use crate::support::wire::{Wire, head, signed};
use crate::tracking::{call_ended, workflow};
use bookhook::domain::channel::Role;
use bookhook::sources;
use reqwest::{Method, StatusCode};
use sqlx::{Connection as _, Executor as _};
use std::time::{Duration, Instant};

/// A database that no server answers for.
const NOWHERE: &str = "postgres://postgres@localhost:5432/postgres?host=/nonexistent/bookhook";

#[actix_web::test]
async fn a_service_whose_database_is_away_waits_and_sends_deliveries_back() {
    let db = TestDb::nowhere(NOWHERE);
    let (app, mut ready) = TestApp::launch(&db).await;
    assert_eq!(app.ask(Method::GET, "/healthz", "").await.status, StatusCode::OK);
    let not_ready = app.wire("GET", "/readyz", &[], b"").await;
    assert_eq!(not_ready.answer.status, StatusCode::SERVICE_UNAVAILABLE);
    for source in sources::ALL.iter().map(|source| source.name()) {
        let body = b"{\"tenantId\":\"glow-studio\"}";
        let headers = signed(source, SECRET, body);
        let mut headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        headers.push(("content-type", "application/json"));
        for path in [address(source, None), address(source, Some("cn_1"))] {
            let reply = app.wire("POST", &path, &headers, body).await;
            let status = reply.answer.status;
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {}", reply.answer.body);
            let after: u32 = reply.headers["retry-after"].parse().unwrap();
            assert!((1..=60).contains(&after), "{path}");
            assert_eq!(reply.answer.body["code"], "unavailable");
        }
    }
    assert!(ready.try_recv().is_err(), "it is not ready");
    app.stop().await.unwrap();
}

#[actix_web::test]
async fn a_delivery_to_a_locked_file_is_sent_back_and_can_come_again() {
    let db = TestDb::fresh(Engine::Sqlite).await;
    let app = TestApp::start(&db).await;
    let salon = Salon::open(&app).await;
    let body = call_ended("call_1", "+353871234567").to_string();
    let warm = salon
        .deliver(
            &app,
            "chat",
            chat("0865550199", "Cut", "2026-05-14T11:30:00").to_string().as_bytes(),
        )
        .await;
    assert_eq!(warm.status, StatusCode::OK);

    let token = app.token(Role::ClientAdmin, Some(salon.tenant)).await;
    let events = format!("/api/platform/tenants/{}/events", salon.tenant);
    let before = app.ask(Method::GET, &events, &token).await;
    let mut other = db.sqlite().await;
    other.execute("begin immediate").await.unwrap();
    let headers = signed("retell", SECRET, body.as_bytes());
    let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let path = address("retell", Some(salon.connection("retell")));
    let began = Instant::now();
    let reply = app.wire("POST", &path, &headers, body.as_bytes()).await;
    assert_eq!(reply.answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", reply.answer.body);
    assert!(reply.headers.contains_key("retry-after"));
    assert!(began.elapsed() < Duration::from_secs(10), "Retell waits for ten seconds");
    assert_eq!(app.ask(Method::GET, "/healthz", "").await.status, StatusCode::OK);
    let meanwhile = app.ask(Method::GET, &events, &token).await;
    assert_eq!(meanwhile, before, "reading goes on, and nothing was written");
    other.execute("rollback").await.unwrap();

    let again = app.deliver("retell", Some(salon.connection("retell")), body.as_bytes()).await;
    assert_eq!(again.body["outcome"], "tracked", "{}", again.body);
    assert_eq!(again.body.get("duplicate"), None, "nothing of the first was kept");
}

both_engines! {
    async fn a_short_lock_is_waited_for(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let body = call_ended("call_1", "+353871234567").to_string();
        let release = async {
            match db.engine {
                Engine::Sqlite => {
                    let mut other = db.sqlite().await;
                    other.execute("begin immediate").await.unwrap();
                    tokio::time::sleep(Duration::from_millis(700)).await;
                    other.execute("rollback").await.unwrap();
                }
                Engine::Postgres => {
                    let mut other = db.postgres().await;
                    other.execute("begin; lock table webhook_events").await.unwrap();
                    tokio::time::sleep(Duration::from_millis(700)).await;
                    other.execute("rollback").await.unwrap();
                }
            }
        };
        let deliver = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            salon.deliver(&app, "retell", body.as_bytes()).await
        };
        let ((), answer) = tokio::join!(release, deliver);
        assert_eq!(answer.body["outcome"], "tracked", "{}", answer.body);
    }

    async fn what_was_begun_is_finished_when_the_service_stops(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let path = address("n8n", Some(salon.connection("n8n")));
        let body = workflow("0851112222", "Cut", "2026-06-01T10:00:00Z").to_string();
        let mut headers = signed("n8n", SECRET, body.as_bytes());
        headers.push(("content-length", body.len().to_string()));
        let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let (begin, end) = body.as_bytes().split_at(40);
        let mut slow = Wire::open(&app).await;
        slow.send(&[head("POST", &path, &headers).as_bytes(), begin].concat()).await;
        tokio::time::sleep(Duration::from_millis(200)).await;

        let finish = async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            assert!(slow.send(end).await);
            slow.reply().await.expect("an answer").answer
        };
        let (stopped, answer) = tokio::join!(app.stop(), finish);
        stopped.unwrap();
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body["outcome"], "tracked");
        assert_eq!(db.count("bookings").await, 1);
    }

    async fn a_client_that_hangs_up_after_sending_leaves_a_whole_booking_or_none(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let path = address("whatsapp", Some(salon.connection("whatsapp")));
        for n in 0..20 {
            let id = format!("wamid.{n}");
            let at = format!("{:02}:00", n % 12 + 8);
            let body = whatsapp(&[form("1", &id, "353879999999", "Brows", ("2027-01-14", &at))]);
            let mut headers = signed("whatsapp", SECRET, &body);
            headers.push(("content-length", body.len().to_string()));
            let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            let mut wire = Wire::open(&app).await;
            wire.send(&[head("POST", &path, &headers).as_bytes(), &body].concat()).await;
            tokio::time::sleep(Duration::from_millis(n)).await;
            drop(wire);
        }
        app.stop().await.unwrap();
        let told = db.count("webhook_events where status = 'tracked'").await;
        assert_eq!(db.count("webhook_events").await, told);
        assert_eq!(db.count("booking_sightings").await, told);
        assert!(told > 0);
        assert_eq!(db.count("clients").await, 1);
    }
}

#[actix_web::test]
async fn sessions_that_the_server_ends_are_replaced() {
    let db = TestDb::fresh(Engine::Postgres).await;
    let app = TestApp::start(&db).await;
    let salon = Salon::open(&app).await;
    let first = call_ended("call_1", "+353871234567").to_string();
    assert_eq!(salon.deliver(&app, "retell", first.as_bytes()).await.status, StatusCode::OK);
    let mut other = db.postgres().await;
    other
        .execute(
            "select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()",
        )
        .await
        .unwrap();
    other.close().await.unwrap();
    for n in 2..6 {
        let body = call_ended(&format!("call_{n}"), "+353871234567").to_string();
        let answer = salon.deliver(&app, "retell", body.as_bytes()).await;
        let known = [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE];
        assert!(known.contains(&answer.status), "{n}: {}", answer.body);
        if answer.status != StatusCode::OK {
            let again = salon.deliver(&app, "retell", body.as_bytes()).await;
            assert_eq!(again.body["outcome"], "tracked", "{}", again.body);
        }
    }
    assert_eq!(app.rows(salon.tenant, "events").await.len(), 5);
}
