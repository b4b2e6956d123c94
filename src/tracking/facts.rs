//! What a client's row says of the person, laid together from what their bookings tell.
//!
//! Each field remembers which telling it comes from, so that the earliest by the provider's clock
//! wins whatever the order of arrival, without reading a client's history for every delivery.

use super::gather::telling;
use crate::domain::channel::Channel;
use crate::domain::sighting::{Order, Sighting};
use crate::storage::clients::ClientRow;
use crate::storage::lead_records::LeadRecord;
use crate::storage::{Error, Result};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What stands for a first name that nobody has said.
pub(super) const UNKNOWN: &str = "Unknown";

/// Which telling each field comes from: places in history, as text that sorts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Provenance {
    first_name: String,
    /// 0 nobody said it, 1 a profile's name, 2 given for a booking.
    name_strength: u8,
    last_name: String,
    email: String,
    first_interaction: String,
    /// The events that told them, by the names that the API has for the fields.
    events: BTreeMap<String, Uuid>,
    /// Where no telling made the client: what a person said of the first interaction, or the
    /// moment in which they made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    by_hand: Option<FirstSeen>,
}

/// When and how somebody was first seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FirstSeen {
    at: DateTime<Utc>,
    source: Channel,
}

impl Provenance {
    /// Notes which event a field comes from; none for what no event told.
    fn note(&mut self, field: &str, told: &Told) {
        match told.event {
            Some(event) => self.events.insert(field.to_owned(), event),
            None => self.events.remove(field),
        };
    }
}

/// The events that a client's fields come from, by the names that the API has for the fields.
///
/// # Errors
/// When the column holds something unreadable.
pub fn told_by(provenance: &str) -> Result<BTreeMap<String, Uuid>> {
    Ok(read::<Provenance>("provenance", provenance)?.events)
}

/// Reads a JSON column of a client's row. Taken as empty, an unreadable one would let the next
/// delivery write over whatever an earlier telling or a person said.
fn read<T: DeserializeOwned>(column: &'static str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|_| Error::Inconsistent { table: "clients", column })
}

/// The provenance of a client that a person makes: who was first seen then, unless a telling says
/// earlier.
pub(super) fn by_hand(at: DateTime<Utc>, source: Channel) -> String {
    let made = Provenance {
        first_interaction: time_text(at),
        by_hand: Some(FirstSeen { at, source }),
        ..Provenance::default()
    };
    serde_json::to_string(&made).unwrap_or_default()
}

/// True for a client that a person made, or set a field of: no delivery removes it.
pub(super) fn is_a_persons(row: &ClientRow) -> Result<bool> {
    let from: Provenance = read("provenance", &row.provenance)?;
    Ok(from.by_hand.is_some() || row.set_by_person != "[]")
}

/// Names of the fields that a person set.
pub(super) fn set_by_person(row: &ClientRow) -> Result<Vec<String>> {
    read("set_by_person", &row.set_by_person)
}

/// The moment of the first interaction, as the API names it: how it came goes with it.
pub(super) const FIRST_INTERACTION: &str = "firstInteractionDate";

/// When somebody first booked, as the API names it.
pub(super) const FIRST_BOOKING: &str = "firstBookingDate";

/// One telling, as far as it concerns the person.
#[derive(Clone, Debug)]
pub(super) struct Told {
    place: String,
    /// The event it was told by.
    event: Option<Uuid>,
    at: DateTime<Utc>,
    source: Channel,
    name_strength: u8,
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
}

impl Told {
    /// What a sighting tells of the person; `None` for a bare change.
    pub(super) fn of(sighting: &Sighting) -> Option<Self> {
        let telling = telling(sighting)?;
        let strength = match (&telling.first_name, telling.name_is_profile) {
            (None, _) => 0,
            (Some(_), true) => 1,
            (Some(_), false) => 2,
        };
        Some(Self {
            place: place(&sighting.order),
            event: Some(sighting.event_id),
            at: sighting.order.event_time,
            source: telling.source,
            name_strength: strength,
            first_name: telling.first_name.clone(),
            last_name: telling.last_name.clone(),
            email: telling.email.clone(),
        })
    }

    /// An enquiry that came before the first booking.
    pub(super) fn asked(at: DateTime<Utc>, source: Channel) -> Self {
        Self {
            place: time_text(at),
            event: None,
            at,
            source,
            name_strength: 0,
            first_name: None,
            last_name: None,
            email: None,
        }
    }

    /// What a lead says of the client that it is made: a name given for a booking goes before its.
    pub(super) fn lead(lead: &LeadRecord) -> Self {
        let source = lead.source.parse().unwrap_or(Channel::Web);
        Self {
            name_strength: u8::from(lead.first_name.is_some()),
            first_name: lead.first_name.clone(),
            last_name: lead.last_name.clone(),
            email: lead.email.clone(),
            ..Self::asked(lead.first_interaction_at, source)
        }
    }
}

/// A place in history as text that sorts as [`Order`] does.
fn place(order: &Order) -> String {
    let Order { event_time, rank, seq, key } = order;
    format!("{}|{}|{seq:010}|{key}", time_text(*event_time), rank.as_i16())
}

fn time_text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// What laying tellings over a row came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Laid {
    /// The row is right.
    Done,
    /// An earlier telling replaced the first name, so the last name must be sought in all of the
    /// client's tellings: lay them all over a bare row.
    NeedsAll,
}

/// Lays tellings over a client's row. Fields that a person set stay.
pub(super) fn lay(row: &mut ClientRow, told: &[Told]) -> Result<Laid> {
    let mut from: Provenance = read("provenance", &row.provenance)?;
    let fixed = set_by_person(row)?;
    let may = |field: &str| !fixed.iter().any(|f| f == field);
    for one in told {
        let earlier = from.first_interaction.is_empty() || one.place < from.first_interaction;
        if earlier && may(FIRST_INTERACTION) {
            from.first_interaction.clone_from(&one.place);
            from.note("firstInteractionDate", one);
            from.note("firstInteractionSource", one);
            row.first_interaction_at = one.at;
            one.source.as_str().clone_into(&mut row.first_interaction_source);
        }
        if let (Some(email), true) = (&one.email, may("email"))
            && (row.email.is_none() || one.place < from.email)
        {
            row.email = Some(email.clone());
            from.email.clone_from(&one.place);
            from.note("email", one);
        }
    }
    let laid = if may("firstName") { lay_first_name(row, &mut from, told) } else { Laid::Done };
    if may("lastName") {
        lay_last_name(row, &mut from, told);
    }
    row.provenance = serde_json::to_string(&from)
        .map_err(|_| Error::Inconsistent { table: "clients", column: "provenance" })?;
    Ok(laid)
}

/// The strongest name wins (given, then a profile's), and among equals the earliest.
fn lay_first_name(row: &mut ClientRow, from: &mut Provenance, told: &[Told]) -> Laid {
    let named = told.iter().filter(|t| t.name_strength > 0);
    let best = named.max_by(|a, b| (a.name_strength, &b.place).cmp(&(b.name_strength, &a.place)));
    let Some((best, name)) = best.and_then(|b| Some((b, b.first_name.clone()?))) else {
        return Laid::Done;
    };
    let better = best.name_strength > from.name_strength
        || (best.name_strength == from.name_strength && best.place < from.first_name);
    if !better {
        return Laid::Done;
    }
    let replaced = from.name_strength > 0;
    from.name_strength = best.name_strength;
    from.first_name.clone_from(&best.place);
    from.note("firstName", best);
    from.events.remove("lastName");
    row.first_name = name;
    row.last_name.clear();
    from.last_name.clear();
    if replaced { Laid::NeedsAll } else { Laid::Done }
}

/// The earliest last name that was told together with this first name: nobody gets the surname of
/// one telling and the first name of another.
fn lay_last_name(row: &mut ClientRow, from: &mut Provenance, told: &[Told]) {
    let first = row.first_name.to_lowercase();
    let same = told.iter().filter(|t| {
        t.name_strength == from.name_strength
            && t.first_name.as_ref().is_some_and(|name| name.to_lowercase() == first)
    });
    let earliest = same.filter(|t| t.last_name.is_some()).min_by(|a, b| a.place.cmp(&b.place));
    if let Some((one, name)) = earliest.and_then(|one| Some((one, one.last_name.clone()?)))
        && (row.last_name.is_empty() || one.place < from.last_name)
    {
        row.last_name = name;
        from.last_name.clone_from(&one.place);
        from.note("lastName", one);
    }
}

/// Forgets what tellings said, so that all of them can be laid anew; what a person set, and what a
/// lead was called that a person made this client, stays.
pub(super) fn bare(row: &mut ClientRow) -> Result<()> {
    let fixed = set_by_person(row)?;
    let told = told_by(&row.provenance)?;
    let may = |field: &str| !fixed.iter().any(|f| f == field) && told.contains_key(field);
    if may("firstName") {
        UNKNOWN.clone_into(&mut row.first_name);
    }
    if may("lastName") {
        row.last_name.clear();
    }
    if may("email") {
        row.email = None;
    }
    let from: Provenance = read("provenance", &row.provenance)?;
    row.provenance = match from.by_hand {
        Some(first) if may(FIRST_INTERACTION) => {
            row.first_interaction_at = first.at;
            first.source.as_str().clone_into(&mut row.first_interaction_source);
            by_hand(first.at, first.source)
        }
        _ => "{}".to_owned(),
    };
    Ok(())
}
