//! PostgreSQL is away: deliveries are queued in the spool, and tracked under their ids when it is
//! back.

use crate::bad_input::Salon;
use crate::support::app::{Answer, SECRET, TestApp, settings};
use crate::support::bodies::{chat, form, whatsapp};
use crate::support::db::{Engine, TestDb};
use crate::support::outage::Proxy;
use crate::tracking::{call_ended, workflow};
use bookhook::config::Settings;
use bookhook::domain::channel::Role;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::time::{Duration, Instant};

/// A service whose database is behind a proxy, and a salon that it knows.
pub(crate) struct Cut {
    pub(crate) app: TestApp,
    pub(crate) salon: Salon,
    pub(crate) proxy: Proxy,
    pub(crate) token: String,
    pub(crate) db: TestDb,
    pub(crate) home: tempfile::TempDir,
}

impl Cut {
    pub(crate) async fn open() -> Self {
        Self::with(|settings| settings).await
    }

    pub(crate) async fn with(change: impl FnOnce(Settings) -> Settings) -> Self {
        let db = TestDb::fresh(Engine::Postgres).await;
        let proxy = Proxy::before(&db).await;
        let home = tempfile::tempdir().unwrap();
        let own = Settings { spool: home.path().join("spool.db"), ..settings(&proxy.url) };
        let (app, ready) = TestApp::launch_with(&db, change(own)).await;
        ready.await.unwrap();
        let salon = Salon::open(&app).await;
        let token = app.token(Role::ClientAdmin, Some(salon.tenant)).await;
        let first = chat("0865550100", "First", "2026-05-14T09:30:00").to_string();
        let warm = salon.deliver(&app, "chat", first.as_bytes()).await;
        assert_eq!(warm.body["outcome"], "tracked", "{}", warm.body);
        // The directory is read each second; tokens are in it.
        tokio::time::sleep(Duration::from_millis(1300)).await;
        Self { app, salon, proxy, token, db, home }
    }

    /// The settings of a service in the place of this one.
    pub(crate) fn settings(&self) -> Settings {
        Settings { spool: self.home.path().join("spool.db"), ..settings(&self.proxy.url) }
    }

    /// Delivers a body under the same delivery id each time.
    async fn deliver(&self, source: &str, body: &[u8]) -> Answer {
        let connection = Some(self.salon.connection(source));
        self.app.deliver_as(source, connection, body, SECRET, "msg_1").await
    }

    pub(crate) async fn event(&self, id: &str) -> Answer {
        let path = format!("/api/platform/tenants/{}/events/{id}", self.salon.tenant);
        self.app.ask(Method::GET, &path, &self.token).await
    }

    pub(crate) async fn drained(&self) {
        drained(&self.app).await;
    }
}

/// Waits until nothing waits.
pub(crate) async fn drained(app: &TestApp) {
    let begun = Instant::now();
    loop {
        let ready = app.ask(Method::GET, "/readyz", "").await;
        if ready.body["degraded"] == false {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(25), "not drained: {}", ready.body);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A body of each source, with the answer's status and the place of its event in it.
fn of_each() -> [(&'static str, Vec<u8>, StatusCode, &'static str); 4] {
    let said = whatsapp(&[form("1", "wamid.1", "353879999999", "Brows", ("2027-01-14", "15:30"))]);
    [
        ("retell", call_ended("c1", "+353871234567").to_string().into(), StatusCode::OK, ""),
        ("whatsapp", said, StatusCode::OK, "/results/0"),
        (
            "chat",
            chat("0865550199", "Gel Nails", "2026-05-14T11:30:00").to_string().into(),
            StatusCode::ACCEPTED,
            "",
        ),
        (
            "n8n",
            workflow("0851112222", "Cut", "2026-06-01T10:00:00Z").to_string().into(),
            StatusCode::ACCEPTED,
            "",
        ),
    ]
}

/// A call that shares nothing with another one: neither person nor reference.
pub(crate) fn alone(call: &str, phone: &str) -> String {
    call_ended(call, phone).to_string().replace("PH-88213", &format!("PH-{call}"))
}

fn id_of(event: &Value) -> String {
    event["eventId"].as_str().unwrap_or_else(|| panic!("an id: {event}")).to_owned()
}

/// Delivers one of each source, twice; then lets the database come back, and looks.
async fn goes_through_an_outage(cut: &Cut, back: impl AsyncFnOnce()) {
    let mut ids = Vec::new();
    for (source, body, status, place) in of_each() {
        let begun = Instant::now();
        let first = cut.deliver(source, &body).await;
        assert_eq!(first.status, status, "{source}: {}", first.body);
        let event = first.body.pointer(place).unwrap();
        assert_eq!(event["outcome"], "queued", "{source}: {}", first.body);
        assert_eq!(event["success"], true);
        assert!(begun.elapsed() < Duration::from_secs(9), "{source} would not wait so long");
        let id = id_of(event);
        let shown = cut.event(&id).await;
        assert_eq!(shown.status, StatusCode::OK, "{source}: {}", shown.body);
        assert_eq!(shown.body["status"], "queued");
        assert!(shown.body["raw"].as_str().is_some_and(|raw| !raw.is_empty()));

        let begun = Instant::now();
        let again = cut.deliver(source, &body).await;
        let event = again.body.pointer(place).unwrap();
        assert_eq!((id_of(event), &event["duplicate"]), (id.clone(), &Value::Bool(true)));
        assert!(begun.elapsed() < Duration::from_secs(1), "it knows that the database is away");
        ids.push((source, id));
    }
    let ready = cut.app.ask(Method::GET, "/readyz", "").await;
    assert_eq!((ready.status, &ready.body["degraded"]), (StatusCode::OK, &Value::Bool(true)));
    assert_eq!(ready.body["spool"]["deliveries"], 4, "{}", ready.body);
    let counters = cut.app.ask(Method::GET, "/metrics", "").await.body.to_string();
    assert!(counters.contains("bookhook_spool_deliveries 4"), "{counters}");

    back().await;
    cut.drained().await;
    for (source, id) in &ids {
        let shown = cut.event(id).await;
        assert_eq!(shown.body["status"], "tracked", "{source}: {}", shown.body);
        assert_eq!(shown.body["id"], **id);
        assert_ne!(shown.body["bookingId"], Value::Null);
    }
    assert_eq!(cut.db.count("webhook_events").await, 5);
    assert_eq!(cut.db.count("bookings").await, 5);
    for ((source, body, _, place), (_, id)) in of_each().into_iter().zip(ids) {
        let again = cut.deliver(source, &body).await;
        let event = again.body.pointer(place).unwrap();
        assert_eq!((id_of(event), &event["outcome"]), (id, &Value::from("tracked")), "{source}");
    }
}

#[actix_web::test]
async fn deliveries_are_queued_while_postgres_refuses() {
    let cut = Cut::open().await;
    cut.proxy.refuse();
    goes_through_an_outage(&cut, async || cut.proxy.pass()).await;
}

#[actix_web::test]
async fn deliveries_are_queued_while_postgres_hangs() {
    let cut = Cut::open().await;
    cut.proxy.hang();
    goes_through_an_outage(&cut, async || cut.proxy.pass()).await;
}

#[actix_web::test]
async fn deliveries_are_queued_while_postgres_only_reads() {
    let cut = Cut::open().await;
    let name = cut.db.url.split('?').next().unwrap().rsplit('/').next().unwrap().to_owned();
    let read_only = |on: &'static str| {
        let name = name.clone();
        let db = &cut.db;
        async move {
            db.run(&format!(
                "begin read write;
                 alter database {name} set default_transaction_read_only = {on};
                 commit;
                 select pg_terminate_backend(pid) from pg_stat_activity
                 where datname = current_database() and pid <> pg_backend_pid()"
            ))
            .await;
        }
    };
    read_only("on").await;
    goes_through_an_outage(&cut, async || read_only("off").await).await;
}

#[actix_web::test]
async fn connections_cut_under_load_on_postgres_lose_and_double_nothing() {
    let cut = Cut::open().await;
    let delivering = async {
        let mut ids = Vec::new();
        for round in 0..8 {
            let one = async |n: i32| {
                let phone = format!("+35387123{round:02}{n:02}");
                let body = alone(&format!("call_{round}_{n}"), &phone);
                cut.salon.deliver(&cut.app, "retell", body.as_bytes()).await
            };
            for answer in futures_util::future::join_all((0..6).map(one)).await {
                assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
                ids.push(id_of(&answer.body));
            }
        }
        ids
    };
    let cutting = async {
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(60)).await;
            cut.proxy.cut();
        }
    };
    let (ids, ()) = tokio::join!(delivering, cutting);
    cut.drained().await;
    for id in &ids {
        assert_eq!(cut.event(id).await.body["status"], "tracked");
    }
    assert_eq!(cut.db.count("webhook_events").await, 49);
}

#[actix_web::test]
async fn a_restart_while_postgres_is_away_goes_on_queueing() {
    let mut cut = Cut::open().await;
    cut.proxy.refuse();
    let body = call_ended("c1", "+353871234567").to_string();
    let first = cut.salon.deliver(&cut.app, "retell", body.as_bytes()).await;
    assert_eq!(first.body["outcome"], "queued", "{}", first.body);

    let settings = cut.settings();
    let (next, ready) = {
        let old = std::mem::replace(&mut cut.app, TestApp::launch(&cut.db).await.0);
        old.stop().await.unwrap();
        TestApp::launch_with(&cut.db, settings).await
    };
    cut.app = next;
    tokio::time::timeout(Duration::from_secs(8), ready).await.expect("it is ready").unwrap();
    let again = cut.salon.deliver(&cut.app, "retell", body.as_bytes()).await;
    assert_eq!(id_of(&again.body), id_of(&first.body), "{}", again.body);
    let other = call_ended("c2", "+353871234567").to_string();
    let connection = cut.salon.connection("retell").to_owned();
    let wrong = "another secret altogether";
    let refused =
        cut.app.deliver_as("retell", Some(&connection), other.as_bytes(), wrong, "m").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{}", refused.body);
    let second =
        cut.app.deliver_as("retell", Some(&connection), other.as_bytes(), SECRET, "m").await;
    assert_eq!(second.body["outcome"], "queued", "{}", second.body);
    let by_token = workflow("0851112222", "Cut", "2026-06-01T10:00:00Z");
    let by_token = cut.app.deliver_with_token("n8n", &cut.token, &by_token).await;
    assert_eq!(by_token.status, StatusCode::ACCEPTED, "{}", by_token.body);
    let unknown = cut.app.deliver_with_token("n8n", "bk_live_x", &Value::Null).await;
    assert_eq!(unknown.status, StatusCode::UNAUTHORIZED, "{}", unknown.body);
    // Nothing of a secret lies open in the file.
    for name in ["spool.db", "spool.db-wal"] {
        let bytes = std::fs::read(cut.home.path().join(name)).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(SECRET) && !text.contains(&connection), "{name}");
    }

    cut.proxy.pass();
    cut.drained().await;
    for answer in [first, second, by_token] {
        assert_eq!(cut.event(&id_of(&answer.body)).await.body["status"], "tracked");
    }
}
