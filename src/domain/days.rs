//! Where days and months begin in a zone.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// When a day begins in a zone; where the clocks skip its first hour, what they show first.
#[must_use]
pub fn day_start(zone: Tz, day: NaiveDate) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    let mut tries = (0..24).map(|hours| midnight + TimeDelta::hours(hours));
    let first = tries.find_map(|local| zone.from_local_datetime(&local).earliest());
    first.map_or_else(|| midnight.and_utc(), |local| local.to_utc())
}

/// When the day after one begins in a zone.
#[must_use]
pub fn day_end(zone: Tz, day: NaiveDate) -> DateTime<Utc> {
    day_start(zone, day.checked_add_days(Days::new(1)).unwrap_or(day))
}

/// The beginnings of last month, this month and the next one in a zone.
#[must_use]
pub fn months(zone: Tz, now: DateTime<Utc>) -> [DateTime<Utc>; 3] {
    let today = now.with_timezone(&zone).date_naive();
    let first = today.with_day(1).unwrap_or(today);
    let last = first.checked_sub_months(Months::new(1)).unwrap_or(first);
    let next = first.checked_add_months(Months::new(1)).unwrap_or(first);
    [last, first, next].map(|day| day_start(zone, day))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_month_begins_by_the_zones_clock() {
        let months = |now| months(chrono_tz::Europe::Dublin, utc(now)).map(|at| at.to_rfc3339());
        // Half past eleven in the evening of 31 May in UTC is June in Dublin already.
        let june =
            ["2026-04-30T23:00:00+00:00", "2026-05-31T23:00:00+00:00", "2026-06-30T23:00:00+00:00"];
        assert_eq!(months("2026-05-31T23:30:00Z"), june);
        let january =
            ["2025-12-01T00:00:00+00:00", "2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00"];
        assert_eq!(months("2026-01-15T12:00:00Z"), january);
    }

    #[test]
    fn a_day_without_a_midnight_begins_all_the_same() {
        // Beirut went forward at midnight.
        let day = NaiveDate::from_ymd_opt(2024, 3, 31).unwrap();
        assert_eq!(day_start(chrono_tz::Asia::Beirut, day), utc("2024-03-30T22:00:00Z"));
        let day = NaiveDate::from_ymd_opt(2026, 3, 29).unwrap();
        let whole =
            day_end(chrono_tz::Europe::Dublin, day) - day_start(chrono_tz::Europe::Dublin, day);
        assert_eq!(whole, TimeDelta::hours(23));
    }
}
