//! WhatsApp Business: Meta's Cloud API. One delivery carries many messages, of many numbers.
//!
//! Source: Meta, "WhatsApp Cloud API webhooks" (May to June 2026), "Receiving flow responses" and
//! "Business-scoped user IDs".

mod body;
mod choice;
mod edit;
mod flow;
mod map;
mod message;
mod system;
mod text;

use super::{
    Checked, Delivery, Headers, Hints, Item, Malformed, Manners, Mapped, Reading, signature,
};
use chrono::{DateTime, Utc};

const SIGNATURE: &str = "x-hub-signature-256";

/// Deliveries of WhatsApp Business.
#[derive(Clone, Copy, Debug)]
pub struct Source;

impl super::Source for Source {
    fn name(&self) -> &'static str {
        "whatsapp"
    }

    fn path(&self) -> &'static str {
        "/whatsapp/inbound"
    }

    fn body_limit(&self) -> usize {
        5 * 1024 * 1024
    }

    fn manners(&self) -> Manners {
        Manners::Push
    }

    fn batches(&self) -> bool {
        true
    }

    fn has_handshake(&self) -> bool {
        true
    }

    fn is_signed(&self, headers: &Headers) -> bool {
        headers.get(SIGNATURE).is_some()
    }

    fn verify(&self, secret: &str, delivery: &Delivery<'_>) -> Checked {
        signature::check_meta(secret, delivery.body, delivery.headers.get(SIGNATURE))
    }

    fn sign(
        &self,
        secret: &str,
        body: &[u8],
        _id: &str,
        _now: DateTime<Utc>,
    ) -> Result<Vec<(&'static str, String)>, String> {
        Ok(vec![(SIGNATURE, signature::sign_meta(secret, body)?)])
    }

    fn hints(&self, body: &[u8]) -> Hints {
        body::hints(body)
    }

    fn split(&self, delivery: &Delivery<'_>) -> Result<Vec<Item>, Malformed> {
        body::split(delivery.body)
    }

    fn statuses(&self, body: &[u8]) -> Vec<(&'static str, u64)> {
        body::statuses(body)
    }

    fn map(&self, item: &Item, reading: &Reading<'_>) -> Vec<Mapped> {
        map::map(item, reading)
    }
}
