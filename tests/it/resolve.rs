//! What a booking is, as a pure function of what was told of it.

use bookhook::domain::booking::{
    Change, ChangeKind, ChangeOf, ExternalBooking, UnifiedBookingData,
};
use bookhook::domain::channel::{BookingStatus, Channel};
use bookhook::domain::phone::Phone;
use bookhook::domain::sighting::{Order, Rank, Says, Sighting};
use bookhook::tracking::resolve::{Resolution, Seen, Waiting, resolve};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use uuid::Uuid;

/// A sighting in few words; every test says only what matters to it.
#[derive(Clone, Debug)]
struct Word {
    key: u32,
    minute: i64,
    rank: Rank,
    seq: i32,
    person: u32,
    start: i64,
    service: &'static str,
    label: Option<&'static str>,
    context: Option<&'static str>,
    told_as: Option<&'static str>,
    given: bool,
    status: BookingStatus,
    change: Option<(ChangeKind, ChangeOf)>,
    whole: bool,
}

fn at(minute: i64) -> DateTime<Utc> {
    "2026-03-01T09:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minute)
}

fn start(hour: i64) -> DateTime<Utc> {
    "2026-04-02T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(hour)
}

fn told(key: u32, minute: i64) -> Word {
    Word {
        key,
        minute,
        rank: Rank::Message,
        seq: 0,
        person: 1,
        start: 14,
        service: "Gel Nails",
        label: None,
        context: None,
        told_as: None,
        given: true,
        status: BookingStatus::Confirmed,
        change: None,
        whole: true,
    }
}

fn change(key: u32, minute: i64, what: ChangeKind, of: ChangeOf) -> Word {
    Word { change: Some((what, of)), whole: false, ..told(key, minute) }
}

fn by_id(id: &str) -> ChangeOf {
    ChangeOf::ExternalId { provider: Some("phorest".to_owned()), id: id.to_owned() }
}

fn by_start(hour: i64) -> ChangeOf {
    ChangeOf::Start { start: start(hour), service: Some("Gel Nails".to_owned()) }
}

impl Word {
    fn booking(&self) -> UnifiedBookingData {
        let label = self
            .label
            .map(|id| ExternalBooking { provider: Some("phorest".to_owned()), id: id.to_owned() });
        UnifiedBookingData {
            tenant_id: Uuid::nil(),
            client_id: None,
            customer_phone: Some(Phone::from_stored(format!("+35387000000{}", self.person))),
            phone_is_callers: !self.given,
            whatsapp_id: None,
            first_name: None,
            last_name: None,
            name_is_profile: false,
            email: None,
            service_name: self.service.to_owned(),
            service_category: None,
            appointment_date_time: start(self.start),
            duration: None,
            staff_member: None,
            price: None,
            source: Channel::Web,
            status: self.status,
            payment_status: None,
            account: None,
            external_booking: label,
            notes: None,
        }
    }

    fn seen(&self) -> Seen {
        let says = match &self.change {
            None => Says::Booking(Box::new(self.booking())),
            Some((what, of)) => Says::Change(Box::new(Change {
                what: what.clone(),
                of: of.clone(),
                by: self.booking().identities(),
                telling: self.whole.then(|| Box::new(self.booking())),
            })),
        };
        let sighting = Sighting {
            id: Uuid::from_u128(self.key.into()),
            event_id: Uuid::from_u128(self.key.into()),
            item: self.told_as.map_or_else(|| format!("item{}", self.key), ToOwned::to_owned),
            order: Order {
                event_time: at(self.minute),
                rank: self.rank,
                seq: self.seq,
                key: format!("{:04}", self.key),
            },
            context: self.context.map(ToOwned::to_owned),
            told_as: self.told_as.map(ToOwned::to_owned).into_iter().collect(),
            says,
            set_by_person: Vec::new(),
            booking_id: None,
        };
        Seen { sighting, person: Some(self.person) }
    }
}

/// All words at once.
fn read(words: &[Word]) -> Resolution {
    resolve(&words.iter().map(Word::seen).collect::<Vec<_>>())
}

/// Word by word, in this order, each time with the ids that were answered so far.
fn arrive(words: &[Word]) -> Resolution {
    let mut seen: Vec<Seen> = Vec::new();
    let mut last = Resolution::default();
    for (turn, word) in words.iter().enumerate() {
        if seen.iter().any(|s| s.sighting.id == word.seen().sighting.id) {
            continue;
        }
        seen.push(word.seen());
        last = resolve(&seen);
        for (place, booking) in last.bookings.iter_mut().enumerate() {
            let fresh = Uuid::from_u128(u128::try_from(1_000_000 + turn * 1_000 + place).unwrap());
            let id = *booking.id.get_or_insert(fresh);
            for one in seen.iter_mut().filter(|s| booking.members.contains(&s.sighting.id)) {
                one.sighting.booking_id = Some(id);
            }
        }
        for one in &mut seen {
            if last.waiting.contains_key(&one.sighting.id) {
                one.sighting.booking_id = None;
            }
        }
    }
    last
}

/// Everything about an end state but the generated ids.
fn state(resolution: &Resolution) -> String {
    let bookings: Vec<String> = resolution
        .bookings
        .iter()
        .map(|b| format!("{:?} {:?} {} {:?}", b.members, b.fold, b.origin, b.duplicate_of))
        .collect();
    format!("{bookings:#?} {:?}", resolution.waiting)
}

fn statuses(resolution: &Resolution) -> Vec<BookingStatus> {
    resolution.bookings.iter().map(|b| b.fold.status).collect()
}

#[test]
fn one_slot_told_twice_is_one_booking() {
    let twice = read(&[told(1, 0), Word { service: "gel-nails", ..told(2, 5) }]);
    assert_eq!(twice.bookings.len(), 1);
}

#[test]
fn two_labelled_ids_at_one_slot_are_two_bookings() {
    let a = Word { label: Some("A"), ..told(1, 0) };
    let b = Word { label: Some("B"), ..told(2, 1) };
    assert_eq!(read(&[a, b]).bookings.len(), 2);
}

#[test]
fn a_telling_without_an_id_joins_the_slots_booking() {
    let a = Word { label: Some("A"), ..told(1, 5) };
    let plain = told(2, 0);
    let both = read(&[a, plain]);
    assert_eq!(both.bookings.len(), 1);
    assert_eq!(both.bookings[0].fold.reference(), (Some("phorest"), Some("A")));
}

#[test]
fn one_id_over_two_services_is_one_booking_a_service() {
    let nails = Word { label: Some("A"), ..told(1, 0) };
    let brows = Word { label: Some("A"), service: "Brows", ..told(2, 0) };
    assert_eq!(read(&[nails, brows]).bookings.len(), 2);
}

#[test]
fn a_slot_booked_again_after_a_cancellation_is_a_new_booking() {
    let words = [told(1, 0), change(2, 5, ChangeKind::Cancel, by_start(14)), told(3, 9)];
    let read = read(&words);
    assert_eq!(statuses(&read), [BookingStatus::Cancelled, BookingStatus::Confirmed]);
}

#[test]
fn an_older_telling_that_arrives_later_does_not_undo_a_cancellation() {
    let cancel = change(2, 5, ChangeKind::Cancel, by_start(14));
    let read = arrive(&[told(1, 0), cancel, told(3, 2)]);
    assert_eq!(statuses(&read), [BookingStatus::Cancelled]);
}

#[test]
fn a_change_told_before_its_booking_waits_and_then_applies() {
    let cancel = change(1, 0, ChangeKind::Cancel, by_id("A"));
    let alone = read(std::slice::from_ref(&cancel));
    assert_eq!(alone.waiting.values().collect::<Vec<_>>(), [&Waiting::BookingUnknown]);
    let told = Word { label: Some("A"), ..told(2, 5) };
    let read = arrive(&[cancel, told]);
    assert_eq!(statuses(&read), [BookingStatus::Cancelled]);
    assert!(read.waiting.is_empty());
}

#[test]
fn a_change_that_carries_the_booking_creates_it_in_that_state() {
    let whole = Word { whole: true, ..change(1, 0, ChangeKind::Complete, by_id("A")) };
    let whole = Word { label: Some("A"), ..whole };
    assert_eq!(statuses(&read(&[whole])), [BookingStatus::Completed]);
}

#[test]
fn a_change_of_one_of_several_is_not_guessed() {
    let words = [
        Word { label: Some("A"), ..told(1, 0) },
        Word { label: Some("B"), ..told(2, 0) },
        change(3, 5, ChangeKind::Cancel, by_start(14)),
    ];
    let read = read(&words);
    assert_eq!(statuses(&read), [BookingStatus::Confirmed, BookingStatus::Confirmed]);
    assert_eq!(read.waiting.values().collect::<Vec<_>>(), [&Waiting::SeveralBookings]);
}

#[test]
fn a_completion_after_a_cancellation_is_kept_without_effect() {
    let words = [
        Word { label: Some("A"), ..told(1, 0) },
        change(2, 1, ChangeKind::Cancel, by_id("A")),
        change(3, 2, ChangeKind::Complete, by_id("A")),
    ];
    let read = read(&words);
    assert_eq!(statuses(&read), [BookingStatus::Cancelled]);
    assert!(read.bookings[0].fold.impossible_change);
}

#[test]
fn a_moved_booking_stays_moved_when_its_old_time_is_told_again() {
    let words = [
        Word { label: Some("A"), ..told(1, 0) },
        change(2, 1, ChangeKind::Reschedule(start(16)), by_id("A")),
        Word { label: Some("A"), ..told(3, 2) },
    ];
    assert_eq!(read(&words).bookings[0].fold.start, start(16));
}

#[test]
fn an_analysis_without_an_item_joins_its_calls_booking_and_gives_it_its_phone() {
    let ended = Word {
        rank: Rank::CallEnded,
        context: Some("call"),
        told_as: Some("tool:1"),
        given: false,
        ..told(1, 0)
    };
    let analysis = Word {
        rank: Rank::CallAnalyzed,
        context: Some("call"),
        person: 2,
        service: "Gel nails, full set",
        ..told(2, 0)
    };
    for words in [[ended.clone(), analysis.clone()], [analysis, ended]] {
        let read = arrive(&words);
        assert_eq!(read.bookings.len(), 1);
        assert_eq!(read.bookings[0].fold.person, Some(2));
    }
}

#[test]
fn mother_and_daughter_at_one_start_are_two_bookings() {
    let item = |key, tool, service| Word {
        rank: Rank::CallEnded,
        context: Some("call"),
        told_as: Some(tool),
        service,
        ..told(key, 0)
    };
    let words = [item(1, "tool:1", "Cut"), item(2, "tool:2", "Colour")];
    let read = read(&words);
    assert_eq!(read.bookings.len(), 2);
    assert!(read.bookings.iter().all(|b| b.duplicate_of.is_none()));
}

#[test]
fn different_services_at_one_start_from_two_sources_are_flagged() {
    let voice = Word { context: Some("call"), ..told(1, 0) };
    let chat = Word { service: "Manicure", context: Some("chat"), ..told(2, 5) };
    let read = read(&[voice, chat]);
    assert_eq!(read.bookings[1].duplicate_of, Some(0));
}

#[test]
fn an_id_once_answered_stays_with_the_earliest_sighting_it_was_answered_for() {
    let (plain, b) = (told(1, 0), Word { label: Some("B"), ..told(3, 9) });
    let together = arrive(&[plain.clone(), b.clone()]);
    assert_eq!(together.bookings.len(), 1);
    let id = together.bookings[0].id;
    // An id that belongs to the slot's booking arrives late: what was one proves to be two.
    let a = Word { label: Some("A"), ..told(2, 5) };
    let split = arrive(&[plain, b, a]);
    assert_eq!(split.bookings.len(), 2);
    assert_eq!(split.bookings[0].id, id);
    assert_ne!(split.bookings[1].id, id);
}

fn words() -> impl Strategy<Value = Vec<Word>> {
    let of = prop_oneof![
        Just(by_id("A")),
        Just(by_id("B")),
        Just(by_start(14)),
        Just(by_start(15)),
        Just(ChangeOf::Context("call".to_owned())),
    ];
    let what = prop_oneof![
        Just(ChangeKind::Confirm),
        Just(ChangeKind::Cancel),
        Just(ChangeKind::Reschedule(start(15))),
        Just(ChangeKind::Reschedule(start(16))),
        Just(ChangeKind::Complete),
        Just(ChangeKind::NoShow),
    ];
    let rank = prop_oneof![
        Just(Rank::Function),
        Just(Rank::CallEnded),
        Just(Rank::CallAnalyzed),
        Just(Rank::Message),
        Just(Rank::Workflow),
    ];
    let place = prop_oneof![
        3 => Just((None, None)),
        1 => Just((Some("call"), Some("tool:1"))),
        1 => Just((Some("call"), Some("tool:2"))),
        1 => Just((Some("call"), None)),
    ];
    let one = (
        (0_i64..5, rank, 1_u32..3, 14_i64..16),
        prop_oneof![Just("Gel Nails"), Just("Brows")],
        prop_oneof![2 => Just(None), 1 => Just(Some("A")), 1 => Just(Some("B"))],
        place,
        (any::<bool>(), any::<bool>(), any::<bool>()),
        prop_oneof![2 => Just(None), 1 => (what, of).prop_map(Some)],
    );
    prop::collection::vec(one, 1..9).prop_map(|list| {
        let numbered = list.into_iter().zip(1_u32..);
        numbered
            .map(|(((minute, rank, person, start), service, label, place, flags, change), key)| {
                let status =
                    if flags.0 { BookingStatus::Pending } else { BookingStatus::Confirmed };
                Word {
                    rank,
                    person,
                    start,
                    service,
                    label,
                    context: place.0,
                    told_as: place.1,
                    given: flags.1,
                    status,
                    change,
                    whole: flags.2,
                    ..told(key, minute)
                }
            })
            .collect()
    })
}

fn shuffled() -> impl Strategy<Value = (Vec<Word>, Vec<Word>)> {
    words().prop_flat_map(|list| {
        // Some words are told again.
        let again = prop::collection::vec(prop::sample::select(list.clone()), 0..4);
        let original = list.clone();
        again.prop_flat_map(move |again| {
            let all: Vec<Word> = list.iter().cloned().chain(again).collect();
            (Just(original.clone()), Just(all).prop_shuffle())
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_order_and_repetition_ends_in_the_same_bookings((words, arrival) in shuffled()) {
        prop_assert_eq!(state(&arrive(&arrival)), state(&read(&words)));
    }

    #[test]
    fn every_telling_has_one_booking_and_every_booking_its_own_id((_, arrival) in shuffled()) {
        let end = arrive(&arrival);
        let all: std::collections::BTreeSet<_> =
            end.bookings.iter().flat_map(|b| &b.members).chain(end.waiting.keys()).copied().collect();
        let distinct: std::collections::BTreeSet<_> =
            arrival.iter().map(|w| Uuid::from_u128(w.key.into())).collect();
        prop_assert_eq!(all, distinct);
        for word in arrival.iter().filter(|w| w.change.is_none()) {
            let id = Uuid::from_u128(word.key.into());
            let of = end.bookings.iter().filter(|b| b.members.contains(&id)).count();
            prop_assert_eq!(of, 1, "a telling is of one booking");
        }
        let ids: std::collections::BTreeSet<_> = end.bookings.iter().map(|b| b.id).collect();
        prop_assert_eq!(ids.len(), end.bookings.len());
    }

    #[test]
    fn no_two_live_bookings_stand_in_one_slot_unless_their_ids_differ((words, _) in shuffled()) {
        let live: Vec<_> = read(&words).bookings.into_iter()
            .filter(|b| b.fold.status != BookingStatus::Cancelled).collect();
        for (place, a) in live.iter().enumerate() {
            for b in live.iter().skip(place + 1) {
                let slot = |f: &bookhook::tracking::fold::Fold| {
                    (f.person, f.start, f.service_key.clone())
                };
                let apart = a.fold.labels.iter().any(|(p, id)| {
                    b.fold.labels.get(p).is_some_and(|other| other != id)
                });
                prop_assert!(apart || slot(&a.fold) != slot(&b.fold), "{a:#?}\n{b:#?}");
            }
        }
    }
}
