//! Durable deliveries a second, end to end: the real service in a process of its own, signed
//! Retell calls of about 6 KB over HTTP on loopback, 30% of them from phones known already.
//!
//! `cargo bench --bench load` uses SQLite; with `DATABASE_URL` set, that database (which must be
//! empty). `LOAD_CONNECTIONS` (16) and `LOAD_SECONDS` (10) say how much.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a tool: it stops at the first fault"
)]

#[expect(dead_code, reason = "another tool looks at what it computed")]
mod service;

use bookhook::clock::Clock;
use bookhook::sources;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SECRET: &str = "key_0123456789abcdef0123456789ab";
const AGENT: &str = "agent_load";

/// A call of about 6 KB, most of it the timing of words, as real ones are.
fn call(number: u64) -> Vec<u8> {
    let phone = if number % 10 < 3 { number % 300 } else { number };
    let words: Vec<Value> =
        (0..70).map(|n| json!({"word": format!("word{n} "), "start": n, "end": n + 1})).collect();
    let (day, hour) = (number / 10 % 28 + 1, 8 + number % 10);
    let arguments = json!({
        "customer_name": "Niamh O'Brien", "service": "Deep Tissue Massage",
        "date_time": format!("20{:02}-03-{day:02}T{hour:02}:00:00Z", 26 + number / 280 % 40),
        "duration_minutes": 60, "price": "75.00",
    });
    json!({"event": "call_ended", "call": {
        "call_id": format!("call_{number}"), "call_type": "phone_call", "agent_id": AGENT,
        "agent_version": 1, "call_status": "ended", "direction": "inbound",
        "from_number": format!("+35387{:07}", 1_000_000 + phone), "to_number": "+35315550142",
        "start_timestamp": 1_773_051_302_417_i64,
        "transcript": "Agent: Good morning. User: I would like to book. ".repeat(20),
        "transcript_object": [{"role": "user", "content": "x", "words": words}],
        "transcript_with_tool_calls": [
            {"role": "tool_call_invocation", "tool_call_id": "t1", "name": "book_appointment",
                "arguments": arguments.to_string()},
            {"role": "tool_call_result", "tool_call_id": "t1", "successful": true,
                "content": "{\"success\":true,\"booking_confirmed\":true}"},
        ],
    }})
    .to_string()
    .into_bytes()
}

/// Posts until the time is over; answers how long each delivery took.
async fn post(url: String, next: Arc<AtomicU64>, until: Instant) -> Vec<Duration> {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let retell = sources::find("retell").unwrap();
    let (clock, mut took) = (Clock::system(), Vec::new());
    while Instant::now() < until {
        let body = call(next.fetch_add(1, Ordering::Relaxed));
        let headers = retell.sign(SECRET, &body, "", clock.now()).unwrap();
        let mut request = http.post(format!("{url}{}", retell.path()));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let begun = Instant::now();
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        let outcome = answer.get("outcome").and_then(Value::as_str);
        assert_eq!(outcome, Some("tracked"), "{answer}");
        took.push(begun.elapsed());
    }
    took
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::main]
async fn main() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let database = service::database(dir.path());
    service::run(&database, &["tenant", "add", "--name", "Load"]);
    let add = ["connection", "add", "--source", "retell", "--tenant", "load", "--account", AGENT];
    service::run(&database, &[add.as_slice(), &["--secret", SECRET]].concat());
    let service = service::serve(&database, &[]);
    let idle = service.memory("VmRSS:");

    let (connections, seconds) = (number("LOAD_CONNECTIONS", 16), number("LOAD_SECONDS", 10));
    let next = Arc::new(AtomicU64::new(0));
    let (begun, length) = (Instant::now(), Duration::from_secs(seconds));
    let posts = (0..connections)
        .map(|_| tokio::spawn(post(service.url.clone(), next.clone(), begun + length)));
    let mut took: Vec<Duration> = Vec::new();
    for one in posts.collect::<Vec<_>>() {
        took.extend(one.await.unwrap());
    }
    let elapsed = begun.elapsed();
    took.sort();
    let at = |share: usize| took.get(took.len() * share / 1000).copied().unwrap_or_default();
    let engine = database.split(':').next().unwrap_or_default();
    let rate = u128::try_from(took.len()).unwrap() * 1000 / elapsed.as_millis().max(1);
    println!(
        "{engine}: {connections} connections, {} deliveries of {} bytes in {elapsed:.1?}: \
         {rate}/s, p50 {:.1?}, p99 {:.1?}, p99.9 {:.1?}; service idle {idle} MB, loaded {} MB",
        took.len(),
        call(1).len(),
        at(500),
        at(990),
        at(999),
        service.memory("VmRSS:"),
    );
}
