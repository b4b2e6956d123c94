//! Raw bytes in, one answer out.

use super::Shared;
use super::extract::access::access;
use super::extract::body::must_be_plain;
use super::extract::query::Query;
use super::extract::{headers, token};
use super::problem::Problem;
use super::spoken;
use crate::domain::channel::EventStatus;
use crate::sources::Source;
use crate::telemetry;
use crate::tracking::answer::Answer;
use crate::tracking::can_correct;
use crate::tracking::intake::{Incoming, Reply};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ContentType};
use actix_web::web::{Bytes, BytesMut, Data, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::json;
use std::time::{Duration, Instant};

/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_mins(1);

/// The source whose address a resource is.
pub(super) struct Of(pub(super) &'static dyn Source);

/// Takes a delivery, and counts it.
pub(super) async fn deliver(
    request: HttpRequest,
    source: Data<Of>,
    shared: Data<Shared>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (source, begun) = (source.0, Instant::now());
    let answer = take(&request, source, &shared, payload).await;
    let status = answer.as_ref().map_or_else(Problem::status_code, HttpResponse::status);
    telemetry::count_delivery(source.name(), status.as_u16(), begun.elapsed());
    if status == StatusCode::UNAUTHORIZED {
        telemetry::count_refused(source.name());
    }
    answer
}

async fn take(
    request: &HttpRequest,
    source: &'static dyn Source,
    shared: &Shared,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    refuse_forms(source, request)?;
    must_be_plain(request.headers())?;
    let body = read_body(request, payload, source.body_limit()).await?;
    let headers = headers(request.headers());
    let access = match token(request.headers()) {
        Some(token) if source.takes_tokens() && !source.is_signed(&headers) => {
            Some(access(shared, token).await?)
        }
        _ => None,
    };
    let incoming = Incoming {
        source,
        connection: request.match_info().get("connection").map(ToOwned::to_owned),
        function: request.match_info().get("function").map(ToOwned::to_owned),
        path: source.path().to_owned(),
        headers,
        body,
        received_at: shared.clock.now(),
        access,
    };
    let reply = shared.intake.receive(&incoming).await?;
    telemetry::count_statuses(source.name(), &source.statuses(&incoming.body));
    count_events(source, &reply);
    let accepted = accepted(source, &reply);
    let mut response = answer(shared, reply).await?;
    if accepted {
        *response.status_mut() = StatusCode::ACCEPTED;
    }
    Ok(response)
}

fn count_events(source: &dyn Source, reply: &Reply) {
    let answers = match reply {
        Reply::One(answer) => std::slice::from_ref(&**answer),
        Reply::Many(answers) => answers,
        Reply::Spoken(spoken) => std::slice::from_ref(&spoken.answer),
    };
    for answer in answers {
        let outcome = if answer.duplicate { "duplicate" } else { answer.outcome.as_str() };
        telemetry::count_event(source.name(), outcome);
    }
}

/// `hub.…` of the provider's GET.
#[derive(Deserialize)]
pub(super) struct Handshake {
    #[serde(rename = "hub.mode")]
    mode: Option<String>,
    #[serde(rename = "hub.verify_token")]
    verify_token: Option<String>,
    #[serde(rename = "hub.challenge")]
    challenge: Option<String>,
}

/// Answers the provider's GET with its challenge, as plain text, when it knows the verify token.
pub(super) async fn handshake(
    request: HttpRequest,
    source: Data<Of>,
    shared: Data<Shared>,
    query: Query<Handshake>,
) -> Result<HttpResponse, Problem> {
    let connection = request.match_info().get("connection");
    let refused = || Problem::forbidden("the verify token is not this connection's");
    let (Some(token), Some(challenge)) = (&query.verify_token, &query.challenge) else {
        return Err(refused());
    };
    let now = shared.clock.now();
    let known = shared.intake.handshake(source.0, connection, token, now).await?;
    if !known || query.mode.as_deref() != Some("subscribe") {
        telemetry::count_refused(source.0.name());
        return Err(refused());
    }
    Ok(HttpResponse::Ok().insert_header(ContentType::plaintext()).body(challenge.clone()))
}

/// A form is one click away in n8n; it is told what to send. Providers send JSON whatever they
/// call it.
fn refuse_forms(source: &dyn Source, request: &HttpRequest) -> Result<(), Problem> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let form = |k: &str| {
        let kind = k.to_ascii_lowercase();
        kind.starts_with("application/x-www-form-urlencoded") || kind.starts_with("multipart/")
    };
    if source.takes_tokens() && kind.is_some_and(form) {
        let detail = "send the booking as JSON, with Content-Type: application/json, not as a form";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "form_refused", detail));
    }
    Ok(())
}

/// Reads the body, counting as it streams: a Content-Length is only a claim.
async fn read_body(
    request: &HttpRequest,
    mut payload: Payload,
    limit: usize,
) -> Result<Bytes, Problem> {
    let claimed = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    let claimed = claimed.and_then(|v| v.parse::<usize>().ok()).unwrap_or(0);
    if claimed > limit {
        return Err(Problem::too_large(limit));
    }
    let reading = async {
        let mut body = BytesMut::with_capacity(claimed.min(64 * 1024));
        while let Some(chunk) = payload.next().await {
            let broken = "the body broke off";
            let chunk =
                chunk.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "body_broken", broken))?;
            if body.len() + chunk.len() > limit {
                return Err(Problem::too_large(limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    };
    let slow = "the body took too long to arrive";
    tokio::time::timeout(BODY_TIME, reading)
        .await
        .map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT, "body_slow", slow))?
}

/// Renders what became of a delivery. Only a caller that can correct its request is refused.
async fn answer(shared: &Shared, reply: Reply) -> Result<HttpResponse, Problem> {
    match reply {
        Reply::Spoken(spoken) => Ok(spoken::answer(shared, &spoken).await),
        Reply::Many(results) => {
            let results: Vec<Answer> = results.into_iter().map(as_told).collect();
            Ok(HttpResponse::Ok().json(json!({ "success": true, "results": results })))
        }
        Reply::One(answer) => one(*answer),
    }
}

/// A caller that can correct its request learns that it may have to: nothing is understood yet.
fn accepted(source: &dyn Source, reply: &Reply) -> bool {
    let is_queued = |answer: &Answer| answer.outcome == EventStatus::Queued;
    let any = match reply {
        Reply::One(answer) => is_queued(answer),
        Reply::Many(answers) => answers.iter().any(is_queued),
        Reply::Spoken(_) => false,
    };
    any && can_correct(source)
}

fn one(answer: Answer) -> Result<HttpResponse, Problem> {
    match answer.outcome {
        EventStatus::Rejected => Err(Problem::unprocessable(answer.event_id, answer.problems)),
        _ => Ok(HttpResponse::Ok().json(as_told(answer))),
    }
}

/// What failed to be stored is kept for a person, and that is all its caller has to know.
fn as_told(answer: Answer) -> Answer {
    match answer.outcome {
        EventStatus::Failed => Answer { outcome: EventStatus::NeedsReview, ..answer },
        _ => answer,
    }
}
