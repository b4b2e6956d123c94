//! A JSON Pointer (RFC 6901) that leads on through JSON written inside a text.

use crate::sources::fields::Raw;
use crate::sources::json;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The most bytes of a pointer.
const MOST_BYTES: usize = 512;

/// A pointer to one value in an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Pointer(Vec<String>);

impl TryFrom<String> for Pointer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = |why: &str| {
            let shown: String = text.chars().take(60).collect();
            format!("\"{shown}\" is no JSON Pointer: {why}")
        };
        if text.len() > MOST_BYTES {
            return Err(wrong("it has more than 512 bytes"));
        }
        let rest = text.strip_prefix('/').ok_or_else(|| wrong("it does not begin with /"))?;
        let steps: Option<Vec<String>> = rest.split('/').map(unescaped).collect();
        steps.map(Self).ok_or_else(|| wrong("after ~ comes 0 or 1"))
    }
}

impl From<Pointer> for String {
    fn from(pointer: Pointer) -> Self {
        written(&pointer.0)
    }
}

fn unescaped(step: &str) -> Option<String> {
    let odd = step.split('~').skip(1).any(|rest| !rest.starts_with(['0', '1']));
    (!odd).then(|| step.replace("~1", "/").replace("~0", "~"))
}

fn written(steps: &[String]) -> String {
    steps.iter().map(|step| json::step(step)).collect()
}

impl Pointer {
    /// The first step.
    pub(super) fn first(&self) -> &str {
        self.0.first().map(String::as_str).unwrap_or_default()
    }

    /// The value in an event, and the pointer of it or of the text that holds it.
    pub(super) fn in_event(&self, event: &Value) -> Option<(String, Raw)> {
        let at = follow(event, &self.0)?;
        Some((written(self.0.get(..at.0)?), at.1))
    }

    /// The value in an object that the first step stands for, and its pointer from there.
    pub(super) fn in_object(&self, object: &Map<String, Value>) -> Option<(String, Raw)> {
        let steps = self.0.get(1..)?;
        let (first, rest) = steps.split_first()?;
        let (taken, raw) = follow(object.get(first)?, rest)?;
        Some((written(steps.get(..=taken)?), raw))
    }

    /// The pointer from `place` on, where it leads there; else as it is.
    pub(super) fn inside(&self, place: &str) -> Self {
        let steps: Vec<String> = place.split('/').skip(1).filter_map(unescaped).collect();
        match self.0.strip_prefix(steps.as_slice()) {
            Some(rest) if !rest.is_empty() => Self(rest.to_vec()),
            _ => self.clone(),
        }
    }
}

/// The value at the end of the steps, if it says anything, and how many steps lead to it or to the
/// text that holds it.
fn follow(value: &Value, steps: &[String]) -> Option<(usize, Raw)> {
    let mut value = value;
    for (taken, step) in steps.iter().enumerate() {
        value = match value {
            Value::Object(object) => object.get(step)?,
            Value::Array(items) => items.get(place(step)?)?,
            Value::String(text) => {
                let inner = json::inner(text)?;
                let (_, raw) = follow(&inner, steps.get(taken..)?)?;
                return Some((taken, raw));
            }
            _ => return None,
        };
    }
    Some((steps.len(), Raw::of(value)?))
}

/// A place in a list: digits without a leading zero.
fn place(step: &str) -> Option<usize> {
    let plain = step.bytes().all(|b| b.is_ascii_digit()) && (step == "0" || !step.starts_with('0'));
    step.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pointer(text: &str) -> Result<Pointer, String> {
        Pointer::try_from(text.to_owned())
    }

    #[test]
    fn a_pointer_is_written_by_the_book() {
        for text in ["/a", "/a/b", "/a~1b/c~0d", "/", "/0/x"] {
            assert_eq!(String::from(pointer(text).unwrap()), text);
        }
        for text in ["", "a", "a/b", "/a~", "/a~2", "#/a", &format!("/{}", "x".repeat(512))] {
            assert!(pointer(text).is_err(), "{text}");
        }
    }

    #[test]
    fn it_leads_through_objects_lists_and_json_in_a_text() {
        let event = json!({"a/b": [{"x": "1"}], "text": "{\"in\":{\"list\":[7]}}", "empty": "n/a"});
        let at = |text: &str| pointer(text).unwrap().in_event(&event);
        let found = |at: &str, raw: Raw| Some((at.to_owned(), raw));
        assert_eq!(at("/a~1b/0/x"), found("/a~1b/0/x", Raw::Text("1".to_owned())));
        assert_eq!(at("/text/in/list/0"), found("/text", Raw::Number("7".to_owned())));
        for nothing in ["/none", "/a~1b/1/x", "/a~1b/00/x", "/text/in/none", "/empty", "/empty/x"] {
            assert_eq!(at(nothing), None, "{nothing}");
        }
        let object = event.as_object().unwrap();
        let beside = pointer("/args/text/in/list/0").unwrap().in_object(object);
        assert_eq!(beside, found("/text", Raw::Number("7".to_owned())));
        assert_eq!(pointer("/args").unwrap().in_object(object), None);
    }

    #[test]
    fn a_pointer_into_what_is_passed_on_begins_there() {
        let inside =
            |text: &str| String::from(pointer(text).unwrap().inside("/body/originalPayload"));
        assert_eq!(inside("/body/originalPayload/call/x"), "/call/x");
        assert_eq!(inside("/call/x"), "/call/x");
        assert_eq!(inside("/body/originalPayload"), "/body/originalPayload");
    }
}
