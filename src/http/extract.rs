//! What handlers take: the access is the parameter's type.

use super::Shared;
use super::problem::Problem;
use crate::auth::{self, Access, AuthError};
use crate::domain::tenant::TenantSettings;
use crate::sources::Headers;
use crate::storage::tenants;
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::{FromRequest, HttpRequest, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::pin::Pin;
use uuid::Uuid;

/// Proof that the caller may read the records of the tenant in the address.
pub(super) struct ReadRecords {
    /// The tenant.
    pub(super) tenant: TenantSettings,
}

impl FromRequest for ReadRecords {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let (access, tenant) = tenant_access(&request).await?;
            if access.may_read() {
                return Ok(Self { tenant });
            }
            Err(Problem::forbidden("this role may not read clients, bookings or events"))
        })
    }
}

/// The caller's access and the tenant in the address. Another's tenant is 404, as if it weren't.
async fn tenant_access(request: &HttpRequest) -> Result<(Access, TenantSettings), Problem> {
    let shared = shared(request)?;
    let token = token(request.headers()).ok_or_else(Problem::unauthorized)?;
    let access = access(shared, token).await?;
    let named = request.match_info().get("tenant_id").unwrap_or_default();
    let mut reader = shared.db.reader().await?;
    let row = tenants::find(&mut reader.conn(), named).await?;
    let row = row.filter(|row| access.reaches(row.id)).ok_or_else(Problem::not_found)?;
    Ok((access, row.settings()?))
}

/// What a token gives; 401 for one that is no good.
pub(super) async fn access(shared: &Shared, token: &str) -> Result<Access, Problem> {
    auth::by_token(&shared.db, token, shared.clock.now()).await.map_err(|error| match error {
        AuthError::Unknown => Problem::unauthorized(),
        AuthError::Storage(error) => error.into(),
    })
}

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

/// `limit` and `cursor` of a list. Unknown parameters are refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    limit: Option<i64>,
    cursor: Option<String>,
}

/// One page of a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<T> {
    data: Vec<T>,
    has_more: bool,
    next_cursor: Option<String>,
}

/// Where a page begins and how long it is.
pub(super) struct Span {
    /// Rows with an id below this one.
    pub(super) before: Uuid,
    /// One more than the page has, to see whether there are more.
    pub(super) fetch: i64,
    limit: usize,
}

impl PageQuery {
    /// Reads the parameters; 400 for a limit outside 1 to 100 or a cursor that isn't ours.
    pub(super) fn span(&self) -> Result<Span, Problem> {
        span(self.limit, self.cursor.as_deref())
    }
}

/// Reads `limit` (default 25) and `cursor`.
pub(super) fn span(limit: Option<i64>, cursor: Option<&str>) -> Result<Span, Problem> {
    let bad = |code, detail| Problem::new(StatusCode::BAD_REQUEST, code, detail);
    let limit = limit.unwrap_or(25);
    if !(1..=100).contains(&limit) {
        return Err(bad("limit_invalid", "limit must be between 1 and 100"));
    }
    let before = match cursor {
        None => Uuid::max(),
        Some(text) => read_cursor(text).ok_or_else(|| {
            bad("cursor_invalid", "cursor is not one that a list answered; leave it out to begin")
        })?,
    };
    let rows = usize::try_from(limit).unwrap_or(25);
    Ok(Span { before, fetch: limit + 1, limit: rows })
}

fn read_cursor(text: &str) -> Option<Uuid> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    Uuid::from_slice(&bytes).ok()
}

impl Span {
    /// Cuts what was fetched to the page; `id` is what the next cursor is made of.
    pub(super) fn page<T>(&self, mut data: Vec<T>, id: impl Fn(&T) -> Uuid) -> Page<T> {
        let has_more = data.len() > self.limit;
        data.truncate(self.limit);
        let last = data.last().filter(|_| has_more).map(id);
        let next_cursor = last.map(|id| URL_SAFE_NO_PAD.encode(id.as_bytes()));
        Page { data, has_more, next_cursor }
    }
}
