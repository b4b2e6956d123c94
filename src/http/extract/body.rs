//! JSON bodies: counted as they stream, read strictly, every fault reported at once.

use super::fields::Fields;
use crate::http::problem::Problem;
use crate::sources::json;
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use actix_web::{FromRequest, HttpRequest, web};
use bytes::Bytes;
use futures_util::StreamExt as _;
use std::pin::Pin;

/// How large a JSON body may be.
const LIMIT: usize = 1024 * 1024;

/// What a JSON body holds, to be read member by member.
pub(in crate::http) struct Body {
    /// The members.
    pub(in crate::http) fields: Fields,
    /// The bytes as they came.
    pub(in crate::http) raw: Bytes,
}

impl FromRequest for Body {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            must_be(&request, "application/json")?;
            must_be_plain(request.headers())?;
            let raw = bytes(&mut payload, LIMIT).await?;
            let members = json::object(&raw).map_err(|malformed| {
                let problem = malformed.problem;
                Problem::new(StatusCode::BAD_REQUEST, &problem.code, &problem.detail)
            })?;
            Ok(Self { fields: Fields::new(members), raw })
        })
    }
}

/// Refuses a body of another media type with 415.
pub(in crate::http) fn must_be(request: &HttpRequest, wanted: &str) -> Result<(), Problem> {
    let sent = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = sent.map(|text| text.split(';').next().unwrap_or_default().trim());
    if essence.is_some_and(|text| text.eq_ignore_ascii_case(wanted)) {
        return Ok(());
    }
    let detail = format!("send the body as {wanted}, and say so in Content-Type");
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type_unsupported", &detail))
}

/// Refuses a text that says that it is not UTF-8 with 415.
fn must_be_utf8(request: &HttpRequest) -> Result<(), Problem> {
    let sent = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut parameters = sent.unwrap_or_default().split(';').skip(1);
    let charset = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"').to_lowercase();
        name.trim().eq_ignore_ascii_case("charset").then_some(value)
    });
    // What is ASCII alone is UTF-8 as well.
    if charset.is_none_or(|charset| ["utf-8", "utf8", "us-ascii"].contains(&charset.as_str())) {
        return Ok(());
    }
    let detail = "send the table as UTF-8: save it as \"CSV UTF-8 (comma delimited)\"";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type_unsupported", detail))
}

/// Refuses a body that is compressed with 415.
pub(in crate::http) fn must_be_plain(headers: &HeaderMap) -> Result<(), Problem> {
    let mut sent = headers.get_all(CONTENT_ENCODING);
    if sent.all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    let detail = "send the body as it is, without Content-Encoding: no compressed one is taken";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoding_unsupported", detail))
}

/// Takes a body in, up to `limit` bytes; 413 above.
pub(in crate::http) async fn bytes(payload: &mut Payload, limit: usize) -> Result<Bytes, Problem> {
    let mut taken = web::BytesMut::new();
    while let Some(piece) = payload.next().await {
        let piece = piece.map_err(|_| {
            let detail = "the body broke off";
            Problem::new(StatusCode::BAD_REQUEST, "body_incomplete", detail)
        })?;
        if taken.len() + piece.len() > limit {
            return Err(Problem::too_large(limit));
        }
        taken.extend_from_slice(&piece);
    }
    Ok(taken.freeze())
}

/// How large a table may be: the largest body of all.
pub(in crate::http) const TABLE: usize = 10 * 1024 * 1024;

/// A body of CSV, as it came.
pub(in crate::http) struct Table(pub(in crate::http) Bytes);

impl FromRequest for Table {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            must_be(&request, "text/csv")?;
            must_be_utf8(&request)?;
            must_be_plain(request.headers())?;
            bytes(&mut payload, TABLE).await.map(Self)
        })
    }
}
