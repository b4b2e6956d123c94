//! The value ladders: from what a caller wrote to what it certainly means.

use crate::domain::email;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

/// The most characters of any field, which are those of notes.
pub(super) const MOST_KEPT: usize = 5000;

/// A value as it stood in the body, before anything is read into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Raw {
    /// A text, trimmed.
    Text(String),
    /// A number, as it was written.
    Number(String),
    /// True or false.
    Flag(bool),
    /// A list or an object where one value was expected.
    Many,
}

impl Raw {
    /// The value, or `None` where it says nothing: `null`, an empty list, a placeholder.
    #[must_use]
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Bool(flag) => Some(Self::Flag(*flag)),
            Value::Number(number) => Some(Self::Number(number.to_string())),
            Value::String(text) if is_placeholder(text) => None,
            Value::String(text) => Some(Self::Text(text.trim().to_owned())),
            // A form's choice of several comes as a list: with one choice it is that value.
            Value::Array(items) => match items.as_slice() {
                [] => None,
                [one] if !one.is_array() => Self::of(one),
                _ => Some(Self::Many),
            },
            Value::Object(object) if object.is_empty() => None,
            Value::Object(_) => Some(Self::Many),
        }
    }

    /// The text or the number's text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text),
            Self::Flag(_) | Self::Many => None,
        }
    }

    /// The same value, where it is longer than anything that is kept only its beginning: still too
    /// long for every field, and, with a letter behind it, never what only began like a value.
    #[must_use]
    pub(in crate::sources) fn bounded(self) -> Self {
        let cut = |text: String| match text.char_indices().nth(MOST_KEPT) {
            Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "…x",
            None => text,
        };
        match self {
            Self::Text(text) => Self::Text(cut(text)),
            Self::Number(text) => Self::Number(cut(text)),
            other => other,
        }
    }

    /// The value for the person who reviews.
    #[must_use]
    pub fn shown(&self) -> Option<String> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text.clone()),
            Self::Flag(flag) => Some(flag.to_string()),
            Self::Many => None,
        }
    }
}

/// A name or a word without what only decorates it: NFKC, lower case, letters and digits only.
#[must_use]
pub fn normalise(text: &str) -> String {
    if text.is_ascii() {
        let kept = text.bytes().filter(u8::is_ascii_alphanumeric);
        return kept.map(|b| char::from(b.to_ascii_lowercase())).collect();
    }
    let folded = text.nfkc().flat_map(char::to_lowercase);
    folded.filter(|c| c.is_alphanumeric()).collect()
}

/// True for what forms and language models write where they know nothing, and for a template's
/// variable that nobody filled in.
#[must_use]
pub fn is_placeholder(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "", "?", "-", "--", "n/a", "none", "null", "undefined", "unknown", "caller", "anonymous",
        "not provided", "not specified", "not given", "not available", "no phone", "caller_number",
        "[object object]",
    ];
    let text = text.trim();
    let is_variable = text.starts_with("{{") && text.ends_with("}}");
    is_variable || (text.len() <= 16 && WORDS.contains(&text.to_lowercase().as_str()))
}

/// True for what people answer when they don't mind who serves them.
pub(super) fn is_anyone(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "any", "anyone", "anybody", "anystaff", "anystylist", "anyavailable", "anystaffmember",
        "nopreference", "firstavailable", "whoever", "egal",
    ];
    WORDS.contains(&normalise(text).as_str())
}

/// Reads yes or no; anything else is unknown, never no.
#[must_use]
pub fn yes_no(raw: &Raw) -> Option<bool> {
    let word = match raw {
        Raw::Flag(flag) => return Some(*flag),
        Raw::Number(text) => text.clone(),
        Raw::Text(text) => normalise(text),
        Raw::Many => return None,
    };
    match word.as_str() {
        "true" | "yes" | "y" | "1" | "booked" | "confirmed" => Some(true),
        "false" | "no" | "n" | "0" | "notbooked" | "notconfirmed" => Some(false),
        _ => None,
    }
}

/// Reads whole minutes, 1 to 1440: `60`, `"60"`, `60 min`, `1 hour 30 minutes`, `1.5 h`, `PT1H30M`.
pub(super) fn minutes(text: &str) -> Option<u32> {
    let text = text.trim().to_ascii_lowercase();
    let text = text.strip_prefix("pt").unwrap_or(&text);
    let (first, factor, rest) = minutes_of_part(text)?;
    let minutes = match rest {
        "" => first,
        // Whole hours, and minutes behind them.
        rest if factor == 60 && first % 60 == 0 => {
            let rest = rest.strip_prefix("and ").unwrap_or(rest);
            let (more, _, rest) = minutes_of_part(rest).filter(|(more, ..)| *more < 60)?;
            first.checked_add(more).filter(|_| rest.is_empty())?
        }
        _ => return None,
    };
    (1..=1440).contains(&minutes).then_some(minutes)
}

/// One number in minutes, how many its unit has, and what follows it.
fn minutes_of_part(text: &str) -> Option<(u32, u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_alphabetic() && c != '.').unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let (factor, fraction) = match (unit, fraction.trim_end_matches('0')) {
        (_, _) if fraction.is_empty() => return None,
        ("" | "m" | "min" | "mins" | "min." | "minute" | "minutes", "") => (1, 0),
        ("h" | "hr" | "hrs" | "hour" | "hours", "") => (60, 0),
        ("h" | "hr" | "hrs" | "hour" | "hours", "5") => (60, 30),
        _ => return None,
    };
    let minutes = whole.parse::<u32>().ok()?.checked_mul(factor)?.checked_add(fraction)?;
    Some((minutes, factor, rest.trim_start_matches([' ', ','])))
}

/// Reads an e-mail address, also as a link has it.
pub(super) fn email(text: &str) -> Option<String> {
    email::parse(text.strip_prefix("mailto:").unwrap_or(text))
}

/// One string as first and last name: the last word is the last name, unless there is one only.
#[must_use]
pub fn split_name(name: &str) -> (String, Option<String>) {
    match name.trim().rsplit_once(char::is_whitespace) {
        Some((first, last)) => (first.trim_end().to_owned(), Some(last.to_owned())),
        None => (name.trim().to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_counts_as_absent() {
        for text in [
            "", "  ", "N/A", "n/a", "none", "Unknown", "caller", "anonymous", "Not provided",
            "Not Specified", "?", "null", "undefined", "{{customer_name}}", "caller_number",
        ] {
            assert_eq!(Raw::of(&Value::from(text)), None, "{text:?}");
        }
        for text in ["None Such", "Ann", "0", "no", "{{a}} b"] {
            assert!(Raw::of(&Value::from(text)).is_some(), "{text:?}");
        }
        assert_eq!(Raw::of(&Value::Null), None);
        assert_eq!(Raw::of(&serde_json::json!([])), None);
        assert_eq!(Raw::of(&serde_json::json!(["Cut"])), Some(Raw::Text("Cut".to_owned())));
        assert_eq!(Raw::of(&serde_json::json!(["Cut", "Colour"])), Some(Raw::Many));
    }

    #[test]
    fn yes_and_no_are_read_and_everything_else_is_unknown() {
        let read = |value: Value| Raw::of(&value).as_ref().and_then(yes_no);
        for yes in
            [true.into(), "true".into(), "Yes".into(), "y".into(), "1".into(), Value::from(1)]
        {
            assert_eq!(read(yes), Some(true));
        }
        for no in
            [false.into(), "FALSE".into(), "no".into(), "N".into(), "0".into(), Value::from(0)]
        {
            assert_eq!(read(no), Some(false));
        }
        for unknown in ["maybe".into(), "2".into(), Value::from(2), "".into(), Value::Null] {
            assert_eq!(read(unknown), None);
        }
    }

    #[test]
    fn a_duration_is_whole_minutes() {
        for text in ["60", "60 min", "60min", "60.0", "60 Minutes", "1 hour", "1h"] {
            assert_eq!(minutes(text), Some(60), "{text}");
        }
        for text in [
            "90", "1h 30m", "1h30m", "1 hour 30 minutes", "1 hour and 30 min", "1.5 hours",
            "1.50 h", "PT1H30M", "PT90M", "90.0 mins",
        ] {
            assert_eq!(minutes(text), Some(90), "{text}");
        }
        for text in [
            "", "0", "-60", "60.5", "an hour", "60-90", "1441", "99999999999", ".", "1.25 h",
            "1:30", "30m 1h", "90m 30m", "1h 90m", "1h 30m 10m", "60 or 90", "1h-2h", "25 hours",
            "60 30", "120m 30m", "1.5h 10m",
        ] {
            assert_eq!(minutes(text), None, "{text}");
        }
    }

    #[test]
    fn an_email_may_come_as_a_link() {
        assert_eq!(email("mailto:Niamh@Example.IE").as_deref(), Some("niamh@example.ie"));
        assert_eq!(email("niamh dot obrien at example dot ie"), None);
    }

    #[test]
    fn the_last_word_is_the_last_name() {
        let split = |name| {
            let (first, last) = split_name(name);
            (first, last.unwrap_or_default())
        };
        let pair = |first: &str, last: &str| (first.to_owned(), last.to_owned());
        assert_eq!(split("Niamh O'Brien"), pair("Niamh", "O'Brien"));
        assert_eq!(split("Seán Ó Súilleabháin"), pair("Seán Ó", "Súilleabháin"));
        assert_eq!(split(" Áine "), pair("Áine", ""));
        assert_eq!(split("中村"), pair("中村", ""));
        assert_eq!(split("中村\u{3000}花子"), pair("中村", "花子"));
    }

    #[test]
    fn names_are_compared_without_decoration() {
        assert_eq!(normalise("Caller's email id"), "callersemailid");
        assert_eq!(normalise("appointment date"), "appointmentdate");
        assert_eq!(normalise("Ｎame"), "name");
        assert!(is_anyone("No preference"));
        assert!(!is_anyone("Annie"));
    }
}
