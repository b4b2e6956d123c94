//! Two more faults of an earlier service, for which the program must run as a process: what a
//! `kill -9` leaves, and what the log gives away.

use crate::bad_input::{Salon, goes_on};
use crate::support::app::{MASTER_KEY, SECRET, TestApp, address};
use crate::support::binary::Program;
use crate::support::bodies::{chat, text, whatsapp};
use crate::support::wire::signed;
use crate::tracking::{call_ended, workflow};
use bookhook::domain::channel::Role;
use futures_util::future::join_all;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const CLIENTS: usize = 16;

/// A body of its own for each client's each delivery: six phones a client, so that bookings of
/// one person are written at the same time.
fn booking(client: usize, n: usize) -> (String, String) {
    let phone = format!("+3538655{:05}", client * 6 + n % 6);
    let body = workflow(&phone, &format!("Cut {client} {n}"), "2026-06-01T10:00:00Z");
    (format!("msg_{client}_{n}"), body.to_string())
}

/// Posts a booking; `None` when no answer came.
async fn post(
    http: &Client,
    url: &str,
    path: &str,
    (id, body): &(String, String),
) -> Option<Value> {
    let source = bookhook::sources::find("n8n").unwrap();
    let now = crate::support::app::now();
    let mut request = http.post(format!("{url}{path}")).body(body.clone());
    for (name, value) in source.sign(SECRET, body.as_bytes(), id, now).unwrap() {
        request = request.header(name, value);
    }
    let response = request.send().await.ok()?;
    assert_eq!(response.status(), StatusCode::OK);
    serde_json::from_slice(&response.bytes().await.ok()?).ok()
}

/// Posts until no answer comes; answers what was sent and what was acknowledged.
async fn one_client(
    http: &Client,
    (url, path): (&str, &str),
    client: usize,
    acknowledged: &AtomicUsize,
) -> Vec<(usize, Option<Value>)> {
    let mut told = Vec::new();
    loop {
        let n = told.len();
        let answer = post(http, url, path, &booking(client, n)).await;
        let over = answer.is_none();
        told.push((n, answer));
        if over {
            return told;
        }
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

both_engines! {
    // 14
    async fn a_kill_under_load_leaves_no_half_booking_and_loses_no_acknowledged_one(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let path = address("n8n", Some(salon.connection("n8n")));
        let program = Program::serve(&db, &[]);
        let url = program.url.clone();
        let http = Client::builder().no_proxy().build().unwrap();
        let acknowledged = AtomicUsize::new(0);
        let to = (url.as_str(), path.as_str());
        let clients = (0..CLIENTS).map(|client| one_client(&http, to, client, &acknowledged));
        let load = join_all(clients);
        let end = async {
            while acknowledged.load(Ordering::Relaxed) < 10 * CLIENTS {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            program.kill();
        };
        let (told, ()) = tokio::join!(load, end);
        let acknowledged = acknowledged.into_inner();

        // As it was left: whole bookings or none.
        let whole = db.count("webhook_events where status = 'tracked'").await;
        assert_eq!(db.count("webhook_events").await, whole);
        assert_eq!(db.count("bookings").await, whole);
        assert_eq!(db.count("booking_sightings").await, whole);
        let idle = "clients c where not exists (select 1 from bookings b
            where b.tenant_id = c.tenant_id and b.client_id = c.id)";
        assert_eq!(db.count(idle).await, 0, "a client without a booking");
        let undated = "clients where first_booking_at is null or last_booking_at is null";
        assert_eq!(db.count(undated).await, 0);
        assert!(whole >= i64::try_from(acknowledged).unwrap(), "{whole} of {acknowledged}");

        // Everything again, as each caller would that got no answer, and some that did.
        let program = Program::serve(&db, &[]);
        let mut bookings = BTreeMap::new();
        for (client, told) in told.iter().enumerate() {
            let again = told.iter().map(|(n, first)| async {
                let body = booking(client, *n);
                let answer = post(&http, &program.url, &path, &body).await.expect("an answer");
                (first.clone(), answer)
            });
            for (first, answer) in join_all(again).await {
                if let Some(first) = first {
                    assert_eq!(answer["duplicate"], true, "{answer}");
                    assert_eq!(answer["eventId"], first["eventId"]);
                    assert_eq!(answer["bookingId"], first["bookingId"]);
                }
                *bookings.entry(answer["bookingId"].to_string()).or_insert(0) += 1;
            }
        }
        assert!(bookings.values().all(|times| *times == 1), "two posts, one booking");
        assert_eq!(db.count("bookings").await, i64::try_from(bookings.len()).unwrap());
        assert_eq!(db.count("webhook_events").await, db.count("bookings").await);
        program.stop();
    }

    // 35
    async fn the_log_holds_nobodys_data_and_no_credential(db: TestDb) {
        for format in ["text", "json"] {
            let app = TestApp::start(&db).await;
            let salon = Salon::named(&app, format).await;
            let program =
                Program::serve(&db, &[("BOOKHOOK_LOG", "debug"), ("BOOKHOOK_LOG_FORMAT", format)]);
            let app = app.at(&program);
            let tokens = busy(&app, &salon).await;
            let log = program.stop();
            assert!(log.contains("booking confirmed") && log.contains("answered"), "{log}");
            let lower = log.to_lowercase();
            let private = [
                "871234567", "865550199", "851112222", "879999999", "niamh", "o'brien", "ciara",
                "byrne", "kavanagh", "áine", "@example", "deep tissue", "brows", "lemon sorbet",
                "wamid", "call_of_the_log", "ph-88213", "whsec", "bk_live", "verify-me", "sha256=",
                "v1,", ",d=",
            ];
            let given = private.iter().map(|word| (*word).to_owned()).chain(tokens);
            for word in given.chain([SECRET.to_lowercase(), MASTER_KEY.to_lowercase()]) {
                let line = lower.lines().find(|line| line.contains(&word));
                assert_eq!(line, None, "the log holds {word:?}");
            }
        }
    }

    async fn a_booking_is_logged_once_as_confirmed_and_once_as_tracked(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let program = Program::serve(&db, &[("BOOKHOOK_LOG_FORMAT", "json")]);
        let app = app.at(&program);
        let call = call_ended("call_1", "+353871234567").to_string();
        let first = salon.deliver(&app, "retell", call.as_bytes()).await;
        let repeat = salon.deliver(&app, "retell", call.as_bytes()).await;
        assert_eq!(repeat.body["duplicate"], true);
        let log = program.stop();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines: Vec<Value> = lines.collect();
        for message in ["booking confirmed", "customer tracked"] {
            let found: Vec<&Value> = lines.iter().filter(|l| l["message"] == message).collect();
            assert_eq!(found.len(), 1, "{message}: {log}");
            let line = found[0];
            assert_eq!(line["tenant"], salon.tenant.to_string());
            assert_eq!(line["client"], first.body["clientId"]);
            assert_eq!(line["booking"], first.body["bookingId"]);
            assert_eq!(line["source"], "retell");
            assert_eq!(line["customer"], "new");
            assert!(line["duration_ms"].is_u64(), "{line}");
            let id = line["span"]["request_id"].as_str().unwrap();
            assert_eq!(id.len(), 36, "{line}");
        }
    }
}

/// Deliveries that are tracked, refused, malformed and forged, and readings of the API; answers
/// the tokens used, in lower case.
async fn busy(app: &TestApp, salon: &Salon) -> Vec<String> {
    goes_on(app, salon).await;
    let mut call = call_ended("call_of_the_log", "+353871234567");
    call["call"]["transcript"] = json!("lemon sorbet, please");
    salon.deliver(app, "retell", call.to_string().as_bytes()).await;
    let mut wrong = chat("12", "Brows", "tomorrow");
    wrong["email"] = json!("niamh@@example.com");
    salon.deliver(app, "chat", wrong.to_string().as_bytes()).await;
    salon.deliver(app, "chat", b"{\"name\":\"Niamh\" lemon sorbet").await;
    salon.deliver(app, "retell", b"lemon sorbet").await;
    let said = text("1", "wamid.log", "353879999999", "lemon sorbet?");
    salon.deliver(app, "whatsapp", &whatsapp(&[said])).await;
    let body = workflow("0851112222", "Brows", "2026-06-01T10:00:00Z");
    let token = app.token(Role::Service, Some(salon.tenant)).await;
    let wrong = format!("{token}x");
    for token in [&token, &wrong] {
        app.deliver_with_token("n8n", token, &body).await;
        let path = format!("/api/platform/tenants/{}/clients?phone=871234567", salon.tenant);
        app.ask(Method::GET, &path, token).await;
    }
    let forged = signed("n8n", MASTER_KEY, body.to_string().as_bytes());
    let forged: Vec<_> = forged.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let path = address("n8n", Some(salon.connection("n8n")));
    app.post(&path, &forged, body.to_string().as_bytes()).await;
    let asked = "/whatsapp/inbound?hub.mode=subscribe&hub.challenge=871234567&\
        hub.verify_token=verify-me";
    app.ask(Method::GET, asked, "").await;
    vec![token.to_lowercase()]
}
