//! The figures, as a table for a page.

use crate::Rounds;
use crate::desk::{Desk, Measure};
use std::fmt;

/// Lines of measure, figure, aim.
#[derive(Default)]
pub(crate) struct Table(Vec<[String; 3]>);

/// The middle one; zero of none.
pub(crate) fn median(of: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = of.collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or_default()
}

fn middle(runs: &[Measure], of: impl Fn(&Measure) -> f64) -> f64 {
    median(runs.iter().map(of))
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| measure | figure | aim |\n|---|---|---|")?;
        self.0
            .iter()
            .try_for_each(|[name, figure, aim]| writeln!(f, "| {name} | {figure} | {aim} |"))
    }
}

impl Table {
    pub(crate) fn row(&mut self, name: &str, figure: impl Into<String>, aim: &str) {
        self.0.push([name.to_owned(), figure.into(), aim.to_owned()]);
    }

    pub(crate) fn rounds(&mut self, rounds: &Rounds) {
        let by_hand = rounds.pgbench();
        let of = |what: fn(&crate::Baseline) -> f64| median(rounds.pgbench.iter().map(what));
        self.row(
            "by hand (pgbench, 16 clients)",
            format!(
                "{by_hand:.0}/s, {:.1} ms on average; {:.0} µs of server CPU, {:.0} of pgbench",
                of(|run| run.latency),
                of(|run| run.server),
                of(|run| run.client)
            ),
            "",
        );
        for ((connections, runs), aim) in rounds.postgres.iter().zip(["1.1", "2", "3"]) {
            self.against(&format!("PostgreSQL, {connections} connections"), runs, by_hand, aim);
        }
        self.against("SQLite, 64 connections", &rounds.sqlite, by_hand, "1.5");
        if let Some((_, runs)) = rounds.postgres.get(1) {
            self.cost("PostgreSQL, 64 connections", runs, "200");
        }
        self.cost("SQLite, 64 connections", &rounds.sqlite, "");
    }

    fn against(&mut self, name: &str, runs: &[Measure], by_hand: f64, aim: &str) {
        let rate = middle(runs, |m| m.run.rate);
        let figure = format!(
            "**{:.2} ×**, {rate:.0}/s; p50 {:.1}, p99 {:.1}, p99.9 {:.1} ms",
            rate / by_hand,
            middle(runs, |m| m.run.at(500)),
            middle(runs, |m| m.run.at(990)),
            middle(runs, |m| m.run.at(999)),
        );
        self.row(name, figure, &format!("≥ {aim} × by hand"));
    }

    fn cost(&mut self, name: &str, runs: &[Measure], aim: &str) {
        let figure = format!(
            "**{:.0} µs** a booking: service {:.0}, server {:.0}; beside them generator {:.0}, \
             others {:.0}",
            middle(runs, Measure::cost),
            middle(runs, |m| m.service),
            middle(runs, |m| m.server),
            middle(runs, |m| m.run.generator),
            middle(runs, |m| m.others),
        );
        let aim = if aim.is_empty() { String::new() } else { format!("≤ {aim} µs") };
        self.row(&format!("CPU, {name}"), figure, &aim);
    }

    /// One delivery at a time: nothing waits but for itself.
    pub(crate) fn alone(&mut self, measure: &Measure) {
        let figure = format!(
            "p50 {:.2}, p99 {:.2} ms; {:.0} µs of CPU",
            measure.run.at(500),
            measure.run.at(990),
            measure.cost()
        );
        self.row("PostgreSQL, one delivery at a time", figure, "");
    }

    pub(crate) fn half(&mut self, measure: &Measure, pace: f64) {
        let figure = format!(
            "p99 **{:.1} ms** at {:.0}/s of {pace:.0}/s; p50 {:.1}, p99.9 {:.1} ms",
            measure.run.at(990),
            measure.run.rate,
            measure.run.at(500),
            measure.run.at(999)
        );
        self.row("PostgreSQL, half of the most", figure, "p99 ≤ 25 ms");
    }

    pub(crate) fn large(&mut self, measure: &Measure) {
        let figure = format!("**{:.0}/s**; {:.0} µs of CPU", measure.run.rate, measure.cost());
        self.row("PostgreSQL, bodies of 60 KB, 64 connections", figure, "≥ 1500/s");
    }

    pub(crate) fn fresh(&mut self, all: &[(f64, f64)]) {
        let figure = format!(
            "**{:.2} ×** of later: {:.0}/s, later {:.0}/s",
            median(all.iter().map(|(first, later)| first / later)),
            median(all.iter().map(|(first, _)| *first)),
            median(all.iter().map(|(_, later)| *later)),
        );
        self.row("PostgreSQL, tables just made", figure, "≥ 0.8 ×");
    }

    pub(crate) fn memory(&mut self, engine: &str, desk: &Desk) {
        let figure = format!(
            "idle **{} MB**; under load at most **{} MB**, after it {} MB",
            desk.idle,
            desk.memory("VmHWM:"),
            desk.memory("VmRSS:")
        );
        self.row(&format!("memory on {engine}"), figure, "< 60 MB idle, < 150 MB");
    }
}
