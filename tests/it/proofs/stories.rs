//! What customers do, told as their providers tell it: the same for the same number, whenever it
//! is asked for, and with it what is to be in the book afterwards.

use crate::support::bodies::{Said, form, text, whatsapp};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Europe::Dublin;
use serde_json::{Value, json};

/// One delivery.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// The provider's own id of it, where the provider gives it one; unique in any case.
    pub(super) key: String,
    pub(super) source: &'static str,
    /// The function that an agent calls by it.
    pub(super) function: Option<&'static str>,
    pub(super) body: Vec<u8>,
}

/// What one customer does: one booking or two, and whatever is told of them.
pub(super) struct Story {
    number: u64,
    person: u64,
    start: DateTime<Utc>,
}

fn exact(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Date and time of day, as somebody in the salon says them.
fn said(at: DateTime<Utc>) -> (String, String) {
    let at = at.with_timezone(&Dublin);
    (at.format("%Y-%m-%d").to_string(), at.format("%H:%M").to_string())
}

impl Story {
    pub(super) fn new(number: u64) -> Self {
        // Of ten, three are of somebody who came before, seven of somebody new.
        let (ten, one) = (number / 10, number % 10);
        let before = ten * 7;
        let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
        let person = if one < 3 { scattered % before.max(1) } else { before + one - 3 };
        let first: DateTime<Utc> = "2027-01-04T09:00:00Z".parse().unwrap();
        let (day, quarter) = (number / 32 % 700, number % 32);
        let minutes = i64::try_from(day * 24 * 60 + quarter * 15).unwrap();
        Self { number, person, start: first + TimeDelta::minutes(minutes) }
    }

    fn phone(&self) -> String {
        format!("+35387{:07}", 1_000_000 + self.person)
    }

    fn service(&self) -> String {
        format!("Cut {}", self.number)
    }

    /// The stranger who asks in the middle of a WhatsApp story.
    fn stranger(&self) -> String {
        format!("35385{:07}", 1_000_000 + self.number)
    }

    fn moved(&self) -> DateTime<Utc> {
        self.start + TimeDelta::hours(3)
    }

    /// The deliveries, in the order in which they are sent.
    pub(super) fn told(&self) -> Vec<Told> {
        let number = self.number;
        match number % 8 {
            0 | 1 => vec![
                self.call("call_started", 0),
                self.function(),
                self.call("call_ended", 1),
                self.call("call_analyzed", 2),
            ],
            2 => vec![self.messages(0, &[self.form("a", &self.service(), self.start)])],
            3 => vec![self.messages(
                0,
                &[
                    self.form("a", &self.service(), self.start),
                    self.form("b", &format!("Brows {number}"), self.moved()),
                    text("1", &format!("wamid.{number}c"), &self.stranger(), "Are you open?"),
                ],
            )],
            4 => vec![self.chat(), self.workflow(1, &json!({}))],
            5 => vec![
                self.workflow(0, &json!({})),
                self.workflow(1, &json!({"status": "cancelled"})),
            ],
            6 => vec![
                self.workflow(0, &json!({})),
                self.workflow(
                    1,
                    &json!({
                        "status": "rescheduled", "dateTime": exact(self.moved()),
                        "previousAppointmentDateTime": exact(self.start),
                    }),
                ),
            ],
            _ => vec![self.chat()],
        }
    }

    /// What is in the book once all of it was told: phone, start, service and state.
    pub(super) fn booked(&self) -> Vec<String> {
        let number = self.number;
        let row = |start: DateTime<Utc>, service: &str, status: &str| {
            format!(
                "{} {} {service}{number} {status}",
                self.phone(),
                start.format("%Y-%m-%dT%H:%M")
            )
        };
        match number % 8 {
            3 => vec![row(self.start, "cut", "confirmed"), row(self.moved(), "brows", "confirmed")],
            5 => vec![row(self.start, "cut", "cancelled")],
            6 => vec![row(self.moved(), "cut", "confirmed")],
            _ => vec![row(self.start, "cut", "confirmed")],
        }
    }

    /// Who only asked.
    pub(super) fn asked(&self) -> Option<String> {
        (self.number % 8 == 3).then(|| format!("+{}", self.stranger()))
    }

    /// How many events its deliveries carry, all together.
    pub(super) fn events(&self) -> usize {
        match self.number % 8 {
            3 => 3,
            _ => self.told().len(),
        }
    }

    fn post(&self, source: &'static str, nth: u8, body: &Value) -> Told {
        let key = format!("msg_{}_{nth}", self.number);
        Told { key, source, function: None, body: body.to_string().into_bytes() }
    }

    fn chat(&self) -> Told {
        let body = json!({
            "phone": self.phone(), "name": "Ciara Byrne", "service": self.service(),
            "dateTime": exact(self.start), "occurredAt": "2026-03-01T10:00:00Z",
        });
        self.post("chat", 0, &body)
    }

    fn workflow(&self, nth: u8, more: &Value) -> Told {
        let mut booking = json!({
            "phone": self.phone(), "firstName": "Áine", "lastName": "O’Brien",
            "serviceName": self.service(), "dateTime": exact(self.start), "price": 75,
            "source": "web", "phorestBookingId": format!("PH-{}", self.number),
            "phorestClientId": format!("client-{}", self.person), "phorestBusinessId": "biz_1",
        });
        for (name, value) in more.as_object().unwrap() {
            booking[name] = value.clone();
        }
        let at = format!("2026-03-01T1{}:00:00Z", nth + 1);
        self.post("n8n", nth, &json!({"occurredAt": at, "bookingData": booking}))
    }

    fn form(&self, item: &str, service: &str, start: DateTime<Utc>) -> Said {
        let (date, time) = said(start);
        let from = self.phone();
        let from = from.trim_start_matches('+');
        form("1", &format!("wamid.{}{item}", self.number), from, service, (&date, &time))
    }

    fn messages(&self, nth: u8, said: &[Said]) -> Told {
        let key = format!("msg_{}_{nth}", self.number);
        Told { key, source: "whatsapp", function: None, body: whatsapp(said) }
    }

    fn arguments(&self) -> Value {
        json!({
            "customer_name": "Niamh O'Brien", "service": self.service(),
            "date_time": exact(self.start), "duration_minutes": 60, "price": "75.00",
            "phorestClientId": format!("client-{}", self.person), "phorestBusinessId": "biz_1",
        })
    }

    fn head(&self) -> Value {
        json!({
            "call_id": format!("call_{}", self.number), "call_type": "phone_call",
            "agent_id": "agent_load", "direction": "inbound", "from_number": self.phone(),
            "to_number": "+35315550142", "start_timestamp": 1_773_051_302_417 + self.number,
        })
    }

    fn function(&self) -> Told {
        let body =
            json!({"name": "book_appointment", "call": self.head(), "args": self.arguments()});
        Told { function: Some("book_appointment"), ..self.post("retell", 9, &body) }
    }

    fn call(&self, event: &str, nth: u8) -> Told {
        let mut call = self.head();
        if event != "call_started" {
            call["transcript_with_tool_calls"] = json!([
                {"role": "tool_call_invocation", "tool_call_id": "t1", "name": "book_appointment",
                    "arguments": self.arguments().to_string()},
                {"role": "tool_call_result", "tool_call_id": "t1", "successful": true,
                    "content": "{\"success\":true,\"booking_confirmed\":true}"},
            ]);
        }
        if event == "call_analyzed" {
            let (date, time) = said(self.start);
            call["call_analysis"] = json!({"custom_analysis_data": {
                "appointment_booked": true, "customer_name": "Niamh O'Brien",
                "service_type": self.service(), "appointment_date": date,
                "appointment_time": time,
            }});
        }
        self.post("retell", nth, &json!({"event": event, "call": call}))
    }
}
