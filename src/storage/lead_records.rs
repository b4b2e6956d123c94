//! Leads as people work with them: whole rows, and what was said to them.

use super::leads::folded;
use super::{Conn, Result, execute, fetch_all, fetch_optional, statements};
use crate::domain::channel::{InteractionKind, LeadStatus};
use crate::domain::ids;
use chrono::{DateTime, Utc};
use uuid::Uuid;

statements! {
    INSERT = "
        insert into leads (tenant_id, id, phone, whatsapp_id, first_name, last_name, email, source,
            details, status, interactions, attempts, next_follow_up_at, notes,
            first_interaction_at, name_key, last_name_key, email_key, version,
            created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, $11, $12, $13, $14, $15, $16, 1,
            $13, $13)";
    UPDATE = "
        update leads set first_name = $3, last_name = $4, email = $5, source = $6, details = $7,
            status = $8, attempts = $9, next_follow_up_at = $10, notes = $11, name_key = $12,
            last_name_key = $13, email_key = $14, version = version + 1, updated_at = $15
        where tenant_id = $1 and id = $2";
    FIND = "
        select id, phone, whatsapp_id, first_name, last_name, email, source, details, status,
            interactions, attempts, last_contacted_at, next_follow_up_at, converted_client_id,
            converted_at, notes, first_interaction_at, version, created_at, updated_at
        from leads where tenant_id = $1 and id = $2";
    INSERT_INTERACTION = "
        insert into lead_interactions (tenant_id, id, lead_id, kind, note, created_at)
        values ($1, $2, $3, $4, $5, $6)";
    COUNT_INTERACTION = "
        update leads set interactions = interactions + 1, attempts = attempts + $3,
            last_contacted_at = case when $4 = 1 then $5 else last_contacted_at end,
            version = version + 1, updated_at = $5
        where tenant_id = $1 and id = $2";
    LIST_INTERACTIONS = "
        select id, event_id, kind, note, created_at from lead_interactions
        where tenant_id = $1 and lead_id = $2 and (created_at, id) < ($3, $4)
        order by created_at desc, id desc limit $5";
}

/// A lead's row.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct LeadRecord {
    /// Its id.
    pub id: Uuid,
    /// E.164.
    pub phone: Option<String>,
    /// The WhatsApp id.
    pub whatsapp_id: Option<String>,
    /// As written.
    pub first_name: Option<String>,
    /// As written.
    pub last_name: Option<String>,
    /// In lower case.
    pub email: Option<String>,
    /// How they asked: a word of `Channel`.
    pub source: String,
    /// Where they came from, as a JSON object.
    pub details: Option<String>,
    /// A word of `LeadStatus`.
    pub status: String,
    /// How often something was said.
    pub interactions: i64,
    /// How often somebody called them.
    pub attempts: i64,
    /// When somebody last got in touch.
    pub last_contacted_at: Option<DateTime<Utc>>,
    /// When somebody is to get in touch.
    pub next_follow_up_at: Option<DateTime<Utc>>,
    /// The client that they became.
    pub converted_client_id: Option<Uuid>,
    /// When they became it.
    pub converted_at: Option<DateTime<Utc>>,
    /// Free text.
    pub notes: Option<String>,
    /// When they first asked.
    pub first_interaction_at: DateTime<Utc>,
    /// Counts the row's changes.
    pub version: i64,
    /// When the row was made.
    pub created_at: DateTime<Utc>,
    /// When the row last changed.
    pub updated_at: DateTime<Utc>,
}

/// One thing that was said.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct InteractionRow {
    /// Its id.
    pub id: Uuid,
    /// The event that told it, where one did.
    pub event_id: Option<Uuid>,
    /// A word of `InteractionKind`.
    pub kind: String,
    /// What was said.
    pub note: Option<String>,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// By what a lead's names and e-mail are found.
fn keys(lead: &LeadRecord) -> [Option<Vec<u8>>; 3] {
    let (first, last) = (lead.first_name.as_deref(), lead.last_name.as_deref());
    folded(first, last, lead.email.as_deref())
}

/// Inserts a lead; its counters begin at zero, and its times are `created_at`.
///
/// # Errors
/// When the database fails; a conflict when an open lead has its phone or WhatsApp id.
pub async fn insert(conn: &mut Conn<'_>, tenant: Uuid, lead: &LeadRecord) -> Result<()> {
    let [name, last_name, email] = keys(lead);
    execute!(
        conn,
        INSERT,
        tenant,
        lead.id,
        lead.phone.as_deref(),
        lead.whatsapp_id.as_deref(),
        lead.first_name.as_deref(),
        lead.last_name.as_deref(),
        lead.email.as_deref(),
        lead.source.as_str(),
        lead.details.as_deref(),
        lead.status.as_str(),
        lead.next_follow_up_at,
        lead.notes.as_deref(),
        lead.created_at,
        name,
        last_name,
        email
    )?;
    Ok(())
}

/// Writes the fields that people set; `updated_at` of the row is used.
///
/// # Errors
/// When the database fails; a conflict when another open lead has its phone or WhatsApp id.
pub async fn update(conn: &mut Conn<'_>, tenant: Uuid, lead: &LeadRecord) -> Result<()> {
    let [name, last_name, email] = keys(lead);
    execute!(
        conn,
        UPDATE,
        tenant,
        lead.id,
        lead.first_name.as_deref(),
        lead.last_name.as_deref(),
        lead.email.as_deref(),
        lead.source.as_str(),
        lead.details.as_deref(),
        lead.status.as_str(),
        lead.attempts,
        lead.next_follow_up_at,
        lead.notes.as_deref(),
        name,
        last_name,
        email,
        lead.updated_at
    )?;
    Ok(())
}

/// One lead of a tenant.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &mut Conn<'_>, tenant: Uuid, id: Uuid) -> Result<Option<LeadRecord>> {
    Ok(fetch_optional!(conn, LeadRecord, FIND, tenant, id)?)
}

/// Adds what was said, and counts it in the same breath; `None` when there is no such lead.
///
/// # Errors
/// When the database fails.
pub async fn add_interaction(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    lead: Uuid,
    kind: InteractionKind,
    note: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Option<InteractionRow>> {
    let attempts = i64::from(kind == InteractionKind::Call);
    let reached = i32::from(kind != InteractionKind::Note);
    if execute!(conn, COUNT_INTERACTION, tenant, lead, attempts, reached, now)? == 0 {
        return Ok(None);
    }
    let id = ids::new(now);
    execute!(conn, INSERT_INTERACTION, tenant, id, lead, kind.as_str(), note, now)?;
    let (kind, note) = (kind.as_str().to_owned(), note.map(str::to_owned));
    Ok(Some(InteractionRow { id, event_id: None, kind, note, created_at: now }))
}

/// What was said to and by a lead before a moment and an id, the latest first.
///
/// # Errors
/// When the database fails.
pub async fn list_interactions(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    lead: Uuid,
    (at, id): (DateTime<Utc>, Uuid),
    limit: i64,
) -> Result<Vec<InteractionRow>> {
    Ok(fetch_all!(conn, InteractionRow, LIST_INTERACTIONS, tenant, lead, at, id, limit)?)
}

/// True for the states of a lead that is being worked on.
#[must_use]
pub fn is_open(status: LeadStatus) -> bool {
    matches!(status, LeadStatus::New | LeadStatus::Contacted | LeadStatus::Qualified)
}
