//! `…/users`: people who may sign in.

use super::note;
use crate::auth;
use crate::domain::channel::{Role, UserStatus};
use crate::http::Shared;
use crate::http::extract::access::Manage;
use crate::http::extract::body::Body;
use crate::http::extract::fields::{Fields, Patch};
use crate::http::extract::page::{Page, PageQuery};
use crate::http::extract::query::Query;
use crate::http::openapi::{Refusals, Repeatable, TenantPath, WriteRefusals};
use crate::http::problem::Problem;
use crate::storage::users::{self, UserRow};
use actix_web::HttpResponse;
use actix_web::web::{self, Data, Json, Path};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The fewest characters that a password has.
const SHORTEST: usize = 12;

/// Somebody who may sign in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = User)]
pub(in crate::http) struct UserJson {
    id: Uuid,
    tenant_id: Option<Uuid>,
    email: String,
    role: String,
    status: String,
    created_at: DateTime<Utc>,
}

impl From<UserRow> for UserJson {
    fn from(row: UserRow) -> Self {
        Self {
            id: row.id,
            tenant_id: row.tenant_id,
            email: row.email,
            role: row.role,
            status: row.status,
            created_at: row.created_at,
        }
    }
}

/// A new user.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only described")]
pub(in crate::http) struct UserInput {
    #[schema(format = Email, max_length = 254)]
    email: String,
    #[schema(min_length = 12, max_length = 200, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    password: String,
    role: UserRole,
}

/// A change to a user.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only described")]
pub(in crate::http) struct UserChange {
    #[schema(
        min_length = 12,
        max_length = 200,
        nullable = false,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]+$"
    )]
    password: Option<String>,
    #[schema(nullable = false)]
    role: Option<UserRole>,
    #[schema(nullable = false)]
    status: Option<UserStatus>,
}

/// The roles of people within a tenant.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::http) enum UserRole {
    ClientAdmin,
    SupportStaff,
}

/// A tenant's users, the newest first.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/users", tag = "running",
    operation_id = "listUsers",
    params(TenantPath, PageQuery),
    security(("token" = ["platform_admin", "client_admin"])),
    responses((status = 200, description = "A page of users", body = Page<UserJson>), Refusals)
)]
pub(in crate::http) async fn list(
    access: Manage,
    query: Query<PageQuery>,
    shared: Data<Shared>,
) -> Result<Json<Page<UserJson>>, Problem> {
    let (span, tenant) = (query.span()?, access.tenant.id);
    let mut reader = shared.db.reader().await?;
    let rows = users::list_of_tenant(&mut reader.conn(), tenant, span.before, span.fetch).await?;
    let rows = rows.into_iter().map(UserJson::from).collect();
    Ok(Json(span.page(rows, |user| user.id)))
}

/// Lets a person sign in.
#[utoipa::path(
    post, path = "/api/platform/tenants/{tenantId}/users", tag = "running",
    operation_id = "createUser",
    params(TenantPath, Repeatable),
    request_body(content = UserInput, example = json!({
        "email": "owner@example.com", "password": "a long sentence", "role": "client_admin"
    })),
    security(("token" = ["platform_admin", "client_admin"])),
    responses((status = 201, description = "The user", body = UserJson), WriteRefusals)
)]
pub(in crate::http) async fn create(
    access: Manage,
    mut body: Body,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let (tenant, now) = (access.tenant.id, shared.clock.now());
    let fields = &mut body.fields;
    for name in ["email", "password", "role"] {
        fields.require(name);
    }
    let (email, password, role) = (fields.email("email"), password(fields), role(fields));
    body.fields.finish()?;
    let (Patch::Value(email), Patch::Value(password), Patch::Value(role)) = (email, password, role)
    else {
        return Err(Problem::internal(&"a required member is missing"));
    };
    let hash = hashed(password).await?;
    let mut tx = shared.db.begin().await?;
    let conn = &mut tx.conn();
    let Some(id) = users::insert(conn, &email, &hash, role, Some(tenant), now).await? else {
        // Not whose: e-mails are unique over all tenants.
        return Err(Problem::conflict("email_taken", "a user with this e-mail exists already"));
    };
    note(conn, tenant, &access.by, ("user.created", "user", &id.to_string()), now).await?;
    let row = users::find(conn, id).await?.ok_or_else(Problem::not_found)?;
    tx.commit().await?;
    Ok(HttpResponse::Created().json(UserJson::from(row)))
}

/// Changes a user's role, status or password. Another password, or `disabled`, signs them out.
#[utoipa::path(
    patch, path = "/api/platform/tenants/{tenantId}/users/{id}", tag = "running",
    operation_id = "updateUser",
    params(TenantPath, ("id" = String, Path, description = "The user's id")),
    request_body(content = UserChange, example = json!({"status": "disabled"})),
    security(("token" = ["platform_admin", "client_admin"])),
    responses((status = 200, description = "The user", body = UserJson), WriteRefusals)
)]
pub(in crate::http) async fn update(
    access: Manage,
    path: Path<(String, String)>,
    mut body: Body,
    shared: Data<Shared>,
) -> Result<Json<UserJson>, Problem> {
    let (tenant, now) = (access.tenant.id, shared.clock.now());
    let id = Uuid::try_parse(&path.1).map_err(|_| Problem::not_found())?;
    let fields = &mut body.fields;
    let (password, role) = (password(fields), role(fields));
    let status = fields.word::<UserStatus>("status");
    for name in ["password", "role", "status"] {
        fields.refuse_null(name);
    }
    body.fields.finish()?;
    let hash = match password.value() {
        Some(password) => Some(hashed(password).await?),
        None => None,
    };
    let mut tx = shared.db.begin().await?;
    let conn = &mut tx.conn();
    let row = users::find(conn, id).await?.filter(|row| row.tenant_id == Some(tenant));
    let mut row = row.ok_or_else(Problem::not_found)?;
    let before = (row.role.clone(), row.status.clone());
    if let Some(role) = role.value() {
        role.as_str().clone_into(&mut row.role);
    }
    if let Some(status) = status.value() {
        status.as_str().clone_into(&mut row.status);
    }
    if hash.is_none() && before == (row.role.clone(), row.status.clone()) {
        return Ok(Json(row.into()));
    }
    users::update(conn, &row, now).await?;
    if let Some(hash) = &hash {
        users::set_password(conn, id, hash, now).await?;
    }
    if hash.is_some() || row.status == UserStatus::Disabled.as_str() {
        users::end_sessions(conn, id).await?;
    }
    note(conn, tenant, &access.by, ("user.updated", "user", &id.to_string()), now).await?;
    tx.commit().await?;
    Ok(Json(row.into()))
}

fn password(fields: &mut Fields) -> Patch<String> {
    let password = fields.exact_text("password", 200);
    if let Patch::Value(text) = &password
        && text.chars().count() < SHORTEST
    {
        let detail = "a password has at least 12 characters";
        fields.fault("password", "password_short", detail);
    }
    password
}

fn role(fields: &mut Fields) -> Patch<Role> {
    let role = fields.word::<Role>("role");
    if let Patch::Value(Role::PlatformAdmin | Role::Service) = role {
        let detail = "a tenant's user is client_admin or support_staff";
        fields.fault("role", "role_unfit", detail);
    }
    role
}

/// Hashing takes its time: not on a thread that serves others.
async fn hashed(password: String) -> Result<String, Problem> {
    let hashed = web::block(move || auth::password_hash(&password)).await;
    Ok(hashed.map_err(|error| Problem::internal(&error))??)
}
