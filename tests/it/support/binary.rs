//! The real program as a process of its own: to be killed, and to have its log read.

use super::app::{MASTER_KEY, TestApp};
use super::db::TestDb;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

/// A running `bookhook serve`.
pub(crate) struct Program {
    process: Child,
    log: Option<JoinHandle<String>>,
    /// Its address.
    pub(crate) url: String,
}

impl Program {
    /// Starts it on a database and waits for its address, with these further variables.
    pub(crate) fn serve(db: &TestDb, variables: &[(&str, &str)]) -> Self {
        Self::serve_under(&["env"], &db.url, variables).unwrap_or_else(|log| panic!("{log}"))
    }

    /// The same by a command that takes the program as its further arguments and becomes it. What
    /// it said where it ended without an address.
    pub(crate) fn serve_under(
        command: &[&str],
        url: &str,
        variables: &[(&str, &str)],
    ) -> Result<Self, String> {
        let directory = tempfile::tempdir().unwrap();
        let mut process = Command::new(command[0])
            .args(&command[1..])
            .args([env!("CARGO_BIN_EXE_bookhook"), "serve"])
            .env("DATABASE_URL", url)
            .env("BOOKHOOK_MASTER_KEY", MASTER_KEY)
            .env("BOOKHOOK_LISTEN", "127.0.0.1:0")
            .envs(variables.iter().copied())
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = process.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut text = String::new();
            errors.read_to_string(&mut text).unwrap();
            text
        });
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some(url) = line.trim().strip_prefix("listening on ") else {
            let ended = process.wait().unwrap();
            return Err(format!("{ended}: {line}{}", log.join().unwrap()));
        };
        Ok(Self { url: url.to_owned(), process, log: Some(log) })
    }

    /// The most memory that it has had so far, in kB.
    pub(crate) fn peak(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends it this signal.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits until it has ended by itself, and answers how.
    pub(crate) fn ended(mut self) -> std::process::ExitStatus {
        self.process.wait().unwrap()
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to stop, waits until it has, and answers what it logged.
    pub(crate) fn stop(mut self) -> String {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").arg(id).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
        self.log.take().unwrap().join().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // A test that failed leaves no process behind; one that ended has none.
        self.process.kill().ok();
        self.process.wait().ok();
        if std::thread::panicking()
            && let Some(log) = self.log.take()
        {
            let log = log.join().unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            println!(
                "the service logged at last:\n{}",
                lines[lines.len().saturating_sub(20)..].join("\n")
            );
        }
    }
}

impl TestApp {
    /// The same service, talked to at a program's address.
    pub(crate) fn at(mut self, program: &Program) -> Self {
        self.url.clone_from(&program.url);
        self
    }
}
