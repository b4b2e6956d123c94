//! Pages of lists that have several orders: the cursor says in which one, and after which row.

use super::page::Page;
use crate::http::problem::Problem;
use actix_web::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The most characters of a cursor.
const LONGEST: usize = 1000;

/// How many rows a page has that nobody asked to be longer or shorter.
const USUAL: i64 = 25;

/// How many rows a page has; 400 for a limit outside 1 to 100.
pub(in crate::http) fn limit(asked: Option<i64>) -> Result<i64, Problem> {
    let limit = asked.unwrap_or(USUAL);
    if (1..=100).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::bad_query("limit_invalid", "limit must be between 1 and 100"))
}

/// Writes a cursor of bytes.
pub(in crate::http) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a cursor, as `read` understands its bytes; 400 for one that is no cursor of this list.
pub(in crate::http) fn decode<T>(
    cursor: Option<&str>,
    read: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<Option<T>, Problem> {
    let Some(text) = cursor else { return Ok(None) };
    let bytes = Some(text).filter(|text| text.len() <= LONGEST);
    let bytes = bytes.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    bytes.and_then(|bytes| read(&bytes)).map(Some).ok_or_else(|| {
        let detail =
            "cursor is not one that this list answered in this order; leave it out to begin";
        Problem::new(StatusCode::BAD_REQUEST, "cursor_invalid", detail)
    })
}

/// Cuts what was fetched, one row more than the page has, to the page; `cursor` is made of the
/// last row.
pub(in crate::http) fn cut<R, T>(
    mut rows: Vec<R>,
    limit: i64,
    cursor: impl FnOnce(&R) -> Vec<u8>,
    show: impl FnMut(R) -> T,
) -> Page<T> {
    let length = usize::try_from(limit).unwrap_or_default();
    let has_more = rows.len() > length;
    rows.truncate(length);
    let last = rows.last().filter(|_| has_more).map(cursor);
    let next_cursor = last.map(|bytes| encode(&bytes));
    Page::new(rows.into_iter().map(show).collect(), next_cursor)
}
