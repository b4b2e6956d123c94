//! The tool calls of a conversation, each with its result, and whether it did what it says.

use super::body::Entry;
use super::names::{Job, Jobs};
use crate::sources::fields::{Field, Raw, is_field, normalise, yes_no};
use crate::sources::{json, signature};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

/// A tool call that books, cancels or moves.
#[derive(Debug)]
pub(super) struct ToolCall {
    /// Its place in the conversation.
    pub(super) seq: i32,
    /// Its name in the event.
    pub(super) item: String,
    /// What the same call is told as in other events.
    pub(super) told_as: Vec<String>,
    /// What it does.
    pub(super) job: Job,
    /// How it ended.
    pub(super) end: End,
    /// What it was asked.
    pub(super) arguments: Map<String, Value>,
    /// The pointer of what it was asked.
    pub(super) asked_at: String,
    /// What it answered, as far as that is JSON, or a reference found in its words.
    pub(super) answer: Map<String, Value>,
    /// The pointer of its answer.
    pub(super) answered_at: String,
}

/// How a tool call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It did what it says.
    Done,
    /// It did not, or nobody knows because its result never came.
    NotDone,
    /// It answered in a way that could mean either.
    Unclear,
}

/// The most calls of booking tools that are read of one conversation: far more than anybody makes,
/// and few enough that what a field map adds to each stays in proportion.
pub(super) const MOST: usize = 1000;

/// All calls of booking tools, in order, or one more than [`MOST`]. `base` is the pointer of the
/// transcript.
pub(super) fn all(lines: &[&RawValue], base: &str, jobs: Jobs<'_>) -> Vec<ToolCall> {
    let results = results(lines);
    let mut items = HashSet::new();
    let mut calls: Vec<ToolCall> = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        let entry = entry(line, "tool_call_invocation");
        let call = entry.and_then(|entry| invocation(&results, place, &entry, base, jobs));
        if let Some(mut call) = call {
            if !items.insert(call.item.clone()) {
                call.item = format!("{}#{place}", call.item);
            }
            calls.push(call);
        }
        if calls.len() > MOST {
            break;
        }
    }
    calls
}

/// What a call of a function is told as, wherever it is told: its name and its arguments, without
/// the words that the agent says meanwhile.
pub(super) fn told_as(name: &str, arguments: &Value) -> String {
    let text = format!("{name} {}", json::canonical(arguments, &["execution_message"]));
    format!("args:{}", signature::fingerprint(&text))
}

/// A line of the transcript, if it is one of this role.
fn entry<'a>(line: &'a RawValue, role: &str) -> Option<Entry<'a>> {
    json::part::<Entry>(line).filter(|entry| json::word(entry.role).as_deref() == Some(role))
}

/// Results by the id of their call, each with its place in the transcript, the last first.
type Results<'a> = HashMap<String, Vec<(usize, Entry<'a>)>>;

fn results<'a>(lines: &[&'a RawValue]) -> Results<'a> {
    let mut found = Results::new();
    for (place, line) in lines.iter().enumerate().rev() {
        let result = entry(line, "tool_call_result");
        if let Some((id, entry)) = result.and_then(|e| Some((json::id(e.tool_call_id)?, e))) {
            found.entry(id).or_default().push((place, entry));
        }
    }
    found
}

fn invocation(
    results: &Results<'_>,
    place: usize,
    entry: &Entry<'_>,
    base: &str,
    jobs: Jobs<'_>,
) -> Option<ToolCall> {
    let name = json::id(entry.name)?;
    let job = jobs.of(&name);
    if job == Job::Other {
        return None;
    }
    let arguments = arguments_of(entry)?;
    let id = json::id(entry.tool_call_id);
    let args = told_as(&name, &arguments);
    let Value::Object(arguments) = arguments else {
        return None;
    };
    let by_id = id.as_ref().map(|id| format!("tool:{id}"));
    let (answer, end, answered_at) = match result_of(results, place, id.as_deref()) {
        Some((at, result)) => {
            let (answer, end) = read_result(jobs.only_begins(&name), job, result);
            (answer, end, format!("{base}/{at}/content"))
        }
        None => (Map::new(), End::NotDone, String::new()),
    };
    Some(ToolCall {
        seq: i32::try_from(place).ok()?,
        item: by_id.clone().unwrap_or_else(|| format!("tool:#{place}")),
        told_as: by_id.into_iter().chain([args]).collect(),
        job,
        end,
        arguments,
        asked_at: format!("{base}/{place}/arguments"),
        answer,
        answered_at,
    })
}

/// The arguments: an object written into a text, or, from some agents, the object itself.
fn arguments_of(entry: &Entry<'_>) -> Option<Value> {
    let value = match json::build(entry.arguments)? {
        Value::String(text) => json::inner(&text)?,
        other => other,
    };
    Some(value).filter(Value::is_object)
}

/// The result that belongs to a call, and its place: the next one with the same id.
fn result_of<'a>(
    results: &'a Results<'_>,
    place: usize,
    id: Option<&str>,
) -> Option<(usize, &'a Entry<'a>)> {
    let of_id = results.get(id?)?;
    let behind = of_id.partition_point(|(at, _)| *at > place).checked_sub(1)?;
    of_id.get(behind).map(|(at, entry)| (*at, entry))
}

/// What a result says, and whether the tool did its work. `successful` alone says only that the
/// tool's server answered; the answer's own words count first.
fn read_result(begins: bool, job: Job, result: &Entry<'_>) -> (Map<String, Value>, End) {
    let successful = json::build(result.successful).and_then(|v| v.as_bool());
    let content = json::build(result.content);
    let (answer, said) = match content {
        Some(Value::Object(answer)) => read_object(answer, job),
        Some(Value::Bool(done)) => (Map::new(), Some(done)),
        Some(Value::String(text)) => match json::inner(&text) {
            Some(Value::Object(answer)) => read_object(answer, job),
            Some(Value::Bool(done)) => (Map::new(), Some(done)),
            _ => read_prose(&text, job),
        },
        _ => (Map::new(), None),
    };
    let named = levels(&answer).iter().any(|level| has(level, Field::Reference));
    let end = match (said, successful) {
        (Some(true), _) if begins && !named && !is_booked(&answer) => End::NotDone,
        (Some(true), _) => End::Done,
        // An id was made, and yet the call is told to have failed: a person must look.
        (None, Some(false)) if named => End::Unclear,
        (Some(false), _) | (None, Some(false)) => End::NotDone,
        (None, _) if named => End::Done,
        (None, _) => End::Unclear,
    };
    (answer, end)
}

/// The answer, and the objects in it that tell of the same booking.
pub(super) fn levels(answer: &Map<String, Value>) -> Vec<&Map<String, Value>> {
    const INNER: &[&str] = &["data", "result", "booking", "appointment", "reservation"];
    let mut found = vec![answer];
    let mut next = 0;
    while let Some(level) = found.get(next).copied() {
        found.extend(INNER.iter().filter_map(|key| level.get(*key)?.as_object()));
        next += 1;
    }
    found
}

/// What an answer's flags say together: one no is a no.
fn read_object(answer: Map<String, Value>, job: Job) -> (Map<String, Value>, Option<bool>) {
    let levels = levels(&answer);
    let flags: Vec<bool> = levels.iter().flat_map(|level| flags_of(level, job)).collect();
    let said = if flags.is_empty() { None } else { Some(flags.iter().all(|flag| *flag)) };
    (answer, said)
}

fn flags_of(level: &Map<String, Value>, job: Job) -> Vec<bool> {
    let flag = |(key, value): (&String, &Value)| {
        let raw = Raw::of(value)?;
        match normalise(key).as_str() {
            "success" | "successful" | "succeeded" | "ok" => yes_no(&raw),
            "error" | "errors" => Some(yes_no(&raw) == Some(false)),
            "status" | "result" | "state" => status_flag(raw.text()?, job),
            key if is_field(key, Field::Booked) => yes_no(&raw),
            _ => None,
        }
    };
    level.iter().filter_map(flag).collect()
}

fn status_flag(text: &str, job: Job) -> Option<bool> {
    match normalise(text).as_str() {
        "ok" | "success" | "successful" => Some(true),
        "booked" | "jobbooked" | "confirmed" | "created" | "scheduled" | "accepted" | "pending" => {
            Some(job != Job::Cancel)
        }
        "cancelled" | "canceled" => Some(job == Job::Cancel),
        "rescheduled" | "moved" | "updated" => Some(job == Job::Move),
        "failed" | "failure" | "error" | "rejected" | "declined" | "unavailable" | "conflict" => {
            Some(false)
        }
        _ => None,
    }
}

fn is_booked(answer: &Map<String, Value>) -> bool {
    levels(answer).iter().any(|level| has(level, Field::Booked))
}

fn has(level: &Map<String, Value>, field: Field) -> bool {
    level.iter().any(|(key, value)| is_field(&normalise(key), field) && Raw::of(value).is_some())
}

/// What a sentence says: only one that begins by saying that it is done, and takes nothing back.
fn read_prose(text: &str, job: Job) -> (Map<String, Value>, Option<bool>) {
    const NOT: &[&str] = &[
        "not ", "n't", "no ", "unable", "fail", "error", "sorry", "unavailable", "taken",
        "already", "conflict", "however", "but ", "pending", "invalid", "unsuccessful",
    ];
    const IF: &[&str] = &["only ", "once ", "until", "unless", " if ", "waiting"];
    let words = text.to_lowercase();
    let any = |list: &[&str]| list.iter().any(|word| words.contains(word));
    let said = match (begins_done(&words, job), any(NOT)) {
        (true, false) if !any(IF) => Some(true),
        (false, true) => Some(false),
        _ => None,
    };
    (reference_in(text).into_iter().collect(), said)
}

/// True when a sentence begins by saying that it is done: `Booked: …`, `Your appointment has been
/// made`. What was made or created may be a note; with the noun before it, it is the booking.
fn begins_done(words: &str, job: Job) -> bool {
    const NOUNS: &[&str] = &["appointment", "booking", "reservation", "job"];
    const BEFORE: &[&str] = &["your", "the", "is", "was", "has", "been", "now", "successfully"];
    let (done, with_noun): (&[&str], &[&str]) = match job {
        Job::Cancel => (&["cancelled", "canceled"], &[]),
        Job::Move => (&["rescheduled", "moved"], &[]),
        _ => (&["booked", "confirmed", "success"], &["created", "made", "scheduled", "successful"]),
    };
    let mut named = false;
    for word in words.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if NOUNS.contains(&word) {
            named = true;
        } else if !BEFORE.contains(&word) {
            return done.contains(&word) || (named && with_noun.contains(&word));
        }
    }
    false
}

/// The reference that a sentence names: `ref NB-2207`.
fn reference_in(text: &str) -> Option<(String, Value)> {
    let edge = |c: char| !c.is_alphanumeric() && c != '-' && c != '_';
    let mut words = text.split(edge).filter(|word| !word.is_empty());
    words.find(|word| ["ref", "reference"].contains(&word.to_lowercase().as_str()))?;
    let reference = words.next().filter(|word| word.chars().any(|c| c.is_ascii_digit()))?;
    Some(("reference".to_owned(), Value::from(reference)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(name: &str, content: &str, successful: Option<bool>) -> End {
        let entry = serde_json::json!({
            "role": "tool_call_result", "content": content, "successful": successful,
        });
        let entry = entry.to_string();
        let entry: Entry = serde_json::from_str(&entry).unwrap();
        let jobs = Jobs(None);
        read_result(jobs.only_begins(name), jobs.of(name), &entry).1
    }

    #[test]
    fn the_answers_own_words_count_before_the_servers_success() {
        for (content, expected) in [
            (r#"{"success":true,"booking_id":"A1"}"#, End::Done),
            (r#"{"booked":"true"}"#, End::Done),
            (r#"{"status":"Job booked","jobId":"7"}"#, End::Done),
            (r#"{"success":true,"data":{"id":"x1"}}"#, End::Done),
            (r#"{"booking_id":"A1"}"#, End::Done),
            ("true", End::Done),
            ("Booked: Brow Lamination, ref NB-2207", End::Done),
            ("Your appointment has been booked for Tuesday at 3 PM.", End::Done),
            ("Appointment successfully scheduled!", End::Done),
            ("Successfully booked", End::Done),
            ("Success", End::Done),
            (r#"{"result":"success"}"#, End::Done),
            (r#"{"success":false}"#, End::NotDone),
            (r#"{"success":true,"booked":false}"#, End::NotDone),
            (r#"{"error":"slot taken"}"#, End::NotDone),
            ("Sorry, that time is taken.", End::NotDone),
            ("Booked? No, that did not work.", End::Unclear),
            ("Thanks!", End::Unclear),
            ("Successfully", End::Unclear),
            ("Your booking is confirmed once the deposit is paid.", End::Unclear),
            ("The appointment will be booked.", End::Unclear),
            ("Created a note for the salon.", End::Unclear),
            ("Arrive only five minutes early.", End::Unclear),
            ("The booking was cancelled", End::Unclear),
            ("", End::Unclear),
            ("{}", End::Unclear),
            (r#"{"message":"ok"}"#, End::Unclear),
        ] {
            assert_eq!(end("book_appointment", content, Some(true)), expected, "{content}");
            assert_eq!(end("book_appointment", content, None), expected, "{content}");
        }
    }

    #[test]
    fn a_failed_call_is_not_done_unless_it_says_that_it_is() {
        let booked = |content| end("book_appointment", content, Some(false));
        assert_eq!(booked("Request failed with status code 500"), End::NotDone);
        assert_eq!(booked("{}"), End::NotDone);
        assert_eq!(booked(r#"{"booking_id":"A1"}"#), End::Unclear);
    }

    #[test]
    fn a_tool_that_begins_must_show_that_it_ended() {
        assert_eq!(end("start_booking", r#"{"success":true}"#, Some(true)), End::NotDone);
        assert_eq!(end("start_booking", r#"{"success":true,"booked":true}"#, None), End::Done);
    }

    #[test]
    fn equal_arguments_are_one_telling() {
        let one = json::inner(r#"{"a":1,"b":"x","execution_message":"One moment."}"#).unwrap();
        let other = json::inner(r#"{ "b":"x", "a":1 }"#).unwrap();
        assert_eq!(told_as("book", &one), told_as("book", &other));
        assert_ne!(told_as("book", &one), told_as("cancel", &one));
    }

    #[test]
    fn a_result_is_the_next_one_with_its_calls_id() {
        let call = |role: &str, content: &str| {
            let call = serde_json::json!({
                "role": role, "tool_call_id": "t", "name": "book_job", "arguments": "{}",
                "content": content,
            });
            serde_json::value::to_raw_value(&call).unwrap()
        };
        let (ask, result) = ("tool_call_invocation", "tool_call_result");
        let lines = [
            call(result, "true"),
            call(ask, ""),
            call("user", ""),
            call(result, "false"),
            call(result, "true"),
            call(ask, ""),
            call(result, "true"),
            call(ask, ""),
        ];
        let found = all(&lines.iter().map(AsRef::as_ref).collect::<Vec<_>>(), "/t", Jobs(None));
        let ends: Vec<_> = found.iter().map(|call| (call.item.as_str(), call.end)).collect();
        let expected =
            [("tool:t", End::NotDone), ("tool:t#5", End::Done), ("tool:t#7", End::NotDone)];
        assert_eq!(ends, expected);
        assert_eq!(found[0].answered_at, "/t/3/content");
    }
}
