//! Ids that were answered once, of records that proved to be others.

use super::{Conn, Result, execute, fetch_optional, statements};
use chrono::{DateTime, Utc};
use uuid::Uuid;

statements! {
    INSERT = "
        insert into record_aliases (tenant_id, kind, id, now_id, created_at)
        values ($1, $2, $3, $4, $5)";
    MOVE = "
        update record_aliases set now_id = $4
        where tenant_id = $1 and kind = $2 and now_id = $3";
    FIND = "
        select now_id from record_aliases where tenant_id = $1 and kind = $2 and id = $3";
}

/// What kind of record an id was of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A booking.
    Booking,
    /// A client.
    Client,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Booking => "booking",
            Self::Client => "client",
        }
    }
}

/// Remembers that a record proved to be another, and so all that had proved to be it.
///
/// # Errors
/// When the database fails.
pub(super) async fn insert(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    kind: Kind,
    (id, now_id): (Uuid, Uuid),
    now: DateTime<Utc>,
) -> Result<()> {
    execute!(conn, MOVE, tenant, kind.as_str(), id, now_id)?;
    execute!(conn, INSERT, tenant, kind.as_str(), id, now_id, now)?;
    Ok(())
}

/// The id of the record that this one proved to be.
///
/// # Errors
/// When the database fails.
pub(super) async fn find(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    kind: Kind,
    id: Uuid,
) -> Result<Option<Uuid>> {
    let row = fetch_optional!(conn, (Uuid,), FIND, tenant, kind.as_str(), id)?;
    Ok(row.map(|(now_id,)| now_id))
}
