//! Answers that are too large to be held: made piece by piece, each when the one before is sent.
//!
//! Nothing is made ahead of a slow reader, and no connection of the database is held for one. A
//! failure in the middle breaks the connection, so that nobody takes the part for the whole.

use super::problem::Problem;
use actix_web::HttpResponse;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue,
};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

/// What an answer is made of, piece by piece.
pub(super) trait Pieces: 'static {
    /// The next piece; `None` when nothing is left.
    async fn next(&mut self) -> Result<Option<Bytes>, Problem>;
}

/// The file that an answer is to be saved as.
pub(super) struct Saved {
    /// Its media type.
    pub(super) media_type: &'static str,
    /// Its name: letters, digits, hyphens and points.
    pub(super) name: String,
    /// True where it is compressed by itself.
    pub(super) is_packed: bool,
}

/// Why an answer broke off in the middle; the log has the cause.
#[derive(Debug, thiserror::Error)]
#[error("an answer broke off: {0}")]
struct Broken(Problem);

/// The answer. Its first piece is made before it begins, so that a database that is away is a
/// problem like any other.
pub(super) async fn answer(saved: Saved, mut pieces: impl Pieces) -> Result<HttpResponse, Problem> {
    let first = pieces.next().await?;
    let rest = stream::try_unfold((pieces, first.is_some()), |(mut pieces, more)| async move {
        let next = if more { pieces.next().await.map_err(Broken)? } else { None };
        Ok::<_, Broken>(next.map(|piece| (piece, (pieces, true))))
    });
    let first = stream::iter(first.map(Ok::<_, Broken>));
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, saved.media_type))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", saved.name)));
    if saved.is_packed {
        response.insert_header((CONTENT_ENCODING, HeaderValue::from_static("identity")));
    }
    Ok(response.streaming(first.chain(rest)))
}
