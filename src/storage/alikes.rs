//! Clients who may be one person: what deliveries showed, then who has the same e-mail address,
//! then who has the same name.

use super::clients::{self, ClientRow};
use super::duplicates::{self, DuplicateRow};
use super::{Conn, Result, fetch_all, statements};
use crate::domain::channel::DuplicateStatus;
use uuid::Uuid;

/// How many clients of one name or address are shown.
const SHOWN: i64 = 20;

/// How many groups are looked at for one page: of most names that several have, nothing follows.
const LOOKED_AT: usize = 400;

statements! {
    EMAILS = "
        select email from clients
        where tenant_id = $1 and email is not null and email > $2
        group by email having count(*) > 1 order by email limit $3";
    NAMES = "
        select sort_name from clients
        where tenant_id = $1 and sort_name > $2
        group by sort_name having count(*) > 1 order by sort_name limit $3";
    LIST_BY_EMAIL = "
        select id, phone, whatsapp_id, first_name, last_name, email, status,
            first_interaction_source, first_interaction_at, first_booking_at, last_booking_at,
            provenance, set_by_person, bookings_count, spent_minor, version, created_at, updated_at
        from clients where tenant_id = $1 and email = $2 order by id limit $3";
    LIST_BY_NAME = "
        select id, phone, whatsapp_id, first_name, last_name, email, status,
            first_interaction_source, first_interaction_at, first_booking_at, last_booking_at,
            provenance, set_by_person, bookings_count, spent_minor, version, created_at, updated_at
        from clients where tenant_id = $1 and sort_name = $2 order by id limit $3";
}

/// Clients who may be one person.
#[derive(Clone, Debug)]
pub struct Alike {
    /// Its place in the list.
    pub at: At,
    /// What a delivery showed, where one did.
    pub shown: Option<DuplicateRow>,
    /// The clients.
    pub clients: Vec<ClientRow>,
}

/// A place in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// Among what deliveries showed, the newest first.
    Shown(Uuid),
    /// Among the addresses.
    Email(String),
    /// Among the names.
    Name(Vec<u8>),
}

/// A page behind a place, and the place behind it when there may be more.
///
/// # Errors
/// When the database fails.
pub async fn page(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    after: Option<At>,
    limit: i64,
) -> Result<(Vec<Alike>, Option<At>)> {
    let most = usize::try_from(limit).unwrap_or_default();
    let (mut found, mut looked_at) = (Vec::new(), 0);
    let mut place = Some(after.unwrap_or(At::Shown(Uuid::max())));
    while let Some(at) = place.take() {
        let groups = groups(conn, tenant, &at, limit + 1).await?;
        let whole = i64::try_from(groups.len()).is_ok_and(|count| count <= limit);
        let mut last = at;
        for group in groups {
            if found.len() == most || looked_at == LOOKED_AT {
                return Ok((found, Some(last)));
            }
            looked_at += 1;
            last = group.at.clone();
            if group.is_telling() {
                found.push(group);
            }
        }
        place = if whole { last.next_kind() } else { Some(last) };
    }
    Ok((found, None))
}

impl At {
    /// The beginning of what comes after all of this kind.
    fn next_kind(&self) -> Option<Self> {
        match self {
            Self::Shown(_) => Some(Self::Email(String::new())),
            Self::Email(_) => Some(Self::Name(Vec::new())),
            Self::Name(_) => None,
        }
    }
}

impl Alike {
    /// A first name alone is many people's.
    fn is_telling(&self) -> bool {
        let whole = self.clients.iter().filter(|client| !client.last_name.is_empty());
        self.clients.len() > 1 && (!matches!(self.at, At::Name(_)) || whole.count() > 1)
    }
}

async fn groups(conn: &mut Conn<'_>, tenant: Uuid, at: &At, limit: i64) -> Result<Vec<Alike>> {
    let mut groups = Vec::new();
    match at {
        At::Shown(before) => {
            let state = DuplicateStatus::Proposed;
            for row in duplicates::list(conn, tenant, state, *before, limit).await? {
                let mut two = Vec::new();
                for id in [row.first_client, row.second_client] {
                    two.extend(clients::find(conn, tenant, id).await?);
                }
                groups.push(Alike { at: At::Shown(row.id), shown: Some(row), clients: two });
            }
        }
        At::Email(after) => {
            for (email,) in fetch_all!(conn, (String,), EMAILS, tenant, after.as_str(), limit)? {
                let by = email.as_str();
                let clients = fetch_all!(conn, ClientRow, LIST_BY_EMAIL, tenant, by, SHOWN)?;
                groups.push(Alike { at: At::Email(email), shown: None, clients });
            }
        }
        At::Name(after) => {
            let names = fetch_all!(conn, (Vec<u8>,), NAMES, tenant, after.as_slice(), limit)?;
            for (name,) in names {
                let by = name.as_slice();
                let clients = fetch_all!(conn, ClientRow, LIST_BY_NAME, tenant, by, SHOWN)?;
                groups.push(Alike { at: At::Name(name), shown: None, clients });
            }
        }
    }
    Ok(groups)
}
