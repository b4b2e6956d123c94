//! `/api/platform/tenants`: the businesses whose bookings are kept.

pub(in crate::http) mod archive;
pub(in crate::http) mod remove;

use super::note;
use crate::domain::channel::{DateOrder, TenantStatus};
use crate::domain::ids;
use crate::domain::money::Currency;
use crate::domain::phone::Region;
use crate::domain::tenant::{TenantSettings, is_slug, slug_of};
use crate::http::Shared;
use crate::http::extract::access::{Manage, Platform, PlatformInTenant};
use crate::http::extract::body::Body;
use crate::http::extract::fields::{Fields, Patch};
use crate::http::extract::page::{Page, PageQuery};
use crate::http::extract::query::Query;
use crate::http::openapi::{Refusals, Repeatable, TenantPath, WriteRefusals};
use crate::http::problem::Problem;
use crate::storage::clients;
use crate::storage::tenants::{self, TenantRow};
use actix_web::HttpResponse;
use actix_web::web::{Data, Json};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Tenant)]
pub(in crate::http) struct TenantJson {
    #[schema(example = "019c2f4e-1111-7c52-9b0d-3f1a2b4c5d6e")]
    id: Uuid,
    #[schema(example = "glow-studio")]
    slug: String,
    #[schema(example = "Glow Studio")]
    name: String,
    #[schema(example = "active")]
    status: String,
    /// The country of phone numbers without a country code.
    #[schema(example = "IE")]
    region: String,
    /// The zone of times without an offset.
    #[schema(example = "Europe/Dublin")]
    timezone: String,
    /// The currency of amounts without one.
    #[schema(example = "EUR")]
    currency: String,
    /// How dates in digits are read.
    date_order: DateOrder,
    #[schema(example = "2026-01-05T09:00:00Z")]
    created_at: DateTime<Utc>,
}

impl TenantJson {
    fn of(row: &TenantRow) -> Result<Self, Problem> {
        let settings = row.settings()?;
        Ok(Self {
            id: row.id,
            slug: row.slug.clone(),
            name: row.name.clone(),
            status: row.status.clone(),
            region: settings.default_region.as_str().to_owned(),
            timezone: settings.timezone.name().to_owned(),
            currency: settings.currency.as_str().to_owned(),
            date_order: settings.date_order,
            created_at: row.created_at,
        })
    }
}

/// A new tenant.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only described")]
pub(in crate::http) struct TenantInput {
    /// What people call it.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    name: String,
    /// A short name to use in place of the id; made of the name when it is left out.
    #[schema(max_length = 60, pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
    slug: Option<String>,
    /// Its id, where another system has given it one already.
    id: Option<Uuid>,
    /// Two letters; IE when it is left out.
    region: Option<String>,
    /// A zone of the IANA database; Europe/Dublin when it is left out.
    timezone: Option<String>,
    /// Three letters; EUR when it is left out.
    currency: Option<String>,
    /// dmy when it is left out.
    date_order: Option<DateOrder>,
}

/// A change to a tenant.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only described")]
pub(in crate::http) struct TenantChange {
    #[schema(min_length = 1, max_length = 200, pattern = r"\S", nullable = false)]
    name: Option<String>,
    #[schema(max_length = 60, pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", nullable = false)]
    slug: Option<String>,
    #[schema(nullable = false)]
    region: Option<String>,
    #[schema(nullable = false)]
    timezone: Option<String>,
    #[schema(nullable = false)]
    currency: Option<String>,
    #[schema(nullable = false)]
    date_order: Option<DateOrder>,
    /// A disabled tenant's deliveries and tokens are refused.
    #[schema(nullable = false)]
    status: Option<TenantStatus>,
}

/// What a body says of a tenant's settings.
struct Read {
    name: Option<String>,
    slug: Option<String>,
    region: Option<Region>,
    timezone: Option<Tz>,
    currency: Option<Currency>,
    date_order: Option<DateOrder>,
}

impl Read {
    fn of(fields: &mut Fields) -> Self {
        let name = fields.text("name", 200).value();
        let slug = fields.text("slug", 60).value();
        if slug.as_deref().is_some_and(|slug| !is_slug(slug)) {
            let detail = "1 to 60 of a-z, 0-9 and hyphens, with no hyphen at either end; no UUID";
            fields.fault("slug", "slug_invalid", detail);
        }
        let region = fields.text("region", 10).value().map(|text| Region::parse(&text));
        if region == Some(None) {
            fields.fault("region", "region_invalid", "send a country in two letters, like IE");
        }
        let timezone = fields.text("timezone", 60).value().map(|text| text.parse::<Tz>());
        if matches!(timezone, Some(Err(_))) {
            let detail = "send a zone of the IANA database, like Europe/Dublin";
            fields.fault("timezone", "timezone_invalid", detail);
        }
        Self {
            name,
            slug,
            region: region.flatten(),
            timezone: timezone.and_then(Result::ok),
            currency: fields.currency("currency").value(),
            date_order: fields.word("dateOrder").value(),
        }
    }

    /// What the settings are with what was sent.
    fn over(&self, was: &TenantSettings) -> TenantSettings {
        TenantSettings {
            id: was.id,
            slug: self.slug.clone().unwrap_or_else(|| was.slug.clone()),
            default_region: self.region.unwrap_or(was.default_region),
            timezone: self.timezone.unwrap_or(was.timezone),
            currency: self.currency.unwrap_or(was.currency),
            date_order: self.date_order.unwrap_or(was.date_order),
        }
    }
}

/// All tenants, the newest first.
#[utoipa::path(
    get, path = "/api/platform/tenants", tag = "platform", operation_id = "listTenants",
    params(PageQuery),
    security(("token" = ["platform_admin"])),
    responses((status = 200, description = "A page of tenants", body = Page<TenantJson>), Refusals)
)]
pub(in crate::http) async fn list(
    _access: Platform,
    query: Query<PageQuery>,
    shared: Data<Shared>,
) -> Result<Json<Page<TenantJson>>, Problem> {
    let span = query.span()?;
    let mut reader = shared.db.reader().await?;
    let rows = tenants::page(&mut reader.conn(), span.before, span.fetch).await?;
    let rows = rows.iter().map(TenantJson::of).collect::<Result<_, _>>()?;
    Ok(Json(span.page(rows, |tenant| tenant.id)))
}

/// Makes a tenant.
#[utoipa::path(
    post, path = "/api/platform/tenants", tag = "platform", operation_id = "createTenant",
    params(Repeatable),
    request_body(content = TenantInput, example = json!({"name": "Glow Studio"})),
    security(("token" = ["platform_admin"])),
    responses((status = 201, description = "The tenant", body = TenantJson), WriteRefusals)
)]
pub(in crate::http) async fn create(
    access: Platform,
    mut body: Body,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let (fields, now) = (&mut body.fields, shared.clock.now());
    fields.require("name");
    let read = Read::of(fields);
    let id = fields.id("id").value();
    if id.is_some_and(|id| id.is_nil() || id.is_max()) {
        fields.fault("id", "id_invalid", "send a UUID that is nobody else's");
    }
    let id = id.unwrap_or_else(|| ids::new(now));
    let slug = read.slug.clone().or_else(|| slug_of(read.name.as_deref()?));
    if slug.is_none() && read.name.is_some() && !fields.has("slug") {
        let detail = "the name has no letter a-z or digit to make a slug of; send one";
        fields.fault("slug", "required", detail);
    }
    let unknown = || Problem::internal(&"Ireland and the euro are not known");
    let settings = TenantSettings {
        id,
        slug: slug.unwrap_or_default(),
        default_region: read.region.or(Region::parse("IE")).ok_or_else(unknown)?,
        timezone: read.timezone.unwrap_or(chrono_tz::Europe::Dublin),
        currency: read.currency.or(Currency::parse("EUR")).ok_or_else(unknown)?,
        date_order: read.date_order.unwrap_or(DateOrder::Dmy),
    };
    body.fields.finish()?;
    let mut tx = shared.db.begin().await?;
    let conn = &mut tx.conn();
    if !tenants::insert(conn, &read.name.unwrap_or_default(), &settings, now).await? {
        return Err(taken(conn, &settings).await?);
    }
    note(conn, id, &access.by, ("tenant.created", "tenant", &id.to_string()), now).await?;
    let row = tenants::find(conn, &id.to_string()).await?.ok_or_else(Problem::not_found)?;
    tx.commit().await?;
    Ok(HttpResponse::Created().json(TenantJson::of(&row)?))
}

/// A tenant.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}", tag = "platform", operation_id = "getTenant",
    params(TenantPath),
    security(("token" = ["platform_admin", "client_admin"])),
    responses((status = 200, description = "The tenant", body = TenantJson), Refusals)
)]
pub(in crate::http) async fn show(
    access: Manage,
    shared: Data<Shared>,
) -> Result<Json<TenantJson>, Problem> {
    let mut reader = shared.db.reader().await?;
    let row = tenants::find(&mut reader.conn(), &access.tenant.id.to_string()).await?;
    Ok(Json(TenantJson::of(&row.ok_or_else(Problem::not_found)?)?))
}

/// Changes a tenant's settings, disables it, or enables it again. What was stored before is not
/// read again; what clients spent is summed up anew in another currency.
#[utoipa::path(
    patch, path = "/api/platform/tenants/{tenantId}", tag = "platform",
    operation_id = "updateTenant",
    params(TenantPath),
    request_body(content = TenantChange, example = json!({"timezone": "Europe/London"})),
    security(("token" = ["platform_admin"])),
    responses((status = 200, description = "The tenant", body = TenantJson), WriteRefusals)
)]
pub(in crate::http) async fn update(
    access: PlatformInTenant,
    mut body: Body,
    shared: Data<Shared>,
) -> Result<Json<TenantJson>, Problem> {
    let (fields, now, old) = (&mut body.fields, shared.clock.now(), &access.tenant);
    let read = Read::of(fields);
    let status: Patch<TenantStatus> = fields.word("status");
    for name in ["name", "slug", "region", "timezone", "currency", "dateOrder", "status"] {
        fields.refuse_null(name);
    }
    body.fields.finish()?;
    let mut tx = shared.db.begin().await?;
    let conn = &mut tx.conn();
    let id = old.id.to_string();
    let row = tenants::find(conn, &id).await?.ok_or_else(Problem::not_found)?;
    let was = row.settings()?;
    let settings = read.over(&was);
    let name = read.name.unwrap_or_else(|| row.name.clone());
    let status = status.value().map_or_else(|| row.status.clone(), |s| s.as_str().to_owned());
    if settings == was && name == row.name && status == row.status {
        return Ok(Json(TenantJson::of(&row)?));
    }
    match tenants::update(conn, &name, &status, &settings, now).await {
        Err(error) if error.is_taken() => {
            drop(tx);
            let mut reader = shared.db.reader().await?;
            return Err(taken(&mut reader.conn(), &settings).await?);
        }
        done => done?,
    }
    if settings.currency != was.currency {
        clients::recount_spent(conn, old.id, settings.currency.as_str()).await?;
    }
    note(conn, old.id, &access.by, ("tenant.updated", "tenant", &id), now).await?;
    let row = tenants::find(conn, &id).await?.ok_or_else(Problem::not_found)?;
    tx.commit().await?;
    Ok(Json(TenantJson::of(&row)?))
}

/// Says which tenant has the slug or the id.
async fn taken(
    conn: &mut crate::storage::Conn<'_>,
    wanted: &TenantSettings,
) -> Result<Problem, Problem> {
    let by_slug = tenants::find(conn, &wanted.slug).await?;
    Ok(match by_slug {
        Some(row) => Problem::exists("slug_taken", "the slug is another tenant's", row.id),
        None => Problem::exists("tenant_exists", "the id is another tenant's", wanted.id),
    })
}
