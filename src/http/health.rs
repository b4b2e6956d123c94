//! Is it alive, does it take deliveries, and how many did it take?

use super::Shared;
use super::problem::Problem;
use crate::storage;
use crate::telemetry;
use crate::tracking::spool::Report;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Json};
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long the database may take to answer before it is taken to be away.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether the service takes deliveries.
#[derive(Debug, Default)]
pub struct Readiness {
    ready: AtomicBool,
    draining: AtomicBool,
}

impl Readiness {
    /// True when deliveries are taken.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire) && !self.is_draining()
    }

    /// True once the service was asked to stop.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Says that deliveries are taken from now on.
    pub fn set_ready(&self) {
        self.ready.store(true, Ordering::Release);
    }

    /// Says that the service is stopping.
    pub fn set_draining(&self) {
        self.draining.store(true, Ordering::Release);
    }
}

/// Answers while the process runs.
pub(super) async fn alive() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// 200 when deliveries are taken: started, not stopping, the database in reach or room in the spool.
/// `degraded` while the database is away, or something waits in the spool.
pub(super) async fn ready(shared: Data<Shared>) -> Result<Json<Value>, Problem> {
    let away = |code, detail| Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail);
    if shared.readiness.is_draining() {
        return Err(away("draining", "the service is stopping"));
    }
    if !shared.readiness.is_ready() {
        return Err(away("starting", "the service has not reached its database yet"));
    }
    let Some(spool) = shared.spool.get() else {
        let pinged = storage::in_time(PATIENCE, shared.db.ping().boxed()).await;
        pinged.map_err(|_| away("database_away", "the database is not available"))?;
        return Ok(Json(json!({ "status": "ready", "degraded": false })));
    };
    if !spool.is_taking()
        && let Err(error) = storage::in_time(PATIENCE, shared.db.ping().boxed()).await
    {
        spool.trip(&error.told());
    }
    let Report { taking, refusing, deliveries, bytes, oldest_seconds } = spool.report();
    if taking && refusing {
        return Err(away("spool_full", "the database is not available, and the spool is full"));
    }
    if !taking && deliveries == 0 {
        return Ok(Json(json!({ "status": "ready", "degraded": false })));
    }
    Ok(Json(json!({
        "status": "ready",
        "degraded": true,
        "databaseAway": taking,
        "spool": { "deliveries": deliveries, "bytes": bytes, "oldestSeconds": oldest_seconds },
    })))
}

/// The counters of this process, as Prometheus reads them. They need no token: there is nobody in
/// them, and no tenant.
pub(super) async fn metrics() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(telemetry::counters())
}
