//! What is one tenant's never becomes another's: not by account, secret, body, token or key.

use crate::support::app::{Answer, SECRET, TestApp};
use crate::support::bodies::{Said, chat, form, whatsapp};
use crate::tracking::{call_ended, workflow};
use bookhook::domain::channel::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

const SECRET_B: &str = "whsec_T1RIRVItU0VDUkVULW9mLWFub3RoZXItY29ubmVjdGlvbg==";
const AGENT_A: &str = "agent_of_a";
const AGENT_B: &str = "agent_of_b";
const NUMBER_A: &str = "771234500000001";
const NUMBER_B: &str = "771234500000002";

/// Two salons, and the connections of a source: A's has [`SECRET`], B's the given one.
struct Two {
    a: Uuid,
    b: Uuid,
    path_a: String,
    path_b: String,
}

impl Two {
    async fn open(app: &TestApp, source: &str, secret_of_b: &str) -> Self {
        let (a, b) = (app.tenant("salon-a").await, app.tenant("salon-b").await);
        let (of_a, of_b) = match source {
            "retell" => (vec![(AGENT_A, a)], vec![(AGENT_B, b)]),
            "whatsapp" => (vec![(NUMBER_A, a)], vec![(NUMBER_B, b)]),
            _ => (Vec::new(), Vec::new()),
        };
        let path_a = app.connection(source, Some(a), &of_a).await;
        let path_b = app.connection_with(source, Some(b), &of_b, secret_of_b).await;
        Self { a, b, path_a, path_b }
    }
}

fn call_of(agent: &str, call: &str) -> Value {
    let mut body = call_ended(call, "+353871234567");
    body["call"]["agent_id"] = json!(agent);
    body
}

fn filled(to: &'static str, id: &str) -> Said {
    form(to, id, "353879999999", "Brows", ("2027-01-14", "15:30"))
}

fn outcomes(answer: &Answer) -> Vec<&str> {
    let results = answer.body["results"].as_array().unwrap();
    results.iter().map(|one| one["outcome"].as_str().unwrap()).collect()
}

both_engines! {
    async fn anothers_agent_signed_with_my_secret_is_written_to_nobody(db: TestDb) {
        let app = TestApp::start(&db).await;
        let two = Two::open(&app, "retell", SECRET_B).await;
        let body = call_of(AGENT_B, "call_1").to_string();
        let own = app.deliver("retell", Some(&two.path_a), body.as_bytes()).await;
        assert_eq!(own.status, StatusCode::OK);
        assert_eq!(own.body, json!({"success": true, "outcome": "ignored",
            "reason": "not_this_account"}));
        let bare = app.deliver("retell", None, body.as_bytes()).await;
        assert_eq!(bare.status, StatusCode::UNAUTHORIZED);
        let theirs = app.deliver("retell", Some(&two.path_b), body.as_bytes()).await;
        assert_eq!(theirs.status, StatusCode::UNAUTHORIZED);
        assert_eq!(db.written().await, 0);
    }

    async fn a_batch_over_two_tenants_with_one_secret_reaches_each(db: TestDb) {
        let app = TestApp::start(&db).await;
        let two = Two::open(&app, "whatsapp", SECRET).await;
        let said = [filled(NUMBER_A, "wamid.a"), filled(NUMBER_B, "wamid.b")];
        let answer = app.deliver("whatsapp", None, &whatsapp(&said)).await;
        assert_eq!(outcomes(&answer), ["tracked", "tracked"], "{}", answer.body);
        for (tenant, place) in [(two.a, 0), (two.b, 1)] {
            let bookings = app.rows(tenant, "bookings").await;
            assert_eq!(bookings.len(), 1);
            assert_eq!(bookings[0]["id"], answer.body["results"][place]["bookingId"]);
        }
        let kept = db.raw_events().await;
        let numbers = |event: &[u8]| {
            let text = String::from_utf8_lossy(event).into_owned();
            [NUMBER_A, NUMBER_B].map(|number| text.contains(number))
        };
        let mut kept: Vec<_> = kept.iter().map(|event| numbers(event)).collect();
        kept.sort_unstable();
        assert_eq!(kept, [[false, true], [true, false]], "each keeps its own slice only");
    }

    async fn in_a_batch_the_item_of_a_tenant_with_another_secret_is_left_out(db: TestDb) {
        let app = TestApp::start(&db).await;
        let two = Two::open(&app, "whatsapp", SECRET_B).await;
        let said = [filled(NUMBER_A, "wamid.a"), filled(NUMBER_B, "wamid.b")];
        for path in [None, Some(two.path_a.as_str())] {
            let answer = app.deliver("whatsapp", path, &whatsapp(&said)).await;
            assert_eq!(outcomes(&answer), ["tracked", "ignored"], "{}", answer.body);
            let left_out = json!({"success": true, "outcome": "ignored",
                "reason": "not_this_account"});
            assert_eq!(answer.body["results"][1], left_out, "nothing more is said");
        }
        assert_eq!(app.rows(two.b, "events").await.len(), 0);
        assert_eq!(app.rows(two.b, "clients").await.len(), 0);
        assert_eq!(app.rows(two.a, "bookings").await.len(), 1);
    }

    async fn a_number_that_nobody_owns_is_ignored_and_not_stored(db: TestDb) {
        let app = TestApp::start(&db).await;
        let two = Two::open(&app, "whatsapp", SECRET_B).await;
        let body = whatsapp(&[filled("123456123", "wamid.test")]);
        let answer = app.deliver("whatsapp", Some(&two.path_a), &body).await;
        assert_eq!(outcomes(&answer), ["ignored"]);
        assert_eq!(db.written().await, 0);
    }

    async fn an_agent_that_nobody_owns_is_kept_for_review(db: TestDb) {
        let app = TestApp::start(&db).await;
        let two = Two::open(&app, "retell", SECRET_B).await;
        let body = call_of("agent_new", "call_1").to_string();
        let answer = app.deliver("retell", Some(&two.path_a), body.as_bytes()).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.body["outcome"], "needs_review");
        assert_eq!(answer.body["reason"], "account_unknown");
        assert_eq!(app.rows(two.a, "events").await.len(), 1);
        assert_eq!(app.rows(two.a, "clients").await.len(), 0);
        assert_eq!(db.raw_events().await, [body.as_bytes()]);
    }

    async fn a_platform_connection_routes_by_account_then_by_name_then_to_the_inbox(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (a, b) = (app.tenant("salon-a").await, app.tenant("salon-b").await);
        app.connection("retell", None, &[(AGENT_A, a)]).await;
        let by_account = call_of(AGENT_A, "call_1").to_string();
        let answer = app.deliver("retell", None, by_account.as_bytes()).await;
        assert_eq!(answer.body["outcome"], "tracked", "{}", answer.body);
        assert_eq!(app.rows(a, "bookings").await.len(), 1);

        let mut by_name = call_of("agent_unlisted", "call_2");
        by_name["call"]["metadata"] = json!({"tenant_id": b.to_string()});
        let answer = app.deliver("retell", None, by_name.to_string().as_bytes()).await;
        assert_eq!(answer.body["outcome"], "tracked", "{}", answer.body);
        assert_eq!(app.rows(b, "bookings").await.len(), 1);

        let nobody = call_of("agent_unlisted", "call_3").to_string();
        for repeat in [false, true] {
            let answer = app.deliver("retell", None, nobody.as_bytes()).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert_eq!(answer.body["outcome"], "needs_review", "{}", answer.body);
            assert_eq!(answer.body["reason"], "tenant_unknown");
            assert_eq!(answer.body["duplicate"] == true, repeat, "{}", answer.body);
        }
        assert_eq!(db.count("platform_inbox").await, 1);
        assert_eq!(db.count("webhook_events").await, 2);
        assert_eq!(app.rows(a, "clients").await.len() + app.rows(b, "clients").await.len(), 2);
    }

    async fn a_platform_workflow_names_its_tenant(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (a, b) = (app.tenant("salon-a").await, app.tenant("salon-b").await);
        let platform = app.connection("n8n", None, &[]).await;
        let mut body = workflow("+353851112222", "Cut", "2026-06-01T10:00:00Z");
        for (name, tenant) in [("salon-a".to_owned(), a), (b.to_string(), b)] {
            body["tenantId"] = json!(name);
            for path in [None, Some(platform.as_str())] {
                let answer = app.deliver("n8n", path, body.to_string().as_bytes()).await;
                assert_eq!(answer.body["outcome"], "tracked", "{name}: {}", answer.body);
            }
            assert_eq!(app.rows(tenant, "bookings").await.len(), 1);
        }
        body["tenantId"] = json!("nobody");
        let before = db.written().await;
        let answer = app.deliver("n8n", None, body.to_string().as_bytes()).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.body["code"], "tenant_unknown");
        assert_eq!(db.written().await, before);
    }

    async fn a_call_that_names_another_tenant_than_its_agents_is_held(db: TestDb) {
        let app = TestApp::start(&db).await;
        let two = Two::open(&app, "retell", SECRET_B).await;
        let mut body = call_of(AGENT_A, "call_1");
        body["call"]["metadata"] = json!({"tenant_id": two.b.to_string()});
        let answer = app.deliver("retell", None, body.to_string().as_bytes()).await;
        assert_eq!(answer.body["outcome"], "needs_review", "{}", answer.body);
        assert_eq!(answer.body["reason"], "tenant_mismatch");
        assert_eq!(app.rows(two.a, "events").await.len(), 1);
        assert_eq!(app.rows(two.b, "events").await.len(), 0);
        assert_eq!(db.count("clients").await, 0);
    }

    async fn a_signed_workflow_that_names_another_tenant_is_forbidden(db: TestDb) {
        let app = TestApp::start(&db).await;
        let two = Two::open(&app, "n8n", SECRET_B).await;
        let mut body = workflow("+353851112222", "Cut", "2026-06-01T10:00:00Z");
        for name in ["salon-b".to_owned(), two.b.to_string(), "nobody".to_owned()] {
            body["tenantId"] = json!(name);
            let answer = app.deliver("n8n", Some(&two.path_a), body.to_string().as_bytes()).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}: {}", answer.body);
        }
        body["tenantId"] = json!("salon-b");
        let bare = app.deliver("n8n", None, body.to_string().as_bytes()).await;
        assert_eq!(bare.status, StatusCode::UNAUTHORIZED, "B's key is another");
        assert_eq!(db.written().await, 0);
    }

    async fn the_same_person_and_references_in_two_tenants_stay_apart(db: TestDb) {
        let app = TestApp::start(&db).await;
        let two = Two::open(&app, "chat", SECRET_B).await;
        let mut body = chat("+353865550199", "Gel Nails", "2026-05-14T11:30:00");
        body["phorestClientId"] = json!("pc_1");
        body["phorestBookingId"] = json!("pb_1");
        let body = body.to_string();
        let of_a = app.deliver_as("chat", Some(&two.path_a), body.as_bytes(), SECRET, "msg_1").await;
        let of_b = app.deliver_as("chat", Some(&two.path_b), body.as_bytes(), SECRET_B, "msg_1").await;
        for (answer, tenant) in [(&of_a, two.a), (&of_b, two.b)] {
            assert_eq!(answer.body["outcome"], "tracked", "{}", answer.body);
            assert_eq!(answer.body["duplicate"], Value::Null, "{}", answer.body);
            assert_eq!(answer.body["isNewClient"], true);
            assert_eq!(app.rows(tenant, "clients").await.len(), 1);
            assert_eq!(app.rows(tenant, "bookings").await.len(), 1);
        }
        for member in ["eventId", "clientId", "bookingId"] {
            assert_ne!(of_a.body[member], of_b.body[member], "{member}");
        }
        // A cancellation in one is none in the other.
        let cancelled = json!({"phorestBookingId": "pb_1", "status": "cancelled"}).to_string();
        let answer = app.deliver("chat", Some(&two.path_a), cancelled.as_bytes()).await;
        assert_eq!(answer.body["bookingId"], of_a.body["bookingId"], "{}", answer.body);
        assert_eq!(app.rows(two.a, "bookings").await[0]["status"], "cancelled");
        assert_eq!(app.rows(two.b, "bookings").await[0]["status"], "confirmed");
    }

    async fn delivery_keys_of_two_tenants_do_not_collide(db: TestDb) {
        let app = TestApp::start(&db).await;
        let whatsapp_of = Two::open(&app, "whatsapp", SECRET).await;
        let (a, b) = (whatsapp_of.a, whatsapp_of.b);
        app.connection("retell", Some(a), &[(AGENT_A, a)]).await;
        app.connection("retell", Some(b), &[(AGENT_B, b)]).await;
        for (said, call) in [
            (filled(NUMBER_A, "wamid.same"), call_of(AGENT_A, "call_same")),
            (filled(NUMBER_B, "wamid.same"), call_of(AGENT_B, "call_same")),
        ] {
            let text = app.deliver("whatsapp", None, &whatsapp(&[said])).await;
            assert_eq!(outcomes(&text), ["tracked"], "{}", text.body);
            assert_eq!(text.body["results"][0]["duplicate"], Value::Null, "{}", text.body);
            let voice = app.deliver("retell", None, call.to_string().as_bytes()).await;
            assert_eq!(voice.body["outcome"], "tracked", "{}", voice.body);
            assert_eq!(voice.body["duplicate"], Value::Null, "{}", voice.body);
        }
        assert_eq!(app.rows(a, "bookings").await.len(), 2);
        assert_eq!(app.rows(b, "bookings").await.len(), 2);
    }

    async fn another_tenants_address_is_404_on_every_route(db: TestDb) {
        let app = TestApp::start(&db).await;
        let two = Two::open(&app, "chat", SECRET_B).await;
        let body = chat("+353865550199", "Gel Nails", "2026-05-14T11:30:00").to_string();
        let of_b = app.deliver_as("chat", Some(&two.path_b), body.as_bytes(), SECRET_B, "m").await;
        let client = of_b.text("clientId").to_owned();
        let admin = app.token(Role::PlatformAdmin, None).await;
        let token = app.token(Role::ClientAdmin, Some(two.a)).await;
        let client_at = |tenant: &str| format!("/api/platform/tenants/{tenant}/clients/{client}");
        for name in [two.b.to_string(), "salon-b".to_owned(), two.b.simple().to_string()] {
            for noun in ["clients", "bookings", "events"] {
                let path = format!("/api/platform/tenants/{name}/{noun}");
                let answer = app.ask(Method::GET, &path, &token).await;
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
            }
            let answer = app.ask(Method::GET, &client_at(&name), &token).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{name}");
        }
        for token in [&token, &admin] {
            let answer = app.ask(Method::GET, &client_at("salon-a"), token).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "B's client under A's address");
        }
        let answer = app.ask(Method::GET, &client_at("salon-b"), &admin).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
}
