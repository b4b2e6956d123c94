//! A tenant's desk: whoever works with its records over the API.

use super::app::{Answer, TestApp};
use super::db::{Engine, TestDb};
use bookhook::domain::channel::Role;
use bookhook::domain::ids;
use chrono::{DateTime, Utc};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::sync::Arc;
use uuid::Uuid;

/// A token for one tenant's records.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) app: Arc<TestApp>,
    pub(crate) tenant: Uuid,
    token: String,
}

/// A time of an answer.
pub(crate) fn instant(value: &Value) -> DateTime<Utc> {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is a time"));
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

impl Desk {
    /// A running service, a tenant in Dublin, a client admin's token.
    pub(crate) async fn open(db: &TestDb) -> Self {
        let app = Arc::new(TestApp::start(db).await);
        Self::of(app, "salon").await
    }

    async fn of(app: Arc<TestApp>, slug: &str) -> Self {
        let tenant = app.tenant(slug).await;
        let token = app.token(Role::ClientAdmin, Some(tenant)).await;
        Self { app, tenant, token }
    }

    /// Another tenant's desk in the same service.
    pub(crate) async fn beside(&self, slug: &str) -> Self {
        Self::of(Arc::clone(&self.app), slug).await
    }

    /// The same desk with another role's token.
    pub(crate) async fn as_role(&self, role: Role) -> Self {
        let token = self.app.token(role, Some(self.tenant)).await;
        Self { token, ..self.clone() }
    }

    /// Its token.
    pub(crate) fn admin_token(&self) -> &str {
        &self.token
    }

    fn path(&self, path: &str) -> String {
        format!("/api/platform/tenants/{}/{path}", self.tenant)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.app.ask(Method::GET, &self.path(path), &self.token).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.app.send(Method::POST, &self.path(path), &self.token, body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.app.send(Method::PATCH, &self.path(path), &self.token, body).await
    }

    /// The `ETag` of one thing.
    pub(crate) async fn etag(&self, path: &str) -> String {
        let request = self.app.request(Method::GET, &self.path(path), &self.token);
        let response = request.send().await.unwrap();
        response.headers()["etag"].to_str().unwrap().to_owned()
    }

    /// A change meant for what had this `ETag`.
    pub(crate) async fn patch_if(&self, path: &str, tag: &str, body: &Value) -> Answer {
        let request = self.app.request(Method::PATCH, &self.path(path), &self.token);
        self.finish(request.header("if-match", tag), body).await.0
    }

    /// A POST with an `Idempotency-Key`, and whether it was answered from what was kept.
    pub(crate) async fn post_with_key(
        &self,
        path: &str,
        key: &str,
        body: &Value,
    ) -> (Answer, bool) {
        let request = self.app.request(Method::POST, &self.path(path), &self.token);
        self.finish(request.header("idempotency-key", key), body).await
    }

    async fn finish(&self, request: reqwest::RequestBuilder, body: &Value) -> (Answer, bool) {
        let request = request.header("content-type", "application/json").body(body.to_string());
        let response = request.send().await.unwrap();
        let (status, replayed) =
            (response.status(), response.headers().contains_key("idempotency-replayed"));
        let body = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
        (Answer { status, body }, replayed)
    }

    /// Delivers a body as an n8n workflow of the tenant does; it must be taken.
    pub(crate) async fn deliver(&self, body: &Value) -> Answer {
        let token = self.app.token(Role::Service, Some(self.tenant)).await;
        let answer = self.app.deliver_with_token("n8n", &token, body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer
    }

    /// A client with this phone, who booked something else before; its id.
    pub(crate) async fn client(&self, phone: &str) -> String {
        let id = ids::new(super::app::now());
        self.insert_client(id, Some(phone)).await;
        id.to_string()
    }

    /// A client with nothing to be found by but itself.
    pub(crate) async fn client_without_identity(&self, db: &TestDb) -> String {
        assert!(matches!(db.engine, Engine::Sqlite | Engine::Postgres));
        let id = ids::new(super::app::now());
        self.insert_client(id, None).await;
        id.to_string()
    }

    async fn insert_client(&self, id: Uuid, phone: Option<&str>) {
        use bookhook::domain::person::Identity;
        use bookhook::domain::phone::Phone;
        use bookhook::storage::clients::{self, ClientRow};
        let now = super::app::now();
        let row = ClientRow {
            id,
            phone: phone.map(str::to_owned),
            whatsapp_id: None,
            first_name: "Aoife".to_owned(),
            last_name: "Byrne".to_owned(),
            email: None,
            status: "active".to_owned(),
            first_interaction_source: "web".to_owned(),
            first_interaction_at: now,
            first_booking_at: None,
            last_booking_at: None,
            provenance: "{}".to_owned(),
            set_by_person: "[]".to_owned(),
            bookings_count: 0,
            spent_minor: 0,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let mut tx = self.app.db.begin().await.unwrap();
        let conn = &mut tx.conn();
        clients::insert(conn, self.tenant, &row).await.unwrap();
        if let Some(phone) = phone {
            let phone = Identity::Phone(Phone::from_stored(phone.to_owned()));
            clients::insert_identity(conn, self.tenant, id, &phone, now).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
}
