//! The body of a Retell event, as far as it is read.
//!
//! Everything stays a skipped piece of text until it is asked for: transcripts with their word
//! timings are most of a body, and are never built.

use crate::domain::phone::Phone;
use crate::domain::tenant::TenantSettings;
use crate::domain::when;
use crate::sources::json;
use crate::sources::skim::{Raw, skimmed};
use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

skimmed! {
    /// What an event is and whose, without what was said.
    pub(super) struct Head<'a> {
        event "event": Raw<'a>,
        name "name": Raw<'a>,
        args "args": Raw<'a>,
        call "call": Option<TalkHead<'a>>,
        chat "chat": Option<TalkHead<'a>>,
        call_inbound "call_inbound": Option<TalkHead<'a>>,
        chat_inbound "chat_inbound": Option<TalkHead<'a>>,
    }
}

skimmed! {
    struct TalkHead<'a> {
        call_id "call_id": Raw<'a>,
        chat_id "chat_id": Raw<'a>,
        agent_id "agent_id": Raw<'a>,
        metadata "metadata": Raw<'a>,
        start_timestamp "start_timestamp": Raw<'a>,
    }
}

skimmed! {
    struct Metadata<'a> {
        tenant_id "tenant_id": Raw<'a>,
        tenant_id_camel "tenantId": Raw<'a>,
        whatsapp_user "whatsapp_user": Raw<'a>,
    }
}

skimmed! {
    /// The form of a body at a function's address.
    pub(super) struct Shape<'a> {
        event "event": Raw<'a>,
        name "name": Raw<'a>,
        args "args": Raw<'a>,
        call "call": Raw<'a>,
        chat "chat": Raw<'a>,
    }
}

impl Shape<'_> {
    /// True where nothing is told but the arguments: no `args` of their own, and neither a
    /// function nor an event of a call or chat.
    pub(super) fn is_arguments_alone(&self) -> bool {
        let begins = |raw: Raw<'_>, with: char| raw.is_some_and(|raw| raw.get().starts_with(with));
        let of_a_talk = begins(self.call, '{') || begins(self.chat, '{');
        let named = begins(self.name, '"') || begins(self.event, '"');
        !(begins(self.args, '{') || (of_a_talk && named))
    }
}

impl<'a> Head<'a> {
    fn talk(&self) -> Option<&TalkHead<'a>> {
        let talks = [&self.call, &self.chat, &self.call_inbound, &self.chat_inbound];
        talks.into_iter().find_map(Option::as_ref)
    }

    /// The word that names the event.
    pub(super) fn event(&self) -> Option<String> {
        json::id(self.event)
    }

    /// True when it has the form of a function call made to us.
    pub(super) fn is_function(&self) -> bool {
        self.event.is_none() && self.name.is_some() && self.args.is_some()
    }

    /// The function's name.
    pub(super) fn function(&self) -> Option<String> {
        json::id(self.name)
    }

    /// The function's arguments.
    pub(super) fn arguments(&self) -> Option<Value> {
        json::build(self.args)
    }

    /// The id of the call or chat.
    pub(super) fn id(&self) -> Option<String> {
        let talk = self.talk()?;
        json::id(talk.call_id.or(talk.chat_id))
    }

    /// The key of the call or chat, as [`Talk::context`] has it.
    pub(super) fn context(&self) -> Option<String> {
        let talk = self.talk()?;
        context(talk.call_id, talk.chat_id)
    }

    /// The agent that spoke: the account at the provider.
    pub(super) fn agent(&self) -> Option<String> {
        json::id(self.talk()?.agent_id)
    }

    /// The tenant that whoever set up the call wrote into its metadata.
    pub(super) fn tenant(&self) -> Option<String> {
        let metadata: Metadata = json::part(self.talk()?.metadata?)?;
        json::id(metadata.tenant_id.or(metadata.tenant_id_camel))
    }

    /// When the call began, which is the time of everything told in it.
    pub(super) fn started_at(&self) -> Option<DateTime<Utc>> {
        when::absolute(&json::word(self.talk()?.start_timestamp)?)
    }
}

skimmed! {
    /// An event with what was said.
    pub(super) struct Body<'a> {
        pub(super) name "name": Raw<'a>,
        pub(super) args "args": Raw<'a>,
        call "call": Option<Talk<'a>>,
        chat "chat": Option<Talk<'a>>,
    }
}

impl<'a> Body<'a> {
    /// The call or the chat, and which of the two it is.
    pub(super) fn talk(self) -> Option<(Talk<'a>, bool)> {
        let chat = self.chat.map(|chat| (chat, true));
        self.call.map(|call| (call, false)).or(chat)
    }
}

/// The lines of a transcript, each as it is written.
type Lines<'a> = Option<Vec<&'a RawValue>>;

skimmed! {
    /// A call, or a chat with an agent, which has other names for the same things.
    pub(super) struct Talk<'a> {
        call_id "call_id": Raw<'a>,
        chat_id "chat_id": Raw<'a>,
        direction "direction": Raw<'a>,
        end_timestamp "end_timestamp": Raw<'a>,
        from_number "from_number": Raw<'a>,
        to_number "to_number": Raw<'a>,
        metadata "metadata": Raw<'a>,
        transcript_with_tool_calls "transcript_with_tool_calls": Lines<'a>,
        message_with_tool_calls "message_with_tool_calls": Lines<'a>,
        collected_dynamic_variables "collected_dynamic_variables": Raw<'a>,
        call_analysis "call_analysis": Option<Analysis<'a>>,
        chat_analysis "chat_analysis": Option<Analysis<'a>>,
    }
}

skimmed! {
    struct Analysis<'a> {
        custom_analysis_data "custom_analysis_data": Raw<'a>,
    }
}

skimmed! {
    /// One line of a transcript: speech, a tool call, its result.
    pub(super) struct Entry<'a> {
        pub(super) role "role": Raw<'a>,
        pub(super) tool_call_id "tool_call_id": Raw<'a>,
        pub(super) name "name": Raw<'a>,
        pub(super) arguments "arguments": Raw<'a>,
        pub(super) content "content": Raw<'a>,
        pub(super) successful "successful": Raw<'a>,
    }
}

impl<'a> Talk<'a> {
    /// The key of the call or chat, shared by all its events.
    pub(super) fn context(&self) -> Option<String> {
        context(self.call_id, self.chat_id)
    }

    /// The lines of the transcript.
    pub(super) fn lines(&self) -> &[&'a RawValue] {
        let lines = self.transcript_with_tool_calls.as_deref();
        lines.or(self.message_with_tool_calls.as_deref()).unwrap_or_default()
    }

    /// When it was over.
    pub(super) fn ended_at(&self) -> Option<DateTime<Utc>> {
        when::absolute(&json::word(self.end_timestamp)?)
    }

    /// What the analysis filled in.
    pub(super) fn custom(&self) -> Option<Map<String, Value>> {
        let analysis = self.call_analysis.as_ref().or(self.chat_analysis.as_ref())?;
        object(analysis.custom_analysis_data)
    }

    /// What the agent noted down while it spoke.
    pub(super) fn collected(&self) -> Option<Map<String, Value>> {
        object(self.collected_dynamic_variables)
    }

    /// The number at the other end of the line: a web call and a chat have none.
    pub(super) fn caller(&self, tenant: &TenantSettings) -> Option<Phone> {
        let number = match json::word(self.direction)?.as_str() {
            "inbound" => json::word(self.from_number)?,
            "outbound" => json::word(self.to_number)?,
            _ => return None,
        };
        let number = number.strip_prefix("sip:").unwrap_or(&number);
        Phone::parse(number, tenant.default_region).ok()
    }

    /// The WhatsApp user whom whoever set up a chat wrote into its metadata.
    pub(super) fn whatsapp_user(&self) -> Option<Phone> {
        let metadata: Metadata = json::part(self.metadata?)?;
        Phone::parse_international(&json::word(metadata.whatsapp_user)?).ok()
    }
}

fn context(call: Raw<'_>, chat: Raw<'_>) -> Option<String> {
    let named = |kind: &str, raw: Raw| json::id(raw).map(|id| format!("retell:{kind}:{id}"));
    named("call", call).or_else(|| named("chat", chat))
}

fn object(raw: Raw<'_>) -> Option<Map<String, Value>> {
    match json::build(raw)? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}
