//! Forgetting a person: what names them goes, what counts stays.

use super::packed::Body;
use super::{Conn, Result, execute, fetch_all, statements};
use crate::domain::edit::Set;
use crate::domain::person::Identity;
use crate::domain::sighting::Says;
use crate::domain::traces::Traces;
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::collections::BTreeSet;
use uuid::Uuid;

/// How many events are looked through at once.
const AT_ONCE: i64 = 50;

statements! {
    LIST_EVENTS = "
        select id, raw, understood, overrides, problems, headers, answer from webhook_events
        where tenant_id = $1 and id > $2 order by id limit $3";
    LIST_TOLD = "
        select distinct event_id from booking_sightings where tenant_id = $1 and client_id = $2";
    LIST_WAITING = "
        select distinct event_id from booking_sightings where tenant_id = $1 and person_key = $2";
    LIST_ASKED = "
        select i.event_id from leads l
        join lead_interactions i on i.tenant_id = l.tenant_id and i.lead_id = l.id
        where l.tenant_id = $1 and i.event_id is not null and (
            l.converted_client_id = $2 or l.phone = $3 or l.whatsapp_id = $3)";
    FIND_ANSWER = "select answer from webhook_events where tenant_id = $1 and id = $2";
    EMPTY_EVENT = "
        update webhook_events set raw = $3, headers = '{}', understood = null, overrides = null,
            problems = '[]', answer = $4, review_context = null,
            status = case when status = 'tracked' then status else 'ignored' end,
            reason = case when status = 'tracked' then null else 'erased' end, updated_at = $5
        where tenant_id = $1 and id = $2";
    DELETE_TOLD = "
        delete from booking_sightings where tenant_id = $1 and client_id = $2";
    DELETE_WAITING = "
        delete from booking_sightings
        where tenant_id = $1 and person_key = $2 and booking_id is null";
    LIST_SAID = "
        select id, says, person_key from booking_sightings where tenant_id = $1 and event_id = $2";
    RETELL = "
        update booking_sightings set says = $3, person_key = $4
        where tenant_id = $1 and id = $2";
    EMPTY_BOOKINGS = "
        update bookings set notes = null, provider = null, external_booking_id = null,
            origin_key = $3 || cast(kept.place as text), version = version + 1, updated_at = $4
        from (
            select id as kept_id, row_number() over (order by id) as place
            from bookings where tenant_id = $1 and client_id = $2
        ) kept
        where tenant_id = $1 and client_id = $2 and id = kept.kept_id";
    DELETE_INTERACTIONS = "
        delete from lead_interactions where tenant_id = $1 and lead_id in (
            select id from leads where tenant_id = $1 and (
                converted_client_id = $2 or phone = $3 or whatsapp_id = $3))";
    DELETE_LEADS = "
        delete from leads where tenant_id = $1 and (
            converted_client_id = $2 or phone = $3 or whatsapp_id = $3)";
    DELETE_MAPPINGS = "
        delete from client_service_mappings where tenant_id = $1 and client_id = $2";
    DELETE_IDENTITIES = "delete from client_identities where tenant_id = $1 and client_id = $2";
    EMPTY_CLIENT = "
        update clients set phone = null, whatsapp_id = null, first_name = '', last_name = '',
            email = null, status = 'inactive', provenance = '{}', set_by_person = '[]',
            sort_name = $3, erased_at = $4, version = version + 1, updated_at = $4
        where tenant_id = $1 and id = $2";
    HAS_EMAIL = "
        select id from clients where tenant_id = $1 and email = $2 and id <> $3 limit 1";
    EMPTY_AUDIT = "
        update audit_log set detail = null
        where tenant_id = $1 and subject_kind = 'client' and subject_id = $2";
    LIST_AUDIT = "
        select id, detail from audit_log
        where tenant_id = $1 and id > $2 and detail is not null order by id limit $3";
    EMPTY_DETAIL = "update audit_log set detail = null where tenant_id = $1 and id = $2";
    LIST_OWN = "
        select id from client_service_mappings where tenant_id = $1 and client_id = $2
        union all
        select id from record_aliases where tenant_id = $1 and kind = 'client' and now_id = $2";
    LIST_LEADS = "
        select id from leads where tenant_id = $1 and (
            converted_client_id = $2 or phone = $3 or whatsapp_id = $3)
        union all
        select i.id from leads l
        join lead_interactions i on i.tenant_id = l.tenant_id and i.lead_id = l.id
        where l.tenant_id = $1 and (
            l.converted_client_id = $2 or l.phone = $3 or l.whatsapp_id = $3)";
    LIST_ANSWERS = "
        select key_hash, answer from idempotency_answers
        where tenant_id = $1 and answer is not null";
    REPLACE_ANSWER = "
        update idempotency_answers set status_code = $3, answer = $4
        where tenant_id = $1 and key_hash = $2";
}

/// The person who is to be forgotten.
#[derive(Clone, Debug)]
pub struct Person {
    /// Their client.
    pub client: Uuid,
    /// What they are and were known by.
    pub identities: Vec<Identity>,
    /// How that may stand in a text.
    pub traces: Traces,
}

/// What repeats of requests that named the person are answered.
#[derive(Clone, Copy, Debug)]
pub struct Gone<'a> {
    /// The status.
    pub status: i32,
    /// The answer as it is kept, which names nobody.
    pub answer: &'a str,
}

/// True when another client has the address too: then it is not this person's alone.
///
/// # Errors
/// When the database fails.
pub async fn shares_email(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    client: Uuid,
    email: &str,
) -> Result<bool> {
    Ok(!fetch_all!(conn, (Uuid,), HAS_EMAIL, tenant, email, client)?.is_empty())
}

/// An event's texts.
#[derive(sqlx::FromRow)]
struct Texts {
    id: Uuid,
    #[sqlx(try_from = "Vec<u8>")]
    raw: Body,
    understood: Option<String>,
    overrides: Option<String>,
    problems: String,
    headers: String,
    answer: String,
}

impl Texts {
    fn name(&self, traces: &Traces) -> bool {
        let optional = [&self.understood, &self.overrides].into_iter().flatten();
        let texts = optional.chain([&self.problems, &self.headers, &self.answer]);
        traces.are_in(&self.raw) || texts.into_iter().any(|text| traces.are_in(text.as_bytes()))
    }
}

/// The events after `after` in whose text the person stands, linked to them or not: every event of
/// the tenant is looked through.
///
/// # Errors
/// When the database fails.
pub async fn events_naming(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    traces: &Traces,
    after: Uuid,
) -> Result<BTreeSet<Uuid>> {
    let (mut found, mut after) = (BTreeSet::new(), after);
    loop {
        let page = fetch_all!(conn, Texts, LIST_EVENTS, tenant, after, AT_ONCE)?;
        found.extend(page.iter().filter(|event| event.name(traces)).map(|event| event.id));
        match page.last() {
            Some(last) => after = last.id,
            None => return Ok(found),
        }
    }
}

/// Removes everything that names the person, in one transaction with what the caller locked. Of
/// `events` only what came of them stays, and their keys, so that a late repeat changes nothing.
///
/// # Errors
/// When the database fails.
pub async fn erase(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    person: &Person,
    events: BTreeSet<Uuid>,
    gone: Gone<'_>,
    now: DateTime<Utc>,
) -> Result<()> {
    let client = person.client;
    let ids = ids_of(conn, tenant, person).await?;
    execute!(conn, DELETE_TOLD, tenant, client)?;
    for identity in &person.identities {
        execute!(conn, DELETE_WAITING, tenant, identity.key())?;
        execute!(conn, DELETE_INTERACTIONS, tenant, client, identity.value())?;
        execute!(conn, DELETE_LEADS, tenant, client, identity.value())?;
        super::beside::delete(conn, tenant, identity).await?;
    }
    for event in events {
        retell(conn, tenant, person, event).await?;
        empty_event(conn, tenant, event, now).await?;
    }
    // What a booking was first told as may be a message's id, in which its sender's number stands.
    let origin = format!("erased:{client}:");
    execute!(conn, EMPTY_BOOKINGS, tenant, client, origin, now)?;
    super::duplicates::delete_of(conn, tenant, client).await?;
    super::beside::delete_of(conn, tenant, client).await?;
    super::words::delete(conn, tenant, client).await?;
    execute!(conn, DELETE_MAPPINGS, tenant, client)?;
    execute!(conn, DELETE_IDENTITIES, tenant, client)?;
    execute!(conn, EMPTY_CLIENT, tenant, client, Vec::<u8>::new(), now)?;
    forget_deeds(conn, tenant, person).await?;
    forget_answers(conn, tenant, person, (&ids, gone)).await
}

/// The events that are linked to the person.
///
/// # Errors
/// When the database fails.
pub async fn events_of(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    person: &Person,
) -> Result<BTreeSet<Uuid>> {
    let mut found = fetch_all!(conn, (Uuid,), LIST_TOLD, tenant, person.client)?;
    for identity in &person.identities {
        found.extend(fetch_all!(conn, (Uuid,), LIST_WAITING, tenant, identity.key())?);
        let (client, value) = (person.client, identity.value());
        found.extend(fetch_all!(conn, (Uuid,), LIST_ASKED, tenant, client, value)?);
    }
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// What is left of an event are ids and what became of it.
async fn empty_event(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    event: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    for (answer,) in fetch_all!(conn, (String,), FIND_ANSWER, tenant, event)? {
        let answer = unsaid(&answer);
        execute!(conn, EMPTY_EVENT, tenant, event, Vec::<u8>::new(), answer, now)?;
    }
    Ok(())
}

/// An answer without what it says in words.
pub(super) fn unsaid(answer: &str) -> String {
    let mut answer: Value = serde_json::from_str(answer).unwrap_or_default();
    if let Some(members) = answer.as_object_mut() {
        members.retain(|name, _| name != "message" && name != "problems");
    }
    answer.to_string()
}

/// Takes the person out of what the event told of others' bookings.
async fn retell(conn: &mut Conn<'_>, tenant: Uuid, person: &Person, event: Uuid) -> Result<()> {
    type Row = (Uuid, String, Option<String>);
    for (id, says, key) in fetch_all!(conn, Row, LIST_SAID, tenant, event)? {
        let theirs = |key: &String| person.identities.iter().any(|i| i.key() == *key);
        let key_is_theirs = key.as_ref().is_some_and(theirs);
        if !key_is_theirs && !person.traces.are_in(says.as_bytes()) {
            continue;
        }
        let told = serde_json::from_str::<Says>(&says).map(|says| without(says, person));
        let said = told.ok().and_then(|told| serde_json::to_string(&told).ok());
        let said = said.unwrap_or(says);
        execute!(conn, RETELL, tenant, id, said, key.filter(|_| !key_is_theirs))?;
    }
    Ok(())
}

/// What was said, without the person's numbers, ids and address.
fn without(mut says: Says, person: &Person) -> Says {
    let theirs = |identity: &Identity| person.identities.contains(identity);
    let telling = match &mut says {
        Says::Booking(telling) => Some(telling),
        Says::Change(change) => {
            change.by.retain(|identity| !theirs(identity));
            change.telling.as_mut()
        }
        Says::Edit(edit) => {
            edit.by.retain(|identity| !theirs(identity));
            if let Set::To(notes) = &edit.set.notes
                && person.traces.are_in(notes.as_bytes())
            {
                edit.set.notes = Set::Emptied;
            }
            None
        }
    };
    if let Some(telling) = telling {
        telling.customer_phone.take_if(|phone| theirs(&Identity::Phone(phone.clone())));
        telling.whatsapp_id.take_if(|id| theirs(&Identity::WhatsApp(id.clone())));
        telling.email.take_if(|email| person.traces.are_in(email.as_bytes()));
        telling.notes.take_if(|notes| person.traces.are_in(notes.as_bytes()));
    }
    says
}

/// Empties what the log says of the person; that something was done, by whom and when, stays.
async fn forget_deeds(conn: &mut Conn<'_>, tenant: Uuid, person: &Person) -> Result<()> {
    execute!(conn, EMPTY_AUDIT, tenant, person.client.to_string())?;
    let mut after = Uuid::nil();
    loop {
        let page = fetch_all!(conn, (Uuid, String), LIST_AUDIT, tenant, after, 10 * AT_ONCE)?;
        for (id, detail) in &page {
            if person.traces.are_in(detail.as_bytes()) {
                execute!(conn, EMPTY_DETAIL, tenant, *id)?;
            }
        }
        match page.last() {
            Some((last, _)) => after = *last,
            None => return Ok(()),
        }
    }
}

/// The ids of the person, and of everything that is deleted with them: an answer may hold no other
/// word of whom it is about.
async fn ids_of(conn: &mut Conn<'_>, tenant: Uuid, person: &Person) -> Result<Vec<String>> {
    let mut ids = vec![(person.client,)];
    ids.extend(fetch_all!(conn, (Uuid,), LIST_OWN, tenant, person.client)?);
    for identity in &person.identities {
        let (client, value) = (person.client, identity.value());
        ids.extend(fetch_all!(conn, (Uuid,), LIST_LEADS, tenant, client, value)?);
    }
    Ok(ids.into_iter().map(|(id,)| id.to_string()).collect())
}

/// Whoever repeats a request that named the person is told that they are gone.
async fn forget_answers(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    person: &Person,
    (ids, gone): (&[String], Gone<'_>),
) -> Result<()> {
    for (key, answer) in fetch_all!(conn, (String, String), LIST_ANSWERS, tenant)? {
        if ids.iter().any(|id| answer.contains(id)) || person.traces.are_in(answer.as_bytes()) {
            execute!(conn, REPLACE_ANSWER, tenant, key, gone.status, gone.answer)?;
        }
    }
    Ok(())
}
