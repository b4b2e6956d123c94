//! A database whose disk is full for a while, and a server whose locks somebody gone still holds.

use crate::faults::{BAD, TOLD, all_at_once, taken, told, tracker};
use crate::histories::salon;
use crate::support::db::{Engine, TestDb};
use bookhook::clock::Clock;
use bookhook::domain::tenant::TenantSettings;
use bookhook::storage::{Db, Tx, audit, locks};
use bookhook::tracking::TrackError;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// A transaction of another instance that holds a lock and says nothing more.
async fn holding(db: &Db, tenant: &Arc<TenantSettings>, name: &str) -> Tx {
    let mut tx = db.begin().await.unwrap();
    locks::lock(&mut tx.conn(), tenant.id, &[name.to_owned()]).await.unwrap();
    tx
}

#[actix_web::test]
async fn a_full_disk_refuses_and_once_there_is_room_the_next_delivery_is_stored() {
    let db = TestDb::fresh(Engine::Sqlite).await;
    let open = Db::open(&db.url).await.unwrap();
    let (tenant, tracker) = (salon(&open).await, tracker(&open));
    let Db::Sqlite { write, .. } = &open else { panic!("a file") };
    // Not a page more than there are: a limit of the one connection that writes.
    sqlx::query("pragma max_page_count = 1").execute(write).await.unwrap();

    // A statement of one row: SQLite undoes the whole transaction by itself when it finds no room.
    let mut error = None;
    for _ in 0..100 {
        let mut tx = open.begin().await.unwrap();
        let (now, long) = (Clock::system().now(), "x".repeat(4000));
        let noted =
            audit::note(&mut tx.conn(), tenant.id, "test", "x", "x", "x", Some(&long), now).await;
        if let Err(full) = noted {
            error = Some(full);
            break;
        }
        tx.commit().await.unwrap();
    }
    assert!(error.expect("the disk is full").is_unavailable());
    // And once there is room again:
    sqlx::query("pragma max_page_count = 1000000").execute(write).await.unwrap();
    let answers = tracker.track_all(told(&tenant)).await.unwrap();
    assert!(answers.iter().all(|answer| answer.outcome.as_str() == "tracked"), "{answers:?}");
}

#[actix_web::test]
async fn whoever_waits_for_a_lock_of_somebody_gone_gives_up_and_the_others_are_stored() {
    let db = TestDb::fresh(Engine::Postgres).await;
    let (open, other) = (Db::open(&db.url).await.unwrap(), Db::open(&db.url).await.unwrap());
    let (tenant, tracker) = (salon(&open).await, tracker(&open));
    // A person's id at their provider is locked as well: two people can't take it at once.
    for name in ["phone:+353871000003".to_owned(), locks::account("phorest", "px_3")] {
        let held = holding(&other, &tenant, &name).await;
        let outcomes = all_at_once(&tracker, told(&tenant)).await;
        for (n, outcome) in outcomes.iter().enumerate() {
            match outcome {
                Ok(answer) => assert_eq!((answer.outcome.as_str(), n != BAD), ("tracked", true)),
                // It says nothing of the server: whoever else delivers is not sent to the spool.
                Err(TrackError::Unavailable(error)) => {
                    assert_eq!((n, error.is_unavailable()), (BAD, false), "{name}: {error}");
                }
                Err(error) => panic!("{name}: {error}"),
            }
        }
        assert_eq!(outcomes.len(), TOLD);
        // Nothing is kept of it as if it had failed for good.
        assert_eq!(db.count("webhook_events where status = 'failed'").await, 0);
        drop(held);
    }
    let answers = tracker.track_all(told(&tenant)).await.unwrap();
    assert!(answers.iter().all(|answer| answer.outcome.as_str() == "tracked"), "{answers:?}");
}

#[actix_web::test]
async fn a_call_without_a_booking_waits_for_whoever_erases_what_was_told_in_it() {
    let db = TestDb::fresh(Engine::Postgres).await;
    let (open, other) = (Db::open(&db.url).await.unwrap(), Db::open(&db.url).await.unwrap());
    let (tenant, tracker) = (salon(&open).await, tracker(&open));
    let body = json!({"event": "call_ended", "call": {
        "call_id": "call_9", "call_type": "phone_call", "agent_id": "agent_1",
        "from_number": "+353871234567", "start_timestamp": 1_790_000_000_000_i64,
        "transcript": "Agent: hello. User: wrong number.",
    }});
    let held = holding(&other, &tenant, "context:retell:call:call_9").await;
    let outcome = tracker.track(taken(&tenant, "retell", "", &body)).await;
    assert!(matches!(outcome, Err(TrackError::Unavailable(_))), "{outcome:?}");
    drop(held);
    let answer = tracker.track(taken(&tenant, "retell", "", &body)).await.unwrap();
    assert_eq!(answer.outcome.as_str(), "ignored");
}

#[actix_web::test]
async fn a_server_that_was_read_only_at_the_start_is_left_to_be_migrated_by_others() {
    let db = TestDb::blank(Engine::Postgres).await;
    let (name, open) = (db.url.clone(), Db::open(&db.url).await.unwrap());
    let database = name.split(['/', '?']).nth(3).unwrap();
    let read_only = |is: &str| {
        format!("alter database \"{database}\" set default_transaction_read_only = {is}")
    };
    db.run(&read_only("on")).await;
    let error = open.migrate().await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    let admin = "begin read write; set transaction read write; ";
    db.run(&format!("{admin}{}; commit", read_only("off"))).await;
    let other = Db::open(&db.url).await.unwrap();
    let migrated = tokio::time::timeout(Duration::from_mins(1), other.migrate()).await;
    migrated.expect("nobody holds the lock").unwrap();
    open.migrate().await.unwrap();
}
