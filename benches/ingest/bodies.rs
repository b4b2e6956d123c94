//! Deliveries of Retell: bodies and signatures that cost the generator next to nothing.
//!
//! What is the same in all of them stands first, so that its bytes are made and hashed once; what
//! differs is the end of the body.

use bookhook::sources;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use std::fmt::Write as _;

/// The connection's secret.
pub(crate) const SECRET: &str = "key_0123456789abcdef0123456789ab";

/// The agent whose calls they are.
pub(crate) const AGENT: &str = "agent_load";

/// Phones of which every delivery makes or finds one: `+35387` and seven digits.
const FIRST_PHONE: u64 = 1_000_000;

/// Bodies of one size.
#[derive(Clone)]
pub(crate) struct Bodies {
    begin: Vec<u8>,
    /// The signature's hash after `begin`.
    hashed: Hmac<Sha256>,
    /// How many clients there were before.
    known: u64,
}

/// What is drawn by a number: the same always, and nothing like its neighbour's.
fn scattered(number: u64, below: u64) -> u64 {
    let mixed = (number ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 20) % below.max(1)
}

impl Bodies {
    /// Bodies of about so many KB, most of it the timing of words, as real ones are.
    pub(crate) fn new(kilobytes: usize, known: u64) -> Self {
        let words: Vec<Value> = (0..kilobytes * 16)
            .map(|n| json!({"word": format!("word{n} "), "start": n, "end": n + 1}))
            .collect();
        let call = json!({
            "call_type": "phone_call", "agent_id": AGENT, "agent_version": 1,
            "call_status": "ended", "direction": "inbound", "to_number": "+35315550142",
            "transcript": "Agent: Good morning. User: I would like to book. ".repeat(kilobytes * 4),
            "transcript_object": [{"role": "user", "content": "x", "words": words}],
        });
        let call = call.to_string();
        let call = call.strip_suffix('}').unwrap();
        let begin = format!("{{\"event\":\"call_ended\",\"call\":{call},").into_bytes();
        let mut hashed = Hmac::new_from_slice(SECRET.as_bytes()).unwrap();
        hashed.update(&begin);
        Self { begin, hashed, known }
    }

    /// Whose the n-th delivery is: of ten, three are from somebody who booked before.
    fn person(&self, number: u64) -> u64 {
        let fresh = |number: u64| number / 10 * 7 + number % 10 - 3;
        if number % 10 >= 3 {
            return self.known + fresh(number);
        }
        // Among the last of them may be some whose first delivery is still on its way.
        let known = self.known + number / 10 * 7;
        scattered(number, known - (known / 2).min(1000))
    }

    fn end(&self, number: u64) -> String {
        let person = self.person(number);
        let (hour, day) = (8 + number % 10, number / 10 % 28 + 1);
        let (month, year) = (number / 280 % 12 + 1, 2027 + number / 3360 % 20);
        let arguments = json!({
            "customer_name": "Niamh O'Brien", "service": "Deep Tissue Massage",
            "date_time": format!("{year}-{month:02}-{day:02}T{hour:02}:00:00Z"),
            "duration_minutes": 60, "price": "75.00",
            "phorestClientId": format!("client-{person}"), "phorestBusinessId": "business",
        });
        let tools = json!([
            {"role": "tool_call_invocation", "tool_call_id": "t1", "name": "book_appointment",
                "arguments": arguments.to_string()},
            {"role": "tool_call_result", "tool_call_id": "t1", "successful": true,
                "content": "{\"success\":true,\"booking_confirmed\":true}"},
        ]);
        format!(
            "\"call_id\":\"call_{number:012}\",\"from_number\":\"+35387{:07}\",\
             \"start_timestamp\":{},\"transcript_with_tool_calls\":{tools}}}}}",
            FIRST_PHONE + person,
            1_773_051_302_417 + number * 10
        )
    }

    /// The body of the n-th delivery.
    pub(crate) fn body(&self, number: u64) -> Vec<u8> {
        let mut body = self.begin.clone();
        body.extend_from_slice(self.end(number).as_bytes());
        body
    }

    /// The n-th delivery as it goes over the wire.
    pub(crate) fn request(&self, number: u64, now: DateTime<Utc>, to: &mut Vec<u8>) {
        let (end, time) = (self.end(number), now.timestamp_millis());
        let mut mac = self.hashed.clone();
        mac.update(end.as_bytes());
        mac.update(time.to_string().as_bytes());
        let mac = hex::encode(mac.finalize().into_bytes());
        let mut head = String::with_capacity(300);
        write!(
            head,
            "POST /retell/call-ended HTTP/1.1\r\nhost: 127.0.0.1\r\n\
             content-type: application/json\r\nx-retell-signature: v={time},d={mac}\r\n\
             content-length: {}\r\n\r\n",
            self.begin.len() + end.len()
        )
        .unwrap();
        to.clear();
        to.extend_from_slice(head.as_bytes());
        to.extend_from_slice(&self.begin);
        to.extend_from_slice(end.as_bytes());
    }

    /// Checks that a request is signed as the service's own code signs it.
    pub(crate) fn check(&self, now: DateTime<Utc>) {
        let signed = sources::find("retell").unwrap().sign(SECRET, &self.body(7), "", now);
        let mut request = Vec::new();
        self.request(7, now, &mut request);
        let (_, value) = signed.unwrap().pop().unwrap();
        assert!(String::from_utf8_lossy(&request).contains(&value), "{value}");
    }
}
