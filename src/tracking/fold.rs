//! One booking's fields, laid over each other in the order of history.

use super::resolve::Seen;
use crate::domain::booking::{ChangeKind, ExternalBooking, UnifiedBookingData, service_key};
use crate::domain::channel::{BookingStatus, Channel, PaymentStatus};
use crate::domain::edit::{Edited, Set};
use crate::domain::money::Money;
use crate::domain::sighting::{Order, Rank, Says, Sighting};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// The fields of a booking as its sightings say them together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// When the appointment starts.
    pub start: DateTime<Utc>,
    /// As the last telling wrote it.
    pub service_name: String,
    /// The service's identity.
    pub service_key: String,
    /// The kind of service.
    pub service_category: Option<String>,
    /// In minutes.
    pub duration: Option<u32>,
    /// Who is to do it.
    pub staff_member: Option<String>,
    /// Absent is not zero.
    pub price: Option<Money>,
    /// The booking's state.
    pub status: BookingStatus,
    /// The payment's state.
    pub payment_status: PaymentStatus,
    /// True when somebody told that state.
    pub payment_is_told: bool,
    /// How the customer spoke.
    pub source: Channel,
    /// Labelled references, by provider.
    pub labels: BTreeMap<String, String>,
    /// The last unlabelled reference.
    pub unlabelled: Option<String>,
    /// Every reference ever told.
    pub references: BTreeSet<String>,
    /// Every labelled reference with the service it was told for: (provider, id, service key).
    pub ids: BTreeSet<(String, String, String)>,
    /// Free text.
    pub notes: Option<String>,
    /// When the customer booked: the earliest telling.
    pub booked_at: DateTime<Utc>,
    /// Whose booking it is: a phone given for it goes before the line it came by, and a telling
    /// of higher rank before one of lower.
    pub person: Option<u32>,
    /// A change was told that can't follow what came before it: kept, and without effect.
    pub impossible_change: bool,
}

impl Fold {
    /// The reference to show: a labelled one with its provider, else the unlabelled one.
    #[must_use]
    pub fn reference(&self) -> (Option<&str>, Option<&str>) {
        match self.labels.first_key_value() {
            Some((provider, id)) => (Some(provider), Some(id)),
            None => (None, self.unlabelled.as_deref()),
        }
    }
}

/// Lays the members, which are in the order of history, over each other; `None` when none of
/// them tells a booking.
pub(super) fn fold(members: &[&Seen]) -> Option<Fold> {
    fold_with(members, |_, _| {})
}

/// The same, and `after` sees how the booking stands after each member.
pub(super) fn fold_with(members: &[&Seen], mut after: impl FnMut(&Seen, &Fold)) -> Option<Fold> {
    let first = members.iter().find_map(|m| telling(m))?;
    let mut folding = Folding::new(first, members);
    // What was changed before the booking itself was told applies as soon as it is told.
    let (mut early, mut begun): (Vec<&Seen>, bool) = (Vec::new(), false);
    for member in members {
        if let (Some(what), true) = (move_of(member), begun) {
            // The move first: the telling beside it carries the new start already.
            folding.change(what);
        }
        if let Some(telling) = telling(member) {
            folding.tell(telling, &member.sighting);
            begun = true;
            after(member, &folding.done);
            for early in early.drain(..) {
                folding.apply(early);
                after(early, &folding.done);
            }
        }
        if matches!(member.sighting.says, Says::Booking(_)) {
            continue;
        }
        if begun {
            folding.apply(member);
            after(member, &folding.done);
        } else {
            early.push(member);
        }
    }
    Some(folding.done)
}

fn move_of(seen: &Seen) -> Option<&ChangeKind> {
    match &seen.sighting.says {
        Says::Change(change) => {
            Some(&change.what).filter(|what| matches!(what, ChangeKind::Reschedule(_)))
        }
        Says::Booking(_) | Says::Edit(_) => None,
    }
}

fn telling(seen: &Seen) -> Option<&UnifiedBookingData> {
    match &seen.sighting.says {
        Says::Booking(telling) => Some(telling),
        Says::Change(change) => change.telling.as_deref(),
        Says::Edit(_) => None,
    }
}

struct Folding {
    done: Fold,
    /// Starts that the booking was moved away from: a later telling of one is old news.
    moved_from: Vec<DateTime<Utc>>,
    /// Fields that a person set: no other telling changes them.
    fixed: BTreeSet<String>,
    /// A person said by an edit what state it is in: a telling raises it no more.
    status_is_set: bool,
}

impl Folding {
    fn new(first: &UnifiedBookingData, members: &[&Seen]) -> Self {
        let tellings = || members.iter().filter_map(|m| Some((*m, telling(m)?)));
        let booked_at = tellings().map(|(m, _)| m.sighting.order.event_time).min();
        let done = Fold {
            start: first.appointment_date_time,
            service_name: first.service_name.clone(),
            service_key: first.service_key(),
            service_category: None,
            duration: None,
            staff_member: None,
            price: None,
            status: first.status,
            payment_status: PaymentStatus::Pending,
            payment_is_told: false,
            source: first.source,
            labels: BTreeMap::new(),
            unlabelled: None,
            references: BTreeSet::new(),
            ids: BTreeSet::new(),
            notes: None,
            booked_at: booked_at.unwrap_or(first.appointment_date_time),
            person: whose(members).and_then(|seen| seen.person),
            impossible_change: false,
        };
        Self { done, moved_from: Vec::new(), fixed: BTreeSet::new(), status_is_set: false }
    }

    fn tell(&mut self, told: &UnifiedBookingData, sighting: &Sighting) {
        let set = |field: &str| sighting.set_by_person.iter().any(|f| f == field);
        let may = |field: &str| set(field) || !self.fixed.contains(field);
        let done = &mut self.done;
        if may("appointmentDateTime") && !self.moved_from.contains(&told.appointment_date_time) {
            done.start = told.appointment_date_time;
        }
        if may("serviceName") {
            done.service_name.clone_from(&told.service_name);
            done.service_key = told.service_key();
        }
        fill(&mut done.service_category, told.service_category.as_ref(), may("serviceCategory"));
        fill(&mut done.duration, told.duration.as_ref(), may("duration"));
        fill(&mut done.staff_member, told.staff_member.as_ref(), may("staffMember"));
        fill(&mut done.price, told.price.as_ref(), may("price"));
        fill(&mut done.notes, told.notes.as_ref(), may("notes"));
        if let (Some(payment), true) = (told.payment_status, may("paymentStatus")) {
            done.payment_status = payment;
            done.payment_is_told = true;
        }
        if may("source") {
            done.source = told.source;
        }
        let by_hand = sighting.order.rank == Rank::Person && set("status");
        if by_hand || (done.status == BookingStatus::Pending && !self.status_is_set) {
            done.status = told.status;
        }
        refer(done, told, may("externalBookingId"));
        self.fixed.extend(sighting.set_by_person.iter().cloned());
    }

    fn apply(&mut self, one: &Seen) {
        match &one.sighting.says {
            Says::Change(change) => self.change(&change.what),
            Says::Edit(edit) => self.edit(&edit.set),
            Says::Booking(_) => {}
        }
    }

    /// Sets what a person set. It was checked against what stood there when it was written.
    fn edit(&mut self, set: &Edited) {
        if let Some(start) = set.appointment_date_time {
            self.move_to(start);
        }
        let done = &mut self.done;
        if let Some(name) = &set.service_name {
            done.service_name.clone_from(name);
            done.service_key = service_key(name);
        }
        if let Some(status) = set.status {
            done.status = status;
            done.impossible_change = false;
            self.status_is_set = true;
        }
        if let Some(payment) = set.payment_status {
            done.payment_status = payment;
            done.payment_is_told = true;
        }
        done.source = set.source.unwrap_or(done.source);
        set.service_category.lay(&mut done.service_category);
        set.duration.lay(&mut done.duration);
        set.staff_member.lay(&mut done.staff_member);
        set.price.lay(&mut done.price);
        set.notes.lay(&mut done.notes);
        rename(done, &set.external_booking);
        self.fixed.extend(set.names());
    }

    /// A later telling of the start that it was moved from is old news.
    fn move_to(&mut self, start: DateTime<Utc>) {
        if start != self.done.start {
            self.moved_from.push(self.done.start);
            self.moved_from.retain(|from| *from != start);
            self.done.start = start;
        }
    }

    /// Applies a change, or notes that it can't follow what came before.
    fn change(&mut self, what: &ChangeKind) {
        use BookingStatus::{Cancelled, Completed, Confirmed, NoShow, Pending};
        let next = match (what, self.done.status) {
            (ChangeKind::Confirm, Pending) => Some(Confirmed),
            (ChangeKind::Cancel, Pending | Confirmed) => Some(Cancelled),
            (ChangeKind::Complete, Confirmed) => Some(Completed),
            (ChangeKind::NoShow, Confirmed) => Some(NoShow),
            (ChangeKind::Reschedule(start), status @ (Pending | Confirmed)) => {
                self.move_to(*start);
                Some(status)
            }
            (ChangeKind::Confirm, Confirmed)
            | (ChangeKind::Cancel, Cancelled)
            | (ChangeKind::Complete, Completed)
            | (ChangeKind::NoShow, NoShow) => Some(self.done.status),
            _ => None,
        };
        match next {
            Some(status) => self.done.status = status,
            None => self.done.impossible_change = true,
        }
    }
}

fn fill<T: Clone>(field: &mut Option<T>, told: Option<&T>, may: bool) {
    if let (Some(value), true) = (told, may) {
        *field = Some(value.clone());
    }
}

/// Takes in a telling's reference; shown is the one that a person set, where one did.
fn refer(done: &mut Fold, told: &UnifiedBookingData, may: bool) {
    let Some(external) = &told.external_booking else { return };
    done.references.insert(external.id.clone());
    if let Some(provider) = &external.provider {
        done.ids.insert((provider.clone(), external.id.clone(), told.service_key()));
    }
    if may {
        label(done, external);
    }
}

fn label(done: &mut Fold, external: &ExternalBooking) {
    match &external.provider {
        Some(provider) => {
            done.labels.insert(provider.clone(), external.id.clone());
        }
        None => done.unlabelled = Some(external.id.clone()),
    }
}

/// Gives the booking the one reference that a person set, or none.
fn rename(done: &mut Fold, set: &Set<ExternalBooking>) {
    if set.is_kept() {
        return;
    }
    done.labels.clear();
    done.unlabelled = None;
    if let Set::To(external) = set {
        done.references.insert(external.id.clone());
        let key = done.service_key.clone();
        let labelled = external.provider.clone().map(|name| (name, external.id.clone(), key));
        done.ids.extend(labelled);
        label(done, external);
    }
}

/// The telling that says whose booking it is: a phone given for it goes first, then the higher
/// rank, then the later.
pub(super) fn whose<'a>(members: &[&'a Seen]) -> Option<&'a Seen> {
    let weight = |seen: &Seen, told: &UnifiedBookingData| {
        let given = told.customer_phone.is_some() && !told.phone_is_callers;
        let Order { event_time, rank, seq, key } = &seen.sighting.order;
        (given, told.customer_phone.is_some(), *rank, *event_time, *seq, key.clone())
    };
    let tellings = members.iter().filter_map(|member| Some((*member, telling(member)?)));
    tellings
        .filter(|(seen, _)| seen.person.is_some())
        .max_by_key(|(seen, told)| weight(seen, told))
        .map(|(seen, _)| seen)
}
