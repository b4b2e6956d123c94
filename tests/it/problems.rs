//! What the API answers to what it can't serve: RFC 9457 problems, all of one form.

use crate::bad_input::{Salon, goes_on};
use crate::support::app::{TestApp, address};
use crate::support::wire::Reply;
use bookhook::domain::channel::Role;
use bookhook::sources;
use reqwest::StatusCode;

/// Fails unless it is a whole problem of this status.
fn assert_problem(reply: &Reply, status: StatusCode, what: &str) {
    let body = &reply.answer.body;
    assert_eq!(reply.answer.status, status, "{what}: {body}");
    assert_eq!(reply.headers["content-type"], "application/problem+json", "{what}");
    assert_eq!(body["status"], status.as_u16(), "{what}: {body}");
    assert_eq!(body["title"], status.canonical_reason().unwrap(), "{what}");
    for member in ["type", "detail", "code", "error", "requestId"] {
        assert!(!reply.answer.text(member).is_empty(), "{what}: no {member} in {body}");
    }
    assert_eq!(body["error"], body["detail"], "{what}");
    assert_eq!(body["requestId"], reply.headers["x-request-id"].as_str(), "{what}");
}

both_engines! {
    async fn an_address_that_is_none_is_404(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let token = format!("Bearer {}", app.token(Role::PlatformAdmin, None).await);
        let tenant = format!("/api/platform/tenants/{}", salon.tenant);
        let someone = "/api/platform/tenants/00000000-0000-0000-0000-000000000000/clients";
        let nowhere = [
            "/", "/nowhere", "/healthz/x", "/api", "/api/platform/nowhere", "/retell",
            "/retell/call-ended/a/b", "/%00", "/%ff", "/../../etc/passwd", someone,
            "/api/platform/tenants/nobody/clients", "/api/platform/tenants/%00/clients",
            "/api/platform/tenants/%ff/clients", &format!("{tenant}/nowhere"),
            &format!("{tenant}/clients/nobody"), &format!("{tenant}/clients/1"),
            &format!("{tenant}/clients/%00"), &format!("{tenant}/clients/%ff"),
            &format!("{tenant}/clients/{}", salon.tenant), &format!("{tenant}/clients/"),
        ];
        for path in nowhere {
            let reply = app.wire("GET", path, &[("authorization", &token)], b"").await;
            assert_problem(&reply, StatusCode::NOT_FOUND, path);
            assert_eq!(reply.answer.body["code"], "not_found", "{path}");
        }
        goes_on(&app, &salon).await;
    }

    async fn a_method_that_an_address_does_not_take_is_405(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let token = format!("Bearer {}", app.token(Role::PlatformAdmin, None).await);
        let tenant = format!("/api/platform/tenants/{}", salon.tenant);
        let mut refused = vec![("DELETE", "/healthz".to_owned()), ("POST", "/readyz".to_owned())];
        for noun in ["clients", "bookings", "events"] {
            for method in ["PUT", "DELETE", "BREW"] {
                refused.push((method, format!("{tenant}/{noun}")));
            }
        }
        for source in sources::ALL {
            refused.push(("PUT", address(source.name(), None)));
            if !source.has_handshake() {
                refused.push(("GET", address(source.name(), Some("cn_1"))));
            }
        }
        for (method, path) in refused {
            let reply = app.wire(method, &path, &[("authorization", &token)], b"").await;
            assert_problem(&reply, StatusCode::METHOD_NOT_ALLOWED, &format!("{method} {path}"));
        }
    }

    async fn every_refusal_is_a_whole_problem(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let support = app.token(Role::SupportStaff, Some(salon.tenant)).await;
        let support = format!("Bearer {support}");
        let clients = format!("/api/platform/tenants/{}/clients", salon.tenant);
        let chat = address("chat", Some(salon.connection("chat")));
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let empty: &[(&str, &str)] = &[];
        let unauthorized = [
            app.wire("GET", &clients, empty, b"").await,
            app.wire("GET", &clients, &[("authorization", "Bearer nonsense")], b"").await,
            app.wire("GET", &clients, &[("authorization", "Basic YTpi")], b"").await,
            app.wire("POST", &chat, empty, b"{}").await,
        ];
        for reply in unauthorized {
            assert_problem(&reply, StatusCode::UNAUTHORIZED, "no credentials");
            assert_eq!(reply.headers["www-authenticate"], "Bearer");
        }
        let forbidden = app.wire("GET", &clients, &[("authorization", &support)], b"").await;
        assert_problem(&forbidden, StatusCode::FORBIDDEN, "support staff");
        let forbidden = app.wire("GET", &address("whatsapp", None), empty, b"").await;
        assert_problem(&forbidden, StatusCode::FORBIDDEN, "handshake");
        let refused = app.wire("POST", &chat, &form, b"a=1").await;
        assert_problem(&refused, StatusCode::UNSUPPORTED_MEDIA_TYPE, "form");
        let large = vec![b' '; 1024 * 1024 + 1];
        let refused = app.wire("POST", &chat, empty, &large).await;
        assert_problem(&refused, StatusCode::PAYLOAD_TOO_LARGE, "large");
        let token = app.token(Role::Service, Some(salon.tenant)).await;
        let token = [("x-api-key", token.as_str())];
        let refused = app.wire("POST", &chat, &token, b"[]").await;
        assert_problem(&refused, StatusCode::BAD_REQUEST, "malformed");
        let refused = app.wire("POST", &chat, &token, b"{}").await;
        assert_problem(&refused, StatusCode::UNPROCESSABLE_ENTITY, "empty");
        for error in refused.answer.body["errors"].as_array().unwrap() {
            assert!(error["pointer"].is_string() && error["code"].is_string(), "{error}");
            assert!(error["detail"].is_string() && error.get("value").is_none(), "{error}");
        }
    }

    async fn a_query_that_is_not_understood_is_400(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        let token = format!("Bearer {}", app.token(Role::ClientAdmin, Some(salon.tenant)).await);
        let token = [("authorization", token.as_str())];
        for noun in ["clients", "bookings", "events"] {
            for query in [
                "limit=abc", "limit=0", "limit=101", "limit=-1", "limit=", "limit=1e1",
                "limit=99999999999999999999", "limit=10&limit=20", "page=2", "Limit=10", "x",
                "cursor=", "cursor=abc", "cursor=%00", "cursor=AAAAAAAAAAAAAAAAAAAAAA%3D%3D",
                "cursor=00000000-0000-0000-0000-000000000000", "limit=10&x=1", "limit=%ff",
            ] {
                let path = format!("/api/platform/tenants/{}/{noun}?{query}", salon.tenant);
                let reply = app.wire("GET", &path, &token, b"").await;
                assert_problem(&reply, StatusCode::BAD_REQUEST, &path);
            }
            for query in ["", "limit=1", "limit=100", "cursor=AAAAAAAAAAAAAAAAAAAAAA"] {
                if noun != "events" && query.starts_with("cursor") {
                    // Their cursors say in which order they are.
                    continue;
                }
                let path = format!("/api/platform/tenants/{}/{noun}?{query}", salon.tenant);
                let reply = app.wire("GET", &path, &token, b"").await;
                assert_eq!(reply.answer.status, StatusCode::OK, "{path}: {}", reply.answer.body);
            }
        }
        for query in ["status=banana", "status=", "source=fax", "source=%00"] {
            let path = format!("/api/platform/tenants/{}/events?{query}", salon.tenant);
            let reply = app.wire("GET", &path, &token, b"").await;
            assert_problem(&reply, StatusCode::BAD_REQUEST, &path);
        }
        goes_on(&app, &salon).await;
    }

    async fn pages_hold_every_row_once(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app).await;
        goes_on(&app, &salon).await;
        goes_on(&app, &salon).await;
        for noun in ["clients", "bookings", "events"] {
            let all = app.rows(salon.tenant, noun).await;
            let (mut paged, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = app.read(salon.tenant, &format!("{noun}?limit=1{cursor}")).await;
                paged.extend(page["data"].as_array().unwrap().clone());
                let Some(next) = page["nextCursor"].as_str() else { break };
                assert_eq!(page["hasMore"], true);
                cursor = format!("&cursor={next}");
            }
            assert!(all.len() > 3, "{noun}");
            assert_eq!(paged, all, "{noun}");
        }
    }

    async fn health_answers_get_and_head_while_the_service_runs(db: TestDb) {
        let app = TestApp::start(&db).await;
        let paths = ["/healthz", "/readyz", "/metrics"];
        for (method, path) in paths.iter().flat_map(|p| [("GET", p), ("HEAD", p)]) {
            let reply = app.wire(method, path, &[], b"").await;
            assert_eq!(reply.answer.status, StatusCode::OK, "{method} {path}");
            assert_eq!(reply.body.is_empty(), method == "HEAD");
            assert!(!reply.headers["x-request-id"].is_empty());
        }
    }
}
