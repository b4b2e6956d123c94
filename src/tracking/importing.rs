//! Many clients at once, as a person has them in a table: made, or changed where they are there.
//!
//! Under the same locks as a delivery, some in each transaction, so that nobody waits long.

use super::hand::{self, By, Change, Field, NewClient, Refused};
use crate::domain::channel::TenantStatus;
use crate::domain::ids;
use crate::domain::person::Identity;
use crate::domain::phone::Phone;
use crate::storage::clients::{self, ClientRow, IdentityRow};
use crate::storage::{Conn, Db, Error, audit, locks, tenants};
use serde_json::json;
use std::collections::HashMap;
use uuid::Uuid;

/// How many phones a transaction has.
const AT_ONCE: usize = 100;

/// How often a transaction that met another is run again.
const ATTEMPTS: u32 = 8;

/// What rows came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Clients that were made.
    pub created: u64,
    /// Rows by which a client changed.
    pub updated: u64,
    /// Rows that said nothing new.
    pub unchanged: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.created += other.created;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
    }
}

/// What all rows of one phone say together.
#[derive(Clone, Debug)]
pub struct Row {
    /// The client as the table has it.
    client: NewClient,
    /// How many rows said something that none before said.
    telling: u64,
    /// How many only repeated.
    repeating: u64,
}

/// Rows, each phone's as one: the last cell that is filled holds, and the same table again finds
/// everything as it is.
#[derive(Default)]
pub struct Folded {
    rows: Vec<Row>,
    places: HashMap<Phone, usize>,
}

impl Folded {
    /// Lays a row over those of the same phone.
    pub fn add(&mut self, row: NewClient) {
        let place = *self.places.entry(row.phone.clone()).or_insert(self.rows.len());
        let Some(known) = self.rows.get_mut(place) else {
            self.rows.push(Row { client: row, telling: 1, repeating: 0 });
            return;
        };
        if lay(&mut known.client, row) {
            known.telling += 1;
        } else {
            known.repeating += 1;
        }
    }

    /// The rows, in the order of their first.
    #[must_use]
    pub fn into_rows(self) -> Vec<Row> {
        self.rows
    }
}

/// Takes over what another row says of the same phone; false when that is so already.
fn lay(known: &mut NewClient, row: NewClient) -> bool {
    fn over<T: PartialEq>(known: &mut Option<T>, said: Option<T>) -> bool {
        let differs = said.is_some() && *known != said;
        if differs {
            *known = said;
        }
        differs
    }
    let laid = [
        over(&mut known.first_name, row.first_name),
        over(&mut known.last_name, row.last_name),
        over(&mut known.email, row.email),
        over(&mut known.source, row.source),
        over(&mut known.first_interaction_at, row.first_interaction_at),
        over(&mut known.first_booking_at, row.first_booking_at),
        over(&mut known.status, row.status),
    ];
    laid.contains(&true)
}

/// Why an import did not come to its end, and what was done until then.
#[derive(Debug)]
pub struct Stopped {
    /// What was done.
    pub done: Counts,
    /// The database's failure; `None` when the tenant is being deleted, or was disabled.
    pub error: Option<Error>,
}

/// Makes or changes the client of each row, by its phone. What a row leaves out stays. A dry run
/// does the same, and undoes it.
///
/// # Errors
/// [`Stopped`]: what was done until then stays, and the same again goes on.
pub async fn import(db: &Db, by: &By, rows: &[Row], is_dry: bool) -> Result<Counts, Stopped> {
    let mut done = Counts::default();
    for some in rows.chunks(AT_ONCE) {
        match retried(db, by, some, is_dry).await {
            Ok(Some(counts)) => done.add(counts),
            Ok(None) => return Err(Stopped { done, error: None }),
            Err(error) => {
                let is_gone = is_gone(db, by.tenant).await.unwrap_or(false);
                return Err(Stopped { done, error: Some(error).filter(|_| !is_gone) });
            }
        }
    }
    if !is_dry {
        note(db, by, done).await.map_err(|error| Stopped { done, error: Some(error) })?;
    }
    Ok(done)
}

async fn is_gone(db: &Db, tenant: Uuid) -> Result<bool, Error> {
    let mut reader = db.reader().await?;
    Ok(!is_active(&mut reader.conn(), tenant).await?)
}

async fn is_active(conn: &mut Conn<'_>, tenant: Uuid) -> Result<bool, Error> {
    let row = tenants::find(conn, &tenant.to_string()).await?;
    Ok(row.is_some_and(|row| row.status == TenantStatus::Active.as_str()))
}

async fn retried(db: &Db, by: &By, rows: &[Row], is_dry: bool) -> Result<Option<Counts>, Error> {
    let mut attempt = 1;
    loop {
        match some(db, by, rows, is_dry).await {
            Err(error) if error.is_conflict() && attempt < ATTEMPTS => attempt += 1,
            done => return done,
        }
    }
}

/// `None` when the tenant takes nothing any more.
async fn some(db: &Db, by: &By, rows: &[Row], is_dry: bool) -> Result<Option<Counts>, Error> {
    let mut tx = db.begin().await?;
    let conn = &mut tx.conn();
    if !is_active(conn, by.tenant).await? {
        return Ok(None);
    }
    lock(conn, by.tenant, rows).await?;
    let mut counts = Counts::default();
    for row in rows {
        let identity = Identity::Phone(row.client.phone.clone());
        let Some(client) = clients::find_by_identity(conn, by.tenant, &identity).await? else {
            hand::make_new(conn, by, &row.client).await?;
            let (created, updated, unchanged) = (1, row.telling - 1, row.repeating);
            counts.add(Counts { created, updated, unchanged });
            continue;
        };
        let (telling, repeating) = (row.telling, row.repeating);
        counts.add(if update(conn, by, client, &row.client).await? {
            Counts { updated: telling, unchanged: repeating, ..Counts::default() }
        } else {
            Counts { unchanged: telling + repeating, ..Counts::default() }
        });
    }
    if !is_dry {
        tx.commit().await?;
    }
    Ok(Some(counts))
}

/// Locks the phones of the rows, and everything that their clients are known by.
async fn lock(conn: &mut Conn<'_>, tenant: Uuid, rows: &[Row]) -> Result<(), Error> {
    if !locks::are_taken_by_name(conn) {
        return Ok(());
    }
    let mut keys = Vec::new();
    for row in rows {
        let identity = Identity::Phone(row.client.phone.clone());
        keys.push(identity.key());
        if let Some(client) = clients::find_by_identity(conn, tenant, &identity).await? {
            let known = clients::list_identities(conn, tenant, client).await?;
            keys.extend(known.iter().map(|known| format!("{}:{}", known.kind, known.value)));
        }
    }
    locks::lock(conn, tenant, &keys).await
}

/// Changes what differs; false when nothing does.
async fn update(
    conn: &mut Conn<'_>,
    by: &By,
    client: Uuid,
    row: &NewClient,
) -> Result<bool, Error> {
    let Some(before) = clients::find(conn, by.tenant, client).await? else { return Ok(false) };
    let Some(change) = difference(&before, row) else { return Ok(false) };
    let known: &[IdentityRow] = &[];
    let done = hand::change_locked(conn, by, client, &change, known, |_| true).await;
    done.map(|_| true).map_err(failure)
}

/// What of a row is not so yet.
fn difference(before: &ClientRow, row: &NewClient) -> Option<Change> {
    let word = |known: &str, said: Option<&str>| said.is_some_and(|said| said != known);
    let text = |known: Option<&str>, said: &Option<String>| {
        let said = said.clone().filter(|said| known != Some(said));
        said.map_or(Field::Kept, Field::To)
    };
    let change = Change {
        phone: Field::Kept,
        first_name: row.first_name.clone().filter(|name| *name != before.first_name),
        last_name: text(Some(&before.last_name), &row.last_name),
        email: text(before.email.as_deref(), &row.email),
        source: row
            .source
            .filter(|source| word(&before.first_interaction_source, Some(source.as_str()))),
        first_interaction_at: row
            .first_interaction_at
            .filter(|at| *at != before.first_interaction_at),
        first_booking_at: row
            .first_booking_at
            .filter(|at| Some(*at) != before.first_booking_at)
            .map_or(Field::Kept, Field::To),
        status: row.status.filter(|status| word(&before.status, Some(status.as_str()))),
    };
    (change != Change::default()).then_some(change)
}

/// What can't be refused here is a conflict with another transaction at most.
fn failure(refused: Refused) -> Error {
    match refused {
        Refused::Storage(error) => error,
        Refused::Missing | Refused::Changed | Refused::PhoneTaken(_) | Refused::Unknowable => {
            Error::Inconsistent { table: "client_identities", column: "client_id" }
        }
    }
}

async fn note(db: &Db, by: &By, counts: Counts) -> Result<(), Error> {
    let Counts { created, updated, unchanged } = counts;
    let detail = json!({"created": created, "updated": updated, "unchanged": unchanged});
    let (detail, id) = (detail.to_string(), ids::new(by.now).to_string());
    let mut tx = db.begin().await?;
    let conn = &mut tx.conn();
    let (action, kind) = ("clients.imported", "import");
    audit::note(conn, by.tenant, &by.actor, action, kind, &id, Some(&detail), by.now).await?;
    tx.commit().await
}
