//! People who asked and did not book, and people whose number changed.

use super::Tracker;
use super::people::People;
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
    /// Somebody who only asked so far has the new one now.
    Lead(Uuid),
    /// Somebody who only asked has the old one, and somebody else the new one: which of the two is
    /// who is not known, so both stay as they are.
    LeadStays(Uuid),
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
        let IdentityChange { from, to } = change;
        let now = self.clock.now();
        let Some(client) = clients::find_by_identity(conn, tenant, from).await? else {
            return self.move_lead(conn, tenant, change).await;
        };
        let Some(before) = clients::find(conn, tenant, client).await? else {
            return Ok(Moved::Nobody);
        };
        let mut row = before.clone();
        let current = match to {
            Identity::Phone(_) => &mut row.phone,
            Identity::WhatsApp(_) => &mut row.whatsapp_id,
            // Nobody's number changes into one of our ids.
            Identity::Client(_) => return Ok(Moved::Nobody),
        };
        match clients::find_by_identity(conn, tenant, to).await? {
            // Told again; or gone back to, when what it was changed from is what it is.
            Some(other) if other == client && current.as_deref() != Some(&*from.value()) => {
                return Ok(Moved::Done(client));
            }
            Some(other) if other == client => clients::set_current(conn, tenant, to, true).await?,
            Some(other) => return Ok(Moved::Taken(client, other)),
            None => clients::insert_identity(conn, tenant, client, to, now).await?,
        }
        *current = Some(to.value().into_owned());
        row.updated_at = now;
        clients::set_current(conn, tenant, from, false).await?;
        clients::update(conn, tenant, Some(&before), &row, Tally::default()).await?;
        Ok(Moved::Done(client))
    }

    /// Gives whoever only asked their new number or id, unless it is another's already.
    async fn move_lead(
        &self,
        conn: &mut Conn<'_>,
        tenant: Uuid,
        IdentityChange { from, to }: &IdentityChange,
    ) -> Result<Moved> {
        let Some(open) = leads::find_open(conn, tenant, from).await? else {
            return Ok(Moved::Nobody);
        };
        let taken = clients::find_by_identity(conn, tenant, to).await?.is_some()
            || leads::find_open(conn, tenant, to).await?.is_some();
        if taken {
            return Ok(Moved::LeadStays(open.id));
        }
        leads::give_identity(conn, tenant, open.id, to, self.clock.now()).await?;
        Ok(Moved::Lead(open.id))
    }

    /// The open lead of whoever asked, opened now for a stranger; a client opens none. `people`
    /// are those whom the event's identities led to.
    pub(super) async fn open_lead(
        &self,
        conn: &mut Conn<'_>,
        work: &Work,
        people: &People,
    ) -> Result<Option<Uuid>> {
        let tenant = work.taken.tenant.id;
        let Some(lead) = work.lead() else { return Ok(None) };
        let is_client = |i: &Identity| people.with(i).is_some_and(|p| p.client.is_some());
        if lead.identities.iter().any(is_client) {
            return Ok(None);
        }
        for identity in &lead.identities {
            if let Some(open) = leads::find_open(conn, tenant, identity).await? {
                self.learn(conn, tenant, &open, &lead.identities).await?;
                return Ok(Some(open.id));
            }
        }
        let new = new_lead(lead, told_at(&work.taken));
        leads::insert(conn, tenant, &new, self.clock.now()).await.map(Some)
    }

    /// What came together is one person's: the next message may carry the other of the two alone.
    async fn learn(
        &self,
        conn: &mut Conn<'_>,
        tenant: Uuid,
        open: &leads::LeadRow,
        identities: &[Identity],
    ) -> Result<()> {
        for identity in identities {
            let known = match identity {
                Identity::Phone(_) => &open.phone,
                Identity::WhatsApp(_) => &open.whatsapp_id,
                Identity::Client(_) => continue,
            };
            if known.is_none() && leads::find_open(conn, tenant, identity).await?.is_none() {
                leads::give_identity(conn, tenant, open.id, identity, self.clock.now()).await?;
            }
        }
        Ok(())
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
