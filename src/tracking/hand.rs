//! What a person does to a client: makes one, or changes its fields. Under the same locks as a
//! delivery, so that a phone that comes both ways at once is one client.

use super::facts::{self, FIRST_BOOKING, FIRST_INTERACTION, UNKNOWN};
use crate::domain::channel::{Channel, ClientStatus};
use crate::domain::ids;
use crate::domain::person::Identity;
use crate::domain::phone::Phone;
use crate::storage::clients::{ClientRow, IdentityRow, Tally};
use crate::storage::{Conn, Db, Error, audit, bookings, clients, leads, locks, words};
use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

/// How often a transaction that met another is run again.
const ATTEMPTS: u32 = 5;

/// Who does it, for whom, and when.
#[derive(Clone, Debug)]
pub struct By {
    /// The tenant.
    pub tenant: Uuid,
    /// Who, for the audit log.
    pub actor: String,
    /// When.
    pub now: DateTime<Utc>,
}

/// A client that a person makes.
#[derive(Clone, Debug)]
pub struct NewClient {
    /// What the client is known by.
    pub phone: Phone,
    /// As written.
    pub first_name: Option<String>,
    /// As written.
    pub last_name: Option<String>,
    /// In lower case.
    pub email: Option<String>,
    /// How the first interaction came; through the web where nobody says.
    pub source: Option<Channel>,
    /// When it was; now where nobody says.
    pub first_interaction_at: Option<DateTime<Utc>>,
    /// When they first booked.
    pub first_booking_at: Option<DateTime<Utc>>,
    /// Active where nobody says.
    pub status: Option<ClientStatus>,
}

/// What becomes of a field that may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Field<T> {
    /// It stays as it is.
    #[default]
    Kept,
    /// It is emptied.
    Emptied,
    /// It gets this value.
    To(T),
}

/// What a person changes of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The phone; the one before stays as an alias.
    pub phone: Field<Phone>,
    /// As written.
    pub first_name: Option<String>,
    /// As written.
    pub last_name: Field<String>,
    /// In lower case.
    pub email: Field<String>,
    /// How the first interaction came.
    pub source: Option<Channel>,
    /// When it was.
    pub first_interaction_at: Option<DateTime<Utc>>,
    /// When they first booked; emptied, it is what the bookings say.
    pub first_booking_at: Field<DateTime<Utc>>,
    /// The state.
    pub status: Option<ClientStatus>,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is no such client.
    #[error("there is no such client")]
    Missing,
    /// It is not as the caller believes it to be.
    #[error("it has changed since")]
    Changed,
    /// Another client has, or had, the phone.
    #[error("a client has this phone already")]
    PhoneTaken(Uuid),
    /// Without a phone nothing would be left to know the client by.
    #[error("a client needs a phone or a WhatsApp id")]
    Unknowable,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] Error),
}

/// Makes a client; an open lead with the phone becomes it.
///
/// # Errors
/// [`Refused::PhoneTaken`]; the database's.
pub async fn make(db: &Db, by: &By, new: &NewClient) -> Result<ClientRow, Refused> {
    let mut attempt = 1;
    loop {
        match try_make(db, by, new).await {
            Err(Refused::Storage(error)) if error.is_conflict() && attempt < ATTEMPTS => {
                attempt += 1;
            }
            done => return done,
        }
    }
}

async fn try_make(db: &Db, by: &By, new: &NewClient) -> Result<ClientRow, Refused> {
    let mut tx = db.begin().await?;
    let conn = &mut tx.conn();
    let identity = Identity::Phone(new.phone.clone());
    locks::lock(conn, by.tenant, &[identity.key()]).await?;
    let row = make_locked(conn, by, new).await?;
    tx.commit().await?;
    Ok(row)
}

/// Makes a client whose phone is locked.
pub(super) async fn make_locked(
    conn: &mut Conn<'_>,
    by: &By,
    new: &NewClient,
) -> Result<ClientRow, Refused> {
    let identity = Identity::Phone(new.phone.clone());
    if let Some(other) = clients::find_by_identity(conn, by.tenant, &identity).await? {
        return Err(Refused::PhoneTaken(other));
    }
    Ok(make_new(conn, by, new).await?)
}

/// Makes a client whose phone is locked and nobody's.
pub(super) async fn make_new(
    conn: &mut Conn<'_>,
    by: &By,
    new: &NewClient,
) -> Result<ClientRow, Error> {
    let identity = Identity::Phone(new.phone.clone());
    let lead = leads::find_open(conn, by.tenant, &identity).await?;
    let asked = lead.as_ref().map(|lead| (lead.first_interaction_at, lead.source.parse().ok()));
    let row = row_of(by, new, asked);
    clients::insert(conn, by.tenant, &row).await?;
    clients::insert_identity(conn, by.tenant, row.id, &identity, by.now).await?;
    words::write(conn, by.tenant, row.id, &row.words()).await?;
    if let Some(lead) = lead {
        leads::convert(conn, by.tenant, lead.id, row.id, by.now).await?;
    }
    note(conn, by, row.id, "client.created", None).await?;
    Ok(row)
}

/// The row of a new client. `asked` is when and how the person asked before, as a lead.
fn row_of(by: &By, new: &NewClient, asked: Option<(DateTime<Utc>, Option<Channel>)>) -> ClientRow {
    let said = new.source.is_some() || new.first_interaction_at.is_some();
    let asked = asked.filter(|_| !said);
    let at = new.first_interaction_at.or(asked.map(|(at, _)| at)).unwrap_or(by.now);
    let source = new.source.or(asked.and_then(|(_, source)| source)).unwrap_or(Channel::Web);
    let all = [
        ("firstName", new.first_name.is_some()),
        ("lastName", new.last_name.is_some()),
        ("email", new.email.is_some()),
        (FIRST_INTERACTION, said),
        (FIRST_BOOKING, new.first_booking_at.is_some()),
    ];
    let set = all.iter().filter(|(_, sent)| *sent).map(|(name, _)| *name);
    let set: Vec<&str> = set.collect();
    ClientRow {
        id: ids::new(by.now),
        phone: Some(new.phone.as_str().to_owned()),
        whatsapp_id: None,
        first_name: new.first_name.clone().unwrap_or_else(|| UNKNOWN.to_owned()),
        last_name: new.last_name.clone().unwrap_or_default(),
        email: new.email.clone(),
        status: new.status.unwrap_or(ClientStatus::Active).as_str().to_owned(),
        first_interaction_source: source.as_str().to_owned(),
        first_interaction_at: at,
        first_booking_at: new.first_booking_at,
        last_booking_at: new.first_booking_at,
        provenance: facts::by_hand(at, source),
        set_by_person: json!(set).to_string(),
        bookings_count: 0,
        spent_minor: 0,
        version: 1,
        created_at: by.now,
        updated_at: by.now,
    }
}

/// Changes a client's fields. `is_meant` says whether the version that is there is the one that
/// the caller knows.
///
/// # Errors
/// [`Refused`].
pub async fn change(
    db: &Db,
    by: &By,
    client: Uuid,
    change: &Change,
    is_meant: impl Fn(i64) -> bool,
) -> Result<ClientRow, Refused> {
    let mut attempt = 1;
    loop {
        match try_change(db, by, client, change, &is_meant).await {
            Err(Refused::Storage(error)) if error.is_conflict() && attempt < ATTEMPTS => {
                attempt += 1;
            }
            done => return done,
        }
    }
}

async fn try_change(
    db: &Db,
    by: &By,
    client: Uuid,
    change: &Change,
    is_meant: impl Fn(i64) -> bool,
) -> Result<ClientRow, Refused> {
    let mut tx = db.begin().await?;
    let conn = &mut tx.conn();
    let known = lock(conn, by.tenant, client, &change.phone).await?;
    let row = change_locked(conn, by, client, change, &known, is_meant).await?;
    tx.commit().await?;
    Ok(row)
}

/// Changes a client that is locked with everything that it is `known` by.
pub(super) async fn change_locked(
    conn: &mut Conn<'_>,
    by: &By,
    client: Uuid,
    change: &Change,
    known: &[IdentityRow],
    is_meant: impl Fn(i64) -> bool,
) -> Result<ClientRow, Refused> {
    let before = clients::find(conn, by.tenant, client).await?.ok_or(Refused::Missing)?;
    if !is_meant(before.version) {
        return Err(Refused::Changed);
    }
    let mut row = before.clone();
    lay(&mut row, change)?;
    if change.first_booking_at == Field::Emptied {
        let range = bookings::booked_range(conn, by.tenant, client).await?;
        (row.first_booking_at, row.last_booking_at) = range.unzip();
    }
    move_phone(conn, by, &mut row, change, known).await?;
    if row == before {
        return Ok(row);
    }
    let fields = changed(&before, &row);
    row.updated_at = by.now;
    clients::update(conn, by.tenant, Some(&before), &row, Tally::default()).await?;
    let detail = json!({ "fields": fields }).to_string();
    note(conn, by, client, "client.updated", Some(&detail)).await?;
    row.version += 1;
    Ok(row)
}

/// Locks everything that the client is known by, and what it is to be known by.
async fn lock(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    client: Uuid,
    phone: &Field<Phone>,
) -> Result<Vec<IdentityRow>, Error> {
    let known = clients::list_identities(conn, tenant, client).await?;
    let mut keys: Vec<String> =
        known.iter().map(|known| format!("{}:{}", known.kind, known.value)).collect();
    if let Field::To(phone) = phone {
        keys.push(Identity::Phone(phone.clone()).key());
    }
    locks::lock(conn, tenant, &keys).await?;
    Ok(known)
}

/// Lays all but the phone over the row, and notes what a person set.
fn lay(row: &mut ClientRow, change: &Change) -> Result<(), Error> {
    let mut set = facts::set_by_person(row)?;
    let mut fix = |name: &str| {
        if !set.iter().any(|known| known == name) {
            set.push(name.to_owned());
        }
    };
    if let Some(name) = &change.first_name {
        row.first_name.clone_from(name);
        fix("firstName");
    }
    if change.last_name != Field::Kept {
        row.last_name = match &change.last_name {
            Field::To(name) => name.clone(),
            _ => String::new(),
        };
        fix("lastName");
    }
    if change.email != Field::Kept {
        row.email = match &change.email {
            Field::To(email) => Some(email.clone()),
            _ => None,
        };
        fix("email");
    }
    if change.source.is_some() || change.first_interaction_at.is_some() {
        if let Some(source) = change.source {
            source.as_str().clone_into(&mut row.first_interaction_source);
        }
        row.first_interaction_at = change.first_interaction_at.unwrap_or(row.first_interaction_at);
        fix(FIRST_INTERACTION);
    }
    if let Field::To(at) = change.first_booking_at {
        row.first_booking_at = Some(at);
        row.last_booking_at = Some(row.last_booking_at.map_or(at, |last| last.max(at)));
        fix(FIRST_BOOKING);
    }
    if change.first_booking_at == Field::Emptied {
        set.retain(|name| name != FIRST_BOOKING);
    }
    if let Some(status) = change.status {
        status.as_str().clone_into(&mut row.status);
    }
    row.set_by_person = json!(set).to_string();
    Ok(())
}

/// Gives the client its new phone; the old one stays as an alias.
async fn move_phone(
    conn: &mut Conn<'_>,
    by: &By,
    row: &mut ClientRow,
    change: &Change,
    known: &[IdentityRow],
) -> Result<(), Refused> {
    let (tenant, before) = (by.tenant, row.phone.clone());
    let to = match &change.phone {
        Field::Kept => return Ok(()),
        Field::Emptied if row.whatsapp_id.is_none() => return Err(Refused::Unknowable),
        Field::Emptied => None,
        Field::To(phone) => Some(phone.clone()),
    };
    if before.as_deref() == to.as_ref().map(Phone::as_str) {
        return Ok(());
    }
    if let Some(before) = before {
        let old = Identity::Phone(Phone::from_stored(before));
        clients::set_current(conn, tenant, &old, false).await?;
    }
    row.phone = to.as_ref().map(|phone| phone.as_str().to_owned());
    let Some(phone) = to else { return Ok(()) };
    let identity = Identity::Phone(phone);
    match clients::find_by_identity(conn, tenant, &identity).await? {
        Some(other) if other != row.id => return Err(Refused::PhoneTaken(other)),
        Some(_) => clients::set_current(conn, tenant, &identity, true).await?,
        None => clients::insert_identity(conn, tenant, row.id, &identity, by.now).await?,
    }
    let is_new = !known.iter().any(|known| known.value == identity.value());
    if is_new && let Some(lead) = leads::find_open(conn, tenant, &identity).await? {
        leads::convert(conn, tenant, lead.id, row.id, by.now).await?;
    }
    Ok(())
}

/// The names of the fields that differ, as the API has them.
fn changed(before: &ClientRow, row: &ClientRow) -> Vec<&'static str> {
    let all = [
        ("phone", before.phone != row.phone),
        ("firstName", before.first_name != row.first_name),
        ("lastName", before.last_name != row.last_name),
        ("email", before.email != row.email),
        ("firstInteractionSource", before.first_interaction_source != row.first_interaction_source),
        (FIRST_INTERACTION, before.first_interaction_at != row.first_interaction_at),
        (FIRST_BOOKING, before.first_booking_at != row.first_booking_at),
        ("status", before.status != row.status),
    ];
    all.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

pub(super) async fn note(
    conn: &mut Conn<'_>,
    by: &By,
    client: Uuid,
    action: &str,
    detail: Option<&str>,
) -> Result<(), Error> {
    let (tenant, id) = (by.tenant, client.to_string());
    audit::note(conn, tenant, &by.actor, action, "client", &id, detail, by.now).await
}
