//! `…/clients/{id}/mappings`: a client's accounts at salon systems, as many as there are.

use super::{ClientPath, named};
use crate::domain::booking::ExternalClient;
use crate::http::Shared;
use crate::http::extract::access::Records;
use crate::http::extract::body::Body;
use crate::http::openapi::{Repeatable, TenantPath, WriteRefusals};
use crate::http::problem::Problem;
use crate::sources::fields::provider_name;
use crate::storage::mappings::{self, MappingRow};
use crate::storage::{Conn, audit, locks};
use actix_web::HttpResponse;
use actix_web::web::{Data, Json, Path};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

/// A client's account at a salon system.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Mapping)]
pub(in crate::http) struct MappingJson {
    id: Uuid,
    #[schema(example = "phorest")]
    service_provider: String,
    #[schema(example = "igK6P6lu40g3UeT")]
    external_client_id: String,
    business_id: Option<String>,
    branch_id: Option<String>,
    created_at: DateTime<Utc>,
}

impl From<MappingRow> for MappingJson {
    fn from(row: MappingRow) -> Self {
        let filled = |text: String| Some(text).filter(|t| !t.is_empty());
        Self {
            id: row.id,
            service_provider: row.provider,
            external_client_id: row.external_client_id,
            business_id: filled(row.business_id),
            branch_id: filled(row.branch_id),
            created_at: row.created_at,
        }
    }
}

/// A client's accounts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Mappings)]
pub(in crate::http) struct MappingsJson {
    data: Vec<MappingJson>,
}

/// An account to be added.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewMapping)]
#[expect(dead_code, reason = "it only describes the body")]
pub(in crate::http) struct NewMapping {
    /// The salon system, in any case.
    #[schema(min_length = 1, max_length = 64, pattern = r"\S", example = "phorest")]
    service_provider: String,
    /// The client's id there.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S", example = "igK6P6lu40g3UeT")]
    external_client_id: String,
    /// The business there that the id belongs to.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    business_id: Option<String>,
    /// The branch there.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    branch_id: Option<String>,
}

/// The accounts of a client.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/clients/{id}/mappings", tag = "clients",
    operation_id = "listMappings",
    params(TenantPath, ClientPath),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses((status = 200, description = "All of them", body = MappingsJson), WriteRefusals)
)]
pub(in crate::http) async fn list(
    access: Records,
    path: Path<(String, String)>,
    shared: Data<Shared>,
) -> Result<Json<MappingsJson>, Problem> {
    let mut reader = shared.db.reader().await?;
    let conn = &mut reader.conn();
    let client = named(conn, &access.tenant, &path.1).await?.id;
    let rows = mappings::list_by_client(conn, access.tenant.id, client).await?;
    Ok(Json(MappingsJson { data: rows.into_iter().map(MappingJson::from).collect() }))
}

/// Adds an account to a client.
#[utoipa::path(
    post, path = "/api/platform/tenants/{tenantId}/clients/{id}/mappings", tag = "clients",
    operation_id = "addMapping",
    params(TenantPath, ClientPath, Repeatable),
    request_body(content = NewMapping),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses((status = 201, description = "The account", body = MappingJson), WriteRefusals)
)]
pub(in crate::http) async fn add(
    access: Records,
    path: Path<(String, String)>,
    body: Body,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let account = read(body)?;
    let (tenant, now) = (access.tenant.id, shared.clock.now());
    let mut tx = shared.db.begin().await?;
    let conn = &mut tx.conn();
    locks::lock(conn, tenant, &[locks::account(&account.provider, &account.client_id)]).await?;
    let client = named(conn, &access.tenant, &path.1).await?.id;
    let added = store(conn, tenant, client, &account, now).await?;
    let (actor, detail) = (access.by.actor(), json!({ "fields": ["mappings"] }).to_string());
    let (action, id) = ("client.mapping_added", client.to_string());
    audit::note(conn, tenant, &actor, action, "client", &id, Some(&detail), now).await?;
    tx.commit().await?;
    Ok(HttpResponse::Created().json(added))
}

/// Writes the account; one that is known without its business or branch is filled. 409 when a
/// client has it.
async fn store(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    client: Uuid,
    account: &ExternalClient,
    now: DateTime<Utc>,
) -> Result<MappingJson, Problem> {
    let (provider, id) = (account.provider.as_str(), account.client_id.as_str());
    let known = mappings::find_by_external_id(conn, tenant, provider, id).await?;
    let (business, branch) = (account.business_id.as_str(), account.branch_id.as_str());
    let same = |row: &&MappingRow| {
        let unknown = row.business_id.is_empty() || business.is_empty();
        unknown || row.business_id == business
    };
    match known.iter().find(same) {
        Some(row) if row.client_id == client && adds(row, account) => {
            let business = if business.is_empty() { row.business_id.as_str() } else { business };
            let branch = if branch.is_empty() { row.branch_id.as_str() } else { branch };
            mappings::fill(conn, tenant, row.id, business, branch, now).await?;
            let stored = mappings::find_by_external_id(conn, tenant, provider, id).await?;
            let stored = stored.into_iter().find(|stored| stored.id == row.id);
            return stored.map(MappingJson::from).ok_or_else(Problem::not_found);
        }
        Some(row) => return Err(exists(row.client_id)),
        None => {
            mappings::insert(conn, tenant, client, account, now).await?;
        }
    }
    // A delivery may have been faster: then it is whose it is.
    let stored = mappings::find_by_external_id(conn, tenant, provider, id).await?;
    let stored = stored.into_iter().find(|row| row.business_id == business);
    let stored = stored.ok_or_else(Problem::not_found)?;
    if stored.client_id == client { Ok(stored.into()) } else { Err(exists(stored.client_id)) }
}

/// True for an account that is known without the business or the branch that is told now.
fn adds(row: &MappingRow, account: &ExternalClient) -> bool {
    let adds = |known: &str, told: &str| known.is_empty() && !told.is_empty();
    let other = |known: &str, told: &str| !known.is_empty() && !told.is_empty() && known != told;
    !other(&row.branch_id, &account.branch_id)
        && (adds(&row.business_id, &account.business_id)
            || adds(&row.branch_id, &account.branch_id))
}

fn exists(client: Uuid) -> Problem {
    let detail = "a client has this external id already: `existingId` names the client";
    Problem::exists("mapping_exists", detail, client)
}

fn read(body: Body) -> Result<ExternalClient, Problem> {
    let mut fields = body.fields;
    fields.require("serviceProvider");
    let provider = fields.text("serviceProvider", 64).value();
    let provider = provider.as_deref().map(provider_name).unwrap_or_default();
    if provider.contains(':') {
        let detail = "the name of a salon system has no colon, as in phorest";
        fields.fault("serviceProvider", "text_invalid", detail);
    }
    fields.require("externalClientId");
    let client_id = fields.text("externalClientId", 200).value();
    let business_id = fields.text("businessId", 200).value();
    let branch_id = fields.text("branchId", 200).value();
    fields.finish()?;
    Ok(ExternalClient {
        provider,
        client_id: client_id.unwrap_or_default(),
        business_id: business_id.unwrap_or_default(),
        branch_id: branch_id.unwrap_or_default(),
    })
}

/// Removes an account from a client.
#[utoipa::path(
    delete, path = "/api/platform/tenants/{tenantId}/clients/{id}/mappings/{mappingId}",
    tag = "clients",
    operation_id = "removeMapping",
    params(TenantPath, ClientPath, ("mappingId" = String, Path, description = "The mapping's id")),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses((status = 204, description = "It is removed"), WriteRefusals)
)]
pub(in crate::http) async fn remove(
    access: Records,
    path: Path<(String, String, String)>,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let mapping = Uuid::try_parse(&path.2).map_err(|_| Problem::not_found())?;
    let (tenant, now) = (access.tenant.id, shared.clock.now());
    let mut tx = shared.db.begin().await?;
    let conn = &mut tx.conn();
    let client = named(conn, &access.tenant, &path.1).await?.id;
    if !mappings::delete(conn, tenant, client, mapping).await? {
        return Err(Problem::not_found());
    }
    let (actor, detail) = (access.by.actor(), json!({ "fields": ["mappings"] }).to_string());
    let (action, id) = ("client.mapping_removed", client.to_string());
    audit::note(conn, tenant, &actor, action, "client", &id, Some(&detail), now).await?;
    tx.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}
