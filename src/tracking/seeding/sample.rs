//! Six customers of a salon that isn't there: always the same, counted back from today.

use crate::domain::booking::{ExternalBooking, ExternalClient, UnifiedBookingData};
use crate::domain::channel::{BookingStatus, Channel, LeadStatus, PaymentStatus};
use crate::domain::days::day_start;
use crate::domain::money::Money;
use crate::domain::phone::Phone;
use crate::domain::tenant::TenantSettings;
use chrono::{DateTime, Days, TimeDelta, Utc};

/// A customer.
pub(super) struct Customer {
    pub(super) phone: Phone,
    pub(super) first_name: &'static str,
    pub(super) last_name: &'static str,
    pub(super) email: Option<&'static str>,
    pub(super) source: Channel,
    /// How many days ago they first asked.
    pub(super) days: u64,
    pub(super) account: ExternalClient,
    /// What they booked, each with the time when they did.
    pub(super) bookings: Vec<(DateTime<Utc>, UnifiedBookingData)>,
}

/// Somebody who only asked.
pub(super) struct Asker {
    pub(super) phone: Phone,
    pub(super) first_name: &'static str,
    pub(super) last_name: &'static str,
    pub(super) email: Option<&'static str>,
    pub(super) source: Channel,
    pub(super) status: LeadStatus,
    pub(super) asked_at: DateTime<Utc>,
    /// When they were called.
    pub(super) calls: Vec<DateTime<Utc>>,
    pub(super) follow_up_at: Option<DateTime<Utc>>,
    pub(super) notes: &'static str,
}

/// Name, category, minutes, and price in whole units of the tenant's currency.
type Service = (&'static str, &'static str, u32, i64);

const SWEDISH: Service = ("Swedish Massage", "Massage", 60, 65);
const DEEP_TISSUE: Service = ("Deep Tissue Massage", "Massage", 60, 75);
const HOT_STONE: Service = ("Hot Stone Massage", "Massage", 90, 95);
const CLASSIC: Service = ("Classic Facial", "Facial", 45, 55);
const HYDRATING: Service = ("Hydrating Facial", "Facial", 60, 70);
const RENEWING: Service = ("Renewing Facial", "Facial", 75, 90);
const GEL: Service = ("Gel Manicure", "Nails", 45, 45);
const PEDICURE: Service = ("Luxury Pedicure", "Nails", 60, 50);
const CUT: Service = ("Cut & Blow Dry", "Hair", 60, 60);
const COLOUR: Service = ("Full Colour", "Hair", 120, 120);

/// How a booking stands.
type State = (BookingStatus, PaymentStatus);

const DONE: State = (BookingStatus::Completed, PaymentStatus::Paid);
const OFF: State = (BookingStatus::Cancelled, PaymentStatus::Refunded);
const MISSED: State = (BookingStatus::NoShow, PaymentStatus::Pending);
const DEPOSIT: State = (BookingStatus::Confirmed, PaymentStatus::DepositPaid);
const OPEN: State = (BookingStatus::Confirmed, PaymentStatus::Pending);
const ASKED: State = (BookingStatus::Pending, PaymentStatus::Pending);

/// Days ago when it was booked; days from then to the appointment; its hour; what, who, how.
type Line = (u64, u64, i64, Service, &'static str, State);

/// First name, last name, e-mail, source, days since the first contact, what was booked.
type Person = (&'static str, &'static str, Option<&'static str>, Channel, u64, &'static [Line]);

const PEOPLE: &[Person] = &[
    (
        "Aoife",
        "Murphy",
        Some("aoife.murphy@example.com"),
        Channel::Voice,
        60,
        &[
            (60, 3, 10, SWEDISH, "Sarah", DONE),
            (46, 3, 11, CLASSIC, "Emma", DONE),
            (32, 3, 14, DEEP_TISSUE, "Sarah", OFF),
            (18, 3, 16, HOT_STONE, "Sarah", DONE),
            (5, 7, 15, HYDRATING, "Emma", DEPOSIT),
        ],
    ),
    (
        "Ciarán",
        "Walsh",
        Some("ciaran.walsh@example.com"),
        Channel::Web,
        45,
        &[
            (45, 2, 9, CUT, "Liam", DONE),
            (33, 4, 17, COLOUR, "Liam", DONE),
            (21, 3, 9, CUT, "Liam", MISSED),
            (10, 2, 12, SWEDISH, "Grace", DONE),
        ],
    ),
    (
        "Niamh",
        "Kelly",
        Some("niamh.kelly@example.com"),
        Channel::WhatsApp,
        30,
        &[
            (30, 3, 13, GEL, "Chloe", DONE),
            (16, 2, 13, PEDICURE, "Chloe", DONE),
            (2, 3, 13, GEL, "Chloe", ASKED),
        ],
    ),
    (
        "Siobhán",
        "Ryan",
        None,
        Channel::Voice,
        15,
        &[
            (15, 3, 10, RENEWING, "Emma", DONE),
            (8, 3, 10, HYDRATING, "Emma", DONE),
            (1, 3, 18, DEEP_TISSUE, "Grace", OPEN),
        ],
    ),
    (
        "Eoin",
        "Doyle",
        Some("eoin.doyle@example.com"),
        Channel::Web,
        7,
        &[(7, 2, 12, CUT, "Liam", DONE), (3, 2, 16, CLASSIC, "Emma", DONE)],
    ),
    ("Gráinne", "Nolan", Some("grainne.nolan@example.com"), Channel::WhatsApp, 90, &[]),
];

/// A number that can be dialled in Ireland, and that its networks have not given out.
fn phone(number: usize) -> Phone {
    Phone::from_stored(format!("+35387100{number:04}"))
}

/// The salon's customers, for a tenant and as of now.
pub(super) fn customers(tenant: &TenantSettings, now: DateTime<Utc>) -> Vec<Customer> {
    let customer = |(place, person): (usize, &Person)| {
        let (first_name, last_name, email, source, days, lines) = *person;
        let customer = Customer {
            phone: phone(101 + place),
            first_name,
            last_name,
            email,
            source,
            days,
            account: account("phorest", place),
            bookings: Vec::new(),
        };
        let bookings = lines.iter().enumerate();
        let bookings =
            bookings.map(|(number, line)| booked(tenant, now, &customer, place, number, line));
        Customer { bookings: bookings.collect(), ..customer }
    };
    PEOPLE.iter().enumerate().map(customer).collect()
}

/// Most are at Phorest; who booked over the web or WhatsApp is at Fresha too.
fn account(provider: &str, place: usize) -> ExternalClient {
    ExternalClient {
        provider: provider.to_owned(),
        client_id: format!("seed-{provider}-{}", place + 1),
        business_id: "seed-salon".to_owned(),
        branch_id: "seed-branch".to_owned(),
    }
}

fn booked(
    tenant: &TenantSettings,
    now: DateTime<Utc>,
    customer: &Customer,
    place: usize,
    number: usize,
    line: &Line,
) -> (DateTime<Utc>, UnifiedBookingData) {
    let (ago, until, hour, service, staff, (status, payment)) = *line;
    let (name, category, minutes, price) = service;
    let fresha = customer.source != Channel::Voice && number == 1;
    let booked_at = now - TimeDelta::days(i64::try_from(ago).unwrap_or(0)) - TimeDelta::hours(1);
    let told = UnifiedBookingData {
        tenant_id: tenant.id,
        client_id: None,
        customer_phone: Some(customer.phone.clone()),
        phone_is_callers: false,
        whatsapp_id: None,
        first_name: Some(customer.first_name.to_owned()),
        last_name: Some(customer.last_name.to_owned()),
        name_is_profile: false,
        email: customer.email.map(str::to_owned),
        service_name: name.to_owned(),
        service_category: Some(category.to_owned()),
        appointment_date_time: at(tenant, now, ago, until, hour),
        duration: Some(minutes),
        staff_member: Some(staff.to_owned()),
        price: Some(Money {
            minor: price * 10_i64.pow(tenant.currency.decimals()),
            currency: tenant.currency,
        }),
        source: customer.source,
        status,
        payment_status: Some(payment),
        account: Some(if fresha { account("fresha", place) } else { customer.account.clone() }),
        external_booking: Some(ExternalBooking {
            provider: Some("phorest".to_owned()),
            id: format!("seed-booking-{}-{}", place + 1, number + 1),
        }),
        notes: None,
    };
    (booked_at, told)
}

/// An hour of the day that is so many days after the one so many days ago, in the tenant's zone.
fn at(
    tenant: &TenantSettings,
    now: DateTime<Utc>,
    ago: u64,
    until: u64,
    hour: i64,
) -> DateTime<Utc> {
    let today = now.with_timezone(&tenant.timezone).date_naive();
    let day = today.checked_sub_days(Days::new(ago));
    let day = day.and_then(|day| day.checked_add_days(Days::new(until))).unwrap_or(today);
    // From noon, which no change of the clocks moves.
    let noon = day_start(tenant.timezone, day) + TimeDelta::hours(12);
    let noon = noon + TimeDelta::hours(12 - local_hour(tenant, noon));
    noon + TimeDelta::hours(hour - 12)
}

fn local_hour(tenant: &TenantSettings, at: DateTime<Utc>) -> i64 {
    use chrono::Timelike as _;
    i64::from(at.with_timezone(&tenant.timezone).hour())
}

/// Who only asked, each further on their way.
pub(super) fn askers(now: DateTime<Utc>) -> [Asker; 3] {
    let ago = |days| now - TimeDelta::days(days);
    [
        Asker {
            phone: phone(201),
            first_name: "Orla",
            last_name: "Byrne",
            email: Some("orla.byrne@example.com"),
            source: Channel::Voice,
            status: LeadStatus::New,
            asked_at: ago(1),
            calls: Vec::new(),
            follow_up_at: None,
            notes: "Asked what a massage costs",
        },
        Asker {
            phone: phone(202),
            first_name: "Declan",
            last_name: "Fox",
            email: None,
            source: Channel::Web,
            status: LeadStatus::Contacted,
            asked_at: ago(4),
            calls: vec![ago(3)],
            follow_up_at: Some(ago(-1)),
            notes: "Wants an appointment in the evening",
        },
        Asker {
            phone: phone(203),
            first_name: "Maeve",
            last_name: "Quinn",
            email: Some("maeve.quinn@example.com"),
            source: Channel::WhatsApp,
            status: LeadStatus::Qualified,
            asked_at: ago(9),
            calls: vec![ago(8), ago(2)],
            follow_up_at: None,
            notes: "Has a wedding in the family: hair and nails for four",
        },
    ]
}
