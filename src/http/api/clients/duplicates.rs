//! `…/clients/duplicates`: clients who may be one person, each with why.

use super::ClientJson;
use crate::http::Shared;
use crate::http::extract::access::Records;
use crate::http::extract::keyset;
use crate::http::extract::page::{Page, PageQuery};
use crate::http::extract::query::Query;
use crate::http::openapi::{Refusals, TenantPath};
use crate::http::problem::Problem;
use crate::storage::alikes::{self, Alike, At};
use actix_web::web::{Data, Json};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

/// Clients who may be one person.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ClientDuplicate)]
pub(in crate::http) struct DuplicateJson {
    /// Why: `phone_and_whatsapp` (a phone of the one and a WhatsApp id of the other arrived
    /// together), `external_client_id` (both were told with one account), `identity_change` (the
    /// one's number was changed to what is the other's), `same_email`, or `same_name` (first and
    /// last name, without case and accents, with other numbers).
    #[schema(example = "same_email")]
    reason: String,
    /// What they share.
    #[schema(value_type = Object)]
    detail: Value,
    /// The event that showed it, where one did.
    event_id: Option<Uuid>,
    /// When it was first shown, where an event did.
    created_at: Option<DateTime<Utc>>,
    /// The clients: of one name or address the first 20.
    clients: Vec<ClientJson>,
}

impl DuplicateJson {
    fn of(tenant: Uuid, alike: Alike) -> Self {
        let of_address = |email: &str| ("same_email", json!({ "email": email }));
        let name = |alike: &Alike| {
            let first = alike.clients.first();
            let name = first.map(|client| format!("{} {}", client.first_name, client.last_name));
            ("same_name", json!({ "name": name }))
        };
        let (reason, detail) = match (&alike.at, &alike.shown) {
            (_, Some(shown)) => {
                let detail = serde_json::from_str(&shown.detail).unwrap_or_default();
                (shown.reason.as_str(), detail)
            }
            (At::Email(email), None) => of_address(email),
            (At::Name(_) | At::Shown(_), None) => name(&alike),
        };
        Self {
            reason: reason.to_owned(),
            detail,
            event_id: alike.shown.as_ref().and_then(|shown| shown.event_id),
            created_at: alike.shown.as_ref().map(|shown| shown.created_at),
            clients: alike.clients.into_iter().map(|row| ClientJson::of(tenant, row)).collect(),
        }
    }
}

/// Clients who may be one person: what deliveries showed, then same e-mail addresses, then same
/// names. Nothing is merged.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/clients/duplicates", tag = "clients",
    operation_id = "listClientDuplicates",
    params(TenantPath, PageQuery),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses(
        (status = 200, description = "A page of proposals", body = Page<DuplicateJson>), Refusals
    )
)]
pub(in crate::http) async fn list(
    access: Records,
    query: Query<PageQuery>,
    shared: Data<Shared>,
) -> Result<Json<Page<DuplicateJson>>, Problem> {
    let limit = keyset::limit(query.limit)?;
    let after = keyset::decode(query.cursor.as_deref(), read)?;
    let tenant = access.tenant.id;
    let mut reader = shared.db.reader().await?;
    let (found, next) = alikes::page(&mut reader.conn(), tenant, after, limit).await?;
    let shown = found.into_iter().map(|alike| DuplicateJson::of(tenant, alike)).collect();
    Ok(Json(Page::new(shown, next.map(|at| keyset::encode(&write(&at))))))
}

fn write(at: &At) -> Vec<u8> {
    match at {
        At::Shown(id) => [b"s".as_slice(), id.as_bytes()].concat(),
        At::Email(email) => [b"e".as_slice(), email.as_bytes()].concat(),
        At::Name(name) => [b"n".as_slice(), name].concat(),
    }
}

fn read(bytes: &[u8]) -> Option<At> {
    let (kind, rest) = bytes.split_first()?;
    match kind {
        b's' => Uuid::from_slice(rest).ok().map(At::Shown),
        b'e' => {
            let text = String::from_utf8(rest.to_vec()).ok();
            text.filter(|text| !text.contains('\0')).map(At::Email)
        }
        b'n' => Some(At::Name(rest.to_vec())),
        _ => None,
    }
}
