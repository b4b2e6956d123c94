//! Two clients who may be one person: shown by what arrived together, never joined by it.

use super::asked::Moved;
use super::gather::{Clash, Gathered};
use super::write::{Plan, Write};
use crate::domain::channel::DuplicateReason;
use crate::domain::person::Identity;
use crate::sources::IdentityChange;
use crate::storage::duplicates::{self, NewDuplicate};
use crate::storage::{Result, beside};
use serde_json::json;
use uuid::Uuid;

impl Write<'_, '_> {
    /// Proposes the clients whose phone and WhatsApp id arrived together. Everything that hangs
    /// together is looked at, not only what is new: whichever was told first, the pair is found.
    /// Where one of the two is nobody's yet, that is noted for when it is somebody's.
    pub(super) async fn propose_people(
        &mut self,
        gathered: &Gathered,
        plan: &Plan<'_>,
        event: Uuid,
    ) -> Result<()> {
        let client = |person: Option<u32>| plan.client_of(gathered, person?);
        for Clash { told: [(phone, one), (whatsapp, other)], event: by } in &gathered.clashes {
            let by = by.unwrap_or(event);
            match (client(*one), client(*other)) {
                (Some(one), Some(other)) => self.propose_pair((one, other), whatsapp, by).await?,
                (Some(one), None) => self.note_beside(whatsapp, one, by).await?,
                (None, Some(other)) => self.note_beside(phone, other, by).await?,
                (None, None) => {}
            }
        }
        for (person, identities) in gathered.people.fresh().map(|(n, p)| (n, &p.fresh)) {
            let Some(client) = client(Some(person)) else { continue };
            for identity in identities {
                self.propose_beside(client, identity).await?;
            }
        }
        Ok(())
    }

    /// Proposes a client and those beside whose identities the client's was told before.
    async fn propose_beside(&mut self, client: Uuid, identity: &Identity) -> Result<()> {
        for (other, event) in beside::list(self.conn, self.tenant, identity).await? {
            self.propose_pair((client, other), identity, event).await?;
        }
        Ok(())
    }

    async fn note_beside(&mut self, identity: &Identity, client: Uuid, event: Uuid) -> Result<()> {
        beside::insert(self.conn, self.tenant, identity, client, event, self.now).await
    }

    async fn propose_pair(
        &mut self,
        clients: (Uuid, Uuid),
        shown_by: &Identity,
        event: Uuid,
    ) -> Result<()> {
        let detail = json!({ shown_by.kind(): shown_by.value() }).to_string();
        let new = NewDuplicate {
            clients,
            reason: DuplicateReason::PhoneAndWhatsApp,
            detail: &detail,
            event_id: Some(event),
        };
        duplicates::propose(self.conn, self.tenant, &new, self.now).await
    }

    /// Proposes the clients of whom one changed to what is the other's, or to what was told beside
    /// the other's.
    pub(super) async fn propose_moved(
        &mut self,
        moved: &[(&IdentityChange, Moved)],
        event: Uuid,
    ) -> Result<()> {
        for (change, moved) in moved {
            if let Moved::Done(client) = *moved {
                self.propose_beside(client, &change.to).await?;
            }
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
