//! The chat widget: one confirmed booking in a flat JSON body.
//!
//! Signed by Standard Webhooks, or sent with a `service` token. Who speaks here speaks on the web,
//! unless the body says otherwise.

use super::{Delivery, Hints, Item, Malformed, Mapped, Reading, posted};
use crate::domain::channel::Channel;
use crate::domain::sighting::Rank;

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

    posted::declarations!();

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
