//! Making connections and changing their secrets: what may verify deliveries, and whose.

use crate::domain::ids;
use crate::sources::{Manners, Source, signature};
use crate::storage::connections::{self, AccountRow, ConnectionRow, Purpose};
use crate::storage::seal::MasterKey;
use crate::storage::{self, Conn, locks};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Why a connection could not be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It can't be done so; a stable word and the sentence that says what would do.
    #[error("{1}")]
    Refused(&'static str, String),
    /// The operating system gave no randomness.
    #[error("the operating system gives no randomness")]
    NoRandomness,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

type Result<T> = std::result::Result<T, ConnectError>;

/// A connection to be made.
pub struct New<'a> {
    /// Where its deliveries come from.
    pub source: &'static dyn Source,
    /// The tenant it serves; `None` for a platform connection.
    pub tenant: Option<Uuid>,
    /// Its provider accounts, each with the tenant it belongs to.
    pub accounts: Vec<(&'a str, Uuid)>,
    /// What verifies its deliveries.
    pub secret: &'a str,
}

/// A connection as it was made.
pub struct Made {
    /// The id in its address.
    pub public_id: String,
    /// The tenant it serves.
    pub tenant: Option<Uuid>,
    /// What answers the provider's handshake, where it has one.
    pub verify_token: Option<String>,
    /// Its accounts.
    pub accounts: Vec<AccountRow>,
}

/// The fewest bytes of a key that a caller chose: what Standard Webhooks asks for.
const SHORTEST_OWN: usize = 24;

/// The fewest bytes of a secret that a provider chose: WhatsApp's have 32, Retell's more.
const SHORTEST_GIVEN: usize = 16;

/// The secret that is given, checked for its form and length, or a new one where the source has none of its
/// own.
///
/// # Errors
/// [`ConnectError::Refused`] for one of another form, one that could be guessed, or none where the provider chose it.
pub fn secret_of(source: &dyn Source, given: Option<String>, now: DateTime<Utc>) -> Result<String> {
    let name = source.name();
    match given {
        Some(secret) => match source.sign(&secret, b"{}", "msg_form", now) {
            Ok(_) => refuse_short(source, &secret).map(|()| secret),
            Err(sentence) => {
                let sentence = format!("that is no secret of {name}: {sentence}");
                Err(ConnectError::Refused("secret_invalid", sentence))
            }
        },
        None if source.makes_secrets() => Ok(signature::standard_secret(&random_text(32)?)),
        None => {
            let sentence = format!("{name} chose its secret itself; pass that one");
            Err(ConnectError::Refused("secret_missing", sentence))
        }
    }
}

/// Refuses a secret that is shorter than any real one: it could be guessed.
fn refuse_short(source: &dyn Source, secret: &str) -> Result<()> {
    let name = source.name();
    let (length, least, advice) = if source.makes_secrets() {
        let advice = "leave it out to be given one";
        (signature::standard_strength(secret), SHORTEST_OWN, advice)
    } else {
        (secret.len(), SHORTEST_GIVEN, "pass the one that the provider shows")
    };
    if length >= least {
        return Ok(());
    }
    let sentence = format!("a secret of {name} has at least {least} bytes; {advice}");
    Err(ConnectError::Refused("secret_short", sentence))
}

/// Waits until no other transaction is making or changing connections: what is looked at before a
/// change stays as it is until the change is made.
///
/// # Errors
/// When the database fails.
pub async fn alone(conn: &mut Conn<'_>) -> storage::Result<()> {
    locks::lock(conn, Uuid::nil(), &["connections".to_owned()]).await
}

/// Makes a connection with its secrets and accounts.
///
/// # Errors
/// [`ConnectError`]; the transaction is to be dropped then.
pub async fn make(
    conn: &mut Conn<'_>,
    key: &MasterKey,
    new: &New<'_>,
    now: DateTime<Utc>,
) -> Result<Made> {
    let source = new.source;
    if !new.accounts.is_empty() && source.manners() == Manners::Correct {
        let sentence = format!("{} deliveries name a tenant, no account", source.name());
        return Err(ConnectError::Refused("account_unfit", sentence));
    }
    alone(conn).await?;
    let public_id = format!("cn_{}", random_text(20)?);
    let id = connections::insert(conn, &public_id, source.name(), new.tenant, now).await?;
    let holder = Holder { id, tenant: new.tenant, has_accounts: !new.accounts.is_empty() };
    refuse_undivided(conn, key, source, new.secret, &holder, now).await?;
    connections::insert_secret(conn, key, id, Purpose::Signing, new.secret, now).await?;
    let verify_token = if source.has_handshake() { Some(random_text(32)?) } else { None };
    if let Some(token) = &verify_token {
        connections::insert_secret(conn, key, id, Purpose::Handshake, token, now).await?;
    }
    let mut accounts = Vec::new();
    for (account, tenant_id) in &new.accounts {
        let (source, account_id) = (source.name().to_owned(), (*account).to_owned());
        let row = AccountRow { tenant_id: *tenant_id, source, account_id, connection_id: id };
        if !connections::insert_account(conn, &row, now).await? {
            return Err(taken(conn, &row).await?);
        }
        accounts.push(row);
    }
    Ok(Made { public_id, tenant: new.tenant, verify_token, accounts })
}

/// Gives a connection a new secret; the old ones stay good until `until`.
///
/// # Errors
/// [`ConnectError`]; the transaction is to be dropped then.
pub async fn rotate(
    conn: &mut Conn<'_>,
    key: &MasterKey,
    row: &ConnectionRow,
    source: &dyn Source,
    secret: &str,
    (now, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<()> {
    alone(conn).await?;
    refuse_disabled(row)?;
    let accounts = connections::list_accounts(conn).await?;
    let has_accounts = accounts.iter().any(|a| a.connection_id == row.id);
    let holder = Holder { id: row.id, tenant: row.tenant_id, has_accounts };
    refuse_undivided(conn, key, source, secret, &holder, now).await?;
    connections::expire_secrets(conn, row.id, Purpose::Signing, until).await?;
    connections::insert_secret(conn, key, row.id, Purpose::Signing, secret, now).await?;
    Ok(())
}

/// Refuses a connection that is disabled.
///
/// # Errors
/// [`ConnectError::Refused`].
pub fn refuse_disabled(row: &ConnectionRow) -> Result<()> {
    if row.status == "active" {
        return Ok(());
    }
    let sentence = format!("the connection {} is disabled; make another", row.public_id);
    Err(ConnectError::Refused("connection_disabled", sentence))
}

/// A connection that is to have a secret.
struct Holder {
    id: Uuid,
    tenant: Option<Uuid>,
    has_accounts: bool,
}

/// Refuses a secret that two tenants would share with nothing to tell their deliveries apart: a
/// provider's deliveries name their account, and each connection must then name its own.
async fn refuse_undivided(
    conn: &mut Conn<'_>,
    key: &MasterKey,
    source: &dyn Source,
    secret: &str,
    holder: &Holder,
    now: DateTime<Utc>,
) -> Result<()> {
    if source.manners() == Manners::Correct || holder.tenant.is_none() {
        return Ok(());
    }
    let sharing = sharing(conn, key, source, secret, now).await?;
    let accounts = connections::list_accounts(conn).await?;
    for other in sharing.iter().filter(|c| c.id != holder.id) {
        let other_has_accounts = accounts.iter().any(|a| a.connection_id == other.id);
        let apart = holder.has_accounts && other_has_accounts;
        if other.tenant_id.is_some() && other.tenant_id != holder.tenant && !apart {
            // Not which: it is another tenant's.
            let sentence = "another tenant's connection has the same secret; give both their \
                            account ids"
                .to_owned();
            return Err(ConnectError::Refused("secret_shared", sentence));
        }
    }
    Ok(())
}

/// The active connections of a source on which a secret is live.
async fn sharing(
    conn: &mut Conn<'_>,
    key: &MasterKey,
    source: &dyn Source,
    secret: &str,
    now: DateTime<Utc>,
) -> Result<Vec<ConnectionRow>> {
    let secrets = connections::list_signing_of(conn, source.name(), now).await?;
    let same = secrets.iter().filter(|row| row.open(key).is_ok_and(|s| s == secret.as_bytes()));
    let mut rows = Vec::new();
    for row in same {
        rows.extend(connections::find_by_id(conn, row.connection_id).await?);
    }
    Ok(rows)
}

/// Says which connection has the account already.
async fn taken(conn: &mut Conn<'_>, wanted: &AccountRow) -> Result<ConnectError> {
    let accounts = connections::list_accounts(conn).await?;
    let same = accounts.iter().find(|a| {
        (a.tenant_id, &a.source, &a.account_id)
            == (wanted.tenant_id, &wanted.source, &wanted.account_id)
    });
    let rows = connections::list(conn).await?;
    let holder = rows.iter().find(|row| Some(row.id) == same.map(|a| a.connection_id));
    let (account, id) =
        (&wanted.account_id, holder.map_or("another", |row| row.public_id.as_str()));
    let sentence = format!(
        "that tenant has the account {account} on its connection {id} already; rotate that one's \
         secret, or disable it first"
    );
    Ok(ConnectError::Refused("account_taken", sentence))
}

fn random_text(length: usize) -> Result<String> {
    ids::random_text(length).map_err(|_| ConnectError::NoRandomness)
}
