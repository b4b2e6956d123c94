//! The API's description of itself, OpenAPI 3.1, made from the handlers.

use super::api::{
    audit, bookings, clients, connections, events, exports, inbox, leads, replay, tenants, tokens,
    users,
};
use super::problem::{FaultJson, ProblemJson};
use crate::domain::channel::Role;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, OpenApi as Document, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi};

/// Where the document is.
pub const PATH: &str = "/api/openapi.json";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Bookhook",
        description = "Clients, bookings and leads of a tenant, and everything needed to run it.\n\nEvery call carries a token: `Authorization: Bearer bk_live_…` (make one with `bookhook token add`). A token is for one tenant, or for the platform; what belongs to another tenant is 404. The roles that an operation takes stand at its `security`. Lists are pages: pass `nextCursor` as `cursor` for the next. Times are RFC 3339 in UTC; amounts are decimal numbers with an ISO 4217 `currency`. Errors are RFC 9457 problems with a stable `code`. A POST with an `Idempotency-Key` may be repeated for 24 hours without doing its work twice.",
    ),
    tags(
        (name = "clients", description = "People who booked, or may"),
        (name = "bookings", description = "Appointments"),
        (name = "leads", description = "People who only asked"),
        (name = "events", description = "What was delivered, and what became of it"),
        (name = "running", description = "Connections, tokens, users, the audit log"),
        (name = "platform", description = "Tenants, and what belongs to none"),
    ),
    paths(
        clients::list::list, clients::write::create, clients::stats::show,
        clients::duplicates::list, clients::profile::show, clients::write::update,
        clients::write::erase, clients::told::bookings, clients::told::events,
        clients::mappings::list, clients::mappings::add, clients::mappings::remove,
        bookings::list::list, bookings::show, bookings::write::create, bookings::write::update,
        clients::import::import,
        exports::clients::csv, exports::clients::xlsx,
        exports::bookings::csv, exports::bookings::xlsx,
        leads::list::list, leads::show, leads::write::create, leads::write::update,
        leads::interactions, leads::write::interact, leads::write::convert,
        events::list, events::show, replay::one, replay::many,
        connections::list, connections::create, connections::show, connections::update,
        connections::disable, connections::rotate,
        tokens::list, tokens::create, tokens::revoke,
        users::list, users::create, users::update,
        audit::list,
        tenants::list, tenants::create, tenants::show, tenants::update,
        tenants::remove::remove, tenants::archive::export,
        inbox::list, inbox::show,
    ),
    components(schemas(ProblemJson, FaultJson)),
    modifiers(&Finish),
)]
struct Api;

/// What the attributes can't say.
struct Finish;

impl Modify for Finish {
    fn modify(&self, document: &mut Document) {
        let mut scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
        scheme = scheme.description(Some("A token of `bookhook token add`, or of POST …/tokens"));
        for item in document.paths.paths.values_mut() {
            for operation in operations(item) {
                tidy(operation);
            }
        }
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme.build()));
    }
}

/// The operations of an address.
fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, post, put, patch, delete, .. } = item;
    [get, post, put, patch, delete].into_iter().filter_map(Option::as_mut)
}

/// The generator finds the parameters of an address twice, in the attribute and in the handler:
/// the first has the description. And whatever has a version may be answered as known.
fn tidy(operation: &mut Operation) {
    let mut known = BTreeSet::new();
    if let Some(parameters) = &mut operation.parameters {
        let place = |parameter: &Parameter| match parameter.parameter_in {
            ParameterIn::Path => "path",
            ParameterIn::Header => "header",
            _ => "query",
        };
        parameters.retain(|parameter| match parameter {
            RefOr::T(parameter) => known.insert((parameter.name.clone(), place(parameter))),
            RefOr::Ref(_) => true,
        });
    }
}

/// The document.
#[must_use]
pub fn document() -> &'static Document {
    static DOCUMENT: OnceLock<Document> = OnceLock::new();
    DOCUMENT.get_or_init(Api::openapi)
}

/// The document as it is committed: JSON for people to read, with a line end.
///
/// # Errors
/// When it can't be written as JSON.
pub fn text() -> serde_json::Result<String> {
    Ok(document().to_pretty_json()? + "\n")
}

/// True when a role may post to an address, as far as the document says. It spares reading a body
/// that will be refused: the handler itself checks all the same.
pub(super) fn may_post(pattern: &str, role: Role) -> bool {
    static POSTS: OnceLock<BTreeMap<&str, Vec<String>>> = OnceLock::new();
    let roles = POSTS.get_or_init(posts).get(pattern);
    roles.is_none_or(|roles| roles.iter().any(|named| named == role.as_str()))
}

/// The roles that may post, by address.
fn posts() -> BTreeMap<&'static str, Vec<String>> {
    let roles = |item: &PathItem| {
        let security = serde_json::to_value(&item.post.as_ref()?.security).ok()?;
        serde_json::from_value(security.pointer("/0/token")?.clone()).ok()
    };
    let paths = document().paths.paths.iter();
    paths.filter_map(|(path, item)| Some((path.as_str(), roles(item)?))).collect()
}

/// The tenant in an address.
#[derive(IntoParams)]
#[into_params(parameter_in = Path, names("tenantId"))]
pub(super) struct TenantPath(
    /// The tenant's id, or its slug.
    #[param(example = "glow-studio")]
    #[expect(dead_code, reason = "it is only described")]
    String,
);

/// The header that lets a POST be repeated.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(super) struct Repeatable {
    /// A key of the caller's choice: a repeat within 24 hours answers what the first answered.
    #[param(rename = "Idempotency-Key", max_length = 200)]
    #[expect(dead_code, reason = "it is only described")]
    idempotency_key: Option<String>,
}

/// The header that keeps a change from undoing another.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(super) struct Matching {
    /// The `ETag` that was read: the change is refused with 412 when there is a newer one.
    #[param(rename = "If-Match")]
    #[expect(dead_code, reason = "it is only described")]
    if_match: Option<String>,
}

fn refusal(description: &str) -> RefOr<Response> {
    let content = Content::new(Some(Ref::from_schema_name("Problem")));
    let response = ResponseBuilder::new().description(description);
    RefOr::T(response.content("application/problem+json", content).build())
}

type Answers = BTreeMap<String, RefOr<Response>>;

fn refusals(all: &[(&str, &str)]) -> Answers {
    all.iter().map(|(status, text)| ((*status).to_owned(), refusal(text))).collect()
}

/// What any operation may answer when it is refused.
pub(super) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> Answers {
        refusals(&[
            ("400", "A parameter, header or body that can't be read"),
            ("401", "No token that is good"),
            ("403", "The role may not do this"),
            ("404", "There is no such thing in this tenant"),
            ("429", "Too many requests; Retry-After says when to come again"),
            ("503", "The database is not available; nothing was changed"),
        ])
    }
}

/// What an operation with a body may answer besides.
pub(super) struct WriteRefusals;

impl IntoResponses for WriteRefusals {
    fn responses() -> Answers {
        let mut all = Refusals::responses();
        all.extend(refusals(&[
            ("409", "Something that exists, or its state, stands in the way"),
            ("412", "It has changed since it was read"),
            ("413", "The body is too large"),
            ("415", "The body is of another media type"),
            ("422", "Members of the body are wrong: `errors` has every one"),
        ]));
        all
    }
}
