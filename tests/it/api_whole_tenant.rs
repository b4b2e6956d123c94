//! A tenant as a whole: handed over, and deleted.

use super::bad_input::Salon;
use super::support::app::{SECRET, TestApp};
use super::support::bodies;
use super::support::catalog::Schema;
use super::support::db::{Engine, TestDb};
use bookhook::domain::channel::Role;
use bookhook::storage;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// The lines of an export.
async fn export(app: &TestApp, tenant: Uuid, token: &str) -> Vec<Value> {
    let path = format!("/api/platform/tenants/{tenant}/export");
    let answer = app.request(Method::GET, &path, token).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let name = answer.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert!(name.starts_with("attachment; filename=\"") && name.ends_with(".ndjson\""), "{name}");
    let text = answer.text().await.unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["kind"] == kind).collect()
}

/// Bookings from several people, and one who only asks.
async fn fill(app: &TestApp, salon: &Salon) {
    for number in 0..5 {
        let phone = format!("+35387123450{number}");
        let body = bodies::chat(&phone, "Gel nails", "2027-03-14T15:00:00Z").to_string();
        let answer = salon.deliver(app, "chat", body.as_bytes()).await;
        assert_eq!(answer.body["outcome"], "tracked", "{}", answer.body);
    }
}

/// How many rows of the tables name the tenant, by table.
async fn rows_of(db: &TestDb, tenant: Uuid) -> Vec<(String, i64)> {
    let id = match db.engine {
        Engine::Sqlite => format!("x'{}'", tenant.simple()),
        Engine::Postgres => format!("'{tenant}'"),
    };
    let mut found = Vec::new();
    for (name, table) in Schema::read(db).await.0 {
        let column = if name == "tenants" { "id" } else { "tenant_id" };
        if table.columns.contains_key(column) {
            let count = db.count(&format!("{name} where {column} = {id}")).await;
            found.push((name, count));
        }
    }
    assert!(found.len() > 12, "{found:?}");
    found.retain(|(_, count)| *count > 0);
    found
}

both_engines! {
    async fn an_export_has_everything_of_the_tenant_and_nothing_of_another(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (salon, other) = (Salon::open(&app).await, app.tenant("other").await);
        fill(&app, &salon).await;
        let admin = app.token(Role::ClientAdmin, Some(salon.tenant)).await;
        let lines = export(&app, salon.tenant, &admin).await;
        assert_eq!(lines[0]["kind"], "tenant");
        assert_eq!(lines[0]["id"], json!(salon.tenant));
        let clients = of(&lines, "client");
        assert_eq!(clients.len(), 5);
        assert_eq!(clients[0]["identities"][0]["kind"], "phone");
        assert_eq!(clients[0]["identities"][0]["value"], clients[0]["phone"]);
        assert!(clients[0]["setByPerson"].is_array(), "{}", clients[0]);
        assert_eq!(of(&lines, "booking").len(), 5);
        assert_eq!(of(&lines, "sighting").len(), 5);
        let events = of(&lines, "event");
        let raw: Value = serde_json::from_str(events[0]["raw"].as_str().unwrap()).unwrap();
        assert!(raw.is_object(), "the body as it came");
        assert_eq!(of(&lines, "audit")[0]["action"], "tenant.exported");

        let theirs = export(&app, other, &app.token(Role::PlatformAdmin, None).await).await;
        let kinds: Vec<_> = theirs.iter().map(|line| line["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["tenant", "audit"]);
    }

    async fn a_deleted_tenant_leaves_nothing_but_the_word_that_it_was(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (salon, other) = (Salon::open(&app).await, app.tenant("other").await);
        fill(&app, &salon).await;
        let mine = app.connection("chat", Some(other), &[]).await;
        let body = bodies::chat("+353871234509", "Gel nails", "2027-03-14T15:00:00Z").to_string();
        app.deliver("chat", Some(&mine), body.as_bytes()).await;
        let admin = app.token(Role::ClientAdmin, Some(salon.tenant)).await;
        let base = format!("/api/platform/tenants/{}", salon.tenant);
        let user = json!({"email": "owner@salon.example", "password": "correct horse battery",
            "role": "client_admin"});
        let made = app.send(Method::POST, &format!("{base}/users"), &admin, &user).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        let before = rows_of(&db, other).await;

        let platform = app.token(Role::PlatformAdmin, None).await;
        for query in ["", "?confirm=other", "?confirm="] {
            let refused = app.ask(Method::DELETE, &format!("{base}{query}"), &platform).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{query}");
            assert_eq!(refused.body["code"], "confirmation_missing");
            assert!(refused.text("detail").contains("?confirm=glow-studio"), "{}", refused.body);
        }
        assert!(rows_of(&db, salon.tenant).await.len() > 8);
        let confirmed = format!("{base}?confirm=glow-studio");
        let refused = app.ask(Method::DELETE, &confirmed, &admin).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        let gone = app.ask(Method::DELETE, &confirmed, &platform).await;
        assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.body);

        assert_eq!(rows_of(&db, salon.tenant).await, []);
        assert_eq!(rows_of(&db, other).await, before, "another tenant is as it was");
        assert_eq!(db.count("connection_secrets where connection_id not in
            (select id from connections)").await, 0);
        let kept = db.texts("select subject_id from audit_log where action = 'tenant.deleted'").await;
        assert_eq!(kept, [salon.tenant.to_string()]);
        assert_eq!(app.ask(Method::GET, &base, &platform).await.status, StatusCode::NOT_FOUND);
        assert_eq!(app.ask(Method::GET, &base, &admin).await.status, StatusCode::UNAUTHORIZED);

        let mut last = StatusCode::OK;
        for _ in 0..60 {
            last = salon.deliver(&app, "chat", body.as_bytes()).await.status;
            if last == StatusCode::UNAUTHORIZED {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(last, StatusCode::UNAUTHORIZED, "its deliveries are refused within 5 s");
        assert_eq!(rows_of(&db, salon.tenant).await, []);
        let again = app.tenant("glow-studio").await;
        assert_ne!(again, salon.tenant);
        let connection = app.connection_with("chat", Some(again), &[], SECRET).await;
        let answer = app.deliver("chat", Some(&connection), body.as_bytes()).await;
        assert_eq!(answer.body["outcome"], "tracked", "{}", answer.body);
    }

    async fn no_table_of_tenants_is_left_out_when_one_is_deleted(db: TestDb) {
        let statements = storage::all_statements();
        let removal = statements.iter().filter(|(file, ..)| *file == "removal");
        let removal = removal.map(|(.., sql)| *sql).collect::<Vec<_>>().join(" ");
        for (name, table) in Schema::read(&db).await.0 {
            let owned = table.columns.contains_key("tenant_id");
            let removed = removal.contains(&format!("delete from {name} where tenant_id"))
                || removal.contains(&format!("delete from {name}\n        where tenant_id"));
            assert!(!owned || removed, "{name} is not in src/storage/removal.rs");
        }
    }
}
