//! Bodies that are no delivery: too large, no JSON, too deep. Each is answered as its caller
//! expects, the raw bytes of a verified one are kept, and the service goes on.

use crate::support::app::{Answer, SECRET, TestApp, address};
use crate::support::bodies::{chat, form, whatsapp};
use crate::support::wire::{Wire, head, signed};
use crate::tracking::{call_ended, workflow};
use bookhook::sources;
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;

/// A tenant with an own connection of every source that takes any account.
pub(crate) struct Salon {
    pub(crate) tenant: Uuid,
    connections: Vec<(&'static str, String)>,
}

impl Salon {
    pub(crate) async fn open(app: &TestApp) -> Self {
        Self::named(app, "glow-studio").await
    }

    pub(crate) async fn named(app: &TestApp, slug: &str) -> Self {
        let tenant = app.tenant(slug).await;
        let mut connections = Vec::new();
        for source in sources::ALL {
            connections
                .push((source.name(), app.connection(source.name(), Some(tenant), &[]).await));
        }
        Self { tenant, connections }
    }

    pub(crate) fn connection(&self, source: &str) -> &str {
        &self.connections.iter().find(|(name, _)| *name == source).unwrap().1
    }

    pub(crate) async fn deliver(&self, app: &TestApp, source: &str, body: &[u8]) -> Answer {
        app.deliver(source, Some(self.connection(source)), body).await
    }
}

/// The service is alive and takes a good delivery of every source.
pub(crate) async fn goes_on(app: &TestApp, salon: &Salon) {
    let alive = app.ask(Method::GET, "/healthz", "").await;
    assert_eq!(alive.status, StatusCode::OK);
    let id = bookhook::domain::ids::random_text(8).unwrap();
    let good = [
        ("retell", call_ended(&id, "+353871234567").to_string().into_bytes()),
        ("chat", chat("0865550199", "Gel Nails", "2026-05-14T11:30:00").to_string().into_bytes()),
        ("whatsapp", whatsapp(&[form("1", &id, "353879999999", "Brows", ("2027-01-14", "15:30"))])),
        ("n8n", workflow("0851112222", "Cut", "2026-06-01T10:00:00Z").to_string().into_bytes()),
    ];
    for (source, body) in good {
        let answer = salon.deliver(app, source, &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{source}: {}", answer.body);
        let first = if source == "whatsapp" { &answer.body["results"][0] } else { &answer.body };
        assert_eq!(first["outcome"], "tracked", "{source}: {}", answer.body);
    }
}

/// Bodies that are not one JSON object, and the code that says so.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let nested = |levels: usize| {
        let inner = levels - 1;
        format!("{{\"a\":{}{}}}", "[".repeat(inner), "]".repeat(inner)).into_bytes()
    };
    vec![
        ("body_not_json", b"".to_vec()),
        ("body_not_json", b" \n".to_vec()),
        ("body_not_json", b"hello".to_vec()),
        ("body_not_json", b"{".to_vec()),
        ("body_not_json", b"{\"a\":1}}".to_vec()),
        ("body_not_json", b"{\"a\":1} x".to_vec()),
        ("body_not_json", b"{\"a\":1}{\"a\":1}".to_vec()),
        ("body_not_json", b"{'a':1}".to_vec()),
        ("body_not_json", b"{\"a\":NaN}".to_vec()),
        ("body_not_json", b"{\"a\":01}".to_vec()),
        ("body_not_json", b"\xef\xbb\xbf{\"a\":1}".to_vec()),
        ("body_not_json", b"{\"a\":\"\x00\"}".to_vec()),
        ("body_not_json", b"event=call_ended&call=1".to_vec()),
        ("body_not_object", b"[{\"a\":1}]".to_vec()),
        ("body_not_object", b"12".to_vec()),
        ("body_not_object", b"\"{}\"".to_vec()),
        ("body_not_object", b"null".to_vec()),
        ("body_not_utf8", b"{\"a\":\"\xff\xfe\"}".to_vec()),
        ("body_not_utf8", b"{\"a\":\"\xed\xa0\x80\"}".to_vec()),
        ("body_too_deep", nested(65)),
        ("body_too_deep", nested(10_000)),
        ("body_too_deep", "{\"a\":".repeat(100_000).into_bytes()),
        ("body_too_deep", vec![b'['; 900_000]),
    ]
}

both_engines! {
    async fn a_malformed_body_is_kept_as_it_came_and_answered_as_its_caller_expects(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        for (source, push) in [("retell", true), ("whatsapp", true), ("chat", false), ("n8n", false)] {
            for (code, body) in malformed() {
                let answer = salon.deliver(&app, source, &body).await;
                let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
                if push {
                    assert_eq!(answer.status, StatusCode::OK, "{source} {shown}: {}", answer.body);
                    let batch = source == "whatsapp";
                    let one = if batch { &answer.body["results"][0] } else { &answer.body };
                    assert_eq!(one["outcome"], "needs_review", "{source} {shown}: {}", answer.body);
                    assert_eq!(one["reason"], code, "{source} {shown}");
                } else {
                    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{source} {shown}");
                    assert_eq!(answer.body["code"], code, "{source} {shown}: {}", answer.body);
                    assert!(answer.text("eventId").len() == 36, "{source}: {}", answer.body);
                }
            }
        }
        let kept: BTreeSet<Vec<u8>> = db.raw_events().await.into_iter().collect();
        let sent: BTreeSet<Vec<u8>> = malformed().into_iter().map(|(_, body)| body).collect();
        assert!(kept == sent, "not kept as it came");
        let kept = db.count("webhook_events").await;
        assert_eq!(kept, i64::try_from(4 * malformed().len()).unwrap());
        assert_eq!(db.count("clients").await, 0);
        goes_on(&app, &salon).await;
    }

    async fn an_object_that_says_nothing_is_no_booking(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let nested = format!("{{\"a\":{}{}}}", "[".repeat(63), "]".repeat(63));
        for body in ["{}", " {} ", "{\"event\":null}", "{\"call\":{}}", "{\"entry\":[]}", &nested] {
            let voice = salon.deliver(&app, "retell", body.as_bytes()).await;
            assert_eq!(voice.status, StatusCode::OK, "{body}: {}", voice.body);
            let text = salon.deliver(&app, "whatsapp", body.as_bytes()).await;
            assert_eq!(text.body, json!({"success": true, "results": []}), "{body}");
            for source in ["chat", "n8n"] {
                let answer = salon.deliver(&app, source, body.as_bytes()).await;
                assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{source} {body}");
            }
        }
        assert_eq!(db.count("clients").await, 0);
        goes_on(&app, &salon).await;
    }

    async fn a_part_of_the_wrong_form_does_not_take_the_service_down(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let odd = [json!(null), json!(1), json!("x"), json!([]), json!({}), json!([[{}]]), json!(true)];
        for value in &odd {
            for body in [
                json!({"event": value, "call": value}),
                json!({"event": "call_ended", "call": {"call_id": value, "agent_id": value,
                    "transcript_with_tool_calls": value, "start_timestamp": value}}),
                json!({"event": "call_ended", "call": {"call_id": "c", "call_analysis": value,
                    "transcript_with_tool_calls": [value, {"role": value}]}}),
                json!({"name": value, "args": value, "call": {"call_id": value}}),
            ] {
                let answer = salon.deliver(&app, "retell", body.to_string().as_bytes()).await;
                assert_eq!(answer.status, StatusCode::OK, "{body}: {}", answer.body);
            }
            let account = "whatsapp_business_account";
            for body in [
                json!({"object": account, "entry": value}),
                json!({"object": account, "entry": [value, {"changes": value}]}),
                json!({"object": account, "entry": [{"changes": [value, {"value": value}]}]}),
                json!({"object": account, "entry": [{"changes": [{"field": value, "value":
                    {"messages": [value, {"id": value, "type": "text", "text": value}],
                        "metadata": value, "contacts": value}}]}]}),
            ] {
                let answer = salon.deliver(&app, "whatsapp", body.to_string().as_bytes()).await;
                assert_eq!(answer.status, StatusCode::OK, "{body}: {}", answer.body);
            }
            let fields = ["phone", "name", "service", "dateTime", "price", "currency", "email",
                "duration", "status", "source", "externalBookingId", "notes", "occurredAt"];
            for field in fields {
                let mut body = chat("0865550199", "Gel Nails", "2026-05-14T11:30:00");
                body[field] = value.clone();
                let answer = salon.deliver(&app, "chat", body.to_string().as_bytes()).await;
                let fits = [StatusCode::OK, StatusCode::UNPROCESSABLE_ENTITY];
                assert!(fits.contains(&answer.status), "{body}: {}", answer.body);
            }
        }
        assert_eq!(db.count("webhook_events where status = 'failed'").await, 0);
        goes_on(&app, &salon).await;
    }

    async fn a_batch_keeps_its_good_messages_beside_broken_ones(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let good = form("1", "wamid.good", "353879999999", "Brows", ("2027-01-14", "15:30"));
        let body = String::from_utf8(whatsapp(&[good])).unwrap();
        let body = body.replace(
            "\"messages\":[",
            "\"messages\":[7,null,{},{\"type\":\"text\",\"id\":\"wamid.bad\",\"from\":[]},",
        );
        let answer = salon.deliver(&app, "whatsapp", body.as_bytes()).await;
        let results = answer.body["results"].as_array().unwrap();
        assert_eq!(results.len(), 5, "{}", answer.body);
        assert_eq!(results[4]["outcome"], "tracked", "{}", answer.body);
    }
}

/// As many bytes as the source takes, and one more.
fn just_too_large(source: &str) -> Vec<u8> {
    vec![b' '; sources::find(source).unwrap().body_limit() + 1]
}

both_engines! {
    async fn a_body_over_the_limit_is_413_however_its_length_is_told(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        for source in sources::ALL.iter().map(|source| source.name()) {
            let body = just_too_large(source);
            let told = salon.deliver(&app, source, &body).await;
            assert_eq!(told.status, StatusCode::PAYLOAD_TOO_LARGE, "{source}: {}", told.body);
            assert_eq!(told.body["code"], "body_too_large");
            let connection = salon.connection(source);
            let streamed = app.deliver_in_chunks(source, connection, SECRET, &body).await;
            let streamed = streamed.expect("an answer").answer;
            assert_eq!(streamed.status, StatusCode::PAYLOAD_TOO_LARGE, "{source}");
        }
        assert_eq!(db.written().await, 0);
        goes_on(&app, &salon).await;
    }

    async fn a_body_at_the_limit_is_taken(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let call = call_ended("call_1", "+353871234567").to_string();
        let limit = sources::find("retell").unwrap().body_limit();
        let body = format!("{call}{}", " ".repeat(limit - call.len()));
        let answer = salon.deliver(&app, "retell", body.as_bytes()).await;
        assert_eq!(answer.body["outcome"], "tracked", "{}", answer.body);
    }

    async fn an_endless_body_is_answered_at_the_limit(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        for source in sources::ALL.iter().map(|source| source.name()) {
            let path = address(source, Some(salon.connection(source)));
            let mut wire = Wire::open(&app).await;
            wire.send(head("POST", &path, &[("transfer-encoding", "chunked")]).as_bytes()).await;
            for chunk in just_too_large(source).chunks(64 * 1024) {
                assert!(wire.send_chunk(chunk).await, "{source}");
            }
            // The body has not ended, and never will.
            assert_eq!(wire.status_line().await, "HTTP/1.1 413 Payload Too Large", "{source}");
        }
        goes_on(&app, &salon).await;
    }

    async fn a_length_that_lies_hurts_nobody(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let path = address("n8n", Some(salon.connection("n8n")));
        let body = workflow("0851112222", "Cut", "2026-06-01T10:00:00Z").to_string();
        let headers = signed("n8n", SECRET, body.as_bytes());
        for (claimed, status) in [("10", Some(401)), ("18446744073709551616", None), ("-1", None)] {
            let mut headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            headers.push(("content-length", claimed));
            let mut wire = Wire::open(&app).await;
            wire.send(&[head("POST", &path, &headers).as_bytes(), body.as_bytes()].concat()).await;
            let reply = wire.reply().await;
            let answered = reply.map(|reply| reply.answer.status.as_u16());
            if status.is_some() {
                assert_eq!(answered, status, "{claimed}");
            }
            assert_ne!(answered, Some(200), "{claimed}");
        }
        assert_eq!(db.written().await, 0);
        goes_on(&app, &salon).await;
    }

    async fn a_body_that_breaks_off_stores_nothing(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let path = address("n8n", Some(salon.connection("n8n")));
        let body = workflow("0851112222", "Cut", "2026-06-01T10:00:00Z").to_string();
        let mut headers = signed("n8n", SECRET, body.as_bytes());
        headers.push(("content-length", body.len().to_string()));
        let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let mut wire = Wire::open(&app).await;
        wire.send(head("POST", &path, &headers).as_bytes()).await;
        wire.send(&body.as_bytes()[..body.len() - 1]).await;
        drop(wire);
        goes_on(&app, &salon).await;
        assert_eq!(db.count("webhook_events where source = 'n8n'").await, 1, "the good one alone");
    }

    async fn a_form_is_told_to_be_json(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let forms = ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
            "Application/X-WWW-Form-Urlencoded; charset=utf-8"];
        for (source, kind) in ["chat", "n8n"].iter().flat_map(|s| forms.map(|kind| (s, kind))) {
            let path = address(source, Some(salon.connection(source)));
            let answer = app.post(&path, &[("content-type", kind)], b"phone=1").await;
            assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{source} {kind}");
            assert!(answer.text("error").contains("application/json"), "{}", answer.body);
        }
        assert_eq!(db.written().await, 0);
    }
}
