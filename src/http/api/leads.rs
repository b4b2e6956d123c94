//! `…/leads`: the people who asked and have not booked yet.

pub(in crate::http) mod list;
mod read;
pub(in crate::http) mod write;

use crate::http::Shared;
use crate::http::extract::access::Records;
use crate::http::extract::entity::Entity;
use crate::http::openapi::{Refusals, TenantPath};
use crate::http::problem::Problem;
use crate::storage::lead_records::{self, InteractionRow, LeadRecord};
use actix_web::web::{Data, Path};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// How many of a lead's interactions are shown.
const LATEST: i64 = 100;

/// A lead as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Lead)]
pub(in crate::http) struct LeadJson {
    id: Uuid,
    tenant_id: Uuid,
    phone: Option<String>,
    whatsapp_id: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
    /// How they asked: `voice`, `web` or `whatsapp`.
    source: String,
    /// `new`, `contacted`, `qualified`, `converted` or `lost`.
    status: String,
    notes: Option<String>,
    /// Where they came from.
    details: Option<BTreeMap<String, Value>>,
    /// How often something was said.
    interaction_count: i64,
    /// How often somebody called them.
    attempts: i64,
    last_contacted_at: Option<DateTime<Utc>>,
    next_follow_up_at: Option<DateTime<Utc>>,
    converted_client_id: Option<Uuid>,
    converted_at: Option<DateTime<Utc>>,
    first_interaction_date: DateTime<Utc>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A lead with what was said.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LeadWithInteractions)]
pub(in crate::http) struct WholeLeadJson {
    #[serde(flatten)]
    lead: LeadJson,
    /// The latest hundred, the latest first.
    interactions: Vec<InteractionJson>,
}

/// One thing that was said to or by a lead.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Interaction)]
pub(in crate::http) struct InteractionJson {
    id: Uuid,
    /// `note`, `call`, `message`, `email` or `visit`.
    kind: String,
    note: Option<String>,
    /// The event that told it, where one did.
    event_id: Option<Uuid>,
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
    let told = lead_records::list_interactions(conn, tenant, id, LATEST).await?;
    let interactions = told.into_iter().map(InteractionJson::from).collect();
    let version = row.version;
    Ok(Entity::found(version, WholeLeadJson { lead: LeadJson::of(tenant, row), interactions }))
}

/// An id in an address; what isn't one names nothing.
fn id(text: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(text).map_err(|_| Problem::not_found())
}
