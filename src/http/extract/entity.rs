//! One thing in an answer with its version: `ETag`, `If-None-Match`, `If-Match`.

use crate::http::problem::Problem;
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use actix_web::{FromRequest, HttpRequest, HttpResponse, Responder};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::future::{Ready, ready};

/// An answer of one thing. Its `ETag` is the row's version and a hash of what is answered; a
/// caller who has it already (`If-None-Match`) gets 304.
pub(in crate::http) struct Entity<T> {
    /// 200, or 201 for what was made.
    pub(in crate::http) status: StatusCode,
    /// The row's version.
    pub(in crate::http) version: i64,
    /// What is answered.
    pub(in crate::http) body: T,
}

impl<T> Entity<T> {
    /// Something that was there.
    pub(in crate::http) fn found(version: i64, body: T) -> Self {
        Self { status: StatusCode::OK, version, body }
    }

    /// Something new.
    pub(in crate::http) fn created(version: i64, body: T) -> Self {
        Self { status: StatusCode::CREATED, version, body }
    }
}

impl<T: Serialize> Responder for Entity<T> {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let text = match serde_json::to_string(&self.body) {
            Ok(text) => text,
            Err(error) => return HttpResponse::from_error(Problem::internal(&error)),
        };
        let hash = hex::encode(Sha256::digest(text.as_bytes()));
        let tag = format!("\"{}-{}\"", self.version, hash.get(..16).unwrap_or_default());
        let seen = request.headers().get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let seen = seen.is_some_and(|seen| tags(seen).any(|seen| seen == tag || seen == "*"));
        if seen && self.status == StatusCode::OK && request.method().is_safe() {
            return HttpResponse::NotModified().insert_header((ETAG, tag)).finish();
        }
        let mut response = HttpResponse::build(self.status);
        response.insert_header((ETAG, tag)).content_type("application/json").body(text)
    }
}

fn tags(header: &str) -> impl Iterator<Item = &str> {
    header.split(',').map(str::trim).map(|tag| tag.strip_prefix("W/").unwrap_or(tag))
}

/// The version that a change is meant for, where the caller names one.
pub(in crate::http) struct IfMatch(Option<Vec<i64>>);

impl IfMatch {
    /// The versions that the change is meant for; `None` for any.
    pub(in crate::http) fn versions(&self) -> Option<&[i64]> {
        self.0.as_deref()
    }

    /// 412: none of these versions is there.
    pub(in crate::http) fn refusal() -> Problem {
        let detail = "it has changed since you read it: read it again and repeat the change";
        Problem::new(StatusCode::PRECONDITION_FAILED, "version_changed", detail)
    }

    /// 412 unless the change is meant for this version, or for any.
    pub(in crate::http) fn check(&self, version: i64) -> Result<(), Problem> {
        if self.means(version) { Ok(()) } else { Err(Self::refusal()) }
    }

    /// True when the change is meant for this version, or for any.
    pub(in crate::http) fn means(&self, version: i64) -> bool {
        self.0.as_ref().is_none_or(|wanted| wanted.contains(&version))
    }
}

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(value) = request.headers().get(IF_MATCH) else { return ready(Ok(Self(None))) };
        let text = value.to_str().unwrap_or_default();
        if text.trim() == "*" {
            return ready(Ok(Self(None)));
        }
        // A tag that is none of ours names no version: the change is refused, not let through.
        let version = |tag: &str| tag.trim_matches('"').split('-').next()?.parse().ok();
        ready(Ok(Self(Some(tags(text).filter_map(version).collect()))))
    }
}
