//! What runs beside the server: the start, the directory, the spool.

use super::{StartError, prepare};
use crate::config::Settings;
use crate::http::Shared;
use crate::storage::spool::{SpoolError, SpoolFile};
use crate::storage::{self, idempotency};
use crate::telemetry;
use crate::tracking::directory::Registry;
use crate::tracking::spool::Spool;
use crate::tracking::spool::drain::Drain;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How often other instances' changes to tenants and connections are looked for. They are to be
/// in force within five seconds.
const REFRESH: Duration = Duration::from_secs(1);

/// How often what has run out is removed.
const TIDY: Duration = Duration::from_mins(5);

/// How long the database may take to answer before it is taken to be away.
const PATIENCE: Duration = Duration::from_secs(2);

/// Looks after a service while it runs.
pub(super) struct Keeper {
    shared: Shared,
    registry: Arc<Registry>,
    /// Where the spool is to be, and how much may be in it; `None` with SQLite.
    spool: Option<(PathBuf, u64)>,
}

impl Keeper {
    /// A keeper of the service, its spool open where it can be.
    pub(super) async fn new(settings: &Settings, shared: Shared, registry: Arc<Registry>) -> Self {
        let spool = (settings.spool.clone(), settings.spool_size);
        let keeper =
            Self { shared, registry, spool: Some(spool).filter(|_| !settings.is_sqlite()) };
        if let Err(error) = keeper.open_spool().await {
            tracing::error!(%error, "while the database is away, deliveries will be sent back");
        }
        keeper
    }

    /// Runs for ever, or until it fails; `on_ready` is called once deliveries are taken.
    pub(super) fn run<'a>(
        &'a self,
        on_ready: impl FnOnce() + Send + 'a,
    ) -> BoxFuture<'a, Result<(), StartError>> {
        let running = async move {
            self.start(on_ready).await?;
            tokio::join!(
                self.keep_fresh().boxed(),
                self.keep_tidy().boxed(),
                self.keep_spool().boxed()
            )
            .0
        };
        running.boxed()
    }

    /// Migrates and reads the directory. A database that is away is waited for; meanwhile
    /// deliveries are taken if the spool has kept a directory.
    async fn start(&self, on_ready: impl FnOnce() + Send) -> Result<(), StartError> {
        let (mut said, mut on_ready) = (false, Some(on_ready));
        let mut be_ready = || {
            self.shared.readiness.set_ready();
            if let Some(on_ready) = on_ready.take() {
                on_ready();
            }
        };
        loop {
            let trips = self.shared.spool.get().map(|spool| spool.trips());
            match self.load().await {
                Ok(()) => {
                    if let (Some(spool), Some(trips)) = (self.shared.spool.get(), trips) {
                        spool.resume(trips);
                    }
                    break;
                }
                Err(error) if error.is_unavailable() || error.is_conflict() => {
                    if !std::mem::replace(&mut said, true) {
                        tracing::warn!("the database is not available; waiting for it");
                    }
                    // Whoever had the spool at first may be gone by now.
                    if self.shared.spool.get().is_none() && self.open_spool().await.is_ok() {
                        tracing::info!("the spool is open now");
                    }
                    if !self.shared.readiness.is_ready() && self.restored().await {
                        tracing::warn!("deliveries go to the spool until it is");
                        be_ready();
                    }
                    tokio::time::sleep(REFRESH).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        be_ready();
        Ok(())
    }

    async fn load(&self) -> storage::Result<()> {
        storage::in_time(PATIENCE, self.shared.db.ping().boxed()).await?;
        prepare(&self.shared.db, &self.shared.key).await?;
        self.registry.refresh().await
    }

    async fn restored(&self) -> bool {
        self.registry.restore().await.unwrap_or_else(|error| {
            tracing::error!(%error, "the spool's tenants and connections can't be read");
            false
        })
    }

    async fn keep_fresh(&self) -> Result<(), StartError> {
        loop {
            tokio::time::sleep(REFRESH).await;
            telemetry::keep_counters();
            let spool = self.shared.spool.get();
            if spool.is_some_and(|spool| spool.is_taking()) {
                continue;
            }
            let Err(error) = storage::in_time(PATIENCE, self.registry.refresh().boxed()).await
            else {
                continue;
            };
            match spool {
                Some(spool) if error.is_unavailable() => spool.trip(&error.told()),
                _ => tracing::warn!(
                    error = error.told(),
                    "tenants and connections could not be read again"
                ),
            }
        }
    }

    /// Removes what has run out, and forgets who has not asked for a while.
    async fn keep_tidy(&self) {
        loop {
            tokio::time::sleep(TIDY).await;
            self.shared.throttle.tidy();
            let purged = async {
                let mut tx = self.shared.db.begin().await?;
                idempotency::purge(&mut tx.conn(), self.shared.clock.now()).await?;
                tx.commit().await?;
                // An erasure may have found somebody reading.
                self.shared.db.cut_log().await
            };
            if let Err(error) = purged.await {
                tracing::warn!(%error, "what has run out could not be removed");
            }
        }
    }

    /// Opens the spool as soon as whoever has it lets go of it, and drains it.
    async fn keep_spool(&self) {
        if self.spool.is_none() {
            return;
        }
        while self.shared.spool.get().is_none() {
            tokio::time::sleep(REFRESH).await;
            if self.open_spool().await.is_ok() {
                tracing::info!("the spool is open now");
                if let Some(spool) = self.shared.spool.get() {
                    spool.resume(spool.trips());
                }
                if let Err(error) = self.registry.reload().await {
                    tracing::warn!(%error, "tenants and connections could not be kept in the spool");
                }
            }
        }
        if let Some(spool) = self.shared.spool.get() {
            let (tracker, registry) = (self.shared.tracker.clone(), Arc::clone(&self.registry));
            Drain::new(Arc::clone(spool), tracker, registry).run().await;
        }
    }

    async fn open_spool(&self) -> Result<(), SpoolError> {
        let Some((path, most)) = &self.spool else { return Ok(()) };
        let file = SpoolFile::open(path).await?;
        let spool = Spool::new(file, *most, self.shared.clock.clone()).await;
        let spool = spool.map_err(|error| SpoolError::Storage { path: path.clone(), error })?;
        self.shared.spool.get_or_init(|| Arc::new(spool));
        Ok(())
    }
}
