//! Words that were changed or taken back: they need a person where the first words told of a booking.
//!
//! Which of the two arrives first decides nothing: such an event is kept under the message it is
//! about, and looked at again when something is told there.

use super::work::Work;
use super::write::Write;
use crate::sources::{Mapped, Reworded};
use crate::storage::sightings::Lookup;
use crate::storage::{Conn, Error, Result, reviews, sightings};
use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;

/// The changed words among what an event says.
pub(super) fn reworded(mapped: &[Mapped]) -> Option<&Reworded> {
    mapped.iter().find_map(|one| match one {
        Mapped::Reworded(reworded) => Some(reworded),
        _ => None,
    })
}

/// True when something was told in the message whose words the event changes: a booking, a change
/// to one, or what waits for a person.
pub(super) async fn told_something(conn: &mut Conn<'_>, tenant: Uuid, work: &Work) -> Result<bool> {
    let Some(Reworded { context, .. }) = reworded(&work.mapped) else { return Ok(false) };
    let told = sightings::list(conn, tenant, &Lookup::Context(context.clone())).await?;
    if told.iter().any(|sighting| sighting.event_id != work.event_id) {
        return Ok(true);
    }
    let open = reviews::list(conn, tenant, context).await?;
    Ok(open.iter().any(|review| review.id != work.event_id))
}

impl Write<'_, '_> {
    /// Gives to a person what changed these messages before anything was told in them.
    pub(super) async fn wake_reworded(
        &mut self,
        contexts: &BTreeSet<String>,
        own: Uuid,
    ) -> Result<()> {
        for context in contexts {
            let early = reviews::list_reworded(self.conn, self.tenant, context).await?;
            for (event, understood) in early.into_iter().filter(|(event, _)| *event != own) {
                let column = "understood";
                let inconsistent = Error::Inconsistent { table: "webhook_events", column };
                let mapped: Vec<Mapped> = serde_json::from_str(&understood.unwrap_or_default())
                    .map_err(|_| inconsistent)?;
                let Some(Reworded { problem, .. }) = reworded(&mapped) else { continue };
                let why = (problem.code.as_str(), &*json!([problem]).to_string());
                reviews::reopen(self.conn, self.tenant, event, why, self.now).await?;
            }
        }
        Ok(())
    }
}
