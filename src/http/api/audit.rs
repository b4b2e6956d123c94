//! `…/audit`: who did what.

use crate::http::Shared;
use crate::http::extract::access::Manage;
use crate::http::extract::page::{Page, PageQuery};
use crate::http::extract::query::Query;
use crate::http::openapi::{Refusals, TenantPath};
use crate::http::problem::Problem;
use crate::storage::audit::{self, AuditRow};
use actix_web::web::{Data, Json};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// Something that was done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditEntry)]
pub(in crate::http) struct AuditJson {
    id: Uuid,
    /// Who did it: `token:<id>`, `user:<id>`, or the service itself.
    actor: String,
    /// What was done.
    #[schema(example = "client.updated")]
    action: String,
    /// What it was done to.
    #[schema(example = "client")]
    subject_kind: String,
    /// The id of that.
    subject_id: String,
    /// More about it: names of fields, never the values that name a person.
    detail: Option<Value>,
    created_at: DateTime<Utc>,
}

impl From<AuditRow> for AuditJson {
    fn from(row: AuditRow) -> Self {
        let detail = row.detail.map(|text| serde_json::from_str(&text).unwrap_or(text.into()));
        Self {
            id: row.id,
            actor: row.actor,
            action: row.action,
            subject_kind: row.subject_kind,
            subject_id: row.subject_id,
            detail,
            created_at: row.created_at,
        }
    }
}

/// What was done in a tenant, the newest first.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/audit", tag = "running",
    operation_id = "listAudit",
    params(TenantPath, PageQuery),
    security(("token" = ["platform_admin", "client_admin"])),
    responses((status = 200, description = "A page of the log", body = Page<AuditJson>), Refusals)
)]
pub(in crate::http) async fn list(
    access: Manage,
    query: Query<PageQuery>,
    shared: Data<Shared>,
) -> Result<Json<Page<AuditJson>>, Problem> {
    let span = query.span()?;
    let mut reader = shared.db.reader().await?;
    let rows = audit::list(&mut reader.conn(), access.tenant.id, span.before, span.fetch).await?;
    let rows = rows.into_iter().map(AuditJson::from).collect();
    Ok(Json(span.page(rows, |entry| entry.id)))
}
