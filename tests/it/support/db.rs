//! A fresh database of its own for every test, on either engine.

use bookhook::domain::ids;
use bookhook::storage::Db;
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqliteConnection};
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;

/// Makes two tests, `name::sqlite` and `name::postgres`, of each `async fn name(db: TestDb)`.
///
/// A result may be returned, so that a test can use `?`.
macro_rules! both_engines {
    ($($(#[$meta:meta])* async fn $name:ident($db:ident: TestDb) $(-> $result:ty)? $body:block)+) => { $(
        $(#[$meta])*
        async fn $name($db: $crate::support::db::TestDb) $(-> $result)? $body

        mod $name {
            use $crate::support::db::{Engine, TestDb};

            #[actix_web::test]
            async fn sqlite() $(-> $result)? {
                super::$name(TestDb::fresh(Engine::Sqlite).await).await
            }

            #[actix_web::test]
            async fn postgres() $(-> $result)? {
                super::$name(TestDb::fresh(Engine::Postgres).await).await
            }
        }
    )+ };
}

/// One of the two databases that Bookhook runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// A file.
    Sqlite,
    /// A server: the one `TEST_DATABASE_URL` names, else a private one.
    Postgres,
}

/// A database that one test has to itself; it is gone when this is dropped.
pub(crate) struct TestDb {
    /// Which engine holds it.
    pub(crate) engine: Engine,
    /// Where it is, as `DATABASE_URL` says it.
    pub(crate) url: String,
    home: Home,
}

/// What is removed at the end.
enum Home {
    Directory { _removed_on_drop: TempDir },
    Server { name: String },
    Nowhere,
}

impl TestDb {
    /// A migrated database without a row.
    pub(crate) async fn fresh(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => {
                let db = Self::blank(engine).await;
                migrate(&db.url).await;
                db
            }
            Engine::Postgres => {
                let mut admin = connect(server()).await;
                let template = template(&mut admin).await;
                Self::copy_of(&template, &mut admin).await
            }
        }
    }

    /// A database without a table.
    pub(crate) async fn blank(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => {
                // A file, as in service: in memory each pooled connection would have its own.
                let directory = tempfile::tempdir().unwrap();
                let url = format!("sqlite://{}", directory.path().join("test.db").display());
                Self { engine, url, home: Home::Directory { _removed_on_drop: directory } }
            }
            Engine::Postgres => {
                let mut admin = connect(server()).await;
                Self::copy_of("template0", &mut admin).await
            }
        }
    }

    /// Whatever is at this address, or nothing: it isn't removed at the end.
    pub(crate) fn nowhere(url: &str) -> Self {
        let is_file = url.starts_with("sqlite:");
        let engine = if is_file { Engine::Sqlite } else { Engine::Postgres };
        Self { engine, url: url.to_owned(), home: Home::Nowhere }
    }

    /// Runs statements as they stand.
    pub(crate) async fn run(&self, statements: &str) {
        let statements = sqlx::raw_sql(AssertSqlSafe(statements.to_owned()));
        match self.engine {
            Engine::Sqlite => drop(statements.execute(&mut self.sqlite().await).await.unwrap()),
            Engine::Postgres => drop(statements.execute(&mut self.postgres().await).await.unwrap()),
        }
    }

    /// A connection past the service's own code; only where the engine is SQLite.
    pub(crate) async fn sqlite(&self) -> SqliteConnection {
        let file: SqliteConnectOptions = self.url.parse().unwrap();
        file.create_if_missing(true).connect().await.unwrap()
    }

    /// A connection past the service's own code; only where the engine is PostgreSQL.
    pub(crate) async fn postgres(&self) -> PgConnection {
        connect(&self.url).await
    }

    async fn copy_of(template: &str, admin: &mut PgConnection) -> Self {
        let name = format!("t_{}", hex::encode(ids::random::<8>().unwrap()));
        run(admin, format!("create database {name} template {template}")).await;
        Self { engine: Engine::Postgres, url: url_of(&name), home: Home::Server { name } }
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let Home::Server { name } = &self.home else { return };
        let statement = format!("drop database {name} with (force)");
        // A thread of its own, because a test's runtime can't wait from inside itself.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async { run(&mut connect(server()).await, statement).await });
        });
        if dropped.join().is_err() {
            eprintln!("the test database {name} was not dropped"); // the thread said why
        }
    }
}

/// Brings the database at `url` to the present schema, as every command does.
async fn migrate(url: &str) {
    let db = Db::open(url).await.unwrap();
    db.migrate().await.unwrap();
    db.close().await;
}

/// The name of a migrated database to copy, made by whichever test is first to need it.
async fn template(admin: &mut PgConnection) -> String {
    // Named after the migrations: a server that outlives a run may have an older one.
    let name = format!("bookhook_template_{}", migrations_fingerprint());
    if !exists(admin, &name).await {
        run(admin, "select pg_advisory_lock(726173)".to_owned()).await;
        if !exists(admin, &name).await {
            make_template(admin, &name).await;
        }
        run(admin, "select pg_advisory_unlock(726173)".to_owned()).await;
    }
    name
}

/// Migrates under another name first, so that `name` never names a half-made database.
async fn make_template(admin: &mut PgConnection, name: &str) {
    let unfinished = format!("{name}_unfinished");
    run(admin, format!("drop database if exists {unfinished} with (force)")).await;
    run(admin, format!("create database {unfinished} template template0")).await;
    migrate(&url_of(&unfinished)).await;
    // A pool says that it is closed a little before its server's processes are gone.
    let end_sessions = "select pg_terminate_backend(pid, 5000) from pg_stat_activity";
    run(admin, format!("{end_sessions} where datname = '{unfinished}'")).await;
    run(admin, format!("alter database {unfinished} rename to {name}")).await;
}

fn migrations_fingerprint() -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).into_iter().flatten().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        hash.update(std::fs::read(file).unwrap());
    }
    hex::encode(hash.finalize()).chars().take(12).collect()
}

async fn exists(admin: &mut PgConnection, database: &str) -> bool {
    let found = sqlx::query("select 1 from pg_database where datname = $1").bind(database);
    found.fetch_optional(admin).await.unwrap().is_some()
}

async fn run(admin: &mut PgConnection, statement: String) {
    // Not prepared: the server refuses `create database` and its like in an implicit transaction.
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(admin).await.unwrap();
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

/// The address of another database on the tests' server.
fn url_of(database: &str) -> String {
    let mut url = reqwest::Url::parse(server()).unwrap();
    url.set_path(database);
    url.into()
}

/// The address of the server that this process's tests use.
fn server() -> &'static str {
    static SERVER: OnceLock<String> = OnceLock::new();
    SERVER.get_or_init(|| {
        let given = std::env::var("TEST_DATABASE_URL").unwrap_or_default();
        if given.is_empty() { start_server() } else { given }
    })
}

/// Starts a private server that ends with this process: how `cargo test` gets one.
fn start_server() -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres");
    let process = std::process::id().to_string();
    let output = Command::new(script).args(["start", &process]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "no PostgreSQL for the tests: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

both_engines! {
    async fn every_test_has_a_database_to_itself(db: TestDb) {
        let other = TestDb::fresh(db.engine).await;
        for db in [&db, &other] {
            db.run("create table only_once (id bigint)").await;
        }
    }

    async fn a_dropped_database_is_gone(db: TestDb) {
        db.run("select 1").await;
        let url = db.url.clone();
        drop(db);
        match url.strip_prefix("sqlite://") {
            Some(path) => assert!(!std::path::Path::new(path).exists()),
            None => assert!(PgConnection::connect(&url).await.is_err()),
        }
    }
}
