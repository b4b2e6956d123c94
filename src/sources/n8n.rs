//! n8n workflows: `{tenantId, bookingData: {…}}`, or the same fields at the root.
//!
//! Signed by Standard Webhooks (n8n's Crypto node can do it), or sent with a `service` token. A
//! workflow must say how the customer spoke.

use super::{Checked, Delivery, Headers, Hints, Item, Malformed, Manners, Mapped, Reading, posted};
use crate::domain::sighting::Rank;
use chrono::{DateTime, Utc};

/// Deliveries of n8n workflows.
#[derive(Clone, Copy, Debug)]
pub struct Source;

impl super::Source for Source {
    fn name(&self) -> &'static str {
        "n8n"
    }

    fn path(&self) -> &'static str {
        "/n8n/booking-created"
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
        posted::split(delivery, Rank::Workflow)
    }

    fn map(&self, item: &Item, reading: &Reading<'_>) -> Vec<Mapped> {
        posted::map(item, reading, None)
    }
}
