//! One error, as RFC 9457 problem JSON.

use crate::domain;
use crate::storage;
use crate::tracking::TrackError;
use crate::tracking::intake::Refusal;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use std::fmt;
use uuid::Uuid;

/// What a caller is told that can't be served: what is wrong and what would do.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: String,
    detail: String,
    errors: Vec<domain::problem::Problem>,
    event_id: Option<Uuid>,
}

/// The members of RFC 9457, and ours.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    /// The sentence again: n8n shows this member to its user.
    error: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Entry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Entry<'a> {
    pointer: &'a str,
    code: &'a str,
    detail: &'a str,
}

impl Problem {
    /// A problem of this status, stable code and sentence.
    pub(crate) fn new(status: StatusCode, code: &str, detail: &str) -> Self {
        Self {
            status,
            code: code.to_owned(),
            detail: detail.to_owned(),
            errors: Vec::new(),
            event_id: None,
        }
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
        errors: Vec<domain::problem::Problem>,
    ) -> Self {
        let sentence = |e: &domain::problem::Problem| match e.pointer.as_str() {
            "" => e.detail.clone(),
            pointer => format!("{pointer}: {}", e.detail),
        };
        let detail = errors.iter().map(sentence).collect::<Vec<_>>().join("; ");
        let code = errors.first().map_or("not_understood", |e| e.code.as_str()).to_owned();
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, &code, &detail);
        Self { errors, event_id, ..problem }
    }

    /// The answer, with the id of its request.
    pub(crate) fn response(&self, request_id: Option<&str>) -> HttpResponse {
        let body = Body {
            r#type: format!("urn:bookhook:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: &self.code,
            error: &self.detail,
            errors: self.errors.iter().map(entry).collect(),
            event_id: self.event_id,
            request_id,
        };
        let mut response = HttpResponse::build(self.status);
        response.insert_header((CONTENT_TYPE, "application/problem+json"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((RETRY_AFTER, "5"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((WWW_AUTHENTICATE, "Bearer"));
        }
        response.json(body)
    }
}

fn entry(problem: &domain::problem::Problem) -> Entry<'_> {
    Entry { pointer: &problem.pointer, code: &problem.code, detail: &problem.detail }
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
            tracing::warn!(%error, "the database is not available");
            return Self::unavailable();
        }
        tracing::error!(%error, "the database refused");
        let detail = "the request could not be served; the log has the cause under its request id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
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
                let cause = cause.map(|c| c.to_string()).unwrap_or_default();
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

/// 405 for a method that an address doesn't take.
pub(super) async fn method_not_allowed() -> Problem404 {
    let detail = "this address does not take this method";
    Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail))
}

type Problem404 = Result<HttpResponse, Problem>;

/// A query string that can't be read is a 400 that names the parameter.
pub(super) fn query_errors() -> actix_web::web::QueryConfig {
    actix_web::web::QueryConfig::default().error_handler(|error, _| {
        let detail = error.to_string();
        Problem::new(StatusCode::BAD_REQUEST, "query_invalid", &detail).into()
    })
}
