//! What is particular to one scheme: Meta's handshake and old header, Standard Webhooks' list,
//! tokens.

use crate::support::app::{Answer, SECRET, TestApp, address, now};
use crate::support::bodies::chat;
use crate::support::wire::signed;
use crate::tracking::{call_ended, workflow};
use bookhook::domain::channel::Role;
use bookhook::storage::tokens;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

fn delivered(answer: &Answer) -> bool {
    answer.status == StatusCode::OK && answer.body["outcome"] == "tracked"
}

/// A booking from a workflow that names its tenant.
fn workflow_of(tenant: &str) -> Value {
    let mut body = workflow("+353851112222", "Hot Stone Massage", "2026-06-01T10:00:00+01:00");
    body["tenantId"] = json!(tenant);
    body
}

both_engines! {
    async fn metas_handshake_is_answered_with_its_challenge_as_plain_text(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        let own = app.connection("whatsapp", Some(tenant), &[]).await;
        let asked = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=verify-me";
        for path in [address("whatsapp", Some(&own)), address("whatsapp", None)] {
            let reply = app.wire("GET", &format!("{path}?{asked}"), &[], b"").await;
            assert_eq!(reply.answer.status, StatusCode::OK, "{path}");
            assert_eq!(reply.body, b"1158201444");
            assert!(reply.headers["content-type"].starts_with("text/plain"));
        }
    }

    async fn a_handshake_that_is_not_exact_is_refused(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        let own = app.connection("whatsapp", Some(tenant), &[]).await;
        let paths = [address("whatsapp", Some(&own)), address("whatsapp", None)];
        for (path, asked) in paths.iter().flat_map(|path| [
            (path, "hub.mode=subscribe&hub.challenge=1&hub.verify_token=wrong"),
            (path, "hub.mode=subscribe&hub.challenge=1&hub.verify_token="),
            (path, "hub.mode=subscribe&hub.challenge=1&hub.verify_token=verify-me2"),
            (path, "hub.mode=subscribe&hub.challenge=1&hub.verify_token=Verify-Me"),
            (path, "hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=verify-me"),
            (path, "hub.challenge=1&hub.verify_token=verify-me"),
            (path, "hub.mode=subscribe&hub.verify_token=verify-me"),
            (path, "hub.mode=subscribe&hub.challenge=1"),
            (path, ""),
        ]) {
            let reply = app.wire("GET", &format!("{path}?{asked}"), &[], b"").await;
            assert_eq!(reply.answer.status, StatusCode::FORBIDDEN, "{path}?{asked}");
            assert_eq!(reply.answer.body["code"], "forbidden");
        }
        let unknown = format!("{}?hub.mode=subscribe&hub.challenge=1&hub.verify_token=verify-me",
            address("whatsapp", Some("cn_nobody")));
        let answer = app.ask(Method::GET, &unknown, "").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        let signing = format!("{}?hub.mode=subscribe&hub.challenge=1&hub.verify_token={SECRET}",
            address("whatsapp", Some(&own)));
        let answer = app.ask(Method::GET, &signing, "").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "the signing secret is no verify token");
    }

    async fn metas_old_header_counts_for_nothing(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        let own = app.connection("whatsapp", Some(tenant), &[]).await;
        let body = b"{\"object\":\"whatsapp_business_account\",\"entry\":[]}";
        // HMAC-SHA1 of the body under the secret.
        let sha1 = "sha1=f2ba0502f9f479e7dde6d11c07c7b53bd4fd35e7";
        let good = signed("whatsapp", SECRET, body).remove(0).1;
        let digest = good.strip_prefix("sha256=").unwrap().to_owned();
        let path = address("whatsapp", Some(&own));
        for headers in [
            vec![("x-hub-signature", sha1)],
            vec![("x-hub-signature", good.as_str())],
            vec![("x-hub-signature-256", sha1)],
            vec![("x-hub-signature-256", digest.as_str())],
            vec![("x-hub-signature-256", "sha256=")],
        ] {
            let answer = app.post(&path, &headers, body).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{headers:?}");
        }
        let both = [("x-hub-signature", sha1), ("x-hub-signature-256", good.as_str())];
        assert_eq!(app.post(&path, &both, body).await.status, StatusCode::OK);
    }

    async fn retells_signature_has_one_form_only(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        let own = app.connection("retell", Some(tenant), &[]).await;
        let body = call_ended("call_1", "+353871234567").to_string();
        let good = signed("retell", SECRET, body.as_bytes()).remove(0).1;
        let (time, digest) = good.strip_prefix("v=").unwrap().split_once(",d=").unwrap();
        let path = address("retell", Some(&own));
        for wrong in [
            digest.to_owned(),
            format!("d={digest}"),
            format!("d={digest},v={time}"),
            format!("v={time}, d={digest}"),
            format!("v={time};d={digest}"),
            format!("v=0{time},d={digest}"),
            format!("v=+{time},d={digest}"),
            format!("v={time},d={}", digest.to_uppercase()),
            format!("v={time},d={digest},d={digest}"),
            format!("v=,d={digest}"),
            format!("v=99999999999999999999,d={digest}"),
        ] {
            let headers = [("x-retell-signature", wrong.as_str())];
            let answer = app.post(&path, &headers, body.as_bytes()).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{wrong}");
        }
        assert_eq!(db.written().await, 0);
    }

    async fn of_several_standard_signatures_one_good_is_enough(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        let own = app.connection("n8n", Some(tenant), &[]).await;
        let path = address("n8n", Some(&own));
        let junk = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let body = workflow("+353851112222", "Cut", "2026-06-01T10:00:00+01:00").to_string();
        let lists: [fn(&str, &str) -> String; 3] = [
            |junk, good| format!("v1a,c2lnbmF0dXJl {junk} {good}"),
            |junk, good| format!("{good} {junk}"),
            |_, good| format!("nonsense  {good}"),
        ];
        for list in lists {
            let headers = signed("n8n", SECRET, body.as_bytes());
            let listed = list(junk, &headers[2].1);
            let headers = [
                ("webhook-id", headers[0].1.as_str()),
                ("webhook-timestamp", headers[1].1.as_str()),
                ("webhook-signature", listed.as_str()),
            ];
            let answer = app.post(&path, &headers, body.as_bytes()).await;
            assert!(delivered(&answer), "{listed}: {}", answer.body);
        }
    }

    async fn standard_headers_that_are_not_exact_are_refused(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        let own = app.connection("n8n", Some(tenant), &[]).await;
        let path = address("n8n", Some(&own));
        let body = workflow("+353851112222", "Cut", "2026-06-01T10:00:00+01:00").to_string();
        let good = signed("n8n", SECRET, body.as_bytes());
        let (id, time, value) = (good[0].1.as_str(), good[1].1.as_str(), good[2].1.as_str());
        let digest = value.strip_prefix("v1,").unwrap();
        for (id, time, signature) in [
            ("", time, value),
            ("msg_other", time, value),
            (id, "", value),
            (id, &format!("0{time}"), value),
            (id, &format!("{time}.0"), value),
            (id, &format!("{time}abc"), value),
            (id, time, digest),
            (id, time, &format!("v2,{digest}")),
            (id, time, &format!("v1,{}", digest.trim_end_matches('='))),
            (id, time, &format!("v1,AAAA,{value}")),
        ] {
            let headers = [
                ("webhook-id", id), ("webhook-timestamp", time), ("webhook-signature", signature),
            ];
            let answer = app.post(&path, &headers, body.as_bytes()).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{headers:?}");
        }
        let without = [("webhook-signature", value), ("webhook-timestamp", time)];
        let answer = app.post(&path, &without, body.as_bytes()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "no id");
        assert_eq!(db.written().await, 0);
    }

    async fn a_service_token_is_taken_as_bearer_and_as_api_key(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        let own = app.connection("chat", Some(tenant), &[]).await;
        let token = app.token(Role::Service, Some(tenant)).await;
        let bearer = format!("Bearer {token}");
        let paths = [address("chat", None), address("chat", Some(&own))];
        let credentials = [("authorization", bearer.as_str()), ("x-api-key", token.as_str())];
        for (n, (path, credential)) in
            paths.iter().flat_map(|path| credentials.map(|c| (path, c))).enumerate()
        {
            let body = chat("0865550199", &format!("Nails {n}"), "2026-05-14T11:30:00").to_string();
            let answer = app.post(path, &[credential], body.as_bytes()).await;
            assert!(delivered(&answer), "{path}: {}", answer.body);
        }
        assert_eq!(app.rows(tenant, "bookings").await.len(), 4);
    }

    async fn a_token_that_is_no_good_is_refused_like_a_wrong_signature(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        let token = app.token(Role::Service, Some(tenant)).await;
        let body = workflow_of("glow-studio");
        let mut tx = app.db.begin().await.unwrap();
        let row = tokens::list(&mut tx.conn()).await.unwrap().remove(0);
        assert!(tokens::revoke(&mut tx.conn(), row.id, now()).await.unwrap());
        tx.commit().await.unwrap();
        for wrong in [token.as_str(), "bk_live_", "", "nonsense", &token[..token.len() - 1]] {
            for header in ["authorization", "x-api-key"] {
                let value = match header {
                    "authorization" => format!("Bearer {wrong}"),
                    _ => wrong.to_owned(),
                };
                let sent = body.to_string();
                let (path, headers) = (address("n8n", None), [(header, value.as_str())]);
                let answer = app.post(&path, &headers, sent.as_bytes()).await;
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{header} {wrong:?}");
                assert_eq!(answer.body["code"], "unauthorized");
            }
        }
        assert_eq!(db.written().await, 0);
    }

    async fn support_staff_may_not_deliver(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        let token = app.token(Role::SupportStaff, Some(tenant)).await;
        let answer = app.deliver_with_token("n8n", &token, &workflow_of("glow-studio")).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        for noun in ["clients", "bookings", "events", &format!("clients/{tenant}")] {
            let path = format!("/api/platform/tenants/{tenant}/{noun}");
            let answer = app.ask(Method::GET, &path, &token).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{noun}");
        }
        assert_eq!(db.written().await, 0);
    }

    async fn a_token_writes_to_its_own_tenant_only(db: TestDb) {
        let app = TestApp::start(&db).await;
        let own = app.tenant("glow-studio").await;
        let other = app.tenant("other-salon").await;
        let others = app.connection("n8n", Some(other), &[]).await;
        for role in [Role::Service, Role::ClientAdmin] {
            let token = app.token(role, Some(own)).await;
            for name in ["other-salon".to_owned(), other.to_string(), "nobody".to_owned()] {
                let answer = app.deliver_with_token("n8n", &token, &workflow_of(&name)).await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}: {}", answer.body);
            }
            let body = workflow("+353851112222", "Cut", "2026-06-01T10:00:00+01:00").to_string();
            let headers = [("x-api-key", token.as_str())];
            let answer = app.post(&address("n8n", Some(&others)), &headers, body.as_bytes()).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "another tenant's address");
        }
        assert_eq!(db.written().await, 0);
    }

    async fn a_platform_token_must_name_a_tenant_that_exists(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        for role in [Role::Service, Role::PlatformAdmin] {
            let token = app.token(role, None).await;
            let nobody = Uuid::nil().to_string();
            for name in ["nobody", "", nobody.as_str()] {
                let answer = app.deliver_with_token("n8n", &token, &workflow_of(name)).await;
                assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
                assert_eq!(answer.body["code"], "tenant_unknown");
                assert_eq!(answer.body["errors"][0]["pointer"], "/tenantId");
            }
            let body = workflow("+353851112222", "Cut", "2026-06-01T10:00:00+01:00");
            let answer = app.deliver_with_token("n8n", &token, &body).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
        }
        assert_eq!(db.written().await, 0);
        let token = app.token(Role::Service, None).await;
        let answer = app.deliver_with_token("n8n", &token, &workflow_of("glow-studio")).await;
        assert!(delivered(&answer), "{}", answer.body);
        let answer = app.deliver_with_token("n8n", &token, &workflow_of(&tenant.to_string())).await;
        assert!(delivered(&answer), "{}", answer.body);
        assert_eq!(app.rows(tenant, "bookings").await.len(), 1);
    }
}
