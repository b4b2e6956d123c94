//! A salon with a token, and its clients made and read over HTTP.

use super::app::{Answer, TestApp};
use bookhook::domain::channel::Role;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

/// A tenant and a token of its client admin.
pub(crate) struct Desk<'a> {
    pub(crate) app: &'a TestApp,
    pub(crate) tenant: Uuid,
    pub(crate) token: String,
    connection: String,
}

impl<'a> Desk<'a> {
    pub(crate) async fn open(app: &'a TestApp, slug: &str) -> Self {
        let tenant = app.tenant(slug).await;
        let token = app.token(Role::ClientAdmin, Some(tenant)).await;
        let connection = app.connection("n8n", Some(tenant), &[]).await;
        Self { app, tenant, token, connection }
    }

    pub(crate) fn path(&self, noun: &str) -> String {
        format!("/api/platform/tenants/{}/{noun}", self.tenant)
    }

    pub(crate) async fn get(&self, noun: &str) -> Answer {
        self.app.ask(Method::GET, &self.path(noun), &self.token).await
    }

    pub(crate) async fn delete(&self, noun: &str) -> Answer {
        self.app.ask(Method::DELETE, &self.path(noun), &self.token).await
    }

    pub(crate) async fn post(&self, noun: &str, body: &Value) -> Answer {
        self.app.send(Method::POST, &self.path(noun), &self.token, body).await
    }

    pub(crate) async fn patch(&self, noun: &str, body: &Value) -> Answer {
        self.app.send(Method::PATCH, &self.path(noun), &self.token, body).await
    }

    /// Makes a client; its id.
    pub(crate) async fn client(&self, body: &Value) -> String {
        let made = self.post("clients", body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.text("id").to_owned()
    }

    /// Delivers a booking by a workflow; the answer.
    pub(crate) async fn book(&self, booking: &Value) -> Value {
        let body = json!({ "bookingData": booking }).to_string();
        let told = self.app.deliver("n8n", Some(&self.connection), body.as_bytes()).await;
        assert_eq!(told.body["outcome"], "tracked", "{}", told.body);
        told.body
    }

    /// Delivers a body by the salon's workflow under a delivery id.
    pub(crate) async fn deliver(&self, body: &Value, id: &str) -> Answer {
        let (secret, text) = (super::app::SECRET, body.to_string());
        self.app.deliver_as("n8n", Some(&self.connection), text.as_bytes(), secret, id).await
    }

    /// The first names of a list, in its order, over all its pages.
    pub(crate) async fn names(&self, query: &str) -> Vec<String> {
        let rows = self.all(&format!("clients?{query}"), 2).await;
        rows.iter().map(|row| row["firstName"].as_str().unwrap().to_owned()).collect()
    }

    /// Every row of a list, read in pages of this length.
    pub(crate) async fn all(&self, list: &str, length: usize) -> Vec<Value> {
        let (mut rows, mut cursor) = (Vec::new(), String::new());
        let sign = if list.contains('?') { '&' } else { '?' };
        loop {
            let page = self.get(&format!("{list}{sign}limit={length}{cursor}")).await;
            assert_eq!(page.status, 200, "{list}: {}", page.body);
            let data = page.body["data"].as_array().unwrap();
            assert!(data.len() <= length);
            rows.extend(data.clone());
            assert_eq!(page.body["hasMore"], page.body["nextCursor"].is_string());
            match page.body["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return rows,
            }
        }
    }
}
