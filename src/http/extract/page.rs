//! Pages of a list: `limit` and `cursor` in, rows and the next cursor out.

use super::keyset;
use crate::http::problem::Problem;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// `limit` and `cursor` of a list. Unknown parameters are refused.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct PageQuery {
    /// How many rows a page has.
    #[param(minimum = 1, maximum = 100, default = 25)]
    pub(in crate::http) limit: Option<i64>,
    /// The `nextCursor` of the page before.
    pub(in crate::http) cursor: Option<String>,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Page<T> {
    /// The rows.
    data: Vec<T>,
    /// Whether there is another page.
    has_more: bool,
    /// What to pass as `cursor` for it.
    next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Rows, and where the next page begins when there is one.
    pub(in crate::http) fn new(data: Vec<T>, next_cursor: Option<String>) -> Self {
        Self { data, has_more: next_cursor.is_some(), next_cursor }
    }
}

/// Where a page begins and how long it is.
pub(in crate::http) struct Span {
    /// Rows with an id below this one.
    pub(in crate::http) before: Uuid,
    /// One more than the page has, to see whether there are more.
    pub(in crate::http) fetch: i64,
    limit: usize,
}

impl PageQuery {
    /// Reads the parameters; 400 for a limit outside 1 to 100 or a cursor that isn't ours.
    pub(in crate::http) fn span(&self) -> Result<Span, Problem> {
        span(self.limit, self.cursor.as_deref())
    }
}

/// Reads `limit` (default 25) and `cursor`.
pub(in crate::http) fn span(limit: Option<i64>, cursor: Option<&str>) -> Result<Span, Problem> {
    let limit = keyset::limit(limit)?;
    let before = match cursor {
        None => Uuid::max(),
        Some(text) => read_cursor(text).ok_or_else(|| {
            let detail = "cursor is not one that a list answered; leave it out to begin";
            Problem::bad_query("cursor", "cursor_invalid", detail)
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
    pub(in crate::http) fn page<T>(&self, mut data: Vec<T>, id: impl Fn(&T) -> Uuid) -> Page<T> {
        let has_more = data.len() > self.limit;
        data.truncate(self.limit);
        let last = data.last().filter(|_| has_more).map(id);
        let next_cursor = last.map(|id| URL_SAFE_NO_PAD.encode(id.as_bytes()));
        Page { data, has_more, next_cursor }
    }
}

impl<T> Page<T> {
    /// The rows.
    pub(in crate::http) fn rows(&self) -> &[T] {
        &self.data
    }

    /// The same page of other rows: what is shown of them.
    pub(in crate::http) fn with<U>(self, data: Vec<U>) -> Page<U> {
        Page { data, has_more: self.has_more, next_cursor: self.next_cursor }
    }
}
