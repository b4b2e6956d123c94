//! Phones against Google's library: the example numbers of every region, as people write them.
//!
//! Two witnesses. `fixtures/vectors/phones.tsv` holds the answers of Google's own code (its
//! JavaScript, run by `tests/phone-vectors.mjs`), slips of the finger included. The Rust port of
//! the same library, which `Phone` stands on, is asked for every spelling of its example numbers:
//! there `Phone`'s own work on a text is what is tested.

use bookhook::domain::phone::{Phone, Region};
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, PhoneNumberType};
use std::collections::BTreeMap;
use std::fmt;

/// How many answers of a witness must be ours too, in thousandths.
const ENOUGH: usize = 990;

/// What was asked, and what was answered otherwise.
#[derive(Default)]
struct Agreement {
    asked: usize,
    alike: usize,
    /// What we made of each text, by the number that Google makes of it.
    otherwise: BTreeMap<String, Vec<String>>,
}

/// Why a number of Google's is none of ours; nothing else may differ.
fn why(googles: &str) -> Option<&'static str> {
    match googles.trim_start_matches('+').len() {
        1..7 => Some("a service's short number: a phone that a customer has is 7 digits or longer"),
        16.. => Some("longer than the 15 digits that E.164 allows"),
        _ => None,
    }
}

impl Agreement {
    /// Asks for one text; without a region as a number that carries its country code.
    fn ask(&mut self, text: &str, region: Option<&str>, expected: Option<&str>) {
        let ours = match region {
            Some(region) => Phone::parse(text, Region::parse(region).unwrap()),
            None => Phone::parse_international(text),
        };
        let ours = ours.ok();
        let ours = ours.as_ref().map(Phone::as_str);
        self.asked += 1;
        if ours == expected {
            self.alike += 1;
        } else {
            let line = format!("{text:?} in {}: {ours:?}", region.unwrap_or("no region"));
            let googles = expected.unwrap_or("no number").to_owned();
            self.otherwise.entry(googles).or_default().push(line);
        }
    }

    fn thousandths(&self) -> usize {
        self.alike * 1000 / self.asked
    }

    fn is_enough(&self, asked: usize) {
        println!("{self}");
        assert!(self.asked >= asked, "only {} were asked", self.asked);
        assert!(self.thousandths() >= ENOUGH, "{self}");
        let unexplained: Vec<_> = self.otherwise.keys().filter(|g| why(g).is_none()).collect();
        assert!(unexplained.is_empty(), "{unexplained:?}\n{self}");
    }
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (alike, asked) = (self.alike, self.asked);
        let share = alike * 100_000 / asked;
        let (whole, rest) = (share / 1000, share % 1000);
        writeln!(f, "phones: {alike} of {asked} as Google's library: {whole}.{rest:03} %")?;
        for (googles, lines) in &self.otherwise {
            let reason = why(googles).unwrap_or("unexplained");
            writeln!(f, "  {googles} ({} texts): {reason}", lines.len())?;
            lines.iter().take(3).try_for_each(|line| writeln!(f, "    {line}"))?;
        }
        Ok(())
    }
}

#[test]
fn phones_are_read_as_googles_own_library_reads_them() {
    let mut agreement = Agreement::default();
    for line in include_str!("../../fixtures/vectors/phones.tsv").lines() {
        let [region, text, expected] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        agreement.ask(text, Some(region), Some(expected).filter(|e| *e != "-"));
    }
    agreement.is_enough(10_000);
}

#[test]
fn phones_are_the_same_in_every_spelling() {
    let mut agreement = Agreement::default();
    for (region, number) in examples() {
        let e164 = number.format_as(PhoneNumberFormat::E164).into_owned();
        for text in national(&number) {
            agreement.ask(&text, Some(&region), Some(&e164));
        }
        for text in international(&number) {
            for from in [None, Some(region.as_str()), Some("US")] {
                agreement.ask(&text, from, Some(&e164));
            }
        }
        for from in [region.as_str(), "US", "AU"] {
            let there = rlibphonenumber::Region::from_code(from).unwrap();
            let dialled = number.format_out_of_country_calling_number(there);
            agreement.ask(&dialled, Some(from), Some(&e164));
        }
        let bare = e164.trim_start_matches('+');
        agreement.ask(bare, None, Some(&e164));
        agreement.ask(&format!("{bare}@s.whatsapp.net"), None, Some(&e164));
    }
    agreement.is_enough(30_000);
}

/// The example number of every type in every region.
fn examples() -> Vec<(String, PhoneNumber)> {
    const TYPES: [PhoneNumberType; 10] = [
        PhoneNumberType::FixedLine,
        PhoneNumberType::Mobile,
        PhoneNumberType::TollFree,
        PhoneNumberType::PremiumRate,
        PhoneNumberType::SharedCost,
        PhoneNumberType::VoIP,
        PhoneNumberType::PersonalNumber,
        PhoneNumberType::Pager,
        PhoneNumberType::UAN,
        PhoneNumberType::VoiceMail,
    ];
    let found = PHONE_NUMBER_UTIL.get_supported_regions().flat_map(|region| {
        TYPES.into_iter().filter_map(move |kind| {
            let number = PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(region, kind);
            Some((region.to_string(), number.ok()?))
        })
    });
    found.collect()
}

/// As it is written at home.
fn national(number: &PhoneNumber) -> Vec<String> {
    let usual = number.format_as(PhoneNumberFormat::National).into_owned();
    let digits = usual.chars().filter(char::is_ascii_digit).collect();
    let arabic =
        |c: char| c.to_digit(10).and_then(|digit| char::from_u32(0x660 + digit)).unwrap_or(c);
    vec![
        usual.replace(' ', "-"),
        usual.replace(' ', "\u{a0}"),
        format!("  {usual} "),
        usual.chars().map(arabic).collect(),
        digits,
        usual,
    ]
}

/// As it is written for the world.
fn international(number: &PhoneNumber) -> Vec<String> {
    let usual = number.format_as(PhoneNumberFormat::International).into_owned();
    let e164 = number.format_as(PhoneNumberFormat::E164).into_owned();
    let wide = |c: char| char::from_u32(u32::from(c) + 0xfee0).filter(|_| c.is_ascii_digit());
    vec![
        usual.replace(' ', "-"),
        usual.replace(' ', "."),
        format!("whatsapp:{e164}"),
        e164.chars().map(|c| wide(c).unwrap_or(c)).collect(),
        number.format_as(PhoneNumberFormat::RFC3966).into_owned(),
        usual,
        e164,
    ]
}
