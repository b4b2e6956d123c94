//! `Idempotency-Key`: a POST that is repeated answers what the first answered.
//!
//! Only what was done is kept: a request that was refused may be corrected and sent again under
//! the same key.

use super::Shared;
use super::extract::{body, shared};
use super::openapi;
use super::problem::Problem;
use crate::auth::Access;
use crate::domain::tenant::TenantSettings;
use crate::storage;
use crate::storage::idempotency::{self, Earlier};
use crate::storage::seal::{MasterKey, Sealed};
use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const KEY: &str = "idempotency-key";
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    content_type: String,
    etag: Option<String>,
    body: String,
}

/// A problem as it is kept in an answer's place.
pub(super) fn kept(body: &str) -> Result<String, Problem> {
    let content_type = "application/problem+json".to_owned();
    let kept = Kept { content_type, etag: None, body: body.to_owned() };
    serde_json::to_string(&kept).map_err(|error| Problem::internal(&error))
}

/// The address by which a request is known again: a tenant is the same by its id and its slug.
fn address(path: &str, tenant: Option<Uuid>) -> String {
    let Some(tenant) = tenant else { return path.to_owned() };
    // /api/platform/tenants/{tenantId}/…
    let rest: Vec<&str> = path.split('/').skip(5).collect();
    format!("{tenant}/{}", rest.join("/"))
}

/// A claimed key.
struct Claim {
    tenant: Uuid,
    key_hash: String,
}

/// Answers a repeat from what was kept; keeps what a first is answered.
pub(super) async fn repeatable(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let key = request.headers().get(KEY).filter(|_| request.method() == Method::POST);
    let Some(key) = key.cloned() else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let claimed = Claim::of(&mut request, &key).await;
    let claim = match claimed {
        Ok(Claimed::First(claim)) => claim,
        Ok(Claimed::Repeat(answer)) => return Ok(request.into_response(answer)),
        Err(problem) => return Ok(problem.refuse(request)),
    };
    let shared = shared(request.request())?.clone();
    // A caller that hangs up ends its own request: the work and its answer go on without it, or
    // the work would be done and its answer lost, and a repeat would do it again.
    let working = actix_web::rt::spawn(async move {
        let answered = next.call(request).await;
        claim.settle(&shared, answered).await
    });
    working.await.map_err(|error| Problem::internal(&error))?
}

/// Marks an answer that shows a secret: it is kept sealed.
#[derive(Clone, Copy)]
pub(super) struct ShowsSecret;

/// What taking a key came to.
enum Claimed {
    /// Nobody has it: the request is to be served.
    First(Claim),
    /// It is answered already.
    Repeat(HttpResponse),
}

/// The earlier answer again; refused when the body was another, or the earlier still runs.
fn replay(
    claim: &Claim,
    key: &MasterKey,
    earlier: Earlier,
    body_hash: &str,
) -> Result<HttpResponse, Problem> {
    if earlier.body_hash != body_hash {
        let detail = "this Idempotency-Key was used before with another body: take a new one";
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return Err(Problem::new(status, "idempotency_key_reused", detail));
    }
    let (Some(status), Some(answer)) = (earlier.status_code, earlier.answer) else {
        let detail = "a request with this Idempotency-Key is being worked on: wait for its answer";
        return Err(Problem::conflict("idempotency_key_in_flight", detail));
    };
    let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let kept: Kept = serde_json::from_slice(&open(claim, key, &answer)?)
        .map_err(|error| Problem::internal(&error))?;
    let mut response = HttpResponse::build(status.unwrap_or(StatusCode::OK));
    response.insert_header((CONTENT_TYPE, kept.content_type));
    response.insert_header((REPLAYED, HeaderValue::from_static("true")));
    if let Some(etag) = kept.etag {
        response.insert_header((ETAG, etag));
    }
    Ok(response.body(kept.body))
}

/// What begins an answer that is kept sealed.
const SEALED: &str = "sealed:";

/// What an answer is sealed for: its own row.
fn place(claim: &Claim) -> String {
    format!("idempotency_answers/{}/{}", claim.tenant, claim.key_hash)
}

fn seal(claim: &Claim, key: &MasterKey, answer: &str) -> Result<String, Problem> {
    let sealed = key.seal(answer.as_bytes(), &place(claim));
    let sealed = sealed.map_err(|error| Problem::internal(&error))?;
    Ok(format!("{SEALED}{}:{}", sealed.key_id, STANDARD.encode(sealed.bytes)))
}

fn open(claim: &Claim, key: &MasterKey, answer: &str) -> Result<Vec<u8>, Problem> {
    let Some((key_id, text)) = answer.strip_prefix(SEALED).and_then(|rest| rest.split_once(':'))
    else {
        return Ok(answer.as_bytes().to_vec());
    };
    let bytes = STANDARD.decode(text).map_err(|error| Problem::internal(&error))?;
    let sealed = Sealed { key_id: key_id.to_owned(), bytes };
    key.open(&sealed, &place(claim)).map_err(|error| Problem::internal(&error))
}

impl Claim {
    /// Takes the key for a request, whose body is taken in and put back; not for one who may not
    /// post there.
    async fn of(request: &mut ServiceRequest, key: &HeaderValue) -> Result<Claimed, Problem> {
        let by = request.extensions().get::<Access>().cloned().ok_or_else(Problem::no_token)?;
        let pattern = request.match_pattern().unwrap_or_default();
        if !openapi::may_post(&pattern, by.role()) {
            return Err(Problem::forbidden("this role may not do this"));
        }
        let key = key.to_str().ok().filter(|key| (1..=200).contains(&key.len()));
        let key = key.ok_or_else(|| {
            let detail = "Idempotency-Key has 1 to 200 visible ASCII characters";
            Problem::new(StatusCode::BAD_REQUEST, "idempotency_key_invalid", detail)
        })?;
        body::must_be_plain(request.headers())?;
        let sent = body::bytes(&mut request.take_payload(), body::TABLE).await?;
        let shared = shared(request.request())?;
        let tenant = request.extensions().get::<TenantSettings>().map(|tenant| tenant.id);
        let (place, by) = (address(request.path(), tenant), by.token_id());
        let parts: [&[u8]; 4] = [b"idempotency", by.as_bytes(), place.as_bytes(), key.as_bytes()];
        let tenant = tenant.unwrap_or(Uuid::nil());
        let claim = Self { tenant, key_hash: shared.key.hash(&parts) };
        let body_hash = shared.key.hash(&[b"body", &sent]);
        if let Some(earlier) = claim.make(shared, &body_hash).await? {
            return Ok(Claimed::Repeat(replay(&claim, &shared.key, earlier, &body_hash)?));
        }
        request.set_payload(Payload::from(sent));
        Ok(Claimed::First(claim))
    }

    async fn make(&self, shared: &Shared, body_hash: &str) -> storage::Result<Option<Earlier>> {
        let now = shared.clock.now();
        let mut tx = shared.db.begin().await?;
        let earlier =
            idempotency::claim(&mut tx.conn(), self.tenant, &self.key_hash, body_hash, now).await?;
        tx.commit().await?;
        Ok(earlier)
    }

    /// Keeps what was done; gives the key back where nothing was.
    async fn settle<B: MessageBody + 'static>(
        self,
        shared: &Shared,
        answered: Result<ServiceResponse<B>, Error>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let response = match answered {
            Ok(response) if response.status().is_success() => response,
            other => {
                self.release(shared).await?;
                return other.map(ServiceResponse::map_into_boxed_body);
            }
        };
        let (request, response) = response.into_parts();
        let (head, body) = response.into_parts();
        let body = to_bytes(body).await.map_err(|error| Problem::internal(&error.into()))?;
        self.keep(shared, &head, &body).await?;
        let response = head.set_body(BoxBody::new(body));
        Ok(ServiceResponse::new(request, response))
    }

    async fn keep(
        &self,
        shared: &Shared,
        head: &HttpResponse<()>,
        body: &Bytes,
    ) -> Result<(), Problem> {
        let header = |name| head.headers().get(name).and_then(|value| value.to_str().ok());
        let kept = Kept {
            content_type: header(CONTENT_TYPE).unwrap_or("application/json").to_owned(),
            etag: header(ETAG).map(str::to_owned),
            body: String::from_utf8_lossy(body).into_owned(),
        };
        let mut answer = serde_json::to_string(&kept).map_err(|error| Problem::internal(&error))?;
        if head.extensions().get::<ShowsSecret>().is_some() {
            answer = seal(self, &shared.key, &answer)?;
        }
        let status = i32::from(head.status().as_u16());
        let mut tx = shared.db.begin().await?;
        idempotency::keep(&mut tx.conn(), self.tenant, &self.key_hash, status, &answer).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn release(&self, shared: &Shared) -> Result<(), Problem> {
        let mut tx = shared.db.begin().await?;
        idempotency::release(&mut tx.conn(), self.tenant, &self.key_hash).await?;
        tx.commit().await?;
        Ok(())
    }
}
