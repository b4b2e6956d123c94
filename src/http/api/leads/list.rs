//! The list of leads.

use super::LeadJson;
use crate::domain::channel::{Channel, LeadStatus};
use crate::domain::phone::Phone;
use crate::domain::tenant::TenantSettings;
use crate::http::Shared;
use crate::http::extract::access::Records;
use crate::http::extract::keyset::Keyset;
use crate::http::extract::moment;
use crate::http::extract::page::Page;
use crate::http::extract::query::Query;
use crate::http::openapi::{Refusals, TenantPath};
use crate::http::problem::Problem;
use crate::storage::lead_lists::{self, LeadFilter, Sought, Start};
use crate::storage::lead_records::LeadRecord;
use actix_web::web::{Data, Json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What a list of leads is narrowed to and sorted by.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct LeadQuery {
    /// Only those in this state.
    status: Option<LeadStatus>,
    /// Only those who asked this way.
    source: Option<Channel>,
    /// Only those to be followed up before this time, or this day (in the tenant's zone) begins.
    #[param(example = "2026-03-14", max_length = 100)]
    follow_up_before: Option<String>,
    /// A phone in any spelling, or how an e-mail address, a name or a last name begins.
    #[param(min_length = 1, max_length = 200)]
    q: Option<String>,
    /// By what, and with `-` from the last to the first; by `followUp` only those who are to be
    /// followed up are listed. `-created` where it is left out.
    #[param(inline)]
    sort: Option<LeadSort>,
    /// How many rows a page has.
    #[param(minimum = 1, maximum = 100, default = 25)]
    limit: Option<i64>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// The orders of a list of leads.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, ToSchema)]
enum LeadSort {
    #[serde(rename = "created")]
    Created,
    #[default]
    #[serde(rename = "-created")]
    CreatedBack,
    #[serde(rename = "followUp")]
    Due,
    #[serde(rename = "-followUp")]
    DueBack,
}

impl LeadSort {
    fn parts(self) -> (&'static str, bool, bool) {
        match self {
            Self::Created => ("created", false, false),
            Self::CreatedBack => ("-created", false, true),
            Self::Due => ("followUp", true, false),
            Self::DueBack => ("-followUp", true, true),
        }
    }
}

/// What a text seeks: a number where it is one, else an address or a name.
fn sought(text: &str, tenant: &TenantSettings) -> Result<Sought, Problem> {
    let text = text.replace('\0', "");
    let text = text.trim();
    if !(1..=200).contains(&text.chars().count()) {
        return Err(Problem::bad_query("q", "query_invalid", "q has 1 to 200 characters"));
    }
    Ok(match Phone::parse(text, tenant.default_region) {
        Ok(phone) => Sought::Phone(phone),
        Err(_) if text.contains('@') => Sought::Email(text.to_owned()),
        Err(_) => Sought::Name(text.to_owned()),
    })
}

/// A tenant's leads, narrowed and sorted; the newest first where nothing else is said.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/leads", tag = "leads",
    operation_id = "listLeads",
    params(TenantPath, LeadQuery),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses((status = 200, description = "A page of leads", body = Page<LeadJson>), Refusals)
)]
pub(in crate::http) async fn list(
    access: Records,
    query: Query<LeadQuery>,
    shared: Data<Shared>,
) -> Result<Json<Page<LeadJson>>, Problem> {
    let tenant = access.tenant.id;
    let (name, by_due, descending) = query.sort.unwrap_or_default().parts();
    let keyset = Keyset::read(name, query.limit, query.cursor.as_deref())?;
    let sought = query.q.as_deref().map(|text| sought(text, &access.tenant)).transpose()?;
    let before = query.follow_up_before.as_deref();
    let filter = LeadFilter {
        status: query.status,
        source: query.source,
        due_before: moment::from("followUpBefore", before, &access.tenant)?,
        sought,
    };
    let start = Start { by_due, descending, after: keyset.after };
    let mut reader = shared.db.reader().await?;
    let conn = &mut reader.conn();
    let rows = lead_lists::page(conn, tenant, &filter, start, keyset.fetch).await?;
    let due = |row: &LeadRecord| row.next_follow_up_at.filter(|_| by_due);
    let key = |row: &LeadRecord| (due(row).unwrap_or(row.created_at), row.id);
    Ok(Json(keyset.page(rows, key, |row| LeadJson::of(tenant, row))))
}
