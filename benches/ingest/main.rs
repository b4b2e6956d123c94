//! Deliveries a second, end to end, beside the same bookings written by hand.
//!
//! The real service in a process of its own takes signed Retell calls of about 6 KB over HTTP on
//! loopback, 30% of them from phones known already; each answer is awaited, and what is answered
//! is durable. In the same rounds, on the same private PostgreSQL server with its own defaults,
//! pgbench writes the same bookings as a careful hand-written transaction. `docs/performance.md`
//! explains each line.
//!
//! `cargo bench --bench ingest` takes a few minutes. Behind `--`, `--full` measures longer, and
//! names of parts measure those only: `rounds fresh large half alone hops growth statements`;
//! `growth` is in `--full` and not in the short form, `statements` only where it is named: it
//! shows what each statement costs a delivery. `INGEST_SECONDS` is how long each measure takes (4; 10 in
//! full), `INGEST_ROUNDS` how many rounds there are (3; 5 in full), `INGEST_CLIENTS` how many
//! clients the largest growth has (1000000, with five bookings each).
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a tool: it stops at the first fault"
)]

mod bodies;
mod desk;
mod growth;
mod hops;
mod load;
mod server;
mod table;
mod usage;

#[path = "../filling/mod.rs"]
#[expect(dead_code, reason = "another tool asks for single clients")]
mod filling;
#[path = "../service/mod.rs"]
#[expect(dead_code, reason = "the databases are this tool's own")]
mod service;

use bodies::Bodies;
use desk::{Desk, Measure};
use load::Plan;
use server::{Baseline, Server};
use std::time::Duration;
use table::{Table, median};

const KILOBYTES: usize = 6;

/// The connections of the rounds.
const CONNECTIONS: [u64; 3] = [16, 64, 256];

/// The part that shows what each statement takes: on a server that counts them, which costs.
const STATEMENTS: &str = "statements";

/// What is asked for.
struct Asked {
    full: bool,
    parts: Vec<String>,
    seconds: u64,
    rounds: u64,
}

impl Asked {
    fn read() -> Self {
        let words = || std::env::args().skip(1).filter(|word| word != "--bench");
        let full = words().any(|word| word == "--full");
        let parts = words().filter(|word| !word.starts_with("--")).collect();
        let (seconds, rounds) = if full { (10, 5) } else { (4, 3) };
        let (seconds, rounds) =
            (number("INGEST_SECONDS", seconds), number("INGEST_ROUNDS", rounds));
        Self { full, parts, seconds, rounds }
    }

    fn has(&self, part: &str) -> bool {
        if !self.parts.is_empty() {
            return self.parts.iter().any(|asked| asked == part);
        }
        part != STATEMENTS && (self.full || part != "growth")
    }

    fn plan(&self, connections: u64) -> Plan {
        Plan { connections, length: self.length(), pace: None }
    }

    fn length(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

pub(crate) fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What the rounds came to.
#[derive(Default)]
struct Rounds {
    pgbench: Vec<Baseline>,
    /// Of each of [`CONNECTIONS`].
    postgres: Vec<(u64, Vec<Measure>)>,
    sqlite: Vec<Measure>,
}

impl Rounds {
    fn pgbench(&self) -> f64 {
        median(self.pgbench.iter().map(|run| run.rate))
    }

    /// The highest rate, as a median over the rounds.
    fn most(&self) -> f64 {
        let rates = self.postgres.iter().map(|(_, runs)| median(runs.iter().map(|r| r.run.rate)));
        rates.fold(0.0, f64::max)
    }

    fn rate_at(&self, connections: u64) -> f64 {
        let found = self.postgres.iter().find(|(of, _)| *of == connections);
        found.map_or(0.0, |(_, runs)| median(runs.iter().map(|r| r.run.rate)))
    }
}

/// Everything that is measured on.
struct Bench {
    asked: Asked,
    postgres: Desk,
    sqlite: Desk,
    /// Ended last: the service would miss it.
    server: Server,
}

impl Bench {
    /// The rounds: each measure once in every round, so that what else the machine does at a time
    /// meets all of them.
    fn rounds(&mut self) -> Rounds {
        let body = Bodies::new(KILOBYTES, 0).body(1);
        let postgres = CONNECTIONS.map(|connections| (connections, Vec::new())).into();
        let mut rounds = Rounds { postgres, ..Rounds::default() };
        for round in 1..=self.asked.rounds {
            let baseline = self.server.pgbench(self.asked.length(), &body);
            println!("round {round}: pgbench {:.0}/s", baseline.rate);
            rounds.pgbench.push(baseline);
            for (connections, runs) in &mut rounds.postgres {
                let measure =
                    self.postgres.measure(self.asked.plan(*connections), Some(&self.server));
                println!("round {round}: PostgreSQL, {}", measure.line(*connections));
                runs.push(measure);
            }
            let measure = self.sqlite.measure(self.asked.plan(64), None);
            println!("round {round}: SQLite, {}", measure.line(64));
            rounds.sqlite.push(measure);
        }
        rounds
    }

    /// Tables that were only just made, each time others, beside the same tables later.
    async fn fresh(&mut self) -> Vec<(f64, f64)> {
        let mut all = Vec::new();
        for nth in 0..if self.asked.full { 3 } else { 1 } {
            let database = self.server.make(&format!("fresh{nth}")).await;
            let desk = Desk::open(&database, Bodies::new(KILOBYTES, 0));
            let first = desk.measure(self.asked.plan(64), Some(&self.server));
            self.server.run(&format!("fresh{nth}"), "analyze").await;
            let later = desk.measure(self.asked.plan(64), Some(&self.server));
            println!("fresh tables: {:.0}/s, later {:.0}/s", first.run.rate, later.run.rate);
            all.push((first.run.rate, later.run.rate));
        }
        all
    }

    /// What each statement takes while `INGEST_CONNECTIONS` (64) post.
    async fn statements(&self) {
        self.server.forget_statements().await;
        let connections = number("INGEST_CONNECTIONS", 64);
        let measure = self.postgres.measure(self.asked.plan(connections), Some(&self.server));
        println!("{}", measure.line(connections));
        for line in self.server.statements(measure.run.count).await {
            println!("{line}");
        }
    }

    /// Fills the tables a little and lets the server learn what they hold.
    async fn warm(&mut self) {
        let body = Bodies::new(KILOBYTES, 0).body(1);
        self.server.pgbench(self.asked.length(), &body);
        self.postgres.measure(self.asked.plan(64), None);
        self.sqlite.measure(self.asked.plan(64), None);
        self.server.run("bookhook", "analyze").await;
        self.server.run("baseline", "analyze").await;
    }
}

#[tokio::main]
async fn main() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let asked = Asked::read();
    let mut table = Table::default();
    if asked.has("hops") {
        hops::measure(&mut table);
    }
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(asked.parts.iter().any(|part| part == STATEMENTS)).await;
    server.make_baseline().await;
    let postgres = Desk::open(&server.make("bookhook").await, Bodies::new(KILOBYTES, 0));
    let file = format!("sqlite://{}", dir.path().join("ingest.db").display());
    let sqlite = Desk::open(&file, Bodies::new(KILOBYTES, 0));
    let mut bench = Bench { asked, postgres, sqlite, server };
    table.row("body", format!("{} bytes", Bodies::new(KILOBYTES, 0).body(1).len()), "");
    bench.warm().await;
    let rounds = if bench.asked.has("rounds") { bench.rounds() } else { Rounds::default() };
    if bench.asked.has("rounds") {
        table.rounds(&rounds);
    }
    if bench.asked.has("alone") {
        table.alone(&bench.postgres.measure(bench.asked.plan(1), Some(&bench.server)));
    }
    if bench.asked.has("half") {
        let most = if rounds.most() > 0.0 {
            rounds.most()
        } else {
            bench.postgres.measure(bench.asked.plan(256), None).run.rate
        };
        let plan = Plan { pace: Some(most / 2.0), ..bench.asked.plan(64) };
        table.half(&bench.postgres.measure(plan, Some(&bench.server)), most / 2.0);
    }
    if bench.asked.has("large") {
        let large = bench.postgres.with(Bodies::new(10 * KILOBYTES, 0));
        table.large(&large.measure(bench.asked.plan(64), Some(&bench.server)));
    }
    if bench.asked.has(STATEMENTS) {
        bench.statements().await;
    }
    table.memory("PostgreSQL", &bench.postgres);
    table.memory("SQLite", &bench.sqlite);
    if bench.asked.has("fresh") {
        table.fresh(&bench.fresh().await);
    }
    if bench.asked.has("growth") {
        growth::measure(&mut bench, rounds.rate_at(64), &mut table).await;
    }
    println!("\n{table}");
}
