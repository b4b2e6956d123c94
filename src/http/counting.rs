//! Counts that several ask for at one time, made once for all of them.

use crate::storage::client_stats::{self, Counts};
use crate::storage::{self, Db};
use chrono::{DateTime, Utc};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use tokio::sync::Mutex;
use uuid::Uuid;

/// Counts the clients of tenants.
///
/// Whoever asks while a count is being made waits for the next one and shares it: it begins after
/// they asked, so that it has everything that was there when they did.
#[derive(Debug, Default)]
pub struct Counting {
    tenants: std::sync::Mutex<HashMap<Uuid, Arc<Turn>>>,
}

/// A tenant's counts.
#[derive(Debug, Default)]
struct Turn {
    /// The number of the last count that began.
    begun: AtomicU64,
    /// The last count that was made.
    made: Mutex<Option<Made>>,
}

/// What was counted.
#[derive(Debug)]
struct Made {
    number: u64,
    months: [DateTime<Utc>; 3],
    counts: Counts,
}

impl Counting {
    /// How many clients the tenant has; `months` as [`client_stats::count`] takes them.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn count(
        &self,
        db: &Db,
        tenant: Uuid,
        months: [DateTime<Utc>; 3],
    ) -> storage::Result<Counts> {
        let turn = self.turn(tenant);
        let asked = turn.begun.load(Ordering::SeqCst);
        let mut made = turn.made.lock().await;
        if let Some(made) =
            made.as_ref().filter(|made| made.number > asked && made.months == months)
        {
            return Ok(made.counts.clone());
        }
        let number = turn.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let mut reader = db.reader().await?;
        let counts = client_stats::count(&mut reader.conn(), tenant, months).await?;
        *made = Some(Made { number, months, counts: counts.clone() });
        Ok(counts)
    }

    fn turn(&self, tenant: Uuid) -> Arc<Turn> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tenants.entry(tenant).or_default())
    }
}
