//! One WhatsApp delivery of 1000 messages near 3 MB, end to end: the real service in a process of
//! its own, the body over HTTP on loopback, every message durable before the answer.
//!
//! `cargo bench --bench batch` uses SQLite; with `DATABASE_URL` set, that database (which must be
//! empty). Nine in ten messages are questions, one in ten is a filled-in booking form, from 500
//! people. The delivery is posted with new messages a few times, then once more as a repeat.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a tool: it stops at the first fault"
)]

#[expect(dead_code, reason = "another tool looks at what it computed, and asks for the process")]
mod service;

use bookhook::clock::Clock;
use bookhook::sources;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const SECRET: &str = "9f8e7d6c5b4a39281706f5e4d3c2b1a0";
const NUMBER: &str = "771234500000001";
const MESSAGES: usize = 1000;
const ROUNDS: usize = 5;

fn message(round: usize, number: usize) -> Value {
    let from = format!("35387{:07}", 1_000_000 + number % 500);
    let (id, timestamp) = (format!("wamid.{round}.{number}"), "1773051302");
    if !number.is_multiple_of(10) {
        let words = "Are you open on Monday? I would love a cut. ".repeat(62);
        return json!({"from": from, "id": id, "timestamp": timestamp, "type": "text",
            "text": {"body": words}});
    }
    let (day, hour) = (number / 10 % 28 + 1, 9 + number / 280);
    let form = json!({
        "service_name": "Cut and colour", "date": format!("2027-{:02}-{day:02}", round + 1),
        "time": format!("{hour:02}:00"), "name": "Aoife Kavanagh", "notes": "x".repeat(2300),
    });
    json!({"from": from, "id": id, "timestamp": timestamp, "type": "interactive",
        "interactive": {"type": "nfm_reply", "nfm_reply": {
            "name": "flow", "body": "Sent", "response_json": form.to_string()}}})
}

/// A delivery as Meta batches it: one entry, a contact for each sender.
fn body(round: usize) -> Vec<u8> {
    let messages: Vec<Value> = (0..MESSAGES).map(|number| message(round, number)).collect();
    let contacts: Vec<Value> = messages
        .iter()
        .map(|m| json!({"profile": {"name": "Aoife K"}, "wa_id": m.get("from")}))
        .collect();
    json!({"object": "whatsapp_business_account", "entry": [{"id": "9", "changes": [
        {"field": "messages", "value": {"messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "35315550100", "phone_number_id": NUMBER},
            "contacts": contacts, "messages": messages}}]}]})
    .to_string()
    .into_bytes()
}

async fn post(url: &str, body: Vec<u8>) -> (Duration, Value) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let source = sources::find("whatsapp").unwrap();
    let headers = source.sign(SECRET, &body, "", Clock::system().now()).unwrap();
    let mut request = http.post(format!("{url}{}", source.path()));
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let begun = Instant::now();
    let answer = request.body(body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    (begun.elapsed(), answer)
}

fn outcomes(answer: &Value, outcome: &str) -> usize {
    let results = answer.get("results").and_then(Value::as_array).unwrap();
    results.iter().filter(|r| r.get("outcome").and_then(Value::as_str) == Some(outcome)).count()
}

#[tokio::main]
async fn main() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let database = service::database(dir.path());
    service::run(&database, &["tenant", "add", "--name", "Load"]);
    let add =
        ["connection", "add", "--source", "whatsapp", "--tenant", "load", "--account", NUMBER];
    service::run(&database, &[add.as_slice(), &["--secret", SECRET]].concat());
    let service = service::serve(&database, &[]);
    let idle = service.memory("VmRSS:");

    let engine = database.split(':').next().unwrap_or_default();
    let bytes = body(0).len();
    for turn in 0..=ROUNDS {
        let round = turn.min(ROUNDS - 1);
        let (took, answer) = post(&service.url, body(round)).await;
        let (tracked, ignored) = (outcomes(&answer, "tracked"), outcomes(&answer, "ignored"));
        assert_eq!((tracked, ignored), (MESSAGES / 10, MESSAGES - MESSAGES / 10), "{answer}");
        let kind = if turn == round { "new" } else { "repeat" };
        let most = service.memory("VmHWM:");
        println!(
            "{engine}: {MESSAGES} messages, {bytes} bytes, {kind}: {took:.2?}; \
             service idle {idle} MB, at most {most} MB"
        );
    }
}
