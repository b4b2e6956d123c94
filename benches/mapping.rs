//! What reading a delivery costs, beside what parsing its JSON alone costs.
//!
//! `cargo bench --bench mapping`. `read` is what the service does with a verified body (cut it and
//! map it, all parsing included); `value` builds the whole body as a `serde_json::Value`, `skip`
//! only checks that it is JSON. The ratio of `read` to these is what is to be looked at: it holds
//! on every machine.
#![expect(clippy::unwrap_used, reason = "a tool: it stops at the first fault")]

use bookhook::domain::channel::DateOrder;
use bookhook::domain::money::Currency;
use bookhook::domain::phone::{Phone, Region};
use bookhook::domain::tenant::TenantSettings;
use bookhook::sources::{self, Checked, Delivery, Headers, Mapped, Reading};
use chrono::{DateTime, Utc};
use divan::{Bencher, black_box};
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SECRET: &str = "key_0123456789abcdef0123456789ab";

fn main() {
    divan::main();
}

fn tenant() -> TenantSettings {
    TenantSettings {
        id: "8d8ac610-566d-4ef0-9c22-186b2a5ed793".parse().unwrap(),
        slug: "liffey-light".to_owned(),
        default_region: Region::parse("IE").unwrap(),
        timezone: chrono_tz::Europe::Dublin,
        currency: Currency::parse("EUR").unwrap(),
        date_order: DateOrder::Dmy,
    }
}

fn now() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

/// A call of about so many KB, most of it the timing of words, as real ones are.
fn call(kilobytes: usize) -> String {
    let words: Vec<Value> = (0..kilobytes * 14)
        .map(|n| json!({"word": format!("word{n} "), "start": n, "end": n + 1}))
        .collect();
    let arguments = json!({
        "customer_name": "Niamh O'Brien", "service": "Deep Tissue Massage",
        "date_time": "2026-04-02T15:00:00", "duration_minutes": 60, "price": "75.00",
    });
    json!({"event": "call_ended", "call": {
        "call_id": "call_1", "call_type": "phone_call", "agent_id": "agent_a", "agent_version": 1,
        "call_status": "ended", "direction": "inbound", "from_number": "+353871234567",
        "to_number": "+35315550142", "start_timestamp": 1_773_051_302_417_i64,
        "transcript": "Agent: Good morning. User: I would like to book. ".repeat(kilobytes * 3),
        "transcript_object": [{"role": "user", "content": "x", "words": words}],
        "transcript_with_tool_calls": [
            {"role": "agent", "content": "Good morning.", "words": []},
            {"role": "tool_call_invocation", "tool_call_id": "t1", "name": "book_appointment",
                "arguments": arguments.to_string()},
            {"role": "tool_call_result", "tool_call_id": "t1", "successful": true,
                "content": "{\"success\":true,\"booking_confirmed\":true}"},
        ],
    }})
    .to_string()
}

/// A thousand labelled bookings near 3 MB.
fn batch() -> String {
    let notes = "long ".repeat(540);
    let messages: Vec<Value> = (1_000_000..1_001_000)
        .map(|nth| {
            let words = format!("Service: Cut\nDate: 16/01/2027\nTime: 4:15 pm\nNotes: {notes}");
            json!({"from": format!("35387{nth}"), "id": format!("wamid.{nth}"),
                "timestamp": "1795434000", "type": "text", "text": {"body": words}})
        })
        .collect();
    let value = json!({"metadata": {"phone_number_id": "1"}, "messages": messages});
    let change = json!({"field": "messages", "value": value});
    json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]})
        .to_string()
}

/// How many bookings a body tells.
fn read(source: &str, body: &str, tenant: &TenantSettings) -> usize {
    let (headers, overrides) = (Headers::default(), BTreeMap::new());
    let source = sources::find(source).unwrap();
    let delivery = Delivery { body: body.as_bytes(), headers: &headers, received_at: now() };
    let reading = Reading::plain(tenant, now(), &overrides);
    let items = source.split(&delivery).unwrap();
    let mapped = items.iter().flat_map(|item| source.map(item, &reading));
    mapped.filter(|mapped| matches!(mapped, Mapped::Booking(_))).count()
}

#[divan::bench(args = [6, 60])]
fn retell_read(bencher: Bencher<'_, '_>, kilobytes: usize) {
    let (body, tenant) = (call(kilobytes), tenant());
    assert_eq!(read("retell", &body, &tenant), 1);
    bencher.bench_local(|| read("retell", black_box(&body), &tenant));
}

#[divan::bench(args = [6, 60])]
fn retell_value(bencher: Bencher<'_, '_>, kilobytes: usize) {
    let body = call(kilobytes);
    bencher.bench_local(|| serde_json::from_str::<Value>(black_box(&body)).unwrap());
}

#[divan::bench(args = [6, 60])]
fn retell_skip(bencher: Bencher<'_, '_>, kilobytes: usize) {
    let body = call(kilobytes);
    bencher.bench_local(|| serde_json::from_str::<IgnoredAny>(black_box(&body)).unwrap());
}

#[divan::bench(args = [6, 60])]
fn retell_verify(bencher: Bencher<'_, '_>, kilobytes: usize) {
    let (body, retell) = (call(kilobytes), sources::find("retell").unwrap());
    let mut headers = Headers::default();
    for (name, value) in retell.sign(SECRET, body.as_bytes(), "", now()).unwrap() {
        headers.insert(name, &value);
    }
    let delivery = Delivery { body: body.as_bytes(), headers: &headers, received_at: now() };
    assert_eq!(retell.verify(SECRET, &delivery), Checked::Verified);
    bencher.bench_local(|| retell.verify(black_box(SECRET), &delivery));
}

#[divan::bench(sample_count = 10)]
fn whatsapp_thousand_messages_read(bencher: Bencher<'_, '_>) {
    let (body, tenant) = (batch(), tenant());
    assert_eq!(read("whatsapp", &body, &tenant), 1000);
    bencher.bench_local(|| read("whatsapp", black_box(&body), &tenant));
}

#[divan::bench(sample_count = 10)]
fn whatsapp_thousand_messages_value(bencher: Bencher<'_, '_>) {
    let body = batch();
    bencher.bench_local(|| serde_json::from_str::<Value>(black_box(&body)).unwrap());
}

#[divan::bench]
fn phone(bencher: Bencher<'_, '_>) {
    let region = tenant().default_region;
    bencher.bench_local(|| Phone::parse(black_box("087 123 4567"), region));
}
