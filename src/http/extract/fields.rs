//! The members of a JSON body, read one by one: each is bounded and checked, what nobody asked
//! for is refused by its name, and every fault is told at once.

use crate::domain::email;
use crate::domain::money::{Currency, Money, NotMoney};
use crate::domain::person::WhatsAppId;
use crate::domain::phone::{Phone, Region};
use crate::domain::problem::Problem as Fault;
use crate::domain::tenant::TenantSettings;
use crate::domain::when::Calendar;
use crate::http::problem::Problem;
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use serde_json::{Map, Value};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use uuid::Uuid;

/// The most members nobody asked for that are named.
const MOST_UNKNOWN: usize = 100;

/// The most characters of a name.
const LONGEST_NAME: usize = 200;

/// A member of a PATCH: not sent, `null`, or a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) enum Patch<T> {
    /// Not sent: stays as it is.
    Absent,
    /// `null`: is emptied.
    Null,
    /// Is set to this.
    Value(T),
}

impl<T> Patch<T> {
    /// Lays it over what was there.
    pub(in crate::http) fn apply(self, to: &mut Option<T>) {
        match self {
            Self::Absent => {}
            Self::Null => *to = None,
            Self::Value(value) => *to = Some(value),
        }
    }

    /// The same, with another value where there is one.
    pub(in crate::http) fn map<U>(self, of: impl FnOnce(T) -> U) -> Patch<U> {
        match self {
            Self::Absent => Patch::Absent,
            Self::Null => Patch::Null,
            Self::Value(value) => Patch::Value(of(value)),
        }
    }

    /// The value, where there is one.
    pub(in crate::http) fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }
}

/// The members of a body, and the faults found so far.
pub(in crate::http) struct Fields {
    members: Map<String, Value>,
    known: Vec<&'static str>,
    at: String,
    faults: Vec<Fault>,
}

impl Fields {
    /// The members of an object that is a whole body.
    pub(in crate::http) fn new(members: Map<String, Value>) -> Self {
        Self { members, known: Vec::new(), at: String::new(), faults: Vec::new() }
    }

    /// True when the member was sent, even as `null`.
    pub(in crate::http) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// True when the member is an id.
    pub(in crate::http) fn names_id(&self, name: &str) -> bool {
        let text = self.members.get(name).and_then(Value::as_str);
        text.is_some_and(|text| Uuid::try_parse(text).is_ok())
    }

    /// True when the member was sent and is not `null`.
    pub(in crate::http) fn is_there(&self, name: &str) -> bool {
        self.members.get(name).is_some_and(|value| !value.is_null())
    }

    /// Names of the members that were sent.
    pub(in crate::http) fn names(&self) -> Vec<String> {
        self.members.keys().cloned().collect()
    }

    /// Notes a fault of a member that was read well by itself.
    pub(in crate::http) fn fault(&mut self, name: &str, code: &str, detail: &str) {
        let pointer = format!("{}/{}", self.at, name.replace('~', "~0").replace('/', "~1"));
        let value = self.members.get(name).map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        self.faults.push(Fault::at(&pointer, code, detail, name, value.as_deref()));
    }

    /// Which of a member's two names was sent: the one of today, unless only the older was.
    pub(in crate::http) fn either(
        &mut self,
        name: &'static str,
        older: &'static str,
    ) -> &'static str {
        match (self.has(name), self.has(older)) {
            (true, true) => {
                self.known.push(older);
                self.fault(older, "field_twice", &format!("{name} is sent too: send one of them"));
                name
            }
            (false, true) => older,
            _ => name,
        }
    }

    /// The value of a member that can't be emptied; notes where it is sent as `null`.
    pub(in crate::http) fn full<T>(&mut self, name: &'static str, read: Patch<T>) -> Option<T> {
        self.refuse_null(name);
        read.value()
    }

    /// Notes a fault of a member of a member.
    pub(in crate::http) fn fault_at(&mut self, name: &str, inner: &str, code: &str, detail: &str) {
        let escaped = |text: &str| text.replace('~', "~0").replace('/', "~1");
        let pointer = format!("{}/{}/{}", self.at, escaped(name), escaped(inner));
        self.faults.push(Fault::at(&pointer, code, detail, name, None));
    }

    /// Notes that a required member is missing or `null`, when it is.
    pub(in crate::http) fn require(&mut self, name: &'static str) {
        self.known.push(name);
        match self.members.get(name) {
            None => self.fault(name, "required", &format!("{name} is required")),
            Some(Value::Null) => {
                self.fault(name, "null_invalid", &format!("{name} is required: send a value"));
            }
            Some(_) => {}
        }
    }

    /// Notes a fault where a member was sent as `null` that can't be empty.
    pub(in crate::http) fn refuse_null(&mut self, name: &'static str) {
        if self.members.get(name).is_some_and(Value::is_null) {
            let detail = format!("{name} can't be emptied; leave it out to keep it");
            self.fault(name, "null_invalid", &detail);
        }
    }

    /// Takes a member: `Absent`, `Null`, or what `read` makes of it.
    fn take<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&Value) -> Result<T, (&'static str, String)>,
    ) -> Patch<T> {
        self.known.push(name);
        let read = match self.members.get(name) {
            None => return Patch::Absent,
            Some(Value::Null) => return Patch::Null,
            Some(value) => read(value),
        };
        match read {
            Ok(value) => Patch::Value(value),
            Err((code, detail)) => {
                self.fault(name, code, &detail);
                Patch::Absent
            }
        }
    }

    /// A text of 1 to `max` characters once its ends are trimmed.
    pub(in crate::http) fn text(&mut self, name: &'static str, max: usize) -> Patch<String> {
        self.take(name, |value| text(value, max))
    }

    /// A text of 1 to `max` characters as it was written: a secret.
    pub(in crate::http) fn exact_text(&mut self, name: &'static str, max: usize) -> Patch<String> {
        self.take(name, |value| {
            let text = value.as_str().filter(|text| (1..=max).contains(&text.chars().count()));
            let text = text.filter(|text| !text.contains(char::is_control));
            let wrong = || ("text_invalid", format!("send a text of 1 to {max} characters"));
            text.map(str::to_owned).ok_or_else(wrong)
        })
    }

    /// A whole number in a range.
    pub(in crate::http) fn integer(
        &mut self,
        name: &'static str,
        range: RangeInclusive<i64>,
    ) -> Patch<i64> {
        self.take(name, |value| {
            let number = value.as_i64().filter(|number| range.contains(number));
            let (least, most) = range.into_inner();
            number.ok_or_else(|| {
                ("number_invalid", format!("send a whole number between {least} and {most}"))
            })
        })
    }

    /// Whole minutes of an appointment: at most a day.
    pub(in crate::http) fn minutes(&mut self, name: &'static str) -> Patch<u32> {
        self.integer(name, 1..=1440).map(|minutes| u32::try_from(minutes).unwrap_or_default())
    }

    /// `true` or `false`.
    pub(in crate::http) fn boolean(&mut self, name: &'static str) -> Patch<bool> {
        self.take(name, |value| {
            value.as_bool().ok_or(("boolean_invalid", "send true or false".to_owned()))
        })
    }

    /// A word of a closed list.
    pub(in crate::http) fn word<T>(&mut self, name: &'static str) -> Patch<T>
    where
        T: FromStr<Err: Display>,
    {
        self.take(name, |value| {
            let text =
                value.as_str().ok_or(("word_invalid", "send one of its words".to_owned()))?;
            text.parse::<T>().map_err(|error| ("word_invalid", error.to_string()))
        })
    }

    /// A phone in any spelling, read in the tenant's region.
    pub(in crate::http) fn phone(&mut self, name: &'static str, region: Region) -> Patch<Phone> {
        self.take(name, |value| {
            let wrong = "send a phone number as text, with its country code or as it is dialled in the tenant's region";
            let text = value.as_str().filter(|text| text.len() <= 100);
            let text = text.ok_or(("phone_invalid", wrong.to_owned()))?;
            Phone::parse(text, region).map_err(|_| ("phone_invalid", wrong.to_owned()))
        })
    }

    /// A WhatsApp business-scoped user id.
    pub(in crate::http) fn whatsapp_id(&mut self, name: &'static str) -> Patch<WhatsAppId> {
        self.take(name, |value| {
            let found = value.as_str().and_then(WhatsAppId::parse);
            let wrong =
                "send the id as WhatsApp does: two capital letters, a dot, letters and digits";
            found.ok_or(("whatsapp_id_invalid", wrong.to_owned()))
        })
    }

    /// An e-mail address, in lower case.
    pub(in crate::http) fn email(&mut self, name: &'static str) -> Patch<String> {
        self.take(name, |value| {
            let read = email::parse(&text(value, 254)?);
            read.ok_or(("email_invalid", "send an address like name@example.com".to_owned()))
        })
    }

    /// A person's name: a text of one line, without signs that nobody writes.
    pub(in crate::http) fn name(&mut self, name: &'static str) -> Patch<String> {
        self.take(name, |value| {
            let written = value.as_str().is_none_or(|text| !text.contains(char::is_control));
            let wrong = "send a name of one line, without control characters";
            if written {
                text(value, LONGEST_NAME)
            } else {
                Err(("text_invalid", wrong.to_owned()))
            }
        })
    }

    /// A time: RFC 3339, or without an offset in the tenant's zone.
    pub(in crate::http) fn time(
        &mut self,
        name: &'static str,
        tenant: &TenantSettings,
    ) -> Patch<DateTime<Utc>> {
        self.take(name, |value| {
            let wrong = "send a time like 2026-03-14T15:00:00Z or 2026-03-14T15:00:00+01:00; one without an offset is read in the tenant's zone";
            let text = value.as_str().filter(|text| text.len() <= 100);
            let text = text.ok_or(("time_invalid", wrong.to_owned()))?;
            let time = Calendar::of(tenant, None).instant(text);
            let time = time.map_err(|error| (error.code(), format!("{error}; {wrong}")))?;
            Ok(time.trunc_subsecs(6))
        })
    }

    /// A time that is not yet to come. Clocks differ a little.
    pub(in crate::http) fn past(
        &mut self,
        name: &'static str,
        tenant: &TenantSettings,
        now: DateTime<Utc>,
    ) -> Patch<DateTime<Utc>> {
        let read = self.time(name, tenant);
        let latest = now + TimeDelta::minutes(5);
        match read {
            Patch::Value(time) if time > latest => {
                self.fault(name, "time_in_future", "this can't be in the future");
                Patch::Absent
            }
            read => read,
        }
    }

    /// An amount of money: a decimal number (or a text of one), not negative, with no more
    /// decimals than the currency has.
    pub(in crate::http) fn amount(
        &mut self,
        name: &'static str,
        currency: Currency,
    ) -> Patch<Money> {
        self.take(name, |value| {
            let money = match value {
                Value::Number(number) => Money::parse_number(&number.to_string(), currency),
                Value::String(text) if text.len() <= 100 => Money::parse(text, None, currency),
                _ => Err(NotMoney::Unreadable),
            };
            money.map_err(|error| (error.code(), error.to_string()))
        })
    }

    /// A currency's ISO 4217 code.
    pub(in crate::http) fn currency(&mut self, name: &'static str) -> Patch<Currency> {
        self.take(name, |value| {
            let found = value.as_str().and_then(Currency::parse);
            let wrong = "send an ISO 4217 code such as EUR".to_owned();
            found.ok_or(("currency_invalid", wrong))
        })
    }

    /// An id of ours.
    pub(in crate::http) fn id(&mut self, name: &'static str) -> Patch<Uuid> {
        self.take(name, |value| {
            let found = value.as_str().and_then(|text| Uuid::try_parse(text).ok());
            found.ok_or(("id_invalid", "send the id as it was answered: a UUID".to_owned()))
        })
    }

    /// A list of at most `max` texts, each of 1 to 200 characters.
    pub(in crate::http) fn texts(&mut self, name: &'static str, max: usize) -> Patch<Vec<String>> {
        self.take(name, |value| {
            let wrong = || ("list_invalid", format!("send a list of at most {max} texts"));
            let list = value.as_array().filter(|list| list.len() <= max).ok_or_else(wrong)?;
            list.iter().map(|value| text(value, 200)).collect()
        })
    }

    /// An object, as it is.
    pub(in crate::http) fn object(&mut self, name: &'static str) -> Patch<Map<String, Value>> {
        self.take(name, |value| {
            let found = value.as_object().cloned();
            found.ok_or(("object_invalid", "send an object".to_owned()))
        })
    }

    /// Ends the reading of what is no body by itself: its faults.
    pub(in crate::http) fn into_faults(self) -> Vec<Fault> {
        self.faults
    }

    /// Ends the reading: 422 with every fault, unknown members among them.
    pub(in crate::http) fn finish(mut self) -> Result<(), Problem> {
        let unknown = self.members.keys().filter(|name| !self.known.contains(&name.as_str()));
        let unknown: Vec<String> = unknown.take(MOST_UNKNOWN).cloned().collect();
        self.known.sort_unstable();
        self.known.dedup();
        let mut known = format!("; known are {}", self.known.join(", "));
        for name in unknown {
            // The list once: it is as long as the body is wrong.
            let detail = format!("this is not known{}", std::mem::take(&mut known));
            self.fault(&name, "field_unknown", &detail);
        }
        // What was sent is not echoed: the caller has it.
        for fault in &mut self.faults {
            fault.value = None;
        }
        if self.faults.is_empty() {
            return Ok(());
        }
        Err(Problem::unprocessable(None, self.faults))
    }
}

fn text(value: &Value, max: usize) -> Result<String, (&'static str, String)> {
    let text = value.as_str().map(str::trim).filter(|text| !text.is_empty());
    let text = text.filter(|text| text.chars().count() <= max);
    let wrong = || ("text_invalid", format!("send a text of 1 to {max} characters"));
    text.map(str::to_owned).ok_or_else(wrong)
}
