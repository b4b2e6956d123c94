//! Forgetting a person, under the locks of everything they are known by.

use super::gather::read_identity;
use super::hand::{By, Refused, note};
use crate::domain::person::Identity;
use crate::domain::traces::Traces;
use crate::storage::erasure::{self, Gone, Person};
use crate::storage::{Conn, Db, Error, clients, locks};
use chrono::TimeDelta;
use std::collections::BTreeSet;
use uuid::Uuid;

/// How long an event may have been on its way while the others were looked through.
const ON_ITS_WAY: TimeDelta = TimeDelta::minutes(2);

/// Erases a client: what names the person goes everywhere, what was booked and spent stays, as
/// nobody's. Looking through every event takes its time and holds nobody up; only what is found is
/// changed in one transaction.
///
/// # Errors
/// [`Refused`].
pub async fn erase(db: &Db, by: &By, client: Uuid, gone: Gone<'_>) -> Result<(), Refused> {
    let mut reader = db.reader().await?;
    let seen = person(&mut reader.conn(), by.tenant, client).await?;
    let nil = Uuid::nil();
    let found = erasure::events_naming(&mut reader.conn(), by.tenant, &seen.traces, nil).await?;
    drop(reader);
    let mut tx = db.begin().await?;
    let conn = &mut tx.conn();
    let keys: Vec<String> = seen.identities.iter().map(Identity::key).collect();
    locks::lock(conn, by.tenant, &keys).await?;
    let person = person(conn, by.tenant, client).await?;
    let found = if person.traces == seen.traces {
        let since = by.now - ON_ITS_WAY;
        let mut found = found;
        found.extend(late(conn, by.tenant, &person, since).await?);
        found
    } else {
        // They became known by something else in between.
        erasure::events_naming(conn, by.tenant, &person.traces, nil).await?
    };
    erasure::erase(conn, by.tenant, &person, found, gone, by.now).await?;
    note(conn, by, client, "client.erased", None).await?;
    tx.commit().await?;
    Ok(())
}

/// Events that arrived while the others were looked through.
async fn late(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    person: &Person,
    since: chrono::DateTime<chrono::Utc>,
) -> Result<BTreeSet<Uuid>, Error> {
    let millis = u128::try_from(since.timestamp_millis()).unwrap_or(0);
    let first = Uuid::from_u128(millis << 80);
    erasure::events_naming(conn, tenant, &person.traces, first).await
}

async fn person(conn: &mut Conn<'_>, tenant: Uuid, client: Uuid) -> Result<Person, Refused> {
    let row = clients::find(conn, tenant, client).await?.ok_or(Refused::Missing)?;
    let identities = clients::list_identities(conn, tenant, client).await?;
    let identities: Vec<Identity> = identities.iter().filter_map(read_identity).collect();
    let mut email = row.email;
    if let Some(shared) = &email
        && erasure::shares_email(conn, tenant, client, shared).await?
    {
        email = None;
    }
    let traces = Traces::of(&identities, email.as_deref());
    Ok(Person { client, identities, traces })
}
