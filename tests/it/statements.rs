//! Every statement is one that both databases take, and what is secret is nowhere in them.

use crate::bad_input::Salon;
use crate::support::app::{SECRET, TestApp};
use crate::support::catalog::Schema;
use crate::support::db::{Engine, TestDb};
use crate::tracking::workflow;
use bookhook::domain::channel::Role;
use bookhook::storage::{self, Db};
use std::collections::BTreeSet;

both_engines! {
    async fn every_statement_prepares(db: TestDb) {
        let pool = Db::open(&db.url).await.unwrap();
        let mut statements = storage::all_statements();
        statements.extend(storage::bulk_statements(pool.engine()));
        assert!(statements.len() > 50, "{}", statements.len());
        let mut refused = Vec::new();
        for (file, name, sql) in statements {
            if let Err(error) = pool.prepare(sql).await {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                refused.push(format!("{file} {name}: {}", cause.unwrap_or_default()));
            }
        }
        assert!(refused.is_empty(), "{}", refused.join("\n"));
        assert!(pool.prepare("select nothing from nowhere").await.is_err());
    }

    async fn no_secret_and_no_token_stands_in_the_database(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let token = app.token(Role::Service, Some(salon.tenant)).await;
        let body = workflow("0851112222", "Hot Stone Massage", "2026-06-01T10:00:00Z");
        assert_eq!(app.deliver_with_token("n8n", &token, &body).await.body["outcome"], "tracked");
        let signed = salon.deliver(&app, "n8n", body.to_string().as_bytes()).await;
        assert_eq!(signed.body["outcome"], "tracked", "{}", signed.body);
        app.stop().await.unwrap();

        let everything = everything(&db).await;
        let holds = |text: &str| {
            [text.to_owned(), hex::encode(text)]
                .iter()
                .any(|form| everything.windows(form.len()).any(|bytes| bytes == form.as_bytes()))
        };
        assert!(holds("Hot Stone Massage"), "what isn't secret is found");
        let key = SECRET.strip_prefix("whsec_").unwrap();
        for secret in [SECRET, key, "0123456789abcdef0123456789abcdef", "verify-me", &token] {
            assert!(!holds(secret), "{secret} stands in the clear");
        }
        let (_, random) = token.rsplit_once('_').unwrap();
        assert!(!holds(random));
    }
}

#[test]
fn no_file_of_statements_is_left_out() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/storage");
    let single = storage::all_statements();
    let listed: BTreeSet<&str> = single.iter().map(|(file, ..)| *file).collect();
    let bulk = storage::bulk_statements("sqlite");
    let in_bulk: BTreeSet<&str> = bulk.iter().map(|(file, ..)| *file).collect();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let has = |list: &str| text.contains(&format!("\n{list}! {{"));
        assert!(!has("statements") || listed.contains(name), "{name} is not in all_statements()");
        assert!(!has("bulk") || in_bulk.contains(name), "{name} is not in bulk_statements()");
    }
}

/// The bytes of every row.
async fn everything(db: &TestDb) -> Vec<u8> {
    let bodies = db.raw_events().await.concat();
    let rows = match db.engine {
        Engine::Sqlite => {
            let file = db.url.strip_prefix("sqlite://").unwrap();
            let log = std::fs::read(format!("{file}-wal")).unwrap_or_default();
            [std::fs::read(file).unwrap(), log].concat()
        }
        Engine::Postgres => {
            let mut rows = Vec::new();
            for table in Schema::read(db).await.0.keys() {
                let select = format!("select cast(row_to_json(r) as text) from {table} r");
                rows.extend(db.texts(&select).await);
            }
            rows.join("\n").into_bytes()
        }
    };
    [rows, bodies].concat()
}
