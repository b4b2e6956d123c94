//! Starting and stopping: together, one after the other, at once.

use crate::spool::Cut;
use crate::support::app::{TestApp, address, settings};
use crate::support::binary::Program;
use crate::support::db::{Engine, TestDb};
use crate::support::wire::{Wire, head, signed};
use crate::tracking::call_ended;
use bookhook::config::Settings;
use reqwest::{Method, StatusCode};
use std::time::{Duration, Instant};

both_engines! {
    async fn services_that_start_at_once_on_an_empty_database_all_run(db: TestDb) {
        let empty = TestDb::blank(db.engine).await;
        let url = empty.url.clone();
        let starting: Vec<_> = (0..3)
            .map(|_| {
                let url = url.clone();
                std::thread::spawn(move || Program::serve(&TestDb::nowhere(&url), &[]))
            })
            .collect();
        for program in starting {
            let program = program.join().unwrap();
            let answer = reqwest_ready(&program.url).await;
            assert_eq!(answer, StatusCode::OK);
            program.stop();
        }
    }
}

async fn reqwest_ready(url: &str) -> StatusCode {
    let client = crate::support::app::client();
    client.get(format!("{url}/readyz")).send().await.unwrap().status()
}

#[actix_web::test]
async fn a_spool_that_another_has_is_taken_over_when_it_is_free() {
    let cut = Cut::open().await;
    let (second, ready) = TestApp::launch_with(&cut.db, cut.settings()).await;
    ready.await.unwrap();
    cut.proxy.refuse();
    let body = call_ended("c1", "+353871234567").to_string();
    let queued = cut.salon.deliver(&cut.app, "retell", body.as_bytes()).await;
    assert_eq!(queued.body["outcome"], "queued", "{}", queued.body);
    let sent_back = cut.salon.deliver(&second, "retell", body.as_bytes()).await;
    assert_eq!(sent_back.status, StatusCode::SERVICE_UNAVAILABLE, "{}", sent_back.body);

    cut.app.stop().await.unwrap();
    cut.proxy.pass();
    let begun = Instant::now();
    while cut.db.count("webhook_events").await < 2 {
        assert!(begun.elapsed() < Duration::from_secs(10), "the second drains what the first took");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[actix_web::test]
async fn a_spool_that_is_let_go_of_while_postgres_is_away_is_taken_at_the_start() {
    let mut cut = Cut::open().await;
    cut.proxy.refuse();
    // The old one has the spool still when the new one starts.
    let (next, mut ready) = TestApp::launch_with(&cut.db, cut.settings()).await;
    let early = tokio::time::timeout(Duration::from_secs(2), &mut ready).await;
    assert!(early.is_err(), "it knows nobody to believe");
    std::mem::replace(&mut cut.app, next).stop().await.unwrap();
    tokio::time::timeout(Duration::from_secs(8), ready).await.expect("it is ready").unwrap();
    let body = call_ended("c1", "+353871234567").to_string();
    let queued = cut.salon.deliver(&cut.app, "retell", body.as_bytes()).await;
    assert_eq!(queued.body["outcome"], "queued", "{}", queued.body);
    cut.proxy.pass();
    cut.drained().await;
    assert_eq!(cut.event(queued.text("eventId")).await.body["status"], "tracked");
}

#[actix_web::test]
async fn a_service_that_is_to_stop_is_not_ready_finishes_and_ends_well() {
    let db = TestDb::fresh(Engine::Sqlite).await;
    let app = TestApp::start(&db).await;
    let program = Program::serve(&db, &[]);
    let salon = crate::bad_input::Salon::open(&app).await;
    let app = app.at(&program);
    let body = call_ended("c1", "+353871234567").to_string();
    let path = address("retell", Some(salon.connection("retell")));
    let mut headers = signed("retell", crate::support::app::SECRET, body.as_bytes());
    headers.push(("content-length", body.len().to_string()));
    let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let (begin, end) = body.as_bytes().split_at(40);
    let mut slow = Wire::open(&app).await;
    slow.send(&[head("POST", &path, &headers).as_bytes(), begin].concat()).await;
    tokio::time::sleep(Duration::from_millis(200)).await;

    program.signal("TERM");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let ready = app.ask(Method::GET, "/readyz", "").await;
    assert_eq!(ready.text("code"), "draining", "{}", ready.body);
    tokio::time::sleep(Duration::from_millis(600)).await;
    slow.send(end).await;
    let answer = slow.reply().await.expect("an answer").answer;
    assert_eq!(answer.body["outcome"], "tracked", "{}", answer.body);
    assert!(program.ended().success());
}

#[actix_web::test]
async fn a_second_signal_ends_at_once_and_a_deadline_ends_too() {
    let db = TestDb::fresh(Engine::Sqlite).await;
    let app = TestApp::start(&db).await;
    for (within, signals) in [("60", 2), ("1", 1)] {
        let program = Program::serve(&db, &[("BOOKHOOK_STOP_WITHIN", within)]);
        let app = TestApp::start(&db).await.at(&program);
        let path = address("retell", Some("cn_1"));
        let mut slow = Wire::open(&app).await;
        slow.send(head("POST", &path, &[("content-length", "100")]).as_bytes()).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let begun = Instant::now();
        for _ in 0..signals {
            program.signal("TERM");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let ended = program.ended();
        assert!(begun.elapsed() < Duration::from_secs(5), "{within}");
        assert_eq!(ended.success(), signals == 1, "{within}: {ended}");
    }
    drop(app);
}

#[actix_web::test]
async fn a_service_on_postgres_without_a_usable_spool_serves_all_the_same() {
    let db = TestDb::fresh(Engine::Postgres).await;
    let no_directory = db.url.clone();
    let home = tempfile::tempdir().unwrap();
    let spool = home.path().join("missing").join("spool.db");
    let (app, ready) =
        TestApp::launch_with(&db, Settings { spool, ..settings(&no_directory) }).await;
    ready.await.unwrap();
    assert_eq!(app.ask(Method::GET, "/readyz", "").await.status, StatusCode::OK);
}
