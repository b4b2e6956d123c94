//! The body of a Retell event, as far as it is read.
//!
//! Everything stays a skipped piece of text until it is asked for: transcripts with their word
//! timings are most of a body, and are never built.

use crate::domain::phone::Phone;
use crate::domain::tenant::TenantSettings;
use crate::domain::when;
use crate::sources::json;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

type Raw = Option<Box<RawValue>>;

/// What an event is and whose, without what was said.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Head {
    event: Raw,
    name: Raw,
    args: Raw,
    call: Option<TalkHead>,
    chat: Option<TalkHead>,
    call_inbound: Option<TalkHead>,
    chat_inbound: Option<TalkHead>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct TalkHead {
    call_id: Raw,
    chat_id: Raw,
    agent_id: Raw,
    metadata: Raw,
    start_timestamp: Raw,
}

impl Head {
    fn talk(&self) -> Option<&TalkHead> {
        let talks = [&self.call, &self.chat, &self.call_inbound, &self.chat_inbound];
        talks.into_iter().find_map(Option::as_ref)
    }

    /// The word that names the event.
    pub(super) fn event(&self) -> Option<String> {
        json::id(self.event.as_deref())
    }

    /// True when it has the form of a function call made to us.
    pub(super) fn is_function(&self) -> bool {
        self.event.is_none() && self.name.is_some() && self.args.is_some()
    }

    /// The function's name.
    pub(super) fn function(&self) -> Option<String> {
        json::id(self.name.as_deref())
    }

    /// The function's arguments.
    pub(super) fn arguments(&self) -> Option<Value> {
        json::build(self.args.as_deref())
    }

    /// The id of the call or chat.
    pub(super) fn id(&self) -> Option<String> {
        let talk = self.talk()?;
        json::id(talk.call_id.as_deref().or(talk.chat_id.as_deref()))
    }

    /// The agent that spoke: the account at the provider.
    pub(super) fn agent(&self) -> Option<String> {
        json::id(self.talk()?.agent_id.as_deref())
    }

    /// The tenant that whoever set up the call wrote into its metadata.
    pub(super) fn tenant(&self) -> Option<String> {
        let metadata = json::build(self.talk()?.metadata.as_deref())?;
        let named = ["tenant_id", "tenantId"].iter().find_map(|key| metadata.get(*key));
        let named = named.and_then(Value::as_str);
        named.filter(|name| (1..=json::MAX_ID).contains(&name.len())).map(str::to_owned)
    }

    /// When the call began, which is the time of everything told in it.
    pub(super) fn started_at(&self) -> Option<DateTime<Utc>> {
        when::absolute(&json::word(self.talk()?.start_timestamp.as_deref())?)
    }
}

/// An event with what was said.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Body {
    pub(super) name: Raw,
    pub(super) args: Raw,
    call: Option<Talk>,
    chat: Option<Talk>,
}

impl Body {
    /// The call or the chat, and which of the two it is.
    pub(super) fn talk(self) -> Option<(Talk, bool)> {
        let chat = self.chat.map(|chat| (chat, true));
        self.call.map(|call| (call, false)).or(chat)
    }
}

/// A call, or a chat with an agent, which has other names for the same things.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Talk {
    call_id: Raw,
    chat_id: Raw,
    direction: Raw,
    from_number: Raw,
    to_number: Raw,
    metadata: Raw,
    transcript_with_tool_calls: Option<Vec<Entry>>,
    message_with_tool_calls: Option<Vec<Entry>>,
    collected_dynamic_variables: Raw,
    call_analysis: Option<Analysis>,
    chat_analysis: Option<Analysis>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Analysis {
    custom_analysis_data: Raw,
}

/// One line of a transcript: speech, a tool call, its result.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Entry {
    pub(super) role: Raw,
    pub(super) tool_call_id: Raw,
    pub(super) name: Raw,
    pub(super) arguments: Raw,
    pub(super) content: Raw,
    pub(super) successful: Raw,
}

impl Talk {
    /// The key of the call or chat, shared by all its events.
    pub(super) fn context(&self) -> Option<String> {
        let named = |kind: &str, raw: &Raw| {
            json::id(raw.as_deref()).map(|id| format!("retell:{kind}:{id}"))
        };
        named("call", &self.call_id).or_else(|| named("chat", &self.chat_id))
    }

    /// The lines of the transcript.
    pub(super) fn entries(&self) -> &[Entry] {
        let entries = self.transcript_with_tool_calls.as_deref();
        entries.or(self.message_with_tool_calls.as_deref()).unwrap_or_default()
    }

    /// What the analysis filled in.
    pub(super) fn custom(&self) -> Option<Map<String, Value>> {
        let analysis = self.call_analysis.as_ref().or(self.chat_analysis.as_ref())?;
        object(&analysis.custom_analysis_data)
    }

    /// What the agent noted down while it spoke.
    pub(super) fn collected(&self) -> Option<Map<String, Value>> {
        object(&self.collected_dynamic_variables)
    }

    /// The number at the other end of the line: a web call and a chat have none.
    pub(super) fn caller(&self, tenant: &TenantSettings) -> Option<Phone> {
        let number = match json::word(self.direction.as_deref())?.as_str() {
            "inbound" => json::word(self.from_number.as_deref())?,
            "outbound" => json::word(self.to_number.as_deref())?,
            _ => return None,
        };
        let number = number.strip_prefix("sip:").unwrap_or(&number);
        Phone::parse(number, tenant.default_region).ok()
    }

    /// The WhatsApp user whom whoever set up a chat wrote into its metadata.
    pub(super) fn whatsapp_user(&self) -> Option<Phone> {
        let metadata = object(&self.metadata)?;
        Phone::parse_international(metadata.get("whatsapp_user")?.as_str()?).ok()
    }
}

fn object(raw: &Raw) -> Option<Map<String, Value>> {
    match json::build(raw.as_deref())? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}
