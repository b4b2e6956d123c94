//! What a booking is: a pure function of everything that was told of it.
//!
//! The sightings are read in the order of history (event time, rank, place, key), never in the
//! order of arrival, and each finds its booking by what it has in common with those before it:
//! a labelled reference, the call or message it was told in, or person, start and service.
//! The same set of sightings therefore ends in the same bookings, however it arrived.

use super::draft::{Draft, duplicates, origin, own_ids, owners};
use super::fold::Fold;
use crate::domain::booking::{Change, ChangeOf, UnifiedBookingData};
use crate::domain::channel::BookingStatus;
use crate::domain::edit::Edit;
use crate::domain::sighting::{Says, Sighting};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A sighting and the person it is of: two sightings of one person have the same number.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The sighting.
    pub sighting: Sighting,
    /// Whose telling it is, by the phone or WhatsApp id in it.
    pub person: Option<u32>,
}

/// The bookings that a set of sightings comes to.
#[derive(Clone, Debug, Default)]
pub struct Resolution {
    /// Each booking, in the order in which it was first told.
    pub bookings: Vec<Resolved>,
    /// The changes that found no booking, by the id of their sighting.
    pub waiting: BTreeMap<Uuid, Waiting>,
}

/// Why a change found no booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waiting {
    /// Nobody has told it yet: the change applies by itself once somebody does.
    BookingUnknown,
    /// It could be one of several.
    SeveralBookings,
}

/// One booking.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The id it was answered under before; `None` for a new booking.
    pub id: Option<Uuid>,
    /// Other ids that were answered for what proved to be this booking.
    pub folded: Vec<Uuid>,
    /// Ids of its sightings, in the order of history.
    pub members: Vec<Uuid>,
    /// The sightings' fields, laid over each other.
    pub fold: Fold,
    /// What it was first told as, unique among the tenant's bookings.
    pub origin: String,
    /// The place in [`Resolution::bookings`] of a booking that may be the same appointment.
    pub duplicate_of: Option<usize>,
}

/// Reads the sightings in the order of history and says which bookings they are.
///
/// Repeated sightings (of one key) count once. A sighting that tells nothing but a change is
/// either part of a booking or waits.
#[must_use]
pub fn resolve(seen: &[Seen]) -> Resolution {
    let mut history: Vec<&Seen> = seen.iter().collect();
    history.sort_by(|a, b| a.sighting.order.cmp(&b.sighting.order));
    history.dedup_by(|a, b| a.sighting.order.key == b.sighting.order.key);
    let mut book = Book::default();
    for one in &history {
        match &one.sighting.says {
            Says::Booking(telling) => book.take_telling(one, telling),
            Says::Change(change) => book.take_change(one, change),
            Says::Edit(edit) => book.take_edit(one, edit),
        }
    }
    book.finish(&history)
}

/// The state of reading: bookings so far, and changes that have found none yet.
#[derive(Default)]
struct Book<'a> {
    drafts: Vec<Draft<'a>>,
    waiting: Vec<&'a Seen>,
    ambiguous: Vec<&'a Seen>,
    /// Bare words ("yes") that found nothing: they never apply to a booking told later.
    spent: Vec<&'a Seen>,
}

impl<'a> Book<'a> {
    fn take_telling(&mut self, one: &'a Seen, telling: &UnifiedBookingData) {
        let labels = labels(telling);
        let mut found = self.strong(one, telling, &labels);
        if found.is_empty() {
            found.extend(self.slot(one, telling, &labels));
        }
        let place = match found.split_first() {
            None => {
                self.drafts.extend(Draft::new(vec![one]));
                self.drafts.len().saturating_sub(1)
            }
            Some((first, others)) => {
                if let Some(draft) = self.drafts.get_mut(*first) {
                    draft.join([one]);
                }
                self.merge(*first, others)
            }
        };
        self.settle(place);
    }

    /// Bookings that the telling names, or that were told in the same words: certain.
    fn strong(
        &self,
        one: &Seen,
        telling: &UnifiedBookingData,
        labels: &BTreeMap<String, String>,
    ) -> Vec<usize> {
        let key = telling.service_key();
        let own = telling.external_booking.as_ref().map(|e| e.id.as_str());
        let named = |draft: &Draft<'_>| {
            labels.iter().any(|(provider, id)| {
                draft.fold.ids.contains(&(provider.clone(), id.clone(), key.clone()))
            })
        };
        let certain = |draft: &Draft<'_>| {
            !draft.contradicts(labels)
                && (named(draft)
                    || draft.was_told(&one.sighting)
                    || own.is_some_and(|id| draft.has_id(id)))
        };
        let mut found = self.places(certain);
        if found.is_empty() && one.sighting.told_as.is_empty() {
            found = self.of_analysis(one, telling, labels);
        }
        found
    }

    /// An analysis names no tool call: it is of the call's booking at that start, if there is one.
    fn of_analysis(
        &self,
        one: &Seen,
        telling: &UnifiedBookingData,
        labels: &BTreeMap<String, String>,
    ) -> Vec<usize> {
        let Some(context) = one.sighting.context.as_deref() else { return Vec::new() };
        let found = self.places(|draft| {
            draft.has_item_of(context)
                && draft.fold.start == telling.appointment_date_time
                && !draft.contradicts(labels)
        });
        if found.len() == 1 { found } else { Vec::new() }
    }

    /// The person's booking of that service at that start. One that was cancelled before is over:
    /// the slot was booked anew.
    fn slot(
        &self,
        one: &Seen,
        telling: &UnifiedBookingData,
        labels: &BTreeMap<String, String>,
    ) -> Option<usize> {
        let key = telling.service_key();
        let found = self.places(|draft| {
            one.person.is_some()
                && draft.fold.person == one.person
                && draft.fold.start == telling.appointment_date_time
                && draft.fold.service_key == key
                && !draft.is_cancelled()
                && !draft.contradicts(labels)
        });
        found.first().copied()
    }

    fn places(&self, wanted: impl Fn(&Draft<'a>) -> bool) -> Vec<usize> {
        let numbered = self.drafts.iter().enumerate();
        numbered.filter(|(_, draft)| wanted(draft)).map(|(place, _)| place).collect()
    }

    /// Makes one of several bookings that one telling named; those with contradicting references
    /// stay. Answers where the booking is then.
    fn merge(&mut self, into: usize, others: &[usize]) -> usize {
        for place in others.iter().rev() {
            let Some(labels) = self.drafts.get(*place).map(|d| d.fold.labels.clone()) else {
                continue;
            };
            if self.drafts.get(into).is_some_and(|draft| !draft.contradicts(&labels)) {
                let other = self.drafts.remove(*place);
                if let Some(draft) = self.drafts.get_mut(into) {
                    draft.join(other.members);
                }
            }
        }
        into
    }

    /// After a booking was told or changed: waiting changes may be its own, and it may stand in
    /// another's slot now, which makes them one.
    fn settle(&mut self, place: usize) {
        let mut place = place;
        loop {
            let waiting = std::mem::take(&mut self.waiting);
            let (mine, others): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|one| self.wanted(one).contains(&place));
            self.waiting = others;
            let changed = !mine.is_empty();
            if let Some(draft) = self.drafts.get_mut(place) {
                draft.join(mine);
            }
            match self.beside(place) {
                Some(other) => {
                    let (low, high) = (place.min(other), place.max(other));
                    place = self.merge(low, &[high]);
                }
                None if changed => {}
                None => return,
            }
        }
    }

    /// Settles every booking, until none of them merges with another any more.
    fn settle_all(&mut self) {
        let mut before = usize::MAX;
        while self.drafts.len() < before {
            before = self.drafts.len();
            for place in 0..before {
                if place < self.drafts.len() {
                    self.settle(place);
                }
            }
        }
    }

    /// Another live booking in the same slot whose references don't contradict.
    fn beside(&self, place: usize) -> Option<usize> {
        let draft = self.drafts.get(place).filter(|draft| !draft.is_cancelled())?;
        let other = |(n, other): &(usize, &Draft<'_>)| {
            *n != place
                && !other.is_cancelled()
                && other.is_at_slot_of(draft)
                && !other.contradicts(&draft.fold.labels)
        };
        self.drafts.iter().enumerate().find(other).map(|(n, _)| n)
    }

    /// The bookings that something waiting is of.
    fn wanted(&self, one: &Seen) -> Vec<usize> {
        match &one.sighting.says {
            Says::Change(change) => self.targets(one, change),
            Says::Edit(edit) => self.edited(one, edit).into_iter().collect(),
            Says::Booking(_) => Vec::new(),
        }
    }

    fn take_edit(&mut self, one: &'a Seen, edit: &Edit) {
        match self.edited(one, edit) {
            Some(place) => self.apply(one, place),
            None => self.waiting.push(one),
        }
    }

    /// The booking that a person named by our id: the first that had it, should it have proved to
    /// be several.
    fn edited(&self, one: &Seen, edit: &Edit) -> Option<usize> {
        let id = one.sighting.booking_id.unwrap_or(edit.of).to_string();
        self.places(|draft| draft.has_id(&id)).first().copied()
    }

    fn take_change(&mut self, one: &'a Seen, change: &'a Change) {
        let again = self.places(|draft| draft.was_told(&one.sighting));
        let found = [again, self.labelled(change)].into_iter().find(|found| !found.is_empty());
        let found = found.unwrap_or_else(|| self.targets(one, change));
        let found = self.of_its_service(found, change);
        let all = change.telling.is_none()
            && matches!(&change.of, ChangeOf::ExternalId { provider: Some(_), .. });
        match (found.as_slice(), &change.telling) {
            ([], Some(telling)) => self.take_telling(one, telling),
            ([], None) if change.of == ChangeOf::OnlyOpenPending => self.spent.push(one),
            ([], None) => self.waiting.push(one),
            ([place], _) => self.apply(one, *place),
            (places, _) if all => {
                for place in places {
                    self.change(one, *place);
                }
                self.settle_all();
            }
            _ => self.ambiguous.push(one),
        }
    }

    /// The bookings that have the labelled reference which a change's telling carries: it names
    /// its booking more surely than a start does.
    fn labelled(&self, change: &Change) -> Vec<usize> {
        let labels = change.telling.as_deref().map(labels).unwrap_or_default();
        self.places(|draft| {
            labels.iter().any(|(provider, id)| draft.fold.labels.get(provider) == Some(id))
        })
    }

    /// Of several bookings that a change may be of, those of the service that it tells.
    fn of_its_service(&self, found: Vec<usize>, change: &Change) -> Vec<usize> {
        let Some(telling) = change.telling.as_ref().filter(|_| found.len() > 1) else {
            return found;
        };
        let key = telling.service_key();
        let same = |place: &&usize| {
            self.drafts.get(**place).is_some_and(|draft| draft.fold.service_key == key)
        };
        let same: Vec<usize> = found.iter().filter(same).copied().collect();
        if same.is_empty() { found } else { same }
    }

    fn apply(&mut self, one: &'a Seen, place: usize) {
        self.change(one, place);
        self.settle(place);
    }

    fn change(&mut self, one: &'a Seen, place: usize) {
        if let Some(draft) = self.drafts.get_mut(place) {
            draft.join([one]);
        }
    }

    /// The bookings that a change may be of. A live one goes before those that are over.
    fn targets(&self, one: &Seen, change: &Change) -> Vec<usize> {
        let theirs = |draft: &Draft<'_>| one.person.is_none() || draft.fold.person == one.person;
        match &change.of {
            ChangeOf::ExternalId { provider: Some(provider), id } => {
                let labelled = self.places(|d| d.fold.labels.get(provider) == Some(id));
                if labelled.is_empty() {
                    self.live_first(|d| {
                        theirs(d) && d.has_reference(id) && !d.fold.labels.contains_key(provider)
                    })
                } else {
                    labelled
                }
            }
            ChangeOf::ExternalId { provider: None, id } => {
                self.live_first(|d| theirs(d) && d.has_reference(id))
            }
            ChangeOf::Start { start, service } => {
                let key = service.as_deref().map(crate::domain::booking::service_key);
                let labels = change.telling.as_deref().map(labels).unwrap_or_default();
                self.live_first(|d| {
                    one.person.is_some()
                        && theirs(d)
                        && d.fold.start == *start
                        && !d.contradicts(&labels)
                        && key.as_ref().is_none_or(|key| *key == d.fold.service_key)
                })
            }
            ChangeOf::Context(context) => {
                self.live_first(|d| theirs(d) && d.was_told_in(context, &one.sighting))
            }
            ChangeOf::OnlyOpenPending => match one.sighting.booking_id {
                Some(id) => self.places(|d| d.has_id(&id.to_string())),
                None => self.places(|d| {
                    one.person.is_some() && theirs(d) && d.fold.status == BookingStatus::Pending
                }),
            },
        }
    }

    fn live_first(&self, wanted: impl Fn(&Draft<'a>) -> bool) -> Vec<usize> {
        let live = self.places(|draft| !draft.is_cancelled() && wanted(draft));
        if live.is_empty() { self.places(wanted) } else { live }
    }

    fn finish(self, history: &[&Seen]) -> Resolution {
        let ids = owners(history);
        let mut drafts = self.drafts;
        drafts.sort_by(|a, b| a.first().cmp(&b.first()));
        let duplicates = duplicates(&drafts);
        let mut origins = BTreeSet::new();
        let bookings = drafts.iter().zip(duplicates).map(|(draft, duplicate_of)| {
            let (id, folded) = own_ids(draft, &ids);
            Resolved {
                id,
                folded,
                members: draft.members.iter().map(|m| m.sighting.id).collect(),
                fold: draft.fold.clone(),
                origin: origin(draft, &mut origins),
                duplicate_of,
            }
        });
        let bookings = bookings.collect();
        let unknown = self.waiting.into_iter().chain(self.spent);
        let waiting = unknown.map(|one| (one.sighting.id, Waiting::BookingUnknown));
        let several = self.ambiguous.iter().map(|o| (o.sighting.id, Waiting::SeveralBookings));
        Resolution { bookings, waiting: waiting.chain(several).collect() }
    }
}

/// The labelled references of a telling, by provider.
fn labels(telling: &UnifiedBookingData) -> BTreeMap<String, String> {
    telling.labelled().map(|(p, id)| (p.to_owned(), id.to_owned())).into_iter().collect()
}
