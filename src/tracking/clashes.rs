//! Two clients who may be one person: shown by what arrived together, never joined by it.

use super::asked::Moved;
use super::gather::Gathered;
use super::write::{Plan, Write};
use crate::domain::channel::DuplicateReason;
use crate::sources::IdentityChange;
use crate::storage::Result;
use crate::storage::duplicates::{self, NewDuplicate};
use serde_json::json;
use uuid::Uuid;

impl Write<'_, '_> {
    /// Proposes the clients whose phone and WhatsApp id arrived together. Everything that hangs
    /// together is looked at, not only what is new: whichever was told first, the pair is found.
    pub(super) async fn propose_people(
        &mut self,
        gathered: &Gathered,
        plan: &Plan<'_>,
        event: Uuid,
    ) -> Result<()> {
        for clash in &gathered.clashes {
            let client = |person| plan.client_of(gathered, person);
            let (Some(one), Some(other)) = (client(clash.people.0), client(clash.people.1)) else {
                continue;
            };
            let detail = json!({ "whatsapp": clash.whatsapp_id }).to_string();
            let new = NewDuplicate {
                clients: (one, other),
                reason: DuplicateReason::PhoneAndWhatsApp,
                detail: &detail,
                event_id: Some(clash.event.unwrap_or(event)),
            };
            duplicates::propose(self.conn, self.tenant, &new, self.now).await?;
        }
        Ok(())
    }

    /// Proposes the clients of whom one changed to what is the other's.
    pub(super) async fn propose_moved(
        &mut self,
        moved: &[(&IdentityChange, Moved)],
        event: Uuid,
    ) -> Result<()> {
        for (change, moved) in moved {
            let Moved::Taken(client, other) = *moved else { continue };
            let detail = json!({ change.to.kind(): change.to.value() }).to_string();
            let new = NewDuplicate {
                clients: (client, other),
                reason: DuplicateReason::IdentityChange,
                detail: &detail,
                event_id: Some(event),
            };
            duplicates::propose(self.conn, self.tenant, &new, self.now).await?;
        }
        Ok(())
    }
}
