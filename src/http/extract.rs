//! What handlers take: the permission is the parameter's type.

pub(super) mod access;
pub(super) mod body;
pub(super) mod entity;
pub(super) mod fields;
pub(super) mod keyset;
pub(super) mod moment;
pub(super) mod page;
pub(super) mod query;

use super::Shared;
use super::problem::Problem;
use crate::sources::Headers;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::{HttpRequest, web};

/// The token of `Authorization: Bearer …` or `X-API-Key`.
pub(super) fn token(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text("authorization").and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    bearer.or_else(|| text("x-api-key")).filter(|token| !token.is_empty())
}

/// The headers that a source may read. One that is no text is there all the same: a signature
/// that can't be read must not look like none.
pub(super) fn headers(map: &HeaderMap) -> Headers {
    let mut headers = Headers::default();
    for (name, value) in map {
        headers.insert(name.as_str(), &String::from_utf8_lossy(value.as_bytes()));
    }
    headers
}

/// What the handlers share.
pub(super) fn shared(request: &HttpRequest) -> Result<&Shared, Problem> {
    let shared = request.app_data::<web::Data<Shared>>().map(actix_web::web::Data::get_ref);
    let internal = "the service is not set up";
    shared.ok_or(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", internal))
}
