//! The real program, run as people run it.

use super::app::MASTER_KEY;
use super::db::TestDb;
use bookhook::config::VARIABLES;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A directory and a database to run commands in.
pub(crate) struct Shell {
    url: String,
    key: Option<String>,
    home: TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Its exit code; -1 when a signal ended it.
    pub(crate) code: i32,
    /// What it printed.
    pub(crate) out: String,
    /// What it said on standard error.
    pub(crate) err: String,
}

impl Ran {
    /// What it printed, as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Shell {
    /// Commands on this database, with the tests' master key.
    pub(crate) fn new(db: &TestDb) -> Self {
        Self::at(&db.url)
    }

    /// Commands on whatever is at this address.
    pub(crate) fn at(url: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        Self { url: url.to_owned(), key: Some(MASTER_KEY.to_owned()), home }
    }

    /// The same with another master key, or none.
    pub(crate) fn with_key(self, key: Option<&str>) -> Self {
        Self { key: key.map(ToOwned::to_owned), ..self }
    }

    /// The directory.
    pub(crate) fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    /// Writes a file in the directory, and answers its path.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> String {
        let path: PathBuf = self.home.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bookhook"));
        for name in VARIABLES {
            command.env_remove(name);
        }
        command.env("DATABASE_URL", &self.url).current_dir(self.home.path()).args(arguments);
        if let Some(key) = &self.key {
            command.env("BOOKHOOK_MASTER_KEY", key);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        ran(self.command(arguments).spawn().unwrap())
    }

    /// Runs a command that reads this on standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        ran(child)
    }

    /// Runs a command whose output nobody reads.
    pub(crate) fn run_unread(&self, arguments: &[&str]) -> Ran {
        let mut child = self.command(arguments).spawn().unwrap();
        drop(child.stdout.take());
        ran(child)
    }

    /// Runs a command that must do well, with `--json`.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        well(&self.run(&[arguments, &["--json"]].concat()))
    }

    /// The same, with standard input.
    pub(crate) fn json_with(&self, arguments: &[&str], input: &str) -> Value {
        well(&self.run_with(&[arguments, &["--json"]].concat(), input))
    }

    /// Makes a tenant, and answers its slug.
    pub(crate) fn tenant(&self, name: &str) -> String {
        self.json(&["tenant", "add", "--name", name])["slug"].as_str().unwrap().to_owned()
    }

    /// Starts the service on a free port, and waits until it is ready.
    pub(crate) fn serve(&self) -> Service {
        let mut child = self.command(&["serve", "--listen", "127.0.0.1:0"]).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let Some(url) = line.trim().strip_prefix("listening on ") else {
            panic!("{line}: {:?}", ran(child));
        };
        Service { url: url.to_owned(), out, child }
    }
}

fn well(ran: &Ran) -> Value {
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.json()
}

fn ran(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let code = output.status.code().unwrap_or(-1);
    Ran { code, out: text(&output.stdout), err: text(&output.stderr) }
}

/// The running service; it is ended when this is dropped.
pub(crate) struct Service {
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    out: BufReader<std::process::ChildStdout>,
    child: Child,
}

impl Service {
    /// Sends it a signal, waits until it has ended, and answers its exit code and whatever it
    /// printed after its first line.
    pub(crate) fn stop(mut self, signal: &str) -> (Option<i32>, String) {
        let process = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &process]).status().unwrap().success());
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

/// Asks again and again until it is so. The promise is five seconds; a test machine that is busy
/// with others gets twenty, since this is no measurement.
pub(crate) fn within_five_seconds(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(20), "not in time: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
