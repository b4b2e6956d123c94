//! Reading ahead whose identities are whose, and what their clients' rows say.

use super::batch::IdentityKey;
use super::bulk::{Rows, bulk};
use super::clients::{ClientRow, IdentityRow};
use super::{Conn, Result};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

bulk! {
    FIND_OWNERS(tenant_id Uuid, kind Text, value Text) = "
        select i.tenant_id, i.kind, i.value, i.client_id
        from k cross join client_identities i
        where i.tenant_id = k.tenant_id and i.kind = k.kind and i.value = k.value";
    LIST_MANY_IDENTITIES(tenant_id Uuid, client_id Uuid) = "
        select i.tenant_id, i.client_id, i.kind, i.value, i.is_current
        from k cross join client_identities i
        where i.tenant_id = k.tenant_id and i.client_id = k.client_id
        order by i.created_at, i.id";
    FIND_MANY(tenant_id Uuid, id Uuid) = "
        select c.tenant_id, c.id, c.phone, c.whatsapp_id, c.first_name, c.last_name, c.email,
            c.status, c.first_interaction_source, c.first_interaction_at, c.first_booking_at,
            c.last_booking_at, c.provenance, c.set_by_person, c.bookings_count, c.spent_minor,
            c.version, c.created_at, c.updated_at
        from k cross join clients c
        where c.tenant_id = k.tenant_id and c.id = k.id and c.erased_at is null";
}

/// Reads ahead for [`super::clients::find_by_identity`].
///
/// # Errors
/// When the database fails.
pub async fn read_owners(conn: &mut Conn<'_>, keys: &BTreeSet<IdentityKey>) -> Result<()> {
    type Found = (Uuid, String, String, Uuid);

    let mut rows = Rows::default();
    for (tenant, kind, value) in keys {
        rows.push([(*tenant).into(), (*kind).into(), value.as_str().into()]);
    }
    let found: Vec<Found> = FIND_OWNERS.fetch(conn.settled().await?, rows).await?;
    let Some(known) = conn.known_mut() else { return Ok(()) };
    let mut owners: HashMap<(Uuid, String, String), Uuid> =
        found.into_iter().map(|(tenant, kind, value, id)| ((tenant, kind, value), id)).collect();
    for key in keys {
        let owner = owners.remove(&(key.0, key.1.to_owned(), key.2.clone()));
        known.owners.hold(key.clone(), owner);
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct OfClient {
    tenant_id: Uuid,
    client_id: Uuid,
    #[sqlx(flatten)]
    identity: IdentityRow,
}

#[derive(sqlx::FromRow)]
struct ById {
    tenant_id: Uuid,
    #[sqlx(flatten)]
    client: ClientRow,
}

/// Reads ahead for [`super::clients::list_identities`] and [`super::clients::find`]: tenants and ids of clients.
///
/// # Errors
/// When the database fails.
pub async fn read(conn: &mut Conn<'_>, ids: &BTreeSet<(Uuid, Uuid)>) -> Result<()> {
    let mut rows = Rows::default();
    for (tenant, id) in ids {
        rows.push([(*tenant).into(), (*id).into()]);
    }
    let raw = conn.settled().await?;
    let identities: Vec<OfClient> = LIST_MANY_IDENTITIES.fetch(raw, rows.clone()).await?;
    let clients: Vec<ById> = FIND_MANY.fetch(raw, rows).await?;
    let Some(known) = conn.known_mut() else { return Ok(()) };
    for key in ids {
        known.identities.hold(*key, Vec::new());
        known.clients.hold(*key, None);
    }
    for OfClient { tenant_id, client_id, identity } in identities {
        known.identities.change(&(tenant_id, client_id), |rows| rows.push(identity));
    }
    for ById { tenant_id, client } in clients {
        known.clients.hold((tenant_id, client.id), Some(client));
    }
    Ok(())
}
