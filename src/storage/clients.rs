//! Clients and their identities.

use super::aliases::{self, Kind};
use super::batch::Stage;
use super::bulk::{Rows, bulk};
use super::pending::{PendingClient, write_pending};
use super::{
    Conn, Result, beside, duplicates, execute, fetch_all, fetch_optional, statements, words,
};
use crate::domain::person::Identity;
use crate::domain::{ids, names};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use uuid::Uuid;

statements! {
    COUNT = "
        update clients set bookings_count = bookings_count + $3, spent_minor = spent_minor + $4
        where tenant_id = $1 and id = $2";
    RECOUNT_SPENT = "
        update clients set spent_minor = (
            select cast(coalesce(sum(b.amount_minor), 0) as bigint) from bookings b
            where b.tenant_id = $1 and b.client_id = clients.id and b.currency = $2
                and b.status not in ('cancelled', 'no_show') and b.payment_status <> 'refunded')
        where tenant_id = $1";
    DELETE = "delete from clients where tenant_id = $1 and id = $2";
    FIND = "
        select id, phone, whatsapp_id, first_name, last_name, email, status,
            first_interaction_source, first_interaction_at, first_booking_at, last_booking_at,
            provenance, set_by_person, bookings_count, spent_minor, version, created_at, updated_at
        from clients where tenant_id = $1 and id = $2 and erased_at is null";
    FIND_BY_IDENTITY = "
        select client_id from client_identities
        where tenant_id = $1 and kind = $2 and value = $3";
    LIST_IDENTITIES = "
        select kind, value, is_current from client_identities
        where tenant_id = $1 and client_id = $2 order by created_at, id";
    SET_CURRENT = "
        update client_identities set is_current = $4
        where tenant_id = $1 and kind = $2 and value = $3";
    DELETE_IDENTITIES = "delete from client_identities where tenant_id = $1 and client_id = $2";
    HAS_ANYTHING = "
        select cast(count(*) as bigint) from (
            select 1 as one from bookings where tenant_id = $1 and client_id = $2
            union all
            select 1 as one from client_service_mappings where tenant_id = $1 and client_id = $2
        ) as things";
}

bulk! {
    INSERT_IDENTITY(
        tenant_id Uuid, id Uuid, client_id Uuid, kind Text, value Text, created_at Time,
    ) = "
        insert into client_identities
            (tenant_id, id, client_id, kind, value, is_current, created_at)
        select tenant_id, id, client_id, kind, value, true, created_at from k";
}

/// A client's row.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ClientRow {
    /// Its id.
    pub id: Uuid,
    /// The current phone, E.164.
    pub phone: Option<String>,
    /// The current WhatsApp id.
    pub whatsapp_id: Option<String>,
    /// "Unknown" while nobody has said it.
    pub first_name: String,
    /// Empty while nobody has said it.
    pub last_name: String,
    /// In lower case.
    pub email: Option<String>,
    /// A word of `ClientStatus`.
    pub status: String,
    /// A word of `Channel`: how the first interaction came.
    pub first_interaction_source: String,
    /// The earliest event of any kind.
    pub first_interaction_at: DateTime<Utc>,
    /// When the person first booked (not when that appointment was).
    pub first_booking_at: Option<DateTime<Utc>>,
    /// When the person last booked.
    pub last_booking_at: Option<DateTime<Utc>>,
    /// Which telling each field comes from, as JSON.
    pub provenance: String,
    /// Names of the fields that a person set, as a JSON array.
    pub set_by_person: String,
    /// Of its bookings that are neither cancelled nor missed.
    pub bookings_count: i64,
    /// What these come to in the tenant's currency, without what was paid back.
    pub spent_minor: i64,
    /// Grows with every change.
    pub version: i64,
    /// When the row was made.
    pub created_at: DateTime<Utc>,
    /// When the row last changed.
    pub updated_at: DateTime<Utc>,
}

impl ClientRow {
    /// Its place among the last bookings: nulls would sort differently on the two engines.
    #[must_use]
    pub fn last_booking_order(&self) -> i64 {
        self.last_booking_at.map_or(0, |at| at.timestamp_micros())
    }

    /// Its place among the names.
    #[must_use]
    pub fn sort_name(&self) -> Vec<u8> {
        names::sort_key(&self.first_name, &self.last_name)
    }

    /// The words by which it is found.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        names::words(&self.first_name, &self.last_name, self.email.as_deref())
    }
}

/// One identity of a client.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct IdentityRow {
    /// `phone` or `whatsapp`.
    pub kind: String,
    /// The number or id.
    pub value: String,
    /// False for a former one.
    pub is_current: bool,
}

/// What bookings add to a client's counters, or take from them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Bookings that are neither cancelled nor missed.
    pub bookings: i64,
    /// What they come to in the tenant's currency.
    pub spent_minor: i64,
}

/// Inserts a client; `created_at` of the row is used. Its words are written by the first
/// [`update`], or by [`words::write`].
///
/// # Errors
/// When the database fails.
pub async fn insert(conn: &mut Conn<'_>, tenant: Uuid, client: &ClientRow) -> Result<()> {
    let new = PendingClient::new(client);
    let key = (tenant, client.id);
    if let Some(batch) = conn.batch.as_deref_mut() {
        batch.known.clients.hold(key, Some(client.clone()));
        batch.known.identities.hold(key, Vec::new());
        batch.clients.insert(key, new);
        return Ok(());
    }
    write_pending(conn.settled().await?, BTreeMap::from([(key, new)]), Default::default()).await
}

/// Writes a client's fields and adds to its counters; `updated_at` of the row is used. `before` is
/// the row as it was, by which only words that changed are written; `None` for a client that has
/// no words yet.
///
/// # Errors
/// When the database fails; a conflict when the row is no longer of the version that was read.
pub async fn update(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    before: Option<&ClientRow>,
    client: &ClientRow,
    tally: Tally,
) -> Result<()> {
    let (key, change) = ((tenant, client.id), PendingClient::changed(before, client, tally));
    let Some(batch) = conn.batch.as_deref_mut() else {
        return write_pending(
            conn.settled().await?,
            BTreeMap::from([(key, change)]),
            Default::default(),
        )
        .await;
    };
    let held = match batch.clients.remove(&key) {
        Some(held) => held.then(change),
        None => change,
    };
    batch.known.clients.hold(key, Some(held.written(tally)));
    batch.clients.insert(key, held);
    Ok(())
}

/// Adds to a client's counters alone.
///
/// # Errors
/// When the database fails.
pub async fn count(conn: &mut Conn<'_>, tenant: Uuid, client: Uuid, tally: Tally) -> Result<()> {
    execute!(conn, COUNT, tenant, client, tally.bookings, tally.spent_minor)?;
    Ok(())
}

/// Sums up anew what every client of a tenant spent, in another currency than before. It reads
/// every booking.
///
/// # Errors
/// When the database fails.
pub async fn recount_spent(conn: &mut Conn<'_>, tenant: Uuid, currency: &str) -> Result<()> {
    execute!(conn, RECOUNT_SPENT, tenant, currency)?;
    Ok(())
}

/// Removes a client, its identities, and what was proposed of it or told beside it. The caller has
/// seen that it has nothing of its own.
///
/// # Errors
/// When the database fails; a conflict when something still refers to it.
pub async fn delete(conn: &mut Conn<'_>, tenant: Uuid, id: Uuid) -> Result<()> {
    duplicates::delete_of(conn, tenant, id).await?;
    beside::delete_of(conn, tenant, id).await?;
    words::delete(conn, tenant, id).await?;
    execute!(conn, DELETE_IDENTITIES, tenant, id)?;
    execute!(conn, DELETE, tenant, id)?;
    Ok(())
}

/// One client of a tenant.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &mut Conn<'_>, tenant: Uuid, id: Uuid) -> Result<Option<ClientRow>> {
    if let Some(row) = conn.known().and_then(|known| known.clients.get(&(tenant, id))) {
        return Ok(row.clone());
    }
    Ok(fetch_optional!(conn, ClientRow, FIND, tenant, id)?)
}

/// One client of a tenant, also by an id that it was once answered under.
///
/// # Errors
/// When the database fails.
pub async fn find_once_known(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    id: Uuid,
) -> Result<Option<ClientRow>> {
    if let Some(row) = find(conn, tenant, id).await? {
        return Ok(Some(row));
    }
    match aliases::find(conn, tenant, Kind::Client, id).await? {
        Some(now_id) => find(conn, tenant, now_id).await,
        None => Ok(None),
    }
}

/// Whose identity it is, now or formerly. A client that a person names is that client while it is
/// there, or the one that it proved to be.
///
/// # Errors
/// When the database fails.
pub async fn find_by_identity(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    identity: &Identity,
) -> Result<Option<Uuid>> {
    if let Identity::Client(id) = identity {
        return Ok(find_once_known(conn, tenant, *id).await?.map(|row| row.id));
    }
    let (kind, value) = (identity.kind(), identity.value().into_owned());
    let key = (tenant, kind, value);
    if let Some(owner) = conn.known().and_then(|known| known.owners.get(&key)) {
        return Ok(*owner);
    }
    let row = fetch_optional!(conn, (Uuid,), FIND_BY_IDENTITY, tenant, kind, key.2)?;
    Ok(row.map(|(id,)| id))
}

/// A client's identities, current and former, the oldest first.
///
/// # Errors
/// When the database fails.
pub async fn list_identities(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    client: Uuid,
) -> Result<Vec<IdentityRow>> {
    if let Some(rows) = conn.known().and_then(|known| known.identities.get(&(tenant, client))) {
        return Ok(rows.clone());
    }
    Ok(fetch_all!(conn, IdentityRow, LIST_IDENTITIES, tenant, client)?)
}

/// Gives a client an identity.
///
/// # Errors
/// When the database fails; a conflict when another client of the tenant has it.
pub async fn insert_identity(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    client: Uuid,
    identity: &Identity,
    now: DateTime<Utc>,
) -> Result<()> {
    let (kind, value) = (identity.kind(), identity.value().into_owned());
    if let Some(known) = conn.known_mut() {
        known.owners.hold((tenant, kind, value.clone()), Some(client));
        let row = IdentityRow { kind: kind.to_owned(), value: value.clone(), is_current: true };
        known.identities.change(&(tenant, client), |rows| rows.push(row));
    }
    let row = Rows::one([
        tenant.into(),
        ids::new(now).into(),
        client.into(),
        kind.into(),
        value.into(),
        now.into(),
    ]);
    conn.write(Stage::Identities, &INSERT_IDENTITY, row).await?;
    Ok(())
}

/// Makes an identity a former one, an alias by which the client is still found; or current again.
///
/// # Errors
/// When the database fails.
pub async fn set_current(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    identity: &Identity,
    is_current: bool,
) -> Result<()> {
    let (kind, value) = (identity.kind(), identity.value().into_owned());
    execute!(conn, SET_CURRENT, tenant, kind, value, is_current)?;
    Ok(())
}

/// True when a client has a booking or a mapping.
///
/// # Errors
/// When the database fails.
pub async fn has_anything(conn: &mut Conn<'_>, tenant: Uuid, id: Uuid) -> Result<bool> {
    let row = fetch_optional!(conn, (i64,), HAS_ANYTHING, tenant, id)?;
    Ok(row.is_some_and(|(count,)| count > 0))
}
