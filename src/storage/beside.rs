//! Phones and WhatsApp ids that arrived together with a client's and are not the client's.

use super::batch::IdentityKey;
use super::bulk::{Rows, bulk};
use super::{Conn, Result, execute, fetch_all, statements};
use crate::domain::ids;
use crate::domain::person::Identity;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use uuid::Uuid;

statements! {
    INSERT = "
        insert into identities_told_beside (tenant_id, id, kind, value, client_id, event_id,
            created_at)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (tenant_id, kind, value, client_id) do nothing";
    LIST = "
        select client_id, event_id from identities_told_beside
        where tenant_id = $1 and kind = $2 and value = $3
        order by id";
    MOVE = "
        update identities_told_beside set client_id = $3
        where tenant_id = $1 and client_id = $2 and not exists (
            select 1 from identities_told_beside theirs
            where theirs.tenant_id = $1 and theirs.client_id = $3
                and theirs.kind = identities_told_beside.kind
                and theirs.value = identities_told_beside.value)";
    DELETE = "
        delete from identities_told_beside where tenant_id = $1 and kind = $2 and value = $3";
    DELETE_OF = "
        delete from identities_told_beside where tenant_id = $1 and client_id = $2";
}

bulk! {
    LIST_MANY(tenant_id Uuid, kind Text, value Text) = "
        select t.tenant_id, t.kind, t.value, t.client_id, t.event_id
        from k cross join identities_told_beside t
        where t.tenant_id = k.tenant_id and t.kind = k.kind and t.value = k.value
        order by t.id";
}

/// Notes that an identity was told together with one of this client's, once.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    identity: &Identity,
    client: Uuid,
    event: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    let (kind, value) = (identity.kind(), identity.value());
    execute!(conn, INSERT, tenant, ids::new(now), kind, value, client, event, now)?;
    Ok(())
}

/// The clients beside whose identities this one was told, each with the event that told it.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    identity: &Identity,
) -> Result<Vec<(Uuid, Uuid)>> {
    let (kind, value) = (identity.kind(), identity.value());
    let key = (tenant, kind, value.clone().into_owned());
    if let Some(told) = conn.known().and_then(|known| known.beside.get(&key)) {
        return Ok(told.clone());
    }
    Ok(fetch_all!(conn, (Uuid, Uuid), LIST, tenant, kind, value)?)
}

/// Reads ahead for [`list`].
///
/// # Errors
/// When the database fails.
pub async fn read_ahead(conn: &mut Conn<'_>, keys: &BTreeSet<IdentityKey>) -> Result<()> {
    type Found = (Uuid, String, String, Uuid, Uuid);

    let mut rows = Rows::default();
    for (tenant, kind, value) in keys {
        rows.push([(*tenant).into(), (*kind).into(), value.as_str().into()]);
    }
    let found: Vec<Found> = LIST_MANY.fetch(conn.settled().await?, rows).await?;
    let Some(known) = conn.known_mut() else { return Ok(()) };
    for key in keys {
        let of = |(tenant, kind, value, ..): &&Found| {
            *tenant == key.0 && *kind == key.1 && *value == key.2
        };
        let told = found.iter().filter(of).map(|(.., client, event)| (*client, *event));
        known.beside.hold(key.clone(), told.collect());
    }
    Ok(())
}

/// Gives what was told beside one client to another that it proved to be.
///
/// # Errors
/// When the database fails.
pub async fn move_to(conn: &mut Conn<'_>, tenant: Uuid, gone: Uuid, stays: Uuid) -> Result<()> {
    execute!(conn, MOVE, tenant, gone, stays)?;
    delete_of(conn, tenant, gone).await
}

/// Forgets what was told beside a client.
///
/// # Errors
/// When the database fails.
pub async fn delete_of(conn: &mut Conn<'_>, tenant: Uuid, client: Uuid) -> Result<()> {
    execute!(conn, DELETE_OF, tenant, client)?;
    Ok(())
}

/// Forgets beside whom an identity was told.
///
/// # Errors
/// When the database fails.
pub async fn delete(conn: &mut Conn<'_>, tenant: Uuid, identity: &Identity) -> Result<()> {
    execute!(conn, DELETE, tenant, identity.kind(), identity.value())?;
    Ok(())
}
