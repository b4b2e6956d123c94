//! Clients' accounts at salon systems.

use super::{Conn, Result, execute, fetch_all, statements};
use crate::domain::booking::ExternalClient;
use crate::domain::ids;
use chrono::{DateTime, Utc};
use uuid::Uuid;

statements! {
    INSERT = "
        insert into client_service_mappings (tenant_id, id, client_id, provider, business_id,
            branch_id, external_client_id, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $8)
        on conflict (tenant_id, provider, business_id, external_client_id) do nothing";
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
    let done = execute!(
        conn,
        INSERT,
        tenant,
        ids::new(now),
        client,
        account.provider.as_str(),
        account.business_id.as_str(),
        account.branch_id.as_str(),
        account.client_id.as_str(),
        now
    )?;
    Ok(done == 1)
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
