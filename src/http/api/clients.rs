//! `…/clients`: the people who booked.

use super::bookings::BookingJson;
use crate::http::Shared;
use crate::http::extract::access::Records;
use crate::http::extract::page::{Page, PageQuery};
use crate::http::openapi::{Refusals, TenantPath};
use crate::http::problem::Problem;
use crate::storage::clients::{self, ClientRow};
use crate::storage::mappings::{self, MappingRow};
use crate::storage::{Result as Stored, bookings};
use crate::tracking::facts;
use actix_web::web::{Data, Json, Path, Query};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// How many of a client's bookings its profile shows.
const LATEST: i64 = 50;

/// A client as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct ClientJson {
    id: Uuid,
    tenant_id: Uuid,
    phone: Option<String>,
    first_name: String,
    last_name: String,
    email: Option<String>,
    first_interaction_source: String,
    first_interaction_date: DateTime<Utc>,
    first_booking_date: Option<DateTime<Utc>>,
    last_booking_date: Option<DateTime<Utc>>,
    status: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A client with everything that is theirs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct ProfileJson {
    #[serde(flatten)]
    client: ClientJson,
    /// The event that each field comes from, where an event told it.
    told_by: BTreeMap<String, Uuid>,
    mappings: Vec<MappingJson>,
    bookings: Vec<BookingJson>,
}

/// A client's account at a salon system.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MappingJson {
    service_provider: String,
    external_client_id: String,
    business_id: Option<String>,
    branch_id: Option<String>,
}

impl ClientJson {
    /// The row in the API's words.
    pub(in crate::http) fn of(tenant: Uuid, row: ClientRow) -> Self {
        Self {
            id: row.id,
            tenant_id: tenant,
            phone: row.phone,
            first_name: row.first_name,
            last_name: row.last_name,
            email: row.email,
            first_interaction_source: row.first_interaction_source,
            first_interaction_date: row.first_interaction_at,
            first_booking_date: row.first_booking_at,
            last_booking_date: row.last_booking_at,
            status: row.status,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl From<MappingRow> for MappingJson {
    fn from(row: MappingRow) -> Self {
        let filled = |text: String| Some(text).filter(|t| !t.is_empty());
        Self {
            service_provider: row.provider,
            external_client_id: row.external_client_id,
            business_id: filled(row.business_id),
            branch_id: filled(row.branch_id),
        }
    }
}

/// A tenant's clients, the newest first.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/clients", tag = "clients",
    operation_id = "listClients",
    params(TenantPath, PageQuery),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses((status = 200, description = "A page of clients", body = Page<ClientJson>), Refusals)
)]
pub(in crate::http) async fn list(
    access: Records,
    query: Query<PageQuery>,
    shared: Data<Shared>,
) -> Result<Json<Page<ClientJson>>, Problem> {
    let (span, tenant) = (query.span()?, access.tenant.id);
    let mut reader = shared.db.reader().await?;
    let rows = clients::list(&mut reader.conn(), tenant, span.before, span.fetch).await?;
    let rows = rows.into_iter().map(|row| ClientJson::of(tenant, row)).collect();
    Ok(Json(span.page(rows, |client| client.id)))
}

/// A client with mappings and latest bookings.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/clients/{id}", tag = "clients",
    operation_id = "getClient",
    params(TenantPath, ("id" = String, Path, description = "The client's id")),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses((status = 200, description = "The client", body = ProfileJson), Refusals)
)]
pub(in crate::http) async fn show(
    access: Records,
    path: Path<(String, String)>,
    shared: Data<Shared>,
) -> Result<Json<ProfileJson>, Problem> {
    let id = Uuid::try_parse(&path.1).map_err(|_| Problem::not_found())?;
    let profile = profile(&shared, access.tenant.id, id).await?;
    profile.map(Json).ok_or_else(Problem::not_found)
}

async fn profile(shared: &Shared, tenant: Uuid, id: Uuid) -> Stored<Option<ProfileJson>> {
    let mut reader = shared.db.reader().await?;
    let conn = &mut reader.conn();
    let Some(row) = clients::find_once_known(conn, tenant, id).await? else { return Ok(None) };
    let id = row.id;
    let mappings = mappings::list_by_client(conn, tenant, id).await?;
    let bookings = bookings::list_by_client(conn, tenant, id, LATEST).await?;
    Ok(Some(ProfileJson {
        told_by: facts::told_by(&row.provenance)?,
        client: ClientJson::of(tenant, row),
        mappings: mappings.into_iter().map(MappingJson::from).collect(),
        bookings: bookings.into_iter().map(|row| BookingJson::of(tenant, row)).collect(),
    }))
}
