//! What the ladder reads, and what it refuses.

use super::*;

fn dublin() -> Calendar {
    Calendar { zone: chrono_tz::Europe::Dublin, order: DateOrder::Dmy, told_at: None }
}

fn read(text: &str) -> Result<String, NotATime> {
    dublin().instant(text).map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
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
        "2026-04-02 15:00:00+01",
        "2026-04-02 14:00:00 UTC",
        "2 April 2026 14:00 GMT",
        "Thu, 02 Apr 2026 15:00:00 +0100",
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
        "02/04/2026, 3:00:00\u{202f}PM",
        "02.04.2026 15 Uhr",
        "2.4.2026, 15:00 Uhr",
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
    assert_eq!(read("1773051302417.0").as_deref(), Ok("2026-03-09T10:15:02.417Z"));
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
fn a_month_may_stand_in_words_beside_its_year() {
    for text in [
        "2 April 2026 15:00",
        "2nd of April 2026 at 3pm",
        "April 2, 2026 at 3:00 PM",
        "Thursday, April 2nd, 2026 at 3 p.m.",
        "Thu 2 Apr 2026, 15:00",
        "APR. 2 2026 3pm",
    ] {
        assert_eq!(read(text).as_deref(), Ok("2026-04-02T14:00:00Z"), "{text}");
    }
    let ninth = NaiveDate::from_ymd_opt(2026, 9, 9);
    assert_eq!(dublin().date("9 Sept 2026"), ninth);
    assert_eq!(dublin().date("May 1, 2026"), NaiveDate::from_ymd_opt(2026, 5, 1));
    for text in [
        "April 2 at 3pm",
        "2 April 3pm",
        "Friday, April 2, 2026 at 3pm",
        "April 31, 2026 3pm",
        "2 Avril 2026 15:00",
        "2 April 26 15:00",
        "April 2, 2026 in the afternoon",
        "April 2, 2026 at 3",
        "2 ma 2026 15:00",
        "2 April 2026 or 3 April 2026 15:00",
    ] {
        assert_eq!(read(text).err(), Some(NotATime::Unreadable), "{text}");
    }
    assert_eq!(read("April 2, 2026").err(), Some(NotATime::NoClock));
}

#[test]
fn prose_and_what_has_two_readings_is_refused() {
    for text in [
        "",
        "tomorrow 3pm",
        "next friday at 10",
        "half eleven",
        "half past two tomorrow",
        "25/11 14:00",
        "Thu 9 Oct, 4:00 PM",
        "02/04/26 15:00",
        "2026-02-30 10:00",
        "2026-04-02 3:00",
        "2026-04-02 25:00",
        "2026-04-02T15:00:00+25:00",
        "2026-04-02T15:00:00Europe/Dublin",
        "2026-04-0215:00",
        "2026-04-02 9 AM to 11 AM",
        "2026-04-02T13:00 pm",
        "2026-04-02T0pm",
        "٢٠٢٦-04-02 15:00",
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
    let moment = american.instant("12/25/2026 3:00 PM").map(|at| at.to_rfc3339());
    assert_eq!(moment.as_deref(), Ok("2026-12-25T15:00:00+00:00"));
    assert_eq!(dublin().instant("12/25/2026 3:00 PM"), Err(NotATime::Unreadable));
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
        ("15:00", "15:00:00"),
        ("15:00:59", "15:00:59"),
        ("3pm", "15:00:00"),
        ("3:00 PM", "15:00:00"),
        ("11:30 AM", "11:30:00"),
        ("12am", "00:00:00"),
        ("12:15 pm", "12:15:00"),
        ("09:45", "09:45:00"),
        ("4:15\u{a0}p.m", "16:15:00"),
        ("9 Uhr", "09:00:00"),
        ("9:30 Uhr", "09:30:00"),
    ] {
        assert_eq!(at(text).as_deref(), Some(expected), "{text}");
    }
    for text in [
        "3", "3:00", "24:00", "13pm", "0am", "15:0", "10:60", "noon", "-1:00", "1:2:3:4", "uhr",
        "25 Uhr", "3 pm Uhr",
    ] {
        assert_eq!(at(text), None, "{text}");
    }
}

#[test]
fn a_named_day_counts_from_when_it_was_said_where_the_tenant_is() {
    // Saturday, 22:41 in Dublin; on the next day the clocks go forward.
    let said = DateTime::from_timestamp_millis(1_774_737_669_900);
    let calendar = Calendar { told_at: said, ..dublin() };
    let at = |text| calendar.instant(text).map(|at| at.to_rfc3339());
    for text in
        ["tomorrow 3pm", "Tomorrow at 3pm", "3pm tomorrow", "tomorrow, 15:00", "on Sunday at 3pm"]
    {
        assert_eq!(at(text).as_deref(), Ok("2026-03-29T14:00:00+00:00"), "{text}");
    }
    assert_eq!(at("friday 10:00").as_deref(), Ok("2026-04-03T09:00:00+00:00"));
    assert_eq!(calendar.together("tomorrow", "3pm").ok(), calendar.instant("tomorrow 3pm").ok());
    // A whole date behind the weekday says which one is meant.
    let whole = at("Thursday, 2 April 2026 at 3pm");
    assert_eq!(whole.as_deref(), Ok("2026-04-02T14:00:00+00:00"));
    assert_eq!(calendar.date("Thursday, 2 April 2026"), NaiveDate::from_ymd_opt(2026, 4, 2));
    assert_eq!(at("Friday, 2 April 2026 at 3pm").err(), Some(NotATime::Unreadable));
    assert_eq!(at("tomorrow").err(), Some(NotATime::NoClock));
    assert_eq!(at("tomorrow 1:30 am").err(), Some(NotATime::InGap));
    for text in [
        "saturday 3pm", "next friday 3pm", "sun 3pm", "tomorrow at 3", "in 2 days",
        "tomorrow 15:00Z", "3pm tomorrow or so",
    ] {
        assert_eq!(at(text).err(), Some(NotATime::Unreadable), "{text}");
    }
    // Late in the evening abroad it is another day at home.
    let american = Calendar { zone: chrono_tz::America::New_York, ..calendar };
    let late = american.instant("today 11pm").map(|at| at.to_rfc3339());
    assert_eq!(late.as_deref(), Ok("2026-03-29T03:00:00+00:00"));
}
