//! Clients' accounts at salon systems, as bookings tell them, and who shares one with another.

use super::gather::telling;
use super::write::Write;
use crate::domain::booking::ExternalClient;
use crate::domain::channel::DuplicateReason;
use crate::domain::sighting::Sighting;
use crate::storage::duplicates::{self, NewDuplicate};
use crate::storage::mappings::MappingRow;
use crate::storage::sightings::Lookup;
use crate::storage::{Result, mappings, sightings};
use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;

/// An account that was told, and by which event.
type Told<'a> = (&'a ExternalClient, Uuid);

impl Write<'_, '_> {
    /// The accounts told with a booking become its client's, unless another client has them.
    pub(super) async fn write_mappings(
        &mut self,
        client: Uuid,
        members: &[&Sighting],
        lost: &BTreeSet<Uuid>,
    ) -> Result<()> {
        for told in accounts(members.iter().copied()) {
            match self.mapping_of(told.0).await? {
                Some(row) => self.keep_mapping(client, &row, told, lost).await?,
                None => {
                    mappings::insert(self.conn, self.tenant, client, told.0, self.now).await?;
                }
            }
        }
        Ok(())
    }

    /// The mapping of this very account; else one that differs only in a business not known yet.
    async fn mapping_of(&mut self, account: &ExternalClient) -> Result<Option<MappingRow>> {
        let (provider, id) = (account.provider.as_str(), account.client_id.as_str());
        let rows = mappings::find_by_external_id(self.conn, self.tenant, provider, id).await?;
        let fits = |row: &MappingRow| {
            row.business_id == account.business_id
                || row.business_id.is_empty()
                || account.business_id.is_empty()
        };
        let exact = rows.iter().position(|row| row.business_id == account.business_id);
        let place = exact.or_else(|| rows.iter().position(fits));
        Ok(place.and_then(|place| rows.into_iter().nth(place)))
    }

    /// Fills what a known mapping didn't know, and takes it along when its booking moved to
    /// another client. One that is somebody else's is left, and the two are proposed as one.
    async fn keep_mapping(
        &mut self,
        client: Uuid,
        row: &MappingRow,
        told: Told<'_>,
        lost: &BTreeSet<Uuid>,
    ) -> Result<()> {
        let (tenant, now, account) = (self.tenant, self.now, told.0);
        let theirs = row.client_id == client;
        if !theirs && !lost.contains(&row.client_id) {
            return self.propose_account(client, row.client_id, told).await;
        }
        if !theirs {
            mappings::move_to(self.conn, tenant, row.id, client, now).await?;
        }
        let or = |known: &str, told: &str| {
            if known.is_empty() { told.to_owned() } else { known.to_owned() }
        };
        let business = or(&row.business_id, &account.business_id);
        let branch = or(&row.branch_id, &account.branch_id);
        if business != row.business_id || branch != row.branch_id {
            mappings::fill(self.conn, tenant, row.id, &business, &branch, now).await?;
        }
        Ok(())
    }

    async fn propose_account(&mut self, client: Uuid, owner: Uuid, told: Told<'_>) -> Result<()> {
        let (account, event) = told;
        // Not the business: it may be learnt later, and the pair is the same.
        let detail = json!({
            "serviceProvider": account.provider, "externalClientId": account.client_id,
        });
        let new = NewDuplicate {
            clients: (client, owner),
            reason: DuplicateReason::ExternalClientId,
            detail: &detail.to_string(),
            event_id: Some(event),
        };
        duplicates::propose(self.conn, self.tenant, &new, self.now).await
    }

    /// Clients that tellings are of no longer may share no account with anybody any more, and who
    /// they shared one with may share it with another now: what was proposed is found anew.
    pub(super) async fn read_accounts_again(&mut self, lost: &BTreeSet<Uuid>) -> Result<()> {
        let (tenant, reason) = (self.tenant, DuplicateReason::ExternalClientId);
        let mut concerned = lost.clone();
        for client in lost {
            let pairs = duplicates::list_by_client(self.conn, tenant, *client).await?;
            let shared = pairs.iter().filter(|pair| pair.reason == reason.as_str());
            concerned.extend(shared.map(|pair| pair.other(*client)));
            duplicates::withdraw(self.conn, tenant, *client, reason).await?;
        }
        for client in concerned {
            let told = sightings::list(self.conn, tenant, &Lookup::Client(client)).await?;
            for account in accounts(told.iter()) {
                let owner = self.mapping_of(account.0).await?.map(|row| row.client_id);
                if let Some(owner) = owner.filter(|owner| *owner != client) {
                    self.propose_account(client, owner, account).await?;
                }
            }
        }
        Ok(())
    }
}

/// The accounts that were told, each once, in the order of history.
fn accounts<'a>(told: impl Iterator<Item = &'a Sighting>) -> Vec<Told<'a>> {
    let mut found: Vec<Told<'a>> = Vec::new();
    for sighting in told {
        let account = telling(sighting).and_then(|telling| telling.account.as_ref());
        let new = account.filter(|account| !found.iter().any(|(known, _)| known == account));
        found.extend(new.map(|account| (account, sighting.event_id)));
    }
    found
}
