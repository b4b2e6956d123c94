//! The REST API under `/api/platform`, one file a noun.

pub(super) mod audit;
pub(super) mod bookings;
pub(super) mod clients;
pub(super) mod connections;
pub(super) mod events;
pub(super) mod exports;
pub(super) mod inbox;
pub(super) mod leads;
pub(super) mod replay;
pub(super) mod tenants;
pub(super) mod tokens;
pub(super) mod users;

use crate::auth::Access;
use crate::storage::{self, Conn};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Notes in the audit log what a caller did (action, kind and id of its subject).
async fn note(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    by: &Access,
    (action, kind, id): (&str, &str, &str),
    now: DateTime<Utc>,
) -> storage::Result<()> {
    storage::audit::note(conn, tenant, &by.actor(), action, kind, id, None, now).await
}
