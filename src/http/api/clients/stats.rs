//! How many clients there are, and how they came.

use crate::domain::channel::{Channel, ClientStatus};
use crate::domain::days::months;
use crate::http::Shared;
use crate::http::extract::access::Records;
use crate::http::openapi::{Refusals, TenantPath};
use crate::http::problem::Problem;
use crate::storage::client_stats::Counts;
use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

/// How many clients a tenant has. Months are those of the tenant's zone, and a client is new in the
/// month of their first interaction. A person who was erased still counts, but not as active.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ClientStats)]
pub(in crate::http) struct StatsJson {
    total_clients: i64,
    active_clients: i64,
    new_this_month: i64,
    new_last_month: i64,
    by_source: BySource,
    /// How most clients came; of equals the first of voice, web, whatsapp; none without clients.
    top_source: Option<Channel>,
}

/// How many clients first came each way.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = ClientsBySource)]
struct BySource {
    voice: i64,
    web: i64,
    whatsapp: i64,
}

impl StatsJson {
    fn of(counts: &Counts) -> Self {
        let all = || counts.by_source_and_status.iter();
        let came = |source: Channel| {
            let theirs = all().filter(|(of, ..)| of == source.as_str());
            theirs.map(|(.., count)| count).sum::<i64>()
        };
        let active = all().filter(|(_, status, _)| status == ClientStatus::Active.as_str());
        let most = Channel::ALL.iter().map(|source| came(*source)).max().filter(|most| *most > 0);
        let top = Channel::ALL.iter().find(|source| Some(came(**source)) == most);
        Self {
            total_clients: all().map(|(.., count)| count).sum(),
            active_clients: active.map(|(.., count)| count).sum(),
            new_this_month: counts.this_month,
            new_last_month: counts.last_month,
            by_source: BySource {
                voice: came(Channel::Voice),
                web: came(Channel::Web),
                whatsapp: came(Channel::WhatsApp),
            },
            top_source: top.copied(),
        }
    }
}

/// How many clients a tenant has, and how they came.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/clients/stats", tag = "clients",
    operation_id = "getClientStats",
    params(TenantPath),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses((status = 200, description = "The numbers", body = StatsJson), Refusals)
)]
pub(in crate::http) async fn show(
    access: Records,
    shared: Data<Shared>,
) -> Result<Json<StatsJson>, Problem> {
    let months = months(access.tenant.timezone, shared.clock.now());
    let counts = shared.counting.count(&shared.db, access.tenant.id, months).await?;
    Ok(Json(StatsJson::of(&counts)))
}
