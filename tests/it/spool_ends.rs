//! The ends of the spool: full, drained beside others, cut off in the middle of draining.

use crate::bad_input::Salon;
use crate::spool::{Cut, alone, drained};
use crate::support::app::{SECRET, TestApp, address};
use crate::support::binary::Program;
use crate::support::bodies::chat;
use crate::support::db::TestDb;
use crate::support::outage::Server;
use crate::support::shell::Shell;
use crate::support::wire::signed;
use crate::tracking::{call_ended, workflow};
use bookhook::config::Settings;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

#[actix_web::test]
async fn a_full_spool_sends_back_until_postgres_is_there() {
    let cut = Cut::with(|settings| Settings { spool_size: 1 << 20, ..settings }).await;
    cut.proxy.refuse();
    let large = |n: u32| {
        let mut body = chat("0865550199", "Gel Nails", &format!("2026-05-{:02}T11:30:00", n + 1));
        body["padding"] = json!("x".repeat(335_000));
        body.to_string()
    };
    let chat = Some(cut.salon.connection("chat"));
    let deliver = async |n: u32| {
        cut.app.deliver_as("chat", chat, large(n).as_bytes(), SECRET, &format!("m{n}")).await
    };
    for n in 0..3 {
        let answer = deliver(n).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    }
    let path = address("chat", Some(cut.salon.connection("chat")));
    let signed = signed("chat", SECRET, large(3).as_bytes());
    let signed: Vec<_> = signed.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let full = cut.app.wire("POST", &path, &signed, large(3).as_bytes()).await;
    assert_eq!(full.answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", full.answer.body);
    assert!(full.headers.contains_key("retry-after"));
    let ready = cut.app.ask(Method::GET, "/readyz", "").await;
    assert_eq!(ready.text("code"), "spool_full", "{}", ready.body);
    let again = deliver(2).await;
    assert_eq!(again.body["duplicate"], true, "a repeat needs no room: {}", again.body);

    cut.proxy.pass();
    cut.drained().await;
    let now = deliver(3).await;
    assert_eq!(now.body["outcome"], "tracked", "{}", now.body);
    assert_eq!(cut.db.count("bookings").await, 5);
}

#[actix_web::test]
async fn commands_show_what_waits_for_postgres() {
    let away = "postgres://postgres@localhost:5432/none?host=/nonexistent/bookhook";
    let shell = Shell::at(away);
    let spool = shell.home().join("bookhook-spool.db");
    let cut = Cut::with(|settings| Settings { spool, ..settings }).await;
    cut.proxy.refuse();
    let body = alone("c1", "+353871234567");
    let queued = cut.salon.deliver(&cut.app, "retell", body.as_bytes()).await;
    let id = queued.text("eventId").to_owned();
    let listed = shell.run(&["events", "list", "--json"]);
    let rows = listed.json();
    assert_eq!((rows[0]["id"].as_str(), rows[0]["status"].as_str()), (Some(&*id), Some("queued")));
    assert_eq!(listed.code, 1, "the others can't be listed: {listed:?}");
    let checked = shell.run(&["doctor"]);
    assert!(checked.out.contains("1 deliveries wait"), "{checked:?}");
    assert!(checked.out.contains("tracked once the database is there"), "{checked:?}");

    // A command that reaches the database has both.
    let direct = Shell::new(&cut.db);
    std::fs::copy(shell.home().join("bookhook-spool.db"), direct.home().join("bookhook-spool.db"))
        .unwrap();
    std::fs::copy(
        shell.home().join("bookhook-spool.db-wal"),
        direct.home().join("bookhook-spool.db-wal"),
    )
    .unwrap();
    assert_eq!(direct.json(&["events", "show", &id])["status"], "queued");
    let all = direct.json(&["events", "list"]);
    assert_eq!(all.as_array().unwrap().len(), 2, "{all}");
    let unattended = direct.run(&["doctor"]);
    assert!(unattended.out.contains("no service has it open"), "{unattended:?}");
    cut.proxy.pass();
    cut.drained().await;
    assert_eq!(direct.json(&["events", "show", &id])["status"], "tracked");
}

#[actix_web::test]
async fn what_another_instance_on_postgres_stored_first_is_found_by_both_ids() {
    let cut = Cut::open().await;
    let other = TestApp::start(&cut.db).await;
    cut.proxy.refuse();
    let body = call_ended("c1", "+353871234567").to_string();
    let queued = cut.salon.deliver(&cut.app, "retell", body.as_bytes()).await;
    assert_eq!(queued.body["outcome"], "queued", "{}", queued.body);
    let tracked = cut.salon.deliver(&other, "retell", body.as_bytes()).await;
    assert_eq!(tracked.body["outcome"], "tracked", "{}", tracked.body);
    assert_ne!(queued.text("eventId"), tracked.text("eventId"));

    cut.proxy.pass();
    cut.drained().await;
    let shown = cut.event(queued.text("eventId")).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.body);
    assert_eq!(shown.body["id"], tracked.body["eventId"]);
    assert_eq!(cut.db.count("bookings").await, 2);
}

#[actix_web::test]
async fn what_postgres_turns_out_not_to_track_is_kept_for_a_person() {
    let cut = Cut::open().await;
    let named = async |id: &str, body: &Value| {
        let (connection, secret) = (cut.salon.connection("n8n"), SECRET);
        let body = body.to_string();
        cut.app.deliver_as("n8n", Some(connection), body.as_bytes(), secret, id).await
    };
    let cut_hair = workflow("0851112222", "Cut", "2026-06-01T10:00:00Z");
    let colour = workflow("0851112222", "Colour", "2026-06-02T10:00:00Z");
    assert_eq!(named("m1", &cut_hair).await.body["outcome"], "tracked");
    cut.proxy.refuse();
    let reused = named("m1", &colour).await;
    let unreadable = named("m2", &workflow("12", "Cut", "2026-06-03T10:00:00Z")).await;
    let good = named("m3", &workflow("0851112222", "Cut", "2026-06-04T10:00:00Z")).await;
    for answer in [&reused, &unreadable, &good] {
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    }
    let reused_here = named("m3", &colour).await;
    assert_eq!(reused_here.text("code"), "delivery_key_reused", "{}", reused_here.body);

    cut.proxy.pass();
    cut.drained().await;
    let (reused, unreadable) = (reused.text("eventId"), unreadable.text("eventId"));
    for (id, reason) in [(reused, "delivery_key_reused"), (unreadable, "phone_invalid")] {
        let shown = cut.event(id).await;
        assert_eq!(shown.body["status"], "needs_review", "{}", shown.body);
        assert_eq!(shown.body["reason"], reason);
        assert_eq!(shown.body["id"], id);
    }
    assert_eq!(cut.event(good.text("eventId")).await.body["status"], "tracked");
}

#[actix_web::test]
async fn a_kill_while_draining_to_postgres_doubles_nothing() {
    let cut = Cut::open().await;
    let spool = cut.home.path().join("killed.db");
    let spool = spool.to_str().unwrap();
    let through = TestDb::nowhere(&cut.proxy.url);
    let program = serve(&through, spool).await;
    let service = TestApp::launch(&cut.db).await.0.at(&program);
    cut.proxy.refuse();
    let mut ids = Vec::new();
    for n in 0..100 {
        // Half of them have no key by which a second would be known: only their id.
        let body = if n % 2 == 0 {
            alone(&format!("c{n}"), &format!("+35387123{n:04}"))
        } else {
            let args = json!({"customer_name": "Niamh", "phone": format!("087124{n:04}"), "service": "Cut",
                "date_time": format!("2026-07-{:02}T{:02}:00:00", n % 28 + 1, n % 10 + 8)});
            json!({"name": "book_appointment", "args": args}).to_string()
        };
        let answer = cut.salon.deliver(&service, "retell", body.as_bytes()).await;
        assert_eq!(answer.body["outcome"], "queued", "{}", answer.body);
        ids.push(answer.text("eventId").to_owned());
    }
    cut.proxy.pass();
    let begun = std::time::Instant::now();
    while cut.db.count("webhook_events").await < 3 {
        assert!(begun.elapsed() < Duration::from_secs(15));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    program.kill();
    let stored = cut.db.count("webhook_events").await;

    let program = serve(&through, spool).await;
    let service = service.at(&program);
    drained(&service).await;
    assert!(stored < 101, "it was killed in the middle: {stored}");
    assert_eq!(cut.db.count("webhook_events").await, 101);
    // In the order in which they came.
    let rows = cut.app.rows(cut.salon.tenant, "events").await;
    let listed: Vec<&str> = rows.iter().filter_map(|row| row["id"].as_str()).collect();
    let newest: Vec<&str> = ids.iter().rev().map(String::as_str).collect();
    assert_eq!(listed, newest);
}

/// Starts the program beside the proxy, which has to go on meanwhile.
async fn serve(db: &TestDb, spool: &str) -> Program {
    let (db, spool) = (TestDb::nowhere(&db.url), spool.to_owned());
    let start = move || Program::serve(&db, &[("BOOKHOOK_SPOOL", &spool)]);
    actix_web::rt::task::spawn_blocking(start).await.unwrap()
}

#[actix_web::test]
async fn a_server_of_postgres_killed_under_load_loses_nothing() {
    let server = Server::start();
    let db = server.db();
    let app = TestApp::start(&db).await;
    let salon = Salon::open(&app).await;
    let warm = call_ended("warm", "+353871234567").to_string();
    assert_eq!(salon.deliver(&app, "retell", warm.as_bytes()).await.body["outcome"], "tracked");
    let delivering = async {
        let mut ids = Vec::new();
        for round in 0..12 {
            let one = async |n: i32| {
                let phone = format!("+35387123{round:02}{n:02}");
                let body = alone(&format!("call_{round}_{n}"), &phone);
                salon.deliver(&app, "retell", body.as_bytes()).await
            };
            for answer in futures_util::future::join_all((0..6).map(one)).await {
                assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
                ids.push(answer.text("eventId").to_owned());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        ids
    };
    let killing = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        server.halt("kill");
        tokio::time::sleep(Duration::from_millis(500)).await;
        server.resume();
    };
    let (ids, ()) = tokio::join!(delivering, killing);
    drained(&app).await;
    let rows = app.rows(salon.tenant, "events").await;
    let stored: Vec<&str> = rows.iter().filter_map(|row| row["id"].as_str()).collect();
    assert_eq!(rows.len(), 73);
    for id in &ids {
        assert!(stored.contains(&id.as_str()), "{id} was answered and is not there");
    }
}
