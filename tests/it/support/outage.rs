//! Databases that go away when a test wants it: behind a proxy, or as a server of its own.

use super::db::TestDb;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::broadcast;

const PASS: u8 = 0;
const REFUSE: u8 = 1;
const HANG: u8 = 2;

/// What becomes of a transaction that is about to be committed.
#[derive(Clone, Copy)]
enum Commit {
    /// The server never hears of it: it undoes the transaction.
    Unheard,
    /// The server commits, and nobody hears of it.
    Unanswered,
    /// The server is said to refuse with this code, and is not heard of again.
    Refused(&'static str, &'static str),
}

/// One after the other.
const COMMITS: [Commit; 4] = [
    Commit::Unheard,
    Commit::Unanswered,
    Commit::Refused("ERROR", "53100"),
    Commit::Refused("FATAL", "57P01"),
];

/// How what comes is carried.
#[derive(Default)]
struct Way {
    mode: AtomicU8,
    /// How many commits are still to come before one is met by one of [`COMMITS`]; 0 is none.
    until: AtomicU64,
    /// How many were met so far.
    spoiled: AtomicU64,
}

impl Way {
    /// What these bytes on their way to the server are to meet.
    fn meets(&self, bytes: &[u8]) -> Option<Commit> {
        if !bytes.windows(7).any(|seven| seven == b"COMMIT\0") {
            return None;
        }
        let left = |until: u64| until.checked_sub(1);
        let until = self.until.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left);
        (until == Ok(1)).then(|| {
            let nth = self.spoiled.fetch_add(1, Ordering::SeqCst);
            COMMITS[usize::try_from(nth).unwrap() % COMMITS.len()]
        })
    }
}

/// An error as a server says it, and that it is ready again.
fn refusal(severity: &str, code: &str) -> Vec<u8> {
    let fields = format!("S{severity}\0V{severity}\0C{code}\0Mrefused by the test\0\0");
    let length = u32::try_from(fields.len() + 4).unwrap().to_be_bytes();
    [b"E", &length[..], fields.as_bytes(), b"Z\0\0\0\x05I"].concat()
}

/// What stands between the service and its database.
pub(crate) struct Proxy {
    way: Arc<Way>,
    cut: broadcast::Sender<()>,
    /// The database's address through the proxy.
    pub(crate) url: String,
}

impl Proxy {
    /// A proxy in front of a database that is reached by a socket in a directory.
    pub(crate) async fn before(db: &TestDb) -> Self {
        let (head, socket) = db.url.split_once("?host=").expect("a server with a socket");
        let socket = format!("{socket}/.s.PGSQL.5432");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let name = head.rsplit('/').next().unwrap();
        let url = format!("postgres://postgres@127.0.0.1:{port}/{name}?sslmode=disable");
        let (way, (cut, _)) = (Arc::<Way>::default(), broadcast::channel(4));
        tokio::spawn(accept(listener, socket, Arc::clone(&way), cut.clone()));
        Self { way, cut, url }
    }

    /// The `nth` commit from now on goes wrong, each time in another way.
    pub(crate) fn spoil_commit(&self, nth: u64) {
        self.way.until.store(nth, Ordering::SeqCst);
    }

    /// How many commits went wrong.
    pub(crate) fn spoiled(&self) -> u64 {
        self.way.spoiled.load(Ordering::SeqCst)
    }

    /// Connections are ended, and no new one lives.
    pub(crate) fn refuse(&self) {
        self.way.mode.store(REFUSE, Ordering::SeqCst);
        self.cut();
    }

    /// Connections stay, and nothing comes through them any more.
    pub(crate) fn hang(&self) {
        self.way.mode.store(HANG, Ordering::SeqCst);
    }

    /// Connections are ended; new ones live.
    pub(crate) fn cut(&self) {
        self.cut.send(()).ok();
    }

    /// The database is back. What hung is gone.
    pub(crate) fn pass(&self) {
        self.way.mode.store(PASS, Ordering::SeqCst);
        self.cut();
    }
}

async fn accept(listener: TcpListener, socket: String, way: Arc<Way>, cut: broadcast::Sender<()>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        if way.mode.load(Ordering::SeqCst) == REFUSE {
            continue;
        }
        let (way, mut cut, socket) = (Arc::clone(&way), cut.subscribe(), socket.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = carry(client, &socket, &way) => {}
                _ = cut.recv() => {}
            }
        });
    }
}

/// Carries bytes both ways until one end is gone, or for ever where nothing is to come through.
async fn carry(mut client: TcpStream, socket: &str, way: &Way) {
    let Ok(mut server) = UnixStream::connect(socket).await else { return };
    let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
    loop {
        let done = tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(count) if count > 0 => {
                    held(way).await;
                    let meets = way.meets(&up[..count]);
                    match meets {
                        None | Some(Commit::Unanswered) => {
                            server.write_all(&up[..count]).await.is_err() || meets.is_some()
                        }
                        Some(Commit::Unheard) => true,
                        Some(Commit::Refused(severity, code)) => {
                            client.write_all(&refusal(severity, code)).await.ok();
                            true
                        }
                    }
                }
                _ => true,
            },
            read = server.read(&mut down) => match read {
                Ok(count) if count > 0 => {
                    held(way).await;
                    client.write_all(&down[..count]).await.is_err()
                }
                _ => true,
            },
        };
        if done {
            return;
        }
    }
}

async fn held(way: &Way) {
    if way.mode.load(Ordering::SeqCst) == HANG {
        std::future::pending::<()>().await;
    }
}

/// A PostgreSQL server of one test's own.
pub(crate) struct Server {
    url: String,
}

impl Server {
    /// Starts one; it ends with the test.
    pub(crate) fn start() -> Self {
        let url = script(&["start", &std::process::id().to_string()]);
        Self { url: url.trim().to_owned() }
    }

    /// Starts one that keeps what it committed, as a server does where nothing else was said.
    pub(crate) fn durable() -> Self {
        let url = script(&["durable", &std::process::id().to_string()]);
        Self { url: url.trim().to_owned() }
    }

    /// Its database.
    pub(crate) fn db(&self) -> TestDb {
        TestDb::nowhere(&self.url)
    }

    /// Ends it: `fast`, `immediate` or `kill`.
    pub(crate) fn halt(&self, how: &str) {
        script(&["halt", &self.url, how]);
    }

    /// Starts it again.
    pub(crate) fn resume(&self) {
        script(&["resume", &self.url]);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        script(&["stop", &self.url]);
    }
}

fn script(arguments: &[&str]) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres");
    let output = Command::new(script).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}
