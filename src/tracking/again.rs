//! Reading a stored event again: with what a person supplied, by what its connection says today.

use super::answer::Answer;
use super::directory::read_map;
use super::{Taken, TrackError, Tracker};
use crate::domain::problem::Problem;
use crate::domain::tenant::TenantSettings;
use crate::sources::fieldmap::FieldMap;
use crate::sources::{self, Delivery, Headers, Item, Mapped, Reading, Source, fields};
use crate::storage::events::EventRow;
use crate::storage::{self, connections, tenants};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why an event was held back whatever it says: only a person who names it lets it through.
pub const HELD: &[&str] = &["tenant_mismatch", "account_unknown", "delivery_key_reused"];

/// Why a stored event can't be read again.
#[derive(Debug, thiserror::Error)]
pub enum AgainError {
    /// Nothing can be read from what was stored; the sentence says why.
    #[error("{0}")]
    Unreadable(String),
    /// What a person supplies can't be read.
    #[error("{}", sentences(.0))]
    Supplied(Vec<Problem>),
    /// It could not be tracked.
    #[error(transparent)]
    Track(#[from] TrackError),
}

impl From<storage::Error> for AgainError {
    fn from(error: storage::Error) -> Self {
        Self::Track(TrackError::Unavailable(error))
    }
}

impl Tracker {
    /// Reads a stored event again by its tenant's settings and its connection's field map as they
    /// are now, with what was supplied for it before and what is supplied now. One that was
    /// tracked already is answered as it was.
    ///
    /// # Errors
    /// [`AgainError`], which changes nothing.
    pub async fn again(
        &self,
        row: &EventRow,
        set: &BTreeMap<String, String>,
    ) -> Result<Answer, AgainError> {
        let unreadable = |why: &str| AgainError::Unreadable(format!("the event {} {why}", row.id));
        let source = sources::api::find_teller(&row.source)
            .ok_or_else(|| unreadable("is of a source that this program does not know"))?;
        let item = item(source, row)?;
        let (tenant, map) = self.owner(row).await?;
        let tenant = tenant.ok_or_else(|| unreadable("belongs to a tenant that is gone"))?;
        let taken = Taken {
            event_id: row.id,
            queued: false,
            tenant: Arc::new(tenant),
            connection_id: row.connection_id,
            source,
            item,
            path: source.path().to_owned(),
            headers: row.headers.clone(),
            received_at: row.received_at,
            map: map.map(Arc::new),
            held: None,
        };
        let supplied = supplied(row, set)?;
        check(&taken, &supplied)?;
        Ok(self.replay(taken, row.id, supplied).await?)
    }

    /// Whose the event is, and where its connection's callers put what.
    async fn owner(
        &self,
        row: &EventRow,
    ) -> storage::Result<(Option<TenantSettings>, Option<FieldMap>)> {
        let mut reader = self.db.reader().await?;
        let conn = &mut reader.conn();
        let tenant = tenants::find(conn, &row.tenant_id.to_string()).await?;
        let tenant = tenant.map(|row| row.settings()).transpose()?;
        let connection = match row.connection_id {
            Some(id) => connections::find_by_id(conn, id).await?,
            None => None,
        };
        Ok((tenant, connection.as_ref().and_then(read_map)))
    }
}

/// Refuses what a person supplies and nobody can read, by itself or beside what the event says.
fn check(taken: &Taken, supplied: &BTreeMap<String, String>) -> Result<(), AgainError> {
    let mut problems = fields::unreadable(supplied, &taken.tenant);
    let reading = Reading {
        tenant: &taken.tenant,
        received_at: taken.received_at,
        overrides: supplied,
        map: taken.map.as_deref(),
    };
    for one in taken.source.map(&taken.item, &reading) {
        let Mapped::NeedsReview(review) = one else { continue };
        let is_supplied = |p: &Problem| {
            p.pointer.is_empty() && p.field.as_ref().is_some_and(|f| supplied.contains_key(f))
        };
        for problem in review.problems.into_iter().filter(is_supplied) {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(AgainError::Supplied(problems)) }
}

/// Each problem's field and sentence.
fn sentences(problems: &[Problem]) -> String {
    let sentence = |p: &Problem| match &p.field {
        Some(field) => format!("{field}: {}", p.detail),
        None => p.detail.clone(),
    };
    problems.iter().map(sentence).collect::<Vec<_>>().join(" ")
}

/// What was supplied before, and what is supplied now.
fn supplied(
    row: &EventRow,
    set: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, AgainError> {
    let stored = row.overrides.as_deref().map(serde_json::from_str).transpose();
    let unreadable = format!("what was supplied for the event {} before can't be read", row.id);
    let mut all: BTreeMap<_, _> =
        stored.map_err(|_| AgainError::Unreadable(unreadable))?.unwrap_or_default();
    all.extend(set.clone());
    Ok(all)
}

/// The event as its source cut it out, told when it was told.
pub(super) fn item(source: &dyn Source, row: &EventRow) -> Result<Item, AgainError> {
    let mut headers = Headers::default();
    let kept = serde_json::from_str::<BTreeMap<String, String>>(&row.headers).unwrap_or_default();
    for (name, value) in &kept {
        headers.insert(name, value);
    }
    let delivery = Delivery { body: &row.raw, headers: &headers, received_at: row.received_at };
    let items = source.split(&delivery).map_err(|malformed| {
        let detail = malformed.problem.detail;
        AgainError::Unreadable(format!("nothing can be read from the event {}: {detail}", row.id))
    })?;
    let [item] = <[Item; 1]>::try_from(items).map_err(|items| {
        let count = items.len();
        AgainError::Unreadable(format!("the event {} reads as {count} events, not one", row.id))
    })?;
    Ok(Item { occurred_at: row.occurred_at, ..item })
}
