//! Events: what was delivered, raw, and what became of it.

use super::batch::Stage;
use super::bulk::{Rows, bulk};
use super::packed::{Body, pack};
use super::{Conn, Result, execute, fetch_all, fetch_optional, statements};
use crate::domain::channel::EventStatus;
use chrono::{DateTime, Utc};
use uuid::Uuid;

statements! {
    UPDATE = "
        update webhook_events set status = $3, reason = $4, problems = $5, understood = $6,
            answer = $7, overrides = $8, attempts = attempts + 1, updated_at = $9,
            review_context = $10, told_again_as = null
        where tenant_id = $1 and id = $2";
    RELEASE_KEY = "
        update webhook_events set delivery_key_hash = null
        where tenant_id = $1 and id = $2";
    FIND_BY_KEY = "
        select id, body_hash, status, answer, received_at from webhook_events
        where tenant_id = $1 and delivery_key_hash = $2";
    FIND = "
        select tenant_id, id, connection_id, source, kind, account_id, delivery_key_hash, status,
            reason, problems, understood, answer, overrides, headers, raw, occurred_at,
            received_at, attempts, told_again_as
        from webhook_events where tenant_id = $1 and id = $2";
    FIND_ANYWHERE = "
        select tenant_id, id, connection_id, source, kind, account_id, delivery_key_hash, status,
            reason, problems, understood, answer, overrides, headers, raw, occurred_at,
            received_at, attempts, told_again_as
        from webhook_events where id = $1";
    LIST_BY_BOOKING = "
        select id, source, kind, occurred_at, received_at from webhook_events
        where tenant_id = $1 and id in (
            select event_id from booking_sightings where tenant_id = $1 and booking_id = $2)";
    LIST = "
        select tenant_id, id, source, kind, status, reason, problems, answer, told_again_as,
            occurred_at, received_at, attempts
        from webhook_events
        where tenant_id = $1 and id < $2
            and (cast($3 as text) is null or status = $3)
            and (cast($4 as text) is null or source = $4)
        order by id desc limit $5";
}

bulk! {
    INSERT(
        tenant_id Uuid, id Uuid, connection_id Uuid, source Text, kind Text, account_id Text,
        delivery_key_hash Text, body_hash Text, status Text, reason Text, problems Text,
        understood Text, answer Text, overrides Text, headers Text, raw Bytes, occurred_at Time,
        received_at Time, updated_at Time, review_context Text,
    ) = "
        insert into webhook_events (tenant_id, id, connection_id, source, kind, account_id,
            delivery_key_hash, body_hash, status, reason, problems, understood, answer, overrides,
            headers, raw, occurred_at, received_at, attempts, updated_at, review_context)
        select tenant_id, id, connection_id, source, kind, account_id, delivery_key_hash,
            body_hash, status, reason, problems, understood, answer, overrides, headers, raw,
            occurred_at, received_at, 1, updated_at, review_context from k";
    FIND_BY_KEYS(tenant_id Uuid, delivery_key_hash Text) = "
        select k.tenant_id, k.delivery_key_hash, e.id, e.body_hash, e.status, e.answer,
            e.received_at
        from k cross join webhook_events e
        where e.tenant_id = k.tenant_id and e.delivery_key_hash = k.delivery_key_hash";
}

/// An event as it is stored.
#[derive(Clone, Debug)]
pub struct NewEvent<'a> {
    /// Its id.
    pub id: Uuid,
    /// The connection it came by; `None` when a token vouched for it.
    pub connection_id: Option<Uuid>,
    /// The source's name.
    pub source: &'a str,
    /// What the provider calls it.
    pub kind: &'a str,
    /// The provider account.
    pub account_id: Option<&'a str>,
    /// The keyed hash of its delivery key; `None` when nothing makes a repeat of it one.
    pub delivery_key_hash: Option<&'a str>,
    /// The keyed hash of its bytes.
    pub body_hash: &'a str,
    /// What became of it.
    pub outcome: Outcome<'a>,
    /// The kept headers, as a JSON object.
    pub headers: &'a str,
    /// Its own bytes.
    pub raw: &'a [u8],
    /// When it was told, by the provider's clock.
    pub occurred_at: Option<DateTime<Utc>>,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
}

/// What became of an event, as it is stored.
#[derive(Clone, Debug)]
pub struct Outcome<'a> {
    /// Its state.
    pub status: EventStatus,
    /// Why, where it wasn't tracked: a stable word.
    pub reason: Option<&'a str>,
    /// The problems, as a JSON array.
    pub problems: &'a str,
    /// What was understood, as JSON.
    pub understood: Option<&'a str>,
    /// What the caller was told, as JSON: a repeat is told the same.
    pub answer: &'a str,
    /// The fields that a person supplied, as a JSON object.
    pub overrides: Option<&'a str>,
    /// The call or message in which something was told that needs a person.
    pub review_context: Option<&'a str>,
}

/// What a repeat needs to know of the first.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct KnownEvent {
    /// Its id.
    pub id: Uuid,
    /// The keyed hash of its bytes.
    pub body_hash: String,
    /// A word of [`EventStatus`].
    pub status: String,
    /// What its caller was told, as JSON.
    pub answer: String,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct ByKey {
    tenant_id: Uuid,
    delivery_key_hash: String,
    #[sqlx(flatten)]
    event: KnownEvent,
}

/// An event's whole row.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct EventRow {
    /// Whose it is.
    pub tenant_id: Uuid,
    /// Its id.
    pub id: Uuid,
    /// The connection it came by.
    pub connection_id: Option<Uuid>,
    /// The source's name.
    pub source: String,
    /// What the provider calls it.
    pub kind: String,
    /// The provider account.
    pub account_id: Option<String>,
    /// The keyed hash of its delivery key, while it has one.
    pub delivery_key_hash: Option<String>,
    /// A word of [`EventStatus`].
    pub status: String,
    /// Why it wasn't tracked.
    pub reason: Option<String>,
    /// A JSON array of problems.
    pub problems: String,
    /// What was understood, as JSON.
    pub understood: Option<String>,
    /// What the caller was told, as JSON.
    pub answer: String,
    /// The fields that a person supplied, as a JSON object.
    pub overrides: Option<String>,
    /// The kept headers, as a JSON object.
    pub headers: String,
    /// Its own bytes.
    #[sqlx(try_from = "Vec<u8>")]
    pub raw: Body,
    /// When it was told.
    pub occurred_at: Option<DateTime<Utc>>,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// How often it was read.
    pub attempts: i32,
    /// The booking that a later telling of the same made, where this made none.
    pub told_again_as: Option<Uuid>,
}

/// An event's row as lists show it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct EventSummary {
    /// Whose it is.
    pub tenant_id: Uuid,
    /// Its id.
    pub id: Uuid,
    /// The source's name.
    pub source: String,
    /// What the provider calls it.
    pub kind: String,
    /// A word of [`EventStatus`].
    pub status: String,
    /// Why it wasn't tracked.
    pub reason: Option<String>,
    /// A JSON array of problems.
    pub problems: String,
    /// What the caller was told, as JSON.
    pub answer: String,
    /// When it was told.
    pub occurred_at: Option<DateTime<Utc>>,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// How often it was read.
    pub attempts: i32,
    /// The booking that a later telling of the same made, where this made none.
    pub told_again_as: Option<Uuid>,
}

/// An event, as far as a booking that it told shows it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct TellingEvent {
    /// Its id.
    pub id: Uuid,
    /// The source's name.
    pub source: String,
    /// What the provider calls it.
    pub kind: String,
    /// When it was told.
    pub occurred_at: Option<DateTime<Utc>>,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
}

/// Inserts an event.
///
/// # Errors
/// When the database fails; a conflict when another has the delivery key.
pub async fn insert(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    event: &NewEvent<'_>,
    now: DateTime<Utc>,
) -> Result<()> {
    let outcome = &event.outcome;
    if let Some(known) = conn.known_mut() {
        if let Some(context) = outcome.review_context {
            known.contexts.forget(&(tenant, context.to_owned()));
        }
        if let Some(key) = event.delivery_key_hash {
            let event = KnownEvent {
                id: event.id,
                body_hash: event.body_hash.to_owned(),
                status: outcome.status.as_str().to_owned(),
                answer: outcome.answer.to_owned(),
                received_at: event.received_at,
            };
            known.events.hold((tenant, key.to_owned()), Some(event));
        }
    }
    let row = Rows::one([
        tenant.into(),
        event.id.into(),
        event.connection_id.into(),
        event.source.into(),
        event.kind.into(),
        event.account_id.into(),
        event.delivery_key_hash.into(),
        event.body_hash.into(),
        outcome.status.as_str().into(),
        outcome.reason.into(),
        outcome.problems.into(),
        outcome.understood.into(),
        outcome.answer.into(),
        outcome.overrides.into(),
        event.headers.into(),
        pack(event.raw).into(),
        event.occurred_at.into(),
        event.received_at.into(),
        now.into(),
        outcome.review_context.into(),
    ]);
    conn.write(Stage::Events, &INSERT, row).await.map(drop)
}

/// Writes the outcome of a later reading.
///
/// # Errors
/// When the database fails.
pub async fn update(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    id: Uuid,
    outcome: &Outcome<'_>,
    now: DateTime<Utc>,
) -> Result<()> {
    execute!(
        conn,
        UPDATE,
        tenant,
        id,
        outcome.status.as_str(),
        outcome.reason,
        outcome.problems,
        outcome.understood,
        outcome.answer,
        outcome.overrides,
        now,
        outcome.review_context
    )?;
    Ok(())
}

/// Lets another event have this one's delivery key.
///
/// # Errors
/// When the database fails.
pub async fn release_key(conn: &mut Conn<'_>, tenant: Uuid, id: Uuid) -> Result<()> {
    execute!(conn, RELEASE_KEY, tenant, id)?;
    Ok(())
}

/// The event that has this delivery key.
///
/// # Errors
/// When the database fails.
pub async fn find_by_key(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    key_hash: &str,
) -> Result<Option<KnownEvent>> {
    let ahead = conn.known().and_then(|known| known.events.get(&(tenant, key_hash.to_owned())));
    if let Some(event) = ahead {
        return Ok(event.clone());
    }
    Ok(fetch_optional!(conn, KnownEvent, FIND_BY_KEY, tenant, key_hash)?)
}

/// Reads ahead for [`find_by_key`]: tenants and keyed hashes of delivery keys.
///
/// # Errors
/// When the database fails.
pub async fn read_ahead(conn: &mut Conn<'_>, keys: &[(Uuid, &str)]) -> Result<()> {
    let mut rows = Rows::default();
    for (tenant, key) in keys {
        rows.push([(*tenant).into(), (*key).into()]);
    }
    let found: Vec<ByKey> = FIND_BY_KEYS.fetch(conn.settled().await?, rows).await?;
    let Some(known) = conn.known_mut() else { return Ok(()) };
    for (tenant, key) in keys {
        known.events.hold((*tenant, (*key).to_owned()), None);
    }
    for ByKey { tenant_id, delivery_key_hash, event } in found {
        known.events.hold((tenant_id, delivery_key_hash), Some(event));
    }
    Ok(())
}

/// One event of a tenant.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &mut Conn<'_>, tenant: Uuid, id: Uuid) -> Result<Option<EventRow>> {
    Ok(fetch_optional!(conn, EventRow, FIND, tenant, id)?)
}

/// One event of whichever tenant: for the command line, which has a platform admin's rights.
///
/// # Errors
/// When the database fails.
pub async fn find_anywhere(conn: &mut Conn<'_>, id: Uuid) -> Result<Option<EventRow>> {
    Ok(fetch_optional!(conn, EventRow, FIND_ANYWHERE, id)?)
}

/// The events that told a booking.
///
/// # Errors
/// When the database fails.
pub async fn list_by_booking(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    booking: Uuid,
) -> Result<Vec<TellingEvent>> {
    Ok(fetch_all!(conn, TellingEvent, LIST_BY_BOOKING, tenant, booking)?)
}

/// What an event list is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Only this state.
    pub status: Option<EventStatus>,
    /// Only this source.
    pub source: Option<String>,
}

/// A tenant's events before `before`, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    filter: &EventFilter,
    before: Uuid,
    limit: i64,
) -> Result<Vec<EventSummary>> {
    let (status, source) = (filter.status.map(EventStatus::as_str), filter.source.as_deref());
    Ok(fetch_all!(conn, EventSummary, LIST, tenant, before, status, source, limit)?)
}
