//! Times as people and programs write them, read into UTC. Never a guess.
//!
//! The ladder, strictest first: RFC 3339 with its offset; an epoch in seconds or milliseconds; a
//! date and a clock without offset, which are the tenant's own. Prose is refused.

use super::channel::DateOrder;
use super::tenant::TenantSettings;
use chrono::{DateTime, Datelike, FixedOffset, LocalResult, NaiveDate, NaiveTime, TimeZone, Utc};
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
        Self {
            zone: tenant.timezone,
            order: tenant.date_order,
            told_at,
        }
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
        let (date, rest) = self.leading_date(text).ok_or(NotATime::Unreadable)?;
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
        match self.leading_date(text)? {
            (date, "") => Some(date),
            // A day with a clock behind it ("…T00:00:00Z") counts where both zones agree on it.
            (date, _) => {
                let instant = self.instant(text).ok()?;
                (self.day(instant) == date).then_some(date)
            }
        }
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

    /// The date that a text begins with, and what follows it.
    fn leading_date<'a>(&self, text: &'a str) -> Option<(NaiveDate, &'a str)> {
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

/// Reads a moment that needs no zone to be known: RFC 3339 with its offset, or an epoch.
#[must_use]
pub fn absolute(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let written = || DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc());
    in_range(epoch(text).or_else(written)?).ok()
}

/// Reads a time of day: `15:00`, `15:00:00`, `3pm`, `3:00 PM`, `11.30 a.m.` is refused.
///
/// A one-digit hour without am or pm is refused: people write `3:00` for the afternoon.
#[must_use]
pub fn clock(text: &str) -> Option<NaiveTime> {
    let text = text.trim().to_ascii_lowercase();
    let halves = [("am", 0), ("a.m.", 0), ("pm", 12), ("p.m.", 12)];
    let half = halves
        .iter()
        .find_map(|(word, add)| Some((text.strip_suffix(word)?.trim_end(), *add)));
    let (digits, add) = half.map_or((text.as_str(), None), |(digits, add)| (digits, Some(add)));
    let parts: Vec<&str> = digits.split(':').collect();
    let (hour, minute, second) = match parts.as_slice() {
        [hour] if add.is_some() => (*hour, "00", "00"),
        [hour, minute] => (*hour, *minute, "00"),
        [hour, minute, second] => (*hour, *minute, *second),
        _ => return None,
    };
    let hour = match (number(hour, 2)?, add) {
        (written @ 1..=12, Some(add)) => written % 12 + add,
        (written, None) if hour.len() == 2 => written,
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
    if let Some(utc) = text.strip_suffix(['Z', 'z']) {
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
        None => return None,
    };
    let two = |text: &str| number(text, 2).filter(|_| text.len() == 2);
    let minutes = two(hours)? * 60 + two(minutes).filter(|m| *m < 60)?;
    let east = i32::try_from(minutes * 60).ok()?;
    let east = if offset.starts_with('-') { -east } else { east };
    Some((clock(time)?, Some(FixedOffset::east_opt(east)?)))
}

/// Seconds (9 or 10 digits, with a fraction or without) or milliseconds (12 or 13) since 1970.
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
        12 | 13 if whole.len() == text.len() => DateTime::from_timestamp_millis(whole.parse().ok()?),
        _ => None,
    }
}

/// A number of 1 to `most` ASCII digits.
fn number(text: &str, most: usize) -> Option<u32> {
    let fits = (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

fn in_range(instant: DateTime<Utc>) -> Result<DateTime<Utc>, NotATime> {
    if (2000..2100).contains(&instant.year()) {
        Ok(instant)
    } else {
        Err(NotATime::OutOfRange)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dublin() -> Calendar {
        Calendar {
            zone: chrono_tz::Europe::Dublin,
            order: DateOrder::Dmy,
            told_at: None,
        }
    }

    fn read(text: &str) -> Result<String, NotATime> {
        dublin()
            .instant(text)
            .map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
    }

    #[test]
    fn an_offset_says_which_moment_is_meant() {
        for text in [
            "2026-04-02T15:00:00+01:00",
            "2026-04-02T15:00:00.000+0100",
            "2026-04-02 15:00+01:00",
            "2026-04-02T14:00:00Z",
            "2026-04-02t14:00z",
            "2026-04-02T09:00:00-05:00",
        ] {
            assert_eq!(read(text).as_deref(), Ok("2026-04-02T14:00:00Z"), "{text}");
        }
        let precise = read("2026-11-22T10:20:47.788-05:00");
        assert_eq!(precise.as_deref(), Ok("2026-11-22T15:20:47.788Z"));
    }

    #[test]
    fn a_time_without_offset_is_the_tenants_own() {
        for text in [
            "2026-04-02T15:00:00",
            "2026-04-02T15:00",
            "2026-04-02 15:00",
            "2026-04-02 3pm",
            "02/04/2026 15:00",
            "2.4.2026 3:00 PM",
            "02-04-2026, 3:00 p.m.",
            "2026/04/02 15:00:00",
        ] {
            assert_eq!(read(text).as_deref(), Ok("2026-04-02T14:00:00Z"), "{text}");
        }
        assert_eq!(read("2026-01-15T15:30:00").as_deref(), Ok("2026-01-15T15:30:00Z"));
    }

    #[test]
    fn an_epoch_is_in_seconds_or_milliseconds() {
        assert_eq!(read("1773051302").as_deref(), Ok("2026-03-09T10:15:02Z"));
        assert_eq!(read("1773051302417").as_deref(), Ok("2026-03-09T10:15:02.417Z"));
        assert_eq!(read("1773051302.5").as_deref(), Ok("2026-03-09T10:15:02.500Z"));
        assert_eq!(read("20260402").err(), Some(NotATime::Unreadable));
        assert_eq!(read("100000000000").err(), Some(NotATime::OutOfRange));
    }

    #[test]
    fn the_hour_that_the_clocks_skip_or_repeat_is_refused() {
        assert_eq!(read("2026-03-29T01:30:00").err(), Some(NotATime::InGap));
        assert_eq!(read("2026-10-25 01:30").err(), Some(NotATime::InOverlap));
        let said = read("2026-10-25T01:30:00+01:00");
        assert_eq!(said.as_deref(), Ok("2026-10-25T00:30:00Z"));
        assert_eq!(read("2026-03-29T02:00").as_deref(), Ok("2026-03-29T01:00:00Z"));
    }

    #[test]
    fn prose_and_what_has_two_readings_is_refused() {
        for text in [
            "", "tomorrow 3pm", "next friday at 10", "half eleven", "Thu 9 Oct, 4:00 PM",
            "02/04/26 15:00", "2026-02-30 10:00", "2026-04-02 3:00", "2026-04-02 25:00",
            "2026-04-02T15:00:00+25:00", "2026-04-02T15:00:00Europe/Dublin", "2026-04-0215:00",
            "2026-04-02 9 AM to 11 AM", "2026-04-02T13:00 pm", "2026-04-02T0pm", "٢٠٢٦-04-02 15:00",
        ] {
            assert_eq!(read(text).err(), Some(NotATime::Unreadable), "{text}");
        }
        assert_eq!(read("2026-04-02").err(), Some(NotATime::NoClock));
        assert_eq!(read("15:00").err(), Some(NotATime::NoDate));
        assert_eq!(read("1999-12-31T23:59:59Z").err(), Some(NotATime::OutOfRange));
        assert_eq!(read("2100-01-01T00:00:00Z").err(), Some(NotATime::OutOfRange));
    }

    #[test]
    fn the_order_of_a_date_in_digits_is_the_tenants() {
        let american = Calendar { order: DateOrder::Mdy, ..dublin() };
        let third = NaiveDate::from_ymd_opt(2026, 3, 4);
        assert_eq!(american.date("03/04/2026"), third);
        assert_eq!(dublin().date("04/03/2026"), third);
        assert_eq!(american.date("2026-03-04"), third);
        assert_eq!(american.date("14/03/2026"), None);
        assert_eq!(american.date("03.04.2026"), None);
        let year_first = Calendar { order: DateOrder::Ymd, ..dublin() };
        assert_eq!(year_first.date("04/03/2026"), None);
    }

    #[test]
    fn a_date_and_a_clock_may_come_apart() {
        let at = |date, time| dublin().together(date, time).map(|at| at.to_rfc3339());
        let expected = Ok("2026-03-14T11:30:00+00:00".to_owned());
        assert_eq!(at("14/03/2026", "11:30 AM"), expected);
        assert_eq!(at("2026-03-14", "11:30:00"), expected);
        assert_eq!(at("2026-03-14T00:00:00.000Z", "11:30"), expected);
        assert_eq!(at("1773446400000", "11:30"), expected);
        assert_eq!(at("2026-03-14", "2026-03-14T11:30:00Z"), expected);
        assert_eq!(at("2026-03-15", "2026-03-14T11:30:00Z"), Err(NotATime::Unreadable));
        assert_eq!(at("2026-03-14", "9 AM to 11 AM"), Err(NotATime::Unreadable));
        assert_eq!(at("2026-03-29", "01:30"), Err(NotATime::InGap));
    }

    #[test]
    fn a_clock_is_read_only_where_it_has_one_reading() {
        let at = |text| clock(text).map(|c| c.format("%H:%M:%S").to_string());
        for (text, expected) in [
            ("15:00", "15:00:00"), ("15:00:59", "15:00:59"), ("3pm", "15:00:00"),
            ("3:00 PM", "15:00:00"), ("11:30 AM", "11:30:00"), ("12am", "00:00:00"),
            ("12:15 pm", "12:15:00"), ("09:45", "09:45:00"),
        ] {
            assert_eq!(at(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["3", "3:00", "24:00", "13pm", "0am", "15:0", "10:60", "noon", "-1:00", "1:2:3:4"] {
            assert_eq!(at(text), None, "{text}");
        }
    }
}
