//! Requests that are refused for their form: queries, methods, encodings; and keys.

use super::support::app::{TestApp, address};
use super::support::desk::Desk;
use bookhook::domain::channel::Role;
use bookhook::sources;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// The names and codes of what is wrong with a query.
fn faults(body: &Value) -> Vec<(&str, &str)> {
    let all = body["errors"].as_array().unwrap_or_else(|| panic!("{body}")).iter();
    all.map(|e| (e["parameter"].as_str().unwrap(), e["code"].as_str().unwrap())).collect()
}

both_engines! {
    async fn what_is_wrong_with_a_query_is_named(db: TestDb) {
        let desk = Desk::open(&db).await;
        for (query, parameter, code, says) in [
            ("clients?limit=abc", "limit", "query_invalid", "a whole number"),
            ("clients?limit=0", "limit", "limit_invalid", "between 1 and 100"),
            ("tokens?limit=101", "limit", "limit_invalid", "between 1 and 100"),
            ("audit?cursor=x", "cursor", "cursor_invalid", "leave it out"),
            ("bookings?status=banana", "status", "query_invalid", "`no_show`"),
            ("bookings?clientId=7", "clientId", "query_invalid", "a UUID"),
            ("bookings?page=2", "page", "query_invalid", "`cursor`"),
            ("bookings?from=soon", "from", "date_invalid", "2026-03-14T15:00:00Z"),
            ("clients?createdTo=soon", "createdTo", "date_invalid", "2026-03-14T15:00:00Z"),
            ("leads?followUpBefore=soon", "followUpBefore", "date_invalid", "2026-03-14"),
            ("leads?q=", "q", "query_invalid", "1 to 200"),
            ("events?source=fax", "source", "source_unknown", "not the name"),
            ("bookings.csv?limit=5", "limit", "query_invalid", "leave limit"),
            ("leads?limit=1&limit=2", "limit", "query_invalid", "twice"),
        ] {
            let refused = desk.get(query).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{query}: {}", refused.body);
            assert_eq!(faults(&refused.body), [(parameter, code)], "{query}");
            assert!(refused.text("detail").contains(says), "{query}: {}", refused.body);
        }
        let refused = desk.get("bookings?limit=x&sort=amount&status=confirmed&offset=1").await;
        let wrong: Vec<&str> = faults(&refused.body).iter().map(|fault| fault.0).collect();
        assert_eq!(wrong, ["limit", "sort", "offset"], "all at once");
    }

    /// A plus sign that nobody escaped is a space to whoever reads a query.
    async fn times_of_every_list_are_read_alike(db: TestDb) {
        let desk = Desk::open(&db).await;
        for query in ["bookings?from=", "bookings?to=", "leads?followUpBefore=", "clients?createdFrom="] {
            for time in ["2026-07-14T15:00:00+01:00", "2026-07-14", "2026-07-14T15:00:00%2B01:00"] {
                let answer = desk.get(&format!("{query}{time}")).await;
                assert_eq!(answer.status, StatusCode::OK, "{query}{time}: {}", answer.body);
            }
        }
    }

    async fn a_null_that_can_not_be_has_one_code(db: TestDb) {
        let desk = Desk::open(&db).await;
        let client = desk.post("clients", &json!({"phone": "0871234567"})).await;
        let client = format!("clients/{}", client.text("id"));
        for (answer, pointer) in [
            (desk.patch(&client, &json!({"status": null})).await, "/status"),
            (desk.post("clients", &json!({"phone": null})).await, "/phone"),
            (desk.post("events/replay", &json!({"status": "failed", "limit": null})).await, "/limit"),
            (desk.post("tokens", &json!({"role": null})).await, "/role"),
        ] {
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
            let fault = &answer.body["errors"][0];
            assert_eq!((&fault["pointer"], &fault["code"]), (&json!(pointer), &json!("null_invalid")));
        }
    }

    async fn an_address_says_which_methods_it_takes(db: TestDb) {
        let desk = Desk::open(&db).await;
        let token = format!("Bearer {}", desk.admin_token());
        let base = format!("/api/platform/tenants/{}", desk.tenant);
        let mut addresses = vec![
            ("POST", "/healthz".to_owned(), "GET, HEAD"),
            ("DELETE", "/readyz".to_owned(), "GET, HEAD"),
            ("PUT", "/metrics".to_owned(), "GET, HEAD"),
            ("POST", "/api/openapi.json".to_owned(), "GET, HEAD"),
            ("PUT", format!("{base}/clients"), "GET, HEAD, POST"),
            ("GET", format!("{base}/leads/x/convert"), "POST"),
            ("BREW", format!("{base}/tokens/x"), "DELETE"),
        ];
        for source in sources::ALL {
            let takes = if source.has_handshake() { "POST, GET, HEAD" } else { "POST" };
            addresses.push(("PUT", address(source.name(), None), takes));
            addresses.push(("PUT", address(source.name(), Some("cn_1")), takes));
        }
        for (method, path, takes) in addresses {
            let reply = desk.app.wire(method, &path, &[("authorization", &token)], b"").await;
            assert_eq!(reply.answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
            assert_eq!(reply.answer.text("code"), "method_not_allowed", "{path}");
            assert_eq!(reply.headers["allow"], takes, "{method} {path}");
            assert_eq!(reply.headers["content-type"], "application/problem+json", "{path}");
        }
    }

    async fn a_compressed_body_is_415(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("salon").await;
        let token = format!("Bearer {}", app.token(Role::Service, Some(tenant)).await);
        let zipped = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03";
        let clients = format!("/api/platform/tenants/{tenant}/clients");
        let import = format!("{clients}/import");
        let json = "application/json";
        for (path, kind) in [
            (&clients, json), (&import, "text/csv"), (&address("n8n", None), json),
            (&address("retell", Some("cn_1")), json),
        ] {
            for key in [("x-none", "1"), ("idempotency-key", "k")] {
                let headers = [("authorization", &*token), ("content-type", kind),
                    ("content-encoding", "gzip"), key];
                let reply = app.wire("POST", path, &headers, zipped).await;
                let said = (reply.answer.status.as_u16(), reply.answer.text("code"));
                assert_eq!(said, (415, "encoding_unsupported"), "{path} {kind}");
            }
        }
        let headers = [("authorization", &*token), ("content-type", json),
            ("content-encoding", "Identity")];
        let plain = app.wire("POST", &clients, &headers, br#"{"phone": "0871234567"}"#).await;
        assert_eq!(plain.answer.status, StatusCode::CREATED, "{}", plain.answer.body);
    }

    async fn a_key_is_the_same_under_a_tenants_id_and_its_slug(db: TestDb) {
        let desk = Desk::open(&db).await;
        let body = json!({"phone": "0871234567"});
        let (first, replayed) = desk.post_with_key("clients", "k", &body).await;
        assert_eq!((first.status, replayed), (StatusCode::CREATED, false));
        let by_slug = desk.app.request(Method::POST, "/api/platform/tenants/salon/clients", desk.admin_token());
        let by_slug = by_slug.header("idempotency-key", "k").header("content-type", "application/json");
        let again = by_slug.body(body.to_string()).send().await.unwrap();
        assert!(again.headers().contains_key("idempotency-replayed"));
        let elsewhere = desk.post_with_key("leads", "k", &json!({"phone": "0861234567", "source": "web"})).await;
        assert_eq!((elsewhere.0.status, elsewhere.1), (StatusCode::CREATED, false));
    }

    async fn who_may_not_post_has_nothing_read(db: TestDb) {
        let desk = Desk::open(&db).await;
        // A key of this form is 400, for those who may.
        let key = "x".repeat(201);
        let body = json!({"role": "service"});
        let of = async |role| desk.as_role(role).await.post_with_key("tokens", &key, &body).await.0.status;
        assert_eq!(of(Role::ClientAdmin).await, StatusCode::BAD_REQUEST);
        assert_eq!(of(Role::Service).await, StatusCode::FORBIDDEN);
        assert_eq!(of(Role::SupportStaff).await, StatusCode::FORBIDDEN);
        let lead = json!({"phone": "0871234567", "source": "web"});
        let made = desk.as_role(Role::Service).await.post_with_key("leads", "k", &lead).await.0;
        assert_eq!(made.status, StatusCode::CREATED);
    }
}
