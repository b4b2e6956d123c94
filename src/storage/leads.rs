//! People who asked and have not booked yet.

use super::batch::IdentityKey;
use super::bulk::{Rows, bulk};
use super::{Conn, Result, execute, fetch_all, fetch_optional, statements};
use crate::domain::channel::Channel;
use crate::domain::ids;
use crate::domain::person::Identity;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

statements! {
    INSERT = "
        insert into leads (tenant_id, id, phone, whatsapp_id, first_name, last_name, email, source,
            details, status, interactions, attempts, first_interaction_at, name_key,
            last_name_key, email_key, version, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'new', 0, 0, $10, $12, $13, $14, 1, $11,
            $11)";
    FIND_OPEN_BY_PHONE = "
        select id, phone, whatsapp_id, first_interaction_at, source, status from leads
        where tenant_id = $1 and phone = $2 and status in ('new', 'contacted', 'qualified')";
    FIND_OPEN_BY_WHATSAPP = "
        select id, phone, whatsapp_id, first_interaction_at, source, status from leads
        where tenant_id = $1 and whatsapp_id = $2 and status in ('new', 'contacted', 'qualified')";
    GIVE_PHONE = "
        update leads set phone = $3, version = version + 1, updated_at = $4
        where tenant_id = $1 and id = $2";
    GIVE_WHATSAPP_ID = "
        update leads set whatsapp_id = $3, version = version + 1, updated_at = $4
        where tenant_id = $1 and id = $2";
    INSERT_INTERACTION = "
        insert into lead_interactions (tenant_id, id, lead_id, event_id, kind, created_at)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (tenant_id, event_id) do nothing";
    COUNT_INTERACTION = "
        update leads set interactions = interactions + 1, version = version + 1, updated_at = $3,
            first_interaction_at = case when $4 < first_interaction_at
                then $4 else first_interaction_at end
        where tenant_id = $1 and id = $2";
    CONVERT = "
        update leads set status_before = status, status = 'converted', converted_client_id = $3,
            converted_at = $4, version = version + 1, updated_at = $4
        where tenant_id = $1 and id = $2";
    REOPEN = "
        update leads set status = coalesce(status_before, 'new'), status_before = null,
            converted_client_id = null, converted_at = null, version = version + 1, updated_at = $3
        where tenant_id = $1 and converted_client_id = $2";
    LIST_BY_CLIENT = "
        select id, phone, whatsapp_id, first_interaction_at, source, status from leads
        where tenant_id = $1 and converted_client_id = $2
        order by first_interaction_at, id";
}

bulk! {
    FIND_OPEN_BY_PHONES(tenant_id Uuid, kind Text, value Text) = "
        select l.tenant_id, l.id, l.phone, l.whatsapp_id, l.first_interaction_at, l.source,
            l.status
        from k cross join leads l
        where l.tenant_id = k.tenant_id and l.phone = k.value
            and l.status in ('new', 'contacted', 'qualified')";
    FIND_OPEN_BY_WHATSAPPS(tenant_id Uuid, kind Text, value Text) = "
        select l.tenant_id, l.id, l.phone, l.whatsapp_id, l.first_interaction_at, l.source,
            l.status
        from k cross join leads l
        where l.tenant_id = k.tenant_id and l.whatsapp_id = k.value
            and l.status in ('new', 'contacted', 'qualified')";
}

/// What tracking needs to know of a lead.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct LeadRow {
    /// Its id.
    pub id: Uuid,
    /// E.164, where known.
    pub phone: Option<String>,
    /// Where known.
    pub whatsapp_id: Option<String>,
    /// When they first asked.
    pub first_interaction_at: DateTime<Utc>,
    /// How they asked: a word of [`Channel`].
    pub source: String,
    /// A word of `LeadStatus`.
    pub status: String,
}

/// A lead that is not there yet.
#[derive(Clone, Debug)]
pub struct NewLead<'a> {
    /// Phone and WhatsApp id, as far as known.
    pub identities: &'a [Identity],
    /// As written.
    pub first_name: Option<&'a str>,
    /// As written.
    pub last_name: Option<&'a str>,
    /// In lower case.
    pub email: Option<&'a str>,
    /// How they asked.
    pub source: Channel,
    /// Where they came from, as JSON text.
    pub details: Option<String>,
    /// When they first asked.
    pub first_interaction_at: DateTime<Utc>,
}

/// A name or an e-mail address as it is sought: whatever its case, its marks' form and its spaces.
#[must_use]
pub fn fold(text: &str) -> String {
    let folded: String = text.nfkc().flat_map(char::to_lowercase).collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The keys by which a lead's whole name, last name and e-mail are found.
pub(super) fn folded(
    first_name: Option<&str>,
    last_name: Option<&str>,
    email: Option<&str>,
) -> [Option<Vec<u8>>; 3] {
    let key = |text: &str| Some(fold(text).into_bytes()).filter(|key| !key.is_empty());
    let whole = [first_name, last_name].into_iter().flatten().collect::<Vec<_>>().join(" ");
    [key(&whole), last_name.and_then(key), email.and_then(key)]
}

/// Inserts an open lead and answers its id.
///
/// # Errors
/// When the database fails; a conflict when an open lead has one of the identities already.
pub async fn insert(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    lead: &NewLead<'_>,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let id = ids::new(now);
    let [name, last_name, email] = folded(lead.first_name, lead.last_name, lead.email);
    let of = |kind| lead.identities.iter().find(|i| i.kind() == kind);
    let value = |kind| of(kind).map(|identity| identity.value().into_owned());
    execute!(
        conn,
        INSERT,
        tenant,
        id,
        value("phone"),
        value("whatsapp"),
        lead.first_name,
        lead.last_name,
        lead.email,
        lead.source.as_str(),
        lead.details.as_deref(),
        lead.first_interaction_at,
        now,
        name,
        last_name,
        email
    )?;
    Ok(id)
}

/// The open lead with this phone or WhatsApp id.
///
/// # Errors
/// When the database fails.
pub async fn find_open(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    identity: &Identity,
) -> Result<Option<LeadRow>> {
    let sql = match identity {
        Identity::Phone(_) => FIND_OPEN_BY_PHONE,
        Identity::WhatsApp(_) => FIND_OPEN_BY_WHATSAPP,
        Identity::Client(_) => return Ok(None),
    };
    let key = (tenant, identity.kind(), identity.value().into_owned());
    if let Some(lead) = conn.known().and_then(|known| known.leads.get(&key)) {
        return Ok(lead.clone());
    }
    Ok(fetch_optional!(conn, LeadRow, sql, tenant, identity.value().into_owned())?)
}

#[derive(sqlx::FromRow)]
struct OfTenant {
    tenant_id: Uuid,
    #[sqlx(flatten)]
    lead: LeadRow,
}

/// Reads ahead for [`find_open`].
///
/// # Errors
/// When the database fails.
pub async fn read_ahead(conn: &mut Conn<'_>, keys: &BTreeSet<IdentityKey>) -> Result<()> {
    let (mut phones, mut whatsapps) = (Rows::default(), Rows::default());
    for (tenant, kind, value) in keys {
        let rows = if *kind == "phone" { &mut phones } else { &mut whatsapps };
        rows.push([(*tenant).into(), (*kind).into(), value.as_str().into()]);
    }
    let raw = conn.settled().await?;
    let by_phone: Vec<OfTenant> = FIND_OPEN_BY_PHONES.fetch(raw, phones).await?;
    let by_whatsapp: Vec<OfTenant> = FIND_OPEN_BY_WHATSAPPS.fetch(raw, whatsapps).await?;
    let Some(known) = conn.known_mut() else { return Ok(()) };
    for key in keys {
        known.leads.hold(key.clone(), None);
    }
    for OfTenant { tenant_id, lead } in by_phone {
        let phone = lead.phone.clone().unwrap_or_default();
        known.leads.hold((tenant_id, "phone", phone), Some(lead));
    }
    for OfTenant { tenant_id, lead } in by_whatsapp {
        let whatsapp = lead.whatsapp_id.clone().unwrap_or_default();
        known.leads.hold((tenant_id, "whatsapp", whatsapp), Some(lead));
    }
    Ok(())
}

/// Gives a lead the phone or WhatsApp id that was not known of it, or is its new one.
///
/// # Errors
/// When the database fails; a conflict when another open lead has it.
pub async fn give_identity(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    lead: Uuid,
    identity: &Identity,
    now: DateTime<Utc>,
) -> Result<()> {
    let sql = match identity {
        Identity::Phone(_) => GIVE_PHONE,
        Identity::WhatsApp(_) => GIVE_WHATSAPP_ID,
        Identity::Client(_) => return Ok(()),
    };
    execute!(conn, sql, tenant, lead, identity.value().into_owned(), now)?;
    Ok(())
}

/// Counts an interaction, once an event; `event_time` may move the first one back.
///
/// # Errors
/// When the database fails.
pub async fn count_interaction(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    lead: Uuid,
    event: Uuid,
    event_time: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    let id = ids::new(now);
    let done = execute!(conn, INSERT_INTERACTION, tenant, id, lead, event, "message", event_time)?;
    if done == 1 {
        execute!(conn, COUNT_INTERACTION, tenant, lead, now, event_time)?;
    }
    Ok(())
}

/// Converts an open lead: its phone booked.
///
/// # Errors
/// When the database fails.
pub async fn convert(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    lead: Uuid,
    client: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    execute!(conn, CONVERT, tenant, lead, client, now)?;
    Ok(())
}

/// Opens again every lead that was converted to this client: the booking proved another's.
///
/// # Errors
/// When the database fails.
pub async fn reopen(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    client: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    execute!(conn, REOPEN, tenant, client, now)?;
    Ok(())
}

/// The leads that became this client, the earliest first.
///
/// # Errors
/// When the database fails.
pub async fn list_by_client(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    client: Uuid,
) -> Result<Vec<LeadRow>> {
    Ok(fetch_all!(conn, LeadRow, LIST_BY_CLIENT, tenant, client)?)
}
