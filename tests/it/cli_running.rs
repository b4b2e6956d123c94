//! The commands that run or check the service: serve, demo, doctor, and what reaches a running one.

use crate::support::app::MASTER_KEY;
use crate::support::db::Engine;
use crate::support::shell::{Shell, within_five_seconds};
use serde_json::Value;
use std::time::Duration;

/// Another key than the tests'.
const OTHER_KEY: &str = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";

const BOOKING: &[u8] = include_bytes!("../../fixtures/chat/booking_free_of_charge.json");

fn check<'a>(doctor: &'a Value, name: &str) -> &'a Value {
    let checks = doctor["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{doctor}"))
}

both_engines! {
    async fn serve_says_where_it_is_and_stops_when_told(db: TestDb) {
        let shell = Shell::new(&db);
        for signal in ["-TERM", "-INT"] {
            let service = shell.serve();
            let ready = reqwest_get(&format!("{}/readyz", service.url)).await;
            assert_eq!(ready, 200);
            assert_eq!(service.stop(signal), (Some(0), String::new()), "{signal}");
        }
    }

    async fn a_new_secret_is_in_force_at_once_and_the_old_one_for_its_overlap(db: TestDb) {
        let shell = Shell::new(&db);
        shell.tenant("Liffey Light");
        let service = shell.serve();
        let made = shell.json(&["connection", "add", "--source", "chat", "--tenant",
            "liffey-light"]);
        let (id, old) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
        let file = shell.file("booking.json", BOOKING);
        let send = |secret: &str| {
            let send = ["send", "chat", &file, "--to", &service.url, "--json"];
            let ran = shell.run(&[&send[..], &["--connection", id, "--secret", secret]].concat());
            let status = ran.json()[0]["status"].as_u64();
            assert_eq!(ran.code == 0, status == Some(200), "{ran:?}");
            status
        };
        assert_eq!(send(old), Some(200));
        let rotated = shell.json(&["connection", "rotate", id, "--overlap", "2s"]);
        let new = rotated["secret"].as_str().unwrap();
        assert_ne!(new, old);
        assert_eq!((send(new), send(old)), (Some(200), Some(200)));
        tokio::time::sleep(Duration::from_secs(2)).await;
        within_five_seconds("the old secret runs out", || send(old) == Some(401));
        assert_eq!(send(new), Some(200));

        let disabled = shell.json(&["connection", "disable", id]);
        assert_eq!(disabled["status"], "disabled");
        within_five_seconds("a disabled connection takes nothing", || send(new) == Some(401));
        assert_eq!(shell.json(&["connection", "list"])[0]["status"], "disabled");
    }

    async fn doctor_finds_nothing_wrong_and_shows_no_secret(db: TestDb) {
        // A password in the address is masked wherever it stands.
        let password = if db.engine == Engine::Postgres { "&password=hunter2" } else { "" };
        let shell = Shell::at(&format!("{}{password}", db.url));
        let slug = shell.tenant("Glow");
        shell.json(&["connection", "add", "--source", "n8n", "--tenant", &slug]);
        let ran = shell.run(&["doctor", "--json"]);
        assert!(!ran.out.contains("hunter2") && !ran.out.contains(MASTER_KEY), "{}", ran.out);
        let doctor = ran.json();
        assert_eq!(doctor["settings"]["masterKey"], "(set)");
        // The tests' own server does not survive a power cut, and that is found.
        let durable = check(&doctor, "durability")["ok"] == true;
        assert!(durable || db.engine == Engine::Postgres, "{doctor}");
        assert_eq!((doctor["ok"] == true, ran.code == 0), (durable, durable), "{doctor}");
        for name in ["database", "masterKey", "connections", "tenants", "clock"] {
            assert_eq!(check(&doctor, name)["ok"], true, "{doctor}");
        }
        let people = shell.run(&["doctor"]).out;
        let line = people.lines().find(|line| line.starts_with("ok") && line.contains("masterKey"));
        assert!(line.is_some(), "{people}");
        assert!(!people.contains("hunter2"), "{people}");
    }

    async fn doctor_finds_a_wrong_master_key(db: TestDb) {
        let shell = Shell::new(&db);
        let slug = shell.tenant("Glow");
        shell.json(&["connection", "add", "--source", "n8n", "--tenant", &slug]);
        let shell = shell.with_key(Some(OTHER_KEY));
        let ran = shell.run(&["doctor", "--json"]);
        assert_eq!((ran.code, ran.err.as_str()), (1, ""));
        let doctor = ran.json();
        assert_eq!(doctor["ok"], false);
        for name in ["masterKey", "connections"] {
            let detail = check(&doctor, name)["detail"].as_str().unwrap();
            assert_eq!(check(&doctor, name)["ok"], false, "{doctor}");
            assert!(detail.contains("another master key"), "{detail}");
        }
        let list = shell.run(&["tenant", "list"]);
        assert_eq!(list.code, 1);
        assert!(list.err.contains("BOOKHOOK_MASTER_KEY"), "{list:?}");
    }

    async fn doctor_finds_a_clock_that_is_behind_and_a_secret_that_has_run_out(db: TestDb) {
        let shell = Shell::new(&db);
        let slug = shell.tenant("Liffey Light");
        let add = ["connection", "add", "--source", "chat", "--tenant", &slug];
        let id = shell.json(&add)["id"].as_str().unwrap().to_owned();
        let service = shell.serve();
        let file = shell.file("booking.json", BOOKING);
        shell.json(&["send", "chat", &file, "--to", &service.url, "--connection", &id]);
        db.run("update webhook_events set received_at = '2100-01-01T00:00:00+00:00'").await;
        db.run("update connection_secrets set expires_at = '2020-01-01T00:00:00+00:00'").await;
        let ran = shell.run(&["doctor", "--json"]);
        assert_eq!(ran.code, 1);
        let doctor = ran.json();
        assert_eq!(check(&doctor, "clock")["ok"], false, "{doctor}");
        let detail = check(&doctor, "connections")["detail"].as_str().unwrap();
        assert!(detail.contains(&id) && detail.contains("connection rotate"), "{detail}");
    }

    async fn a_database_of_a_newer_program_is_refused(db: TestDb) {
        let shell = Shell::new(&db);
        db.run("insert into _sqlx_migrations
                (version, description, success, checksum, execution_time)
            select 999999, description, success, checksum, 0 from _sqlx_migrations
            where version = 1").await;
        for command in [&["tenant", "list"][..], &["serve", "--listen", "127.0.0.1:0"]] {
            let ran = shell.run(command);
            assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
            assert!(ran.err.contains("newer bookhook"), "{ran:?}");
        }
        let doctor = shell.run(&["doctor", "--json"]);
        assert_eq!(doctor.code, 1);
        let database = check(&doctor.json(), "database")["detail"].to_string();
        assert!(database.contains("newer"), "{database}");
    }
}

#[test]
fn a_service_on_postgres_without_a_master_key_does_not_start() {
    let shell = Shell::at("postgres://127.0.0.1:1/none").with_key(None);
    for command in ["serve", "doctor"] {
        let ran = shell.run(&[command, "--json"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        let said = format!("{}{}", ran.out, ran.err);
        assert!(said.contains("BOOKHOOK_MASTER_KEY"), "{said}");
    }
}

#[test]
fn a_database_that_is_away_is_named_as_the_fault() {
    let ran = Shell::at("postgres://127.0.0.1:1/none").run(&["tenant", "list"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("DATABASE_URL"), "{ran:?}");
    assert_eq!(ran.err.lines().count(), 1, "one sentence: {ran:?}");
    let wrong = Shell::at("mysql://127.0.0.1/none").run(&["tenant", "list"]);
    assert_eq!(wrong.code, 1);
    assert!(wrong.err.contains("sqlite://"), "{wrong:?}");
}

#[test]
fn on_sqlite_a_key_is_made_beside_the_database() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("own.db");
    let shell = Shell::at(&format!("sqlite://{}", file.display())).with_key(None);
    shell.tenant("Glow");
    let key = std::fs::metadata(directory.path().join("own.db.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    assert_eq!(shell.run(&["doctor"]).code, 0);
}

#[test]
fn the_demo_becomes_what_it_should() {
    let shell = Shell::at("sqlite://never-made.db");
    let demo = shell.json(&["demo", "--once"]);
    assert_eq!(demo["ok"], true, "{demo}");
    let events = demo["events"].as_array().unwrap();
    for source in ["retell", "chat", "whatsapp", "n8n"] {
        let tracked = |e: &&Value| e["source"] == source && e["outcome"] == "tracked";
        let tracked: Vec<_> = events.iter().filter(tracked).collect();
        assert!(!tracked.is_empty(), "{source}: {demo}");
        let known = |e: &&Value| e["isNewClient"] == false;
        assert!(tracked.iter().all(|e| e["client"].is_string() || known(e)), "{source}: {demo}");
    }
    let people = shell.run(&["demo", "--once"]);
    assert_eq!(people.code, 0, "{people:?}");
    let table = people.out.lines().filter(|line| line.chars().count() > 100);
    assert_eq!(table.count(), 0, "{}", people.out);
    assert!(people.out.contains("Every outcome is the expected one."), "{}", people.out);
    let left = std::fs::read_dir(shell.home()).unwrap().count();
    assert_eq!(left, 0, "the demo leaves nothing behind");
}

#[test]
fn whoever_stops_reading_causes_no_panic() {
    let directory = tempfile::tempdir().unwrap();
    let shell = Shell::at(&format!("sqlite://{}", directory.path().join("x.db").display()));
    shell.tenant("Glow");
    let ran = shell.run_unread(&["tenant", "list"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

/// The status of an address.
async fn reqwest_get(url: &str) -> u16 {
    crate::support::app::client().get(url).send().await.unwrap().status().as_u16()
}
