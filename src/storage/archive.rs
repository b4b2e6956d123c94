//! Everything of one tenant, to be handed over: page by page in the order of the ids, so that a
//! tenant of any size takes no more memory than a page.

use super::packed::Body;
use super::{Conn, Result, fetch_all, statements};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

statements! {
    CLIENTS = "
        select id, phone, whatsapp_id, first_name, last_name, email, status,
            first_interaction_source, first_interaction_at, first_booking_at, last_booking_at,
            provenance, set_by_person, created_at, updated_at
        from clients where tenant_id = $1 and id > $2 order by id limit $3";
    IDENTITIES = "
        select client_id, kind, value, is_current, created_at from client_identities
        where tenant_id = $1 and client_id >= $2 and client_id <= $3 order by client_id, id";
    MAPPINGS = "
        select client_id, provider, business_id, branch_id, external_client_id, created_at
        from client_service_mappings
        where tenant_id = $1 and client_id >= $2 and client_id <= $3 order by client_id, id";
    BOOKINGS = "
        select id, client_id, booking_at, service_name, service_category, duration_minutes,
            staff_member, amount_minor, currency, status, payment_status, source, provider,
            external_booking_id, notes, possible_duplicate_of, flags, booked_at, created_at,
            updated_at
        from bookings where tenant_id = $1 and id > $2 order by id limit $3";
    SIGHTINGS = "
        select id, event_id, item, booking_id, event_time, rank, seq, context, told_as, says,
            set_by_person, created_at
        from booking_sightings where tenant_id = $1 and id > $2 order by id limit $3";
    LEADS = "
        select id, phone, whatsapp_id, first_name, last_name, email, source, details, status,
            interactions, attempts, last_contacted_at, next_follow_up_at, converted_client_id,
            converted_at, notes, first_interaction_at, created_at, updated_at
        from leads where tenant_id = $1 and id > $2 order by id limit $3";
    INTERACTIONS = "
        select lead_id, event_id, kind, note, created_at from lead_interactions
        where tenant_id = $1 and lead_id >= $2 and lead_id <= $3 order by lead_id, created_at, id";
    EVENTS = "
        select id, source, kind, account_id, status, reason, problems, understood, answer,
            overrides, headers, raw, occurred_at, received_at, attempts
        from webhook_events where tenant_id = $1 and id > $2 order by id limit $3";
    AUDIT = "
        select id, actor, action, subject_kind, subject_id, detail, created_at
        from audit_log where tenant_id = $1 and id > $2 order by id limit $3";
}

/// A row that belongs to another one of the same page.
pub trait Owned {
    /// The id of the one it belongs to.
    fn owner(&self) -> Uuid;
}

/// A row with an id of its own, by which pages go on.
pub trait Row {
    /// Its id.
    fn id(&self) -> Uuid;
}

/// Makes the rows of an archive: named columns that JSON has under the same names in camelCase.
macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident: $trait:ident by $by:ident { $($(#[$how:meta])* $field:ident: $type:ty),+ $(,)? })+) => { $(
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, sqlx::FromRow)]
        #[serde(rename_all = "camelCase")]
        #[expect(missing_docs, reason = "the fields are the columns")]
        pub struct $name { $($(#[$how])* pub $field: $type),+ }

        rows!(@ $trait $name $by);
    )+ };
    (@ Row $name:ident $by:ident) => {
        impl Row for $name {
            fn id(&self) -> Uuid {
                self.$by
            }
        }
    };
    (@ Owned $name:ident $by:ident) => {
        impl Owned for $name {
            fn owner(&self) -> Uuid {
                self.$by
            }
        }
    };
}

rows! {
    /// A client.
    Client: Row by id {
        id: Uuid,
        phone: Option<String>,
        whatsapp_id: Option<String>,
        first_name: String,
        last_name: String,
        email: Option<String>,
        status: String,
        first_interaction_source: String,
        first_interaction_at: DateTime<Utc>,
        first_booking_at: Option<DateTime<Utc>>,
        last_booking_at: Option<DateTime<Utc>>,
        #[serde(serialize_with = "json")]
        provenance: String,
        #[serde(serialize_with = "json")]
        set_by_person: String,
        created_at: DateTime<Utc>,
        updated_at: DateTime<Utc>,
    }
    /// An identity of a client, present or former.
    Identity: Owned by client_id {
        client_id: Uuid,
        kind: String,
        value: String,
        is_current: bool,
        created_at: DateTime<Utc>,
    }
    /// A client's account at a salon system.
    Mapping: Owned by client_id {
        client_id: Uuid,
        provider: String,
        business_id: String,
        branch_id: String,
        external_client_id: String,
        created_at: DateTime<Utc>,
    }
    /// A booking.
    Booking: Row by id {
        id: Uuid,
        client_id: Uuid,
        booking_at: DateTime<Utc>,
        service_name: String,
        service_category: Option<String>,
        duration_minutes: Option<i64>,
        staff_member: Option<String>,
        amount_minor: Option<i64>,
        currency: Option<String>,
        status: String,
        payment_status: String,
        source: String,
        provider: Option<String>,
        external_booking_id: Option<String>,
        notes: Option<String>,
        possible_duplicate_of: Option<Uuid>,
        #[serde(serialize_with = "json")]
        flags: String,
        booked_at: DateTime<Utc>,
        created_at: DateTime<Utc>,
        updated_at: DateTime<Utc>,
    }
    /// One telling of a booking.
    Sighting: Row by id {
        id: Uuid,
        event_id: Uuid,
        item: String,
        booking_id: Option<Uuid>,
        event_time: DateTime<Utc>,
        rank: i16,
        seq: i32,
        context: Option<String>,
        #[serde(serialize_with = "json")]
        told_as: String,
        #[serde(serialize_with = "json")]
        says: String,
        #[serde(serialize_with = "json")]
        set_by_person: String,
        created_at: DateTime<Utc>,
    }
    /// Somebody who asked.
    Lead: Row by id {
        id: Uuid,
        phone: Option<String>,
        whatsapp_id: Option<String>,
        first_name: Option<String>,
        last_name: Option<String>,
        email: Option<String>,
        source: String,
        details: Option<String>,
        status: String,
        interactions: i64,
        attempts: i64,
        last_contacted_at: Option<DateTime<Utc>>,
        next_follow_up_at: Option<DateTime<Utc>>,
        converted_client_id: Option<Uuid>,
        converted_at: Option<DateTime<Utc>>,
        notes: Option<String>,
        first_interaction_at: DateTime<Utc>,
        created_at: DateTime<Utc>,
        updated_at: DateTime<Utc>,
    }
    /// One interaction with a lead.
    Interaction: Owned by lead_id {
        lead_id: Uuid,
        event_id: Option<Uuid>,
        kind: String,
        note: Option<String>,
        created_at: DateTime<Utc>,
    }
    /// An event.
    Event: Row by id {
        id: Uuid,
        source: String,
        // `kind` says of every line what it holds.
        #[serde(rename = "eventKind")]
        kind: String,
        account_id: Option<String>,
        status: String,
        reason: Option<String>,
        #[serde(serialize_with = "json")]
        problems: String,
        #[serde(serialize_with = "json_if_any")]
        understood: Option<String>,
        #[serde(serialize_with = "json")]
        answer: String,
        #[serde(serialize_with = "json_if_any")]
        overrides: Option<String>,
        #[serde(serialize_with = "json")]
        headers: String,
        #[serde(serialize_with = "bytes")]
        #[sqlx(try_from = "Vec<u8>")]
        raw: Body,
        occurred_at: Option<DateTime<Utc>>,
        received_at: DateTime<Utc>,
        attempts: i32,
    }
    /// An entry of the audit log.
    Entry: Row by id {
        id: Uuid,
        actor: String,
        action: String,
        subject_kind: String,
        subject_id: String,
        detail: Option<String>,
        created_at: DateTime<Utc>,
    }
}

/// Writes a column that holds JSON as what it holds; as text where it proves to be none.
fn json<S: Serializer>(text: &str, to: S) -> std::result::Result<S::Ok, S::Error> {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(value) => value.serialize(to),
        Err(_) => text.serialize(to),
    }
}

#[expect(clippy::ref_option, reason = "this is how serde calls it")]
fn json_if_any<S: Serializer>(
    text: &Option<String>,
    to: S,
) -> std::result::Result<S::Ok, S::Error> {
    match text {
        Some(text) => json(text, to),
        None => to.serialize_none(),
    }
}

/// Writes bytes as the text that they are, or in base64 where they are none.
fn bytes<S: Serializer>(bytes: &[u8], to: S) -> std::result::Result<S::Ok, S::Error> {
    match std::str::from_utf8(bytes) {
        Ok(text) => to.serialize_str(text),
        Err(_) => to.collect_map([("base64", STANDARD.encode(bytes))]),
    }
}

/// Makes the functions that read a page of each kind.
macro_rules! pages {
    ($($(#[$doc:meta])* $name:ident: $row:ident by $sql:ident;)+) => { $(
        $(#[$doc])*
        ///
        /// # Errors
        /// When the database fails.
        pub async fn $name(
            conn: &mut Conn<'_>,
            tenant: Uuid,
            after: Uuid,
            limit: i64,
        ) -> Result<Vec<$row>> {
            Ok(fetch_all!(conn, $row, $sql, tenant, after, limit)?)
        }
    )+ };
}

pages! {
    /// Clients behind an id.
    clients: Client by CLIENTS;
    /// Bookings behind an id.
    bookings: Booking by BOOKINGS;
    /// Tellings behind an id.
    sightings: Sighting by SIGHTINGS;
    /// Leads behind an id.
    leads: Lead by LEADS;
    /// Events behind an id.
    events: Event by EVENTS;
    /// Entries of the audit log behind an id.
    audit: Entry by AUDIT;
}

/// The identities of the clients from `first` to `last`.
///
/// # Errors
/// When the database fails.
pub async fn identities(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    (first, last): (Uuid, Uuid),
) -> Result<Vec<Identity>> {
    Ok(fetch_all!(conn, Identity, IDENTITIES, tenant, first, last)?)
}

/// The accounts of the clients from `first` to `last`.
///
/// # Errors
/// When the database fails.
pub async fn mappings(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    (first, last): (Uuid, Uuid),
) -> Result<Vec<Mapping>> {
    Ok(fetch_all!(conn, Mapping, MAPPINGS, tenant, first, last)?)
}

/// The interactions with the leads from `first` to `last`.
///
/// # Errors
/// When the database fails.
pub async fn interactions(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    (first, last): (Uuid, Uuid),
) -> Result<Vec<Interaction>> {
    Ok(fetch_all!(conn, Interaction, INTERACTIONS, tenant, first, last)?)
}
