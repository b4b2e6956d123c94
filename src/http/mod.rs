//! The route table, and what every answer has in common. The only place that names the web
//! framework.

mod api;
pub mod counting;
mod docs;
mod extract;
pub mod health;
mod idempotency;
pub mod openapi;
mod problem;
mod spoken;
mod stream;
pub mod throttle;
mod webhooks;

use crate::clock::Clock;
use crate::sources;
use crate::storage::Db;
use crate::storage::seal::MasterKey;
use crate::tracking::Tracker;
use crate::tracking::intake::Intake;
use crate::tracking::spool::Slot;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{HttpServiceFactory, Server, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::{Compress, Next, from_fn};
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, Error, FromRequest, HttpMessage as _, HttpServer, Responder};
use api::{
    audit, bookings, clients, connections, events, exports, inbox, leads, replay, tenants, tokens,
    users,
};
use counting::Counting;
use extract::access::{identify, locate};
use health::Readiness;
use idempotency::repeatable;
use problem::Problem;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use throttle::Throttle;
use tracing_actix_web::{RequestId, RootSpanBuilder, TracingLogger};

/// What the handlers share.
#[derive(Clone)]
pub struct Shared {
    /// The database.
    pub db: Db,
    /// The master key.
    pub key: MasterKey,
    /// The time.
    pub clock: Clock,
    /// Takes deliveries.
    pub intake: Arc<Intake>,
    /// Tracks events that are stored already.
    pub tracker: Tracker,
    /// Whether deliveries are taken.
    pub readiness: Arc<Readiness>,
    /// Where deliveries wait while the database is away.
    pub spool: Slot,
    /// How often callers may ask.
    pub throttle: Arc<Throttle>,
    /// Counts clients.
    pub counting: Arc<Counting>,
}

/// Every route of the service.
fn routes(config: &mut ServiceConfig) {
    config
        .service(at("/healthz").get(health::alive))
        .service(at("/readyz").get(health::ready))
        .service(at("/metrics").get(health::metrics))
        .configure(deliveries)
        .configure(docs::pages)
        .service(
            web::scope("/api/platform")
                .wrap(from_fn(identify))
                .service(
                    web::scope("/tenants/{tenantId}")
                        .wrap(from_fn(repeatable))
                        .wrap(from_fn(locate))
                        .configure(tenant_routes),
                )
                .service(web::scope("").wrap(from_fn(repeatable)).configure(platform_routes)),
        )
        .default_service(web::to(problem::not_found));
}

/// The address of every source, bare and with a connection behind it, and of the functions that
/// its agents call.
fn deliveries(config: &mut ServiceConfig) {
    for source in sources::ALL.iter().copied() {
        let functions =
            source.functions().map(|path| format!("{path}/{{connection}}/{{function}}"));
        let paths = [source.path().to_owned(), format!("{}/{{connection}}", source.path())];
        for path in paths.into_iter().chain(functions) {
            let mut address = at(&path).post(webhooks::deliver);
            if source.has_handshake() {
                address = address.get(webhooks::handshake);
            }
            config.service(address.with(web::Data::new(webhooks::Of(source))));
        }
    }
}

/// What is one tenant's.
fn tenant_routes(config: &mut ServiceConfig) {
    config
        .service(at("").get(tenants::show).patch(tenants::update).delete(tenants::remove::remove))
        .service(at("/export").get(tenants::archive::export))
        .service(at("/clients").get(clients::list::list).post(clients::write::create))
        .service(at("/clients.csv").get(exports::clients::csv))
        .service(at("/clients.xlsx").get(exports::clients::xlsx))
        .service(at("/clients/import").post(clients::import::import))
        .service(at("/clients/stats").get(clients::stats::show))
        .service(at("/clients/duplicates").get(clients::duplicates::list))
        .service(
            at("/clients/{id}")
                .get(clients::profile::show)
                .patch(clients::write::update)
                .delete(clients::write::erase),
        )
        .service(at("/clients/{id}/bookings").get(clients::told::bookings))
        .service(at("/clients/{id}/events").get(clients::told::events))
        .service(
            at("/clients/{id}/mappings").get(clients::mappings::list).post(clients::mappings::add),
        )
        .service(at("/clients/{id}/mappings/{mappingId}").delete(clients::mappings::remove))
        .service(at("/bookings").get(bookings::list::list).post(bookings::write::create))
        .service(at("/bookings.csv").get(exports::bookings::csv))
        .service(at("/bookings.xlsx").get(exports::bookings::xlsx))
        .service(at("/bookings/{id}").get(bookings::show).patch(bookings::write::update))
        .service(at("/leads").get(leads::list::list).post(leads::write::create))
        .service(at("/leads/{id}").get(leads::show).patch(leads::write::update))
        .service(
            at("/leads/{id}/interactions").get(leads::interactions).post(leads::write::interact),
        )
        .service(at("/leads/{id}/convert").post(leads::write::convert))
        .service(at("/events").get(events::list))
        .service(at("/events/replay").post(replay::many))
        .service(at("/events/{id}").get(events::show))
        .service(at("/events/{id}/replay").post(replay::one))
        .service(at("/connections").get(connections::list).post(connections::create))
        .service(
            at("/connections/{id}")
                .get(connections::show)
                .patch(connections::update)
                .delete(connections::disable),
        )
        .service(at("/connections/{id}/rotate").post(connections::rotate))
        .service(at("/tokens").get(tokens::list).post(tokens::create))
        .service(at("/tokens/{id}").delete(tokens::revoke))
        .service(at("/users").get(users::list).post(users::create))
        .service(at("/users/{id}").patch(users::update))
        .service(at("/audit").get(audit::list))
        .default_service(web::to(problem::not_found));
}

/// An address; a method that it doesn't take is 405.
fn at(path: &str) -> At {
    At(web::resource(path), Vec::new())
}

/// An address with the handlers of its methods, and what these are called.
struct At(actix_web::Resource, Vec<&'static str>);

/// Names a method's builder.
macro_rules! methods {
    ($($method:ident $name:literal),+) => { impl At { $(
        fn $method<F, Args>(mut self, handler: F) -> Self
        where
            F: actix_web::Handler<Args, Output: Responder + 'static>,
            Args: FromRequest + 'static,
        {
            self.1.push($name);
            Self(self.0.route(web::$method().to(handler)), self.1)
        }
    )+ } };
}

methods!(get "GET, HEAD", post "POST", patch "PATCH", delete "DELETE");

impl At {
    /// The same, whose handlers find this.
    fn with<D: 'static>(self, data: D) -> Self {
        Self(self.0.app_data(data), self.1)
    }
}

impl HttpServiceFactory for At {
    fn register(self, config: &mut actix_web::dev::AppService) {
        let refusal = web::to(problem::method_not_allowed);
        let allow = problem::Allow(self.1.join(", "));
        self.0.app_data(allow).default_service(refusal).register(config);
    }
}

/// What is the platform's.
fn platform_routes(config: &mut ServiceConfig) {
    config
        .service(at("/tenants").get(tenants::list).post(tenants::create))
        .service(at("/inbox").get(inbox::list))
        .service(at("/inbox/{id}").get(inbox::show))
        .default_service(web::to(problem::not_found));
}

/// The server on a bound socket; it serves once it is awaited. Asked to stop, it ends once what was
/// taken is answered, and after `stop_within` whatever is left.
///
/// # Errors
/// When the socket can't be used.
pub fn server(listener: TcpListener, shared: Shared, stop_within: Duration) -> io::Result<Server> {
    let shared = web::Data::new(shared);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(shared.clone())
            .configure(routes)
            .wrap(Compress::default())
            .wrap(from_fn(throttle::throttle))
            .wrap(from_fn(finish))
            .wrap(TracingLogger::<Root>::new())
    });
    // The command waits for signals itself and stops the server in order.
    Ok(server.disable_signals().shutdown_timeout(stop_within.as_secs()).listen(listener)?.run())
}

/// The last touch on every answer: its request id, and the same in a problem's body.
async fn finish(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut request = request;
    let id = request.extensions().get::<RequestId>().map(ToString::to_string);
    // HEAD is GET without the body, which the connection leaves out by itself.
    if request.method() == Method::HEAD {
        request.head_mut().method = Method::GET;
    }
    let response = match next.call(request).await {
        Ok(response) => response,
        Err(error) => return Err(error),
    };
    let problem = response.response().error().and_then(|e| e.as_error::<Problem>()).cloned();
    let mut response = match problem {
        Some(problem) => {
            let body = problem.response(id.as_deref());
            response.into_response(body)
        }
        None => response.map_into_boxed_body(),
    };
    if let Some(value) = id.and_then(|id| HeaderValue::from_str(&id).ok()) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    Ok(response)
}

/// The span of a request: its id, method and route pattern. Never the path or query, which can
/// hold phone numbers and tokens.
struct Root;

impl RootSpanBuilder for Root {
    fn on_request_start(request: &ServiceRequest) -> tracing::Span {
        let id = request.extensions().get::<RequestId>().map(ToString::to_string);
        let route = request.match_pattern().unwrap_or_default();
        tracing::info_span!(
            "request",
            request_id = id.unwrap_or_default(),
            method = %request.method(),
            route,
        )
    }

    fn on_request_end<B: MessageBody>(
        span: tracing::Span,
        outcome: &Result<ServiceResponse<B>, Error>,
    ) {
        let status = match outcome {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        tracing::debug!(parent: &span, status = status.as_u16(), "answered");
    }
}
