//! From received bytes to answers: who vouches for a delivery, whose each of its events is.

use super::answer::Answer;
use super::directory::{Connection, Directory, Registry, distinct_secrets};
use super::{Taken, TrackError, Tracker, can_correct};
use crate::auth::Access;
use crate::domain::problem::Problem;
use crate::domain::sighting::Rank;
use crate::domain::tenant::TenantSettings;
use crate::sources::{Checked, Delivery, DeliveryKey, Headers, Item, Malformed, Source};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt};
use serde_json::json;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// The most distinct secrets that one delivery is tried with.
const MOST_SECRETS: usize = 16;

/// The most events of one delivery that are tracked at the same time.
const SIDE_BY_SIDE: usize = 8;

/// The headers that are kept with an event. Never a credential.
const KEPT_HEADERS: &[&str] =
    &["content-type", "user-agent", "webhook-id", "webhook-timestamp", "idempotency-key"];

/// A delivery as it arrived, not verified yet.
pub struct Incoming {
    /// The source whose address it came to.
    pub source: &'static dyn Source,
    /// The connection that its address names.
    pub connection: Option<String>,
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
        problem: Problem,
        /// Where it is kept.
        event_id: Option<Uuid>,
    },
    /// Nothing could be stored: to be sent again.
    #[error("the database is not available; send it again")]
    Unavailable(#[source] Option<storage_error::Boxed>),
}

/// Keeps the cause of an outage for the log without naming the database in the type.
pub mod storage_error {
    /// Any error.
    pub type Boxed = Box<dyn std::error::Error + Send + Sync>;
}

impl From<TrackError> for Refusal {
    fn from(error: TrackError) -> Self {
        match error {
            TrackError::KeyReused { event_id } => Self::KeyReused(event_id),
            TrackError::Unavailable(cause) => Self::Unavailable(Some(Box::new(cause))),
        }
    }
}

/// Takes deliveries: verifies, routes, tracks.
pub struct Intake {
    registry: Arc<Registry>,
    tracker: Tracker,
}

/// What vouches for a delivery.
enum Voucher<'a> {
    /// A secret: every connection of the source on which it is live, the addressed one first.
    Secret(Vec<&'a Connection>),
    /// A token, and the connection that the address names.
    Token { tenant: Option<Uuid>, connection: Option<&'a Connection> },
}

impl Voucher<'_> {
    /// The connection to note on an event whose own is not known.
    fn connection(&self) -> Option<&Connection> {
        match self {
            Self::Secret(connections) => connections.first().copied(),
            Self::Token { connection, .. } => *connection,
        }
    }
}

/// Whose an event is.
enum Route {
    /// A tenant's, by a connection.
    Tenant(Arc<TenantSettings>, Option<Uuid>),
    /// A tenant's, to be looked at by a person: code and sentence.
    Held(Arc<TenantSettings>, Option<Uuid>, &'static str, &'static str),
    /// Nobody's: the platform's inbox.
    Inbox(Option<Uuid>),
    /// Another's: not written, and no more said.
    Ignored,
}

impl Intake {
    /// An intake that asks `registry` and gives to `tracker`.
    #[must_use]
    pub fn new(registry: Arc<Registry>, tracker: Tracker) -> Self {
        Self { registry, tracker }
    }

    /// Verifies a delivery, routes each of its events to its tenant, and tracks them.
    ///
    /// # Errors
    /// [`Refusal`]; a refused delivery has stored nothing, except a malformed one that was
    /// verified and whose event id the refusal carries.
    pub async fn receive(&self, incoming: &Incoming) -> Result<Reply, Refusal> {
        let mut directory = self.directory().await?;
        let source = incoming.source;
        if vouch(&directory, incoming).is_err() {
            directory = self.latest().await?;
        }
        let voucher = vouch(&directory, incoming)?;
        let delivery = Delivery {
            body: &incoming.body,
            headers: &incoming.headers,
            received_at: incoming.received_at,
        };
        let items = match source.split(&delivery) {
            Ok(items) => items,
            Err(malformed) => {
                return self.malformed(&directory, &voucher, incoming, malformed).await;
            }
        };
        let mut routed = Vec::with_capacity(items.len());
        for item in items {
            let route = route(&directory, &voucher, incoming, &item)?;
            routed.push((item, route));
        }
        let answers = futures_util::stream::iter(routed)
            .map(|(item, route)| self.one(incoming, item, route))
            .buffered(SIDE_BY_SIDE)
            .try_collect::<Vec<Answer>>()
            .await?;
        Ok(reply(source, answers))
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

    async fn directory(&self) -> Result<Arc<Directory>, Refusal> {
        if let Some(directory) = self.registry.current() {
            return Ok(directory);
        }
        let first = self.registry.refresh().await;
        first.map_err(|error| Refusal::Unavailable(Some(Box::new(error))))?;
        self.registry.current().ok_or(Refusal::Unavailable(None))
    }

    /// The directory read again: a connection may have been made or rotated a moment ago, here or
    /// by another instance. With the database away the last one stands.
    async fn latest(&self) -> Result<Arc<Directory>, Refusal> {
        if let Err(error) = self.registry.refresh().await {
            tracing::warn!(%error, "tenants and connections could not be read again");
        }
        self.directory().await
    }

    /// Tracks one event where it belongs.
    async fn one(&self, incoming: &Incoming, item: Item, route: Route) -> Result<Answer, Refusal> {
        let (tenant, connection_id, held) = match route {
            Route::Ignored => return Ok(Answer::ignored("not_this_account", None)),
            Route::Inbox(connection) => {
                let taken = inbox_taken(incoming, item, connection);
                return Ok(self.tracker.keep_in_inbox(&taken).await?);
            }
            Route::Tenant(tenant, connection) => (tenant, connection, None),
            Route::Held(tenant, connection, code, detail) => {
                (tenant, connection, Some((code.to_owned(), detail.to_owned())))
            }
        };
        let taken = Taken {
            tenant,
            connection_id,
            source: incoming.source,
            item,
            path: incoming.path.clone(),
            headers: kept_headers(&incoming.headers),
            received_at: incoming.received_at,
            held,
        };
        Ok(self.tracker.track(&taken).await?)
    }

    /// Keeps a verified body that is no delivery of its source, and answers as its callers expect.
    async fn malformed(
        &self,
        directory: &Directory,
        voucher: &Voucher<'_>,
        incoming: &Incoming,
        malformed: Malformed,
    ) -> Result<Reply, Refusal> {
        let problem = malformed.problem;
        let item = malformed_item(&incoming.body);
        let connection = voucher.connection().map(|c| c.id);
        let route = match sole_tenant(directory, voucher) {
            Some(tenant) => Route::Tenant(tenant, connection),
            None => Route::Inbox(connection),
        };
        let answer = match route {
            Route::Tenant(tenant, connection_id) => {
                let taken = Taken {
                    tenant,
                    connection_id,
                    source: incoming.source,
                    item,
                    path: incoming.path.clone(),
                    headers: kept_headers(&incoming.headers),
                    received_at: incoming.received_at,
                    held: Some((problem.code.clone(), problem.detail.clone())),
                };
                self.tracker.track(&taken).await?
            }
            _ => {
                let taken = inbox_taken(incoming, item, connection);
                self.tracker.keep_in_inbox(&taken).await?
            }
        };
        if can_correct(incoming.source) {
            return Err(Refusal::Malformed { problem, event_id: answer.event_id });
        }
        Ok(reply(incoming.source, vec![answer]))
    }
}

/// An event for the platform's inbox.
pub struct InboxTaken {
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
        occurred_at: None,
        rank: Rank::Message,
        raw: body.to_vec(),
    }
}

fn reply(source: &dyn Source, mut answers: Vec<Answer>) -> Reply {
    match (source.batches(), answers.len()) {
        (false, 1) => Reply::One(Box::new(answers.remove(0))),
        (false, 0) => Reply::One(Box::new(Answer::ignored("no_event", None))),
        _ => Reply::Many(answers),
    }
}

fn kept_headers(headers: &Headers) -> String {
    let kept = headers.iter().filter(|(name, _)| KEPT_HEADERS.contains(name));
    let bounded = kept.map(|(name, value)| (name, value.chars().take(500).collect::<String>()));
    json!(bounded.collect::<std::collections::BTreeMap<_, _>>()).to_string()
}

/// Finds what vouches for a delivery. A signature that is there must verify: a token beside it is
/// not looked at.
fn vouch<'a>(directory: &'a Directory, incoming: &Incoming) -> Result<Voucher<'a>, Refusal> {
    let source = incoming.source;
    if source.is_signed(&incoming.headers) {
        return verify(directory, incoming);
    }
    let Some(access) = incoming.access.as_ref().filter(|_| source.takes_tokens()) else {
        return Err(Refusal::Unauthorized);
    };
    if !access.may_deliver() {
        return Err(Refusal::Forbidden);
    }
    let connection = match &incoming.connection {
        None => None,
        Some(id) => {
            let named = directory.of_source(source.name()).find(|c| c.public_id == *id);
            let named = named.ok_or(Refusal::Unauthorized)?;
            if named.tenant.is_some_and(|tenant| !access.reaches(tenant)) {
                return Err(Refusal::Unauthorized);
            }
            Some(named)
        }
    };
    let tenant = access.tenant().or(connection.and_then(|c| c.tenant));
    Ok(Voucher::Token { tenant, connection })
}

/// Tries the secrets of the connections that may have signed it.
fn verify<'a>(directory: &'a Directory, incoming: &Incoming) -> Result<Voucher<'a>, Refusal> {
    let (source, now) = (incoming.source, incoming.received_at);
    let candidates = candidates(directory, incoming)?;
    let delivery = Delivery { body: &incoming.body, headers: &incoming.headers, received_at: now };
    let secrets = distinct_secrets(candidates.iter().copied(), now, MOST_SECRETS);
    let verified = secrets.into_iter().find(|s| source.verify(s, &delivery) == Checked::Verified);
    let secret = verified.ok_or(Refusal::Unauthorized)?;
    let has = |c: &&Connection| c.signing(now).any(|own| own == secret);
    let mut live: Vec<&Connection> = directory.of_source(source.name()).filter(has).collect();
    // The connection that the address names, then those that serve one tenant, then the platform's.
    let named = incoming.connection.as_deref();
    live.sort_by_key(|c| (named != Some(c.public_id.as_str()), c.tenant.is_none()));
    Ok(Voucher::Secret(live))
}

/// The connections whose secrets are to be tried: the one that the address names, or those that
/// own what the body names. What the body says is believed for nothing else.
fn candidates<'a>(
    directory: &'a Directory,
    incoming: &Incoming,
) -> Result<Vec<&'a Connection>, Refusal> {
    let of_source = || directory.of_source(incoming.source.name());
    if let Some(id) = &incoming.connection {
        return Ok(of_source().filter(|c| c.public_id == *id).collect());
    }
    let hints = incoming.source.hints(&incoming.body);
    if incoming.source.takes_tokens() && hints.tenant.is_none() {
        return Err(Refusal::NoConnection);
    }
    let tenant = hints.tenant.as_deref().and_then(|name| directory.tenant_named(name));
    let owns = |c: &&Connection| {
        hints.accounts.iter().any(|account| c.accounts.contains_key(account))
            || (incoming.source.takes_tokens()
                && c.tenant.is_some()
                && c.tenant == tenant.map(|t| t.id))
    };
    let platform = of_source().filter(|c| c.tenant.is_none());
    let mut candidates: Vec<&Connection> = of_source().filter(owns).collect();
    candidates.extend(platform);
    Ok(candidates)
}

/// Whose an event is, by what vouches for it. An event goes to a tenant only by a connection that
/// the credential is good for and that owns the event's account there.
fn route(
    directory: &Directory,
    voucher: &Voucher<'_>,
    incoming: &Incoming,
    item: &Item,
) -> Result<Route, Refusal> {
    match voucher {
        Voucher::Token { tenant, connection } => {
            let connection = connection.map(|c| c.id);
            let tenant = named_tenant(directory, *tenant, item.tenant.as_deref())?;
            Ok(Route::Tenant(tenant, connection))
        }
        Voucher::Secret(live) if can_correct(incoming.source) => {
            let connection = by_tenant(directory, live, item.tenant.as_deref());
            let connection = connection.ok_or(Refusal::Forbidden)?;
            let tenant = named_tenant(directory, connection.tenant, item.tenant.as_deref())?;
            Ok(Route::Tenant(tenant, Some(connection.id)))
        }
        Voucher::Secret(live) => Ok(by_account(directory, live, incoming, item)),
    }
}

/// Of the connections that a caller's secret is live on, the one for the tenant that it names.
fn by_tenant<'a>(
    directory: &Directory,
    live: &[&'a Connection],
    named: Option<&str>,
) -> Option<&'a Connection> {
    let wanted = named.and_then(|name| directory.tenant_named(name)).map(|t| t.id);
    let fits = |c: &&&Connection| match (c.tenant, named) {
        (None, _) | (Some(_), None) => true,
        (Some(own), Some(_)) => Some(own) == wanted,
    };
    live.iter().find(fits).copied()
}

/// The tenant of a credential that is for one, or the one that the body names for a platform's.
fn named_tenant(
    directory: &Directory,
    own: Option<Uuid>,
    named: Option<&str>,
) -> Result<Arc<TenantSettings>, Refusal> {
    let found = match (own, named) {
        (Some(own), None) => directory.tenant(own),
        (Some(own), Some(name)) => {
            let tenant = directory.tenant(own).filter(|t| t.is_named(name));
            return tenant.cloned().ok_or(Refusal::Forbidden);
        }
        (None, Some(name)) => directory.tenant_named(name),
        (None, None) => None,
    };
    // A tenant's credential whose tenant is disabled is as good as none.
    let missing = if own.is_some() { Refusal::Unauthorized } else { Refusal::TenantUnknown };
    found.cloned().ok_or(missing)
}

/// Routes an event of a provider that pushes: by the account that it belongs to.
fn by_account(
    directory: &Directory,
    live: &[&Connection],
    incoming: &Incoming,
    item: &Item,
) -> Route {
    let account = item.account.as_deref();
    let owners = live.iter().filter_map(|c| Some((*c, *c.accounts.get(account?)?)));
    let owners: Vec<(&Connection, Uuid)> = owners.collect();
    if let Some((connection, tenant)) = choose(directory, &owners, item.tenant.as_deref()) {
        return to_tenant(directory, tenant, connection, item);
    }
    if let Some((connection, _)) = owners.first() {
        // Several tenants claim the account, and nothing says which is meant.
        return Route::Inbox(Some(connection.id));
    }
    let Some(first) = live.first() else { return Route::Ignored };
    let claimed = directory
        .of_source(incoming.source.name())
        .any(|c| account.is_some_and(|account| c.accounts.contains_key(account)));
    if claimed {
        return Route::Ignored;
    }
    unowned(directory, first, incoming, item)
}

/// An account that no connection has: the addressed connection's tenant when it takes any
/// account, the tenant that the body names on a platform connection, else nobody's.
fn unowned(
    directory: &Directory,
    connection: &Connection,
    incoming: &Incoming,
    item: &Item,
) -> Route {
    let addressed = incoming.connection.as_deref() == Some(connection.public_id.as_str());
    match connection.tenant {
        None => match item.tenant.as_deref().and_then(|name| directory.tenant_named(name)) {
            Some(tenant) => Route::Tenant(Arc::clone(tenant), Some(connection.id)),
            None => Route::Inbox(Some(connection.id)),
        },
        Some(tenant) if addressed && connection.accounts.is_empty() => {
            to_tenant(directory, tenant, connection, item)
        }
        Some(tenant) if addressed && !incoming.source.batches() => match directory.tenant(tenant) {
            Some(tenant) => Route::Held(
                Arc::clone(tenant),
                Some(connection.id),
                "account_unknown",
                "the connection has account ids, and this one is not among them",
            ),
            None => Route::Ignored,
        },
        Some(_) => Route::Ignored,
    }
}

/// Of the tenants that own an account, the only one, or the one that the body names.
fn choose<'a>(
    directory: &Directory,
    owners: &[(&'a Connection, Uuid)],
    named: Option<&str>,
) -> Option<(&'a Connection, Uuid)> {
    let (first, others) = owners.split_first()?;
    if others.iter().all(|(_, tenant)| *tenant == first.1) {
        return Some(*first);
    }
    let wanted = named.and_then(|name| directory.tenant_named(name))?.id;
    owners.iter().find(|(_, tenant)| *tenant == wanted).copied()
}

/// A tenant's event; held for a person when the body names another tenant that we know.
fn to_tenant(directory: &Directory, tenant: Uuid, connection: &Connection, item: &Item) -> Route {
    let Some(settings) = directory.tenant(tenant) else { return Route::Ignored };
    let settings = Arc::clone(settings);
    let named = item.tenant.as_deref().and_then(|name| directory.tenant_named(name));
    if named.is_some_and(|other| other.id != tenant) {
        let detail = "the body names another tenant than the one its account belongs to";
        return Route::Held(settings, Some(connection.id), "tenant_mismatch", detail);
    }
    Route::Tenant(settings, Some(connection.id))
}

/// The one tenant that a voucher can mean, if there is just one.
fn sole_tenant(directory: &Directory, voucher: &Voucher<'_>) -> Option<Arc<TenantSettings>> {
    let id = match voucher {
        Voucher::Token { tenant, .. } => (*tenant)?,
        Voucher::Secret(live) => live.first()?.tenant?,
    };
    directory.tenant(id).cloned()
}
