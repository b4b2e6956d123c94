//! `…/clients`: the people who booked.

pub(in crate::http) mod duplicates;
pub(in crate::http) mod import;
pub(in crate::http) mod list;
pub(in crate::http) mod mappings;
pub(in crate::http) mod profile;
pub(in crate::http) mod stats;
pub(in crate::http) mod told;
pub(in crate::http) mod write;

use crate::domain::person::Identity;
use crate::domain::phone::Phone;
use crate::domain::tenant::TenantSettings;
use crate::http::problem::Problem;
use crate::sources::fields::provider_name;
use crate::storage::clients::{self, ClientRow};
use crate::storage::{Conn, mappings as accounts};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// The most characters of a client's name in an address.
const LONGEST: usize = 400;

/// A client as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Client)]
pub(in crate::http) struct ClientJson {
    #[schema(example = "019c2f4e-8a61-7c52-9b0d-3f1a2b4c5d6e")]
    id: Uuid,
    #[schema(example = "019c2f4e-1111-7c52-9b0d-3f1a2b4c5d6e")]
    tenant_id: Uuid,
    /// E.164.
    #[schema(example = "+353871234567")]
    phone: Option<String>,
    /// "Unknown" while nobody has said it.
    #[schema(example = "Áine")]
    first_name: String,
    /// Empty while nobody has said it.
    #[schema(example = "Byrne")]
    last_name: String,
    #[schema(example = "aine@example.com")]
    email: Option<String>,
    #[schema(example = "voice")]
    first_interaction_source: String,
    #[schema(example = "2026-03-01T10:00:00Z")]
    first_interaction_date: DateTime<Utc>,
    /// When they first booked, not when that appointment was.
    #[schema(example = "2026-03-01T10:15:00Z")]
    first_booking_date: Option<DateTime<Utc>>,
    /// When they last booked.
    #[schema(example = "2026-03-01T10:15:00Z")]
    last_booking_date: Option<DateTime<Utc>>,
    #[schema(example = "active")]
    status: String,
    #[schema(example = "2026-03-01T10:00:00Z")]
    created_at: DateTime<Utc>,
    #[schema(example = "2026-03-01T10:15:00Z")]
    updated_at: DateTime<Utc>,
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

/// The client in an address.
#[derive(IntoParams)]
#[into_params(parameter_in = Path, names("id"))]
pub(in crate::http) struct ClientPath(
    /// The client's id; or `phone:` and a phone in any spelling; or `ext:`, a provider, `:` and the
    /// client's id there, as `ext:phorest:igK6P6lu40g3UeT`.
    #[expect(dead_code, reason = "it is only described")]
    String,
);

/// The client that an address names; 404 where there is none, 409 where an external id is several
/// clients', each in another business.
pub(in crate::http) async fn named(
    conn: &mut Conn<'_>,
    tenant: &TenantSettings,
    name: &str,
) -> Result<ClientRow, Problem> {
    let id = id_of(conn, tenant, name).await?.ok_or_else(Problem::not_found)?;
    let row = clients::find_once_known(conn, tenant.id, id).await?;
    row.ok_or_else(Problem::not_found)
}

async fn id_of(
    conn: &mut Conn<'_>,
    tenant: &TenantSettings,
    name: &str,
) -> Result<Option<Uuid>, Problem> {
    if name.len() > LONGEST || name.contains('\0') {
        return Ok(None);
    }
    if let Some(typed) = name.strip_prefix("phone:") {
        // A plus sign in an address is a space to whoever reads it as a form does.
        let typed = typed.strip_prefix(' ').map_or(typed.to_owned(), |rest| format!("+{rest}"));
        let Ok(phone) = Phone::parse(&typed, tenant.default_region) else { return Ok(None) };
        return Ok(clients::find_by_identity(conn, tenant.id, &Identity::Phone(phone)).await?);
    }
    match name.strip_prefix("ext:").and_then(|rest| rest.split_once(':')) {
        Some((provider, id)) => of_account(conn, tenant.id, &provider_name(provider), id).await,
        None => Ok(Uuid::try_parse(name).ok()),
    }
}

/// The one client who has this id at a provider.
async fn of_account(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    provider: &str,
    id: &str,
) -> Result<Option<Uuid>, Problem> {
    let rows = accounts::find_by_external_id(conn, tenant, provider, id).await?;
    let businesses: BTreeMap<Uuid, &str> =
        rows.iter().map(|row| (row.client_id, row.business_id.as_str())).collect();
    if businesses.len() < 2 {
        return Ok(businesses.into_keys().next());
    }
    let each = businesses.iter().map(|(client, business)| format!("{client} in \"{business}\""));
    let detail = format!(
        "several clients have this id, each in another business: {}; take the one that is meant",
        each.collect::<Vec<_>>().join(", ")
    );
    Err(Problem::conflict("client_ambiguous", &detail))
}
