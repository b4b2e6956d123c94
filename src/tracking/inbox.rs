//! Events that belong to no tenant.

use super::answer::Answer;
use super::attempts::ATTEMPTS;
use super::intake::InboxTaken;
use super::outcome::Decided;
use super::{TrackError, Tracker};
use crate::storage::{self, Error, events, inbox};
use std::collections::BTreeMap;

impl Tracker {
    /// Keeps an event that belongs to no tenant, for the platform's admins. A repeat is answered
    /// as the first was.
    ///
    /// # Errors
    /// [`TrackError::Unavailable`] when it could not be stored.
    pub async fn keep_in_inbox(&self, taken: &InboxTaken) -> Result<Answer, TrackError> {
        for _ in 0..ATTEMPTS {
            match self.try_inbox(taken).await {
                Ok(answer) => return Ok(answer),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(TrackError::Unavailable(error)),
            }
        }
        self.try_inbox(taken).await.map_err(TrackError::Unavailable)
    }

    /// What makes a repeat of it one, and the hash of its bytes.
    pub(super) fn inbox_hashes(&self, taken: &InboxTaken) -> (String, String) {
        let body_hash = self.key.hash(&[b"body", &taken.item.raw]);
        let source = taken.source.name().as_bytes();
        (self.key.hash(&[b"inbox", source, body_hash.as_bytes()]), body_hash)
    }

    async fn try_inbox(&self, taken: &InboxTaken) -> storage::Result<Answer> {
        let (item, id) = (&taken.item, taken.event_id);
        let (key, body_hash) = self.inbox_hashes(taken);
        let mut tx = self.db.begin().await?;
        if let Some(known) = inbox::find_by_key(&mut tx.conn(), &key).await? {
            let bad = |_| Error::Inconsistent { table: "platform_inbox", column: "answer" };
            return serde_json::from_str(&known.answer).map(Answer::repeated).map_err(bad);
        }
        let decided = Decided::of_nobody(id);
        let row = decided.row(&BTreeMap::new())?;
        let event = events::NewEvent {
            id,
            connection_id: taken.connection_id,
            source: taken.source.name(),
            kind: &item.kind,
            account_id: item.account.as_deref(),
            delivery_key_hash: Some(&key),
            body_hash: &body_hash,
            outcome: row.outcome(),
            headers: &taken.headers,
            raw: &item.raw,
            occurred_at: item.occurred_at,
            received_at: taken.received_at,
        };
        inbox::insert(&mut tx.conn(), &event).await?;
        tx.commit().await?;
        Ok(decided.answer)
    }
}
