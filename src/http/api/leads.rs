//! `…/leads`: the people who asked and have not booked yet.

pub(in crate::http) mod list;
mod read;
pub(in crate::http) mod write;

use crate::http::Shared;
use crate::http::extract::access::Records;
use crate::http::extract::entity::Entity;
use crate::http::extract::keyset::Keyset;
use crate::http::extract::page::{Page, PageQuery};
use crate::http::extract::query::Query;
use crate::http::openapi::{Refusals, TenantPath};
use crate::http::problem::Problem;
use crate::storage::lead_records::{self, InteractionRow, LeadRecord};
use actix_web::web::{Data, Json, Path};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// How many of a lead's interactions are shown.
const LATEST: i64 = 100;

/// The order of interactions, as their cursors have it.
const INTERACTIONS: &str = "-interactions";

/// A lead as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Lead)]
pub(in crate::http) struct LeadJson {
    #[schema(example = "019c2f53-6b1a-7d44-8c2e-1a2b3c4d5e6f")]
    id: Uuid,
    #[schema(example = "019c2f4e-1111-7c52-9b0d-3f1a2b4c5d6e")]
    tenant_id: Uuid,
    #[schema(example = "+353871234567")]
    phone: Option<String>,
    whatsapp_id: Option<String>,
    #[schema(example = "Aoife")]
    first_name: Option<String>,
    #[schema(example = "Byrne")]
    last_name: Option<String>,
    #[schema(example = "aoife@example.com")]
    email: Option<String>,
    /// How they asked: `voice`, `web` or `whatsapp`.
    #[schema(example = "web")]
    source: String,
    /// `new`, `contacted`, `qualified`, `converted` or `lost`.
    #[schema(example = "new")]
    status: String,
    #[schema(example = "Asked for a massage")]
    notes: Option<String>,
    /// Where they came from.
    details: Option<BTreeMap<String, Value>>,
    /// How often something was said.
    #[schema(example = 2)]
    interaction_count: i64,
    /// How often somebody called them.
    #[schema(example = 1)]
    attempts: i64,
    #[schema(example = "2026-03-10T11:00:00Z")]
    last_contacted_at: Option<DateTime<Utc>>,
    #[schema(example = "2026-03-14T09:00:00Z")]
    next_follow_up_at: Option<DateTime<Utc>>,
    converted_client_id: Option<Uuid>,
    converted_at: Option<DateTime<Utc>>,
    #[schema(example = "2026-03-09T18:30:00Z")]
    first_interaction_date: DateTime<Utc>,
    #[schema(example = "2026-03-09T18:30:00Z")]
    created_at: DateTime<Utc>,
    #[schema(example = "2026-03-10T11:00:00Z")]
    updated_at: DateTime<Utc>,
}

/// A lead with what was said.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LeadWithInteractions)]
pub(in crate::http) struct WholeLeadJson {
    #[serde(flatten)]
    lead: LeadJson,
    /// The latest hundred, the latest first; all are at `interactions`.
    interactions: Vec<InteractionJson>,
}

/// One thing that was said to or by a lead.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Interaction)]
pub(in crate::http) struct InteractionJson {
    id: Uuid,
    /// `note`, `call`, `message`, `email` or `visit`.
    #[schema(example = "call")]
    kind: String,
    #[schema(example = "Calls back tomorrow")]
    note: Option<String>,
    /// The event that told it, where one did.
    event_id: Option<Uuid>,
    #[schema(example = "2026-03-10T11:00:00Z")]
    created_at: DateTime<Utc>,
}

impl LeadJson {
    /// The row in the API's words.
    fn of(tenant: Uuid, row: LeadRecord) -> Self {
        Self {
            id: row.id,
            tenant_id: tenant,
            phone: row.phone,
            whatsapp_id: row.whatsapp_id,
            first_name: row.first_name,
            last_name: row.last_name,
            email: row.email,
            source: row.source,
            status: row.status,
            notes: row.notes,
            details: row.details.as_deref().and_then(|text| serde_json::from_str(text).ok()),
            interaction_count: row.interactions,
            attempts: row.attempts,
            last_contacted_at: row.last_contacted_at,
            next_follow_up_at: row.next_follow_up_at,
            converted_client_id: row.converted_client_id,
            converted_at: row.converted_at,
            first_interaction_date: row.first_interaction_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl From<InteractionRow> for InteractionJson {
    fn from(row: InteractionRow) -> Self {
        let InteractionRow { id, event_id, kind, note, created_at } = row;
        Self { id, kind, note, event_id, created_at }
    }
}

/// A lead, and the latest of what was said.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/leads/{id}", tag = "leads",
    operation_id = "getLead",
    params(TenantPath, ("id" = String, Path, description = "The lead's id")),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses((status = 304, description = "`If-None-Match` names the `ETag` that it has"), (status = 200, description = "The lead", body = WholeLeadJson), Refusals)
)]
pub(in crate::http) async fn show(
    access: Records,
    path: Path<(String, String)>,
    shared: Data<Shared>,
) -> Result<Entity<WholeLeadJson>, Problem> {
    let id = id(&path.1)?;
    let tenant = access.tenant.id;
    let mut reader = shared.db.reader().await?;
    let conn = &mut reader.conn();
    let row = lead_records::find(conn, tenant, id).await?.ok_or_else(Problem::not_found)?;
    let start = Keyset::read(INTERACTIONS, None, None)?.before();
    let told = lead_records::list_interactions(conn, tenant, id, start, LATEST).await?;
    let interactions = told.into_iter().map(InteractionJson::from).collect();
    let version = row.version;
    Ok(Entity::found(version, WholeLeadJson { lead: LeadJson::of(tenant, row), interactions }))
}

/// What was said to and by a lead, the latest first.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/leads/{id}/interactions", tag = "leads",
    operation_id = "listLeadInteractions",
    params(TenantPath, ("id" = String, Path, description = "The lead's id"), PageQuery),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses(
        (status = 200, description = "A page of what was said", body = Page<InteractionJson>),
        Refusals
    )
)]
pub(in crate::http) async fn interactions(
    access: Records,
    path: Path<(String, String)>,
    query: Query<PageQuery>,
    shared: Data<Shared>,
) -> Result<Json<Page<InteractionJson>>, Problem> {
    let keyset = Keyset::read(INTERACTIONS, query.limit, query.cursor.as_deref())?;
    let (id, tenant) = (id(&path.1)?, access.tenant.id);
    let mut reader = shared.db.reader().await?;
    let conn = &mut reader.conn();
    lead_records::find(conn, tenant, id).await?.ok_or_else(Problem::not_found)?;
    let start = keyset.before();
    let rows = lead_records::list_interactions(conn, tenant, id, start, keyset.fetch).await?;
    Ok(Json(keyset.page(rows, |row| (row.created_at, row.id), InteractionJson::from)))
}

/// An id in an address; what isn't one names nothing.
fn id(text: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(text).map_err(|_| Problem::not_found())
}
