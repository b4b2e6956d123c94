//! Times as people and programs write them, read into UTC. Never a guess.
//!
//! The ladder, strictest first: RFC 3339 with its offset; an epoch in seconds or milliseconds; a
//! date (in digits, or with the month in English words) and a clock without offset, which are the
//! tenant's own; and, where it is known when the
//! words were said, `today`, `tomorrow` and the coming weekdays. Other prose is refused.

mod written;

use super::channel::DateOrder;
use super::tenant::TenantSettings;
use chrono::{
    DateTime, Datelike, FixedOffset, LocalResult, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc,
    Weekday,
};
use chrono_tz::Tz;

/// Why a text is not a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotATime {
    /// Prose, or a form that could be read in two ways.
    #[error(
        "it can't be read as a date and time with certainty; send it as 2026-04-02T15:00:00+01:00"
    )]
    Unreadable,
    /// A date alone.
    #[error("it has a date but no time of day; send both, as 2026-04-02T15:00:00")]
    NoClock,
    /// A time of day alone.
    #[error("it has a time of day but no date; send both, as 2026-04-02T15:00:00")]
    NoDate,
    /// A local time that the clocks skip.
    #[error("the clocks go forward over this time, so it does not exist; send it with its offset")]
    InGap,
    /// A local time that the clocks show twice.
    #[error("the clocks go back over this time, so it comes twice; send it with its offset")]
    InOverlap,
    /// Outside the years in which appointments are made.
    #[error("its year is not between 2000 and 2099")]
    OutOfRange,
}

impl NotATime {
    /// The stable word for programs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "start_unreadable",
            Self::NoClock | Self::NoDate => "start_missing",
            Self::InGap => "start_in_dst_gap",
            Self::InOverlap => "start_in_dst_overlap",
            Self::OutOfRange => "start_out_of_range",
        }
    }
}

/// How a tenant's times are read.
#[derive(Clone, Copy, Debug)]
pub struct Calendar {
    /// The zone of a time without an offset.
    pub zone: Tz,
    /// How a date in digits is read.
    pub order: DateOrder,
    /// When the words were said: what "tomorrow" counts from. Without it such words are refused.
    pub told_at: Option<DateTime<Utc>>,
}

impl Calendar {
    /// The calendar of this tenant, for words said at `told_at`.
    #[must_use]
    pub fn of(tenant: &TenantSettings, told_at: Option<DateTime<Utc>>) -> Self {
        Self { zone: tenant.timezone, order: tenant.date_order, told_at }
    }

    /// Reads a date and time in one text.
    ///
    /// # Errors
    /// The [`NotATime`] that says why it can't be read with certainty.
    pub fn instant(&self, text: &str) -> Result<DateTime<Utc>, NotATime> {
        let text = text.trim();
        if let Some(instant) = epoch(text) {
            return in_range(instant);
        }
        if clock(text).is_some() {
            return Err(NotATime::NoDate);
        }
        // Before the words: a weekday may stand before a whole date.
        let Some((date, rest)) = self.leading_date(text) else {
            let (date, rest) = self.named_day(text).ok_or(NotATime::Unreadable)?;
            let clock = if rest.is_empty() { Err(NotATime::NoClock) } else { clock_of(rest) };
            return self.local(date, clock?);
        };
        if rest.is_empty() {
            return Err(NotATime::NoClock);
        }
        match clock_and_offset(rest).ok_or(NotATime::Unreadable)? {
            (clock, Some(offset)) => {
                let local = offset.from_local_datetime(&date.and_time(clock));
                in_range(local.single().ok_or(NotATime::OutOfRange)?.to_utc())
            }
            (clock, None) => self.local(date, clock),
        }
    }

    /// Reads a date in one text and a time of day in another.
    ///
    /// # Errors
    /// The [`NotATime`] that says why they can't be read with certainty.
    pub fn together(&self, date: &str, time: &str) -> Result<DateTime<Utc>, NotATime> {
        let date = self.date(date).ok_or(NotATime::Unreadable)?;
        match clock(time) {
            Some(clock) => self.local(date, clock),
            // Some forms send the whole moment as the time, beside its date.
            None => self
                .instant(time)
                .ok()
                .filter(|at| self.day(*at) == date)
                .ok_or(NotATime::Unreadable),
        }
    }

    /// Reads a date; an epoch is the day it falls on in the tenant's zone.
    #[must_use]
    pub fn date(&self, text: &str) -> Option<NaiveDate> {
        let text = text.trim();
        if let Some(instant) = epoch(text) {
            return Some(self.day(in_range(instant).ok()?));
        }
        match self.leading_date(text).or_else(|| self.named_day(text))? {
            (date, "") => Some(date),
            // A day with a clock behind it ("…T00:00:00Z") counts where both zones agree on it.
            (date, _) => {
                let instant = self.instant(text).ok()?;
                (self.day(instant) == date).then_some(date)
            }
        }
    }

    /// The first moment of a day in the tenant's zone, also where the clocks skip its midnight.
    #[must_use]
    pub fn begin_of(&self, date: NaiveDate) -> Option<DateTime<Utc>> {
        let quarters = (0..96).filter_map(|n| {
            let clock = NaiveTime::MIN.overflowing_add_signed(TimeDelta::minutes(15 * n)).0;
            self.zone.from_local_datetime(&date.and_time(clock)).earliest()
        });
        quarters.map(|local| local.to_utc()).next()
    }

    /// The day that a moment falls on in the tenant's zone.
    fn day(&self, instant: DateTime<Utc>) -> NaiveDate {
        instant.with_timezone(&self.zone).date_naive()
    }

    /// A clock on a day in the tenant's zone.
    fn local(&self, date: NaiveDate, clock: NaiveTime) -> Result<DateTime<Utc>, NotATime> {
        match self.zone.from_local_datetime(&date.and_time(clock)) {
            LocalResult::Single(local) => in_range(local.to_utc()),
            LocalResult::Ambiguous(..) => Err(NotATime::InOverlap),
            LocalResult::None => Err(NotATime::InGap),
        }
    }

    /// The day that a text names by a word, first or last, and the rest of it.
    fn named_day<'a>(&self, text: &'a str) -> Option<(NaiveDate, &'a str)> {
        let text = text.strip_prefix("on ").unwrap_or(text);
        let (first, rest) = text.split_once([' ', ',']).unwrap_or((text, ""));
        if let Some(day) = self.day_of_word(first) {
            let rest = rest.trim_start_matches([' ', ',']);
            return Some((day, rest.strip_prefix("at ").unwrap_or(rest)));
        }
        let (rest, last) = text.rsplit_once(' ')?;
        Some((self.day_of_word(last)?, rest))
    }

    /// The day of `today`, `tomorrow` or a weekday, which is the coming one. The weekday of the day
    /// on which it is said could be either, and is refused.
    fn day_of_word(&self, word: &str) -> Option<NaiveDate> {
        let today = self.day(self.told_at?);
        let word = word.to_lowercase();
        let ahead = match word.as_str() {
            "today" => 0,
            "tomorrow" => 1,
            _ => {
                let (_, day) = WEEK.iter().find(|(name, _)| *name == word)?;
                i64::from(day.days_since(today.weekday()))
            }
        };
        let counts = ahead > 0 || word == "today";
        if counts { today.checked_add_signed(TimeDelta::days(ahead)) } else { None }
    }

    /// The date that a text begins with, and what follows it.
    fn leading_date<'a>(&self, text: &'a str) -> Option<(NaiveDate, &'a str)> {
        if let Some(found) = written::leading_date(text) {
            return Some(found);
        }
        let in_date = |c: char| c.is_ascii_digit() || matches!(c, '-' | '/' | '.');
        let end = text.find(|c| !in_date(c)).unwrap_or(text.len());
        let (date, rest) = text.split_at(end);
        let date = self.date_in_digits(date)?;
        let rest = rest.strip_prefix(',').unwrap_or(rest);
        let clock = rest.strip_prefix(['T', 't', ' ']).unwrap_or(rest).trim();
        let parted = clock.len() < rest.len() || rest.is_empty();
        parted.then_some((date, clock))
    }

    /// A date of three numbers. One that begins with its year is read so in every order.
    fn date_in_digits(&self, text: &str) -> Option<NaiveDate> {
        let separator = text.chars().find(|c| !c.is_ascii_digit())?;
        let parts: Vec<&str> = text.split(separator).collect();
        let [a, b, c] = parts.as_slice() else {
            return None;
        };
        let (year, month, day) = match (self.order, a.len(), c.len()) {
            (_, 4, _) => (a, b, c),
            (DateOrder::Dmy, _, 4) => (c, b, a),
            // Dots part day from month only where the day comes first.
            (DateOrder::Mdy, _, 4) if separator != '.' => (c, a, b),
            _ => return None,
        };
        let year = i32::try_from(number(year, 4)?).ok()?;
        NaiveDate::from_ymd_opt(year, number(month, 2)?, number(day, 2)?)
    }
}

/// Full names only: the short ones are words of other meanings too.
const WEEK: [(&str, Weekday); 7] = [
    ("monday", Weekday::Mon),
    ("tuesday", Weekday::Tue),
    ("wednesday", Weekday::Wed),
    ("thursday", Weekday::Thu),
    ("friday", Weekday::Fri),
    ("saturday", Weekday::Sat),
    ("sunday", Weekday::Sun),
];

fn clock_of(text: &str) -> Result<NaiveTime, NotATime> {
    clock(text).ok_or(NotATime::Unreadable)
}

/// Reads a moment that needs no zone to be known: RFC 3339 with its offset, or an epoch.
#[must_use]
pub fn absolute(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let written = || DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc());
    in_range(epoch(text).or_else(written)?).ok()
}

/// Reads a time of day: `15:00`, `15:00:00`, `3pm`, `3:00 PM`, `10 Uhr`; `11.30 a.m.` is refused.
///
/// A one-digit hour without am or pm is refused: people write `3:00` for the afternoon.
#[must_use]
pub fn clock(text: &str) -> Option<NaiveTime> {
    let text = text.trim().to_ascii_lowercase();
    let hours = text.strip_suffix("uhr").map(str::trim_end);
    let text = hours.unwrap_or(&text);
    let halves = [("am", 0), ("a.m.", 0), ("a.m", 0), ("pm", 12), ("p.m.", 12), ("p.m", 12)];
    let mut halves = halves.iter().filter(|_| hours.is_none());
    let half = halves.find_map(|(word, add)| Some((text.strip_suffix(word)?.trim_end(), *add)));
    let (digits, add) = half.map_or((text, None), |(digits, add)| (digits, Some(add)));
    let parts: Vec<&str> = digits.split(':').collect();
    let (hour, minute, second) = match parts.as_slice() {
        [hour] if add.is_some() || hours.is_some() => (*hour, "00", "00"),
        [hour, minute] => (*hour, *minute, "00"),
        [hour, minute, second] => (*hour, *minute, *second),
        _ => return None,
    };
    let hour = match (number(hour, 2)?, add) {
        (written @ 1..=12, Some(add)) => written % 12 + add,
        (written, None) if hour.len() == 2 || hours.is_some() => written,
        _ => return None,
    };
    let (second, nanos) = seconds(second)?;
    let minute = number(minute, 2).filter(|_| minute.len() == 2)?;
    NaiveTime::from_hms_nano_opt(hour, minute, second, nanos)
}

/// Whole seconds and their fraction in nanoseconds, kept to the microsecond.
fn seconds(text: &str) -> Option<(u32, u32)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    number(fraction, 9)?;
    let micros = number(&format!("{fraction:0<6}").chars().take(6).collect::<String>(), 6)?;
    let whole = number(whole, 2).filter(|_| whole.len() == 2)?;
    Some((whole, micros * 1000))
}

/// A clock, and the offset behind it where there is one.
fn clock_and_offset(text: &str) -> Option<(NaiveTime, Option<FixedOffset>)> {
    let utc = ["Z", "z", " UTC", " GMT"].iter().find_map(|zone| text.strip_suffix(zone));
    if let Some(utc) = utc {
        return Some((clock(utc)?, FixedOffset::east_opt(0)));
    }
    let Some(place) = text.rfind(['+', '-']) else {
        return Some((clock(text)?, None));
    };
    let (time, offset) = text.split_at(place);
    let digits = offset.get(1..)?;
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 => digits.split_at(2),
        // As PostgreSQL writes it.
        None if digits.len() == 2 => (digits, "00"),
        None => return None,
    };
    let two = |text: &str| number(text, 2).filter(|_| text.len() == 2);
    let minutes = two(hours)? * 60 + two(minutes).filter(|m| *m < 60)?;
    let east = i32::try_from(minutes * 60).ok()?;
    let east = if offset.starts_with('-') { -east } else { east };
    Some((clock(time)?, Some(FixedOffset::east_opt(east)?)))
}

/// Seconds (9 or 10 digits) or milliseconds (12 or 13) since 1970, with a fraction or without.
fn epoch(text: &str) -> Option<DateTime<Utc>> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if ![whole, fraction].iter().all(|t| t.bytes().all(|b| b.is_ascii_digit())) {
        return None;
    }
    match whole.len() {
        9 | 10 => {
            let micros = format!("{fraction:0<6}").get(..6)?.parse::<u32>().ok()?;
            DateTime::from_timestamp(whole.parse().ok()?, micros * 1000)
        }
        12 | 13 => {
            let micros = format!("{fraction:0<3}").get(..3)?.parse::<i64>().ok()?;
            let millis = whole.parse::<i64>().ok()?;
            DateTime::from_timestamp_micros(millis.checked_mul(1000)?.checked_add(micros)?)
        }
        _ => None,
    }
}

/// A number of 1 to `most` ASCII digits.
fn number(text: &str, most: usize) -> Option<u32> {
    let fits = (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

fn in_range(instant: DateTime<Utc>) -> Result<DateTime<Utc>, NotATime> {
    if (2000..2100).contains(&instant.year()) { Ok(instant) } else { Err(NotATime::OutOfRange) }
}

#[cfg(test)]
mod tests;
