//! Databases that go away when a test wants it: behind a proxy, or as a server of its own.

use super::db::TestDb;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::broadcast;

const PASS: u8 = 0;
const REFUSE: u8 = 1;
const HANG: u8 = 2;

/// What stands between the service and its database.
pub(crate) struct Proxy {
    mode: Arc<AtomicU8>,
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
        let (mode, (cut, _)) = (Arc::new(AtomicU8::new(PASS)), broadcast::channel(4));
        tokio::spawn(accept(listener, socket, Arc::clone(&mode), cut.clone()));
        Self { mode, cut, url }
    }

    /// Connections are ended, and no new one lives.
    pub(crate) fn refuse(&self) {
        self.mode.store(REFUSE, Ordering::SeqCst);
        self.cut();
    }

    /// Connections stay, and nothing comes through them any more.
    pub(crate) fn hang(&self) {
        self.mode.store(HANG, Ordering::SeqCst);
    }

    /// Connections are ended; new ones live.
    pub(crate) fn cut(&self) {
        self.cut.send(()).ok();
    }

    /// The database is back. What hung is gone.
    pub(crate) fn pass(&self) {
        self.mode.store(PASS, Ordering::SeqCst);
        self.cut();
    }
}

async fn accept(
    listener: TcpListener,
    socket: String,
    mode: Arc<AtomicU8>,
    cut: broadcast::Sender<()>,
) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        if mode.load(Ordering::SeqCst) == REFUSE {
            continue;
        }
        let (mode, mut cut, socket) = (Arc::clone(&mode), cut.subscribe(), socket.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = carry(client, &socket, &mode) => {}
                _ = cut.recv() => {}
            }
        });
    }
}

/// Carries bytes both ways until one end is gone, or for ever where nothing is to come through.
async fn carry(mut client: TcpStream, socket: &str, mode: &AtomicU8) {
    let Ok(mut server) = UnixStream::connect(socket).await else { return };
    let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
    loop {
        let done = tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(count) if count > 0 => {
                    held(mode).await;
                    server.write_all(&up[..count]).await.is_err()
                }
                _ => true,
            },
            read = server.read(&mut down) => match read {
                Ok(count) if count > 0 => {
                    held(mode).await;
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

async fn held(mode: &AtomicU8) {
    if mode.load(Ordering::SeqCst) == HANG {
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
