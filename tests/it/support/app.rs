//! The real service on a port of its own, and whatever a test needs to talk to it.

use super::db::TestDb;
use bookhook::app::{self, App};
use bookhook::auth;
use bookhook::clock::Clock;
use bookhook::config::{LogFormat, Settings};
use bookhook::domain::channel::{DateOrder, Role};
use bookhook::domain::ids;
use bookhook::domain::money::Currency;
use bookhook::domain::phone::Region;
use bookhook::domain::tenant::TenantSettings;
use bookhook::sources;
use bookhook::storage::connections::{self, AccountRow, Purpose};
use bookhook::storage::seal::MasterKey;
use bookhook::storage::{Db, tenants};
use chrono::{DateTime, Utc};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::oneshot;
use uuid::Uuid;

/// The master key of every test: the database's secrets are sealed under it.
pub(crate) const MASTER_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// The secret of the standard connections, one that every scheme takes.
pub(crate) const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// The running service.
pub(crate) struct TestApp {
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    /// Its database, for looking into.
    pub(crate) db: Db,
    _home: TempDir,
    http: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    running: Option<tokio::task::JoinHandle<Result<(), app::StartError>>>,
}

/// An answer: status and JSON body (null when there is none).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Answer {
    /// A member of the body as text; empty when it is missing.
    pub(crate) fn text(&self, member: &str) -> &str {
        self.body[member].as_str().unwrap_or_default()
    }

    /// The answer without what may differ between a first and a repeat.
    pub(crate) fn without_duplicate(mut self) -> Self {
        if let Some(body) = self.body.as_object_mut() {
            body.remove("duplicate");
            body.remove("requestId");
        }
        self
    }
}

/// The settings of a service on this database.
pub(crate) fn settings(url: &str) -> Settings {
    Settings {
        database_url: url.to_owned(),
        listen: ([127, 0, 0, 1], 0).into(),
        public_url: None,
        api_rate: std::num::NonZeroU32::MAX,
        master_key: Some(MASTER_KEY.into()),
        spool: "/nonexistent/no-spool.db".into(),
        spool_size: 1 << 30,
        stop_within: Duration::from_secs(25),
        log: "warn".to_owned(),
        log_format: LogFormat::Text,
    }
}

pub(crate) fn now() -> DateTime<Utc> {
    Clock::system().now()
}

/// A client that leaves the machine's proxies alone.
pub(crate) fn client() -> reqwest::Client {
    static PROVIDER: OnceLock<()> = OnceLock::new();
    PROVIDER.get_or_init(|| {
        rustls::crypto::ring::default_provider().install_default().expect("the only provider");
    });
    reqwest::Client::builder().timeout(Duration::from_mins(1)).no_proxy().build().unwrap()
}

impl TestApp {
    /// Starts a service on a database and waits until it is ready.
    pub(crate) async fn start(db: &TestDb) -> Self {
        let (app, ready) = Self::launch(db).await;
        ready.await.expect("the service gets ready");
        app
    }

    /// Starts a service that lets each token ask so often a second.
    pub(crate) async fn start_at(db: &TestDb, api_rate: u32) -> Self {
        let api_rate = api_rate.try_into().unwrap();
        let (app, ready) = Self::launch_with(db, Settings { api_rate, ..settings(&db.url) }).await;
        ready.await.expect("the service gets ready");
        app
    }

    /// Starts a service and does not wait: the receiver hears when it is ready.
    pub(crate) async fn launch(db: &TestDb) -> (Self, oneshot::Receiver<()>) {
        Self::launch_with(db, settings(&db.url)).await
    }

    /// Starts a service with these settings, its database reached directly or not. Where they name
    /// no spool it has one of its own.
    pub(crate) async fn launch_with(
        db: &TestDb,
        settings: Settings,
    ) -> (Self, oneshot::Receiver<()>) {
        let home = tempfile::tempdir().unwrap();
        let mut settings = settings;
        if settings.spool.starts_with("/nonexistent") {
            settings.spool = home.path().join("spool.db");
        }
        let app: App = app::build(&settings, Clock::system()).await.unwrap();
        let url = app.url();
        let (stop, stopped) = oneshot::channel();
        let (say_ready, ready) = oneshot::channel();
        let stopping = async {
            // A dropped sender stops the service too.
            stopped.await.unwrap_or_default();
        };
        let running = tokio::spawn(app.run_until_stopped(stopping, || {
            say_ready.send(()).ok();
        }));
        let db = Db::open(&db.url).await.unwrap();
        let (stop, running) = (Some(stop), Some(running));
        let app = Self { url, db, _home: home, http: client(), stop, running };
        (app, ready)
    }

    /// Asks the service to stop and waits until it has.
    pub(crate) async fn stop(mut self) -> Result<(), app::StartError> {
        self.stop.take().unwrap().send(()).unwrap();
        self.running.take().unwrap().await.unwrap()
    }

    /// A tenant in Dublin.
    pub(crate) async fn tenant(&self, slug: &str) -> Uuid {
        let id = ids::new(now());
        self.tenant_with_id(id, slug).await
    }

    /// A tenant in Dublin with an id of the test's choice.
    pub(crate) async fn tenant_with_id(&self, id: Uuid, slug: &str) -> Uuid {
        let settings = TenantSettings {
            id,
            slug: slug.to_owned(),
            default_region: Region::parse("IE").unwrap(),
            timezone: chrono_tz::Europe::Dublin,
            currency: Currency::parse("EUR").unwrap(),
            date_order: DateOrder::Dmy,
        };
        let mut tx = self.db.begin().await.unwrap();
        let conn = &mut tx.conn();
        assert!(tenants::insert(conn, slug, &settings, now()).await.unwrap());
        bookhook::storage::installation::bump_registry(conn).await.unwrap();
        tx.commit().await.unwrap();
        settings.id
    }

    /// A connection with [`SECRET`]; `None` for a platform one. Answers its public id.
    pub(crate) async fn connection(
        &self,
        source: &str,
        tenant: Option<Uuid>,
        accounts: &[(&str, Uuid)],
    ) -> String {
        self.connection_with(source, tenant, accounts, SECRET).await
    }

    /// A connection with a secret of the test's choice.
    pub(crate) async fn connection_with(
        &self,
        source: &str,
        tenant: Option<Uuid>,
        accounts: &[(&str, Uuid)],
        secret: &str,
    ) -> String {
        let key = MasterKey::parse(MASTER_KEY).unwrap();
        let public = format!("cn_{}", ids::random_text(20).unwrap());
        let now = self::now();
        let mut tx = self.db.begin().await.unwrap();
        let conn = &mut tx.conn();
        let id = connections::insert(conn, &public, source, tenant, now).await.unwrap();
        connections::insert_secret(conn, &key, id, Purpose::Signing, secret, now).await.unwrap();
        let verify = "verify-me";
        connections::insert_secret(conn, &key, id, Purpose::Handshake, verify, now).await.unwrap();
        for (account, tenant) in accounts {
            let row = AccountRow {
                tenant_id: *tenant,
                source: source.to_owned(),
                account_id: (*account).to_owned(),
                connection_id: id,
            };
            assert!(connections::insert_account(conn, &row, now).await.unwrap());
        }
        tx.commit().await.unwrap();
        public
    }

    /// A token of this role; `None` for the whole platform.
    pub(crate) async fn token(&self, role: Role, tenant: Option<Uuid>) -> String {
        let mut tx = self.db.begin().await.unwrap();
        let made = auth::make_token(&mut tx.conn(), tenant, role, "test", (now(), None)).await;
        tx.commit().await.unwrap();
        made.unwrap().1
    }

    /// Posts a body to a connection (or, `None`, the bare address), signed with [`SECRET`].
    pub(crate) async fn deliver(
        &self,
        source: &str,
        connection: Option<&str>,
        body: &[u8],
    ) -> Answer {
        let id = format!("msg_{}", ids::random_text(12).unwrap());
        self.deliver_as(source, connection, body, SECRET, &id).await
    }

    /// Posts a body signed with a secret and delivery id of the test's choice.
    pub(crate) async fn deliver_as(
        &self,
        source: &str,
        connection: Option<&str>,
        body: &[u8],
        secret: &str,
        id: &str,
    ) -> Answer {
        let found = sources::find(source).unwrap();
        let headers = found.sign(secret, body, id, now()).unwrap();
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        self.post(&address(source, connection), &headers, body).await
    }

    /// Posts a body with a token and no signature.
    pub(crate) async fn deliver_with_token(
        &self,
        source: &str,
        token: &str,
        body: &Value,
    ) -> Answer {
        let bearer = format!("Bearer {token}");
        let body = body.to_string();
        self.post(&address(source, None), &[("authorization", &bearer)], body.as_bytes()).await
    }

    /// Posts a body as JSON with these headers.
    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = self.http.post(format!("{}{path}", self.url)).body(body.to_vec());
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request).await
    }

    /// A request to be finished by the test, with a token when it isn't empty.
    pub(crate) fn request(
        &self,
        method: Method,
        path: &str,
        token: &str,
    ) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        if token.is_empty() { request } else { request.bearer_auth(token) }
    }

    /// Any request, with a token when it isn't empty.
    pub(crate) async fn ask(&self, method: Method, path: &str, token: &str) -> Answer {
        read(self.request(method, path, token)).await
    }

    /// A request with a JSON body.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: &Value,
    ) -> Answer {
        let request = self.request(method, path, token);
        read(request.header("content-type", "application/json").body(body.to_string())).await
    }

    /// Reads an address of the tenant's API as a platform admin; fails unless it answers 200.
    pub(crate) async fn read(&self, tenant: Uuid, path: &str) -> Value {
        let token = self.token(Role::PlatformAdmin, None).await;
        let path = format!("/api/platform/tenants/{tenant}/{path}");
        let answer = self.ask(Method::GET, &path, &token).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        answer.body
    }

    /// The rows of a list of the tenant's API (at most 100).
    pub(crate) async fn rows(&self, tenant: Uuid, noun: &str) -> Vec<Value> {
        let page = self.read(tenant, &format!("{noun}?limit=100")).await;
        page["data"].as_array().unwrap().clone()
    }
}

/// The address of a source, bare or with a connection.
pub(crate) fn address(source: &str, connection: Option<&str>) -> String {
    let path = sources::find(source).unwrap().path();
    connection.map_or_else(|| path.to_owned(), |id| format!("{path}/{id}"))
}

async fn read(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let status = response.status();
    let bytes = response.bytes().await.unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::String(text));
    assert_documented(&body);
    Answer { status, body }
}

/// Whatever a test is refused with: its code stands in the page that lists them all, or among
/// what ends in review.
fn assert_documented(body: &Value) {
    const PAGES: [&str; 2] =
        [include_str!("../../../docs/problems.md"), include_str!("../../../docs/understanding.md")];
    if !body["type"].as_str().is_some_and(|text| text.starts_with("urn:bookhook:problem:")) {
        return;
    }
    let members = body["errors"].as_array().into_iter().flatten();
    for code in members.chain([body]).filter_map(|part| part["code"].as_str()) {
        let named = format!("`{code}`");
        let group = code.split('_').next().map(|word| format!("`{word}_…`")).unwrap_or_default();
        let known = PAGES.iter().any(|page| page.contains(&named) || page.contains(&group));
        assert!(known, "{code} is not in docs/problems.md: {body}");
    }
}
