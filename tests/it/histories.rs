//! Random histories of real salons' days: whatever order they arrive in, the rows are the same.

use crate::support::app::MASTER_KEY;
use crate::support::bodies::{Said, form, whatsapp};
use bookhook::clock::Clock;
use bookhook::domain::channel::{DateOrder, DuplicateStatus};
use bookhook::domain::ids;
use bookhook::domain::money::Currency;
use bookhook::domain::phone::Region;
use bookhook::domain::tenant::TenantSettings;
use bookhook::sources::{self, Delivery, Headers};
use bookhook::storage::bookings::BookingRow;
use bookhook::storage::client_filter::{Filter, Sort, SortKey};
use bookhook::storage::duplicates::{self, DuplicateRow};
use bookhook::storage::seal::MasterKey;
use bookhook::storage::{Db, bookings, client_list, events, mappings, tenants};
use bookhook::tracking::{Taken, Tracker};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// How many histories are told, each in two orders.
const HISTORIES: usize = 60;

/// One thing that happens to a booking.
#[derive(Clone, Debug)]
struct Happening {
    number: usize,
    minute: i64,
    phone: u8,
    hour: u8,
    id: Option<u8>,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Book {
        named: bool,
        staff: bool,
    },
    /// The same from the chat widget.
    Chat,
    /// A form filled in on WhatsApp.
    Form,
    /// A button there that names a booking by its reference.
    CancelButton,
    /// A function of ours, called in the middle of the call.
    Function,
    /// A call in which no service was named: a person says which it was.
    Lacking,
    CallEnded,
    CallAnalyzed {
        given: u8,
    },
    Cancel,
    Move {
        to: u8,
    },
    NoShow,
    Complete,
}

fn time(minute: i64) -> DateTime<Utc> {
    "2026-03-01T09:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minute)
}

fn slot(hour: u8) -> String {
    format!("2026-04-02T{hour:02}:00:00Z")
}

fn number(phone: u8) -> String {
    format!("+35387123456{phone}")
}

impl Happening {
    fn source(&self) -> &'static str {
        match self.what {
            What::CallEnded | What::CallAnalyzed { .. } | What::Function | What::Lacking => {
                "retell"
            }
            What::Form | What::CancelButton => "whatsapp",
            What::Chat => "chat",
            _ => "n8n",
        }
    }

    fn body(&self, tenant: Uuid) -> Vec<u8> {
        match &self.what {
            What::Form | What::CancelButton => whatsapp(&[self.message()]),
            _ => self.json(tenant).to_string().into_bytes(),
        }
    }

    fn message(&self) -> Said {
        let (from, id) = (number(self.phone), format!("wamid.{}", self.number));
        let from = from.trim_start_matches('+');
        let (hour, at) = (self.hour + 1, time(self.minute).timestamp().to_string());
        let mut said = form("77", &id, from, "Cut", ("2026-04-02", &format!("{hour:02}:00")));
        if matches!(self.what, What::CancelButton) {
            let payload = format!("CANCEL|PH-{}", self.id.unwrap_or(1));
            said.message = json!({"from": from, "id": id, "type": "button",
                "button": {"payload": payload, "text": "Cancel"}});
        }
        said.message["timestamp"] = json!(at);
        said
    }

    fn json(&self, tenant: Uuid) -> Value {
        match &self.what {
            What::Form | What::CancelButton => unreachable!("a message"),
            What::Chat => {
                let mut told = self.told();
                told["occurredAt"] = self.posted(tenant, &Value::Null)["occurredAt"].clone();
                told
            }
            What::Function => {
                let mut call = self.call("call_ended", None)["call"].clone();
                call["transcript_with_tool_calls"].take();
                json!({"name": "book_appointment", "call": call, "args": self.arguments()})
            }
            What::Lacking => {
                let mut body = self.call("call_ended", None);
                body["call"]["call_id"] = json!(format!("lacking_{}", self.number));
                let when = json!({"date_time": slot(self.hour)}).to_string();
                body["call"]["transcript_with_tool_calls"][0]["arguments"] = json!(when);
                body
            }
            What::CallEnded => self.call("call_ended", None),
            What::CallAnalyzed { given } => self.call("call_analyzed", Some(*given)),
            What::Book { named, staff } => {
                let mut told = self.told();
                if *named {
                    told["firstName"] = json!(format!("Name{}", self.number));
                    told["lastName"] = json!("Byrne");
                }
                if *staff {
                    told["amount"] = json!(10 + self.number);
                    told["currency"] = json!(if self.number % 4 == 3 { "GBP" } else { "EUR" });
                    let paid = ["pending", "paid", "refunded"];
                    told["paymentStatus"] = json!(paid[self.number % 3]);
                    told["staffMember"] = json!(format!("Staff{}", self.number));
                    // One that nobody else tells: a clash stays with whom it was told of first, by design.
                    told["phorestClientId"] = json!(format!("client{}", self.number));
                }
                self.posted(tenant, &told)
            }
            What::Cancel => self.change(tenant, "cancelled"),
            What::NoShow => self.change(tenant, "no_show"),
            What::Complete => self.change(tenant, "completed"),
            What::Move { to } => {
                let mut told = self.told();
                told["previousAppointmentDateTime"] = told["dateTime"].clone();
                told["dateTime"] = json!(slot(*to));
                told["status"] = json!("rescheduled");
                self.posted(tenant, &told)
            }
        }
    }

    fn told(&self) -> Value {
        let mut told = json!({
            "phone": number(self.phone), "serviceName": "Cut", "dateTime": slot(self.hour),
            "source": "web",
        });
        if let Some(id) = self.id {
            told["phorestBookingId"] = json!(format!("PH-{id}"));
        }
        told
    }

    fn posted(&self, tenant: Uuid, told: &Value) -> Value {
        let at = time(self.minute).to_rfc3339_opts(SecondsFormat::Secs, true);
        json!({"tenantId": tenant, "occurredAt": at, "bookingData": told})
    }

    /// A change that names its booking by its id alone, or by person and start.
    fn change(&self, tenant: Uuid, status: &str) -> Value {
        let told = match self.id {
            Some(id) => json!({"phorestBookingId": format!("PH-{id}"), "source": "web"}),
            None => self.told(),
        };
        let mut told = told;
        told["status"] = json!(status);
        self.posted(tenant, &told)
    }

    fn arguments(&self) -> Value {
        json!({"service": "Cut", "date_time": slot(self.hour)})
    }

    /// A call; each phone has one, told when it ended and when it was analysed.
    fn call(&self, event: &str, given: Option<u8>) -> Value {
        let call = format!("call_{}", self.phone);
        let arguments = self.arguments();
        let mut body = json!({"event": event, "call": {
            "call_id": call, "call_type": "phone_call", "agent_id": "agent_1",
            "call_status": "ended", "direction": "inbound", "from_number": number(self.phone),
            "to_number": "+35315550142", "start_timestamp": time(self.minute).timestamp_millis(),
            "transcript_with_tool_calls": [
                {"role": "tool_call_invocation", "tool_call_id": "t1", "name": "book_appointment",
                    "arguments": arguments.to_string()},
                {"role": "tool_call_result", "tool_call_id": "t1",
                    "content": "{\"success\":true,\"booking_confirmed\":true}"},
            ],
        }});
        if let Some(given) = given {
            body["call"]["call_analysis"] = json!({"custom_analysis_data": {
                "appointment_booked": true, "callback_phone": number(given),
                "customer_name": format!("Name{} Murphy", self.number), "service_type": "Cut",
                "appointment_date": "2026-04-02",
                // Dublin is an hour ahead of UTC by then.
                "appointment_time": format!("{:02}:00", self.hour + 1),
            }});
        }
        body
    }
}

/// What happens, and the order in which it arrives: any, and some of it twice.
fn history() -> impl Strategy<Value = (Vec<Happening>, Vec<Happening>)> {
    let what = prop_oneof![
        4 => (any::<bool>(), any::<bool>()).prop_map(|(named, staff)| What::Book { named, staff }),
        1 => Just(What::Chat),
        1 => Just(What::Form),
        1 => Just(What::CancelButton),
        1 => Just(What::Function),
        1 => Just(What::Lacking),
        1 => Just(What::CallEnded),
        1 => (1_u8..4).prop_map(|given| What::CallAnalyzed { given }),
        1 => Just(What::Cancel),
        1 => (10_u8..13).prop_map(|to| What::Move { to }),
        1 => Just(What::NoShow),
        1 => Just(What::Complete),
    ];
    let id = prop_oneof![2 => Just(None), 1 => (1_u8..3).prop_map(Some)];
    let one = (0_i64..6, 1_u8..4, 10_u8..12, id, what);
    prop::collection::vec(one, 2..9)
        .prop_map(|list| {
            let numbered = list.into_iter().enumerate();
            let happening = |(number, (minute, phone, hour, id, what))| Happening {
                number,
                minute,
                phone,
                hour,
                id,
                what,
            };
            numbered.map(happening).collect::<Vec<_>>()
        })
        .prop_flat_map(|list| {
            let again = prop::collection::vec(prop::sample::select(list.clone()), 0..4);
            (Just(list), again)
        })
        .prop_flat_map(|(list, again)| {
            let all: Vec<Happening> = list.iter().cloned().chain(again).collect();
            (Just(list), Just(all).prop_shuffle())
        })
}

/// A salon of its own, in Dublin.
pub(crate) async fn salon(db: &Db) -> Arc<TenantSettings> {
    let now = Clock::system().now();
    let id = ids::new(now);
    let settings = TenantSettings {
        id,
        slug: id.to_string(),
        default_region: Region::parse("IE").unwrap(),
        timezone: chrono_tz::Europe::Dublin,
        currency: Currency::parse("EUR").unwrap(),
        date_order: DateOrder::Dmy,
    };
    let mut tx = db.begin().await.unwrap();
    assert!(tenants::insert(&mut tx.conn(), "Salon", &settings, now).await.unwrap());
    tx.commit().await.unwrap();
    Arc::new(settings)
}

/// When a person looks at what waits.
#[derive(Clone, Copy, PartialEq)]
enum Looks {
    AtOnce,
    InTheEnd,
}

/// Says which service was meant, as a person does; of what is tracked that changes nothing.
async fn look(db: &Db, tracker: &Tracker, tenant: Uuid, event: Uuid) {
    let mut reader = db.reader().await.unwrap();
    let row = events::find(&mut reader.conn(), tenant, event).await.unwrap().unwrap();
    drop(reader);
    let set = BTreeMap::from([("serviceName".to_owned(), "Cut".to_owned())]);
    let answer = tracker.again(&row, &set).await.unwrap();
    assert_eq!(answer.outcome.as_str(), "tracked", "{answer:?}");
}

/// The events that a happening's delivery carries.
fn taken(happening: &Happening, tenant: &Arc<TenantSettings>, at: DateTime<Utc>) -> Vec<Taken> {
    let source = sources::find(happening.source()).unwrap();
    let mut headers = Headers::default();
    headers.insert("webhook-id", &format!("msg_{}", happening.number));
    let body = happening.body(tenant.id);
    let delivery = Delivery { body: &body, headers: &headers, received_at: at };
    let of_item = |item| Taken {
        event_id: ids::new(at),
        queued: false,
        tenant: Arc::clone(tenant),
        connection_id: None,
        source,
        item,
        path: source.path().to_owned(),
        headers: "{}".to_owned(),
        received_at: at,
        map: None,
        held: None,
    };
    source.split(&delivery).unwrap().into_iter().map(of_item).collect()
}

/// Delivers the happenings in this order and answers the rows they end in.
async fn end_state(db: &Db, tracker: &Tracker, arrival: &[Happening], looks: Looks) -> Value {
    let tenant = salon(db).await;
    let mut open = Vec::new();
    let received_at = Clock::system().now();
    for happening in arrival {
        for taken in taken(happening, &tenant, received_at) {
            let answer = tracker.track(taken).await.unwrap();
            if matches!(happening.what, What::Lacking) {
                open.extend(answer.event_id);
            }
        }
        if looks == Looks::AtOnce {
            for event in open.drain(..) {
                look(db, tracker, tenant.id, event).await;
            }
        }
    }
    for event in open.into_iter().rev() {
        look(db, tracker, tenant.id, event).await;
    }
    rows(db, tenant.id).await
}

/// Delivers all of them at once, with those of another tenant among them, and answers the rows
/// they end in.
async fn end_state_together(db: &Db, tracker: &Tracker, arrival: &[Happening]) -> Value {
    let (tenant, other) = (salon(db).await, salon(db).await);
    let received_at = Clock::system().now();
    let mut all = Vec::new();
    let mut lacking = Vec::new();
    for happening in arrival {
        for taken in taken(happening, &tenant, received_at) {
            lacking.push(matches!(happening.what, What::Lacking));
            all.push(taken);
        }
        for taken in taken(happening, &other, received_at) {
            lacking.push(false);
            all.push(taken);
        }
    }
    let answers = tracker.track_all(all).await.unwrap();
    for (answer, lacking) in answers.iter().zip(lacking) {
        if lacking {
            look(db, tracker, tenant.id, answer.event_id.unwrap()).await;
        }
    }
    rows(db, tenant.id).await
}

/// Clients, bookings, mappings and proposals of a tenant without ids and arrival times, sorted.
async fn rows(db: &Db, tenant: Uuid) -> Value {
    let mut reader = db.reader().await.unwrap();
    let conn = &mut reader.conn();
    let order = Sort { by: SortKey::Created, descending: true };
    let filter = Filter::default();
    let people = client_list::page(conn, tenant, &filter, order, None, 100).await.unwrap();
    let phones: BTreeMap<Uuid, Option<String>> =
        people.iter().map(|c| (c.id, c.phone.clone())).collect();
    let booked = bookings::list(conn, tenant, Uuid::max(), 100).await.unwrap();
    let mut shown: Vec<String> = booked
        .iter()
        .map(|b| {
            let other = b.possible_duplicate_of.and_then(|id| booked.iter().find(|o| o.id == id));
            format!(
                "{:?} {} {} {:?} {:?} {} {:?} {:?} {} {} dup {:?}",
                phones[&b.client_id],
                b.booking_at,
                b.service_name,
                b.staff_member,
                (b.amount_minor, &b.notes),
                b.status,
                b.provider,
                b.external_booking_id,
                b.flags,
                b.booked_at,
                other.map(|o| (&o.service_name, o.booking_at)),
            )
        })
        .collect();
    shown.sort();
    let mut who = Vec::new();
    for c in &people {
        assert_eq!((c.bookings_count, c.spent_minor), worth(&booked, c.id), "{c:?}");
        let maps = mappings::list_by_client(conn, tenant, c.id).await.unwrap();
        let maps: Vec<_> = maps.iter().map(|m| m.external_client_id.clone()).collect();
        who.push(format!(
            "{:?} {} {} {} {} {:?} {:?} {maps:?} {} {}",
            c.phone,
            c.first_name,
            c.last_name,
            c.status,
            c.first_interaction_at,
            c.first_booking_at,
            c.last_booking_at,
            c.bookings_count,
            c.spent_minor,
        ));
    }
    who.sort();
    let state = DuplicateStatus::Proposed;
    let pairs = duplicates::list(conn, tenant, state, Uuid::max(), 100).await.unwrap();
    let pair = |p: &DuplicateRow| {
        let mut two = [&phones[&p.first_client], &phones[&p.second_client]];
        two.sort();
        format!("{two:?} {} {}", p.reason, p.detail)
    };
    let mut pairs: Vec<String> = pairs.iter().map(pair).collect();
    pairs.sort();
    json!({"bookings": shown, "clients": who, "duplicates": pairs})
}

/// What a client's counters are to be, by their bookings' rows.
fn worth(booked: &[BookingRow], client: Uuid) -> (i64, i64) {
    let called_off = ["cancelled", "no_show"];
    let theirs = booked.iter().filter(|b| b.client_id == client);
    let theirs: Vec<_> = theirs.filter(|b| !called_off.contains(&b.status.as_str())).collect();
    let spent = theirs.iter().filter(|b| b.currency.as_deref() == Some("EUR"));
    let spent = spent.filter(|b| b.payment_status != "refunded").filter_map(|b| b.amount_minor);
    (i64::try_from(theirs.len()).unwrap(), spent.sum())
}

both_engines! {
    async fn a_history_ends_in_the_same_rows_in_whatever_order_it_arrives(db: TestDb) {
        let db = Db::open(&db.url).await.unwrap();
        let key = MasterKey::parse(MASTER_KEY).unwrap();
        let tracker = Tracker::new(db.clone(), key, Clock::system());
        let mut runner = TestRunner::deterministic();
        for round in 0..HISTORIES {
            let (told, shuffled) = history().new_tree(&mut runner).unwrap().current();
            let as_told = end_state(&db, &tracker, &told, Looks::AtOnce).await;
            let as_shuffled = end_state(&db, &tracker, &shuffled, Looks::InTheEnd).await;
            assert_eq!(
                as_told, as_shuffled,
                "round {round}: {told:#?}\narrived as {:?}",
                shuffled.iter().map(|h| h.number).collect::<Vec<_>>()
            );
        }
    }

    async fn a_history_that_arrives_all_at_once_ends_in_the_same_rows(db: TestDb) {
        let db = Db::open(&db.url).await.unwrap();
        let key = MasterKey::parse(MASTER_KEY).unwrap();
        let tracker = Tracker::new(db.clone(), key, Clock::system());
        let mut runner = TestRunner::deterministic();
        for round in 0..HISTORIES {
            let (told, shuffled) = history().new_tree(&mut runner).unwrap().current();
            let one_by_one = end_state(&db, &tracker, &told, Looks::InTheEnd).await;
            let together = end_state_together(&db, &tracker, &shuffled).await;
            assert_eq!(one_by_one, together, "round {round}: {told:#?}\narrived as {shuffled:#?}");
        }
    }

    async fn a_slot_that_only_two_tellings_together_name_is_looked_at(db: TestDb) {
        let db = Db::open(&db.url).await.unwrap();
        let key = MasterKey::parse(MASTER_KEY).unwrap();
        let tracker = Tracker::new(db.clone(), key, Clock::system());
        let happening = |number, minute, phone, hour, id, what| {
            Happening { number, minute, phone, hour, id, what }
        };
        // The reference's booking is the second phone's by the first telling, at 11 by the third:
        // where the second stands, which nothing in the first and the third names.
        let book = What::Book { named: false, staff: false };
        let first = happening(0, 1, 2, 10, Some(2), book);
        let second = happening(1, 2, 2, 11, None, What::Form);
        let third = happening(2, 3, 3, 11, Some(2), What::Chat);
        let told = [first.clone(), second.clone(), third.clone()];
        let as_told = end_state(&db, &tracker, &told, Looks::InTheEnd).await;
        assert_eq!(as_told["bookings"].as_array().unwrap().len(), 1, "{as_told:#}");
        let late = end_state(&db, &tracker, &[second, third, first], Looks::InTheEnd).await;
        assert_eq!(late, as_told);
    }
}
