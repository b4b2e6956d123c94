//! The strict way from bytes to JSON: what is not plainly one JSON object is refused by name.

use super::Malformed;
use crate::domain::problem::Problem;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

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
    let mut value = serde_json::from_str(text).ok()?;
    if text.contains("\\u0000") {
        drop_nul(&mut value);
    }
    Some(value)
}

/// Takes NUL out of all texts: one of the two databases can't hold it, so neither is given it.
fn drop_nul(value: &mut Value) {
    match value {
        Value::String(text) => text.retain(|c| c != '\0'),
        Value::Array(items) => items.iter_mut().for_each(drop_nul),
        Value::Object(object) => {
            let old = std::mem::take(object);
            object.extend(old.into_iter().map(|(mut key, mut value)| {
                key.retain(|c| c != '\0');
                drop_nul(&mut value);
                (key, value)
            }));
        }
        _ => {}
    }
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
    use super::super::skim::{Raw, skimmed};
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
    fn a_number_keeps_its_text() {
        let found = object(br#"{"price":75.10,"big":9007199254740993}"#).unwrap();
        assert_eq!(found["price"].to_string(), "75.10");
        assert_eq!(found["big"].to_string(), "9007199254740993");
    }

    #[test]
    fn of_a_repeated_key_the_last_wins_in_every_way_of_reading() {
        skimmed! {
            struct Event<'a> {
                event "event": Raw<'a>,
                call "call": Option<Vec<Raw<'a>>>,
            }
        }
        let event = |body: &'static str| word(typed::<Event>(body.as_bytes()).unwrap().event);
        let body = r#"{"event":"a","other":[{}],"event":"b"}"#;
        assert_eq!(object(body.as_bytes()).unwrap()["event"], "b");
        assert_eq!(event(body).as_deref(), Some("b"));
        assert_eq!(event(r#"{"\u0065vent":"b"}"#).as_deref(), Some("b"));
        assert_eq!(event(r#"{"event":{"event":"b"},"call":null}"#), None);
        let code = |body: &[u8]| typed::<Event>(body).map(|e| e.call).unwrap_err().problem.code;
        assert_eq!(code(br#"{"call":1}"#), "body_unreadable");
        assert_eq!(code(br#"["a"]"#), "body_not_object");
        assert_eq!(code(br#"{"event":"a"}x"#), "body_not_json");
    }

    #[test]
    fn equal_objects_have_one_canonical_text() {
        let read = |text| canonical(&inner(text).unwrap(), &["z"]);
        let expected = r#"{"a":[1,{"x":null,"y":"\"","z":0}],"b":2.50}"#;
        assert_eq!(read(r#"{"b":2.50,"z":1,"a":[1,{"y":"\"","z":0,"x":null}]}"#), expected);
        assert_eq!(read(expected), expected);
    }
}
