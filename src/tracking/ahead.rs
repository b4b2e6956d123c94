//! Reading at once what many events are going to ask for.
//!
//! Nothing depends on it: what isn't read here is read when it is asked for. So it may leave out
//! what is rare.

use super::gather::{contexts, identities, keys, starts, telling};
use super::work::Work;
use crate::domain::person::Identity;
use crate::domain::sighting::Sighting;
use crate::storage::sightings::Lookup;
use crate::storage::{
    Conn, Result, beside, bookings, clients, clients_ahead, erased, events, leads, mappings,
    reviews, sightings,
};
use std::collections::BTreeSet;
use uuid::Uuid;

/// An identity as the tables have it.
type IdentityKey = (Uuid, &'static str, String);

/// A telling, and whose it is.
type Told<'w> = (Uuid, &'w Sighting);

/// Reads for all of them.
pub(super) async fn read_ahead(conn: &mut Conn<'_>, works: &[&Work]) -> Result<()> {
    let keyed = works.iter().filter(|work| !work.again);
    let deliveries: Vec<(Uuid, &str)> =
        keyed.filter_map(|work| Some((work.tenant(), work.key_hash.as_deref()?))).collect();
    events::read_ahead(conn, &deliveries).await?;
    let marks =
        works.iter().flat_map(|work| work.marks.iter().map(|mark| (work.tenant(), mark.clone())));
    erased::read_ahead(conn, &marks.collect()).await?;
    let told: Vec<Told<'_>> = works
        .iter()
        .flat_map(|work| work.sightings.iter().map(|sighting| (work.tenant(), sighting)))
        .collect();
    let met: BTreeSet<(Uuid, Identity)> = met(works, &told);
    let owned = read_people(conn, &met).await?;
    read_tellings(conn, &told, &owned).await?;
    let accounts = told.iter().filter_map(|(tenant, sighting)| {
        let account = telling(sighting)?.account.as_ref()?;
        Some((*tenant, account.provider.clone(), account.client_id.clone()))
    });
    mappings::read_ahead(conn, &accounts.collect()).await?;
    let contexts = works
        .iter()
        .flat_map(|work| work.contexts().into_iter().map(|context| (work.tenant(), context)));
    reviews::read_ahead(conn, &contexts.collect()).await
}

/// Every identity that is named.
fn met(works: &[&Work], told: &[Told<'_>]) -> BTreeSet<(Uuid, Identity)> {
    let of_told = told.iter().flat_map(|(tenant, sighting)| {
        identities(sighting).into_iter().map(|identity| (*tenant, identity))
    });
    let of_leads = works.iter().flat_map(|work| {
        work.links().into_iter().flatten().map(|identity| (work.tenant(), identity))
    });
    let named = |(_, identity): &(Uuid, Identity)| !matches!(identity, Identity::Client(_));
    of_told.chain(of_leads).filter(named).collect()
}

fn key((tenant, identity): &(Uuid, Identity)) -> IdentityKey {
    (*tenant, identity.kind(), identity.value().into_owned())
}

/// Reads whose identities they are, these clients, and who asked and did not book. Answers who
/// has which.
async fn read_people(
    conn: &mut Conn<'_>,
    met: &BTreeSet<(Uuid, Identity)>,
) -> Result<Vec<(Uuid, Identity, Uuid)>> {
    let all: BTreeSet<IdentityKey> = met.iter().map(key).collect();
    clients_ahead::read_owners(conn, &all).await?;
    leads::read_ahead(conn, &all).await?;
    let (mut owned, mut strangers) = (Vec::new(), BTreeSet::new());
    for one in met {
        match clients::find_by_identity(conn, one.0, &one.1).await? {
            Some(client) => owned.push((one.0, one.1.clone(), client)),
            None => {
                strangers.insert(key(one));
            }
        }
    }
    beside::read_ahead(conn, &strangers).await?;
    let known = owned.iter().map(|(tenant, _, client)| (*tenant, *client));
    clients_ahead::read(conn, &known.collect()).await?;
    Ok(owned)
}

/// Reads what was told of the same, and the bookings that it came to.
async fn read_tellings(
    conn: &mut Conn<'_>,
    told: &[Told<'_>],
    owned: &[(Uuid, Identity, Uuid)],
) -> Result<()> {
    let (mut lookups, mut slots) = (BTreeSet::new(), BTreeSet::new());
    for (tenant, sighting) in told {
        lookups.extend(contexts(sighting).map(|context| (*tenant, Lookup::Context(context))));
        let reference = keys(sighting).external_key.map(Lookup::ExternalKey);
        lookups.extend(reference.map(|lookup| (*tenant, lookup)));
        for identity in identities(sighting) {
            let found = owned.iter().find(|(of, is, _)| of == tenant && *is == identity);
            let client = found.map(|(.., client)| *client);
            for start in starts(sighting) {
                lookups.insert((*tenant, Lookup::PersonAt(identity.key(), start)));
                let own = client.map(|client| Identity::Client(client).key());
                lookups.extend(own.map(|key| (*tenant, Lookup::PersonAt(key, start))));
                slots.extend(client.map(|client| (*tenant, client, start)));
                lookups.extend(
                    others(conn, *tenant, client)
                        .await?
                        .into_iter()
                        .map(|key| (*tenant, Lookup::PersonAt(key, start))),
                );
            }
        }
    }
    sightings::read_ahead(conn, &lookups).await?;
    bookings::read_slots_ahead(conn, &slots).await?;
    let mut found = BTreeSet::new();
    for (tenant, lookup) in &lookups {
        let list = sightings::list(conn, *tenant, lookup).await?;
        found.extend(list.iter().filter_map(|one| Some((*tenant, one.booking_id?))));
    }
    let of_bookings = found.iter().map(|(tenant, id)| (*tenant, Lookup::Booking(*id)));
    sightings::read_ahead(conn, &of_bookings.collect()).await?;
    bookings::read_ahead(conn, &found).await
}

/// The keys of all identities of a client that was read.
async fn others(conn: &mut Conn<'_>, tenant: Uuid, client: Option<Uuid>) -> Result<Vec<String>> {
    let Some(client) = client else { return Ok(Vec::new()) };
    let rows = clients::list_identities(conn, tenant, client).await?;
    Ok(rows.iter().filter_map(super::gather::read_identity).map(|i| i.key()).collect())
}
