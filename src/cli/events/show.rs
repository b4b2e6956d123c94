//! `events show`.

use crate::cli::desk::Desk;
use crate::cli::error::{Error, Result};
use crate::cli::print::{self, Record};
use crate::domain::channel::EventStatus;
use crate::storage::connections;
use crate::storage::event_aliases;
use crate::storage::events::{self, EventRow};
use crate::storage::inbox::{self, InboxRow};
use crate::storage::spool::{QueuedRow, SpoolFile};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use uuid::Uuid;

/// Shows everything that is kept of an event, of whichever tenant or of none yet.
pub(super) async fn run(desk: &Desk, id: Uuid) -> Result<()> {
    let slugs = desk.slugs().await?;
    let mut reader = desk.db.reader().await?;
    let conn = &mut reader.conn();
    let connections = connections::list(conn).await?;
    let by = |id: Option<Uuid>| {
        let row = connections.iter().find(|row| Some(row.id) == id);
        row.map(|row| row.public_id.clone())
    };
    let stored = event_aliases::find_anywhere(conn, id).await?.unwrap_or(id);
    let in_inbox = event_aliases::find_in_inbox(conn, id).await?.unwrap_or(id);
    let (record, raw) = if let Some(row) = events::find_anywhere(conn, stored).await? {
        let record = record(&row, by(row.connection_id));
        (record.with("tenant", slugs.get(&row.tenant_id)), row.raw.into_bytes())
    } else if let Some(row) = inbox::find(conn, in_inbox).await? {
        (inbox_record(&row, by(row.connection_id)), row.raw)
    } else {
        let row = queued(desk, id).await?.ok_or_else(|| missing(id))?;
        let slug = row.tenant_id.and_then(|id| slugs.get(&id));
        (queued_record(&row).with("tenant", slug), row.raw)
    };
    if desk.printer.json {
        return Ok(desk.printer.record(&with_raw(record, &raw))?);
    }
    desk.printer.record(&record)?;
    Ok(print::say(&format!("\n{}", String::from_utf8_lossy(&raw)))?)
}

/// An event that waits on this machine until the database is back.
async fn queued(desk: &Desk, id: Uuid) -> Result<Option<QueuedRow>> {
    if desk.settings.is_sqlite() {
        return Ok(None);
    }
    let spool = SpoolFile::look(&desk.settings.spool).await;
    let spool = spool.map_err(|error| Error::Refused(error.to_string()))?;
    match spool {
        Some(spool) => Ok(spool.find(id).await?),
        None => Ok(None),
    }
}

fn queued_record(row: &QueuedRow) -> Record {
    Record::default()
        .with("id", row.id)
        .with("tenantId", row.tenant_id)
        .with("source", &row.source)
        .with("kind", &row.kind)
        .with("status", EventStatus::Queued)
        .with("receivedAt", row.received_at)
}

/// There is no such event.
pub(super) fn missing(id: Uuid) -> Error {
    Error::Refused(format!("there is no event {id}; see `bookhook events list`"))
}

fn record(row: &EventRow, connection: Option<String>) -> Record {
    Record::default()
        .with("id", row.id)
        .with("tenantId", row.tenant_id)
        .with("source", &row.source)
        .with("kind", &row.kind)
        .with("connection", connection)
        .with("accountId", &row.account_id)
        .with("status", &row.status)
        .with("reason", &row.reason)
        .with("toldAgainAs", row.told_again_as)
        .with("problems", json(&row.problems))
        .with("understood", row.understood.as_deref().map(json))
        .with("overrides", row.overrides.as_deref().map(json))
        .with("answer", json(&row.answer))
        .with("headers", json(&row.headers))
        .with("occurredAt", row.occurred_at)
        .with("receivedAt", row.received_at)
        .with("attempts", row.attempts)
}

fn inbox_record(row: &InboxRow, connection: Option<String>) -> Record {
    Record::default()
        .with("id", row.id)
        .with("source", &row.source)
        .with("kind", &row.kind)
        .with("connection", connection)
        .with("accountId", &row.account_id)
        .with("status", &row.status)
        .with("reason", &row.reason)
        .with("problems", json(&row.problems))
        .with("answer", json(&row.answer))
        .with("headers", json(&row.headers))
        .with("occurredAt", row.occurred_at)
        .with("receivedAt", row.received_at)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// The body as text, or in base64 where it is none.
fn with_raw(record: Record, raw: &[u8]) -> Record {
    match std::str::from_utf8(raw) {
        Ok(text) => record.with("raw", text),
        Err(_) => record.with("rawBase64", STANDARD.encode(raw)),
    }
}
