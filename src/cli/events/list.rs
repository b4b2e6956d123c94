//! `events list`.

use crate::cli::args::{self, one_of};
use crate::cli::desk::Desk;
use crate::cli::error::{Error, Result};
use crate::cli::print::{Printer, Record};
use crate::config::Settings;
use crate::domain::channel::EventStatus;
use crate::sources::Source;
use crate::storage::Conn;
use crate::storage::events::{self, EventFilter, EventSummary};
use crate::storage::inbox::{self, InboxSummary};
use crate::storage::spool::{QueuedSummary, SpoolError, SpoolFile};
use crate::tracking::answer::Answer;
use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Which events.
#[derive(Args, Debug)]
pub(in crate::cli) struct List {
    /// Only this tenant's, by id or slug (default: everyone's, and what belongs to no tenant yet)
    #[arg(long)]
    tenant: Option<String>,
    /// Only those in this state
    #[arg(long, value_parser = one_of::<EventStatus>(EventStatus::ALL.iter().map(|w| w.as_str())))]
    status: Option<EventStatus>,
    /// Only this source's
    #[arg(long, value_parser = args::teller())]
    source: Option<&'static dyn Source>,
    /// At most so many
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
}

/// The columns that people see.
const SHOWN: &[&str] = &["receivedAt", "id", "source", "kind", "status", "reason", "tenant"];

/// An event beside its place in the list.
type Row = (Uuid, Record);

/// Lists the newest events.
pub(super) async fn run(desk: &Desk, which: List) -> Result<()> {
    let only = desk.tenant_if(which.tenant.as_deref()).await?.map(|row| row.id);
    let slugs = desk.slugs().await?;
    let mut reader = desk.db.reader().await?;
    let conn = &mut reader.conn();
    let mut rows = Vec::new();
    for tenant in slugs.keys().filter(|id| only.is_none_or(|only| only == **id)) {
        rows.extend(of_tenant(conn, *tenant, &which, &slugs).await?);
    }
    if only.is_none() {
        rows.extend(of_nobody(conn, &which).await?);
    }
    rows.extend(of_spool(&desk.settings, &which, only, &slugs).await?);
    rows.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
    rows.truncate(usize::from(which.limit));
    let records: Vec<_> = rows.into_iter().map(|(_, record)| record).collect();
    Ok(desk.printer.list(&records, SHOWN)?)
}

/// Lists what waits in the spool, and fails with what stands in the way of the others.
pub(super) async fn queued(
    away: Error,
    settings: &Settings,
    printer: Printer,
    which: &List,
) -> Result<()> {
    let only = match which.tenant.as_deref().map(Uuid::try_parse) {
        None => None,
        Some(Ok(id)) => Some(id),
        // A slug means nothing without the database.
        Some(Err(_)) => return Err(away),
    };
    let rows = of_spool(settings, which, only, &BTreeMap::new()).await?;
    let records: Vec<_> = rows.into_iter().map(|(_, record)| record).collect();
    printer.list(&records, SHOWN)?;
    Err(away)
}

/// What waits on this machine until the database is back.
async fn of_spool(
    settings: &Settings,
    which: &List,
    only: Option<Uuid>,
    slugs: &BTreeMap<Uuid, String>,
) -> Result<Vec<Row>> {
    if settings.is_sqlite() || which.status.is_some_and(|status| status != EventStatus::Queued) {
        return Ok(Vec::new());
    }
    let unread = |error: SpoolError| Error::Refused(error.to_string());
    let Some(spool) = SpoolFile::look(&settings.spool).await.map_err(unread)? else {
        return Ok(Vec::new());
    };
    let fits = |row: &QueuedSummary| {
        which.source.is_none_or(|source| source.name() == row.source)
            && only.is_none_or(|only| row.tenant_id == Some(only))
    };
    let waiting = spool.list(which.limit.into()).await?;
    let row = |row: &QueuedSummary| {
        let slug = row.tenant_id.and_then(|id| slugs.get(&id));
        (row.id, queued_record(row, slug))
    };
    Ok(waiting.iter().filter(|row| fits(row)).map(row).collect())
}

fn queued_record(row: &QueuedSummary, slug: Option<&String>) -> Record {
    Record::default()
        .with("id", row.id)
        .with("tenantId", row.tenant_id)
        .with("tenant", slug)
        .with("source", &row.source)
        .with("kind", &row.kind)
        .with("status", EventStatus::Queued)
        .with("reason", None::<&str>)
        .with("receivedAt", row.received_at)
        .shown(to_the_second(row.received_at))
}

async fn of_tenant(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    which: &List,
    slugs: &BTreeMap<Uuid, String>,
) -> Result<Vec<Row>> {
    let source = which.source.map(|source| source.name().to_owned());
    let filter = EventFilter { status: which.status, source };
    let found = events::list(conn, tenant, &filter, Uuid::max(), which.limit.into()).await?;
    let rows = found.iter().map(|row| (row.id, record(row, slugs.get(&tenant))));
    Ok(rows.collect())
}

/// The platform's inbox, page by page until enough of it fits.
async fn of_nobody(conn: &mut Conn<'_>, which: &List) -> Result<Vec<Row>> {
    let fits = |row: &InboxSummary| {
        which.source.is_none_or(|source| source.name() == row.source)
            && which.status.is_none_or(|status| status.as_str() == row.status)
    };
    let (mut rows, mut before) = (Vec::new(), Uuid::max());
    while rows.len() < usize::from(which.limit) {
        let page = inbox::list(conn, before, which.limit.into()).await?;
        let Some(last) = page.last() else { break };
        before = last.id;
        rows.extend(page.iter().filter(|row| fits(row)).map(|row| (row.id, inbox_record(row))));
    }
    Ok(rows)
}

fn record(row: &EventSummary, slug: Option<&String>) -> Record {
    let answer = serde_json::from_str::<Answer>(&row.answer).ok();
    let problems = serde_json::from_str::<Value>(&row.problems).unwrap_or_default();
    Record::default()
        .with("id", row.id)
        .with("tenantId", row.tenant_id)
        .with("tenant", slug)
        .with("source", &row.source)
        .with("kind", &row.kind)
        .with("status", &row.status)
        .with("reason", &row.reason)
        .with("problems", problems)
        .with("clientId", answer.as_ref().and_then(|a| a.client_id))
        .with("bookingId", row.told_again_as.or(answer.as_ref().and_then(|a| a.booking_id)))
        .with("occurredAt", row.occurred_at)
        .with("receivedAt", row.received_at)
        .shown(to_the_second(row.received_at))
        .with("attempts", row.attempts)
}

fn inbox_record(row: &InboxSummary) -> Record {
    Record::default()
        .with("id", row.id)
        .with("source", &row.source)
        .with("kind", &row.kind)
        .with("accountId", &row.account_id)
        .with("status", &row.status)
        .with("reason", &row.reason)
        .with("receivedAt", row.received_at)
        .shown(to_the_second(row.received_at))
}

fn to_the_second(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}
