//! The strict way from bytes to JSON: what is not plainly one JSON object is refused by name.

use super::Malformed;
use crate::domain::problem::Problem;
use serde::de::{MapAccess, SeqAccess, Visitor};
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
/// A body that repeats a key is read once more with the last of each winning, as [`object`] does.
///
/// # Errors
/// [`Malformed`] as [`object`]; `body_unreadable` when a part has not the form that the type asks.
pub fn typed<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Malformed> {
    let text = text(body)?;
    // A list would do for a type too, its members in order: only an object is meant.
    let is_object = text.trim_start().starts_with('{');
    if let (true, Ok(found)) = (is_object, serde_json::from_str(text)) {
        return Ok(found);
    }
    let plain = Value::Object(object(body)?).to_string();
    serde_json::from_str(&plain).map_err(|_| {
        malformed("body_unreadable", "A part of the body has not the form of this source.")
    })
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

/// A copy of the JSON with the keys of every object in order: equal for equal values.
#[must_use]
pub fn canonical(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let mut pairs: Vec<_> = object.iter().collect();
            pairs.sort_by_key(|(key, _)| *key);
            let pair = |(key, value): (&String, &Value)| {
                format!("{}:{}", Value::from(key.as_str()), canonical(value))
            };
            format!("{{{}}}", pairs.into_iter().map(pair).collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        plain => plain.to_string(),
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
mod tests {
    use super::*;

    fn code(body: &[u8]) -> String {
        object(body).unwrap_err().problem.code
    }

    #[test]
    fn only_one_plain_object_is_taken() {
        assert!(object(br#" {"a": 1} "#).is_ok());
        assert_eq!(code(b"\xff{}"), "body_not_utf8");
        assert_eq!(code(b""), "body_not_json");
        assert_eq!(code(b"hello"), "body_not_json");
        assert_eq!(code(br#"{"a":1}1"#), "body_not_json");
        assert_eq!(code(b"{\"a\":\"\x00\"}"), "body_not_json");
        assert_eq!(code(b"\xef\xbb\xbf{}"), "body_not_json");
        assert_eq!(code(b"[1]"), "body_not_object");
        assert_eq!(code(b"12"), "body_not_object");
    }

    #[test]
    fn sixty_four_levels_are_enough() {
        let nested = |levels: usize| {
            let inner = levels - 1;
            format!("{{\"a\":{}{}}}", "[".repeat(inner), "]".repeat(inner))
        };
        assert!(object(nested(64).as_bytes()).is_ok());
        assert_eq!(code(nested(65).as_bytes()), "body_too_deep");
        assert_eq!(code("[".repeat(200_000).as_bytes()), "body_too_deep");
        let in_text = format!("{{\"a\":\"\\\"{}\"}}", "[".repeat(500));
        assert!(object(in_text.as_bytes()).is_ok());
    }

    #[test]
    fn a_nul_is_dropped_from_texts_and_keys() {
        let found = object(br#"{"na\u0000me":"A\u0000oife","list":["\u0000"]}"#).unwrap();
        assert_eq!(found["name"], "Aoife");
        assert_eq!(found["list"][0], "");
    }

    #[test]
    fn a_text_is_never_read_as_json_again() {
        let name = "$serde_json::private::RawValue";
        for name in [name, "\\u0024serde_json::private::RawValue"] {
            let body = format!(r#"{{"a":{{"{name}":"[1]"}},"{name}":"{{}}"}}"#);
            let found = object(body.as_bytes()).unwrap();
            assert_eq!(Value::Object(found).to_string(), r#"{"a":{}}"#);
        }
        let forged = object(br#"{"a":{"$serde_json::private::Number":"1 or so"}}"#).unwrap();
        assert_eq!(Value::Object(forged).to_string(), r#"{"a":{}}"#);
    }

    #[test]
    fn half_of_a_surrogate_pair_is_a_letter_that_cant_be_shown() {
        let read = |text: &str| inner(&format!(r#"["{text}"]"#)).map(|list| list[0].clone());
        for (text, expected) in [
            (r"\ud83d", "\u{fffd}"),
            (r"a\uDE00b", "a\u{fffd}b"),
            (r"\ud83d\ud83d\ude00", "\u{fffd}\u{1f600}"),
            (r"\ud83d\n\ud83dx", "\u{fffd}\n\u{fffd}x"),
            (r"\\ud83d \ud83d", "\\ud83d \u{fffd}"),
            (r"é\\\ud83d", "é\\\u{fffd}"),
        ] {
            assert_eq!(read(text), Some(expected.into()), "{text}");
        }
        for text in [r"\ud83d\x", r"\ud83", r"\ud83d\", "\\ud83d\u{0}"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_keeps_its_text() {
        let found = object(br#"{"price":75.10,"big":9007199254740993}"#).unwrap();
        assert_eq!(found["price"].to_string(), "75.10");
        assert_eq!(found["big"].to_string(), "9007199254740993");
    }

    #[test]
    fn of_a_repeated_key_the_last_wins_in_every_way_of_reading() {
        #[derive(serde::Deserialize)]
        struct Event {
            event: String,
        }
        let body = br#"{"event":"a","event":"b"}"#;
        assert_eq!(object(body).unwrap()["event"], "b");
        assert_eq!(typed::<Event>(body).unwrap().event, "b");
        let code = |body: &[u8]| typed::<Event>(body).map(|e| e.event).unwrap_err().problem.code;
        assert_eq!(code(br#"{"event":1}"#), "body_unreadable");
        assert_eq!(code(br#"["a"]"#), "body_not_object");
        assert_eq!(code(br#"{"event":"a"}x"#), "body_not_json");
    }

    #[test]
    fn equal_objects_have_one_canonical_text() {
        let read = |text| canonical(&inner(text).unwrap());
        let expected = r#"{"a":[1,{"x":null,"y":"\""}],"b":2.50}"#;
        assert_eq!(read(r#"{"b":2.50,"a":[1,{"y":"\"","x":null}]}"#), expected);
        assert_eq!(read(expected), expected);
    }
}
