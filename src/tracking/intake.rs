//! From received bytes to answers: who vouches for a delivery, whose each of its events is.

use super::answer::Answer;
use super::directory::{Directory, Registry};
use super::route::{Route, route, sole_tenant};
use super::spool::{Slot, Spool};
use super::store::{Placed, Store};
use super::vouch::vouch;
use super::{Taken, TrackError, Tracker, can_correct};
use crate::auth::Access;
use crate::domain::ids;
use crate::domain::problem::Problem;
use crate::domain::sighting::Rank;
use crate::domain::tenant::TenantSettings;
use crate::sources::{Delivery, DeliveryKey, Headers, Item, Malformed, Source};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::json;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// The headers that are kept with an event. Never a credential.
const KEPT_HEADERS: &[&str] =
    &["content-type", "user-agent", "webhook-id", "webhook-timestamp", "idempotency-key"];

/// A delivery as it arrived, not verified yet.
pub struct Incoming {
    /// The source whose address it came to.
    pub source: &'static dyn Source,
    /// The connection that its address names.
    pub connection: Option<String>,
    /// The function that its address names, of a call to us in the middle of a conversation.
    pub function: Option<String>,
    /// The path it was posted to.
    pub path: String,
    /// Its headers.
    pub headers: Headers,
    /// Its body, byte for byte.
    pub body: Bytes,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// What its token gives, when it carries a good one.
    pub access: Option<Access>,
}

/// What a verified delivery is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// One event's answer.
    One(Box<Answer>),
    /// The answers to a batch, in order.
    Many(Vec<Answer>),
    /// The answer to an agent that waits for words in a conversation with a customer.
    Spoken(Box<Spoken>),
}

/// An answer, and whose words it is to be put into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// What became of the event.
    pub answer: Answer,
    /// The tenant it was tracked for; `None` where it was kept for nobody.
    pub tenant: Option<Arc<TenantSettings>>,
}

/// Why a delivery is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Nothing vouches for it: no such connection, a disabled one, a wrong or stale signature.
    #[error("the delivery is not signed by a secret of this connection")]
    Unauthorized,
    /// It names no connection and no tenant, so there is no key to try.
    #[error("the body names no tenant: post it to the connection's own address")]
    NoConnection,
    /// The credential may not write to the tenant that the body names.
    #[error("this credential may not write to the tenant that the body names")]
    Forbidden,
    /// A platform credential, and no tenant that it could mean.
    #[error("the body must name an existing tenant in tenantId, by id or slug")]
    TenantUnknown,
    /// The caller's own key was used with another body.
    #[error("this delivery key was used before with another body; use a new one")]
    KeyReused(Uuid),
    /// It isn't a delivery of the source at all; it is kept under this event.
    #[error("{}", problem.detail)]
    Malformed {
        /// What is wrong with it.
        problem: Box<Problem>,
        /// Where it is kept.
        event_id: Option<Uuid>,
    },
    /// Nothing could be stored: to be sent again.
    #[error("the database is not available; send it again")]
    Unavailable(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
}

impl From<TrackError> for Refusal {
    fn from(error: TrackError) -> Self {
        match error {
            TrackError::KeyReused { event_id } => Self::KeyReused(event_id),
            TrackError::Denied(denied) => Self::Unavailable(Some(Box::new(denied))),
            TrackError::Busy => Self::Unavailable(None),
            TrackError::Unavailable(cause) => Self::Unavailable(Some(Box::new(cause))),
        }
    }
}

/// Takes deliveries: verifies, routes, tracks.
pub struct Intake {
    registry: Arc<Registry>,
    store: Store,
}

impl Intake {
    /// An intake that asks `registry` and gives to `tracker`, or to the spool once there is one
    /// and the database is away.
    #[must_use]
    pub fn new(registry: Arc<Registry>, tracker: Tracker, spool: Slot) -> Self {
        Self { registry, store: Store::new(tracker, spool) }
    }

    /// Verifies a delivery, routes each of its events to its tenant, and tracks them.
    ///
    /// # Errors
    /// [`Refusal`]; a refused delivery has stored nothing, except a malformed one that was
    /// verified and whose event id the refusal carries.
    pub async fn receive(&self, incoming: &Incoming) -> Result<Reply, Refusal> {
        let source = incoming.source;
        let mut directory = self.directory().await?;
        let mut routed = routes(&directory, incoming);
        if !is_settled(&routed) {
            // A tenant, connection or account may have been made a moment ago.
            directory = self.latest().await?;
            routed = routes(&directory, incoming);
        }
        let routed = match routed? {
            Ok(routed) => routed,
            Err(malformed) => return self.malformed(&directory, incoming, malformed).await,
        };
        let waiting = waiting(incoming, &routed);
        let answers = self.all(&directory, incoming, routed).await?;
        Ok(reply(source, waiting, answers))
    }

    /// True when a handshake's verify token is one of the connection's (or, on the bare address,
    /// of any of the source's). Compared in constant time.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] before the directory was read for the first time.
    pub async fn handshake(
        &self,
        source: &dyn Source,
        connection: Option<&str>,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, Refusal> {
        let fits = |directory: &Directory| {
            let named = directory
                .of_source(source.name())
                .filter(|c| connection.is_none_or(|id| c.public_id == id));
            named.fold(false, |fits, c| {
                c.handshake(now).fold(fits, |fits, known| {
                    fits | bool::from(known.as_bytes().ct_eq(token.as_bytes()))
                })
            })
        };
        if fits(&*self.directory().await?) {
            return Ok(true);
        }
        Ok(fits(&*self.latest().await?))
    }

    /// The directory as last read, while the database is known to be away: what stands in for it.
    #[must_use]
    pub fn directory_instead(&self) -> Option<Arc<Directory>> {
        let is_away = self.store.spool().is_some_and(Spool::is_taking);
        self.registry.current().filter(|_| is_away)
    }

    /// The same, for somebody who has just found the database away.
    #[must_use]
    pub fn directory_after_failure(&self) -> Option<Arc<Directory>> {
        self.store.spool()?.trip(&"it does not answer");
        self.directory_instead()
    }

    async fn directory(&self) -> Result<Arc<Directory>, Refusal> {
        if let Some(directory) = self.registry.current() {
            return Ok(directory);
        }
        self.refresh().await?;
        self.registry.current().ok_or(Refusal::Unavailable(None))
    }

    /// The directory read again: a connection may have been made or rotated a moment ago, here or
    /// by another instance. With the database away the last one stands.
    async fn latest(&self) -> Result<Arc<Directory>, Refusal> {
        if let Err(error) = self.refresh().await {
            tracing::warn!(%error, "tenants and connections could not be read again");
        }
        self.directory().await
    }

    /// Reads the directory again, unless the database is known to be away.
    async fn refresh(&self) -> Result<(), Refusal> {
        if self.store.spool().is_some_and(Spool::is_taking) {
            return Err(Refusal::Unavailable(None));
        }
        let read = self.registry.refresh().await;
        read.map_err(|error| Refusal::Unavailable(Some(Box::new(error))))
    }

    /// Tracks every event where it belongs, and answers in their order.
    async fn all(
        &self,
        directory: &Directory,
        incoming: &Incoming,
        routed: Vec<(Item, Route)>,
    ) -> Result<Vec<Answer>, Refusal> {
        let place = |(item, route)| placed(directory, incoming, item, route);
        self.store.all(routed.into_iter().map(place).collect()).await
    }

    /// Keeps a verified body that is no delivery of its source, and answers as its callers expect.
    async fn malformed(
        &self,
        directory: &Directory,
        incoming: &Incoming,
        malformed: Malformed,
    ) -> Result<Reply, Refusal> {
        let problem = malformed.problem;
        let voucher = &vouch(directory, incoming)?;
        let connection = voucher.connection().map(|c| c.id);
        let route = match sole_tenant(directory, voucher) {
            Some(tenant) => {
                Route::Held(tenant, connection, problem.code.clone(), problem.detail.clone())
            }
            None => Route::Inbox(connection),
        };
        let item = malformed_item(&incoming.body);
        let answers = self.all(directory, incoming, vec![(item, route)]).await?;
        if can_correct(incoming.source) {
            let event_id = answers.first().and_then(|answer| answer.event_id);
            return Err(Refusal::Malformed { problem: Box::new(problem), event_id });
        }
        let waiting = incoming.function.is_some().then_some(None);
        Ok(reply(incoming.source, waiting, answers))
    }
}

fn placed(directory: &Directory, incoming: &Incoming, item: Item, route: Route) -> Placed {
    let (tenant, connection_id, held) = match route {
        Route::Ignored => return Placed::Nowhere,
        Route::Inbox(connection) => return Placed::Inbox(inbox_taken(incoming, item, connection)),
        Route::Tenant(tenant, connection) => (tenant, connection, None),
        Route::Held(tenant, connection, code, detail) => (tenant, connection, Some((code, detail))),
    };
    let connection = connection_id.and_then(|id| directory.connection(id));
    Placed::Tenant(Taken {
        event_id: ids::new(incoming.received_at),
        queued: false,
        tenant,
        connection_id,
        map: connection.and_then(|c| c.map.clone()),
        source: incoming.source,
        item,
        path: incoming.path.clone(),
        headers: kept_headers(&incoming.headers),
        received_at: incoming.received_at,
        held,
    })
}

/// The events of a delivery that something vouches for, each with whose it is.
type Routed = Result<Vec<(Item, Route)>, Malformed>;

/// Verifies a delivery, cuts it into its events, and finds out whose each is.
fn routes(directory: &Directory, incoming: &Incoming) -> Result<Routed, Refusal> {
    let voucher = vouch(directory, incoming)?;
    let Incoming { body, headers, received_at, .. } = incoming;
    let split =
        |body: &[u8]| incoming.source.split(&Delivery { body, headers, received_at: *received_at });
    let items = match &incoming.function {
        Some(function) => incoming.source.named(function, body).and_then(|body| split(&body)),
        None => split(body),
    };
    let items = match items {
        Ok(items) => items,
        Err(malformed) => return Ok(Err(malformed)),
    };
    let place = |item: Item| {
        let route = route(directory, &voucher, incoming, &item)?;
        Ok((item, route))
    };
    items.into_iter().map(place).collect::<Result<_, Refusal>>().map(Ok)
}

/// True when a younger directory could say nothing else: every event has its tenant.
fn is_settled(routed: &Result<Routed, Refusal>) -> bool {
    match routed {
        Ok(Ok(events)) => events.iter().all(|(_, route)| matches!(route, Route::Tenant(..))),
        Ok(Err(_)) => true,
        Err(_) => false,
    }
}

/// An event for the platform's inbox.
#[derive(Clone)]
pub struct InboxTaken {
    /// The id it is stored under.
    pub event_id: Uuid,
    /// The connection that verified it.
    pub connection_id: Option<Uuid>,
    /// Where it comes from.
    pub source: &'static dyn Source,
    /// The event.
    pub item: Item,
    /// The kept headers, as a JSON object.
    pub headers: String,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
}

fn inbox_taken(incoming: &Incoming, item: Item, connection_id: Option<Uuid>) -> InboxTaken {
    InboxTaken {
        event_id: ids::new(incoming.received_at),
        connection_id,
        source: incoming.source,
        item,
        headers: kept_headers(&incoming.headers),
        received_at: incoming.received_at,
    }
}

fn malformed_item(body: &[u8]) -> Item {
    Item {
        kind: "malformed".to_owned(),
        account: None,
        tenant: None,
        key: DeliveryKey::BodyForAnHour,
        context: None,
        occurred_at: None,
        rank: Rank::Message,
        raw: body.to_vec(),
    }
}

/// The tenant of somebody who waits for words to speak from; `None` when nobody does.
type Waiting = Option<Option<Arc<TenantSettings>>>;

/// Who waits for words: whoever calls a function, at whichever address.
fn waiting(incoming: &Incoming, routed: &[(Item, Route)]) -> Waiting {
    let waits = |item: &Item| incoming.function.is_some() || incoming.source.waits(item);
    let (_, route) = routed.first().filter(|(item, _)| waits(item))?;
    Some(match route {
        Route::Tenant(tenant, _) | Route::Held(tenant, ..) => Some(Arc::clone(tenant)),
        Route::Inbox(_) | Route::Ignored => None,
    })
}

fn reply(source: &dyn Source, waiting: Waiting, mut answers: Vec<Answer>) -> Reply {
    if source.batches() || answers.len() > 1 {
        return Reply::Many(answers);
    }
    let answer = answers.pop().unwrap_or_else(|| Answer::ignored("no_event", None));
    match waiting {
        Some(tenant) => Reply::Spoken(Box::new(Spoken { answer, tenant })),
        None => Reply::One(Box::new(answer)),
    }
}

fn kept_headers(headers: &Headers) -> String {
    let kept = headers.iter().filter(|(name, _)| KEPT_HEADERS.contains(name));
    let bounded = kept.map(|(name, value)| (name, value.chars().take(500).collect::<String>()));
    json!(bounded.collect::<std::collections::BTreeMap<_, _>>()).to_string()
}
