//! Phone numbers in E.164. The only file that names the phone number library.
//!
//! That is `rlibphonenumber`, a port of Google's. The better known `phonenumber` reads a number of
//! another country as the region's own (`+61 1300 123 456` in the US becomes `+61300123456`), takes
//! some that are too long, and agrees with Google on 97 of 100 probes of `tests/it/phones.rs`.

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// A country or region, ISO 3166-1 alpha-2 (`IE`), to which a number without country code belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    letters: [u8; 2],
    known_as: rlibphonenumber::Region,
}

impl Region {
    /// Reads two letters in any case; `None` for a region without telephone numbers of its own.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let letters: [u8; 2] = text.to_ascii_uppercase().into_bytes().try_into().ok()?;
        let known_as = rlibphonenumber::Region::from_code(std::str::from_utf8(&letters).ok()?);
        let region = Self { letters, known_as: known_as.ok()? };
        PHONE_NUMBER_UTIL.get_country_code_for_region(region.known_as).map(|_| region)
    }

    /// The two capital letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.letters).unwrap_or_default()
    }
}

/// A valid phone number in E.164: `+`, then 7 to 15 digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Phone(String);

/// A text that is not a valid phone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a valid phone number; send it with its country code, as +353871234567")]
pub struct NotAPhone;

impl Phone {
    /// Reads a number as people and providers write it; one without country code is `region`'s.
    ///
    /// Letters are refused (they would be dialled as digits), any script's digits are read, and
    /// the wrappings `whatsapp:`, `tel:` and `…@s.whatsapp.net` are taken off.
    ///
    /// # Errors
    /// [`NotAPhone`] unless the number is valid by Google's metadata.
    pub fn parse(text: &str, region: Region) -> Result<Self, NotAPhone> {
        let digits = plain(text)?;
        from_library(&digits, Some(region.known_as))
    }

    /// Reads a number that always carries its country code, with or without `+`: WhatsApp's
    /// `from` and `wa_id`.
    ///
    /// Brazilian numbers of 12 digits and Mexican ones that begin `521` are brought to today's
    /// form; Argentinian `549…` stays as it is.
    ///
    /// # Errors
    /// [`NotAPhone`] unless the number is valid by Google's metadata.
    pub fn parse_international(text: &str) -> Result<Self, NotAPhone> {
        let digits = plain(text)?;
        let digits = digits.trim_start_matches('+');
        from_library(&format!("+{}", todays_form(digits)), None)
    }

    /// The beginnings of numbers in E.164 that may be meant by digits somebody typed: a whole
    /// number or its beginning, national or international, with or without `+`.
    #[must_use]
    pub fn beginnings(typed: &str, region: Region) -> Vec<String> {
        let code = PHONE_NUMBER_UTIL.get_country_code_for_region(region.known_as);
        let national = |digits: &str| code.map(|code| format!("+{code}{digits}"));
        let international = |digits: &str| Some(format!("+{digits}"));
        // A trunk zero in brackets after the country code is written, never dialled.
        let trunk = code.map(|code| format!("+{code}0"));
        let typed = match trunk.and_then(|trunk| Some((code?, typed.strip_prefix(&trunk)?))) {
            Some((code, rest)) if code != ITALY => format!("+{code}{rest}"),
            _ => typed.to_owned(),
        };
        let digits = typed.trim_start_matches('+');
        let whole = Self::parse(&typed, region).ok().map(|phone| phone.0);
        let meant = if typed.starts_with('+') {
            vec![international(digits), whole]
        } else if let Some(rest) = digits.strip_prefix("00") {
            vec![international(rest), whole]
        } else if let Some(rest) = digits.strip_prefix('0') {
            let abroad = digits.strip_prefix("011").and_then(international);
            vec![national(rest), national(digits), abroad, whole]
        } else {
            vec![international(digits), national(digits), whole]
        };
        let mut meant: Vec<String> = meant.into_iter().flatten().collect();
        meant.sort();
        meant.dedup();
        meant
    }

    /// Takes a number that this type wrote before.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The digits without the country code.
    #[must_use]
    pub fn national(&self) -> String {
        let number = PHONE_NUMBER_UTIL.parse(&self.0, None);
        number.map_or_else(|_| self.0.replace('+', ""), |n| n.national_number.to_string())
    }

    /// The number in E.164.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The one country whose numbers keep their zero behind the country code.
const ITALY: i32 = 39;

/// More bytes than any number takes, in its longest wrapping.
const LONGEST: usize = 200;

/// Digits in ASCII with a leading `+` if there was one; everything that only decorates is gone.
fn plain(text: &str) -> Result<String, NotAPhone> {
    if text.len() > LONGEST {
        return Err(NotAPhone);
    }
    let text = text.nfkc().collect::<String>();
    let text = text.trim();
    let text = text.split_once('@').map_or(text, |(number, _)| number);
    let text = ["whatsapp:", "tel:"].iter().find_map(|p| text.strip_prefix(p)).unwrap_or(text);
    // A trunk zero in brackets after the country code is written, never dialled: +353 (0)87 …
    let international = text.trim_start().starts_with('+') || text.trim_start().starts_with("00");
    let text = if international { text.replacen("(0)", "", 1) } else { text.to_owned() };
    let mut plain = String::with_capacity(text.len());
    for letter in text.trim().chars() {
        match letter {
            '+' if plain.is_empty() => plain.push('+'),
            ' ' | '-' | '.' | '/' | '(' | ')' | '\u{a0}' | '\u{2010}'..='\u{2015}' => {}
            _ => plain.push(decimal(letter).ok_or(NotAPhone)?),
        }
    }
    // The shortest is the whole number of a small island, the longest one dialled from Australia.
    let digits = plain.trim_start_matches('+').len();
    if (4..=19).contains(&digits) { Ok(plain) } else { Err(NotAPhone) }
}

/// The ASCII digit of a decimal digit of any script. Unicode keeps each script's ten in a row.
pub(super) fn decimal(letter: char) -> Option<char> {
    const ZEROS: &[u32] = &[
        0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66,
        0xde6, 0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810,
    ];
    let code = u32::from(letter);
    let zero = ZEROS.iter().find(|zero| (**zero..**zero + 10).contains(&code))?;
    char::from_digit(code - zero, 10)
}

/// Old WhatsApp forms of Brazilian and Mexican mobiles in today's form.
fn todays_form(digits: &str) -> String {
    if let Some(rest) = digits.strip_prefix("521").filter(|rest| rest.len() == 10) {
        return format!("52{rest}");
    }
    let old_brazilian = digits.len() == 12 && digits.starts_with("55");
    match (old_brazilian, digits.get(2..4), digits.get(4..)) {
        (true, Some(area), Some(local)) if local.starts_with(['6', '7', '8', '9']) => {
            format!("55{area}9{local}")
        }
        _ => digits.to_owned(),
    }
}

fn from_library(text: &str, region: Option<rlibphonenumber::Region>) -> Result<Phone, NotAPhone> {
    let number = PHONE_NUMBER_UTIL.parse(text, region).map_err(|_| NotAPhone)?;
    let e164 = number.format_as(PhoneNumberFormat::E164);
    let digits = e164.len() - 1;
    let whole = number.is_valid() && (7..=15).contains(&digits);
    if whole { Ok(Phone(e164.into_owned())) } else { Err(NotAPhone) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn irish(text: &str) -> Option<String> {
        Phone::parse(text, Region::parse("IE").unwrap()).ok().map(|p| p.0)
    }

    fn abroad(text: &str) -> Option<String> {
        Phone::parse_international(text).ok().map(|p| p.0)
    }

    #[test]
    fn one_irish_mobile_is_one_number_however_it_is_written() {
        for text in [
            "+353871234567",
            "087 123 4567",
            "0871234567",
            "00353 87 123 4567",
            "353871234567",
            "+353 (0)87 123 4567",
            "whatsapp:+353871234567",
            "tel:+353-87-123-4567",
            "353871234567@s.whatsapp.net",
            "٠٨٧١٢٣٤٥٦٧",
            "０８７１２３４５６７",
        ] {
            assert_eq!(irish(text).as_deref(), Some("+353871234567"), "{text}");
        }
    }

    #[test]
    fn what_is_no_phone_is_refused() {
        for text in [
            "", "Not provided", "unknown", "anonymous", "12", "+3367a829916", "IE.871234567",
            "+353871234567890123", "sip:+353871234567x", "0", "++353871234567",
        ] {
            assert_eq!(irish(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_that_are_easily_misread_are_read_right() {
        let read =
            |text, region| Phone::parse(text, Region::parse(region).unwrap()).ok().map(|p| p.0);
        // An Italian mobile that begins as the country code does.
        assert_eq!(read("3912312312", "IT").as_deref(), Some("+393912312312"));
        assert_eq!(read("+39 06 1234 5678", "IE").as_deref(), Some("+390612345678"));
        // Another country's number is never cut to fit the region: these begin as American ones.
        assert_eq!(read("+611300123456", "US").as_deref(), Some("+611300123456"));
        assert_eq!(read("011 43 1 234567890", "US").as_deref(), Some("+431234567890"));
        assert_eq!(read("7012", "NU").as_deref(), Some("+6837012"));
        for too_long in ["+97233142764978", "+353871234567123", "087 123 45678"] {
            assert_eq!(read(too_long, "IE"), None, "{too_long}");
        }
    }

    #[test]
    fn a_region_has_numbers_of_its_own() {
        assert_eq!(Region::parse("ie").unwrap().as_str(), "IE");
        for text in ["", "I", "IRL", "ZZ", "001", "ÍE", "AQ"] {
            assert_eq!(Region::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_may_be_begun_in_any_way() {
        let ireland = Region::parse("IE").unwrap();
        for typed in ["087", "+35387", "0035387", "35387", "87", "+353087", "0871234567"] {
            let meant = Phone::beginnings(typed, ireland);
            let begun = meant.iter().any(|b| "+353871234567".starts_with(b.as_str()));
            assert!(begun, "{typed}: {meant:?}");
        }
        let italy = Region::parse("IT").unwrap();
        assert!(Phone::beginnings("061", italy).contains(&"+39061".to_owned()));
        assert!(!Phone::beginnings("087", ireland).iter().any(|b| "+3531".starts_with(b.as_str())));
    }

    #[test]
    fn a_whatsapp_number_is_never_read_as_a_national_one() {
        assert_eq!(abroad("353871234567").as_deref(), Some("+353871234567"));
        assert_eq!(abroad("447911123456").as_deref(), Some("+447911123456"));
        assert_eq!(abroad("551187654321").as_deref(), Some("+5511987654321"));
        assert_eq!(abroad("551132654321").as_deref(), Some("+551132654321"));
        assert_eq!(abroad("5215512345678").as_deref(), Some("+525512345678"));
        assert_eq!(abroad("5491123456789").as_deref(), Some("+5491123456789"));
        assert_eq!(abroad("IE.871234567"), None);
    }
}
