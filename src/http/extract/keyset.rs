//! Pages of a list that can be sorted in several ways: the cursor says where the page before
//! ended, and in which order.

use super::page::Page;
use crate::http::problem::Problem;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

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
        let limit = limit.unwrap_or(25);
        if !(1..=100).contains(&limit) {
            let detail = "limit must be between 1 and 100";
            return Err(Problem::bad_query("limit_invalid", detail));
        }
        let after = match cursor {
            None => None,
            Some(text) => Some(read(text, sort).ok_or_else(|| {
                let detail =
                    "cursor is not one that a list in this order answered; leave it out to begin";
                Problem::bad_query("cursor_invalid", detail)
            })?),
        };
        let rows = usize::try_from(limit).unwrap_or(25);
        Ok(Self { sort, after, fetch: limit + 1, limit: rows })
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
        Page::of(rows.into_iter().map(show).collect(), has_more, next)
    }
}

fn read(text: &str, sort: &str) -> Option<(DateTime<Utc>, Uuid)> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let mark: Mark = serde_json::from_slice(&bytes).ok()?;
    (mark.sort == sort).then_some((mark.at, mark.id))
}

fn write(mark: &Mark) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(mark).unwrap_or_default())
}
