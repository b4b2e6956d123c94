//! Changing tenants over the API, and changes that change nothing.

use super::support::app::{Answer, SECRET, now};
use super::support::desk::Desk;
use bookhook::domain::channel::Role;
use bookhook::storage::tenants;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Changes the tenant of a desk as the platform's admin.
async fn change(desk: &Desk, body: &Value) -> Answer {
    let token = desk.app.token(Role::PlatformAdmin, None).await;
    let path = format!("/api/platform/tenants/{}", desk.tenant);
    desk.app.send(Method::PATCH, &path, &token, body).await
}

/// What the audit log says was done, the newest first.
async fn audited(desk: &Desk) -> Vec<String> {
    let page = desk.get("audit?limit=100").await;
    let entries = page.body["data"].as_array().unwrap();
    entries.iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
}

both_engines! {
    async fn what_clients_spent_follows_the_tenants_currency(db: TestDb) {
        let desk = Desk::open(&db).await;
        let both = desk.client("+353871234567").await;
        let pounds = desk.client("+353871234568").await;
        for (client, day, amount, currency) in
            [(&both, 1, 75.5, "EUR"), (&both, 2, 20.0, "GBP"), (&pounds, 3, 90.0, "GBP")]
        {
            let made = desk.post("bookings", &json!({
                "clientId": client, "bookingDate": format!("2026-03-0{day}T10:00:00Z"),
                "serviceName": "Cut", "source": "web", "amount": amount, "currency": currency,
            })).await;
            assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        }
        let spent = async |client: &String| {
            let shown = desk.get(&format!("clients/{client}")).await;
            shown.body["stats"]["totalSpent"].to_string()
        };
        let most = async || {
            desk.get("clients?sort=-spent&limit=1").await.body["data"][0]["id"].clone()
        };
        assert_eq!((spent(&both).await, most().await), ("75.50".to_owned(), json!(both)));
        let changed = change(&desk, &json!({"currency": "GBP"})).await;
        assert_eq!((changed.status, changed.text("currency")), (StatusCode::OK, "GBP"));
        assert_eq!((spent(&both).await, spent(&pounds).await), ("20.00".to_owned(), "90.00".to_owned()));
        assert_eq!(most().await, json!(pounds), "the list is sorted by what is counted");
        change(&desk, &json!({"currency": "EUR"})).await;
        assert_eq!((spent(&both).await, most().await), ("75.50".to_owned(), json!(both)));
    }

    async fn of_two_who_take_a_slug_at_once_one_is_told_that_it_is_taken(db: TestDb) {
        let desk = Desk::open(&db).await;
        let other = desk.beside("other").await;
        // The other change is made and not yet kept when this one comes.
        let mut tx = desk.app.db.begin().await.unwrap();
        let row = tenants::find(&mut tx.conn(), "other").await.unwrap().unwrap();
        let mut settings = row.settings().unwrap();
        settings.slug = "wanted".to_owned();
        tenants::update(&mut tx.conn(), "other", "active", &settings, now()).await.unwrap();
        let second = {
            let desk = desk.clone();
            tokio::spawn(async move { change(&desk, &json!({"slug": "wanted"})).await })
        };
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        tx.commit().await.unwrap();
        let refused = second.await.unwrap();
        let said = (refused.status, refused.text("code"));
        assert_eq!(said, (StatusCode::CONFLICT, "slug_taken"), "{}", refused.body);
        assert_eq!(refused.body["existingId"], json!(other.tenant));
    }

    async fn what_changes_nothing_is_not_in_the_log(db: TestDb) {
        let desk = Desk::open(&db).await;
        for body in [json!({}), json!({"currency": "EUR", "slug": "salon", "status": "active"})] {
            assert_eq!(change(&desk, &body).await.status, StatusCode::OK);
        }
        assert_eq!(audited(&desk).await, Vec::<String>::new());

        let made = desk.post("connections", &json!({"source": "chat", "secret": SECRET})).await;
        let connection = format!("connections/{}", made.text("id"));
        desk.patch(&connection, &json!({"fieldMap": null})).await;
        let map = json!({"fieldMap": {"fields": {"serviceName": ["/treatment"]}}});
        for _ in 0..2 {
            assert_eq!(desk.patch(&connection, &map).await.status, StatusCode::OK);
        }
        let user = desk.post("users", &json!({
            "email": "owner@example.com", "password": "a long sentence", "role": "client_admin",
        })).await;
        let user = format!("users/{}", user.text("id"));
        for body in [json!({"role": "client_admin"}), json!({"status": "active"})] {
            assert_eq!(desk.patch(&user, &body).await.status, StatusCode::OK);
        }
        let lead = desk.post("leads", &json!({"phone": "0871234567", "source": "web"})).await;
        let lead = format!("leads/{}", lead.text("id"));
        for body in [json!({"status": "new"}), json!({"notes": null, "source": "web"})] {
            let before = desk.etag(&lead).await;
            assert_eq!(desk.patch(&lead, &body).await.status, StatusCode::OK);
            assert_eq!(desk.etag(&lead).await, before);
        }
        let token = desk.post("tokens", &json!({"role": "service"})).await;
        let path = |path: &str| format!("/api/platform/tenants/{}/{path}", desk.tenant);
        let token = path(&format!("tokens/{}", token.text("id")));
        for gone in [&token, &token, &path(&connection), &path(&connection)] {
            let answer = desk.app.ask(Method::DELETE, gone, desk.admin_token()).await;
            assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.body);
        }
        let nothing = desk.post("events/replay", &json!({"status": "needs_review"})).await;
        assert_eq!(nothing.status, StatusCode::OK, "{}", nothing.body);
        assert_eq!(audited(&desk).await, [
            "connection.disabled", "token.revoked", "token.created", "lead.created",
            "user.created", "connection.mapped", "connection.created",
        ]);
    }
}
