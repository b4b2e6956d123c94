//! `…/tokens`: what programs ask with.

use super::note;
use crate::auth::{self, MakeError};
use crate::domain::channel::Role;
use crate::http::Shared;
use crate::http::extract::access::Manage;
use crate::http::extract::body::Body;
use crate::http::extract::fields::Patch;
use crate::http::extract::page::{Page, PageQuery};
use crate::http::extract::query::Query;
use crate::http::idempotency::ShowsSecret;
use crate::http::openapi::{Refusals, Repeatable, TenantPath, WriteRefusals};
use crate::http::problem::Problem;
use crate::storage::tokens::{self, TokenRow};
use actix_web::HttpResponse;
use actix_web::web::{Data, Json, Path};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A token: everything but the token itself.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Token)]
pub(in crate::http) struct TokenJson {
    id: Uuid,
    tenant_id: Option<Uuid>,
    #[schema(example = "service")]
    role: String,
    #[schema(example = "n8n")]
    name: String,
    #[schema(example = "2026-03-01T10:00:00Z")]
    created_at: DateTime<Utc>,
    /// Until when it is good; `null` for good.
    expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    last_used_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

impl From<TokenRow> for TokenJson {
    fn from(row: TokenRow) -> Self {
        Self {
            id: row.id,
            tenant_id: row.tenant_id,
            role: row.role,
            name: row.name,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            revoked_at: row.revoked_at,
        }
    }
}

/// A token that was just made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct NewToken {
    #[serde(flatten)]
    row: TokenJson,
    /// The token: it is shown now and never again.
    #[schema(example = "bk_live_…")]
    token: String,
}

/// What a new token is to be.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only described")]
pub(in crate::http) struct TokenInput {
    /// What it may do; only a platform admin's token can't be made here.
    role: TokenRole,
    /// What people call it.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    name: Option<String>,
    /// Until when it is good.
    expires_at: Option<DateTime<Utc>>,
}

/// The roles within a tenant.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::http) enum TokenRole {
    ClientAdmin,
    SupportStaff,
    Service,
}

/// A tenant's tokens, the newest first, revoked ones among them.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/tokens", tag = "running",
    operation_id = "listTokens",
    params(TenantPath, PageQuery),
    security(("token" = ["platform_admin", "client_admin"])),
    responses((status = 200, description = "A page of tokens", body = Page<TokenJson>), Refusals)
)]
pub(in crate::http) async fn list(
    access: Manage,
    query: Query<PageQuery>,
    shared: Data<Shared>,
) -> Result<Json<Page<TokenJson>>, Problem> {
    let (span, tenant) = (query.span()?, access.tenant.id);
    let mut reader = shared.db.reader().await?;
    let rows = tokens::list_of_tenant(&mut reader.conn(), tenant, span.before, span.fetch).await?;
    let rows = rows.into_iter().map(TokenJson::from).collect();
    Ok(Json(span.page(rows, |token| token.id)))
}

/// Makes a token: the only time that it is shown.
#[utoipa::path(
    post, path = "/api/platform/tenants/{tenantId}/tokens", tag = "running",
    operation_id = "createToken",
    params(TenantPath, Repeatable),
    request_body(content = TokenInput, example = json!({"role": "service", "name": "n8n"})),
    security(("token" = ["platform_admin", "client_admin"])),
    responses((status = 201, description = "The token", body = NewToken), WriteRefusals)
)]
pub(in crate::http) async fn create(
    access: Manage,
    mut body: Body,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let (tenant, now) = (access.tenant.id, shared.clock.now());
    let fields = &mut body.fields;
    fields.require("role");
    let role = fields.word::<Role>("role");
    if role == Patch::Value(Role::PlatformAdmin) {
        let detail = "a platform_admin's token belongs to no tenant: bookhook token add --platform";
        fields.fault("role", "role_unfit", detail);
    }
    let name = fields.text("name", 200).value().unwrap_or_default();
    let expires_at = fields.time("expiresAt", &access.tenant);
    if let Patch::Value(at) = expires_at
        && at <= now
    {
        fields.fault("expiresAt", "time_past", "send a time that is still to come");
    }
    body.fields.finish()?;
    let role = role.value().unwrap_or(Role::Service);
    let mut tx = shared.db.begin().await?;
    let conn = &mut tx.conn();
    let times = (now, expires_at.value());
    let (id, token) = auth::make_token(conn, Some(tenant), role, &name, times).await?;
    note(conn, tenant, &access.by, ("token.created", "token", &id.to_string()), now).await?;
    let row = tokens::find(conn, id).await?.ok_or_else(Problem::not_found)?;
    tx.commit().await?;
    let mut response = HttpResponse::Created().json(NewToken { row: row.into(), token });
    response.extensions_mut().insert(ShowsSecret);
    Ok(response)
}

/// Revokes a token at once.
#[utoipa::path(
    delete, path = "/api/platform/tenants/{tenantId}/tokens/{id}", tag = "running",
    operation_id = "revokeToken",
    params(TenantPath, ("id" = String, Path, description = "The token's id")),
    security(("token" = ["platform_admin", "client_admin"])),
    responses((status = 204, description = "It is revoked"), Refusals)
)]
pub(in crate::http) async fn revoke(
    access: Manage,
    path: Path<(String, String)>,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let (tenant, now) = (access.tenant.id, shared.clock.now());
    let id = Uuid::try_parse(&path.1).map_err(|_| Problem::not_found())?;
    let mut tx = shared.db.begin().await?;
    let conn = &mut tx.conn();
    let row = tokens::find(conn, id).await?.filter(|row| row.tenant_id == Some(tenant));
    row.ok_or_else(Problem::not_found)?;
    if tokens::revoke(conn, id, now).await? {
        note(conn, tenant, &access.by, ("token.revoked", "token", &id.to_string()), now).await?;
    }
    tx.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

impl From<MakeError> for Problem {
    fn from(error: MakeError) -> Self {
        match error {
            MakeError::Unfit(detail) => Self::member("role", "role_unfit", detail),
            MakeError::Taken => {
                Self::conflict("email_taken", "a user with this e-mail exists already")
            }
            MakeError::NoRandomness => Self::internal(&error),
            MakeError::Storage(error) => error.into(),
        }
    }
}
