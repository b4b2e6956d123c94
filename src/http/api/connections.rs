//! `…/connections`: where a tenant's deliveries come from.

use super::note;
use crate::auth::connecting::{self, ConnectError, New};
use crate::domain::channel::Role;
use crate::http::Shared;
use crate::http::extract::access::Manage;
use crate::http::extract::body::Body;
use crate::http::extract::page::{Page, PageQuery};
use crate::http::extract::query::Query;
use crate::http::idempotency::ShowsSecret;
use crate::http::openapi::{Refusals, Repeatable, TenantPath, WriteRefusals};
use crate::http::problem::Problem;
use crate::sources::fieldmap::FieldMap;
use crate::sources::{self, Source};
use crate::storage::connections::{self, AccountRow, ConnectionRow};
use crate::storage::{Conn, Result as Stored};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Json, Path};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// The most accounts that one connection is given at once.
const MOST_ACCOUNTS: usize = 100;

/// The longest time that an old secret stays good, in hours: 30 days.
const LONGEST_OVERLAP: i64 = 720;

/// A connection: everything but its secrets.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Connection)]
pub(in crate::http) struct ConnectionJson {
    /// The id that stands in its addresses.
    #[schema(example = "cn_8f3kd92mxq71bz04yt5w")]
    id: String,
    tenant_id: Option<Uuid>,
    source: String,
    status: String,
    /// The path that its deliveries are posted to, below the service's own address.
    webhook_path: Option<String>,
    /// The path of its functions; the function's name follows.
    function_path: Option<String>,
    /// The provider accounts whose deliveries it takes.
    accounts: Vec<String>,
    /// Where its callers put what.
    #[schema(value_type = Option<Object>)]
    field_map: Option<Value>,
    created_at: DateTime<Utc>,
}

impl ConnectionJson {
    fn of(row: ConnectionRow, accounts: Vec<AccountRow>) -> Self {
        let source = sources::find(&row.source);
        let under = |path: &str| format!("{path}/{}", row.public_id);
        Self {
            webhook_path: source.map(|source| under(source.path())),
            function_path: source.and_then(Source::functions).map(under),
            accounts: accounts.into_iter().map(|account| account.account_id).collect(),
            field_map: row.field_map.and_then(|text| serde_json::from_str(&text).ok()),
            id: row.public_id,
            tenant_id: row.tenant_id,
            source: row.source,
            status: row.status,
            created_at: row.created_at,
        }
    }
}

/// A connection that was just made, or given a new secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct ConnectionSecret {
    #[serde(flatten)]
    connection: ConnectionJson,
    /// What signs its deliveries: it is shown now and never again.
    secret: String,
    /// What the provider's handshake asks for (WhatsApp): shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    verify_token: Option<String>,
    /// Until when the secrets before stay good.
    #[serde(skip_serializing_if = "Option::is_none")]
    old_secret_until: Option<DateTime<Utc>>,
}

/// A new connection.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only described")]
pub(in crate::http) struct ConnectionInput {
    source: SourceName,
    /// The secret that the provider signs with; chat and n8n are given one when it is left out,
    /// and one that is sent reads `whsec_` and the base64 of at least 24 bytes.
    #[schema(min_length = 16, max_length = 500, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    secret: Option<String>,
    /// The provider accounts whose deliveries it takes: Retell agent ids, WhatsApp phone number
    /// ids.
    #[schema(max_items = 100)]
    accounts: Option<Vec<String>>,
}

/// The sources.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::http) enum SourceName {
    Retell,
    Chat,
    Whatsapp,
    N8n,
}

/// A new secret for a connection.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only described")]
pub(in crate::http) struct RotateInput {
    /// The new secret; chat and n8n are given one when it is left out.
    #[schema(min_length = 16, max_length = 500, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    secret: Option<String>,
    /// How many hours the old secret stays good.
    #[schema(minimum = 0, maximum = 720, default = 24)]
    overlap_hours: Option<i64>,
}

/// Where a connection's callers put what; see the documentation of field maps.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only described")]
pub(in crate::http) struct FieldMapInput {
    /// The map; `null` takes it away.
    #[schema(value_type = Option<Object>, required = true)]
    field_map: Option<Value>,
}

/// A tenant's connections, the newest first.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/connections", tag = "running",
    operation_id = "listConnections",
    params(TenantPath, PageQuery),
    security(("token" = ["platform_admin", "client_admin"])),
    responses(
        (status = 200, description = "A page of connections", body = Page<ConnectionJson>),
        Refusals
    )
)]
pub(in crate::http) async fn list(
    access: Manage,
    query: Query<PageQuery>,
    shared: Data<Shared>,
) -> Result<Json<Page<ConnectionJson>>, Problem> {
    let (span, tenant) = (query.span()?, access.tenant.id);
    let mut reader = shared.db.reader().await?;
    let conn = &mut reader.conn();
    let rows = connections::list_of_tenant(conn, tenant, span.before, span.fetch).await?;
    let page = span.page(rows, |row| row.id);
    let mut shown = Vec::new();
    for row in page.rows() {
        let accounts = connections::list_accounts_of(conn, row.id).await?;
        shown.push(ConnectionJson::of(row.clone(), accounts));
    }
    Ok(Json(page.with(shown)))
}

/// A connection.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/connections/{id}", tag = "running",
    operation_id = "getConnection",
    params(TenantPath, ("id" = String, Path, description = "The connection's id: cn_…")),
    security(("token" = ["platform_admin", "client_admin"])),
    responses((status = 200, description = "The connection", body = ConnectionJson), Refusals)
)]
pub(in crate::http) async fn show(
    access: Manage,
    path: Path<(String, String)>,
    shared: Data<Shared>,
) -> Result<Json<ConnectionJson>, Problem> {
    let mut reader = shared.db.reader().await?;
    let conn = &mut reader.conn();
    let row = find(conn, access.tenant.id, &path.1).await?;
    Ok(Json(shown(conn, row).await?))
}

/// Makes a connection: the only time that its secret is shown.
#[utoipa::path(
    post, path = "/api/platform/tenants/{tenantId}/connections", tag = "running",
    operation_id = "createConnection",
    params(TenantPath, Repeatable),
    request_body(content = ConnectionInput, example = json!({"source": "chat"})),
    security(("token" = ["platform_admin", "client_admin"])),
    responses((status = 201, description = "The connection", body = ConnectionSecret), WriteRefusals)
)]
pub(in crate::http) async fn create(
    access: Manage,
    mut body: Body,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let (tenant, now) = (access.tenant.id, shared.clock.now());
    let fields = &mut body.fields;
    fields.require("source");
    let source = fields.text("source", 20).value().and_then(|name| sources::find(&name));
    if fields.has("source") && source.is_none() {
        let names: Vec<&str> = sources::ALL.iter().map(|source| source.name()).collect();
        let detail = format!("there is no such source; there are {}", names.join(", "));
        fields.fault("source", "source_unknown", &detail);
    }
    let given = fields.exact_text("secret", 500).value();
    let mut accounts = fields.texts("accounts", MOST_ACCOUNTS).value().unwrap_or_default();
    accounts.sort_unstable();
    accounts.dedup();
    body.fields.finish()?;
    let source = source.ok_or_else(Problem::not_found)?;
    let secret = connecting::secret_of(source, given, now)?;
    let mut tx = shared.db.begin().await?;
    let conn = &mut tx.conn();
    connecting::alone(conn).await?;
    if access.by.role() != Role::PlatformAdmin {
        refuse_claimed(conn, tenant, source, &accounts).await?;
    }
    let accounts = accounts.iter().map(|account| (account.as_str(), tenant)).collect();
    let new = New { source, tenant: Some(tenant), accounts, secret: &secret };
    let made = connecting::make(conn, &shared.key, &new, now).await?;
    let subject = ("connection.created", "connection", made.public_id.as_str());
    note(conn, tenant, &access.by, subject, now).await?;
    let row = find(conn, tenant, &made.public_id).await?;
    let connection = shown(conn, row).await?;
    tx.commit().await?;
    let verify_token = made.verify_token;
    let answer = ConnectionSecret { connection, secret, verify_token, old_secret_until: None };
    let mut response = HttpResponse::Created().json(answer);
    response.extensions_mut().insert(ShowsSecret);
    Ok(response)
}

/// Gives a connection a new secret; the old one stays good for a while.
#[utoipa::path(
    post, path = "/api/platform/tenants/{tenantId}/connections/{id}/rotate", tag = "running",
    operation_id = "rotateConnection",
    params(
        TenantPath, ("id" = String, Path, description = "The connection's id: cn_…"), Repeatable
    ),
    request_body(content = RotateInput, example = json!({"overlapHours": 24})),
    security(("token" = ["platform_admin", "client_admin"])),
    responses((status = 200, description = "The new secret", body = ConnectionSecret), WriteRefusals)
)]
pub(in crate::http) async fn rotate(
    access: Manage,
    path: Path<(String, String)>,
    mut body: Body,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let (tenant, now) = (access.tenant.id, shared.clock.now());
    let given = body.fields.exact_text("secret", 500).value();
    let hours = body.fields.integer("overlapHours", 0..=LONGEST_OVERLAP).value().unwrap_or(24);
    body.fields.finish()?;
    let until = now + TimeDelta::hours(hours);
    let mut tx = shared.db.begin().await?;
    let conn = &mut tx.conn();
    connecting::alone(conn).await?;
    let row = find(conn, tenant, &path.1).await?;
    let source = sources::find(&row.source).ok_or_else(Problem::not_found)?;
    let secret = connecting::secret_of(source, given, now)?;
    connecting::rotate(conn, &shared.key, &row, source, &secret, (now, until)).await?;
    note(conn, tenant, &access.by, ("connection.rotated", "connection", &row.public_id), now)
        .await?;
    let connection = shown(conn, row).await?;
    tx.commit().await?;
    let old_secret_until = Some(until);
    let answer = ConnectionSecret { connection, secret, verify_token: None, old_secret_until };
    let mut response = HttpResponse::Ok().json(answer);
    response.extensions_mut().insert(ShowsSecret);
    Ok(response)
}

/// Says where a connection's callers put what, or takes that away.
#[utoipa::path(
    patch, path = "/api/platform/tenants/{tenantId}/connections/{id}", tag = "running",
    operation_id = "updateConnection",
    params(TenantPath, ("id" = String, Path, description = "The connection's id: cn_…")),
    request_body(content = FieldMapInput, example = json!({
        "fieldMap": {"fields": {"serviceName": ["/args/treatment"]}}
    })),
    security(("token" = ["platform_admin", "client_admin"])),
    responses((status = 200, description = "The connection", body = ConnectionJson), WriteRefusals)
)]
pub(in crate::http) async fn update(
    access: Manage,
    path: Path<(String, String)>,
    mut body: Body,
    shared: Data<Shared>,
) -> Result<Json<ConnectionJson>, Problem> {
    let (tenant, now) = (access.tenant.id, shared.clock.now());
    if !body.fields.has("fieldMap") {
        body.fields.require("fieldMap");
    }
    let map = body.fields.object("fieldMap").value().map(|map| Value::from(map).to_string());
    if let Some(Err(error)) = map.as_deref().map(FieldMap::parse) {
        body.fields.fault("fieldMap", "field_map_invalid", &error.to_string());
    }
    body.fields.finish()?;
    let mut tx = shared.db.begin().await?;
    let conn = &mut tx.conn();
    connecting::alone(conn).await?;
    let row = find(conn, tenant, &path.1).await?;
    if row.field_map == map {
        return Ok(Json(shown(conn, row).await?));
    }
    connections::set_field_map(conn, row.id, map.as_deref(), now).await?;
    note(conn, tenant, &access.by, ("connection.mapped", "connection", &row.public_id), now)
        .await?;
    let row = find(conn, tenant, &path.1).await?;
    let connection = shown(conn, row).await?;
    tx.commit().await?;
    Ok(Json(connection))
}

/// Refuses everything that comes by a connection from now on.
#[utoipa::path(
    delete, path = "/api/platform/tenants/{tenantId}/connections/{id}", tag = "running",
    operation_id = "disableConnection",
    params(TenantPath, ("id" = String, Path, description = "The connection's id: cn_…")),
    security(("token" = ["platform_admin", "client_admin"])),
    responses((status = 204, description = "It is disabled"), Refusals)
)]
pub(in crate::http) async fn disable(
    access: Manage,
    path: Path<(String, String)>,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let (tenant, now) = (access.tenant.id, shared.clock.now());
    let mut tx = shared.db.begin().await?;
    let conn = &mut tx.conn();
    connecting::alone(conn).await?;
    let row = find(conn, tenant, &path.1).await?;
    if connecting::refuse_disabled(&row).is_err() {
        return Ok(HttpResponse::NoContent().finish());
    }
    connections::disable(conn, row.id, now).await?;
    let subject = ("connection.disabled", "connection", row.public_id.as_str());
    note(conn, tenant, &access.by, subject, now).await?;
    tx.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn find(conn: &mut Conn<'_>, tenant: Uuid, id: &str) -> Result<ConnectionRow, Problem> {
    let named = Some(id).filter(|id| !id.contains('\0'));
    let row = match named {
        Some(id) => connections::find(conn, id).await?,
        None => None,
    };
    row.filter(|row| row.tenant_id == Some(tenant)).ok_or_else(Problem::not_found)
}

async fn shown(conn: &mut Conn<'_>, row: ConnectionRow) -> Stored<ConnectionJson> {
    let accounts = connections::list_accounts_of(conn, row.id).await?;
    Ok(ConnectionJson::of(row, accounts))
}

/// Only a platform admin may let two tenants claim one account.
async fn refuse_claimed(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    source: &dyn Source,
    wanted: &[String],
) -> Result<(), Problem> {
    let all = connections::list_accounts(conn).await?;
    let claimed = all.iter().any(|account| {
        account.tenant_id != tenant
            && account.source == source.name()
            && wanted.contains(&account.account_id)
    });
    if !claimed {
        return Ok(());
    }
    let detail = "an account is another tenant's; only a platform_admin may let two claim it";
    Err(Problem::conflict("account_taken", detail))
}

impl From<ConnectError> for Problem {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Refused(
                code @ ("secret_invalid" | "secret_missing" | "secret_short"),
                detail,
            ) => Self::member("secret", code, &detail),
            ConnectError::Refused(code @ "account_unfit", detail) => {
                Self::member("accounts", code, &detail)
            }
            ConnectError::Refused(code, detail) => Self::new(StatusCode::CONFLICT, code, &detail),
            ConnectError::NoRandomness => Self::internal(&error),
            ConnectError::Storage(error) => error.into(),
        }
    }
}
