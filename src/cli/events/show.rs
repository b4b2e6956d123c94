//! `events show`.

use crate::cli::desk::Desk;
use crate::cli::error::{Error, Result};
use crate::cli::print::{self, Record};
use crate::storage::connections;
use crate::storage::events::{self, EventRow};
use crate::storage::inbox::{self, InboxRow};
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
    let (record, raw) = if let Some(row) = events::find_anywhere(conn, id).await? {
        let record = record(&row, by(row.connection_id));
        (record.with("tenant", slugs.get(&row.tenant_id)), row.raw.into_bytes())
    } else {
        let row = inbox::find(conn, id).await?.ok_or_else(|| missing(id))?;
        (inbox_record(&row, by(row.connection_id)), row.raw)
    };
    if desk.printer.json {
        return Ok(desk.printer.record(&with_raw(record, &raw))?);
    }
    desk.printer.record(&record)?;
    Ok(print::say(&format!("\n{}", String::from_utf8_lossy(&raw)))?)
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
