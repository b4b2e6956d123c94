//! The ladders of single values.

use crate::heap;
use crate::reading::{received_at, tenant};
use bookhook::domain::channel::DateOrder;
use bookhook::domain::money::{Currency, Money};
use bookhook::domain::person::WhatsAppId;
use bookhook::domain::phone::{Phone, Region};
use bookhook::domain::when::{self, Calendar};
use bookhook::sources::fields::{Raw, Told, is_placeholder, normalise, split_name, yes_no};
use proptest::prelude::*;
use serde_json::{Value, json};

/// How many bytes a value may take for each of its own.
const TIMES: usize = 64;

/// Texts near to what each ladder reads, and far from it.
fn text() -> impl Strategy<Value = String> {
    let pieces = [
        "+", "353", "00", "(0)", "87", "whatsapp:", "tel:", "@", "٠٨٧", "０", "€", "$", "EUR", "1",
        "234", ".", ",", "'", "-", "\u{2212}", " ", "\u{a0}", "2026", "/", "29", "03", "T",
        "01:30", ":", "am", "p.m.", "Z", "+01:00", "today", "tomorrow", "friday", "on ", "at ",
        "1773051302", "999", "yes", "N/A", "{{", "}}", "Áine", "O'Brien", "中村", "\u{fdfa}",
        "\u{0}", "é",
    ];
    let near = prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..8);
    let near = near.prop_map(|pieces| pieces.concat());
    prop_oneof![
        6 => near.clone(),
        2 => (near, 1usize..3000).prop_map(|(text, times)| text.repeat(times)),
        1 => any::<String>(),
        1 => "\\PC{0,40}",
    ]
}

fn calendar() -> impl Strategy<Value = Calendar> {
    let order = prop::sample::select(DateOrder::ALL.to_vec());
    let zone = prop::sample::select(vec![
        chrono_tz::Europe::Dublin,
        chrono_tz::America::New_York,
        chrono_tz::Asia::Kathmandu,
        chrono_tz::Pacific::Apia,
    ]);
    (zone, order, any::<bool>()).prop_map(|(zone, order, told)| Calendar {
        zone,
        order,
        told_at: told.then(received_at),
    })
}

proptest! {
    #[test]
    fn a_phone_is_in_e164_or_refused(text in text(), region in "[A-Z]{2}") {
        let region = Region::parse(&region).unwrap_or(tenant().default_region);
        let (read, taken) = heap::measured(|| {
            [Phone::parse(&text, region), Phone::parse_international(&text)]
        });
        heap::is_bounded("phone", text.len(), taken, TIMES);
        for phone in read.into_iter().flatten() {
            let digits = phone.as_str().strip_prefix('+').unwrap();
            prop_assert!((7..=15).contains(&digits.len()));
            prop_assert!(digits.bytes().all(|b| b.is_ascii_digit()));
            prop_assert_eq!(&Phone::parse_international(digits), &Ok(phone.clone()));
            prop_assert_eq!(Phone::parse(phone.as_str(), region), Ok(phone));
        }
    }

    #[test]
    fn an_amount_is_written_as_it_is_read(
        text in text(), told in prop::option::of("[A-Z]{3}"),
        usual in prop::sample::select(vec!["EUR", "JPY", "KWD", "MXN"]),
    ) {
        let usual = Currency::parse(usual).unwrap();
        let told = told.as_deref().and_then(Currency::parse);
        let (read, taken) = heap::measured(|| {
            [Money::parse(&text, told, usual), Money::parse_number(&text, usual)]
        });
        heap::is_bounded("amount", text.len(), taken, TIMES);
        for money in read.into_iter().flatten() {
            prop_assert!(money.minor >= 0);
            let written = money.to_number().to_string();
            prop_assert_eq!(Money::parse_number(&written, money.currency), Ok(money));
        }
    }

    #[test]
    fn a_moment_is_written_as_it_is_read(text in text(), other in text(), calendar in calendar()) {
        let (read, taken) = heap::measured(|| {
            let known = [calendar.instant(&text), calendar.together(&text, &other)];
            (known, when::absolute(&text), calendar.date(&text), when::clock(&text))
        });
        heap::is_bounded("time", text.len() + other.len(), taken, TIMES);
        let (known, absolute, ..) = read;
        for at in known.into_iter().flatten().chain(absolute) {
            prop_assert_eq!(calendar.instant(&at.to_rfc3339()), Ok(at));
        }
        if let Some(at) = absolute {
            prop_assert_eq!(calendar.instant(&text), Ok(at));
        }
    }

    #[test]
    fn words_and_names_are_read_whatever_they_are(text in text()) {
        let value = Value::from(text.as_str());
        let (read, taken) = heap::measured(|| {
            let raw = Raw::of(&value);
            let flag = raw.as_ref().and_then(yes_no);
            let told = (Told::parse(&text), WhatsAppId::parse(&text).is_some());
            (raw, flag, told, split_name(&text), normalise(&text), is_placeholder(&text))
        });
        heap::is_bounded("word", text.len(), taken, TIMES);
        let (raw, flag, _, (first, last), normalised, placeholder) = read;
        prop_assert_eq!(raw.is_none(), placeholder);
        prop_assert!(flag.is_none() || raw.is_some());
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let name = format!("{first} {}", last.unwrap_or_default());
        prop_assert_eq!(words(&name), words(&text));
        prop_assert_eq!(normalise(&normalised), normalised);
        prop_assert_eq!(Raw::of(&json!([value])).is_none(), placeholder);
    }
}
