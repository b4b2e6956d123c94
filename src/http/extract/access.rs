//! Who is asking, and for whom: a handler that takes one of these can't be reached without.
//!
//! Both are found before the request is read; what a handler takes only checks the right.

use super::{shared, token};
use crate::auth::{self, Access, AuthError, Permission};
use crate::domain::channel::TenantStatus;
use crate::domain::tenant::TenantSettings;
use crate::http::Shared;
use crate::http::problem::Problem;
use crate::storage::tenants;
use crate::tracking::directory::Directory;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage as _, HttpRequest};
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::time::Duration;

/// How long the database may take to know a token.
const PATIENCE: Duration = Duration::from_secs(5);

/// A permission, as a type.
pub(in crate::http) trait Right {
    /// What it is.
    const PERMISSION: Permission;
    /// What somebody without it is told.
    const REFUSAL: &'static str;
}

/// Reading and writing clients, bookings and leads; reading events.
pub(in crate::http) struct RecordsRight;

impl Right for RecordsRight {
    const PERMISSION: Permission = Permission::Records;
    const REFUSAL: &'static str = "this role may not see clients, bookings, leads or events";
}

/// Running a tenant.
pub(in crate::http) struct ManageRight;

impl Right for ManageRight {
    const PERMISSION: Permission = Permission::Manage;
    const REFUSAL: &'static str = "this needs the role client_admin or platform_admin";
}

/// Running the platform.
pub(in crate::http) struct PlatformRight;

impl Right for PlatformRight {
    const PERMISSION: Permission = Permission::Platform;
    const REFUSAL: &'static str = "this needs the role platform_admin";
}

/// Proof that the caller has a right in the tenant that the address names.
pub(in crate::http) struct InTenant<R> {
    /// The tenant.
    pub(in crate::http) tenant: TenantSettings,
    /// Who is asking.
    pub(in crate::http) by: Access,
    right: PhantomData<R>,
}

/// Proof that the caller may read and write the tenant's records.
pub(in crate::http) type Records = InTenant<RecordsRight>;

/// Proof that the caller may run the tenant.
pub(in crate::http) type Manage = InTenant<ManageRight>;

/// Proof that the caller runs the platform, for what is one tenant's.
pub(in crate::http) type PlatformInTenant = InTenant<PlatformRight>;

/// Proof that the caller runs the platform.
pub(in crate::http) struct Platform {
    /// Who is asking.
    pub(in crate::http) by: Access,
}

impl<R: Right> FromRequest for InTenant<R> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = allowed(request, R::PERMISSION, R::REFUSAL).and_then(|by| {
            let tenant = request.extensions().get::<TenantSettings>().cloned();
            let tenant = tenant.ok_or_else(Problem::not_found)?;
            Ok(Self { tenant, by, right: PhantomData })
        });
        ready(found)
    }
}

impl FromRequest for Platform {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = allowed(request, PlatformRight::PERMISSION, PlatformRight::REFUSAL);
        ready(found.map(|by| Self { by }))
    }
}

/// The caller, if it has this permission.
fn allowed(
    request: &HttpRequest,
    permission: Permission,
    refusal: &str,
) -> Result<Access, Problem> {
    let by = request.extensions().get::<Access>().cloned().ok_or_else(Problem::no_token)?;
    if by.may(permission) { Ok(by) } else { Err(Problem::forbidden(refusal)) }
}

/// Finds out who is asking, before anything of the request is read; 401 without a good token.
pub(in crate::http) async fn identify(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match caller(request.request()).await {
        Ok(by) => request.extensions_mut().insert(by),
        Err(problem) => return Ok(problem.refuse(request)),
    };
    Ok(next.call(request).await?.map_into_boxed_body())
}

async fn caller(request: &HttpRequest) -> Result<Access, Problem> {
    let token = token(request.headers()).ok_or_else(Problem::no_token)?;
    access(shared(request)?, token).await
}

/// Finds the tenant that the address names. Another's tenant is 404, as if it weren't.
pub(in crate::http) async fn locate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match tenant(request.request()).await {
        Ok(settings) => request.extensions_mut().insert(settings),
        Err(problem) => return Ok(problem.refuse(request)),
    };
    Ok(next.call(request).await?.map_into_boxed_body())
}

async fn tenant(request: &HttpRequest) -> Result<TenantSettings, Problem> {
    let by = request.extensions().get::<Access>().cloned().ok_or_else(Problem::no_token)?;
    let named = request.match_info().get("tenantId").unwrap_or_default();
    let shared = shared(request)?;
    if let Some(directory) = shared.intake.directory_instead() {
        let known = directory.tenant_named(named).filter(|tenant| by.reaches(tenant.id));
        return known.map(|tenant| (**tenant).clone()).ok_or_else(Problem::not_found);
    }
    let mut reader = shared.db.reader().await?;
    let row = tenants::find(&mut reader.conn(), named).await?;
    let row = row.filter(|row| by.reaches(row.id)).ok_or_else(Problem::not_found)?;
    if row.status != TenantStatus::Active.as_str() && !by.may(Permission::Platform) {
        let detail = "this tenant is disabled; a platform_admin can enable it again";
        return Err(Problem::new(StatusCode::FORBIDDEN, "tenant_disabled", detail));
    }
    Ok(row.settings()?)
}

/// What a token gives; 401 for one that is no good. While the database is away, tokens are good
/// that were when it was last read.
pub(in crate::http) async fn access(shared: &Shared, token: &str) -> Result<Access, Problem> {
    let now = shared.clock.now();
    let known =
        |directory: &Directory| directory.keyring.access(token, now).ok_or_else(Problem::no_token);
    if let Some(directory) = shared.intake.directory_instead() {
        return known(&directory);
    }
    let asked = tokio::time::timeout(PATIENCE, auth::by_token(&shared.db, token, now)).await;
    match asked {
        Ok(Ok(access)) => Ok(access),
        Ok(Err(AuthError::Unknown)) => Err(Problem::no_token()),
        Ok(Err(AuthError::Storage(error))) if !error.is_unavailable() => Err(error.into()),
        Ok(Err(AuthError::Storage(_))) | Err(_) => match shared.intake.directory_after_failure() {
            Some(directory) => known(&directory),
            None => Err(Problem::unavailable()),
        },
    }
}
