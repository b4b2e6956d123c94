//! The chat widget: one confirmed booking in a flat JSON body.
//!
//! Signed by Standard Webhooks, or sent with a `service` token. Who speaks here speaks on the web,
//! unless the body says otherwise.

use super::{Checked, Delivery, Headers, Hints, Item, Malformed, Manners, Mapped, Reading, posted};
use crate::domain::channel::Channel;
use crate::domain::sighting::Rank;
use chrono::{DateTime, Utc};

/// Deliveries of the chat widget.
#[derive(Clone, Copy, Debug)]
pub struct Source;

impl super::Source for Source {
    fn name(&self) -> &'static str {
        "chat"
    }

    fn path(&self) -> &'static str {
        "/chat/booking-confirmed"
    }

    fn body_limit(&self) -> usize {
        1024 * 1024
    }

    fn manners(&self) -> Manners {
        Manners::Correct
    }

    fn takes_tokens(&self) -> bool {
        true
    }

    fn makes_secrets(&self) -> bool {
        true
    }

    fn is_signed(&self, headers: &Headers) -> bool {
        posted::is_signed(headers)
    }

    fn verify(&self, secret: &str, delivery: &Delivery<'_>) -> Checked {
        posted::verify(secret, delivery)
    }

    fn sign(
        &self,
        secret: &str,
        body: &[u8],
        id: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<(&'static str, String)>, String> {
        posted::sign(secret, body, id, now)
    }

    fn hints(&self, body: &[u8]) -> Hints {
        posted::hints(body)
    }

    fn split(&self, delivery: &Delivery<'_>) -> Result<Vec<Item>, Malformed> {
        posted::split(delivery, Rank::Message, None)
    }

    fn map(&self, item: &Item, reading: &Reading<'_>) -> Vec<Mapped> {
        posted::map(item, reading, Some(Channel::Web))
    }
}
