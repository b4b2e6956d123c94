//! What WhatsApp itself tells of a person: a new number, a new id. Only the fields are read, never
//! the sentence beside them.

use super::map::ignored;
use super::message::{Message, phone};
use crate::domain::person::{Identity, WhatsAppId};
use crate::sources::{IdentityChange, Mapped};
use serde_json::Value;

/// Reads a message of type `system`.
pub(super) fn map(message: &Message<'_>) -> Vec<Mapped> {
    let changes = match message.text("system/type").unwrap_or_default() {
        "user_changed_number" | "customer_changed_number" => number(message),
        "user_changed_user_id" => id(message).into_iter().collect(),
        _ => Vec::new(),
    };
    if changes.is_empty() { vec![ignored("system")] } else { changes }
}

/// Reads a change of the field `user_id_update`.
pub(super) fn id_update(update: &Value) -> Mapped {
    let id = |key: &str| WhatsAppId::parse(update.get(key)?.as_str()?);
    changed(id("previous").map(Identity::WhatsApp), id("current").map(Identity::WhatsApp))
        .unwrap_or_else(|| ignored("system"))
}

/// A new number; the id is made anew with it, and may be told in the same message.
fn number(message: &Message<'_>) -> Vec<Mapped> {
    let told = |keys: [&str; 2]| keys.iter().find_map(|key| phone(message.text(key)?));
    let old = told(["from", "system/customer"]).map(Identity::Phone);
    let new = told(["system/wa_id", "system/new_wa_id"]).map(Identity::Phone);
    changed(old, new).into_iter().chain(id(message)).collect()
}

fn id(message: &Message<'_>) -> Option<Mapped> {
    let told = |key: &str| message.text(key).and_then(WhatsAppId::parse).map(Identity::WhatsApp);
    changed(
        told("system/previous_user_id").or_else(|| told("from_user_id")),
        told("system/user_id"),
    )
}

fn changed(from: Option<Identity>, to: Option<Identity>) -> Option<Mapped> {
    let (from, to) = (from?, to?);
    (from != to).then_some(Mapped::Identity(IdentityChange { from, to }))
}
