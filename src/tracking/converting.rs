//! A person makes a client of a lead: under the locks that tracking takes for the same person.

use super::Tracker;
use super::facts::{self, Told, UNKNOWN};
use super::gather::know;
use super::people::People;
use super::write::Write;
use crate::domain::channel::{ClientStatus, LeadStatus};
use crate::domain::ids;
use crate::domain::person::{Identity, WhatsAppId};
use crate::domain::phone::Phone;
use crate::domain::tenant::TenantSettings;
use crate::storage::clients::{ClientRow, Tally};
use crate::storage::lead_records::{self, LeadRecord};
use crate::storage::{Result, audit, clients, leads, locks, words};
use std::time::Duration;
use uuid::Uuid;

/// How often it is tried when another transaction is in the way.
const ATTEMPTS: u32 = 8;

impl Tracker {
    /// Makes the lead a client: the one that has its phone or WhatsApp id, else a new one. A lead
    /// that is one already stays that one. Answers the client, `None` when there is no such lead.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn convert(
        &self,
        tenant: &TenantSettings,
        lead: Uuid,
        actor: &str,
    ) -> Result<Option<Uuid>> {
        let mut attempt = 0;
        loop {
            match self.try_convert(tenant, lead, actor).await {
                Err(error) if error.is_conflict() && attempt < ATTEMPTS => {
                    tokio::time::sleep(Duration::from_millis(2 << attempt)).await;
                    attempt += 1;
                }
                done => return done,
            }
        }
    }

    async fn try_convert(
        &self,
        settings: &TenantSettings,
        lead: Uuid,
        actor: &str,
    ) -> Result<Option<Uuid>> {
        let (tenant, currency) = (settings.id, settings.currency);
        let mut tx = self.db.begin().await?;
        let mut conn = tx.conn();
        let Some(row) = lead_records::find(&mut conn, tenant, lead).await? else {
            return Ok(None);
        };
        let identities = identities(&row);
        let keys: Vec<String> = identities.iter().map(Identity::key).collect();
        locks::lock(&mut conn, tenant, &keys).await?;
        // Now that nobody else writes of them.
        let Some(row) = lead_records::find(&mut conn, tenant, lead).await? else {
            return Ok(None);
        };
        if let Some(client) = row.converted_client_id {
            return Ok(Some(client));
        }
        let now = self.clock.now();
        let mut write = Write { conn: &mut conn, tenant, currency, now };
        let client = write.client_of(&row, &identities).await?;
        let id = lead.to_string();
        audit::note(write.conn, tenant, actor, "lead.converted", "lead", &id, None, now).await?;
        tx.commit().await?;
        Ok(Some(client))
    }
}

/// The identities of a lead, the phone first.
#[must_use]
pub fn identities(lead: &LeadRecord) -> Vec<Identity> {
    let phone = lead.phone.clone().map(Phone::from_stored).map(Identity::Phone);
    let whatsapp = lead.whatsapp_id.as_deref().and_then(WhatsAppId::parse);
    phone.into_iter().chain(whatsapp.map(Identity::WhatsApp)).collect()
}

impl Write<'_, '_> {
    /// The client that a lead becomes, written.
    async fn client_of(&mut self, lead: &LeadRecord, identities: &[Identity]) -> Result<Uuid> {
        let mut people = People::default();
        for identity in identities {
            know(self.conn, self.tenant, identity, &mut people).await?;
        }
        let person = people.meet(identities).and_then(|n| people.get(n));
        let person = person.cloned().unwrap_or_default();
        let mut row = match person.client {
            Some(client) => clients::find(self.conn, self.tenant, client).await?,
            None => None,
        };
        let before = row.clone();
        let mut row = row.take().unwrap_or_else(|| self.bare_client(lead));
        let given = |kind| {
            let fresh = person.fresh.iter().find(|identity| identity.kind() == kind);
            fresh.map(|identity| identity.value().into_owned())
        };
        row.phone = row.phone.or_else(|| given("phone"));
        row.whatsapp_id = row.whatsapp_id.or_else(|| given("whatsapp"));
        facts::lay(&mut row, &[Told::lead(lead)])?;
        row.updated_at = self.now;
        if before.is_none() {
            clients::insert(self.conn, self.tenant, &row).await?;
            words::write(self.conn, self.tenant, row.id, &row.words()).await?;
        } else {
            let (before, tally) = (before.as_ref(), Tally::default());
            clients::update(self.conn, self.tenant, before, &row, tally).await?;
        }
        self.give_identities(row.id, &person).await?;
        self.convert_leads(row.id, identities).await?;
        if lead.status == LeadStatus::Lost.as_str() {
            leads::convert(self.conn, self.tenant, lead.id, row.id, self.now).await?;
        }
        Ok(row.id)
    }

    fn bare_client(&self, lead: &LeadRecord) -> ClientRow {
        ClientRow {
            id: ids::new(self.now),
            phone: None,
            whatsapp_id: None,
            first_name: UNKNOWN.to_owned(),
            last_name: String::new(),
            email: None,
            status: ClientStatus::Active.as_str().to_owned(),
            first_interaction_source: lead.source.clone(),
            first_interaction_at: lead.first_interaction_at,
            first_booking_at: None,
            last_booking_at: None,
            provenance: "{}".to_owned(),
            set_by_person: "[]".to_owned(),
            bookings_count: 0,
            spent_minor: 0,
            version: 1,
            created_at: self.now,
            updated_at: self.now,
        }
    }
}
