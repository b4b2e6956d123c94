//! Storage that fails: in a transaction of many events, the right ones fail alone.

use crate::histories::salon;
use crate::support::app::MASTER_KEY;
use crate::support::db::{Engine, TestDb};
use bookhook::clock::Clock;
use bookhook::domain::ids;
use bookhook::domain::tenant::TenantSettings;
use bookhook::sources::{self, Delivery, Headers};
use bookhook::storage::Db;
use bookhook::storage::seal::MasterKey;
use bookhook::tracking::answer::Answer;
use bookhook::tracking::{Taken, TrackError, Tracker};
use serde_json::{Value, json};
use std::sync::Arc;

/// What each table is made to refuse: the rows of whoever is called Poison, by a condition on the
/// row, `new`. The words are bytes.
const POISON: &[(&str, &str)] = &[
    ("clients", "new.phone = '+353871000003'"),
    ("client_identities", "new.value = '+353871000003'"),
    ("bookings", "new.notes = 'poison'"),
    ("booking_sightings", "new.says like '%oison%'"),
    ("client_service_mappings", "new.external_client_id = 'px_3'"),
    ("client_words", "new.word = WORD"),
];

pub(crate) const TOLD: usize = 8;

/// Which of them is Poison's.
pub(crate) const BAD: usize = 3;

/// Bookings of strangers, of somebody twice, with a mapping each; one of them is Poison's.
pub(crate) fn told(tenant: &Arc<TenantSettings>) -> Vec<Taken> {
    let one = |n: usize| {
        // The sixth is the fifth's again, at another time.
        let who = if n == 6 { 5 } else { n };
        let name = if n == BAD { "Poison" } else { "Niamh" };
        let notes = if n == BAD { "poison" } else { "none" };
        let body = json!({"bookingData": {
            "phone": format!("+35387100000{who}"), "firstName": name, "serviceName": "Brows",
            "dateTime": format!("2027-06-01T1{n}:00:00Z"), "notes": notes, "source": "web",
            "phorestClientId": format!("px_{who}"), "phorestBusinessId": "biz_1",
        }});
        taken(tenant, "n8n", &format!("msg_{n}"), &body)
    };
    (0..TOLD).map(one).collect()
}

/// The one event of a body, verified.
pub(crate) fn taken(
    tenant: &Arc<TenantSettings>,
    source: &str,
    webhook_id: &str,
    body: &Value,
) -> Taken {
    let (source, received_at) = (sources::find(source).unwrap(), Clock::system().now());
    let body = body.to_string();
    let mut headers = Headers::default();
    headers.insert("webhook-id", webhook_id);
    let delivery = Delivery { body: body.as_bytes(), headers: &headers, received_at };
    let item = source.split(&delivery).unwrap().remove(0);
    Taken {
        event_id: ids::new(received_at),
        queued: false,
        tenant: Arc::clone(tenant),
        connection_id: None,
        source,
        item,
        path: source.path().to_owned(),
        headers: "{}".to_owned(),
        received_at,
        map: None,
        held: None,
    }
}

pub(crate) fn tracker(db: &Db) -> Tracker {
    Tracker::new(db.clone(), MasterKey::parse(MASTER_KEY).unwrap(), Clock::system())
}

/// Tracks all of them at once, each as a delivery of its own would be.
pub(crate) async fn all_at_once(
    tracker: &Tracker,
    all: Vec<Taken>,
) -> Vec<Result<Answer, TrackError>> {
    let each = all.into_iter().map(|one| tracker.track(one));
    futures_util::future::join_all(each).await
}

fn outcome(answer: &Result<Answer, TrackError>) -> String {
    match answer {
        Ok(answer) => format!("{} {:?}", answer.outcome.as_str(), answer.reason),
        Err(error) => format!("{error}"),
    }
}

/// Lets a table refuse certain rows.
async fn refuse(db: &TestDb, table: &str, condition: &str) {
    let word = match db.engine {
        Engine::Sqlite => "x'706f69736f6e'",
        Engine::Postgres => "'\\x706f69736f6e'",
    };
    let condition = condition.replace("WORD", word);
    db.run(&match db.engine {
        Engine::Sqlite => format!(
            "create trigger refuse before insert on {table} when {condition}
             begin select raise(abort, 'refused by the test'); end"
        ),
        Engine::Postgres => format!(
            "create function refuse() returns trigger language plpgsql as
             $$ begin raise exception 'refused by the test'; end $$;
             create trigger refuse before insert on {table}
             for each row when ({condition}) execute function refuse()"
        ),
    })
    .await;
}

async fn allow(db: &TestDb, table: &str) {
    db.run(&match db.engine {
        Engine::Sqlite => "drop trigger refuse".to_owned(),
        Engine::Postgres => format!("drop trigger refuse on {table}; drop function refuse()"),
    })
    .await;
}

/// What there is of each, in the whole database.
async fn counts(db: &TestDb) -> Vec<(&'static str, i64)> {
    let mut counts = Vec::new();
    for table in [
        "clients", "client_identities", "bookings", "booking_sightings", "webhook_events",
        "client_service_mappings",
    ] {
        counts.push((table, db.count(table).await));
    }
    counts
}

/// Everything of a tenant that told everything once.
const WHOLE: [i64; 6] = [7, 7, 8, 8, 8, 7];

both_engines! {
    async fn one_bad_row_fails_alone_whichever_table_refuses_it(db: TestDb) {
        let open = Db::open(&db.url).await.unwrap();
        let tracker = tracker(&open);
        for (table, condition) in POISON {
            let tenant = salon(&open).await;
            let before = counts(&db).await;
            refuse(&db, table, condition).await;
            // As one delivery, which is one transaction: what is refused undoes all of it.
            let answers = tracker.track_all(told(&tenant)).await.unwrap();
            for (n, answer) in answers.iter().enumerate() {
                let said = format!("{} {:?}", answer.outcome.as_str(), answer.reason);
                let bad = r#"failed Some("storing_failed")"#;
                assert_eq!(said, if n == BAD { bad } else { "tracked None" }, "{table} {n}");
            }
            allow(&db, table).await;
            // The refused one is there raw; told again it is tracked, and the others are repeats.
            let again = tracker.track_all(told(&tenant)).await.unwrap();
            assert!(again.iter().all(|a| a.outcome.as_str() == "tracked"), "{table}: {again:?}");
            let after = counts(&db).await;
            for (((name, after), (_, before)), whole) in after.iter().zip(&before).zip(WHOLE) {
                let failed = i64::from(*name == "webhook_events");
                assert_eq!(after - before, whole + failed, "{table}: {name}");
            }
        }
    }

    async fn an_event_that_can_not_even_be_kept_is_not_acknowledged(db: TestDb) {
        let open = Db::open(&db.url).await.unwrap();
        let (tracker, tenant) = (tracker(&open), salon(&open).await);
        refuse(&db, "webhook_events", "new.understood like '%oison%' or new.status = 'failed'").await;
        let answers = all_at_once(&tracker, told(&tenant)).await;
        for (n, answer) in answers.iter().enumerate() {
            let away = "the database is not available";
            assert_eq!(outcome(answer), if n == BAD { away } else { "tracked None" }, "{n}");
        }
        allow(&db, "webhook_events").await;
        let again = all_at_once(&tracker, told(&tenant)).await;
        assert!(again.iter().all(|answer| outcome(answer) == "tracked None"), "{again:?}");
        let found: Vec<i64> = counts(&db).await.into_iter().map(|(_, count)| count).collect();
        assert_eq!(found, WHOLE);
    }
}

/// The n-th statement that writes fails, for every n: PostgreSQL's own sequences count on where
/// the transaction is undone, so it fails once.
async fn whichever_statement_fails(code: &str, step: i64) {
    let db = TestDb::fresh(Engine::Postgres).await;
    db.run(
        "create sequence statements; create table fault (at bigint, code text);
         create function fail_once() returns trigger language plpgsql as $$
         begin
             if nextval('statements') = (select at from fault) then
                 raise exception 'failed by the test'
                     using errcode = (select code from fault);
             end if;
             return null;
         end $$",
    )
    .await;
    for (table, _) in POISON.iter().chain([&("webhook_events", "")]) {
        db.run(&format!(
            "create trigger fail_once before insert or update or delete on {table}
             for each statement execute function fail_once()"
        ))
        .await;
    }
    let open = Db::open(&db.url).await.unwrap();
    let tracker = tracker(&open);
    let mut statement = 1;
    loop {
        let tenant = salon(&open).await;
        let before = counts(&db).await;
        db.run("alter sequence statements restart").await;
        db.run(&format!("delete from fault; insert into fault values ({statement}, '{code}')"))
            .await;
        let answers = all_at_once(&tracker, told(&tenant)).await;
        let met: i64 = db.count("statements where last_value >= (select at from fault)").await;
        let away = code.starts_with("53") || code.starts_with("57");
        for answer in &answers {
            let said = outcome(answer);
            let fine = said == "tracked None" || (away && said.contains("not available"));
            assert!(fine, "{code} at {statement}: {said}");
        }
        db.run("delete from fault").await;
        let again = all_at_once(&tracker, told(&tenant)).await;
        assert!(again.iter().all(|answer| outcome(answer) == "tracked None"), "{again:?}");
        let after = counts(&db).await;
        for (((name, after), (_, before)), whole) in after.iter().zip(&before).zip(WHOLE) {
            assert_eq!(after - before, whole, "{code} at {statement}: {name}");
        }
        if met == 0 {
            break;
        }
        statement += step;
    }
    assert!(statement > 8, "{code}: only {statement} statements were made to fail");
}

/// A test of each way to fail, so that they run beside each other.
macro_rules! whichever_statement_fails {
    ($($name:ident($code:literal, every $step:literal);)+) => { $(
        #[tokio::test]
        async fn $name() {
            whichever_statement_fails($code, $step).await;
        }
    )+ };
}

whichever_statement_fails! {
    whichever_statement_breaks_a_constraint_nothing_is_lost_doubled_or_half_there("23514", every 2);
    whichever_statement_meets_another_nothing_is_lost_doubled_or_half_there("40001", every 5);
    whichever_statement_meets_a_ring_nothing_is_lost_doubled_or_half_there("40P01", every 7);
    whichever_statement_finds_the_disk_full_nothing_is_lost_doubled_or_half_there("53100", every 5);
    whichever_statement_sees_the_server_stop_nothing_is_lost_doubled_or_half_there("57P01", every 7);
}
