//! Making, changing and converting a lead, and what is said to it.

use super::read::{self, Changes};
use super::{InteractionJson, LeadJson, id};
use crate::domain::channel::LeadStatus;
use crate::domain::person::Identity;
use crate::http::Shared;
use crate::http::api::clients::ClientJson;
use crate::http::extract::access::Records;
use crate::http::extract::body::Body;
use crate::http::extract::entity::{Entity, IfMatch};
use crate::http::openapi::{Matching, Repeatable, TenantPath, WriteRefusals};
use crate::http::problem::Problem;
use crate::storage::lead_records::{self, LeadRecord, is_open};
use crate::storage::{Conn, audit, clients, leads, locks};
use crate::tracking::converting;
use actix_web::HttpResponse;
use actix_web::web::{Data, Json, Path};
use serde_json::json;
use uuid::Uuid;

/// Makes a lead.
///
/// A phone or WhatsApp id that an open lead has is 409 with that lead's id (`lead_exists`); one
/// that a client has is 409 with the client's (`client_exists`): who has booked is no lead.
#[utoipa::path(
    post, path = "/api/platform/tenants/{tenantId}/leads", tag = "leads",
    operation_id = "createLead",
    params(TenantPath, Repeatable),
    request_body(content = read::NewLeadJson, example = json!({
        "phone": "087 123 4567", "firstName": "Aoife", "source": "web",
        "nextFollowUpAt": "2026-03-14T09:00:00Z",
    })),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses((status = 201, description = "The lead", body = LeadJson), WriteRefusals)
)]
pub(in crate::http) async fn create(
    access: Records,
    body: Body,
    shared: Data<Shared>,
) -> Result<Entity<LeadJson>, Problem> {
    let (tenant, now) = (access.tenant.id, shared.clock.now());
    let (row, identities) = read::lead(body.fields, &access.tenant, now)?;
    let mut tx = shared.db.begin().await?;
    let conn = &mut tx.conn();
    lock(conn, tenant, &identities).await?;
    stranger(conn, tenant, &identities).await?;
    unique(conn, tenant, &identities, None).await?;
    lead_records::insert(conn, tenant, &row).await?;
    let (by, lead) = (access.by.actor(), row.id.to_string());
    audit::note(conn, tenant, &by, "lead.created", "lead", &lead, None, now).await?;
    tx.commit().await?;
    Ok(Entity::created(row.version, LeadJson::of(tenant, row)))
}

/// Changes a lead; what isn't sent stays, `null` empties. A converted lead's state is final.
#[utoipa::path(
    patch, path = "/api/platform/tenants/{tenantId}/leads/{id}", tag = "leads",
    operation_id = "updateLead",
    params(TenantPath, ("id" = String, Path, description = "The lead's id"), Matching),
    request_body(content = read::LeadPatchJson, example = json!({
        "status": "contacted", "nextFollowUpAt": null,
    })),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses((status = 200, description = "The lead as it is now", body = LeadJson), WriteRefusals)
)]
pub(in crate::http) async fn update(
    access: Records,
    path: Path<(String, String)>,
    matching: IfMatch,
    body: Body,
    shared: Data<Shared>,
) -> Result<Entity<LeadJson>, Problem> {
    let (tenant, id, now) = (access.tenant.id, id(&path.1)?, shared.clock.now());
    let changes = read::changes(body.fields, &access.tenant);
    let mut tx = shared.db.begin().await?;
    let conn = &mut tx.conn();
    let row = found(conn, tenant, id).await?;
    let changes = changes?;
    let identities = converting::identities(&row);
    lock(conn, tenant, &identities).await?;
    locks::lock(conn, tenant, &[own_lock(id)]).await?;
    let mut row = found(conn, tenant, id).await?;
    matching.check(row.version)?;
    may_become(conn, tenant, &row, &changes, &identities).await?;
    let names = json!({ "fields": changes.names }).to_string();
    let before = row.clone();
    changes.lay(&mut row);
    if row == before {
        return Ok(Entity::found(row.version, LeadJson::of(tenant, row)));
    }
    row.updated_at = now;
    lead_records::update(conn, tenant, &row).await?;
    let (by, lead) = (access.by.actor(), id.to_string());
    audit::note(conn, tenant, &by, "lead.updated", "lead", &lead, Some(&names), now).await?;
    let row = found(conn, tenant, id).await?;
    tx.commit().await?;
    Ok(Entity::found(row.version, LeadJson::of(tenant, row)))
}

/// Adds what was said to or by a lead.
///
/// A call counts as an attempt; everything but a note sets `lastContactedAt`.
#[utoipa::path(
    post, path = "/api/platform/tenants/{tenantId}/leads/{id}/interactions", tag = "leads",
    operation_id = "addLeadInteraction",
    params(TenantPath, ("id" = String, Path, description = "The lead's id"), Repeatable),
    request_body(content = read::NewInteractionJson, example = json!({
        "kind": "call", "note": "Calls back tomorrow",
    })),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses((status = 201, description = "What was said", body = InteractionJson), WriteRefusals)
)]
pub(in crate::http) async fn interact(
    access: Records,
    path: Path<(String, String)>,
    body: Body,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let (tenant, id) = (access.tenant.id, id(&path.1)?);
    let (kind, note) = read::interaction(body.fields)?;
    let mut tx = shared.db.begin().await?;
    let (conn, now) = (&mut tx.conn(), shared.clock.now());
    locks::lock(conn, tenant, &[own_lock(id)]).await?;
    let note = note.as_deref();
    let added = lead_records::add_interaction(conn, tenant, id, kind, note, now).await?;
    let added = added.ok_or_else(Problem::not_found)?;
    let (by, lead) = (access.by.actor(), id.to_string());
    let kind = json!({ "kind": kind.as_str() }).to_string();
    audit::note(conn, tenant, &by, "lead.interaction", "lead", &lead, Some(&kind), now).await?;
    tx.commit().await?;
    Ok(HttpResponse::Created().json(InteractionJson::from(added)))
}

/// Makes a lead a client.
///
/// The client is the one that has the lead's phone or WhatsApp id, else a new one. Converting a
/// lead that is converted answers the same client again.
#[utoipa::path(
    post, path = "/api/platform/tenants/{tenantId}/leads/{id}/convert", tag = "leads",
    operation_id = "convertLead",
    params(TenantPath, ("id" = String, Path, description = "The lead's id"), Repeatable),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses((status = 200, description = "The client", body = ClientJson), WriteRefusals)
)]
pub(in crate::http) async fn convert(
    access: Records,
    path: Path<(String, String)>,
    shared: Data<Shared>,
) -> Result<Json<ClientJson>, Problem> {
    let (tenant, id) = (access.tenant.id, id(&path.1)?);
    let client = shared.tracker.convert(&access.tenant, id, &access.by.actor()).await?;
    let client = client.ok_or_else(Problem::not_found)?;
    let mut reader = shared.db.reader().await?;
    let row = clients::find_once_known(&mut reader.conn(), tenant, client).await?;
    Ok(Json(ClientJson::of(tenant, row.ok_or_else(Problem::not_found)?)))
}

async fn found(conn: &mut Conn<'_>, tenant: Uuid, id: Uuid) -> Result<LeadRecord, Problem> {
    lead_records::find(conn, tenant, id).await?.ok_or_else(Problem::not_found)
}

/// The lock on a lead itself: a change and what is said count on the same row.
fn own_lock(id: Uuid) -> String {
    format!("lead:{id}")
}

/// The locks that tracking takes for the same person.
async fn lock(conn: &mut Conn<'_>, tenant: Uuid, identities: &[Identity]) -> Result<(), Problem> {
    let keys: Vec<String> = identities.iter().map(Identity::key).collect();
    Ok(locks::lock(conn, tenant, &keys).await?)
}

/// 409 for whoever is a client.
async fn stranger(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    identities: &[Identity],
) -> Result<(), Problem> {
    for identity in identities {
        if let Some(client) = clients::find_by_identity(conn, tenant, identity).await? {
            let detail = "a client has this phone or WhatsApp id: who has booked is no lead";
            return Err(Problem::exists("client_exists", detail, client));
        }
    }
    Ok(())
}

/// 409 where another lead of the same person is open.
async fn unique(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    identities: &[Identity],
    own: Option<Uuid>,
) -> Result<(), Problem> {
    for identity in identities {
        let open = leads::find_open(conn, tenant, identity).await?;
        if let Some(other) = open.filter(|open| Some(open.id) != own) {
            let detail = "an open lead has this phone or WhatsApp id";
            return Err(Problem::exists("lead_exists", detail, other.id));
        }
    }
    Ok(())
}

/// Whether the lead's state may be what is set.
async fn may_become(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    row: &LeadRecord,
    changes: &Changes,
    identities: &[Identity],
) -> Result<(), Problem> {
    let Some(status) = changes.status else { return Ok(()) };
    if row.status == LeadStatus::Converted.as_str() {
        let detail = "a converted lead is a client now: its state is final";
        return Err(Problem::conflict("lead_converted", detail));
    }
    if !is_open(status) {
        return Ok(());
    }
    if row.status == LeadStatus::Lost.as_str() {
        stranger(conn, tenant, identities).await?;
    }
    unique(conn, tenant, identities, Some(row.id)).await
}
