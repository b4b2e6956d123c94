//! The rate on tables that years have filled.

use crate::bodies::Bodies;
use crate::desk::Desk;
use crate::filling::{Size, fill};
use crate::table::{Table, median};
use crate::{Bench, KILOBYTES, number, service};
use std::time::Instant;

/// Bookings of each client.
const EACH: u64 = 5;

/// Fills databases of several sizes, and posts to each; `empty` is the rate of nearly empty ones.
pub(crate) async fn measure(bench: &mut Bench, empty: f64, table: &mut Table) {
    for (name, clients) in [("small", 10_000), ("large", number("INGEST_CLIENTS", 1_000_000))] {
        let database = bench.server.make(name).await;
        let tenant = service::run(&database, &["tenant", "add", "--name", "Load"]);
        let tenant = tenant.get("id").and_then(|id| id.as_str()?.parse().ok()).unwrap();
        let begun = Instant::now();
        fill(&database, &[Size { tenant, number: 0, clients, each: EACH }]).await;
        println!(
            "growth: {clients} clients, {} bookings in {:.0?}",
            clients * EACH,
            begun.elapsed()
        );
        let desk = Desk::reopen(&database, Bodies::new(KILOBYTES, clients));
        let mut runs = Vec::new();
        for _ in 0..bench.asked.rounds {
            // The empty ones again each time: the machine may have become slower in the meantime.
            let beside = bench.postgres.measure(bench.asked.plan(64), Some(&bench.server));
            let measure = desk.measure(bench.asked.plan(64), Some(&bench.server));
            println!("growth: {clients} clients, {}", measure.line(64));
            runs.push((beside.run.rate, measure));
        }
        let figure = format!(
            "**{:.2} ×** of empty, {:.0}/s (empty {:.0}/s, in the rounds {empty:.0}/s); {:.0} µs of CPU; p99 {:.1} ms",
            median(runs.iter().map(|(beside, m)| m.run.rate / beside)),
            median(runs.iter().map(|(_, m)| m.run.rate)),
            median(runs.iter().map(|(beside, _)| *beside)),
            median(runs.iter().map(|(_, m)| m.cost())),
            median(runs.iter().map(|(_, m)| m.run.at(990))),
        );
        let name = format!("PostgreSQL, {clients} clients and {} bookings", clients * EACH);
        table.row(&name, figure, "≥ 0.8 ×");
    }
}
