//! SQLite where it can't write: a full disk, a file that may not grow, one that is read-only, one
//! that another process has. What can't be stored is sent back, the log says what to do, and once
//! the fault is gone the service goes on by itself.

use super::Chance;
use super::load::{CLIENTS, Load, QUIET, Teller};
use crate::support::app::TestApp;
use crate::support::binary::Program;
use crate::support::db::{Engine, TestDb};
use sqlx::{Connection as _, Executor as _};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Runs the program on a small disk of its own, which holds a copy of the database.
const SMALL_DISK: &str =
    "mount -t tmpfs -o size=64m none \"$0\" && cp \"$1\" \"$0\" && shift && exec \"$@\"";

/// How many deliveries show that it goes well.
const MANY: u64 = 60;

/// A salon on a file, and its clients.
struct Filed {
    db: TestDb,
    load: Load,
    tellers: Vec<Teller>,
}

impl Filed {
    async fn new() -> Self {
        let mut chance = Chance::of_this_run();
        let db = TestDb::fresh(Engine::Sqlite).await;
        let app = TestApp::start(&db).await;
        let load = Load::open(&app).await;
        app.stop().await.unwrap();
        Self { db, load, tellers: Teller::all(&mut chance) }
    }

    fn file(&self) -> PathBuf {
        self.db.url.strip_prefix("sqlite://").unwrap().into()
    }

    /// The clients send until so many more deliveries were acknowledged.
    async fn goes_well(&mut self, program: &Program, many: u64) {
        self.load.at(&program.url);
        let enough = self.load.noted().acknowledged + many;
        let load = &self.load;
        let watching = async {
            let begun = Instant::now();
            while load.noted().acknowledged < enough {
                let stands = begun.elapsed() > Duration::from_secs(30);
                assert!(!stands, "{} sent back", load.noted().sent_back);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            load.stop();
        };
        tokio::join!(load.run(&mut self.tellers), watching);
    }

    /// The clients send until so many deliveries were sent back. What was
    /// acknowledged is there; the service is alive and answers.
    async fn goes_badly(&mut self, many: u64, look: &impl Fn() -> TestDb) {
        let load = &self.load;
        let before = load.noted().sent_back;
        let watching = async {
            let begun = Instant::now();
            while load.noted().sent_back < before + many {
                let (back, waited) = (load.noted().sent_back - before, begun.elapsed());
                assert!(waited < Duration::from_secs(30), "{back} sent back");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            load.stop();
        };
        tokio::join!(load.run(&mut self.tellers), watching);
        assert!(load.is_alive().await);
        look().has_events(&load.noted().all()).await;
    }

    /// Everything once more, and a look into the database.
    async fn ends_well(&self, look: &impl Fn() -> TestDb) {
        let stories = Teller::begun(&self.tellers);
        self.load.tell_all(&stories).await;
        let seen = look();
        seen.has_events(&self.load.noted().all()).await;
        seen.is_whole().await;
        seen.tells(&stories).await;
        let noted = self.load.noted();
        let (taken, back) = (noted.acknowledged, noted.sent_back);
        println!("{taken} deliveries acknowledged, {back} sent back: nothing lost");
    }
}

/// True where this machine lets its users make a small disk.
fn has_namespaces() -> bool {
    Command::new("unshare").args(["-rm", "true"]).status().is_ok_and(|ended| ended.success())
}

/// Fills whatever room there is.
fn fill(filler: &Path) {
    let mut room = fs::File::create(filler).unwrap();
    let block = vec![1; 1 << 16];
    while std::io::Write::write_all(&mut room, &block).is_ok() {}
}

#[actix_web::test]
async fn a_full_disk_sends_back_and_once_there_is_room_goes_on() {
    if !has_namespaces() {
        println!("left out: this machine lets nobody make a small disk");
        return;
    }
    let mut filed = Filed::new().await;
    let disk = tempfile::tempdir().unwrap();
    let (file, place) = (filed.file(), disk.path().to_str().unwrap().to_owned());
    let command = ["unshare", "-rm", "sh", "-c", SMALL_DISK, &place, file.to_str().unwrap()];
    let url = format!("sqlite://{place}/test.db");
    let program = Program::serve_under(&command, &url, &QUIET).unwrap();
    // The disk is the program's alone: what is on it is looked at elsewhere.
    let small = PathBuf::from(format!("/proc/{}/root{place}", program.id()));
    let copy = || {
        for name in ["test.db", "test.db-wal"] {
            fs::copy(small.join(name), disk.path().join(name)).unwrap();
        }
        fs::remove_file(disk.path().join("test.db-shm")).ok();
        TestDb::nowhere(&url)
    };

    filed.goes_well(&program, MANY).await;
    fill(&small.join("filler"));
    filed.goes_badly(CLIENTS, &copy).await;
    fs::remove_file(small.join("filler")).unwrap();
    filed.goes_well(&program, MANY).await;
    filed.ends_well(&copy).await;
    let log = program.stop();
    assert!(log.contains("disk is full") && log.contains("make room"), "{log}");
}

#[actix_web::test]
async fn a_file_that_may_not_grow_sends_back_and_once_it_may_goes_on() {
    let mut filed = Filed::new().await;
    let url = filed.db.url.clone();
    let look = || TestDb::nowhere(&url);
    let size = fs::metadata(filed.file()).unwrap().len();
    // The log of the database meets the limit first, in the middle of a transaction.
    let limit = format!("--fsize={}:", size + 2_000_000);
    let command = ["env", "--ignore-signal=XFSZ", "prlimit", &limit];
    let program = Program::serve_under(&command, &url, &QUIET).unwrap();
    filed.goes_well(&program, 10).await;
    filed.goes_badly(CLIENTS, &look).await;
    let process = program.id().to_string();
    let lift = ["--pid", &process, "--fsize=unlimited:"];
    assert!(Command::new("prlimit").args(lift).status().unwrap().success());
    filed.goes_well(&program, MANY).await;
    filed.ends_well(&look).await;
    let log = program.stop();
    assert!(log.contains("may not grow"), "{log}");
}

#[actix_web::test]
async fn a_file_that_another_process_has_sends_back_and_once_it_is_free_goes_on() {
    let mut filed = Filed::new().await;
    let url = filed.db.url.clone();
    let look = || TestDb::nowhere(&url);
    let program = Program::serve(&filed.db, &QUIET);
    filed.goes_well(&program, MANY).await;
    let mut other = look().sqlite().await;
    other.execute("begin immediate").await.unwrap();
    let before = filed.load.noted().acknowledged;
    // Each waits for a few seconds: those under way when the first is sent back will do.
    filed.goes_badly(1, &look).await;
    assert_eq!(filed.load.noted().acknowledged, before, "nothing is taken meanwhile");
    other.execute("rollback").await.unwrap();
    other.close().await.unwrap();
    filed.goes_well(&program, MANY).await;
    filed.ends_well(&look).await;
    let log = program.stop();
    assert!(log.contains("another process"), "{log}");
}

#[actix_web::test]
async fn a_file_that_is_read_only_is_said_to_be_and_nothing_is_taken() {
    let mut filed = Filed::new().await;
    let (file, url) = (filed.file(), filed.db.url.clone());
    let directory = file.parent().unwrap().to_owned();
    let writable = |is: bool| {
        fs::set_permissions(&file, Permissions::from_mode(if is { 0o600 } else { 0o400 })).unwrap();
        let mode = if is { 0o700 } else { 0o500 };
        fs::set_permissions(&directory, Permissions::from_mode(mode)).unwrap();
    };
    // A mode says nothing to root, unless it gives up what makes it so.
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let without = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"];
    let command = if is_root { &without[..] } else { &["env"] };

    writable(false);
    let refused = Program::serve_under(command, &url, &QUIET).map(Program::stop);
    let said = refused.expect_err("it does not start");
    assert!(said.contains("read-only") || said.contains("may be written"), "{said}");

    // While it runs the file is open: whatever becomes of the modes, it loses nothing.
    writable(true);
    let program = Program::serve_under(command, &url, &QUIET).unwrap();
    filed.goes_well(&program, MANY).await;
    writable(false);
    let load = &filed.load;
    let watching = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        load.stop();
    };
    tokio::join!(load.run(&mut filed.tellers), watching);
    program.kill();
    writable(true);
    let program = Program::serve_under(command, &url, &QUIET).unwrap();
    filed.goes_well(&program, MANY).await;
    filed.ends_well(&|| TestDb::nowhere(&url)).await;
    program.stop();
}
