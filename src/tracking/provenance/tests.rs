use super::*;
use crate::domain::booking::{Change, ChangeOf, UnifiedBookingData};
use crate::domain::channel::{BookingStatus, Channel};
use crate::domain::phone::{Phone, Region};
use crate::domain::sighting::{Order, Rank};
use chrono::{DateTime, Utc};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn data(staff: Option<&str>, status: BookingStatus) -> UnifiedBookingData {
    UnifiedBookingData {
        tenant_id: Uuid::nil(),
        client_id: None,
        customer_phone: Phone::parse("0871234567", Region::parse("IE").unwrap()).ok(),
        phone_is_callers: true,
        whatsapp_id: None,
        first_name: None,
        last_name: None,
        name_is_profile: false,
        email: None,
        service_name: "Cut".to_owned(),
        service_category: None,
        appointment_date_time: at("2027-04-02T15:00:00Z"),
        duration: None,
        staff_member: staff.map(str::to_owned),
        price: None,
        source: Channel::Voice,
        status,
        payment_status: None,
        account: None,
        external_booking: None,
        notes: None,
    }
}

/// The telling of an event with this number, told in this minute.
fn sighting(number: u128, minute: u32, says: Says) -> Sighting {
    let event_time = at(&format!("2027-03-01T09:{minute:02}:00Z"));
    Sighting {
        id: Uuid::from_u128(100 + number),
        event_id: Uuid::from_u128(number),
        item: "booking".to_owned(),
        order: Order { event_time, rank: Rank::Message, seq: 0, key: number.to_string() },
        context: None,
        told_as: Vec::new(),
        says,
        set_by_person: Vec::new(),
        booking_id: None,
    }
}

fn booking(number: u128, minute: u32, data: UnifiedBookingData) -> Sighting {
    sighting(number, minute, Says::Booking(Box::new(data)))
}

fn change(number: u128, minute: u32, what: ChangeKind) -> Sighting {
    let of = ChangeOf::OnlyOpenPending;
    let change = Change { what, of, by: Vec::new(), telling: None };
    sighting(number, minute, Says::Change(Box::new(change)))
}

/// Each event's number, what it told and what it gave.
fn traced(sightings: &[Sighting]) -> Vec<(u128, &'static str, String)> {
    let one = |t: Trace| (t.event_id.as_u128(), t.told, t.fields.join(" "));
    trace(sightings).into_iter().map(one).collect()
}

#[test]
fn a_field_is_given_by_the_telling_since_which_it_stands() {
    let mut dearer = data(Some("Aoife"), BookingStatus::Confirmed);
    dearer.phone_is_callers = false;
    let told = [
        booking(2, 2, dearer),
        booking(1, 1, data(None, BookingStatus::Pending)),
        booking(3, 3, data(Some("Aoife"), BookingStatus::Confirmed)),
    ];
    assert_eq!(
        traced(&told),
        [
            (1, "booking", "bookingDate serviceName source".to_owned()),
            (2, "booking", "clientId staffMember status".to_owned()),
            (3, "booking", String::new()),
        ]
    );
}

#[test]
fn what_was_overwritten_is_the_later_ones_and_what_a_person_set_is_theirs() {
    let first = booking(1, 1, data(Some("Aoife"), BookingStatus::Confirmed));
    let second = booking(2, 2, data(Some("Orla"), BookingStatus::Confirmed));
    let by_person = Sighting { set_by_person: vec!["staffMember".to_owned()], ..first.clone() };
    let staff = |told: [Sighting; 2]| {
        let of = |(number, _, fields): (u128, _, String)| {
            fields.split(' ').any(|f| f == "staffMember").then_some(number)
        };
        traced(&told).into_iter().find_map(of)
    };
    assert_eq!(staff([first, second.clone()]), Some(2));
    assert_eq!(staff([by_person, second]), Some(1));
}

#[test]
fn a_change_gives_what_it_changed() {
    let moved = ChangeKind::Reschedule(at("2027-04-03T10:00:00Z"));
    let told = [
        booking(1, 1, data(None, BookingStatus::Confirmed)),
        change(2, 2, moved),
        change(3, 3, ChangeKind::Cancel),
        change(4, 4, ChangeKind::Complete),
    ];
    assert_eq!(
        traced(&told),
        [
            (1, "booking", "clientId serviceName source".to_owned()),
            (2, "reschedule", "bookingDate".to_owned()),
            (3, "cancel", "status".to_owned()),
            (4, "complete", String::new()),
        ]
    );
}

#[test]
fn a_change_told_before_its_booking_gives_it_all_the_same() {
    let told =
        [change(1, 1, ChangeKind::Cancel), booking(2, 2, data(None, BookingStatus::Confirmed))];
    assert_eq!(
        traced(&told),
        [
            (1, "cancel", "status".to_owned()),
            (2, "booking", "bookingDate clientId serviceName source".to_owned()),
        ]
    );
}

#[test]
fn a_repeat_gives_nothing() {
    let one = booking(1, 1, data(None, BookingStatus::Confirmed));
    let id = Uuid::from_u128(200);
    let repeat = Sighting { id, event_id: Uuid::from_u128(9), ..one.clone() };
    let traced = traced(&[one, repeat]);
    assert_eq!(traced[1], (9, "booking", String::new()));
    assert!(trace(&[]).is_empty());
}
