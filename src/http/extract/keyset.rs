//! Pages of lists that have several orders: the cursor says in which one, and after which row.

use super::page::Page;
use crate::http::problem::Problem;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Datelike as _, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

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
    Err(Problem::bad_query("limit", "limit_invalid", "limit must be between 1 and 100"))
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
        Problem::bad_query("cursor", "cursor_invalid", detail)
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

/// The end of a page: its sort, and the key of its last row.
#[derive(Serialize, Deserialize)]
struct Mark {
    sort: String,
    at: DateTime<Utc>,
    id: Uuid,
}

/// Where a page begins and how long it is.
pub(in crate::http) struct Keyset {
    sort: &'static str,
    /// The key of the last row of the page before.
    pub(in crate::http) after: Option<(DateTime<Utc>, Uuid)>,
    /// One more than the page has, to see whether there are more.
    pub(in crate::http) fetch: i64,
    limit: usize,
}

impl Keyset {
    /// Reads `limit` (default 25) and `cursor`, which must be of a list in this order.
    pub(in crate::http) fn read(
        sort: &'static str,
        limit: Option<i64>,
        cursor: Option<&str>,
    ) -> Result<Self, Problem> {
        let limit = self::limit(limit)?;
        let after = match cursor {
            None => None,
            Some(text) => Some(read(text, sort).ok_or_else(|| {
                let detail =
                    "cursor is not one that a list in this order answered; leave it out to begin";
                Problem::bad_query("cursor", "cursor_invalid", detail)
            })?),
        };
        let rows = usize::try_from(limit).unwrap_or(25);
        Ok(Self { sort, after, fetch: limit + 1, limit: rows })
    }

    /// What the page's rows come before, in a list that goes down from the latest.
    pub(in crate::http) fn before(&self) -> (DateTime<Utc>, Uuid) {
        // Later than any row, and a year that both databases write alike.
        let latest = || DateTime::from_timestamp(253_402_300_799, 0).unwrap_or_default();
        self.after.unwrap_or_else(|| (latest(), Uuid::max()))
    }

    /// Cuts what was fetched to the page; `key` is what the next one begins after.
    pub(in crate::http) fn page<R, T>(
        &self,
        mut rows: Vec<R>,
        key: impl Fn(&R) -> (DateTime<Utc>, Uuid),
        show: impl Fn(R) -> T,
    ) -> Page<T> {
        let has_more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let last = rows.last().filter(|_| has_more).map(key);
        let next = last.map(|(at, id)| write(&Mark { sort: self.sort.to_owned(), at, id }));
        Page::new(rows.into_iter().map(show).collect(), next)
    }
}

fn read(text: &str, sort: &str) -> Option<(DateTime<Utc>, Uuid)> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let mark: Mark = serde_json::from_slice(&bytes).ok()?;
    // Outside these years no row is, and not every database knows the time.
    let is_ours = mark.sort == sort && (1970..=9999).contains(&mark.at.year());
    is_ours.then_some((mark.at, mark.id))
}

fn write(mark: &Mark) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(mark).unwrap_or_default())
}
