//! Who the clients of a page of something else are.

use super::{Conn, Result, fetch_all, statements};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// How many one statement reads.
const AT_ONCE: usize = 20;

statements! {
    LIST = "
        select id, first_name, last_name, phone from clients
        where tenant_id = $1 and id in ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
            $15, $16, $17, $18, $19, $20, $21)";
}

/// A client's name and phone.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct NameRow {
    /// Its id.
    pub id: Uuid,
    /// As written.
    pub first_name: String,
    /// As written.
    pub last_name: String,
    /// E.164.
    pub phone: Option<String>,
}

/// The names of these clients, by their ids.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    ids: &[Uuid],
) -> Result<BTreeMap<Uuid, NameRow>> {
    let ids: Vec<Uuid> = ids.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let mut names = BTreeMap::new();
    for some in ids.chunks(AT_ONCE) {
        // A place that is left over repeats the first.
        let id = |place: usize| some.get(place).or(some.first()).copied();
        let rows = fetch_all!(
            conn,
            NameRow,
            LIST,
            tenant,
            id(0),
            id(1),
            id(2),
            id(3),
            id(4),
            id(5),
            id(6),
            id(7),
            id(8),
            id(9),
            id(10),
            id(11),
            id(12),
            id(13),
            id(14),
            id(15),
            id(16),
            id(17),
            id(18),
            id(19)
        )?;
        names.extend(rows.into_iter().map(|row| (row.id, row)));
    }
    Ok(names)
}
