//! Running tenants over the API: tokens, users, connections, tenants, the audit log, the
//! platform's inbox, and reading events again.

use super::support::app::{TestApp, address, now};
use super::support::bodies;
use bookhook::domain::channel::Role;
use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

/// A tenant, its address, and a token of its admin.
struct Salon {
    id: Uuid,
    base: String,
    admin: String,
}

impl Salon {
    async fn open(app: &TestApp, slug: &str) -> Self {
        let id = app.tenant(slug).await;
        let admin = app.token(Role::ClientAdmin, Some(id)).await;
        Self { id, base: format!("/api/platform/tenants/{id}"), admin }
    }

    async fn post(&self, app: &TestApp, path: &str, body: &Value) -> (StatusCode, Value) {
        let path = format!("{}{path}", self.base);
        let answer = app.send(Method::POST, &path, &self.admin, body).await;
        (answer.status, answer.body)
    }

    async fn get(&self, app: &TestApp, path: &str) -> (StatusCode, Value) {
        let answer = app.ask(Method::GET, &format!("{}{path}", self.base), &self.admin).await;
        (answer.status, answer.body)
    }

    async fn change(&self, app: &TestApp, path: &str, body: &Value) -> (StatusCode, Value) {
        let path = format!("{}{path}", self.base);
        let answer = app.send(Method::PATCH, &path, &self.admin, body).await;
        (answer.status, answer.body)
    }

    async fn delete(&self, app: &TestApp, path: &str) -> StatusCode {
        app.ask(Method::DELETE, &format!("{}{path}", self.base), &self.admin).await.status
    }

    /// What the audit log says was done, the newest first.
    async fn audited(&self, app: &TestApp) -> Vec<String> {
        let (status, page) = self.get(app, "/audit").await;
        assert_eq!(status, StatusCode::OK);
        let entries = page["data"].as_array().unwrap();
        entries.iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
    }
}

/// Delivers a chat booking signed with a secret.
async fn deliver(app: &TestApp, connection: &str, secret: &str, number: u32) -> StatusCode {
    let phone = format!("+3538712345{number:02}");
    let body = bodies::chat(&phone, "Gel nails", "2027-03-14T15:00:00Z").to_string();
    let id = format!("msg_{connection}_{number}");
    app.deliver_as("chat", Some(connection), body.as_bytes(), secret, &id).await.status
}

/// Asks until the answer is the wanted one: what is changed is in force within five seconds.
async fn until(wanted: StatusCode, app: &TestApp, connection: &str, secret: &str) {
    let mut last = StatusCode::OK;
    for number in 20..90 {
        last = deliver(app, connection, secret, number).await;
        if last == wanted {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{wanted} is not answered within seven seconds: {last}");
}

both_engines! {
    async fn a_token_is_shown_once_and_is_good_until_it_is_revoked(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app, "salon").await;
        let body = json!({"role": "service", "name": "n8n"});
        let (status, made) = salon.post(&app, "/tokens", &body).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let token = made["token"].as_str().unwrap().to_owned();
        assert!(token.starts_with("bk_live_"));
        let clients = format!("{}/clients", salon.base);
        assert_eq!(app.ask(Method::GET, &clients, &token).await.status, StatusCode::OK);

        let (_, listed) = salon.get(&app, "/tokens").await;
        let row = &listed["data"][0];
        assert_eq!((&row["id"], &row["name"]), (&made["id"], &json!("n8n")));
        assert!(row["lastUsedAt"].is_string(), "{row}");
        assert!(!listed.to_string().contains(&token), "a list never shows a token");

        let other = Salon::open(&app, "other").await;
        let path = format!("/tokens/{}", made["id"].as_str().unwrap());
        assert_eq!(other.delete(&app, &path).await, StatusCode::NOT_FOUND, "another's token");
        assert_eq!(app.ask(Method::GET, &clients, &token).await.status, StatusCode::OK);
        assert_eq!(salon.delete(&app, &path).await, StatusCode::NO_CONTENT);
        assert_eq!(app.ask(Method::GET, &clients, &token).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(salon.audited(&app).await, ["token.revoked", "token.created"]);
        assert!(other.audited(&app).await.is_empty());
    }

    async fn a_token_that_is_wrong_is_refused_with_every_fault(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app, "salon").await;
        let past = now() - TimeDelta::hours(1);
        let body = json!({"role": "platform_admin", "name": 7, "expiresAt": past, "tenantId": "x"});
        let (status, problem) = salon.post(&app, "/tokens", &body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        let mut found: Vec<(&str, &str)> = problem["errors"].as_array().unwrap().iter()
            .map(|e| (e["pointer"].as_str().unwrap(), e["code"].as_str().unwrap()))
            .collect();
        found.sort_unstable();
        assert_eq!(found, [
            ("/expiresAt", "time_past"), ("/name", "text_invalid"), ("/role", "role_unfit"),
            ("/tenantId", "field_unknown"),
        ]);
        let (status, problem) = salon.post(&app, "/tokens", &json!({})).await;
        assert_eq!((status.as_u16(), problem["code"].as_str()), (422, Some("required")));
        let soon = now() + TimeDelta::seconds(2);
        let body = json!({"role": "service", "expiresAt": soon});
        let (_, made) = salon.post(&app, "/tokens", &body).await;
        let token = made["token"].as_str().unwrap().to_owned();
        tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
        let late = app.ask(Method::GET, &format!("{}/clients", salon.base), &token).await;
        assert_eq!(late.status, StatusCode::UNAUTHORIZED, "it has run out");
    }

    async fn users_are_made_changed_and_shut_out(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app, "salon").await;
        let body = json!({
            "email": "Owner@Example.com", "password": "a long sentence", "role": "client_admin"
        });
        let (status, made) = salon.post(&app, "/users", &body).await;
        assert_eq!((status, made["email"].as_str()), (StatusCode::CREATED, Some("owner@example.com")));
        assert!(!made.to_string().contains("sentence"));
        let other = Salon::open(&app, "other").await;
        let (status, problem) = other.post(&app, "/users", &body).await;
        assert_eq!((status.as_u16(), problem["code"].as_str()), (409, Some("email_taken")));
        let path = format!("/users/{}", made["id"].as_str().unwrap());
        let off = json!({"status": "disabled", "role": "support_staff"});
        assert_eq!(other.change(&app, &path, &off).await.0, StatusCode::NOT_FOUND);
        let (status, changed) = salon.change(&app, &path, &off).await;
        assert_eq!((status, &changed["status"]), (StatusCode::OK, &json!("disabled")));
        let wrong = json!({"role": "service", "password": "short", "status": null, "email": "x@y.z"});
        let (status, problem) = salon.change(&app, &path, &wrong).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(problem["errors"].as_array().unwrap().len(), 4, "{problem}");
        let (_, listed) = salon.get(&app, "/users").await;
        assert_eq!(listed["data"].as_array().unwrap().len(), 1);
        assert_eq!(listed["data"][0]["role"], "support_staff");
    }

    async fn a_connection_is_made_used_rotated_and_disabled(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app, "salon").await;
        let (status, made) = salon.post(&app, "/connections", &json!({"source": "chat"})).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
        assert_eq!(made["webhookPath"], json!(address("chat", Some(id))));
        until(StatusCode::OK, &app, id, secret).await;
        let path = format!("/connections/{id}");
        let (_, shown) = salon.get(&app, &path).await;
        assert!(!shown.to_string().contains(secret), "{shown}");

        let other = Salon::open(&app, "other").await;
        let rotate = format!("{path}/rotate");
        assert_eq!(other.post(&app, &rotate, &json!({})).await.0, StatusCode::NOT_FOUND);
        assert_eq!(other.get(&app, &path).await.0, StatusCode::NOT_FOUND);
        assert_eq!(other.delete(&app, &path).await, StatusCode::NOT_FOUND);
        let (status, rotated) = salon.post(&app, &rotate, &json!({"overlapHours": 0})).await;
        assert_eq!(status, StatusCode::OK, "{rotated}");
        let fresh = rotated["secret"].as_str().unwrap();
        until(StatusCode::OK, &app, id, fresh).await;
        until(StatusCode::UNAUTHORIZED, &app, id, secret).await;
        assert_eq!(salon.delete(&app, &path).await, StatusCode::NO_CONTENT);
        until(StatusCode::UNAUTHORIZED, &app, id, fresh).await;
        assert_eq!(salon.post(&app, &rotate, &json!({})).await.0, StatusCode::CONFLICT);
        let done = ["connection.disabled", "connection.rotated", "connection.created"];
        assert_eq!(salon.audited(&app).await, done);
    }

    async fn a_connection_that_can_not_be_is_refused(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (salon, other) = (Salon::open(&app, "salon").await, Salon::open(&app, "other").await);
        for (body, code) in [
            (json!({"source": "fax"}), "source_unknown"),
            (json!({"source": "retell"}), "secret_missing"),
            (json!({"source": "chat", "secret": "short"}), "secret_invalid"),
            (json!({"source": "chat", "secret": "c2hvcnQ="}), "secret_short"),
            (json!({"source": "n8n", "secret": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="}),
                "secret_short"),
            (json!({"source": "whatsapp", "secret": "0123456789abcde"}), "secret_short"),
            (json!({"source": "chat", "accounts": ["a"]}), "account_unfit"),
            (json!({}), "required"),
        ] {
            let (status, problem) = salon.post(&app, "/connections", &body).await;
            assert_eq!((status.as_u16(), problem["code"].as_str()), (422, Some(code)), "{body}");
        }
        let secret = "key_0123456789abcdef0123456789";
        let body = json!({"source": "retell", "secret": secret, "accounts": ["agent_1"]});
        assert_eq!(salon.post(&app, "/connections", &body).await.0, StatusCode::CREATED);
        let (status, problem) = other.post(&app, "/connections", &body).await;
        assert_eq!((status.as_u16(), problem["code"].as_str()), (409, Some("account_taken")));
        assert!(!problem.to_string().contains(&salon.id.to_string()), "{problem}");
        let (_, listed) = salon.get(&app, "/connections").await;
        assert_eq!(listed["data"].as_array().unwrap().len(), 1);
        assert_eq!(listed["data"][0]["accounts"], json!(["agent_1"]));
    }

    async fn a_field_map_is_checked_and_reads_what_waits(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app, "salon").await;
        let (_, made) = salon.post(&app, "/connections", &json!({"source": "chat"})).await;
        let id = made["id"].as_str().unwrap();
        let path = format!("/connections/{id}");
        let wrong = json!({"fieldMap": {"fields": {"nonsense": ["/a"]}}});
        let (status, problem) = salon.change(&app, &path, &wrong).await;
        assert_eq!((status.as_u16(), problem["code"].as_str()), (422, Some("field_map_invalid")));
        let map = json!({"fields": {"serviceName": ["/bookingData/treatment"]}});
        let (status, kept) = salon.change(&app, &path, &json!({"fieldMap": map})).await;
        assert_eq!((status, &kept["fieldMap"]), (StatusCode::OK, &map), "{kept}");
        let (_, cleared) = salon.change(&app, &path, &json!({"fieldMap": null})).await;
        assert!(cleared["fieldMap"].is_null());
        assert_eq!(salon.change(&app, &path, &json!({})).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    }

    async fn an_event_in_review_is_tracked_with_what_a_person_says(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app, "salon").await;
        let connection = app.connection("retell", Some(salon.id), &[]).await;
        let body = call_without_a_service();
        let told = app.deliver("retell", Some(&connection), &body).await;
        assert_eq!(told.text("outcome"), "needs_review", "{}", told.body);
        let id = told.text("eventId").to_owned();
        let path = format!("/events/{id}/replay");
        let wrong = json!({"set": {"nonsense": "x", "serviceName": ["x"]}, "other": 1});
        let (status, problem) = salon.post(&app, &path, &wrong).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(problem["errors"].as_array().unwrap().len(), 3, "{problem}");
        let other = Salon::open(&app, "other").await;
        let set = json!({"set": {"serviceName": "Gel nails"}});
        assert_eq!(other.post(&app, &path, &set).await.0, StatusCode::NOT_FOUND);
        let (status, answer) = salon.post(&app, &path, &set).await;
        assert_eq!((status, &answer["outcome"]), (StatusCode::OK, &json!("tracked")), "{answer}");
        let (_, again) = salon.post(&app, &path, &set).await;
        assert_eq!(again["bookingId"], answer["bookingId"]);
        assert_eq!(app.rows(salon.id, "bookings").await.len(), 1);
        let bulk = json!({"status": "needs_review"});
        let (status, page) = salon.post(&app, "/events/replay", &bulk).await;
        assert_eq!((status, &page["data"]), (StatusCode::OK, &json!([])), "nothing waits");
        let (status, _) = salon.post(&app, "/events/replay", &json!({"status": "lost"})).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    }

    async fn tenants_are_made_changed_and_disabled_by_the_platform(db: TestDb) {
        let app = TestApp::start(&db).await;
        let platform = app.token(Role::PlatformAdmin, None).await;
        let all = "/api/platform/tenants";
        let body = json!({"name": "Glow Studio", "timezone": "Europe/London", "currency": "GBP",
            "region": "GB"});
        let made = app.send(Method::POST, all, &platform, &body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        assert_eq!((made.text("slug"), made.text("currency")), ("glow-studio", "GBP"));
        let keyed = || {
            let request = app.request(Method::POST, all, &platform).header("idempotency-key", "k");
            request.header("content-type", "application/json").body(r#"{"name": "Blue"}"#)
        };
        assert_eq!(keyed().send().await.unwrap().status(), StatusCode::CREATED);
        let repeat = keyed().send().await.unwrap();
        assert_eq!(repeat.status(), StatusCode::CREATED, "the platform's requests have keys too");
        assert!(repeat.headers().contains_key("idempotency-replayed"));
        let again = app.send(Method::POST, all, &platform, &body).await;
        assert_eq!(again.status, StatusCode::CONFLICT);
        assert_eq!(again.body["existingId"], made.body["id"]);
        let wrong = json!({"name": " ", "slug": "A b", "timezone": "Mars", "region": "ZZ",
            "currency": "BANANA", "dateOrder": "ydm", "colour": "red"});
        let refused = app.send(Method::POST, all, &platform, &wrong).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.body["errors"].as_array().unwrap().len(), 7, "{}", refused.body);

        let path = format!("{all}/{}", made.text("id"));
        let id = Uuid::parse_str(made.text("id")).unwrap();
        let admin = app.token(Role::ClientAdmin, Some(id)).await;
        assert_eq!(app.ask(Method::GET, &path, &admin).await.body["slug"], "glow-studio");
        let rename = json!({"name": "Glow"});
        let own = app.send(Method::PATCH, &path, &admin, &rename).await;
        assert_eq!(own.status, StatusCode::FORBIDDEN);
        let (connection, service) = (app.connection("chat", Some(id), &[]).await,
            app.token(Role::Service, Some(id)).await);
        until(StatusCode::OK, &app, &connection, super::support::app::SECRET).await;
        let off = json!({"status": "disabled"});
        let disabled = app.send(Method::PATCH, &path, &platform, &off).await;
        assert_eq!(disabled.body["status"], "disabled", "{}", disabled.body);
        until(StatusCode::UNAUTHORIZED, &app, &connection, super::support::app::SECRET).await;
        let clients = app.ask(Method::GET, &format!("{path}/clients"), &service).await;
        assert_eq!((clients.status.as_u16(), clients.text("code")), (403, "tenant_disabled"));
        let kept = app.ask(Method::GET, &format!("{path}/clients"), &platform).await;
        assert!(!kept.body["data"].as_array().unwrap().is_empty(), "nothing is lost");
    }

    async fn a_post_with_a_key_is_done_once(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app, "salon").await;
        let path = format!("{}/tokens", salon.base);
        let post = |key: &str, body: Value, token: &str| {
            let request = app.request(Method::POST, &path, token);
            let request = request.header("idempotency-key", key);
            let request = request.header("content-type", "application/json");
            let request = request.body(body.to_string());
            async move {
                let response = request.send().await.unwrap();
                let replayed = response.headers().contains_key("idempotency-replayed");
                let status = response.status().as_u16();
                let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
                (status, replayed, body)
            }
        };
        let body = json!({"role": "service"});
        let first = post("k1", body.clone(), &salon.admin).await;
        assert_eq!((first.0, first.1), (201, false));
        let again = post("k1", body.clone(), &salon.admin).await;
        assert_eq!((again.0, again.1, &again.2), (201, true, &first.2));
        let other = post("k1", json!({"role": "client_admin"}), &salon.admin).await;
        assert_eq!((other.0, other.2["code"].as_str()), (422, Some("idempotency_key_reused")));
        let another = app.token(Role::ClientAdmin, Some(salon.id)).await;
        let theirs = post("k1", body.clone(), &another).await;
        assert_eq!((theirs.0, theirs.1), (201, false), "a key is its caller's");
        let refused = post("k2", json!({"role": "king"}), &salon.admin).await;
        assert_eq!(refused.0, 422);
        let corrected = post("k2", body.clone(), &salon.admin).await;
        assert_eq!((corrected.0, corrected.1), (201, false), "what was refused may be corrected");
        let long = "x".repeat(201);
        let long = post(&long, body.clone(), &salon.admin).await;
        assert_eq!((long.0, long.2["code"].as_str()), (400, Some("idempotency_key_invalid")));
        let many = (0..8).map(|_| post("k3", body.clone(), &salon.admin));
        let many = futures_util::future::join_all(many).await;
        let made: std::collections::BTreeSet<String> = many.iter()
            .filter(|(status, ..)| *status == 201)
            .map(|(.., body)| body["id"].to_string())
            .collect();
        assert_eq!(made.len(), 1, "{many:?}");
        assert!(many.iter().all(|(status, ..)| [201, 409].contains(status)), "{many:?}");
        let (_, listed) = salon.get(&app, "/tokens").await;
        assert_eq!(listed["data"].as_array().unwrap().len(), 4 + 2, "made: k1, theirs, k2, k3");
    }

    async fn a_kept_answer_shows_no_secret(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app, "salon").await;
        for (noun, body, shown) in [
            ("tokens", json!({"role": "service"}), "token"),
            ("connections", json!({"source": "chat"}), "secret"),
        ] {
            let post = || {
                let path = format!("{}/{noun}", salon.base);
                let request = app.request(Method::POST, &path, &salon.admin);
                let request = request.header("idempotency-key", "k");
                request.header("content-type", "application/json").body(body.to_string()).send()
            };
            let first = post().await.unwrap().bytes().await.unwrap();
            let made: Value = serde_json::from_slice(&first).unwrap();
            let secret = made[shown].as_str().unwrap();
            assert!(secret.len() > 20);
            for kept in db.texts("select answer from idempotency_answers").await {
                assert!(!kept.contains(secret), "{noun}: kept in the clear");
            }
            assert_eq!(post().await.unwrap().bytes().await.unwrap(), first, "{noun}: a repeat");
        }
    }

    async fn a_body_that_is_all_wrong_has_a_short_answer(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app, "salon").await;
        let body: serde_json::Map<String, Value> =
            (0..20_000).map(|number| (format!("k{number:05}"), json!(1))).collect();
        let (status, problem) = salon.post(&app, "/tokens", &Value::from(body)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(problem["errors"].as_array().unwrap().len(), 100);
        assert!(problem.to_string().len() < 40_000, "{}", problem.to_string().len());
    }

    async fn one_account_is_claimed_by_one_tenant(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (one, other) = (Salon::open(&app, "one").await, Salon::open(&app, "other").await);
        for round in 0..4 {
            let claim = |name: &str| json!({
                "source": "retell", "secret": format!("key_{name}_{round}_0123456789abcdef"),
                "accounts": [format!("agent_{round}")],
            });
            let (a, b) = (claim("a"), claim("b"));
            let (first, second) = futures_util::future::join(
                one.post(&app, "/connections", &a),
                other.post(&app, "/connections", &b),
            ).await;
            let mut statuses = [first.0.as_u16(), second.0.as_u16()];
            statuses.sort_unstable();
            assert_eq!(statuses, [201, 409], "round {round}");
        }
    }

    async fn secrets_rotated_at_once_leave_one(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app, "salon").await;
        let (_, made) = salon.post(&app, "/connections", &json!({"source": "chat"})).await;
        let path = format!("/connections/{}/rotate", made["id"].as_str().unwrap());
        let none = json!({"overlapHours": 0});
        let rotations = (0..6).map(|_| salon.post(&app, &path, &none));
        for (status, _) in futures_util::future::join_all(rotations).await {
            assert_eq!(status, StatusCode::OK);
        }
        assert_eq!(db.count("connection_secrets where expires_at is null").await, 1);
    }

    async fn what_a_caller_began_goes_on_without_it(db: TestDb) {
        let app = TestApp::start(&db).await;
        let salon = Salon::open(&app, "salon").await;
        let path = format!("{}/tokens", salon.base);
        let post = |number: u32| {
            let request = app.request(Method::POST, &path, &salon.admin);
            let request = request.header("idempotency-key", format!("k{number}"));
            request.header("content-type", "application/json").body(r#"{"role": "service"}"#)
        };
        for number in 0..40 {
            let patience = std::time::Duration::from_millis(u64::from(number) / 2);
            drop(tokio::time::timeout(patience, post(number).send()).await);
        }
        // Whoever hung up comes again with the same key: never is it done twice.
        for number in 0..40 {
            for _ in 0..100 {
                if post(number).send().await.unwrap().status() == StatusCode::CREATED {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
        assert_eq!(db.count("api_tokens where role = 'service'").await, 40);
        assert_eq!(db.count("idempotency_answers where status_code is null").await, 0);
    }

    async fn who_asks_too_often_waits(db: TestDb) {
        let app = TestApp::start_at(&db, 5).await;
        let salon = Salon::open(&app, "salon").await;
        let path = format!("{}/clients", salon.base);
        let mut statuses = Vec::new();
        for _ in 0..40 {
            let response = app.request(Method::GET, &path, &salon.admin).send().await.unwrap();
            statuses.push(response.status().as_u16());
            if response.status() == StatusCode::TOO_MANY_REQUESTS {
                let wait = response.headers()["retry-after"].to_str().unwrap();
                assert!(wait.parse::<u64>().unwrap() >= 1, "{wait}");
                let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
                assert_eq!(body["code"], "rate_limited");
                assert!(body["requestId"].is_string());
                break;
            }
        }
        assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
        assert!(statuses.len() > 5, "the burst is let through: {statuses:?}");
        let other = app.token(Role::ClientAdmin, Some(salon.id)).await;
        assert_eq!(app.ask(Method::GET, &path, &other).await.status, StatusCode::OK);
    }

    async fn a_delivery_that_verifies_is_never_throttled(db: TestDb) {
        let app = TestApp::start_at(&db, 1).await;
        let salon = Salon::open(&app, "salon").await;
        let connection = app.connection("chat", Some(salon.id), &[]).await;
        let path = address("chat", Some(&connection));
        let mut refused = Vec::new();
        for _ in 0..130 {
            refused.push(app.post(&path, &[], b"{}").await.status.as_u16());
        }
        assert_eq!(refused.first(), Some(&401));
        assert_eq!(refused.last(), Some(&429), "who fails again and again is throttled");
        for number in 0..5 {
            let secret = super::support::app::SECRET;
            assert_eq!(deliver(&app, &connection, secret, number).await, StatusCode::OK);
        }
    }
}

/// A call that books without saying what.
fn call_without_a_service() -> Vec<u8> {
    let start = now().timestamp_millis();
    let call = json!({
        "event": "call_analyzed",
        "call": {
            "call_id": "call_without_service", "agent_id": "agent_1", "direction": "inbound",
            "from_number": "+353871234567", "to_number": "+35312345678",
            "start_timestamp": start, "call_status": "ended",
            "call_analysis": {"custom_analysis_data": {
                "booking_confirmed": true, "appointment_date_time": "2027-03-14T15:00:00Z"
            }}
        }
    });
    call.to_string().into_bytes()
}
