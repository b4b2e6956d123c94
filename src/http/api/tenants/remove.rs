//! Deleting a tenant with everything that is its own.

use crate::http::Shared;
use crate::http::extract::access::PlatformInTenant;
use crate::http::extract::query::Query;
use crate::http::openapi::{Refusals, TenantPath};
use crate::http::problem::Problem;
use crate::storage::{audit, removal};
use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use uuid::Uuid;

/// What keeps a tenant from being deleted by mistake.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct Confirmation {
    /// The tenant's slug: that it is this one that is meant.
    #[param(required = true)]
    confirm: Option<String>,
}

/// Deletes a tenant with everything that is its own: clients, bookings, leads, events, its log,
/// connections with their secrets, tokens, users. It can't be undone; export it first.
///
/// It is disabled first and then removed piece by piece: where that is broken off, repeat it. The
/// platform's log keeps who deleted it and when.
#[utoipa::path(
    delete, path = "/api/platform/tenants/{tenantId}", tag = "platform",
    operation_id = "deleteTenant",
    params(TenantPath, Confirmation),
    security(("token" = ["platform_admin"])),
    responses((status = 204, description = "It is gone"), Refusals)
)]
pub(in crate::http) async fn remove(
    access: PlatformInTenant,
    query: Query<Confirmation>,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let (tenant, slug) = (access.tenant.id, access.tenant.slug.as_str());
    if query.confirm.as_deref() != Some(slug) {
        let detail = format!(
            "this deletes everything of the tenant for good: if that is meant, repeat it with \
             ?confirm={slug}"
        );
        return Err(Problem::bad_query("confirm", "confirmation_missing", &detail));
    }
    removal::thin_out(&shared.db, tenant).await?;
    let (mut tx, now) = (shared.db.begin().await?, shared.clock.now());
    let conn = &mut tx.conn();
    removal::remove(conn, tenant).await?;
    let detail = json!({"slug": slug}).to_string();
    let (actor, id) = (access.by.actor(), tenant.to_string());
    let platform = Uuid::nil();
    audit::note(conn, platform, &actor, "tenant.deleted", "tenant", &id, Some(&detail), now)
        .await?;
    tx.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}
