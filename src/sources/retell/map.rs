//! From one Retell event to what it tells.

use super::FUNCTION;
use super::analysis::Verdict;
use super::body::{Body, Talk};
use super::names::{Job, Jobs};
use super::tools::{self, End, ToolCall};
use crate::domain::booking::ChangeOf;
use crate::domain::channel::{BookingStatus, Channel};
use crate::domain::tenant::TenantSettings;
use crate::sources::fieldmap::{Document, Event};
use crate::sources::fields::{Draft, Field, Place, Rules, Sender, Take, Told, Understood};
use crate::sources::{Item, Malformed, Mapped, Meant, Reading, Review, Telling, json, tell};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Reads one event. Only ended and analysed calls and chats, and function calls, tell anything.
pub(super) fn map(item: &Item, reading: &Reading<'_>) -> Vec<Mapped> {
    let known = ["call_ended", "call_analyzed", "chat_ended", "chat_analyzed", FUNCTION];
    if !known.contains(&item.kind.as_str()) {
        return vec![Mapped::Ignored(ignored_word(&item.kind))];
    }
    let body: Body = match json::typed(&item.raw) {
        Ok(body) => body,
        Err(Malformed { problem }) => return vec![Mapped::NeedsReview(problem.into())],
    };
    let asked = (json::word(body.name), json::build(body.args));
    let talk = body.talk();
    let talked =
        talk.as_ref().map(|(talk, is_chat)| Conversation::of(talk, *is_chat, item, reading));
    match (item.kind == FUNCTION, asked, talked) {
        (true, (Some(name), Some(Value::Object(arguments))), talked) => {
            let talked = talked.unwrap_or_else(|| Conversation::nameless(item, reading));
            vec![talked.function(&name, arguments)]
        }
        (false, _, Some(talked)) => talked.map(),
        _ => {
            let detail = "The event has neither a call nor a chat, or a function no arguments.";
            vec![Mapped::NeedsReview(Review::whole("call_missing", detail))]
        }
    }
}

/// The whole event, where a field map leads into it.
fn whole(item: &Item, reading: &Reading<'_>) -> Option<Event> {
    reading.map.filter(|map| map.reads_event() || item.kind == FUNCTION)?;
    json::object(&item.raw).ok().map(|root| Event::new(Value::Object(root)))
}

/// A document with what a tool was asked and what it answered.
fn beside<'a>(document: Document<'a>, tool: Option<&'a ToolCall>) -> Document<'a> {
    let Some(tool) = tool else { return document };
    document.with("args", &tool.arguments, Place::inside_text(&tool.asked_at)).with(
        "result",
        &tool.answer,
        Place::inside_text(&tool.answered_at),
    )
}

/// The beginning, unless it was another day at the tenant's before the end: then nobody knows which
/// of the two "tomorrow" was counted from.
fn on_one_day(
    began: DateTime<Utc>,
    ended: Option<DateTime<Utc>>,
    tenant: &TenantSettings,
) -> Option<DateTime<Utc>> {
    let day = |at: DateTime<Utc>| at.with_timezone(&tenant.timezone).date_naive();
    ended.is_none_or(|ended| day(ended) == day(began)).then_some(began)
}

/// A word for an event that is never read: one of a closed list.
fn ignored_word(kind: &str) -> String {
    const KNOWN: &[&str] = &[
        "call_started", "transcript_updated", "transfer_started", "transfer_bridged",
        "transfer_cancelled", "transfer_ended", "chat_started", "call_inbound", "chat_inbound",
    ];
    let known = KNOWN.contains(&kind);
    if known { format!("event_{kind}") } else { "event_unknown".to_owned() }
}

/// One call or chat, and how it is read.
pub(super) struct Conversation<'a> {
    context: Option<String>,
    sender: Sender,
    channel: Channel,
    tools: Vec<ToolCall>,
    tally: Tally,
    /// The place behind all tool calls.
    seq_after: i32,
    /// The place of a function call among the others of the conversation: how far in it came.
    seq_of_function: i32,
    /// What the analysis filled in, and where.
    pub(super) custom: (Map<String, Value>, Place),
    /// What the agent noted, and where.
    pub(super) collected: (Map<String, Value>, Place),
    /// When its words were said, where that is sure to the day.
    told_at: Option<DateTime<Utc>>,
    /// The whole event, where a field map leads into it.
    event: Option<Event>,
    reading: &'a Reading<'a>,
}

/// How many tools did something, counted once for all.
#[derive(Debug, Default)]
struct Tally {
    /// Those that did, or may have.
    done: usize,
    /// Of these, those that book.
    booked: usize,
    /// Places of the first two that certainly booked.
    first_booked: Vec<i32>,
}

impl Tally {
    fn of(tools: &[ToolCall]) -> Self {
        let mut tally = Self::default();
        for tool in tools.iter().filter(|tool| tool.end != End::NotDone) {
            tally.done += 1;
            if tool.job.books() {
                tally.booked += 1;
                if tool.end == End::Done && tally.first_booked.len() < 2 {
                    tally.first_booked.push(tool.seq);
                }
            }
        }
        tally
    }
}

impl<'a> Conversation<'a> {
    fn nameless(item: &Item, reading: &'a Reading<'a>) -> Self {
        Self::of(&Talk::default(), false, item, reading)
    }

    fn of(talk: &Talk<'_>, is_chat: bool, item: &Item, reading: &'a Reading<'a>) -> Self {
        let (base, list, analysis) = if is_chat {
            ("/chat", "message_with_tool_calls", "chat_analysis")
        } else {
            ("/call", "transcript_with_tool_calls", "call_analysis")
        };
        let user = talk.whatsapp_user().filter(|_| is_chat);
        let channel = match (is_chat, &user) {
            (false, _) => Channel::Voice,
            (true, Some(_)) => Channel::WhatsApp,
            (true, None) => Channel::Web,
        };
        let phone = user.or_else(|| talk.caller(reading.tenant));
        let place = |inner: &str| Place::object(&format!("{base}/{inner}"));
        let custom_at = place(&format!("{analysis}/custom_analysis_data"));
        let began = item.occurred_at.unwrap_or(reading.received_at).min(reading.received_at);
        let ended = if item.kind == FUNCTION { Some(reading.received_at) } else { talk.ended_at() };
        let tools = tools::all(talk.lines(), &format!("{base}/{list}"), Jobs(reading.map));
        let into = reading.received_at - began;
        Self {
            context: talk.context(),
            sender: Sender { phone, ..Sender::default() },
            channel,
            tally: Tally::of(&tools),
            tools,
            seq_after: i32::try_from(talk.lines().len()).unwrap_or(i32::MAX),
            seq_of_function: i32::try_from(into.num_milliseconds()).unwrap_or(i32::MAX),
            custom: (talk.custom().unwrap_or_default(), custom_at),
            collected: (talk.collected().unwrap_or_default(), place("collected_dynamic_variables")),
            told_at: item.occurred_at.and(on_one_day(began, ended, reading.tenant)),
            event: whole(item, reading),
            reading,
        }
    }

    /// What the tools did; what one left open, the analysis settles where it can only mean that
    /// one. Where no tool did anything the analysis speaks alone.
    fn map(&self) -> Vec<Mapped> {
        if self.tools.len() > tools::MOST {
            let detail = "The conversation has more than 1000 calls of booking tools.";
            return vec![Mapped::NeedsReview(Review::whole("too_many_tool_calls", detail))];
        }
        let verdict = self.verdict();
        let open = self.tools.iter().filter(|tool| tool.end == End::Unclear).count();
        let tellings = self.tools.iter().filter_map(|tool| match (tool.end, verdict) {
            (End::Done, _) => Some(self.tool(tool)),
            (End::NotDone, _) | (End::Unclear, Verdict::NotBooked) => None,
            (End::Unclear, Verdict::Booked) if open == 1 && tool.job.books() => {
                Some(self.tool(tool))
            }
            (End::Unclear, _) => Some(self.unclear(tool)),
        });
        let mapped: Vec<Mapped> = tellings.collect();
        if mapped.is_empty() { vec![self.analysis(verdict)] } else { mapped }
    }

    fn tool(&self, tool: &ToolCall) -> Mapped {
        let understood = self.read_tool(tool);
        let telling = self.telling(&tool.item, tool.seq, tool.told_as.clone());
        match tool.job {
            Job::Cancel => self.change(understood, Told::Cancelled, tool, telling),
            Job::Move => self.change(understood, Told::Rescheduled, tool, telling),
            Job::Confirm if !self.tells_booking(tool) => {
                self.change(understood, Told::Confirmed, tool, telling)
            }
            _ => tell::booking(understood, BookingStatus::Confirmed, telling),
        }
    }

    /// Answer before arguments; then, where the call booked one thing only, what the analysis and
    /// the agent's notes add to it.
    fn read_tool(&self, tool: &ToolCall) -> Understood {
        let plain = self.uncorrected(tool);
        let alone = self.tally.done == 1;
        // With several in one call, a correction is meant for those that lack something.
        if self.reading.overrides.is_empty() || (!alone && plain.clone().is_complete()) {
            return plain;
        }
        self.draft(tool, self.reading.overrides).read(&self.rules())
    }

    /// What an analysis or a note adds, and nobody can read, does not stand in the way of a booking
    /// that the tool told in full.
    fn uncorrected(&self, tool: &ToolCall) -> Understood {
        let none = BTreeMap::new();
        let enriched = self.draft(tool, &none).read(&self.rules());
        let told = Self::told(tool, self.begun(&none, Some(tool))).read(&self.rules());
        let enough = !enriched.problems.is_empty() && told.clone().is_complete();
        if enough { told } else { enriched }
    }

    /// What a person supplied, and what the field map finds in the event and in a tool's call.
    pub(super) fn begun(
        &self,
        overrides: &BTreeMap<String, String>,
        tool: Option<&ToolCall>,
    ) -> Draft {
        let document = beside(Document::of(self.event.as_ref()), tool);
        Draft::corrected(overrides).mapped(self.reading.map, &document)
    }

    /// True when a tool says what is booked, or when: a bare reference says neither.
    fn tells_booking(&self, tool: &ToolCall) -> bool {
        let document = beside(Document::of(None), Some(tool));
        let draft = Self::told(tool, Draft::default().mapped(self.reading.map, &document));
        draft.get(Field::Service).is_some() || draft.has_start()
    }

    /// A draft of what the tool itself was asked and answered.
    fn told(tool: &ToolCall, draft: Draft) -> Draft {
        let asked_at = Place::inside_text(&tool.asked_at);
        let mut draft = draft.at(&asked_at);
        for level in tools::levels(&tool.answer) {
            draft.add(level, &Place::inside_text(&tool.answered_at), Take::Result);
        }
        draft.add(&tool.arguments, &asked_at, Take::Tool);
        draft
    }

    fn draft(&self, tool: &ToolCall, overrides: &BTreeMap<String, String>) -> Draft {
        let mut draft = Self::told(tool, self.begun(overrides, Some(tool)));
        if self.tally.booked == 1 && tool.job.books() && self.tells_booking(tool) {
            draft.add(&self.custom.0, &self.custom.1, Take::All);
            draft.add(&self.collected.0, &self.collected.1, Take::All);
        }
        draft
    }

    /// A change that names no booking is of the one that this very call has booked before.
    fn change(
        &self,
        understood: Understood,
        told: Told,
        tool: &ToolCall,
        telling: Telling<()>,
    ) -> Mapped {
        let here = self.tally.first_booked.iter().filter(|seq| **seq < tool.seq).count() == 1;
        let of = self.context.clone().filter(|_| here).map(ChangeOf::Context);
        tell::change(understood, told, of, telling)
    }

    /// A person says by setting the status whether it was done.
    fn unclear(&self, tool: &ToolCall) -> Mapped {
        let mut understood = self.read_tool(tool);
        if understood.status_is_set() {
            return self.tool(tool);
        }
        understood.home = Some(Place::inside_text(&tool.answered_at));
        let detail = "The tool's answer does not say for certain whether it was done.";
        understood.missing("", "result_unclear", "status", detail);
        let meant = if tool.job.books() { Meant::Booking } else { Meant::Change };
        let telling = self.telling(&tool.item, tool.seq, tool.told_as.clone());
        tell::review(understood.review(), meant, telling)
    }

    /// A call of a function of ours, in the middle of a conversation: not settled before its end.
    fn function(&self, name: &str, arguments: Map<String, Value>) -> Mapped {
        let job = Jobs(self.reading.map).of(name);
        let mut draft = self.begun(self.reading.overrides, None);
        draft.add(&arguments, &Place::object("/args"), Take::Tool);
        let whole = draft.get(Field::Service).is_some() || draft.has_start();
        let told_as = tools::told_as(name, &Value::Object(arguments));
        // Several functions of one call are several tellings; the same one again is not.
        let item = told_as.replacen("args", "function", 1);
        let telling = self.telling(&item, self.seq_of_function, vec![told_as]);
        let mut understood = draft.read(&self.rules());
        understood.told = understood.told.filter(|_| understood.status_is_set());
        let of = || self.context.clone().map(ChangeOf::Context);
        match job {
            Job::Confirm if !whole => tell::change(understood, Told::Confirmed, of(), telling),
            Job::Book | Job::Confirm => tell::booking(understood, BookingStatus::Pending, telling),
            Job::Cancel => tell::change(understood, Told::Cancelled, of(), telling),
            Job::Move => tell::change(understood, Told::Rescheduled, of(), telling),
            Job::Other => Mapped::Ignored("function_not_booking".to_owned()),
        }
    }

    /// What the analysis tells by itself.
    fn analysis(&self, verdict: Verdict) -> Mapped {
        let mut draft = self.begun(self.reading.overrides, None);
        draft.add(&self.custom.0, &self.custom.1, Take::All);
        draft.add(&self.collected.0, &self.collected.1, Take::All);
        let mut understood = draft.read(&self.rules());
        let telling = self.telling("analysis", self.seq_after, Vec::new());
        let failed = self.tools.iter().any(|tool| tool.job.books());
        if understood.status_is_set() {
            return tell::either(understood, BookingStatus::Confirmed, telling);
        }
        match verdict {
            Verdict::Booked if !failed => {
                tell::booking(understood, BookingStatus::Confirmed, telling)
            }
            Verdict::Cancelled => tell::change(understood, Told::Cancelled, None, telling),
            Verdict::Moved => tell::change(understood, Told::Rescheduled, None, telling),
            Verdict::NotBooked | Verdict::Silent => Mapped::Ignored("no_booking".to_owned()),
            Verdict::Booked | Verdict::Unclear => {
                let detail = "Nothing says for certain whether this was booked.";
                understood.missing("appointment_booked", "booked_unclear", "status", detail);
                tell::review(understood.review(), Meant::Booking, telling)
            }
        }
    }

    fn rules(&self) -> Rules<'_> {
        Rules {
            tenant: self.reading.tenant,
            told_at: self.told_at,
            contract: false,
            channel: Some(self.channel),
            sender: Some(&self.sender),
            provider: self.reading.provider(),
        }
    }

    fn telling(&self, item: &str, seq: i32, told_as: Vec<String>) -> Telling<()> {
        Telling {
            item: item.to_owned(),
            seq,
            context: self.context.clone(),
            told_as,
            set_by_person: Vec::new(),
            data: (),
        }
    }
}
