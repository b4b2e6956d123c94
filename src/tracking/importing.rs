//! Many clients at once, as a person has them in a table: made, or changed where they are there.
//!
//! Under the same locks as a delivery, some in each transaction, so that nobody waits long.

use super::hand::{self, By, Change, Field, NewClient, Refused};
use crate::domain::ids;
use crate::domain::person::Identity;
use crate::storage::clients::{self, ClientRow, IdentityRow};
use crate::storage::{Conn, Db, Error, audit, locks};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// How many rows a transaction has; those of one phone stay together.
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

/// Makes or changes the client of each row, by its phone. What a row leaves out stays. A dry run
/// does the same, and undoes it.
///
/// # Errors
/// When the database fails: what was done until then stays, and the same again goes on.
pub async fn import(db: &Db, by: &By, rows: &[NewClient], is_dry: bool) -> Result<Counts, Error> {
    let mut counts = Counts::default();
    for some in together(rows) {
        counts.add(retried(db, by, &some, is_dry).await?);
    }
    if !is_dry {
        note(db, by, counts).await?;
    }
    Ok(counts)
}

/// The rows in groups of about [`AT_ONCE`], all rows of one phone in the same.
fn together(rows: &[NewClient]) -> Vec<Vec<&NewClient>> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut groups: Vec<Vec<&NewClient>> = vec![Vec::new()];
    for row in rows {
        let last = groups.len() - 1;
        let is_full = groups.last().is_some_and(|group| group.len() >= AT_ONCE);
        let place = places.entry(row.phone.as_str()).or_insert(last + usize::from(is_full));
        if *place > last {
            groups.push(Vec::new());
        }
        if let Some(group) = groups.get_mut(*place) {
            group.push(row);
        }
    }
    groups
}

async fn retried(db: &Db, by: &By, rows: &[&NewClient], is_dry: bool) -> Result<Counts, Error> {
    let mut attempt = 1;
    loop {
        match some(db, by, rows, is_dry).await {
            Err(error) if error.is_conflict() && attempt < ATTEMPTS => attempt += 1,
            done => return done,
        }
    }
}

async fn some(db: &Db, by: &By, rows: &[&NewClient], is_dry: bool) -> Result<Counts, Error> {
    let mut tx = db.begin().await?;
    let conn = &mut tx.conn();
    lock(conn, by.tenant, rows).await?;
    let mut counts = Counts::default();
    for row in rows {
        let identity = Identity::Phone(row.phone.clone());
        let Some(client) = clients::find_by_identity(conn, by.tenant, &identity).await? else {
            hand::make_locked(conn, by, row).await.map_err(failure)?;
            counts.created += 1;
            continue;
        };
        if update(conn, by, client, row).await? {
            counts.updated += 1;
        } else {
            counts.unchanged += 1;
        }
    }
    if !is_dry {
        tx.commit().await?;
    }
    Ok(counts)
}

/// Locks the phones of the rows, and everything that their clients are known by.
async fn lock(conn: &mut Conn<'_>, tenant: Uuid, rows: &[&NewClient]) -> Result<(), Error> {
    let mut keys = Vec::new();
    for row in rows {
        let identity = Identity::Phone(row.phone.clone());
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
