//! Clients' accounts at salon systems.

use super::batch::Stage;
use super::bulk::{Rows, bulk};
use super::{Conn, Result, execute, fetch_all, statements};
use crate::domain::booking::ExternalClient;
use crate::domain::ids;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use uuid::Uuid;

statements! {
    FIND_BY_EXTERNAL_ID = "
        select id, client_id, provider, business_id, branch_id, external_client_id, created_at
        from client_service_mappings
        where tenant_id = $1 and provider = $2 and external_client_id = $3
        order by business_id";
    LIST_BY_CLIENT = "
        select id, client_id, provider, business_id, branch_id, external_client_id, created_at
        from client_service_mappings
        where tenant_id = $1 and client_id = $2
        order by provider, business_id, external_client_id";
    DELETE = "
        delete from client_service_mappings
        where tenant_id = $1 and client_id = $2 and id = $3";
    FILL = "
        update client_service_mappings set business_id = $3, branch_id = $4, updated_at = $5
        where tenant_id = $1 and id = $2";
    MOVE = "
        update client_service_mappings set client_id = $3, updated_at = $4
        where tenant_id = $1 and id = $2";
}

bulk! {
    INSERT(
        tenant_id Uuid, id Uuid, client_id Uuid, provider Text, business_id Text, branch_id Text,
        external_client_id Text, created_at Time,
    ) = "
        insert into client_service_mappings (tenant_id, id, client_id, provider, business_id,
            branch_id, external_client_id, created_at, updated_at)
        select tenant_id, id, client_id, provider, business_id, branch_id, external_client_id,
            created_at, created_at
        from k where true
        on conflict (tenant_id, provider, business_id, external_client_id) do nothing";
    FIND_BY_EXTERNAL_IDS(tenant_id Uuid, provider Text, external_client_id Text) = "
        select m.tenant_id, m.id, m.client_id, m.provider, m.business_id, m.branch_id,
            m.external_client_id, m.created_at
        from k cross join client_service_mappings m
        where m.tenant_id = k.tenant_id and m.provider = k.provider
            and m.external_client_id = k.external_client_id
        order by m.business_id";
}

/// A mapping's row.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct MappingRow {
    /// Its id.
    pub id: Uuid,
    /// Whose account it is.
    pub client_id: Uuid,
    /// `phorest`, `fresha`, …
    pub provider: String,
    /// The business there; empty while unknown.
    pub business_id: String,
    /// The branch there; empty while unknown.
    pub branch_id: String,
    /// The person's id there.
    pub external_client_id: String,
    /// When it was first told to us.
    pub created_at: DateTime<Utc>,
}

/// Inserts a mapping; false when the provider's business has that id already.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    client: Uuid,
    account: &ExternalClient,
    now: DateTime<Utc>,
) -> Result<bool> {
    let (provider, id) = (account.provider.as_str(), account.client_id.as_str());
    if let Some(known) = conn.known_mut() {
        known.mappings.forget(&(tenant, provider.to_owned(), id.to_owned()));
    }
    let row = Rows::one([
        tenant.into(),
        ids::new(now).into(),
        client.into(),
        provider.into(),
        account.business_id.as_str().into(),
        account.branch_id.as_str().into(),
        id.into(),
        now.into(),
    ]);
    let written = conn.write(Stage::Mappings, &INSERT, row).await?;
    Ok(written.is_none_or(|rows| rows == 1))
}

#[derive(sqlx::FromRow)]
struct OfTenant {
    tenant_id: Uuid,
    #[sqlx(flatten)]
    mapping: MappingRow,
}

/// A tenant, a provider, and a client id there.
pub type AccountKey = (Uuid, String, String);

/// Reads ahead for [`find_by_external_id`].
///
/// # Errors
/// When the database fails.
pub async fn read_ahead(conn: &mut Conn<'_>, keys: &BTreeSet<AccountKey>) -> Result<()> {
    let mut rows = Rows::default();
    for (tenant, provider, id) in keys {
        rows.push([(*tenant).into(), provider.as_str().into(), id.as_str().into()]);
    }
    let found: Vec<OfTenant> = FIND_BY_EXTERNAL_IDS.fetch(conn.settled().await?, rows).await?;
    let Some(known) = conn.known_mut() else { return Ok(()) };
    for key in keys {
        known.mappings.hold(key.clone(), Vec::new());
    }
    for OfTenant { tenant_id, mapping } in found {
        let key = (tenant_id, mapping.provider.clone(), mapping.external_client_id.clone());
        known.mappings.change(&key, |rows| rows.push(mapping));
    }
    Ok(())
}

/// The mappings of an external id in every business of the provider.
///
/// # Errors
/// When the database fails.
pub async fn find_by_external_id(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    provider: &str,
    external_client_id: &str,
) -> Result<Vec<MappingRow>> {
    let key = (tenant, provider.to_owned(), external_client_id.to_owned());
    if let Some(rows) = conn.known().and_then(|known| known.mappings.get(&key)) {
        return Ok(rows.clone());
    }
    Ok(fetch_all!(conn, MappingRow, FIND_BY_EXTERNAL_ID, tenant, provider, external_client_id)?)
}

/// A client's mappings.
///
/// # Errors
/// When the database fails.
pub async fn list_by_client(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    client: Uuid,
) -> Result<Vec<MappingRow>> {
    Ok(fetch_all!(conn, MappingRow, LIST_BY_CLIENT, tenant, client)?)
}

/// Removes a client's mapping; false when the client has none of this id.
///
/// # Errors
/// When the database fails.
pub async fn delete(conn: &mut Conn<'_>, tenant: Uuid, client: Uuid, id: Uuid) -> Result<bool> {
    Ok(execute!(conn, DELETE, tenant, client, id)? == 1)
}

/// Sets business and branch of a mapping that did not know them.
///
/// # Errors
/// When the database fails.
pub async fn fill(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    id: Uuid,
    business: &str,
    branch: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    execute!(conn, FILL, tenant, id, business, branch, now)?;
    Ok(())
}

/// Gives a mapping to another client: the booking that told it proved to be theirs.
///
/// # Errors
/// When the database fails.
pub async fn move_to(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    id: Uuid,
    client: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    execute!(conn, MOVE, tenant, id, client, now)?;
    Ok(())
}
