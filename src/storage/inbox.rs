//! The platform's inbox: events that belong to no tenant, seen by platform admins only.

use super::erasure::unsaid;
use super::events::{KnownEvent, NewEvent};
use super::{Conn, Result, execute, fetch_all, fetch_optional, statements};
use crate::domain::traces::Traces;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use uuid::Uuid;

/// How many events are looked through at once.
const AT_ONCE: i64 = 50;

statements! {
    INSERT = "
        insert into platform_inbox (id, connection_id, source, kind, account_id, delivery_key_hash,
            body_hash, status, reason, problems, answer, headers, raw, occurred_at, received_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    FIND_BY_KEY = "
        select id, body_hash, status, answer, received_at from platform_inbox
        where delivery_key_hash = $1";
    FIND = "
        select id, connection_id, source, kind, account_id, status, reason, problems, answer,
            headers, raw, occurred_at, received_at
        from platform_inbox where id = $1";
    LIST = "
        select id, source, kind, account_id, status, reason, received_at
        from platform_inbox where id < $1 order by id desc limit $2";
    LIST_WHOLE = "
        select id, connection_id, source, kind, account_id, status, reason, problems, answer,
            headers, raw, occurred_at, received_at
        from platform_inbox where id > $1 order by id limit $2";
    EMPTY = "
        update platform_inbox set raw = $2, headers = '{}', problems = '[]', answer = $3,
            status = 'ignored', reason = 'erased'
        where id = $1";
}

/// An inbox event's whole row.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct InboxRow {
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
    /// A word of `EventStatus`.
    pub status: String,
    /// Why it has no tenant.
    pub reason: Option<String>,
    /// A JSON array of problems.
    pub problems: String,
    /// What the caller was told, as JSON.
    pub answer: String,
    /// The kept headers, as a JSON object.
    pub headers: String,
    /// Its own bytes.
    pub raw: Vec<u8>,
    /// When it was told.
    pub occurred_at: Option<DateTime<Utc>>,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
}

/// An inbox row as lists show it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct InboxSummary {
    /// Its id.
    pub id: Uuid,
    /// The source's name.
    pub source: String,
    /// What the provider calls it.
    pub kind: String,
    /// The provider account.
    pub account_id: Option<String>,
    /// A word of `EventStatus`.
    pub status: String,
    /// Why it has no tenant.
    pub reason: Option<String>,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
}

/// Keeps an event that belongs to no tenant.
///
/// # Errors
/// When the database fails; a conflict when another has the delivery key.
pub async fn insert(conn: &mut Conn<'_>, event: &NewEvent<'_>) -> Result<()> {
    let outcome = &event.outcome;
    execute!(
        conn,
        INSERT,
        event.id,
        event.connection_id,
        event.source,
        event.kind,
        event.account_id,
        event.delivery_key_hash,
        event.body_hash,
        outcome.status.as_str(),
        outcome.reason,
        outcome.problems,
        outcome.answer,
        event.headers,
        event.raw,
        event.occurred_at,
        event.received_at
    )?;
    Ok(())
}

/// The inbox event that has this delivery key.
///
/// # Errors
/// When the database fails.
pub async fn find_by_key(conn: &mut Conn<'_>, key_hash: &str) -> Result<Option<KnownEvent>> {
    Ok(fetch_optional!(conn, KnownEvent, FIND_BY_KEY, key_hash)?)
}

/// One event of the inbox.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &mut Conn<'_>, id: Uuid) -> Result<Option<InboxRow>> {
    Ok(fetch_optional!(conn, InboxRow, FIND, id)?)
}

/// The inbox before `before`, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(conn: &mut Conn<'_>, before: Uuid, limit: i64) -> Result<Vec<InboxSummary>> {
    Ok(fetch_all!(conn, InboxSummary, LIST, before, limit)?)
}

/// The events behind `after` in whose text a person stands.
///
/// # Errors
/// When the database fails.
pub async fn naming(conn: &mut Conn<'_>, traces: &Traces, after: Uuid) -> Result<BTreeSet<Uuid>> {
    let (mut found, mut after) = (BTreeSet::new(), after);
    loop {
        let page = fetch_all!(conn, InboxRow, LIST_WHOLE, after, AT_ONCE)?;
        found.extend(page.iter().filter(|row| row.names(traces)).map(|row| row.id));
        match page.last() {
            Some(last) => after = last.id,
            None => return Ok(found),
        }
    }
}

/// Leaves of these events that they came.
///
/// # Errors
/// When the database fails.
pub async fn empty(conn: &mut Conn<'_>, events: &BTreeSet<Uuid>) -> Result<()> {
    for event in events {
        if let Some(row) = find(conn, *event).await? {
            execute!(conn, EMPTY, row.id, Vec::<u8>::new(), unsaid(&row.answer))?;
        }
    }
    Ok(())
}

impl InboxRow {
    fn names(&self, traces: &Traces) -> bool {
        let texts = [&self.problems, &self.headers, &self.answer];
        traces.are_in(&self.raw) || texts.into_iter().any(|text| traces.are_in(text.as_bytes()))
    }
}
