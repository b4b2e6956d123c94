//! Cutting a delivery of Meta's into its messages, each with what belongs to it.
//!
//! A piece that has not the form it should have is left out by itself and never takes the others
//! with it. Statuses (sent, delivered, read) are not messages and make no event.
//!
//! What a message shares with others (its contact, the number it came to) is copied into each, so
//! it is bounded, and so is the number of messages: a delivery never grows much by being cut.

use super::message::context_of;
use crate::domain::problem::Problem;
use crate::domain::sighting::Rank;
use crate::domain::when;
use crate::sources::skim::{Raw, skimmed};
use crate::sources::{DeliveryKey, Hints, Item, Malformed, json};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet, HashMap};

type List<'a> = Option<Vec<&'a RawValue>>;

/// More bytes than a contact or the description of a number takes.
const MOST_SHARED: usize = 2000;

/// Meta sends at most 1000 in one delivery.
const MOST_MESSAGES: usize = 10_000;

skimmed! {
    struct Body<'a> {
        object "object": Raw<'a>,
        entry "entry": List<'a>,
    }
}

skimmed! {
    struct Entry<'a> {
        id "id": Raw<'a>,
        changes "changes": List<'a>,
    }
}

skimmed! {
    struct Change<'a> {
        field "field": Raw<'a>,
        value "value": Raw<'a>,
    }
}

skimmed! {
    struct Value<'a> {
        metadata "metadata": Raw<'a>,
        contacts "contacts": List<'a>,
        messages "messages": List<'a>,
        statuses "statuses": List<'a>,
        message_echoes "message_echoes": List<'a>,
        user_id_update "user_id_update": List<'a>,
    }
}

skimmed! {
    struct Metadata<'a> {
        phone_number_id "phone_number_id": Raw<'a>,
    }
}

skimmed! {
    struct Contact<'a> {
        wa_id "wa_id": Raw<'a>,
        user_id "user_id": Raw<'a>,
    }
}

skimmed! {
    /// What a message is and whose.
    struct Message<'a> {
        id "id": Raw<'a>,
        from "from": Raw<'a>,
        from_user_id "from_user_id": Raw<'a>,
        timestamp "timestamp": Raw<'a>,
        kind "type": Raw<'a>,
        interactive "interactive": Option<Interactive<'a>>,
        user_id "user_id": Option<Update<'a>>,
    }
}

skimmed! {
    struct Status<'a> {
        status "status": Raw<'a>,
    }
}

skimmed! {
    struct Interactive<'a> {
        kind "type": Raw<'a>,
    }
}

skimmed! {
    struct Update<'a> {
        previous "previous": Raw<'a>,
        current "current": Raw<'a>,
    }
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
    let lists = changes.iter().flat_map(|(_, _, value)| value.lists());
    if lists.map(|(_, messages)| messages.len()).sum::<usize>() > MOST_MESSAGES {
        let detail = "The body has more than 10000 messages; Meta sends at most 1000 in one.";
        return Err(Malformed { problem: Problem::whole("body_too_many_messages", detail) });
    }
    Ok(changes.iter().flat_map(|(entry, field, value)| items(*entry, *field, value)).collect())
}

/// The states that are counted by name.
const STATUSES: &[&str] = &["sent", "delivered", "read", "failed", "played", "deleted"];

/// How often a delivery tells each state of messages of the business.
pub(super) fn statuses(body: &[u8]) -> Vec<(&'static str, u64)> {
    let mut counted = BTreeMap::new();
    let changes = changes(body).unwrap_or_default();
    for raw in changes.iter().flat_map(|(_, _, value)| value.statuses.iter().flatten()) {
        let told = json::part::<Status>(raw).and_then(|status| json::word(status.status));
        let known = STATUSES.iter().copied().find(|known| told.as_deref() == Some(*known));
        *counted.entry(known.unwrap_or("other")).or_insert(0) += 1;
    }
    counted.into_iter().collect()
}

/// Every change that can be read: the entry's id, the field's name, the value.
fn changes(body: &[u8]) -> Result<Vec<(Raw<'_>, Raw<'_>, Value<'_>)>, Malformed> {
    let body: Body = json::typed(body)?;
    if json::word(body.object).as_deref() != Some("whatsapp_business_account") {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in body.entry.iter().flatten().filter_map(|raw| json::part::<Entry>(raw)) {
        for change in entry.changes.iter().flatten().filter_map(|raw| json::part::<Change>(raw)) {
            if let Some(value) = change.value.and_then(json::part::<Value>) {
                found.push((entry.id, change.field, value));
            }
        }
    }
    Ok(found)
}

impl<'a> Value<'a> {
    /// What there is of messages, under the names of the lists.
    fn lists(&self) -> [(&'static str, &[&'a RawValue]); 3] {
        [
            ("messages", self.messages.as_deref().unwrap_or_default()),
            ("message_echoes", self.message_echoes.as_deref().unwrap_or_default()),
            ("user_id_update", self.user_id_update.as_deref().unwrap_or_default()),
        ]
    }
}

/// The events of one change.
fn items(entry: Raw<'_>, field: Raw<'_>, value: &Value<'_>) -> Vec<Item> {
    let contacts = contacts_by_id(value);
    let account = account(value);
    let around = Around::of(entry, field, value, account.as_deref());
    let mut items = Vec::new();
    for (list, messages) in value.lists() {
        for raw in messages {
            let message = json::part::<Message>(raw).unwrap_or_default();
            let mut ids = [message.from_user_id, message.from].into_iter().filter_map(json::id);
            let contact = ids.find_map(|id| contacts.get(&id).copied());
            items.push(Item {
                raw: around.envelope(list, contact, raw),
                ..item(&message, list, account.clone())
            });
        }
    }
    items
}

fn item(message: &Message<'_>, list: &str, account: Option<String>) -> Item {
    let inner = message.interactive.as_ref().and_then(|inner| json::id(inner.kind));
    let kind = match list {
        "message_echoes" => Some("message_echo".to_owned()),
        "user_id_update" => Some(list.to_owned()),
        _ => inner.or_else(|| json::id(message.kind)),
    };
    let update = message.user_id.as_ref().map(|update| {
        let ids = [json::id(update.previous), json::id(update.current)];
        DeliveryKey::Exact([Some(list.to_owned())].into_iter().chain(ids).flatten().collect())
    });
    let key = match (json::id(message.id), update) {
        (Some(id), _) => DeliveryKey::Exact(vec![id]),
        (None, Some(update)) => update,
        (None, None) => DeliveryKey::WithBody(vec![list.to_owned()]),
    };
    Item {
        kind: kind.unwrap_or_else(|| "unknown".to_owned()),
        account,
        tenant: None,
        key,
        context: json::id(message.id).map(|id| context_of(&id)),
        occurred_at: json::id(message.timestamp).as_deref().and_then(when::absolute),
        rank: Rank::Message,
        raw: Vec::new(),
    }
}

/// What stands around the messages of one change.
struct Around {
    entry: String,
    field: serde_json::Value,
    metadata: String,
}

impl Around {
    fn of(entry: Raw<'_>, field: Raw<'_>, value: &Value<'_>, account: Option<&str>) -> Self {
        let entry = entry.map(RawValue::get).filter(|id| id.len() <= json::MAX_ID);
        let metadata = match (value.metadata.map(RawValue::get), account) {
            (Some(raw), _) if raw.len() <= MOST_SHARED => format!(r#""metadata":{raw},"#),
            (Some(_), Some(account)) => {
                format!(r#""metadata":{},"#, serde_json::json!({ "phone_number_id": account }))
            }
            _ => String::new(),
        };
        Self {
            entry: entry.unwrap_or("null").to_owned(),
            field: json::id(field).unwrap_or_default().into(),
            metadata,
        }
    }

    /// A delivery of this message alone: all of its own bytes, and nobody else's.
    fn envelope(&self, list: &str, contact: Raw<'_>, message: &RawValue) -> Vec<u8> {
        let Self { entry, field, metadata } = self;
        let contact = contact.map(|raw| format!(r#""contacts":[{raw}],"#)).unwrap_or_default();
        format!(
            r#"{{"object":"whatsapp_business_account","entry":[{{"id":{entry},"changes":[{{"value":{{"messaging_product":"whatsapp",{metadata}{contact}"{list}":[{message}]}},"field":{field}}}]}}]}}"#
        )
        .into_bytes()
    }
}

/// The contacts under each of their ids: messages name their sender by id, not by place.
fn contacts_by_id<'a>(value: &Value<'a>) -> HashMap<String, &'a RawValue> {
    let mut found = HashMap::new();
    let contacts = value.contacts.iter().flatten();
    for raw in contacts.copied().filter(|raw| raw.get().len() <= MOST_SHARED) {
        let contact = json::part::<Contact>(raw).unwrap_or_default();
        for id in [contact.user_id, contact.wa_id].into_iter().filter_map(json::id) {
            found.entry(id).or_insert(raw);
        }
    }
    found
}

fn account(value: &Value<'_>) -> Option<String> {
    json::id(json::part::<Metadata>(value.metadata?)?.phone_number_id)
}
