//! What isn't vouched for is refused, and leaves nothing behind.

use crate::support::app::{MASTER_KEY, SECRET, TestApp, address, now};
use crate::support::bodies::{chat, form, whatsapp};
use crate::support::wire::signed;
use crate::tracking::{call_ended, workflow};
use bookhook::domain::channel::Role;
use bookhook::sources;
use bookhook::storage::connections::{self, Purpose};
use bookhook::storage::seal::MasterKey;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::StatusCode;
use serde_json::Value;
use uuid::Uuid;

const AGENT: &str = "agent_7c1d90e2ab34f5568ef01b2c9d";
const NUMBER: &str = "771234500000001";
const OTHER_SECRET: &str = "whsec_T1RIRVItU0VDUkVULW9mLWFub3RoZXItY29ubmVjdGlvbg==";

/// A good body of every source, and the account it belongs to.
fn bodies() -> [(&'static str, Vec<u8>, Option<&'static str>); 4] {
    let booked = workflow("+353851112222", "Hot Stone Massage", "2026-06-01T10:00:00+01:00");
    let asked = chat("0865550199", "Gel Nails", "2026-05-14T11:30:00");
    let call = call_ended("call_1", "+353871234567");
    let filled =
        form(NUMBER, "wamid.1", "353879999999", "Brow lamination", ("2027-01-14", "15:30"));
    [
        ("retell", call.to_string().into_bytes(), Some(AGENT)),
        ("chat", asked.to_string().into_bytes(), None),
        ("whatsapp", whatsapp(&[filled]), Some(NUMBER)),
        ("n8n", booked.to_string().into_bytes(), None),
    ]
}

/// A connection of the source that owns the account.
async fn connection(app: &TestApp, source: &str, account: Option<&str>, tenant: Uuid) -> String {
    let accounts: Vec<(&str, Uuid)> = account.into_iter().map(|a| (a, tenant)).collect();
    app.connection(source, Some(tenant), &accounts).await
}

/// The headers that sign this body as of another time.
fn signed_at(source: &str, body: &[u8], at: DateTime<Utc>) -> Vec<(&'static str, String)> {
    sources::find(source).unwrap().sign(SECRET, body, "msg_of_then", at).unwrap()
}

fn borrowed<'a>(headers: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    headers.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// The header that carries the signature itself.
fn signature_header(source: &str) -> &'static str {
    match source {
        "retell" => "x-retell-signature",
        "whatsapp" => "x-hub-signature-256",
        _ => "webhook-signature",
    }
}

/// Every way to get the signature wrong: what it is called, and the headers.
fn wrong_signatures(source: &str, body: &[u8]) -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let good = signed(source, SECRET, body);
    let name = signature_header(source);
    let with = |value: &str| {
        let rest = good.iter().filter(|(other, _)| *other != name).cloned();
        rest.chain([(name, value.to_owned())]).collect::<Vec<_>>()
    };
    let value = &good.iter().find(|(other, _)| *other == name).unwrap().1;
    let flipped = if value.ends_with('0') { "1" } else { "0" };
    let mut wrong = vec![
        ("no header at all", Vec::new()),
        ("an empty header", with("")),
        ("a header of spaces", with("   ")),
        ("words", with("trust me")),
        ("bytes that are no text", with("\u{fc}")),
        ("the digest cut short", with(&value[..value.len() - 4])),
        (
            "a digest with one digit changed",
            with(&format!("{}{flipped}", &value[..value.len() - 1])),
        ),
        ("the digest twice", with(&format!("{value}{value}"))),
        ("another body's", signed(source, SECRET, b"{}")),
        ("another secret's", signed(source, OTHER_SECRET, body)),
    ];
    if source != "whatsapp" {
        let moment = now();
        wrong.push(("a stale one", signed_at(source, body, moment - TimeDelta::seconds(302))));
        wrong.push((
            "one from the future",
            signed_at(source, body, moment + TimeDelta::seconds(303)),
        ));
    }
    wrong
}

fn without_request_id(mut body: Value) -> Value {
    body.as_object_mut().unwrap().remove("requestId").expect("a problem has a request id");
    body
}

both_engines! {
    async fn a_signature_that_is_not_good_is_refused_and_nothing_is_stored(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        for (source, body, account) in bodies() {
            let own = connection(&app, source, account, tenant).await;
            let before = db.written().await;
            for (what, headers) in wrong_signatures(source, &body) {
                let answer = app.post(&address(source, Some(&own)), &borrowed(&headers), &body).await;
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{source}, {what}: {answer:?}");
                assert_eq!(answer.body["code"], "unauthorized", "{source}, {what}");
            }
            assert_eq!(db.written().await, before, "{source}");
            let good = app.deliver(source, Some(&own), &body).await;
            assert_eq!(good.status, StatusCode::OK, "{source} was only refused for its signature");
        }
    }

    async fn five_minutes_either_way_are_allowed(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        for (source, body, account) in bodies().into_iter().filter(|(s, ..)| *s != "whatsapp") {
            let own = connection(&app, source, account, tenant).await;
            for seconds in [-295, 295] {
                let at = now() + TimeDelta::seconds(seconds);
                let headers = signed_at(source, &body, at);
                let answer = app.post(&address(source, Some(&own)), &borrowed(&headers), &body).await;
                assert_eq!(answer.status, StatusCode::OK, "{source} {seconds}: {}", answer.body);
            }
        }
    }

    async fn unknown_and_disabled_connections_and_wrong_keys_look_the_same(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        for (source, body, account) in bodies() {
            let own = connection(&app, source, account, tenant).await;
            let disabled = app.connection(source, Some(tenant), &[]).await;
            let mut tx = app.db.begin().await.unwrap();
            let row = connections::find(&mut tx.conn(), &disabled).await.unwrap().unwrap();
            connections::disable(&mut tx.conn(), row.id, now()).await.unwrap();
            tx.commit().await.unwrap();

            let wrong_key = app.deliver_as(source, Some(&own), &body, OTHER_SECRET, "msg_1").await;
            let others = [
                app.deliver(source, Some("cn_nobody"), &body).await,
                app.deliver(source, Some(&disabled), &body).await,
                app.post(&address(source, Some(&own)), &[], &body).await,
                app.post(&address(source, Some("cn_nobody")), &[], &body).await,
                app.deliver_as(source, Some(&disabled), &body, OTHER_SECRET, "msg_1").await,
                // Another source's connection is none of this one's.
                app.deliver(source, Some(&app.connection(
                    if source == "chat" { "n8n" } else { "chat" }, Some(tenant), &[],
                ).await), &body).await,
            ];
            assert_eq!(wrong_key.status, StatusCode::UNAUTHORIZED, "{source}");
            let expected = without_request_id(wrong_key.body);
            for other in others {
                assert_eq!(other.status, StatusCode::UNAUTHORIZED, "{source}: {}", other.body);
                assert_eq!(without_request_id(other.body), expected, "{source}");
            }
        }
        assert_eq!(db.written().await, 0);
    }

    async fn a_bare_address_refuses_whom_no_known_connection_signed(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        for (source, body, account) in bodies() {
            connection(&app, source, account, tenant).await;
            let answer = app.deliver_as(source, None, &body, OTHER_SECRET, "msg_1").await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{source}: {}", answer.body);
        }
        // Verified bodies of accounts that nobody owns are no better.
        let call = String::from_utf8(bodies()[0].1.clone()).unwrap().replace(AGENT, "agent_of_nobody");
        let answer = app.deliver("retell", None, call.as_bytes()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.body);
        assert_eq!(db.written().await, 0);
    }

    async fn a_flat_chat_body_on_the_bare_address_is_sent_to_its_own(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        app.connection("chat", Some(tenant), &[]).await;
        let body = chat("0865550199", "Gel Nails", "2026-05-14T11:30:00").to_string();
        let answer = app.deliver("chat", None, body.as_bytes()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.text("error").contains("the connection's own address"), "{}", answer.body);
        assert_eq!(db.written().await, 0);
    }

    async fn a_wrong_signature_is_not_saved_by_a_good_token(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        let token = app.token(Role::Service, Some(tenant)).await;
        let bearer = format!("Bearer {token}");
        for (source, body, account) in bodies() {
            let own = connection(&app, source, account, tenant).await;
            let wrong = wrong_signatures(source, &body).into_iter();
            for (what, headers) in wrong.filter(|(_, headers)| !headers.is_empty()) {
                for credential in [("authorization", bearer.as_str()), ("x-api-key", &token)] {
                    let mut headers = borrowed(&headers);
                    headers.push(credential);
                    let path = address(source, Some(&own));
                    let answer = app.post(&path, &headers, &body).await;
                    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{source}, {what}");
                }
            }
        }
        assert_eq!(db.written().await, 0);
    }

    async fn retell_and_whatsapp_take_no_token(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        let token = app.token(Role::PlatformAdmin, None).await;
        let bearer = format!("Bearer {token}");
        for (source, body, account) in bodies().into_iter().filter(|(_, _, a)| a.is_some()) {
            let own = connection(&app, source, account, tenant).await;
            for path in [address(source, Some(&own)), address(source, None)] {
                let answer = app.post(&path, &[("authorization", &bearer)], &body).await;
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
            }
        }
        assert_eq!(db.written().await, 0);
    }

    async fn a_connection_without_a_live_secret_refuses_everything(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        for (source, body, account) in bodies() {
            let own = connection(&app, source, account, tenant).await;
            expire(&app, &own, now() - TimeDelta::seconds(1)).await;
            for secret in [SECRET, OTHER_SECRET] {
                let answer = app.deliver_as(source, Some(&own), &body, secret, "msg_1").await;
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{source}");
            }
        }
        assert_eq!(db.written().await, 0);
    }

    async fn a_secret_runs_out_at_its_time_and_not_only_when_the_service_looks(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        let own = app.connection("retell", Some(tenant), &[]).await;
        expire(&app, &own, now() + TimeDelta::milliseconds(1500)).await;
        let body = call_ended("call_1", "+353871234567").to_string();
        let before = app.deliver("retell", Some(&own), body.as_bytes()).await;
        assert_eq!(before.status, StatusCode::OK);
        tokio::time::sleep(std::time::Duration::from_millis(1600)).await;
        let after = app.deliver("retell", Some(&own), body.as_bytes()).await;
        assert_eq!(after.status, StatusCode::UNAUTHORIZED);
    }

    async fn two_live_secrets_are_both_taken(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        for (source, body, account) in bodies() {
            let own = connection(&app, source, account, tenant).await;
            expire(&app, &own, now() + TimeDelta::hours(24)).await;
            add_secret(&app, &own, OTHER_SECRET).await;
            for secret in [SECRET, OTHER_SECRET] {
                let answer = app.deliver_as(source, Some(&own), &body, secret, "msg_1").await;
                assert_eq!(answer.status, StatusCode::OK, "{source}: {}", answer.body);
            }
        }
    }

    async fn a_disabled_connection_is_refused_within_five_seconds(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        let own = app.connection("retell", Some(tenant), &[]).await;
        let body = call_ended("call_1", "+353871234567").to_string();
        let before = app.deliver("retell", Some(&own), body.as_bytes()).await;
        assert_eq!(before.status, StatusCode::OK);
        let mut tx = app.db.begin().await.unwrap();
        let row = connections::find(&mut tx.conn(), &own).await.unwrap().unwrap();
        connections::disable(&mut tx.conn(), row.id, now()).await.unwrap();
        tx.commit().await.unwrap();
        let disabled = std::time::Instant::now();
        while app.deliver("retell", Some(&own), body.as_bytes()).await.status == StatusCode::OK {
            assert!(disabled.elapsed().as_secs() < 5, "still taken");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
}

async fn expire(app: &TestApp, public_id: &str, at: DateTime<Utc>) {
    let mut tx = app.db.begin().await.unwrap();
    let row = connections::find(&mut tx.conn(), public_id).await.unwrap().unwrap();
    connections::expire_secrets(&mut tx.conn(), row.id, Purpose::Signing, at).await.unwrap();
    tx.commit().await.unwrap();
}

async fn add_secret(app: &TestApp, public_id: &str, secret: &str) {
    let key = MasterKey::parse(MASTER_KEY).unwrap();
    let mut tx = app.db.begin().await.unwrap();
    let conn = &mut tx.conn();
    let id = connections::find(conn, public_id).await.unwrap().unwrap().id;
    connections::insert_secret(conn, &key, id, Purpose::Signing, secret, now()).await.unwrap();
    tx.commit().await.unwrap();
}
