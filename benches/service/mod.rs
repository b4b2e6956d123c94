//! The real service in a process of its own, for the tools that load it.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const MASTER_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// The service, ended with this.
pub(crate) struct Service {
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

impl Service {
    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A line of `/proc/…/status` in MB: `VmRSS:` is its memory now, `VmHWM:` the most it had.
    pub(crate) fn memory(&self, line: &str) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let found = status.lines().find(|l| l.starts_with(line)).unwrap_or_default();
        found.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024
    }
}

impl Service {
    /// What it has computed, in all its threads.
    pub(crate) fn computed(&self) -> Duration {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(path).unwrap_or_default();
        // Behind the name, which may have spaces: user and system time, in hundredths of a second.
        let (_, rest) = stat.rsplit_once(')').unwrap_or_default();
        let times = rest.split_whitespace().skip(11).take(2);
        Duration::from_millis(times.filter_map(|time| time.parse::<u64>().ok()).sum::<u64>() * 10)
    }
}

fn bookhook(database: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bookhook"));
    command.env("DATABASE_URL", database).env("BOOKHOOK_MASTER_KEY", MASTER_KEY);
    command
}

/// A database of the tool's own in `dir`, or the one that `DATABASE_URL` names.
pub(crate) fn database(dir: &std::path::Path) -> String {
    let file = format!("sqlite://{}", dir.join("load.db").display());
    std::env::var("DATABASE_URL").unwrap_or(file)
}

/// Runs a command of the service and answers what it printed.
pub(crate) fn run(database: &str, words: &[&str]) -> Value {
    let done = bookhook(database).args(words).arg("--json").output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// Starts the service, with these further variables.
pub(crate) fn serve(database: &str, variables: &[(&str, &str)]) -> Service {
    let mut command = bookhook(database);
    command.envs(variables.iter().copied());
    command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.split_whitespace().last().unwrap().to_owned();
    Service { child, url }
}
