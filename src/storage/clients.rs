//! Clients and their identities.

use super::aliases::{self, Kind};
use super::batch::{IdentityKey, RowKey, Stage};
use super::bulk::{Rows, bulk};
use super::{
    Conn, Error, Raw, Result, beside, duplicates, execute, fetch_all, fetch_optional, statements,
    words,
};
use crate::domain::person::Identity;
use crate::domain::{ids, names};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet, HashMap};
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
    INSERT(
        tenant_id Uuid, id Uuid, phone Text, whatsapp_id Text, first_name Text, last_name Text,
        email Text, status Text, first_interaction_source Text, first_interaction_at Time,
        first_booking_at Time, last_booking_at Time, last_booking_order Number, provenance Text,
        set_by_person Text, sort_name Bytes, updated_at Time, version Number,
        bookings_count Number, spent_minor Number,
    ) = "
        insert into clients (tenant_id, id, phone, whatsapp_id, first_name, last_name, email,
            status, first_interaction_source, first_interaction_at, first_booking_at,
            last_booking_at, last_booking_order, provenance, set_by_person, sort_name, version,
            bookings_count, spent_minor, created_at, updated_at)
        select tenant_id, id, phone, whatsapp_id, first_name, last_name, email, status,
            first_interaction_source, first_interaction_at, first_booking_at, last_booking_at,
            last_booking_order, provenance, set_by_person, sort_name, version, bookings_count,
            spent_minor, updated_at, updated_at
        from k";
    UPDATE(
        tenant_id Uuid, id Uuid, phone Text, whatsapp_id Text, first_name Text, last_name Text,
        email Text, status Text, first_interaction_source Text, first_interaction_at Time,
        first_booking_at Time, last_booking_at Time, last_booking_order Number, provenance Text,
        set_by_person Text, sort_name Bytes, updated_at Time, version Number,
        bookings_count Number, spent_minor Number,
    ) = "
        update clients as c set phone = k.phone, whatsapp_id = k.whatsapp_id,
            first_name = k.first_name, last_name = k.last_name, email = k.email,
            status = k.status, first_interaction_source = k.first_interaction_source,
            first_interaction_at = k.first_interaction_at, first_booking_at = k.first_booking_at,
            last_booking_at = k.last_booking_at, last_booking_order = k.last_booking_order,
            provenance = k.provenance, set_by_person = k.set_by_person, sort_name = k.sort_name,
            version = c.version + 1, updated_at = k.updated_at,
            bookings_count = c.bookings_count + k.bookings_count,
            spent_minor = c.spent_minor + k.spent_minor
        from k
        where c.tenant_id = k.tenant_id and c.id = k.id and c.version = k.version";
    INSERT_IDENTITY(
        tenant_id Uuid, id Uuid, client_id Uuid, kind Text, value Text, created_at Time,
    ) = "
        insert into client_identities
            (tenant_id, id, client_id, kind, value, is_current, created_at)
        select tenant_id, id, client_id, kind, value, true, created_at from k";
    FIND_OWNERS(tenant_id Uuid, kind Text, value Text) = "
        select i.tenant_id, i.kind, i.value, i.client_id
        from k cross join client_identities i
        where i.tenant_id = k.tenant_id and i.kind = k.kind and i.value = k.value";
    LIST_MANY_IDENTITIES(tenant_id Uuid, client_id Uuid) = "
        select i.tenant_id, i.client_id, i.kind, i.value, i.is_current
        from k cross join client_identities i
        where i.tenant_id = k.tenant_id and i.client_id = k.client_id
        order by i.created_at, i.id";
    FIND_MANY(tenant_id Uuid, id Uuid) = "
        select c.tenant_id, c.id, c.phone, c.whatsapp_id, c.first_name, c.last_name, c.email,
            c.status, c.first_interaction_source, c.first_interaction_at, c.first_booking_at,
            c.last_booking_at, c.provenance, c.set_by_person, c.bookings_count, c.spent_minor,
            c.version, c.created_at, c.updated_at
        from k cross join clients c
        where c.tenant_id = k.tenant_id and c.id = k.id and c.erased_at is null";
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

/// A client's row that is still to be written.
#[derive(Clone, Debug)]
pub(super) struct PendingClient {
    row: ClientRow,
    is_new: bool,
    tally: Tally,
    /// The words that are to be written; the ones there were are to be removed first.
    words: Option<Vec<String>>,
    had_words: bool,
}

impl PendingClient {
    fn new(row: &ClientRow) -> Self {
        let tally = Tally::default();
        Self { row: row.clone(), is_new: true, tally, words: None, had_words: false }
    }

    /// What is left to be written once another change follows, which was read from this one.
    fn then(self, next: Self) -> Self {
        let tally = Tally {
            bookings: self.tally.bookings + next.tally.bookings,
            spent_minor: self.tally.spent_minor + next.tally.spent_minor,
        };
        let row = ClientRow { version: self.row.version, ..next.row };
        let words = next.words.or(self.words);
        Self { row, is_new: self.is_new, tally, words, had_words: self.had_words }
    }

    /// The row as the statements take it. `updated_at` of a new row is when it is made.
    fn values(&self, tenant: Uuid) -> Rows<'_> {
        let row = &self.row;
        Rows::one([
            tenant.into(),
            row.id.into(),
            row.phone.as_deref().into(),
            row.whatsapp_id.as_deref().into(),
            row.first_name.as_str().into(),
            row.last_name.as_str().into(),
            row.email.as_deref().into(),
            row.status.as_str().into(),
            row.first_interaction_source.as_str().into(),
            row.first_interaction_at.into(),
            row.first_booking_at.into(),
            row.last_booking_at.into(),
            row.last_booking_order().into(),
            row.provenance.as_str().into(),
            row.set_by_person.as_str().into(),
            row.sort_name().into(),
            (if self.is_new { row.created_at } else { row.updated_at }).into(),
            row.version.into(),
            self.tally.bookings.into(),
            self.tally.spent_minor.into(),
        ])
    }
}

/// Writes clients that were held back, and their words.
///
/// # Errors
/// When the database fails; a conflict when a row is no longer what it was when it was read.
pub(super) async fn write_pending(
    raw: &mut Raw<'_>,
    pending: BTreeMap<RowKey, PendingClient>,
) -> Result<()> {
    let (mut new, mut changed) = (Rows::default(), Rows::default());
    let (mut old_words, mut new_words, mut changes) = (Rows::default(), Rows::default(), 0);
    for ((tenant, id), client) in &pending {
        if client.is_new {
            new.extend(client.values(*tenant));
        } else {
            changed.extend(client.values(*tenant));
            changes += 1;
        }
        let Some(words) = &client.words else { continue };
        if client.had_words {
            old_words.push([(*tenant).into(), (*id).into()]);
        }
        new_words.extend(words::rows(*tenant, *id, words));
    }
    INSERT.run(raw, new).await?;
    if UPDATE.run(raw, changed).await? != changes {
        return Err(Error::Conflict(sqlx::Error::RowNotFound));
    }
    words::write_many(raw, old_words, new_words).await
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
    write_pending(conn.settled().await?, BTreeMap::from([(key, new)])).await
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
    let (was, is) = (before.map(ClientRow::words), client.words());
    let words = Some(is).filter(|is| was.as_ref() != Some(is));
    let key = (tenant, client.id);
    let change = PendingClient {
        row: client.clone(),
        is_new: false,
        tally,
        words,
        had_words: was.is_some(),
    };
    let Some(batch) = conn.batch.as_deref_mut() else {
        return write_pending(conn.settled().await?, BTreeMap::from([(key, change)])).await;
    };
    let held = match batch.clients.remove(&key) {
        Some(held) => held.then(change),
        None => change,
    };
    let mut row = held.row.clone();
    row.version += i64::from(!held.is_new);
    row.bookings_count += tally.bookings;
    row.spent_minor += tally.spent_minor;
    batch.known.clients.hold(key, Some(row));
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

/// Reads ahead for [`find_by_identity`].
///
/// # Errors
/// When the database fails.
pub async fn read_owners_ahead(conn: &mut Conn<'_>, keys: &BTreeSet<IdentityKey>) -> Result<()> {
    let mut rows = Rows::default();
    for (tenant, kind, value) in keys {
        rows.push([(*tenant).into(), (*kind).into(), value.as_str().into()]);
    }
    type Found = (Uuid, String, String, Uuid);
    let found: Vec<Found> = FIND_OWNERS.fetch(conn.settled().await?, rows).await?;
    let Some(known) = conn.known_mut() else { return Ok(()) };
    let mut owners: HashMap<(Uuid, String, String), Uuid> =
        found.into_iter().map(|(tenant, kind, value, id)| ((tenant, kind, value), id)).collect();
    for key in keys {
        let owner = owners.remove(&(key.0, key.1.to_owned(), key.2.clone()));
        known.owners.hold(key.clone(), owner);
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct OfClient {
    tenant_id: Uuid,
    client_id: Uuid,
    #[sqlx(flatten)]
    identity: IdentityRow,
}

#[derive(sqlx::FromRow)]
struct ById {
    tenant_id: Uuid,
    #[sqlx(flatten)]
    client: ClientRow,
}

/// Reads ahead for [`list_identities`] and [`find`]: tenants and ids of clients.
///
/// # Errors
/// When the database fails.
pub async fn read_ahead(conn: &mut Conn<'_>, ids: &BTreeSet<(Uuid, Uuid)>) -> Result<()> {
    let mut rows = Rows::default();
    for (tenant, id) in ids {
        rows.push([(*tenant).into(), (*id).into()]);
    }
    let raw = conn.settled().await?;
    let identities: Vec<OfClient> = LIST_MANY_IDENTITIES.fetch(raw, rows.clone()).await?;
    let clients: Vec<ById> = FIND_MANY.fetch(raw, rows).await?;
    let Some(known) = conn.known_mut() else { return Ok(()) };
    for key in ids {
        known.identities.hold(*key, Vec::new());
        known.clients.hold(*key, None);
    }
    for OfClient { tenant_id, client_id, identity } in identities {
        known.identities.change(&(tenant_id, client_id), |rows| rows.push(identity));
    }
    for ById { tenant_id, client } in clients {
        known.clients.hold((tenant_id, client.id), Some(client));
    }
    Ok(())
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
