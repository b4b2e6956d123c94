//! The strict way from bytes to JSON, and what it refuses.

use super::*;
use crate::sources::skim::{Raw, skimmed};

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
    skimmed! {
        struct Event<'a> {
            event "event": Raw<'a>,
            call "call": Option<Vec<&'a serde_json::value::RawValue>>,
        }
    }
    let event = |body: &'static str| word(typed::<Event>(body.as_bytes()).unwrap().event);
    let body = r#"{"event":"a","other":[{}],"event":"b"}"#;
    assert_eq!(object(body.as_bytes()).unwrap()["event"], "b");
    assert_eq!(event(body).as_deref(), Some("b"));
    assert_eq!(event(r#"{"\u0065vent":"b"}"#).as_deref(), Some("b"));
    assert_eq!(event(r#"{"\ud83d":1,"event":"b"}"#).as_deref(), Some("b"));
    assert_eq!(event(r#"{"event":{"event":"b"},"call":null}"#), None);
    assert_eq!(event(r#"{"call":1,"event":"b","call":[]}"#).as_deref(), Some("b"));
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
