//! One message, and who sent it.

use crate::domain::person::WhatsAppId;
use crate::domain::phone::Phone;
use crate::sources::fieldmap::Event;
use crate::sources::fields::Sender;
use crate::sources::{Item, Reading, json};
use serde_json::{Map, Value};

/// The pointer of the only message of an event.
pub(super) const AT: &str = "/entry/0/changes/0/value/messages/0";

/// A message with its sender.
pub(super) struct Message<'a> {
    /// The message's own object.
    pub(super) object: &'a Map<String, Value>,
    /// The event it is in.
    pub(super) event: &'a Event,
    /// Who sent it.
    pub(super) sender: Sender,
    /// Its event.
    pub(super) item: &'a Item,
    /// How it is to be read.
    pub(super) reading: &'a Reading<'a>,
}

impl<'a> Message<'a> {
    /// The message of a change's value; the sender is named by it and by the contact beside it.
    pub(super) fn of(
        event: &'a Event,
        value: &'a Value,
        item: &'a Item,
        reading: &'a Reading<'a>,
    ) -> Option<Self> {
        let object = value.pointer("/messages/0")?.as_object()?;
        let contact = value.pointer("/contacts/0");
        let told = |key: &str| object.get(key).and_then(Value::as_str);
        let known = |key: &str| contact.and_then(|contact| contact.get(key)?.as_str());
        let ids = [told("from_user_id"), known("user_id"), told("from"), known("wa_id")];
        let numbers = [told("from"), known("wa_id")];
        let profile = contact.and_then(|contact| contact.pointer("/profile/name")?.as_str());
        let profile = profile.map(str::trim).filter(|name| !name.is_empty());
        let sender = Sender {
            phone: numbers.into_iter().flatten().find_map(phone),
            whatsapp_id: ids.into_iter().flatten().find_map(WhatsAppId::parse),
            profile_name: profile.filter(|name| name.chars().count() <= 200).map(str::to_owned),
        };
        Some(Self { object, event, sender, item, reading })
    }

    /// A text in the message, by its JSON Pointer.
    pub(super) fn text(&self, pointer: &str) -> Option<&'a str> {
        let (first, rest) = pointer.split_once('/').unwrap_or((pointer, ""));
        let value = self.object.get(first)?;
        if rest.is_empty() { value.as_str() } else { value.pointer(&format!("/{rest}"))?.as_str() }
    }

    /// The key of this message, under which a later one may name what it told.
    pub(super) fn context(&self) -> Option<String> {
        self.text("id").filter(|id| id.len() <= json::MAX_ID).map(context_of)
    }

    /// True for a text that somebody else wrote, passed on.
    pub(super) fn is_forwarded(&self) -> bool {
        let context = self.object.get("context");
        let flag = |key: &str| context.and_then(|c| c.get(key)?.as_bool()) == Some(true);
        flag("forwarded") || flag("frequently_forwarded")
    }
}

/// The context key of a message.
pub(super) fn context_of(id: &str) -> String {
    format!("whatsapp:message:{id}")
}

/// A number as Meta writes it: digits with the country code. An id in its place is no number,
/// though its digits may look like one.
pub(super) fn phone(text: &str) -> Option<Phone> {
    if WhatsAppId::parse(text).is_some() {
        return None;
    }
    Phone::parse_international(text).ok()
}
