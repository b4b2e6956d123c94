//! Cutting a delivery of Meta's into its messages, each with what belongs to it.
//!
//! A piece that has not the form it should have is left out by itself and never takes the others
//! with it. Statuses (sent, delivered, read) are not messages and make no event.

use crate::domain::sighting::Rank;
use crate::domain::when;
use crate::sources::{DeliveryKey, Hints, Item, Malformed, json};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::collections::{BTreeSet, HashMap};

type Raw = Option<Box<RawValue>>;
type List = Option<Vec<Box<RawValue>>>;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Body {
    object: Raw,
    entry: List,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    id: Raw,
    changes: List,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Change {
    field: Raw,
    value: Raw,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Value {
    metadata: Raw,
    contacts: List,
    messages: List,
    message_echoes: List,
    user_id_update: List,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Metadata {
    phone_number_id: Raw,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Contact {
    wa_id: Raw,
    user_id: Raw,
}

/// What a message is and whose.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Message {
    id: Raw,
    from: Raw,
    from_user_id: Raw,
    timestamp: Raw,
    #[serde(rename = "type")]
    kind: Raw,
    interactive: Option<Interactive>,
    user_id: Option<Update>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Interactive {
    #[serde(rename = "type")]
    kind: Raw,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Update {
    previous: Raw,
    current: Raw,
}

/// The numbers of the business that an unverified body speaks of.
pub(super) fn hints(body: &[u8]) -> Hints {
    let mut seen = BTreeSet::new();
    let changes = changes(body).unwrap_or_default();
    let accounts = changes.iter().filter_map(|(_, _, value)| account(value));
    let fresh = accounts.filter(|account| seen.insert(account.clone())).take(1000);
    Hints { accounts: fresh.collect(), tenant: None }
}

/// The messages of a delivery, in order. A body of another of Meta's products has none.
pub(super) fn split(body: &[u8]) -> Result<Vec<Item>, Malformed> {
    let changes = changes(body)?;
    Ok(changes.iter().flat_map(|(entry, field, value)| items(entry, field, value)).collect())
}

/// Every change that can be read: the entry's id as it is written, the field's name, the value.
fn changes(body: &[u8]) -> Result<Vec<(String, String, Value)>, Malformed> {
    let body: Body = json::typed(body)?;
    if json::word(body.object.as_deref()).as_deref() != Some("whatsapp_business_account") {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in body.entry.iter().flatten().filter_map(|raw| read::<Entry>(raw)) {
        let id = entry.id.as_deref().map_or("null", RawValue::get);
        for change in entry.changes.iter().flatten().filter_map(|raw| read::<Change>(raw)) {
            let field = json::word(change.field.as_deref()).unwrap_or_default();
            if let Some(value) = change.value.as_deref().and_then(read::<Value>) {
                found.push((id.to_owned(), field, value));
            }
        }
    }
    Ok(found)
}

/// The events of one change.
fn items(entry: &str, field: &str, value: &Value) -> Vec<Item> {
    let contacts = contacts_by_id(value);
    let lists = [
        ("messages", &value.messages),
        ("message_echoes", &value.message_echoes),
        ("user_id_update", &value.user_id_update),
    ];
    let mut items = Vec::new();
    for (list, messages) in lists {
        for raw in messages.iter().flatten() {
            let message = read::<Message>(raw).unwrap_or_default();
            let ids = [&message.from_user_id, &message.from];
            let ids = ids.into_iter().filter_map(|id| json::word(id.as_deref()));
            let contact = ids.into_iter().find_map(|id| contacts.get(&id).copied());
            items.push(Item {
                raw: envelope(entry, field, value, list, contact, raw),
                ..item(&message, list, account(value))
            });
        }
    }
    items
}

fn item(message: &Message, list: &str, account: Option<String>) -> Item {
    let word = |raw: &Raw| json::id(raw.as_deref());
    let inner = message.interactive.as_ref().and_then(|i| word(&i.kind));
    let kind = match list {
        "message_echoes" => Some("message_echo".to_owned()),
        "user_id_update" => Some(list.to_owned()),
        _ => inner.or_else(|| word(&message.kind)),
    };
    let update = message.user_id.as_ref().map(|update| {
        let ids = [word(&update.previous), word(&update.current)];
        DeliveryKey::Exact([Some(list.to_owned())].into_iter().chain(ids).flatten().collect())
    });
    let key = match (word(&message.id), update) {
        (Some(id), _) => DeliveryKey::Exact(vec![id]),
        (None, Some(update)) => update,
        (None, None) => DeliveryKey::WithBody(vec![list.to_owned()]),
    };
    Item {
        kind: kind.unwrap_or_else(|| "unknown".to_owned()),
        account,
        tenant: None,
        key,
        occurred_at: word(&message.timestamp).as_deref().and_then(when::absolute),
        rank: Rank::Message,
        raw: Vec::new(),
    }
}

/// A delivery of this message alone: all of its own bytes, and nobody else's.
fn envelope(
    entry: &str,
    field: &str,
    value: &Value,
    list: &str,
    contact: Option<&RawValue>,
    message: &RawValue,
) -> Vec<u8> {
    let metadata = value.metadata.as_ref().map(|raw| format!(r#""metadata":{raw},"#));
    let contact = contact.map(|raw| format!(r#""contacts":[{raw}],"#));
    let metadata = metadata.unwrap_or_default();
    let contact = contact.unwrap_or_default();
    let field = serde_json::Value::from(field);
    format!(
        r#"{{"object":"whatsapp_business_account","entry":[{{"id":{entry},"changes":[{{"value":{{"messaging_product":"whatsapp",{metadata}{contact}"{list}":[{message}]}},"field":{field}}}]}}]}}"#
    )
    .into_bytes()
}

/// The contacts under each of their ids: messages name their sender by id, not by place.
fn contacts_by_id(value: &Value) -> HashMap<String, &RawValue> {
    let mut found = HashMap::new();
    for raw in value.contacts.iter().flatten() {
        let contact = read::<Contact>(raw).unwrap_or_default();
        for id in [&contact.user_id, &contact.wa_id] {
            if let Some(id) = json::word(id.as_deref()) {
                found.entry(id).or_insert(raw.as_ref());
            }
        }
    }
    found
}

fn account(value: &Value) -> Option<String> {
    let metadata = read::<Metadata>(value.metadata.as_deref()?)?;
    json::id(metadata.phone_number_id.as_deref())
}

/// A piece in the form it should have, or nothing.
fn read<T: DeserializeOwned>(raw: &RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}
