//! A transaction of many events: what was read ahead for them, and what is still to be written.
//!
//! Each event is tracked as if it were alone. What it reads was read before, for all of them at
//! once; what it writes is held back, and written for all of them at once. So that none of them
//! ever sees less than was written before it:
//!
//! - what is held back takes out of what was read ahead all that it changes;
//! - what isn't there is read from the database, once everything held back is written;
//! - what is written in any other way is written after what is held back, and after it nothing
//!   that was read ahead counts any more.

use super::bookings::BookingRow;
use super::bulk::{Bulk, Rows};
use super::clients::{ClientRow, IdentityRow};
use super::events::KnownEvent;
use super::leads::LeadRow;
use super::mappings::MappingRow;
use super::pending::{self, PendingClient};
use super::reviews::OfContext;
use super::sightings::Lookup;
use super::{Conn, Raw, Result};
use crate::domain::sighting::Sighting;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use uuid::Uuid;

/// Answers that were read ahead, by what they answer; none is an answer too.
#[derive(Debug)]
pub(super) struct Ahead<K, V>(HashMap<K, V>);

impl<K, V> Default for Ahead<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash, V> Ahead<K, V> {
    /// What was read, if it was.
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key)
    }

    /// Holds an answer.
    pub(super) fn hold(&mut self, key: K, answer: V) {
        self.0.insert(key, answer);
    }

    /// The answer may be another from now on.
    pub(super) fn forget(&mut self, key: &K) {
        self.0.remove(key);
    }

    /// Changes an answer that is held.
    pub(super) fn change(&mut self, key: &K, how: impl FnOnce(&mut V)) {
        if let Some(answer) = self.0.get_mut(key) {
            how(answer);
        }
    }
}

/// An identity of a tenant: its kind and value.
pub(super) type IdentityKey = (Uuid, &'static str, String);

/// A tenant's row.
pub(super) type RowKey = (Uuid, Uuid);

/// Everything that was read ahead.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) erased: Ahead<(Uuid, String), bool>,
    pub(super) events: Ahead<(Uuid, String), Option<KnownEvent>>,
    pub(super) owners: Ahead<IdentityKey, Option<Uuid>>,
    pub(super) identities: Ahead<RowKey, Vec<IdentityRow>>,
    pub(super) clients: Ahead<RowKey, Option<ClientRow>>,
    pub(super) sightings: Ahead<(Uuid, Lookup), Vec<Sighting>>,
    pub(super) bookings: Ahead<RowKey, Option<BookingRow>>,
    pub(super) slots: Ahead<(Uuid, Uuid, DateTime<Utc>), Vec<Uuid>>,
    pub(super) mappings: Ahead<(Uuid, String, String), Vec<MappingRow>>,
    pub(super) beside: Ahead<IdentityKey, Vec<(Uuid, Uuid)>>,
    pub(super) leads: Ahead<IdentityKey, Option<LeadRow>>,
    pub(super) contexts: Ahead<(Uuid, String), Vec<OfContext>>,
}

/// The tables whose rows are held back, each after those that its rows refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Identities,
    Bookings,
    Events,
    Sightings,
    Mappings,
}

/// All of them, as `pending` writes them.
const STAGES: [Stage; 5] =
    [Stage::Identities, Stage::Bookings, Stage::Events, Stage::Sightings, Stage::Mappings];

/// What a transaction of many events carries along.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) known: Known,
    /// True once something was written past what was read ahead: all of it is gone.
    is_stale: bool,
    pub(super) clients: BTreeMap<RowKey, PendingClient>,
    rows: BTreeMap<Stage, Rows<'static>>,
}

impl Batch {
    fn holds_back(&self) -> bool {
        !self.clients.is_empty() || !self.rows.is_empty()
    }

    /// Writes everything that is held back: clients in the order of their ids, so that two
    /// transactions that share several can't wait for each other in a ring.
    pub(super) async fn write(&mut self, raw: &mut Raw<'_>) -> Result<()> {
        let mut rows = std::mem::take(&mut self.rows);
        let rows = STAGES.map(|stage| rows.remove(&stage).unwrap_or_default());
        pending::write_pending(raw, std::mem::take(&mut self.clients), rows).await
    }
}

impl<'a> Conn<'a> {
    /// The connection, with everything written that was held back: for what reads.
    pub(super) async fn settled(&mut self) -> Result<&mut Raw<'a>> {
        if let Some(batch) = self.batch.as_deref_mut().filter(|batch| batch.holds_back()) {
            batch.write(&mut self.raw).await?;
        }
        Ok(&mut self.raw)
    }

    /// As [`Conn::settled`], for what writes: what was read ahead may be otherwise afterwards.
    pub(super) async fn written(&mut self) -> Result<&mut Raw<'a>> {
        self.settled().await?;
        if let Some(batch) = self.batch.as_deref_mut() {
            batch.known = Known::default();
            batch.is_stale = true;
        }
        Ok(&mut self.raw)
    }

    /// True once since something was written past what was read ahead.
    pub fn take_stale(&mut self) -> bool {
        self.batch.as_deref_mut().is_some_and(|batch| std::mem::take(&mut batch.is_stale))
    }

    /// What was read ahead, where the transaction is one of many events.
    pub(super) fn known(&self) -> Option<&Known> {
        self.batch.as_deref().map(|batch| &batch.known)
    }

    /// As [`Conn::known`], to be changed.
    pub(super) fn known_mut(&mut self) -> Option<&mut Known> {
        self.batch.as_deref_mut().map(|batch| &mut batch.known)
    }

    /// Writes rows: at once, or with those of the transaction's other events. Says how many were
    /// written, where that is known already.
    pub(super) async fn write(
        &mut self,
        stage: Stage,
        bulk: &'static Bulk,
        rows: Rows<'_>,
    ) -> Result<Option<u64>> {
        if let Some(batch) = self.batch.as_deref_mut() {
            batch.rows.entry(stage).or_default().extend(rows.into_owned());
            return Ok(None);
        }
        bulk.run(&mut self.raw, rows).await.map(Some)
    }
}
