//! Moments in queries: a day of the tenant's zone, or a time.

use crate::domain::days::{day_end, day_start};
use crate::domain::tenant::TenantSettings;
use crate::domain::when::Calendar;
use crate::http::problem::Problem;
use chrono::{DateTime, NaiveDate, Utc};

/// From when on: a day counts from its beginning.
pub(in crate::http) fn from(
    name: &str,
    text: Option<&str>,
    tenant: &TenantSettings,
) -> Result<Option<DateTime<Utc>>, Problem> {
    text.map(|text| read(name, text, tenant, |day| day_start(tenant.timezone, day))).transpose()
}

/// Until when: a day counts to its end, a time is itself left out.
pub(in crate::http) fn to(
    name: &str,
    text: Option<&str>,
    tenant: &TenantSettings,
) -> Result<Option<DateTime<Utc>>, Problem> {
    text.map(|text| read(name, text, tenant, |day| day_end(tenant.timezone, day))).transpose()
}

fn read(
    name: &str,
    text: &str,
    tenant: &TenantSettings,
    of_day: impl FnOnce(NaiveDate) -> DateTime<Utc>,
) -> Result<DateTime<Utc>, Problem> {
    let short = text.len() <= 40;
    if short && let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        let known = ("2000-01-01"..="2099-12-31").contains(&text);
        return if known { Ok(of_day(day)) } else { Err(unreadable(name)) };
    }
    // A plus sign in an address is a space to whoever reads it as a form does.
    let text = text.replace(' ', "+");
    let time = Some(text).filter(|_| short).map(|text| Calendar::of(tenant, None).instant(&text));
    time.and_then(Result::ok).ok_or_else(|| unreadable(name))
}

fn unreadable(name: &str) -> Problem {
    let detail = format!(
        "{name} is a day like 2026-03-14, or a time like 2026-03-14T15:00:00Z, of the years 2000 to 2099"
    );
    Problem::bad_query(name, "date_invalid", &detail)
}
