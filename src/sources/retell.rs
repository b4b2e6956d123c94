//! Retell AI: voice calls and chats. Every event comes to one address and says which it is.
//!
//! One booking may be told three times: in a function call to us while the call lasts, in the
//! tool calls of `call_ended`, and in the analysis of `call_analyzed`. Each telling carries the
//! call as its context, so that they become one. Source: docs.retellai.com, "Webhook overview"
//! and "Custom function", and the types of the vendor's own packages.

mod analysis;
mod body;
mod map;
mod names;
mod tools;

use super::{
    Checked, Delivery, DeliveryKey, Headers, Hints, Item, Malformed, Manners, Mapped, Reading,
    json, signature,
};
use crate::domain::sighting::Rank;
use body::{Head, Shape};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::borrow::Cow;

const SIGNATURE: &str = "x-retell-signature";

/// Deliveries of Retell AI.
#[derive(Clone, Copy, Debug)]
pub struct Source;

impl super::Source for Source {
    fn name(&self) -> &'static str {
        "retell"
    }

    fn path(&self) -> &'static str {
        "/retell/call-ended"
    }

    fn body_limit(&self) -> usize {
        5 * 1024 * 1024
    }

    fn manners(&self) -> Manners {
        Manners::Push
    }

    fn is_signed(&self, headers: &Headers) -> bool {
        headers.get(SIGNATURE).is_some()
    }

    fn verify(&self, secret: &str, delivery: &Delivery<'_>) -> Checked {
        let header = delivery.headers.get(SIGNATURE);
        signature::check_retell(secret, delivery.body, header, delivery.received_at)
    }

    fn sign(
        &self,
        secret: &str,
        body: &[u8],
        _id: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<(&'static str, String)>, String> {
        Ok(vec![(SIGNATURE, signature::sign_retell(secret, body, now)?)])
    }

    fn functions(&self) -> Option<&'static str> {
        Some("/retell/function")
    }

    fn named<'a>(&self, function: &str, body: &'a [u8]) -> Result<Cow<'a, [u8]>, Malformed> {
        named(function, body)
    }

    fn waits(&self, item: &Item) -> bool {
        item.kind == FUNCTION
    }

    fn hints(&self, body: &[u8]) -> Hints {
        let Ok(head) = json::typed::<Head>(body) else {
            return Hints::default();
        };
        Hints { accounts: head.agent().into_iter().collect(), tenant: head.tenant() }
    }

    fn split(&self, delivery: &Delivery<'_>) -> Result<Vec<Item>, Malformed> {
        let head: Head = json::typed(delivery.body)?;
        Ok(vec![item(&head, delivery.body)])
    }

    fn map(&self, item: &Item, reading: &Reading<'_>) -> Vec<Mapped> {
        map::map(item, reading)
    }
}

/// A tool set up as "Payload: args only" posts its arguments alone, and only its address says
/// which function is called: they are put under `args`, byte for byte. A body that tells more
/// (a whole call of a function, or an event that was sent here) stays as it is.
fn named<'a>(function: &str, body: &'a [u8]) -> Result<Cow<'a, [u8]>, Malformed> {
    if !json::typed::<Shape>(body)?.is_arguments_alone() {
        return Ok(Cow::Borrowed(body));
    }
    let name = Value::from(function).to_string();
    Ok(Cow::Owned([b"{\"name\":", name.as_bytes(), b",\"args\":", body, b"}"].concat()))
}

/// The one event of a body.
fn item(head: &Head<'_>, body: &[u8]) -> Item {
    let kind = head.event().unwrap_or_else(|| {
        let kind = if head.is_function() { FUNCTION } else { "unknown" };
        kind.to_owned()
    });
    Item {
        account: head.agent(),
        tenant: head.tenant(),
        key: key(head, &kind),
        context: head.context(),
        occurred_at: head.started_at(),
        rank: rank(&kind),
        raw: body.to_vec(),
        kind,
    }
}

/// The kind of a function call made to us, which names no event.
const FUNCTION: &str = "function_call";

/// Retell sends no delivery id: its documentation names event and call as what repeats.
fn key(head: &Head<'_>, kind: &str) -> DeliveryKey {
    let Some(id) = head.id() else {
        // Without a call nothing ties two function calls together, not even equal arguments.
        let is_function = kind == FUNCTION;
        return if is_function { DeliveryKey::None } else { DeliveryKey::BodyForAnHour };
    };
    let mut parts = vec![kind.to_owned(), id];
    if kind == FUNCTION {
        parts.push(tools::told_as(
            &head.function().unwrap_or_default(),
            &head.arguments().unwrap_or_default(),
        ));
    }
    if kind.starts_with("transfer_") {
        parts.extend(head.started_at().map(|at| at.timestamp_millis().to_string()));
    }
    DeliveryKey::WithBody(parts)
}

fn rank(kind: &str) -> Rank {
    match kind {
        FUNCTION => Rank::Function,
        "call_analyzed" | "chat_analyzed" => Rank::CallAnalyzed,
        _ => Rank::CallEnded,
    }
}

#[cfg(test)]
mod tests;
