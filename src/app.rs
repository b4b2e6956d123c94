//! The service: built from its settings, run until it is stopped.

mod keeper;

use crate::clock::Clock;
use crate::config::Settings;
use crate::http::health::Readiness;
use crate::http::throttle::Throttle;
use crate::http::{self, Shared};
use crate::storage::seal::{MasterKey, SealError};
use crate::storage::{self, Db, installation};
use crate::telemetry;
use crate::tracking::Tracker;
use crate::tracking::directory::Registry;
use crate::tracking::intake::Intake;
use crate::tracking::spool::Slot;
use keeper::Keeper;
use secrecy::ExposeSecret;
use std::fs;
use std::io::{self, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long a service that is to stop still takes what is on its way: whoever sends deliveries on to
/// several instances has seen by then that this one is not ready.
const LINGER: Duration = Duration::from_millis(250);

/// How long connections that are at rest may take to close, after the time that a stop may take:
/// both together end before Kubernetes' 30 seconds do.
const LONGEST_CLOSE: Duration = Duration::from_secs(2);

/// Why the service can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// PostgreSQL and no key: a made-up one would be lost with this machine.
    #[error(
        "BOOKHOOK_MASTER_KEY is not set; a service on PostgreSQL needs one: 32 random bytes in base64 (openssl rand -base64 32), the same for every instance"
    )]
    NoMasterKey,
    /// The key is none, or not this database's.
    #[error(transparent)]
    Key(#[from] SealError),
    /// The file that holds the key can't be read or made.
    #[error("{path}: {error}")]
    KeyFile {
        /// The file.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// The database can't be used.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// The address is taken, or not ours.
    #[error("can't listen at {address}: {error}")]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        error: io::Error,
    },
    /// The server stopped by itself.
    #[error("the server stopped: {0}")]
    Server(#[from] io::Error),
}

/// The service, listening; it answers once it runs.
pub struct App {
    listener: TcpListener,
    shared: Shared,
    keeper: Keeper,
    stop_within: Duration,
}

/// Opens the database that the settings name and finds the master key.
///
/// # Errors
/// [`StartError`]; a database that is away is none: it is not asked yet.
pub async fn open(settings: &Settings) -> Result<(Db, MasterKey), StartError> {
    let key = master_key(settings)?;
    Ok((Db::open(&settings.database_url).await?, key))
}

/// Brings the database to this version and checks that the master key is its own.
///
/// # Errors
/// [`storage::Error`], unavailable among them.
pub async fn prepare(db: &Db, key: &MasterKey) -> storage::Result<()> {
    db.migrate().await?;
    let mut tx = db.begin().await?;
    installation::claim_key(&mut tx.conn(), key).await?;
    tx.commit().await
}

/// Binds the address and prepares everything that needs no database.
///
/// # Errors
/// [`StartError`].
pub async fn build(settings: &Settings, clock: Clock) -> Result<App, StartError> {
    telemetry::start_counting();
    let (db, key) = open(settings).await?;
    let listener = TcpListener::bind(settings.listen)
        .map_err(|error| StartError::Listen { address: settings.listen.to_string(), error })?;
    let spool = Slot::default();
    let registry = Registry::new(db.clone(), key.clone(), clock.clone(), Arc::clone(&spool));
    let registry = Arc::new(registry);
    let tracker = Tracker::new(db.clone(), key.clone(), clock.clone());
    let intake = Intake::new(Arc::clone(&registry), tracker.clone(), Arc::clone(&spool));
    let readiness = Arc::new(Readiness::default());
    let throttle = Arc::new(Throttle::new(settings.api_rate));
    let counting = Arc::default();
    let intake = Arc::new(intake);
    let shared = Shared { db, key, clock, intake, tracker, readiness, spool, throttle, counting };
    let keeper = Keeper::new(settings, shared.clone(), registry).await;
    Ok(App { listener, shared, keeper, stop_within: settings.stop_within })
}

impl App {
    /// The port it listens at: the real one where 0 was asked for.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.listener.local_addr().map_or(0, |address| address.port())
    }

    /// The address it listens at, as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        let address = self.listener.local_addr();
        address.map_or_else(|_| String::new(), |address| format!("http://{address}"))
    }

    /// Whether it takes deliveries: shared with whoever waits for it.
    #[must_use]
    pub fn readiness(&self) -> Arc<Readiness> {
        Arc::clone(&self.shared.readiness)
    }

    /// Serves until `stop` ends, then finishes what was taken. `on_ready` is called once, when
    /// deliveries are taken for the first time; with the database away at the start that is when
    /// it comes, or at once where the spool knows whom to believe.
    ///
    /// # Errors
    /// [`StartError`] when the database is not ours (another key, a newer version), or the
    /// server fails.
    pub async fn run_until_stopped(
        self,
        stop: impl Future<Output = ()>,
        on_ready: impl FnOnce() + Send,
    ) -> Result<(), StartError> {
        let Self { listener, shared, keeper, stop_within } = self;
        let server = http::server(listener, shared.clone(), stop_within)?;
        let handle = server.handle();
        let serving = tokio::spawn(server);
        let stopped = tokio::select! {
            ended = keeper.run(on_ready) => ended,
            () = stop => Ok(()),
        };
        shared.readiness.set_draining();
        tracing::info!("stopping: finishing what was taken");
        let finishing = async {
            tokio::time::sleep(LINGER).await;
            handle.stop(true).await;
            serving.await
        };
        match tokio::time::timeout(stop_within, finishing).await {
            Ok(Ok(ended)) => ended?,
            Ok(Err(error)) => tracing::error!(%error, "the server broke off"),
            Err(_elapsed) => tracing::warn!("what is not finished by now is cut off"),
        }
        let closing = async {
            if let Some(spool) = shared.spool.get() {
                spool.close().await;
            }
            shared.db.close().await;
        };
        if tokio::time::timeout(LONGEST_CLOSE, closing).await.is_err() {
            tracing::warn!("the database did not take leave");
        }
        stopped
    }
}

/// The given key; for SQLite without one, the key in the file beside the database, made at first.
///
/// # Errors
/// [`StartError`] when there is none, or none that can be read.
pub fn master_key(settings: &Settings) -> Result<MasterKey, StartError> {
    if let Some(text) = &settings.master_key {
        return Ok(MasterKey::parse(text.expose_secret())?);
    }
    let Some(file) = settings.sqlite_file().filter(|_| settings.is_sqlite()) else {
        return Err(StartError::NoMasterKey);
    };
    let path = key_file(&file);
    let shown = |error| StartError::KeyFile { path: path.display().to_string(), error };
    match fs::read_to_string(&path) {
        Ok(text) => Ok(MasterKey::parse(&text)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = make_key(&path).map_err(shown)?;
            Ok(MasterKey::parse(&text)?)
        }
        Err(error) => Err(shown(error)),
    }
}

/// `bookhook.db` → `bookhook.db.key`.
fn key_file(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".key");
    PathBuf::from(name)
}

/// Makes the key's file, readable by its owner only. Of two commands that start at once one makes
/// it: it appears whole, and the other reads it.
fn make_key(path: &Path) -> io::Result<String> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let text = MasterKey::generate().map_err(io::Error::other)?;
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", std::process::id()));
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Ok(()) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::read_to_string(path),
        Err(error) => Err(error),
    }
}
