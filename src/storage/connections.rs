//! Connections, their secrets and their provider accounts.

use super::installation::bump_registry;
use super::seal::{MasterKey, Sealed};
use super::{Conn, Result, execute, fetch_all, fetch_optional, statements};
use crate::domain::ids;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

statements! {
    INSERT = "
        insert into connections (id, public_id, source, tenant_id, status, created_at, updated_at)
        values ($1, $2, $3, $4, 'active', $5, $5)";
    LIST = "
        select id, public_id, source, tenant_id, status, field_map, created_at
        from connections order by created_at, id";
    LIST_OF_TENANT = "
        select id, public_id, source, tenant_id, status, field_map, created_at
        from connections where tenant_id = $1 and id < $2 order by id desc limit $3";
    FIND = "
        select id, public_id, source, tenant_id, status, field_map, created_at
        from connections where public_id = $1";
    FIND_BY_ID = "
        select id, public_id, source, tenant_id, status, field_map, created_at
        from connections where id = $1";
    SET_FIELD_MAP = "update connections set field_map = $2, updated_at = $3 where id = $1";
    DISABLE = "update connections set status = 'disabled', updated_at = $2 where id = $1";
    INSERT_SECRET = "
        insert into connection_secrets
            (id, connection_id, purpose, key_id, sealed, created_at, expires_at)
        values ($1, $2, $3, $4, $5, $6, null)";
    LIST_SECRETS = "
        select id, connection_id, purpose, key_id, sealed, expires_at
        from connection_secrets
        where expires_at is null or expires_at > $1
        order by created_at desc, id desc";
    LIST_SIGNING_OF = "
        select s.id, s.connection_id, s.purpose, s.key_id, s.sealed, s.expires_at
        from connections c join connection_secrets s on s.connection_id = c.id
        where c.source = $1 and c.status = 'active' and s.purpose = 'signing'
            and (s.expires_at is null or s.expires_at > $2)
        order by s.created_at desc, s.id desc";
    EXPIRE_SECRETS = "
        update connection_secrets set expires_at = $3
        where connection_id = $1 and purpose = $2 and (expires_at is null or expires_at > $3)";
    INSERT_ACCOUNT = "
        insert into connection_accounts (tenant_id, source, account_id, connection_id, created_at)
        values ($1, $2, $3, $4, $5)
        on conflict do nothing";
    LIST_ACCOUNTS = "
        select tenant_id, source, account_id, connection_id
        from connection_accounts order by created_at, account_id";
    LIST_ACCOUNTS_OF = "
        select tenant_id, source, account_id, connection_id
        from connection_accounts where connection_id = $1 order by created_at, account_id";
    RELEASE_ACCOUNTS = "delete from connection_accounts where connection_id = $1";
}

/// A connection's row.
#[derive(Clone, Debug, sqlx::FromRow, Serialize, Deserialize)]
pub struct ConnectionRow {
    /// Its id within the database.
    pub id: Uuid,
    /// The id that stands in its address.
    pub public_id: String,
    /// Its source's name.
    pub source: String,
    /// The tenant it serves; `None` for a platform connection.
    pub tenant_id: Option<Uuid>,
    /// `active` or `disabled`.
    pub status: String,
    /// Where its callers put what: the text of a field map, checked when it was saved.
    pub field_map: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// What a secret of a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Verifying signatures.
    Signing,
    /// Answering the provider's GET handshake (WhatsApp's verify token).
    Handshake,
}

impl Purpose {
    /// The word in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signing => "signing",
            Self::Handshake => "handshake",
        }
    }
}

/// A sealed secret's row.
#[derive(Clone, Debug, sqlx::FromRow, Serialize, Deserialize)]
pub struct SecretRow {
    /// Its id: part of what it is sealed for.
    pub id: Uuid,
    /// The connection's id.
    pub connection_id: Uuid,
    /// `signing` or `handshake`.
    pub purpose: String,
    key_id: String,
    sealed: Vec<u8>,
    /// Until when it is live; `None` for good.
    pub expires_at: Option<DateTime<Utc>>,
}

impl SecretRow {
    /// The secret in the clear.
    ///
    /// # Errors
    /// When it was sealed under another master key, or changed.
    pub fn open(&self, key: &MasterKey) -> Result<Vec<u8>> {
        let sealed = Sealed { key_id: self.key_id.clone(), bytes: self.sealed.clone() };
        Ok(key.open(&sealed, &place(self.connection_id, self.id, &self.purpose))?)
    }
}

/// A provider account that a connection owns, and the tenant it belongs to.
#[derive(Clone, Debug, sqlx::FromRow, Serialize, Deserialize)]
pub struct AccountRow {
    /// The tenant.
    pub tenant_id: Uuid,
    /// The source's name.
    pub source: String,
    /// The provider's id of the account.
    pub account_id: String,
    /// The connection's id.
    pub connection_id: Uuid,
}

/// The associated data of a sealed secret: it opens in its own row only.
fn place(connection: Uuid, secret: Uuid, purpose: &str) -> String {
    format!("connection_secrets/{connection}/{secret}/{purpose}")
}

/// Makes a connection; the instances hear of it.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    conn: &mut Conn<'_>,
    public_id: &str,
    source: &str,
    tenant: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let id = ids::new(now);
    execute!(conn, INSERT, id, public_id, source, tenant, now)?;
    bump_registry(conn).await?;
    Ok(id)
}

/// Adds a live secret, sealed; the instances hear of it.
///
/// # Errors
/// When the database fails or the secret can't be sealed.
pub async fn insert_secret(
    conn: &mut Conn<'_>,
    key: &MasterKey,
    connection: Uuid,
    purpose: Purpose,
    secret: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let id = ids::new(now);
    let sealed = key.seal(secret.as_bytes(), &place(connection, id, purpose.as_str()))?;
    let (key_id, bytes) = (sealed.key_id, sealed.bytes);
    execute!(conn, INSERT_SECRET, id, connection, purpose.as_str(), key_id, bytes, now)?;
    bump_registry(conn).await
}

/// Lets every live secret of this purpose run out at `at`; the instances hear of it.
///
/// # Errors
/// When the database fails.
pub async fn expire_secrets(
    conn: &mut Conn<'_>,
    connection: Uuid,
    purpose: Purpose,
    at: DateTime<Utc>,
) -> Result<()> {
    execute!(conn, EXPIRE_SECRETS, connection, purpose.as_str(), at)?;
    bump_registry(conn).await
}

/// Gives the connection a provider account of a tenant; false when that tenant has the account
/// on a connection already.
///
/// # Errors
/// When the database fails.
pub async fn insert_account(
    conn: &mut Conn<'_>,
    account: &AccountRow,
    now: DateTime<Utc>,
) -> Result<bool> {
    let (tenant, connection) = (account.tenant_id, account.connection_id);
    let (source, id) = (account.source.as_str(), account.account_id.as_str());
    let done = execute!(conn, INSERT_ACCOUNT, tenant, source, id, connection, now)?;
    bump_registry(conn).await?;
    Ok(done == 1)
}

/// Disables a connection and releases its accounts; the instances hear of it.
///
/// # Errors
/// When the database fails.
pub async fn disable(conn: &mut Conn<'_>, id: Uuid, now: DateTime<Utc>) -> Result<()> {
    execute!(conn, DISABLE, id, now)?;
    execute!(conn, RELEASE_ACCOUNTS, id)?;
    bump_registry(conn).await
}

/// All connections, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn list(conn: &mut Conn<'_>) -> Result<Vec<ConnectionRow>> {
    Ok(fetch_all!(conn, ConnectionRow, LIST)?)
}

/// The connection of this public id.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &mut Conn<'_>, public_id: &str) -> Result<Option<ConnectionRow>> {
    Ok(fetch_optional!(conn, ConnectionRow, FIND, public_id)?)
}

/// The connection of this id.
///
/// # Errors
/// When the database fails.
pub async fn find_by_id(conn: &mut Conn<'_>, id: Uuid) -> Result<Option<ConnectionRow>> {
    Ok(fetch_optional!(conn, ConnectionRow, FIND_BY_ID, id)?)
}

/// Keeps a connection's field map, or none; the instances hear of it.
///
/// # Errors
/// When the database fails.
pub async fn set_field_map(
    conn: &mut Conn<'_>,
    id: Uuid,
    field_map: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    execute!(conn, SET_FIELD_MAP, id, field_map, now)?;
    bump_registry(conn).await
}

/// Every secret that is live at `now`, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn list_secrets(conn: &mut Conn<'_>, now: DateTime<Utc>) -> Result<Vec<SecretRow>> {
    Ok(fetch_all!(conn, SecretRow, LIST_SECRETS, now)?)
}

/// The live secrets that verify a source's deliveries, those of active connections.
///
/// # Errors
/// When the database fails.
pub async fn list_signing_of(
    conn: &mut Conn<'_>,
    source: &str,
    now: DateTime<Utc>,
) -> Result<Vec<SecretRow>> {
    Ok(fetch_all!(conn, SecretRow, LIST_SIGNING_OF, source, now)?)
}

/// Every account of every connection.
///
/// # Errors
/// When the database fails.
pub async fn list_accounts(conn: &mut Conn<'_>) -> Result<Vec<AccountRow>> {
    Ok(fetch_all!(conn, AccountRow, LIST_ACCOUNTS)?)
}

/// A tenant's connections before `before`, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn list_of_tenant(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    before: Uuid,
    limit: i64,
) -> Result<Vec<ConnectionRow>> {
    Ok(fetch_all!(conn, ConnectionRow, LIST_OF_TENANT, tenant, before, limit)?)
}

/// The accounts of one connection.
///
/// # Errors
/// When the database fails.
pub async fn list_accounts_of(conn: &mut Conn<'_>, id: Uuid) -> Result<Vec<AccountRow>> {
    Ok(fetch_all!(conn, AccountRow, LIST_ACCOUNTS_OF, id)?)
}
