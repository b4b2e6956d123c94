//! One error, as RFC 9457 problem JSON.

use crate::domain;
use crate::storage;
use crate::tracking::TrackError;
use crate::tracking::intake::Refusal;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde::Serialize;
use std::fmt;
use utoipa::ToSchema;
use uuid::Uuid;

/// How many faults the sentence tells, and how many are listed.
const MOST_TOLD: usize = 20;
const MOST_FAULTS: usize = 100;

/// What a caller is told that can't be served: what is wrong and what would do.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    // As small as they get: it is the error of every handler.
    code: Box<str>,
    detail: Box<str>,
    errors: Vec<domain::problem::Problem>,
    /// Whether the errors are parameters' of the query, not members' of the body.
    is_of_query: bool,
    event_id: Option<Uuid>,
    existing_id: Option<Uuid>,
    allow: Option<Box<str>>,
    retry_after: Option<u32>,
}

/// What every answer that is no success holds: the members of RFC 9457, and ours.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub(super) struct ProblemJson<'a> {
    /// A URN of the code.
    #[schema(example = "urn:bookhook:problem:phone_invalid")]
    r#type: String,
    /// The status in words.
    title: &'a str,
    /// The status.
    status: u16,
    /// What is wrong, and what would do.
    detail: &'a str,
    /// A stable word for programs.
    #[schema(example = "phone_invalid")]
    code: &'a str,
    /// The sentence of `detail` again.
    // n8n shows this member to its user.
    error: &'a str,
    /// Every fault of the body, or of the query.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FaultJson<'a>>,
    /// The event under which a delivery was kept all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<Uuid>,
    /// What exists already, where that is what stands in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    existing_id: Option<Uuid>,
    /// The request's id: also in `X-Request-Id` and in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

/// One fault of a body, or of a query.
#[derive(Serialize, ToSchema)]
#[schema(as = Fault)]
pub(super) struct FaultJson<'a> {
    /// JSON Pointer to the member of the body.
    #[schema(example = "/phone")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
    /// The parameter of the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'a str>,
    /// A stable word for programs.
    #[schema(example = "phone_invalid")]
    code: &'a str,
    /// What is wrong with it, and what would do.
    detail: &'a str,
}

impl Problem {
    /// A problem of this status, stable code and sentence.
    pub(crate) fn new(status: StatusCode, code: &str, detail: &str) -> Self {
        Self {
            status,
            code: code.into(),
            detail: detail.into(),
            errors: Vec::new(),
            is_of_query: false,
            event_id: None,
            existing_id: None,
            allow: None,
            retry_after: None,
        }
    }

    /// 401 of the API: no token, or one that is unknown, revoked or has run out.
    pub(crate) fn no_token() -> Self {
        let detail = "send a token that is good as `Authorization: Bearer bk_live_…`";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    /// 400 for a parameter of the query.
    pub(crate) fn bad_query(name: &str, code: &str, detail: &str) -> Self {
        let fault = domain::problem::Problem::at("", code, detail, name, None);
        Self::bad_parameters(code, detail, vec![fault])
    }

    /// 400 with every parameter of the query that is wrong: the `field` of each fault.
    pub(crate) fn bad_parameters(
        code: &str,
        detail: &str,
        errors: Vec<domain::problem::Problem>,
    ) -> Self {
        let problem = Self::new(StatusCode::BAD_REQUEST, code, detail);
        Self { errors, is_of_query: true, ..problem }
    }

    /// 409: something that exists stands in the way.
    pub(crate) fn exists(code: &str, detail: &str, id: Uuid) -> Self {
        Self { existing_id: Some(id), ..Self::new(StatusCode::CONFLICT, code, detail) }
    }

    /// 409: the state that something is in stands in the way.
    pub(crate) fn conflict(code: &str, detail: &str) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 422 for one member of a body.
    pub(crate) fn member(name: &str, code: &str, detail: &str) -> Self {
        let pointer = format!("/{name}");
        let fault = domain::problem::Problem::at(&pointer, code, detail, name, None);
        Self::unprocessable(None, vec![fault])
    }

    /// 429: too many requests; `seconds` until the next is served.
    pub(crate) fn too_many(detail: &str, seconds: u64) -> Self {
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail);
        Self { retry_after: u32::try_from(seconds.max(1)).ok(), ..problem }
    }

    /// 500; the cause goes to the log.
    pub(crate) fn internal(cause: &dyn fmt::Display) -> Self {
        tracing::error!(%cause, "a request could not be served");
        let detail = "the request could not be served; the log has the cause under its request id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// 401; the same for every reason, so that nothing can be learned from it.
    pub(crate) fn unauthorized() -> Self {
        let detail = "no good credentials: send a signature or token of this connection";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    /// 403: known, and not allowed.
    pub(crate) fn forbidden(detail: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// 404, also for what is another tenant's.
    pub(crate) fn not_found() -> Self {
        let detail = "there is nothing at this address";
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 413.
    pub(crate) fn too_large(limit: usize) -> Self {
        let detail = format!("the body has more than {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", &detail)
    }

    /// 503 with Retry-After.
    pub(crate) fn unavailable() -> Self {
        let detail = "the database is not available; nothing was stored, send it again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }

    /// 422 with every fault of the body.
    pub(crate) fn unprocessable(
        event_id: Option<Uuid>,
        mut errors: Vec<domain::problem::Problem>,
    ) -> Self {
        let sentence = |e: &domain::problem::Problem| match e.pointer.as_str() {
            "" => e.detail.clone(),
            pointer => format!("{pointer}: {}", e.detail),
        };
        let told = errors.iter().take(MOST_TOLD).map(sentence).collect::<Vec<_>>();
        let more = errors.len().saturating_sub(MOST_TOLD);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        let detail = told.join("; ") + &more;
        errors.truncate(MOST_FAULTS);
        let code = errors.first().map_or("not_understood", |e| e.code.as_str()).to_owned();
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, &code, &detail);
        Self { errors, event_id, ..problem }
    }

    /// Ends a request before its handler is reached.
    pub(crate) fn refuse(self, request: ServiceRequest) -> ServiceResponse<BoxBody> {
        // `into_response` would drop the problem itself, which the last touch completes.
        let (request, _) = request.into_parts();
        ServiceResponse::new(request, HttpResponse::from_error(self))
    }

    /// The answer's body as text, without the id of a request.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(&self.json(None)).unwrap_or_default()
    }

    fn entry<'a>(&self, error: &'a domain::problem::Problem) -> FaultJson<'a> {
        let (pointer, parameter) = match error.field.as_deref().filter(|_| self.is_of_query) {
            Some(name) => (None, Some(name)),
            None => (Some(error.pointer.as_str()), None),
        };
        FaultJson { pointer, parameter, code: &error.code, detail: &error.detail }
    }

    fn json<'a>(&'a self, request_id: Option<&'a str>) -> ProblemJson<'a> {
        ProblemJson {
            r#type: format!("urn:bookhook:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: &self.code,
            error: &self.detail,
            errors: self.errors.iter().map(|error| self.entry(error)).collect(),
            event_id: self.event_id,
            existing_id: self.existing_id,
            request_id,
        }
    }

    /// The answer, with the id of its request.
    pub(crate) fn response(&self, request_id: Option<&str>) -> HttpResponse {
        let body = self.json(request_id);
        let mut response = HttpResponse::build(self.status);
        response.insert_header((CONTENT_TYPE, "application/problem+json"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((RETRY_AFTER, "5"));
        }
        if let Some(seconds) = self.retry_after {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        if let Some(methods) = &self.allow {
            response.insert_header((ALLOW, methods.as_ref()));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((WWW_AUTHENTICATE, "Bearer"));
        }
        response.json(body)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status.as_u16(), self.code)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        self.response(None)
    }
}

impl From<storage::Error> for Problem {
    fn from(error: storage::Error) -> Self {
        if error.is_unavailable() || error.is_conflict() {
            tracing::warn!(error = error.told(), "the database is not available");
            return Self::unavailable();
        }
        // The sentence alone says nothing: what the database said stands behind it.
        let said = std::error::Error::source(&error).map(|source| format!(": {source}"));
        Self::internal(&format!("{error}{}", said.unwrap_or_default()))
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::Unauthorized => Self::unauthorized(),
            Refusal::NoConnection => {
                Self::new(StatusCode::UNAUTHORIZED, "connection_missing", &detail)
            }
            Refusal::Forbidden => Self::new(StatusCode::FORBIDDEN, "tenant_forbidden", &detail),
            Refusal::TenantUnknown => {
                let place = "/tenantId";
                let code = "tenant_unknown";
                let error = domain::problem::Problem::at(place, code, &detail, "tenantId", None);
                Self::unprocessable(None, vec![error])
            }
            Refusal::KeyReused(event_id) => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                let problem = Self::new(status, "delivery_key_reused", &detail);
                Self { event_id: Some(event_id), ..problem }
            }
            Refusal::Malformed { problem, event_id } => {
                let status = StatusCode::BAD_REQUEST;
                let answer = Self::new(status, &problem.code, &problem.detail);
                Self { event_id, errors: vec![*problem], ..answer }
            }
            Refusal::Unavailable(cause) => {
                let told = |cause: Box<dyn std::error::Error + Send + Sync>| {
                    let of_storage = cause.downcast_ref::<storage::Error>();
                    of_storage.map_or_else(|| cause.to_string(), storage::Error::told)
                };
                let cause = cause.map(told).unwrap_or_default();
                tracing::warn!(cause, "a delivery could not be stored");
                Self::unavailable()
            }
        }
    }
}

impl From<TrackError> for Problem {
    fn from(error: TrackError) -> Self {
        Refusal::from(error).into()
    }
}

/// 404 for every address that isn't one.
pub(super) async fn not_found() -> Problem404 {
    Err(Problem::not_found())
}

/// The methods that an address takes.
pub(super) struct Allow(pub(super) String);

/// 405 for a method that an address doesn't take.
pub(super) async fn method_not_allowed(request: HttpRequest) -> Problem404 {
    let methods = request.app_data::<Allow>().map(|allow| allow.0.as_str());
    let takes = methods.map(|methods| format!("; it takes {methods}")).unwrap_or_default();
    let detail = format!("this address does not take this method{takes}");
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", &detail);
    Err(Problem { allow: methods.map(Into::into), ..problem })
}

type Problem404 = Result<HttpResponse, Problem>;
