//! A delivery in the form in which it waits.

use super::{Queuing, Repeats};
use crate::sources::{self, DeliveryKey, Item, Source};
use crate::storage::spool::QueuedRow;
use crate::tracking::intake::InboxTaken;
use crate::tracking::{Taken, Tracker};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// All that tracking has to know beside the bytes.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) item: Item,
    pub(super) connection_id: Option<Uuid>,
    pub(super) path: String,
    pub(super) headers: String,
    pub(super) held: Option<(String, String)>,
}

impl Record {
    /// Reads what waits; `None` for what this program can't read.
    pub(super) fn read(row: &QueuedRow) -> Option<(&'static dyn Source, Self)> {
        let mut record: Self = serde_json::from_str(&row.taken).ok()?;
        record.item.raw.clone_from(&row.raw);
        Some((sources::find(&row.source)?, record))
    }
}

impl Tracker {
    /// A tenant's event as it waits in the spool.
    pub(in crate::tracking) fn queued(&self, taken: &Taken) -> serde_json::Result<Queuing> {
        let body_hash = self.key.hash(&[b"body", &taken.item.raw]);
        let key_hash = self.key_hash(taken, &body_hash);
        let repeats = match taken.item.key {
            DeliveryKey::Chosen(_) => Repeats::SameBytes,
            DeliveryKey::BodyForAnHour => Repeats::WithinAnHour,
            _ => Repeats::Always,
        };
        let record = Record {
            item: taken.item.clone(),
            connection_id: taken.connection_id,
            path: taken.path.clone(),
            headers: taken.headers.clone(),
            held: taken.held.clone(),
        };
        let row = QueuedRow {
            seq: 0,
            id: taken.event_id,
            tenant_id: Some(taken.tenant.id),
            source: taken.source.name().to_owned(),
            kind: taken.item.kind.clone(),
            key_hash,
            body_hash,
            taken: serde_json::to_string(&record)?,
            raw: record.item.raw,
            received_at: taken.received_at,
        };
        Ok((row, repeats))
    }

    /// An event of nobody's as it waits in the spool.
    pub(in crate::tracking) fn queued_for_inbox(
        &self,
        taken: &InboxTaken,
    ) -> serde_json::Result<Queuing> {
        let (key, body_hash) = self.inbox_hashes(taken);
        let record = Record {
            item: taken.item.clone(),
            connection_id: taken.connection_id,
            path: taken.source.path().to_owned(),
            headers: taken.headers.clone(),
            held: None,
        };
        let row = QueuedRow {
            seq: 0,
            id: taken.event_id,
            tenant_id: None,
            source: taken.source.name().to_owned(),
            kind: taken.item.kind.clone(),
            key_hash: Some(key),
            body_hash,
            taken: serde_json::to_string(&record)?,
            raw: record.item.raw,
            received_at: taken.received_at,
        };
        Ok((row, Repeats::Always))
    }
}
