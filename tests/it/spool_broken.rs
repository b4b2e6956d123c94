//! The spool's file fails, and PostgreSQL does not: deliveries go to it.

use crate::spool::{Cut, alone};
use crate::support::app::SECRET;
use crate::support::bodies::chat as chat_body;
use bookhook::config::Settings;
use reqwest::{Method, StatusCode};
use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};
use std::time::{Duration, Instant};

/// Does something to the spool's file behind the service's back.
async fn spoil(cut: &Cut, statements: &'static str) {
    let url = format!("sqlite://{}", cut.home.path().join("spool.db").display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Delivers calls until one is tracked at once.
async fn tracked_at_once(cut: &Cut) {
    let begun = Instant::now();
    for n in 0.. {
        let body = alone(&format!("after{n}"), &format!("+35387777{n:04}"));
        let answer = cut.salon.deliver(&cut.app, "retell", body.as_bytes()).await;
        if answer.body["outcome"] == "tracked" {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(8), "still refused: {}", answer.body);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // And so it stays.
    let begun = Instant::now();
    for n in 0.. {
        let body = alone(&format!("stays{n}"), &format!("+35387888{n:04}"));
        let answer = cut.salon.deliver(&cut.app, "retell", body.as_bytes()).await;
        assert_eq!(answer.body["outcome"], "tracked", "{}", answer.body);
        if begun.elapsed() > Duration::from_secs(3) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn queued(cut: &Cut, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..count {
        let body = alone(&format!("c{n}"), &format!("+35387123{n:04}"));
        let answer = cut.salon.deliver(&cut.app, "retell", body.as_bytes()).await;
        assert_eq!(answer.body["outcome"], "queued", "{}", answer.body);
        ids.push(answer.text("eventId").to_owned());
    }
    ids
}

#[actix_web::test]
async fn a_spool_that_takes_no_writes_keeps_nothing_from_postgres() {
    let cut = Cut::open().await;
    cut.proxy.refuse();
    let ids = queued(&cut, 5).await;
    // As a full disk does it: what is there is read, nothing is written.
    spoil(
        &cut,
        "create trigger full_in before insert on deliveries
             begin select raise(abort, 'database or disk is full'); end;
         create trigger full_out before delete on deliveries
             begin select raise(abort, 'database or disk is full'); end",
    )
    .await;
    let body = alone("more", "+353871239999");
    let refused = cut.salon.deliver(&cut.app, "retell", body.as_bytes()).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.body);
    let ready = cut.app.ask(Method::GET, "/readyz", "").await;
    assert_eq!(ready.text("code"), "spool_full", "{}", ready.body);

    cut.proxy.pass();
    tracked_at_once(&cut).await;
    assert_eq!(cut.app.ask(Method::GET, "/readyz", "").await.status, StatusCode::OK);
    let rows = cut.app.rows(cut.salon.tenant, "events").await;
    let listed: Vec<&str> = rows.iter().filter_map(|row| row["id"].as_str()).collect();
    for id in &ids {
        assert!(listed.contains(&id.as_str()), "the others are stored behind the first");
    }
    let stored = cut.db.count("webhook_events").await;

    spoil(&cut, "drop trigger full_in; drop trigger full_out").await;
    cut.drained().await;
    assert_eq!(cut.db.count("webhook_events").await, stored, "none is stored twice");
}

#[actix_web::test]
async fn a_spool_that_cannot_be_read_keeps_nothing_from_postgres() {
    let cut = Cut::open().await;
    cut.proxy.refuse();
    let ids = queued(&cut, 2).await;
    spoil(&cut, "alter table deliveries rename to unread").await;
    cut.proxy.pass();
    tracked_at_once(&cut).await;
    spoil(&cut, "alter table unread rename to deliveries").await;
    cut.drained().await;
    for id in &ids {
        assert_eq!(cut.event(id).await.body["status"], "tracked");
    }
}

#[actix_web::test]
async fn one_that_postgres_never_takes_holds_no_other_up() {
    let cut = Cut::open().await;
    cut.proxy.refuse();
    let ids = queued(&cut, 4).await;
    // As a lock does it that a lost instance holds: this one alone finds the database away.
    cut.db
        .run(&format!(
            "create function stick() returns trigger language plpgsql as $$ begin
                 if new.id = '{}' then raise 'no room' using errcode = '53100'; end if;
                 return new;
             end $$;
             create trigger stick before insert on webhook_events
             for each row execute function stick()",
            ids[1]
        ))
        .await;
    cut.proxy.pass();
    let begun = Instant::now();
    for id in [&ids[0], &ids[2], &ids[3]] {
        while cut.event(id).await.body["status"] != "tracked" {
            assert!(begun.elapsed() < Duration::from_secs(10), "it waits behind another");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    tracked_at_once(&cut).await;
    assert_eq!(cut.event(&ids[1]).await.body["status"], "queued");
    cut.db.run("drop trigger stick on webhook_events").await;
    cut.drained().await;
    assert_eq!(cut.event(&ids[1]).await.body["status"], "tracked");
}

#[actix_web::test]
async fn deliveries_that_come_at_once_while_postgres_is_away_find_the_room_once() {
    let cut = Cut::with(|settings| Settings { spool_size: 1 << 20, ..settings }).await;
    cut.proxy.refuse();
    queued(&cut, 1).await;
    let chat = Some(cut.salon.connection("chat"));
    let one = async |n: u32, size: usize| {
        let mut body = chat_body("0865550199", "Gel Nails", &format!("2026-05-{n:02}T11:30:00"));
        body["padding"] = json!("x".repeat(size));
        let body = body.to_string();
        cut.app.deliver_as("chat", chat, body.as_bytes(), SECRET, &format!("m{n}")).await
    };
    let at_once = futures_util::future::join_all((1..=12).map(|n| one(n, 300_000))).await;
    let taken = at_once.iter().filter(|a| a.status == StatusCode::ACCEPTED).count();
    assert_eq!(taken, 3, "there is room for three");
    // A large one finds none, and those of the usual size do.
    let ready = cut.app.ask(Method::GET, "/readyz", "").await;
    assert_eq!(ready.status, StatusCode::OK, "{}", ready.body);
    assert!(ready.body["spool"]["bytes"].as_u64().unwrap() < 1 << 20, "{}", ready.body);
    assert_eq!(one(20, 20).await.status, StatusCode::ACCEPTED);
    cut.proxy.pass();
    cut.drained().await;
    assert_eq!(cut.db.count("webhook_events").await, 6);
}
