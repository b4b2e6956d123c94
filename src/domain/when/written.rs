//! Dates with the month in words: `2 April 2026`, `Thursday, April 2nd, 2026`.
//!
//! English, and only with the year: without it a date is a guess. A weekday that stands before it
//! must be the date's own.

use super::{WEEK, number};
use chrono::{Datelike, NaiveDate, Weekday};

const MONTHS: [&str; 12] = [
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
];

/// The date that a text begins with, and what follows it.
pub(super) fn leading_date(text: &str) -> Option<(NaiveDate, &str)> {
    let (first, after) = word(text);
    let weekday = weekday_of(first);
    let text = if weekday.is_some() { after } else { text };
    let (first, rest) = word(text);
    let (day, month, rest) = if let Some(month) = month_of(first) {
        let (day, rest) = word(rest);
        (day, month, rest)
    } else {
        let (second, behind) = word(rest);
        let (name, behind) = if second == "of" { word(behind) } else { (second, behind) };
        (first, month_of(name)?, behind)
    };
    let (year, rest) = word(rest);
    let year = i32::try_from(number(year, 4).filter(|_| year.len() == 4)?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, month, day_of(day)?)?;
    let agrees = weekday.is_none_or(|weekday| weekday == date.weekday());
    let rest = rest.strip_prefix("at ").unwrap_or(rest);
    agrees.then_some((date, rest))
}

/// The first word, without the comma behind it, and the rest.
fn word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once([' ', ',']).unwrap_or((text, ""));
    (word, rest.trim_start_matches([' ', ',']))
}

fn month_of(word: &str) -> Option<u32> {
    let word = word.to_lowercase();
    let word = word.trim_end_matches('.');
    let word = if word == "sept" { "sep" } else { word };
    let is = |name: &&str| *name == word || (word.len() == 3 && name.starts_with(word));
    let (_, month) = MONTHS.iter().zip(1..).find(|(name, _)| is(name))?;
    Some(month)
}

fn weekday_of(word: &str) -> Option<Weekday> {
    let word = word.to_lowercase();
    let is = |name: &str| name == word || (word.len() == 3 && name.starts_with(&word));
    WEEK.iter().find(|(name, _)| is(name)).map(|(_, day)| *day)
}

/// `2`, `02` or `2nd`.
fn day_of(word: &str) -> Option<u32> {
    let ends = ["st", "nd", "rd", "th"];
    number(ends.iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word), 2)
}
