//! The API's description: it is what is committed, it is whole, and every operation keeps to it
//! with every role.

use super::support::app::TestApp;
use bookhook::domain::channel::Role;
use bookhook::http::openapi;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::collections::BTreeSet;
use uuid::Uuid;

fn document() -> Value {
    serde_json::from_str(&openapi::text().unwrap()).unwrap()
}

/// One operation of the document.
struct Operation {
    method: Method,
    path: String,
    what: Value,
}

impl Operation {
    fn all() -> Vec<Self> {
        let document = document();
        let mut all = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, what) in item.as_object().unwrap() {
                let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
                all.push(Self { method, path: path.clone(), what: what.clone() });
            }
        }
        all
    }

    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The roles that the document says it takes.
    fn roles(&self) -> BTreeSet<String> {
        let token = &self.what["security"][0]["token"];
        let roles = token.as_array().unwrap_or_else(|| panic!("{} has no roles", self.name()));
        roles.iter().map(|role| role.as_str().unwrap().to_owned()).collect()
    }

    /// Its address in a tenant, with ids that name nothing.
    fn address(&self, tenant: Uuid) -> String {
        let path = self.path.replace("{tenantId}", &tenant.to_string());
        let parts = path.split('/').map(|part| {
            if part.starts_with('{') { Uuid::max().to_string() } else { part.to_owned() }
        });
        parts.collect::<Vec<_>>().join("/")
    }

    async fn ask(&self, app: &TestApp, tenant: Uuid, token: &str) -> StatusCode {
        let request = app.request(self.method.clone(), &self.address(tenant), token);
        let request = request.header("content-type", "application/json").body("{}");
        request.send().await.unwrap().status()
    }
}

#[test]
fn the_committed_document_is_the_one_that_the_code_makes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == openapi::text().unwrap(),
        "docs/openapi.json is out of date: cargo run -- openapi > docs/openapi.json"
    );
}

#[test]
fn every_operation_says_what_it_needs() {
    assert!(document()["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut ids = BTreeSet::new();
    for operation in Operation::all() {
        let (name, what) = (operation.name(), &operation.what);
        assert!(ids.insert(what["operationId"].to_string()), "{name}: its id is not its own");
        assert!(what["summary"].as_str().is_some_and(|text| text.len() > 5), "{name}: no summary");
        assert_eq!(what["tags"].as_array().unwrap().len(), 1, "{name}: one tag");
        assert!(operation.roles().contains("platform_admin"), "{name}: an admin may everything");
        let parameters = what["parameters"].as_array().cloned().unwrap_or_default();
        let named: BTreeSet<String> =
            parameters.iter().map(|one| format!("{} {}", one["in"], one["name"])).collect();
        assert_eq!(named.len(), parameters.len(), "{name}: a parameter stands there twice");
        for parameter in &parameters {
            assert!(parameter["description"].is_string(), "{name}: {parameter} is not described");
        }
        let answers = what["responses"].as_object().unwrap();
        for status in ["401", "403", "429", "503"] {
            assert!(answers.contains_key(status), "{name}: {status} is not described");
        }
        assert!(answers.keys().any(|status| status.starts_with('2')), "{name}: no success");
    }
}

/// Every handler of the route table is in the document.
#[test]
fn no_route_is_left_out_of_the_document() {
    let read = |file: &str| {
        let path = format!("{}/src/http/{file}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    };
    let (routes, listed) = (read("mod.rs"), read("openapi.rs"));
    let begin = routes.find("fn tenant_routes").unwrap();
    let end = routes.find("/// The server on a bound").unwrap_or(routes.len());
    let table: String = routes.get(begin..end).unwrap().split_whitespace().collect();
    let handlers: Vec<&str> = [".get(", ".post(", ".patch(", ".delete("]
        .iter()
        .flat_map(|method| table.split(*method).skip(1))
        .map(|rest| rest.split(')').next().unwrap())
        .collect();
    assert!(handlers.len() >= 6, "the table is read: {handlers:?}");
    for handler in handlers {
        assert!(listed.contains(&format!("{handler},")), "{handler} is not in openapi.rs");
    }
    // The tokens of the table are spread over lines: a method is the word after a point.
    let methods = ["get", "post", "patch", "delete"].map(|method| format!(".{method}("));
    let in_table: usize = methods.iter().map(|method| table.matches(method.as_str()).count()).sum();
    assert_eq!(Operation::all().len(), in_table, "operations of the document, and routes");
}

both_engines! {
    async fn every_operation_takes_the_roles_that_the_document_says(db: TestDb) {
        let mut app = TestApp::start(&db).await;
        let other = app.tenant("other").await;
        let platform = app.token(Role::PlatformAdmin, None).await;
        for (number, operation) in Operation::all().iter().enumerate() {
            if number % 40 == 39 {
                // An address may fail to say who it is a hundred times; a new service has heard none.
                app = TestApp::start(&db).await;
            }
            // A tenant of its own: an operation may change or delete it.
            let tenant = app.tenant(&format!("t{number}")).await;
            let (name, roles) = (operation.name(), operation.roles());
            for role in Role::ALL {
                if *role == Role::PlatformAdmin {
                    continue;
                }
                let token = app.token(*role, Some(tenant)).await;
                let status = operation.ask(&app, tenant, &token).await;
                assert_ne!(status, StatusCode::METHOD_NOT_ALLOWED, "{name}: has no route");
                assert!(!status.is_server_error(), "{name} as {role}: {status}");
                let allowed = status != StatusCode::FORBIDDEN && status != StatusCode::UNAUTHORIZED;
                assert_eq!(allowed, roles.contains(role.as_str()), "{name} as {role}: {status}");
                if operation.path.contains("{tenantId}") {
                    let foreign = app.token(*role, Some(other)).await;
                    let status = operation.ask(&app, tenant, &foreign).await;
                    assert_eq!(status, StatusCode::NOT_FOUND, "{name} as another's {role}");
                }
            }
            let nobody = operation.ask(&app, tenant, "").await;
            assert_eq!(nobody, StatusCode::UNAUTHORIZED, "{name} without a token");
            let wrong = operation.ask(&app, tenant, "bk_live_wrong").await;
            assert_eq!(wrong, StatusCode::UNAUTHORIZED, "{name} with a token that is none");
            let status = operation.ask(&app, tenant, &platform).await;
            assert_ne!(status, StatusCode::FORBIDDEN, "{name} as platform_admin");
            assert!(!status.is_server_error(), "{name} as platform_admin: {status}");
        }
    }

    async fn the_documents_pages_come_from_the_service_itself(db: TestDb) {
        let app = TestApp::start(&db).await;
        let served = app.ask(Method::GET, openapi::PATH, "").await;
        assert_eq!(served.body, document());
        let page = app.ask(Method::GET, "/docs/", "").await;
        assert_eq!(page.status, StatusCode::OK);
        let page = page.body.as_str().unwrap().to_owned();
        assert!(page.contains("swagger-ui"), "{page}");
        for outside in ["src=\"http", "href=\"http", "src=\"//"] {
            assert!(!page.contains(outside), "the page loads from elsewhere: {page}");
        }
        let mut assets = 0;
        let is_asset = |part: &&str| {
            let extension = std::path::Path::new(part).extension();
            extension.is_some_and(|extension| extension == "js" || extension == "css")
        };
        for part in page.split(['"', '\'']).filter(is_asset) {
            let path = format!("/docs/{}", part.trim_start_matches("./"));
            let asset = app.ask(Method::GET, &path, "").await;
            assert_eq!(asset.status, StatusCode::OK, "{path}");
            let text = asset.body.as_str().unwrap();
            assert!(!text.is_empty(), "{path} is empty");
            if part.contains("initializer") {
                assert!(text.contains(openapi::PATH), "it shows this document: {text}");
            }
            assets += 1;
        }
        assert!(assets >= 4, "scripts and styles are read: {page}");
        let moved = app.ask(Method::GET, "/docs", "").await;
        assert_eq!(moved.status, StatusCode::OK, "followed to /docs/");
    }

    async fn an_address_answers_head_as_get_and_refuses_other_methods_by_name(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("salon").await;
        let token = app.token(Role::ClientAdmin, Some(tenant)).await;
        for noun in ["clients", "bookings", "events"] {
            let path = format!("/api/platform/tenants/{tenant}/{noun}");
            let head = app.request(Method::HEAD, &path, &token).send().await.unwrap();
            assert_eq!(head.status(), StatusCode::OK, "HEAD {noun}");
            assert_eq!(head.bytes().await.unwrap().len(), 0, "HEAD {noun} has no body");
            let put = app.request(Method::PUT, &path, &token).send().await.unwrap();
            assert_eq!(put.status(), StatusCode::METHOD_NOT_ALLOWED);
            let allow = put.headers()["allow"].to_str().unwrap().to_owned();
            assert!(allow.starts_with("GET, HEAD"), "{allow}");
            let problem: Value = serde_json::from_slice(&put.bytes().await.unwrap()).unwrap();
            assert_eq!(problem["code"], "method_not_allowed");
        }
    }
}
