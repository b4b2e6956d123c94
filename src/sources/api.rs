//! What people write by hand: each write through the REST API is an event like any other, so that
//! it has its place in history and says who told what.
//!
//! No delivery comes here. The kept body holds what the request came to beside the request itself.

use super::{
    Checked, Delivery, DeliveryKey, Headers, Hints, Item, Malformed, Manners, Mapped, Reading,
    Review, json,
};
use crate::domain::problem::Problem;
use crate::domain::sighting::Rank;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What people write through the API is told by a source too: no delivery comes to it, nobody
/// connects it, and its events are listed, shown and read again as all others.
pub const BY_HAND: &dyn super::Source = &Source;

/// Whoever tells events, by its name: a source, or people by hand.
#[must_use]
pub fn find_teller(name: &str) -> Option<&'static dyn super::Source> {
    super::find(name).or_else(|| (name == BY_HAND.name()).then_some(BY_HAND))
}

/// What a person wrote, as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept<'a> {
    kind: String,
    told: Vec<Mapped>,
    #[serde(borrow)]
    request: &'a RawValue,
}

/// An event of what a person wrote: what it came to, beside the body of the request.
///
/// # Errors
/// [`Malformed`] when the request's body is not JSON.
pub fn written(kind: &str, told: Mapped, request: &[u8]) -> Result<Item, Malformed> {
    let request = json::typed(request)?;
    let kept = Kept { kind: kind.to_owned(), told: vec![told], request };
    let raw = serde_json::to_vec(&kept).map_err(|_| {
        let problem = Problem::whole("body_unreadable", "The body can't be kept.");
        Malformed { problem }
    })?;
    Ok(item(kind, raw))
}

fn item(kind: &str, raw: Vec<u8>) -> Item {
    Item {
        kind: kind.to_owned(),
        account: None,
        tenant: None,
        key: DeliveryKey::None,
        context: None,
        occurred_at: None,
        rank: Rank::Person,
        raw,
    }
}

/// Writes by hand.
#[derive(Clone, Copy, Debug)]
pub struct Source;

impl super::Source for Source {
    fn name(&self) -> &'static str {
        "api"
    }

    fn path(&self) -> &'static str {
        "/api/platform"
    }

    fn body_limit(&self) -> usize {
        0
    }

    fn manners(&self) -> Manners {
        Manners::Push
    }

    fn is_signed(&self, _: &Headers) -> bool {
        false
    }

    fn verify(&self, _: &str, _: &Delivery<'_>) -> Checked {
        Checked::Refused
    }

    fn sign(
        &self,
        _: &str,
        _: &[u8],
        _: &str,
        _: DateTime<Utc>,
    ) -> Result<Vec<(&'static str, String)>, String> {
        Err("the API takes tokens, not signatures".to_owned())
    }

    fn hints(&self, _: &[u8]) -> Hints {
        Hints::default()
    }

    fn split(&self, delivery: &Delivery<'_>) -> Result<Vec<Item>, Malformed> {
        let kept: Kept<'_> = json::typed(delivery.body)?;
        Ok(vec![item(&kept.kind, delivery.body.to_vec())])
    }

    fn map(&self, item: &Item, _: &Reading<'_>) -> Vec<Mapped> {
        let kept = json::typed::<Kept<'_>>(&item.raw);
        kept.map_or_else(
            |Malformed { problem }| vec![Mapped::NeedsReview(Review::from(problem))],
            |kept| kept.told,
        )
    }
}
