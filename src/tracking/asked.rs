//! People who asked and did not book, and people whose number changed.

use super::Tracker;
use super::work::{Work, told_at};
use crate::domain::person::Identity;
use crate::sources::{IdentityChange, Lead, Mapped};
use crate::storage::clients::Tally;
use crate::storage::{Conn, Result, clients, leads};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Every identity that an event's enquiries and number changes name: to be locked.
pub(super) fn identities(mapped: &[Mapped]) -> Vec<Identity> {
    let of = |one: &Mapped| match one {
        Mapped::Lead(lead) => lead.identities.clone(),
        Mapped::Identity(change) => vec![change.from.clone(), change.to.clone()],
        _ => Vec::new(),
    };
    mapped.iter().flat_map(of).collect()
}

/// What became of a number change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// The client has the new identity now.
    Done(Uuid),
    /// Nobody has the old one.
    Nobody,
    /// The new one is another client's: the two are never merged silently, but proposed.
    Taken(Uuid, Uuid),
}

impl Tracker {
    /// Gives a client its new number or id; the old one stays as an alias.
    pub(super) async fn move_identity(
        &self,
        conn: &mut Conn<'_>,
        tenant: Uuid,
        change: &IdentityChange,
    ) -> Result<Moved> {
        let now = self.clock.now();
        let Some(client) = clients::find_by_identity(conn, tenant, &change.from).await? else {
            return Ok(Moved::Nobody);
        };
        match clients::find_by_identity(conn, tenant, &change.to).await? {
            Some(other) if other == client => return Ok(Moved::Done(client)),
            Some(other) => return Ok(Moved::Taken(client, other)),
            None => {}
        }
        clients::retire_identity(conn, tenant, &change.from).await?;
        clients::insert_identity(conn, tenant, client, &change.to, now).await?;
        if let Some(before) = clients::find(conn, tenant, client).await? {
            let mut row = before.clone();
            let value = Some(change.to.value().to_owned());
            match change.to {
                Identity::Phone(_) => row.phone = value,
                Identity::WhatsApp(_) => row.whatsapp_id = value,
            }
            row.updated_at = now;
            clients::update(conn, tenant, Some(&before), &row, Tally::default()).await?;
        }
        Ok(Moved::Done(client))
    }

    /// The open lead of whoever asked, opened now for a stranger; a client opens none.
    pub(super) async fn open_lead(
        &self,
        conn: &mut Conn<'_>,
        work: &Work<'_>,
    ) -> Result<Option<Uuid>> {
        let tenant = work.taken.tenant.id;
        let Some(lead) = work.lead() else { return Ok(None) };
        for identity in &lead.identities {
            if clients::find_by_identity(conn, tenant, identity).await?.is_some() {
                return Ok(None);
            }
        }
        for identity in &lead.identities {
            if let Some(open) = leads::find_open(conn, tenant, identity).await? {
                return Ok(Some(open.id));
            }
        }
        let new = new_lead(lead, told_at(work.taken));
        leads::insert(conn, tenant, &new, self.clock.now()).await.map(Some)
    }
}

fn new_lead(lead: &Lead, at: DateTime<Utc>) -> leads::NewLead<'_> {
    leads::NewLead {
        identities: &lead.identities,
        first_name: lead.first_name.as_deref(),
        last_name: lead.last_name.as_deref(),
        email: lead.email.as_deref(),
        source: lead.source,
        details: lead.details.as_ref().map(ToString::to_string),
        first_interaction_at: at,
    }
}
