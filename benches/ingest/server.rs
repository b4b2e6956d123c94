//! A private PostgreSQL with its own defaults, and the same booking as pgbench writes it.

use crate::usage;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use std::process::{Command, Stdio};
use std::time::Duration;

const TABLES: &str = include_str!("baseline.sql");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/ingest/baseline.pgbench");
const STARTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres");

/// The connections that pgbench has.
const CLIENTS: u64 = 16;

/// Counts statements, their planning too.
const COUNTING: &str = "-c shared_preload_libraries=pg_stat_statements \
    -c pg_stat_statements.track_planning=on";

/// The statements that took most, for so many deliveries: microseconds of each delivery, how often
/// in a thousand deliveries, rows of each time, then how it begins.
const STATEMENTS: &str = "
    select format('%s µs, planning %s, %s times in 1000, %s rows: %s',
        lpad(round((total_exec_time + total_plan_time) * 1000 / $1)::text, 5),
        lpad(round(total_plan_time * 1000 / $1)::text, 4),
        lpad(round(calls * 1000 / $1)::text, 4), lpad((rows / calls)::text, 4),
        left(regexp_replace(query, '\\s+', ' ', 'g'), 230))
    from pg_stat_statements s join pg_database d on d.oid = s.dbid
    where d.datname = 'bookhook' and calls > 0
    order by total_exec_time + total_plan_time desc limit 40";

/// A server of this tool's own, ended with it.
pub(crate) struct Server {
    url: String,
    /// Where its programs are.
    programs: String,
    postmaster: u32,
    /// How often pgbench ran: no two runs make the same phones.
    runs: u64,
}

impl Drop for Server {
    fn drop(&mut self) {
        let stop = Command::new(STARTER).args(["stop", &self.url]).status();
        stop.map(drop).unwrap_or_default();
    }
}

/// What pgbench reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Baseline {
    pub(crate) rate: f64,
    /// Milliseconds, on average.
    pub(crate) latency: f64,
    /// Processor microseconds of the server for each transaction.
    pub(crate) server: f64,
    /// Processor microseconds of pgbench for each transaction.
    pub(crate) client: f64,
}

fn printed(words: &[&str]) -> String {
    let done = Command::new(STARTER).args(words).stderr(Stdio::inherit()).output().unwrap();
    assert!(done.status.success(), "tests/postgres {} failed", words.join(" "));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

impl Server {
    /// Starts one; `counting`, with the extension that counts what each statement takes.
    pub(crate) async fn start(counting: bool) -> Self {
        let settings = if counting { COUNTING } else { "" };
        let url = printed(&["durable", &std::process::id().to_string(), settings]);
        let programs = printed(&["programs"]);
        let mut server = Self { url, programs, postmaster: 0, runs: 0 };
        let data = server.ask("postgres", "show data_directory").await;
        let pid = std::fs::read_to_string(format!("{data}/postmaster.pid")).unwrap();
        server.postmaster = pid.lines().next().unwrap().parse().unwrap();
        let fsync = server.ask("postgres", "show fsync").await;
        assert_eq!(fsync, "on", "a server that does not wait for the disk says nothing");
        server
    }

    /// The address of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        self.url.replace("/postgres?", &format!("/{database}?"))
    }

    fn socket(&self) -> &str {
        self.url.split("host=").last().unwrap_or_default()
    }

    async fn connect(&self, database: &str) -> PgConnection {
        PgConnection::connect(&self.url(database)).await.unwrap()
    }

    /// Runs statements.
    pub(crate) async fn run(&self, database: &str, sql: &str) {
        let mut connection = self.connect(database).await;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    }

    /// The one text that a statement answers.
    pub(crate) async fn ask(&self, database: &str, sql: &str) -> String {
        let mut connection = self.connect(database).await;
        let asked = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
        asked.fetch_one(&mut connection).await.unwrap()
    }

    /// Forgets what statements took so far.
    pub(crate) async fn forget_statements(&self) {
        let fresh = "create extension if not exists pg_stat_statements";
        self.run("postgres", fresh).await;
        self.ask("postgres", "select cast(pg_stat_statements_reset() as text)").await;
    }

    /// What statements took, for so many deliveries, the longest first.
    pub(crate) async fn statements(&self, deliveries: f64) -> Vec<String> {
        let mut connection = self.connect("postgres").await;
        let asked = sqlx::query_scalar(STATEMENTS).bind(deliveries);
        asked.fetch_all(&mut connection).await.unwrap()
    }

    /// Makes an empty database and answers its address.
    pub(crate) async fn make(&self, database: &str) -> String {
        self.run("postgres", &format!("create database {database}")).await;
        self.url(database)
    }

    /// Makes the tables of the hand-written transaction.
    pub(crate) async fn make_baseline(&self) {
        self.make("baseline").await;
        self.run("baseline", TABLES).await;
    }

    /// Processor seconds of the server, with all its backends.
    pub(crate) fn spent(&self) -> f64 {
        usage::of_family(self.postmaster)
    }

    /// Writes bookings by hand for a while; `body` is the delivery that is kept with each.
    pub(crate) fn pgbench(&mut self, length: Duration, body: &[u8]) -> Baseline {
        self.runs += 1;
        let base = 1_000_000_000_000_000 + self.runs * 1_000_000_000;
        // As text of a bytea, which has a backslash doubled.
        let body = String::from_utf8_lossy(body).replace('\\', "\\\\");
        let (clients, seconds) = (CLIENTS.to_string(), length.as_secs().to_string());
        let (server, client) = (self.spent(), usage::of_ended_children());
        let done = Command::new(format!("{}/pgbench", self.programs))
            .args(["--no-vacuum", "--protocol=prepared", "--jobs=1", "--client", &clients])
            .args(["--time", &seconds, "--file", SCRIPT, "--define", &format!("base={base}")])
            .args(["--define", "n=0", "--define", &format!("body={body}")])
            .args(["--host", self.socket(), "--port", "5432", "--username", "postgres", "baseline"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&done.stdout);
        let fault = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success() && !fault.contains("ERROR"), "{text}{fault}");
        let number = |begin: &str| -> f64 {
            let line = text.lines().find(|line| line.starts_with(begin)).unwrap_or_default();
            let value = line.split(" = ").nth(1).and_then(|rest| rest.split(' ').next());
            value.or(line.split(": ").nth(1)).and_then(|n| n.parse().ok()).unwrap()
        };
        let each = 1e6 / number("number of transactions actually processed");
        Baseline {
            rate: number("tps"),
            latency: number("latency average"),
            server: (self.spent() - server) * each,
            client: (usage::of_ended_children() - client) * each,
        }
    }
}
