//! From one WhatsApp message to what it tells: one arm for each kind.

use super::message::{AT, Message};
use super::{choice, edit, flow, system, text};
use crate::domain::channel::Channel;
use crate::domain::problem::Problem;
use crate::sources::fieldmap::{Document, Event};
use crate::sources::fields::{Draft, Place, Rules, Understood};
use crate::sources::{Item, Lead, Malformed, Mapped, Reading, Telling, json};
use serde_json::Value;

/// Reads one event: a message, an echo of a message of the business, or a change of an id.
pub(super) fn map(item: &Item, reading: &Reading<'_>) -> Vec<Mapped> {
    let event = match json::object(&item.raw) {
        Ok(root) => Event::new(Value::Object(root)),
        Err(Malformed { problem }) => return vec![Mapped::NeedsReview(problem.into())],
    };
    let Some(value) = event.value().pointer("/entry/0/changes/0/value") else {
        return vec![ignored("message_unreadable")];
    };
    if value.get("message_echoes").is_some() {
        return vec![ignored("echo")];
    }
    if let Some(update) = value.pointer("/user_id_update/0/user_id") {
        return vec![system::id_update(update)];
    }
    match Message::of(&event, value, item, reading) {
        Some(message) if message.text("group_id").is_some() => vec![ignored("group_message")],
        Some(message) if message.text("type") == Some("system") => system::map(&message),
        Some(message) => vec![message.map()],
        None => vec![ignored("message_unreadable")],
    }
}

/// Nothing to track, and why.
pub(super) fn ignored(why: &str) -> Mapped {
    Mapped::Ignored(why.to_owned())
}

impl Message<'_> {
    fn map(&self) -> Mapped {
        match self.text("type").unwrap_or_default() {
            "text" => text::map(self),
            "interactive" => self.interactive(),
            "button" => match self.text("button/payload") {
                Some(payload) => choice::map(self, payload),
                None => ignored("selection"),
            },
            kind @ ("image" | "video" | "document" | "audio" | "sticker") => {
                // Words beside a picture are a text like any other; a picture alone asks nothing.
                let caption = self.text(&format!("{kind}/caption"));
                let said = caption.is_some_and(|caption| !caption.trim().is_empty());
                if said { self.asked() } else { ignored("media") }
            }
            "contacts" => self.contacts(),
            how @ ("edit" | "revoke") => edit::map(self, how),
            known @ ("reaction" | "location" | "order" | "request_welcome") => ignored(known),
            _ => ignored("unsupported"),
        }
    }

    fn interactive(&self) -> Mapped {
        let chosen = |kind: &str| self.text(&format!("interactive/{kind}/id"));
        match self.text("interactive/type").unwrap_or_default() {
            "nfm_reply" => flow::map(self),
            kind @ ("button_reply" | "list_reply") => match chosen(kind) {
                Some(id) => choice::map(self, id),
                None => ignored("selection"),
            },
            "call_permission_reply" => ignored("call_permission"),
            _ => ignored("unsupported"),
        }
    }

    /// Somebody who shares the own number on request asks to be served; another's card says
    /// nothing of the sender.
    fn contacts(&self) -> Mapped {
        let shared = self.object.get("contacts").and_then(|list| list.get(0));
        let own = shared.and_then(|card| card.get("origin")?.as_str()) == Some("contact_request");
        let number = shared.and_then(|card| {
            let phone = card.pointer("/phones/0")?;
            ["wa_id", "phone"]
                .iter()
                .find_map(|key| super::message::phone(phone.get(*key)?.as_str()?))
        });
        let (true, Some(number)) = (own, number) else {
            return ignored("contacts");
        };
        let mut sender = self.sender.clone();
        sender.phone.get_or_insert(number);
        Message { sender, ..*self }.asked()
    }

    /// Somebody asked: the sender, by what is known of them.
    pub(super) fn asked(&self) -> Mapped {
        self.lead(self.corrections())
    }

    /// What a person supplied, and who sent it.
    pub(super) fn corrections(&self) -> Understood {
        Draft::corrected(self.reading.overrides).read(&self.rules())
    }

    /// A lead of whoever was understood to be meant.
    pub(super) fn lead(&self, understood: Understood) -> Mapped {
        let identities = understood.identities();
        if identities.is_empty() {
            return self.nameless();
        }
        let referral = self.object.get("referral").filter(|referral| referral.is_object());
        let details = referral.map(|referral| serde_json::json!({ "referral": referral }));
        Mapped::Lead(Lead {
            identities,
            first_name: understood.first_name,
            last_name: understood.last_name,
            name_is_profile: understood.name_is_profile,
            email: understood.email,
            source: Channel::WhatsApp,
            details,
        })
    }

    /// A message that names nobody.
    fn nameless(&self) -> Mapped {
        let detail = "The message names no sender by number or id.";
        let pointer = format!("{AT}/from");
        let from = self.text("from");
        Mapped::NeedsReview(
            Problem::at(&pointer, "sender_unreadable", detail, "customerPhone", from).into(),
        )
    }

    /// How what this message says is read.
    pub(super) fn rules(&self) -> Rules<'_> {
        let arrived = self.reading.received_at;
        Rules {
            tenant: self.reading.tenant,
            told_at: Some(self.item.occurred_at.unwrap_or(arrived).min(arrived)),
            contract: false,
            channel: Some(Channel::WhatsApp),
            sender: Some(&self.sender),
            provider: self.reading.provider(),
        }
    }

    /// What a field map leads through: the event, and the message by a name of its own.
    pub(super) fn document(&self) -> Document<'_> {
        Document::of(Some(self.event)).with("message", self.object, Place::object(AT))
    }

    /// A telling of this message.
    pub(super) fn telling(&self) -> Telling<()> {
        Telling {
            item: "message".to_owned(),
            seq: 0,
            context: self.context(),
            told_as: Vec::new(),
            set_by_person: Vec::new(),
            data: (),
        }
    }
}
