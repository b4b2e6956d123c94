//! A booking while its sightings are being read.

use super::fold::{Fold, fold};
use super::resolve::Seen;
use crate::domain::channel::BookingStatus;
use crate::domain::sighting::{Order, Says, Sighting};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A booking as far as it has been told.
pub(super) struct Draft<'a> {
    /// In the order of history.
    pub(super) members: Vec<&'a Seen>,
    pub(super) fold: Fold,
}

impl<'a> Draft<'a> {
    pub(super) fn new(members: Vec<&'a Seen>) -> Option<Self> {
        let fold = fold(&members)?;
        Some(Self { members, fold })
    }

    pub(super) fn join(&mut self, more: impl IntoIterator<Item = &'a Seen>) {
        self.members.extend(more);
        self.members.sort_by(|a, b| a.sighting.order.cmp(&b.sighting.order));
        if let Some(fold) = fold(&self.members) {
            self.fold = fold;
        }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.fold.status == BookingStatus::Cancelled
    }

    /// True when both carry a reference of one provider and it isn't the same: two bookings.
    pub(super) fn contradicts(&self, labels: &BTreeMap<String, String>) -> bool {
        labels.iter().any(|(provider, id)| self.fold.labels.get(provider).is_some_and(|i| i != id))
    }

    /// True when the very same telling (a tool call, an analysis) was read before.
    pub(super) fn was_told(&self, one: &Sighting) -> bool {
        self.members.iter().any(|member| same_telling(&member.sighting, one))
    }

    /// True when it was told in this call or message; and before `change`, where that is of the
    /// same call: what is cancelled there is not what is booked there afterwards.
    pub(super) fn was_told_in(&self, context: &str, change: &Sighting) -> bool {
        let own = change.context.as_deref() == Some(context);
        self.members.iter().map(|m| &m.sighting).any(|told| {
            told.context.as_deref() == Some(context) && (!own || told.order < change.order)
        })
    }

    pub(super) fn has_item_of(&self, context: &str) -> bool {
        let item = |m: &&&Seen| {
            m.sighting.context.as_deref() == Some(context) && !m.sighting.told_as.is_empty()
        };
        self.members.iter().any(|m| item(&m))
    }

    pub(super) fn has_id(&self, id: &str) -> bool {
        let named = |m: &&Seen| m.sighting.booking_id.is_some_and(|own| own.to_string() == id);
        self.members.iter().any(named)
    }

    pub(super) fn has_reference(&self, id: &str) -> bool {
        self.fold.references.contains(id) || self.has_id(id)
    }

    pub(super) fn is_at_slot_of(&self, other: &Self) -> bool {
        self.fold.person.is_some()
            && self.fold.person == other.fold.person
            && self.fold.start == other.fold.start
            && self.fold.service_key == other.fold.service_key
    }

    pub(super) fn contexts(&self) -> BTreeSet<&str> {
        self.members.iter().filter_map(|m| m.sighting.context.as_deref()).collect()
    }

    pub(super) fn first(&self) -> Option<&Order> {
        self.members.first().map(|m| &m.sighting.order)
    }
}

/// The same words told again: the same place in the same call or message.
fn same_telling(a: &Sighting, b: &Sighting) -> bool {
    a.context.is_some()
        && a.context == b.context
        && (a.item == b.item || a.told_as.iter().any(|told| b.told_as.contains(told)))
}

/// For each id that was answered before, the earliest sighting it was answered for: there it stays.
pub(super) fn owners(history: &[&Seen]) -> BTreeMap<Uuid, Uuid> {
    let mut owners = BTreeMap::new();
    for sighting in history.iter().map(|one| &one.sighting) {
        if let Some(id) = sighting.booking_id {
            owners.entry(id).or_insert(sighting.id);
        }
    }
    owners
}

/// The id of the draft's earliest owner, and the ids of the others.
pub(super) fn own_ids(
    draft: &Draft<'_>,
    owners: &BTreeMap<Uuid, Uuid>,
) -> (Option<Uuid>, Vec<Uuid>) {
    let mut ids = draft.members.iter().filter_map(|member| {
        let id = member.sighting.booking_id?;
        (owners.get(&id) == Some(&member.sighting.id)).then_some(id)
    });
    (ids.next(), ids.collect())
}

/// What the booking was first told as. Two that share it (one tool call, two references) are told
/// apart by their reference.
pub(super) fn origin(draft: &Draft<'_>, taken: &mut BTreeSet<String>) -> String {
    let first = draft.members.iter().map(|m| &m.sighting).find(|s| tells(s));
    let mut origin = first.map_or_else(String::new, |first| match &first.context {
        Some(context) => format!("{context}#{}", first.item),
        None => first.order.key.clone(),
    });
    if !taken.insert(origin.clone()) {
        let labels = draft.fold.labels.iter().map(|(p, id)| format!("#{p}:{id}"));
        origin.extend(labels);
        taken.insert(origin.clone());
    }
    origin
}

fn tells(sighting: &Sighting) -> bool {
    match &sighting.says {
        Says::Booking(_) => true,
        Says::Change(change) => change.telling.is_some(),
        Says::Edit(_) => false,
    }
}

/// For each draft, an earlier one of the same person at the same start, told elsewhere, with
/// another service: maybe the same appointment in other words.
pub(super) fn duplicates(drafts: &[Draft<'_>]) -> Vec<Option<usize>> {
    let of = |(place, draft): (usize, &Draft<'_>)| {
        drafts.iter().take(place).position(|earlier| {
            draft.fold.person.is_some()
                && earlier.fold.person == draft.fold.person
                && earlier.fold.start == draft.fold.start
                && earlier.fold.service_key != draft.fold.service_key
                && !earlier.is_cancelled()
                && !draft.is_cancelled()
                && earlier.contexts().is_disjoint(&draft.contexts())
        })
    };
    drafts.iter().enumerate().map(of).collect()
}
