//! The secrets that connections are given.

use crate::cli::args::SecretGiven;
use crate::cli::desk::{Desk, random_text};
use crate::cli::error::{Error, Result};
use crate::sources::{Source, signature};
use crate::storage::Conn;
use crate::storage::connections::{self, Purpose};
use crate::tracking::can_correct;
use uuid::Uuid;

/// The secret that is given, checked for its form, or a new one where the source has none of its
/// own.
pub(super) fn read_or_make(
    source: &dyn Source,
    given: &SecretGiven,
    desk: &Desk,
) -> Result<String> {
    let name = source.name();
    match given.read()? {
        Some(secret) => match source.sign(&secret, b"{}", "msg_form", desk.now()) {
            Ok(_) => Ok(secret),
            Err(sentence) => {
                Err(Error::Refused(format!("that is no secret of {name}: {sentence}")))
            }
        },
        None if source.makes_secrets() => Ok(signature::standard_secret(&random_text(32)?)),
        None => Err(Error::Refused(format!(
            "{name} chose its secret itself; pass that one with --secret-stdin"
        ))),
    }
}

/// A connection that is to have a secret.
pub(super) struct Holder {
    /// Its id in the database.
    pub(super) id: Uuid,
    /// The tenant it serves.
    pub(super) tenant: Option<Uuid>,
    /// True when it has account ids.
    pub(super) has_accounts: bool,
}

/// Refuses a secret that two tenants would share with nothing to tell their deliveries apart: a
/// provider's deliveries name their account, and each connection must then name its own.
pub(super) async fn refuse_undivided(
    conn: &mut Conn<'_>,
    desk: &Desk,
    source: &dyn Source,
    secret: &str,
    holder: &Holder,
) -> Result<()> {
    if can_correct(source) || holder.tenant.is_none() {
        return Ok(());
    }
    let sharing = sharing(conn, desk, source, secret).await?;
    let accounts = connections::list_accounts(conn).await?;
    for other in sharing.iter().filter(|c| c.id != holder.id) {
        let other_has_accounts = accounts.iter().any(|a| a.connection_id == other.id);
        let apart = holder.has_accounts && other_has_accounts;
        if other.tenant_id.is_some() && other.tenant_id != holder.tenant && !apart {
            let id = &other.public_id;
            return Err(Error::Refused(format!(
                "another tenant's connection, {id}, has the same secret; give both their \
                 account ids with --account"
            )));
        }
    }
    Ok(())
}

/// The active connections of a source on which a secret is live.
async fn sharing(
    conn: &mut Conn<'_>,
    desk: &Desk,
    source: &dyn Source,
    secret: &str,
) -> Result<Vec<connections::ConnectionRow>> {
    let secrets = connections::list_secrets(conn, desk.now()).await?;
    let signing = secrets.iter().filter(|row| row.purpose == Purpose::Signing.as_str());
    let same = signing.filter(|row| row.open(&desk.key).is_ok_and(|s| s == secret.as_bytes()));
    let holders: Vec<Uuid> = same.map(|row| row.connection_id).collect();
    let mut rows = connections::list(conn).await?;
    rows.retain(|row| {
        row.status == "active" && row.source == source.name() && holders.contains(&row.id)
    });
    Ok(rows)
}
