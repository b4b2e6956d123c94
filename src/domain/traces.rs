//! Finding a person in raw text: their numbers in any spelling, their addresses and ids.

use super::person::Identity;
use super::phone::Phone;

/// Fewer digits than this are in too many texts to mean a number.
const FEWEST_DIGITS: usize = 7;

/// What a person is known by, as it may stand in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// Digits of numbers without country code.
    digits: Vec<Vec<u8>>,
    /// Addresses and ids, in lower case.
    words: Vec<Vec<u8>>,
}

impl Traces {
    /// Of everything that a person is known by, with their e-mail address where it is theirs
    /// alone.
    #[must_use]
    pub fn of(identities: &[Identity], email: Option<&str>) -> Self {
        let mut traces = Self::default();
        for identity in identities {
            match identity {
                Identity::Phone(phone) => traces.digits.push(dialled(phone).into_bytes()),
                Identity::WhatsApp(id) => {
                    traces.words.push(id.as_str().to_lowercase().into_bytes());
                }
                // An id of ours names nobody to anybody else.
                Identity::Client(_) => {}
            }
        }
        traces.words.extend(email.map(|email| email.to_lowercase().into_bytes()));
        traces
    }

    /// True when one of them stands in the text.
    #[must_use]
    pub fn are_in(&self, text: &[u8]) -> bool {
        let lower = || text.to_ascii_lowercase();
        (!self.words.is_empty() && self.words.iter().any(|word| contains(&lower(), word)))
            || (!self.digits.is_empty() && {
                let numbers = numbers(text);
                self.digits.iter().any(|digits| contains(&numbers, digits))
            })
    }
}

/// The digits that every spelling of a number ends in.
fn dialled(phone: &Phone) -> String {
    let national = phone.national();
    if national.len() >= FEWEST_DIGITS { national } else { phone.as_str().replace('+', "") }
}

/// The text's digits, with what people write between those of one number left out, and a space
/// for everything else.
fn numbers(text: &[u8]) -> Vec<u8> {
    let between = |byte: &u8| b" -./()".contains(byte);
    let kept = text.iter().filter(|byte| !between(byte));
    kept.map(|byte| if byte.is_ascii_digit() { *byte } else { b' ' }).collect()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
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
        ] {
            assert!(traces.are_in(text.as_bytes()), "{text}");
        }
        for text in ["{\"a\":\"0871234\",\"b\":\"567\"}", "0861234567", "aine", ""] {
            assert!(!traces.are_in(text.as_bytes()), "{text}");
        }
    }
}
