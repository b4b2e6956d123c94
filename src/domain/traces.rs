//! Finding a person in raw text: their numbers in any spelling, their addresses and ids.

use super::person::Identity;
use super::phone::{Phone, decimal};

/// Fewer digits than this are in too many texts to mean a number.
const FEWEST_DIGITS: usize = 7;

/// People write at most so much between two digits of one number: ` - `, `) `.
const BETWEEN: usize = 3;

/// So often may a text be escaped: JSON in a text of JSON, and once more.
const LEVELS: usize = 4;

/// What a person is known by, as it may stand in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// Digits of numbers without country code.
    digits: Vec<String>,
    /// Addresses and ids, in lower case.
    words: Vec<String>,
}

impl Traces {
    /// Of everything that a person is known by, with their e-mail address where it is theirs
    /// alone.
    #[must_use]
    pub fn of(identities: &[Identity], email: Option<&str>) -> Self {
        let mut traces = Self::default();
        for identity in identities {
            match identity {
                Identity::Phone(phone) => traces.digits.push(dialled(phone)),
                Identity::WhatsApp(id) => traces.words.push(id.as_str().to_lowercase()),
                // An id of ours names nobody to anybody else.
                Identity::Client(_) => {}
            }
        }
        traces.words.extend(email.map(str::to_lowercase));
        traces
    }

    /// True when one of them stands in the text, also where the text is written as JSON has it.
    #[must_use]
    pub fn are_in(&self, text: &[u8]) -> bool {
        let mut text = String::from_utf8_lossy(text);
        for _ in 0..LEVELS {
            if self.stand_in(&text) {
                return true;
            }
            if !text.contains('\\') {
                break;
            }
            text = unescaped(&text).into();
        }
        false
    }

    fn stand_in(&self, text: &str) -> bool {
        let (words, digits) = (&self.words, &self.digits);
        let lower = if words.is_empty() { String::new() } else { text.to_lowercase() };
        let numbers = if digits.is_empty() { String::new() } else { numbers(text) };
        words.iter().any(|word| !word.is_empty() && lower.contains(word))
            || digits.iter().any(|digits| !digits.is_empty() && numbers.contains(digits))
    }
}

/// The digits that every spelling of a number ends in.
fn dialled(phone: &Phone) -> String {
    let national = phone.national();
    if national.len() >= FEWEST_DIGITS { national } else { phone.as_str().replace('+', "") }
}

/// The text's digits, with what people write between those of one number left out, and a space
/// for everything else.
fn numbers(text: &str) -> String {
    let mut numbers = String::with_capacity(text.len() / 4);
    let mut passed = Some(0);
    for letter in text.chars() {
        if let Some(digit) = decimal(letter) {
            if passed.is_none_or(|passed| passed > BETWEEN) {
                numbers.push(' ');
            }
            numbers.push(digit);
            passed = Some(0);
        } else {
            // Words part numbers, and so do the ends of JSON's texts.
            let parts = letter.is_alphanumeric() || letter == '"';
            passed = passed.filter(|_| !parts).map(|passed| passed + 1);
        }
    }
    numbers
}

/// The text with JSON's escapes read, wherever they stand: what is cut off or malformed may hold
/// some as well.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escaped)) = rest.split_once('\\') {
        plain.push_str(before);
        let code = escaped.strip_prefix('u').and_then(|rest| rest.split_at_checked(4));
        let letter = code.and_then(|(code, rest)| {
            Some((char::from_u32(u32::from_str_radix(code, 16).ok()?)?, rest))
        });
        let mut letters = escaped.chars();
        rest = match (letter, letters.next()) {
            (Some((letter, rest)), _) => {
                plain.push(letter);
                rest
            }
            (None, Some('b' | 'f' | 'n' | 'r' | 't')) => {
                plain.push(' ');
                letters.as_str()
            }
            (None, Some(letter)) => {
                plain.push(letter);
                letters.as_str()
            }
            (None, None) => "",
        };
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::person::WhatsAppId;

    #[test]
    fn a_person_is_found_however_the_number_is_written() {
        let phone = Identity::Phone(Phone::from_stored("+353871234567".to_owned()));
        let id = Identity::WhatsApp(WhatsAppId::parse("IE.40817").unwrap());
        let traces = Traces::of(&[phone, id], Some("aine@salon.example"));
        for text in [
            "{\"phone\":\"+353871234567\"}",
            "call me on 087 123 4567 please",
            "(087) 123-4567",
            "00353871234567",
            "\"wa_id\":\"353871234567\"",
            "Aine@Salon.example",
            "IE.40817",
            "087_123_4567 or 087,123,4567",
            "call \\u0030871234567 now",
            r"call 087\u00a0123\u00a04567",
            r"mail aine\u0040salon.example",
            r#"{"arguments":"{\"mail\":\"\\u0061ine\\u0040salon.example\"}"}"#,
            r#"{"cut off": "087\u2013123\u20134567"#,
            "٠٨٧ ١٢٣ ٤٥٦٧",
            "087 - 123 - 4567",
        ] {
            assert!(traces.are_in(text.as_bytes()), "{text}");
        }
        for text in [
            "{\"a\":\"0871234\",\"b\":\"567\"}",
            "0861234567",
            "aine",
            "",
            "\\",
            r"\u00",
            r"\u123€",
        ] {
            assert!(!traces.are_in(text.as_bytes()), "{text}");
        }
    }
}
