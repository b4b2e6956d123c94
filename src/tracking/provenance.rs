//! Which telling gave a booking what stands in it.

use super::fold::{self, Fold};
use super::gather::identities;
use super::resolve::Seen;
use crate::domain::booking::ChangeKind;
use crate::domain::sighting::{Says, Sighting};
use std::collections::BTreeMap;
use uuid::Uuid;

/// One telling of a booking, and what of the booking comes from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The event that told it.
    pub event_id: Uuid,
    /// What it told: `booking`, `edit`, or the change.
    pub told: &'static str,
    /// Names of the booking's fields, as the API has them, whose value it gave: the value that
    /// stands. A later telling of the same value gave nothing.
    pub fields: Vec<&'static str>,
}

/// The tellings of one booking in the order of history, each with what it gave.
#[must_use]
pub fn trace(sightings: &[Sighting]) -> Vec<Trace> {
    let mut history: Vec<Seen> = sightings.iter().map(seen).collect();
    history.sort_by(|a, b| a.sighting.order.cmp(&b.sighting.order));
    let mut members: Vec<&Seen> = history.iter().collect();
    members.dedup_by(|a, b| a.sighting.order.key == b.sighting.order.key);
    let given = given(&members);
    let trace = |one: &Seen| Trace {
        event_id: one.sighting.event_id,
        told: told(&one.sighting),
        fields: given.iter().filter(|(_, by)| **by == one.sighting.id).map(|(f, _)| *f).collect(),
    };
    history.iter().map(trace).collect()
}

/// Only whether it has a person counts here: all members are of one booking.
fn seen(sighting: &Sighting) -> Seen {
    let person = (!identities(sighting).is_empty()).then_some(0);
    Seen { sighting: sighting.clone(), person }
}

/// For each field that has a value, the sighting since which it has that value.
fn given(members: &[&Seen]) -> BTreeMap<&'static str, Uuid> {
    let (mut given, mut before) = (BTreeMap::new(), BTreeMap::new());
    let _end = fold::fold_with(members, |member, done| {
        let after = values(done);
        for (field, value) in &after {
            if before.get(field) != Some(value) {
                given.insert(*field, member.sighting.id);
            }
        }
        before = after;
    });
    given.extend(fold::whose(members).map(|member| ("clientId", member.sighting.id)));
    given
}

/// What stands in the booking, field by field; what nobody told is left out.
fn values(fold: &Fold) -> BTreeMap<&'static str, String> {
    let text = |text: &Option<String>| text.clone();
    let (provider, reference) = fold.reference();
    let pairs = [
        ("bookingDate", Some(fold.start.to_rfc3339())),
        ("serviceName", Some(fold.service_name.clone())),
        ("serviceCategory", text(&fold.service_category)),
        ("duration", fold.duration.map(|minutes| minutes.to_string())),
        ("staffMember", text(&fold.staff_member)),
        ("amount", fold.price.map(|price| price.minor.to_string())),
        ("currency", fold.price.map(|price| price.currency.as_str().to_owned())),
        ("status", Some(fold.status.as_str().to_owned())),
        ("paymentStatus", fold.payment_is_told.then(|| fold.payment_status.as_str().to_owned())),
        ("source", Some(fold.source.as_str().to_owned())),
        ("externalBookingId", reference.map(|id| format!("{provider:?} {id}"))),
        ("notes", text(&fold.notes)),
    ];
    pairs.into_iter().filter_map(|(field, value)| Some((field, value?))).collect()
}

fn told(sighting: &Sighting) -> &'static str {
    match &sighting.says {
        Says::Booking(_) => "booking",
        Says::Change(change) => match change.what {
            ChangeKind::Confirm => "confirm",
            ChangeKind::Cancel => "cancel",
            ChangeKind::Reschedule(_) => "reschedule",
            ChangeKind::Complete => "complete",
            ChangeKind::NoShow => "no_show",
        },
        Says::Edit(_) => "edit",
    }
}

#[cfg(test)]
mod tests;
