//! The strict way from bytes to JSON: what is not plainly one JSON object is refused by name.

use super::Malformed;
use crate::domain::problem::Problem;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::fmt;

/// How deep arrays and objects may stand in each other.
pub const MAX_DEPTH: usize = 64;

/// How many bytes a provider's id may have: they are keys in the database.
pub const MAX_ID: usize = 200;

/// Reads a body that must be one JSON object; a NUL in its texts is dropped.
///
/// # Errors
/// [`Malformed`] with the code of [`text`], or `body_not_json` or `body_not_object`.
pub fn object(body: &[u8]) -> Result<Map<String, Value>, Malformed> {
    match parse(text(body)?) {
        Some(Value::Object(object)) => Ok(object),
        Some(_) => Err(not_object()),
        None => Err(not_json()),
    }
}

/// Reads a body into a type that names only what it needs; everything else is skipped, unbuilt.
///
/// # Errors
/// [`Malformed`] as [`object`]; `body_unreadable` when a part has not the form that the type asks.
pub fn typed<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Malformed> {
    let text = text(body)?;
    serde_json::from_str(text).map_err(|_| match serde_json::from_str::<IgnoredAny>(text) {
        Err(_) => not_json(),
        Ok(_) if !text.trim_start().starts_with('{') => not_object(),
        Ok(_) => {
            malformed("body_unreadable", "A part of the body has not the form of this source.")
        }
    })
}

/// Reads a skipped part into such a type; `None` where it has another form.
#[must_use]
pub fn part<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

/// The body's text, if it is UTF-8 and not nested deeper than [`MAX_DEPTH`].
///
/// # Errors
/// [`Malformed`] with `body_not_utf8` or `body_too_deep`.
pub fn text(body: &[u8]) -> Result<&str, Malformed> {
    let text = std::str::from_utf8(body)
        .map_err(|_| malformed("body_not_utf8", "The body is not UTF-8 text."))?;
    if is_too_deep(body) {
        let detail = "The body nests arrays and objects deeper than 64 levels.";
        return Err(malformed("body_too_deep", detail));
    }
    Ok(text)
}

/// Reads JSON inside JSON (a tool's arguments, a form's answers) by the same rules.
#[must_use]
pub fn inner(text: &str) -> Option<Value> {
    if is_too_deep(text.as_bytes()) {
        return None;
    }
    parse(text)
}

/// Builds a part of a body that was skipped so far; `None` where there is none, or only `null`.
#[must_use]
pub fn build(raw: Option<&RawValue>) -> Option<Value> {
    parse(raw?.get()).filter(|value| !value.is_null())
}

/// The text or the number of a skipped part, as text; `None` for anything else and for `""`.
#[must_use]
pub fn word(raw: Option<&RawValue>) -> Option<String> {
    // Lists and objects are not built to find out that they are no word.
    let raw = raw.filter(|raw| !raw.get().starts_with(['{', '[']));
    match build(raw)? {
        Value::String(text) => Some(text).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The same for somebody's id or name for a thing: what is longer than any of them is none.
#[must_use]
pub fn id(raw: Option<&RawValue>) -> Option<String> {
    word(raw).filter(|id| id.len() <= MAX_ID)
}

/// A copy of the JSON with the keys of every object in order: equal for equal values. The keys of
/// the outermost object that `without` names are left out.
#[must_use]
pub fn canonical(value: &Value, without: &[&str]) -> String {
    let mut text = String::new();
    write_canonical(value, without, &mut text);
    text
}

fn write_canonical(value: &Value, without: &[&str], text: &mut String) {
    match value {
        Value::Object(object) => {
            let mut pairs: Vec<_> =
                object.iter().filter(|(key, _)| !without.contains(&key.as_str())).collect();
            pairs.sort_by_key(|(key, _)| *key);
            text.push('{');
            for (nth, (key, value)) in pairs.into_iter().enumerate() {
                text.push_str(if nth > 0 { "," } else { "" });
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write_canonical(value, &[], text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (nth, item) in items.iter().enumerate() {
                text.push_str(if nth > 0 { "," } else { "" });
                write_canonical(item, &[], text);
            }
            text.push(']');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

/// One step of a JSON Pointer, escaped by RFC 6901.
#[must_use]
pub fn step(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn parse(text: &str) -> Option<Value> {
    let read = |text: &str| serde_json::from_str::<Plain>(text).ok().map(|plain| plain.0);
    read(text).or_else(|| read(&mended(text)?))
}

/// The JSON with every half of a surrogate pair replaced by U+FFFD, where there is one: what a
/// program leaves that cuts a text in the middle of an emoji. It is JSON all the same, and no
/// reason to lose the booking around it.
fn mended(json: &str) -> Option<String> {
    let mut mended = String::with_capacity(json.len());
    let (mut rest, mut halves) = (json, 0);
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        mended.push_str(before);
        let unit = |text: &str| u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok();
        let low = escape.get(6..).and_then(unit).filter(|unit| (0xdc00..0xe000).contains(unit));
        let length = match (unit(escape), low) {
            (Some(0xd800..0xdc00), Some(_)) => 12,
            (Some(0xd800..0xe000), _) => {
                mended.push('\u{fffd}');
                halves += 1;
                rest = escape.get(6..)?;
                continue;
            }
            _ => escape.char_indices().nth(2).map_or(escape.len(), |(at, _)| at),
        };
        let (whole, after) = escape.split_at_checked(length)?;
        mended.push_str(whole);
        rest = after;
    }
    mended.push_str(rest);
    (halves > 0).then_some(mended)
}

/// A value built by our own hands.
///
/// `serde_json`'s own building believes an object whose only key is one of its private names: a
/// text under it would be read as JSON again, and in it again, past every bound on depth. The NUL
/// is dropped here too, of texts and keys alike.
struct Plain(Value);

/// What the names begin with by which `serde_json` speaks to itself: nobody's keys.
const PRIVATE: &str = "$serde_json::private::";

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor).map(Self)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(without_nul(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(without_nul(value)))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Plain(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let (mut object, mut number) = (Map::new(), None);
        while let Some(key) = entries.next_key::<String>()? {
            let Plain(value) = entries.next_value()?;
            match key.strip_prefix(PRIVATE) {
                // A number comes as an object, so that its text is kept.
                Some("Number") => number = value.as_str().and_then(|text| text.parse().ok()),
                Some(_) => {}
                None => drop(object.insert(without_nul(key), value)),
            }
        }
        Ok(match number.filter(|_| object.is_empty()) {
            Some(number) => Value::Number(number),
            None => Value::Object(object),
        })
    }
}

/// Takes NUL out of a text: one of the two databases can't hold it, so neither is given it.
fn without_nul(mut text: String) -> String {
    text.retain(|c| c != '\0');
    text
}

/// Counts brackets outside of texts, so that no parser has to recurse to find out.
fn is_too_deep(body: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0usize, false, false);
    for byte in body {
        match (in_text, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_text = !in_text,
            (false, b'{' | b'[') => depth += 1,
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

fn not_json() -> Malformed {
    malformed("body_not_json", "The body is not JSON.")
}

fn not_object() -> Malformed {
    malformed("body_not_object", "The body is JSON, but not an object.")
}

fn malformed(code: &str, detail: &str) -> Malformed {
    Malformed { problem: Problem::whole(code, detail) }
}

#[cfg(test)]
mod tests;
