//! Who may deliver what: tenants and connections, held in memory and kept fresh.

use super::spool::Slot;
use crate::auth::Keyring;
use crate::clock::Clock;
use crate::domain::tenant::TenantSettings;
use crate::sources::fieldmap::FieldMap;
use crate::storage::connections::{self, AccountRow, ConnectionRow, Purpose, SecretRow};
use crate::storage::seal::MasterKey;
use crate::storage::tenants::{self, TenantRow};
use crate::storage::tokens::{self, LiveToken};
use crate::storage::{self, Db, installation};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, RwLock};
use uuid::Uuid;

/// A secret that is live until a time.
#[derive(Clone, Debug)]
pub struct LiveSecret {
    text: SecretString,
    expires_at: Option<DateTime<Utc>>,
}

impl LiveSecret {
    fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_none_or(|at| at > now)
    }
}

/// An active connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its id in the database.
    pub id: Uuid,
    /// The id in its address.
    pub public_id: String,
    /// Its source's name.
    pub source: String,
    /// The tenant it serves; `None` for a platform connection.
    pub tenant: Option<Uuid>,
    /// Its provider accounts, each with the tenant it belongs to.
    pub accounts: BTreeMap<String, Uuid>,
    /// Where its callers put what, where somebody said so.
    pub map: Option<Arc<FieldMap>>,
    signing: Vec<LiveSecret>,
    handshake: Vec<LiveSecret>,
}

impl Connection {
    /// The secrets that verify signatures now, the newest first.
    pub fn signing(&self, now: DateTime<Utc>) -> impl Iterator<Item = &str> {
        let live = self.signing.iter().filter(move |s| s.is_live(now));
        live.map(|s| s.text.expose_secret())
    }

    /// The verify tokens that answer a handshake now.
    pub fn handshake(&self, now: DateTime<Utc>) -> impl Iterator<Item = &str> {
        let live = self.handshake.iter().filter(move |s| s.is_live(now));
        live.map(|s| s.text.expose_secret())
    }
}

/// Tenants and connections as they were at one moment.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    version: i64,
    tenants: BTreeMap<Uuid, Arc<TenantSettings>>,
    slugs: BTreeMap<String, Uuid>,
    connections: Vec<Connection>,
    /// Who may ask.
    pub keyring: Keyring,
    /// Secrets that could not be opened: sealed under another key, or changed.
    pub unreadable: usize,
}

impl Directory {
    /// The active tenant of this id.
    #[must_use]
    pub fn tenant(&self, id: Uuid) -> Option<&Arc<TenantSettings>> {
        self.tenants.get(&id)
    }

    /// The active tenant of this id or slug.
    #[must_use]
    pub fn tenant_named(&self, name: &str) -> Option<&Arc<TenantSettings>> {
        let by_id = Uuid::try_parse(name).ok().and_then(|id| self.tenants.get(&id));
        by_id.or_else(|| self.slugs.get(name).and_then(|id| self.tenants.get(id)))
    }

    /// The active connection of this id.
    #[must_use]
    pub fn connection(&self, id: Uuid) -> Option<&Connection> {
        self.connections.iter().find(|c| c.id == id)
    }

    /// The active connections of a source.
    pub fn of_source(&self, source: &str) -> impl Iterator<Item = &Connection> {
        self.connections.iter().filter(move |c| c.source == source)
    }
}

/// The directory in use, kept fresh beside the database.
pub struct Registry {
    db: Db,
    key: MasterKey,
    clock: Clock,
    spool: Slot,
    current: RwLock<Option<Arc<Directory>>>,
}

/// The rows that a directory is made of; secrets are sealed in them.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: i64,
    tenants: Vec<TenantRow>,
    accounts: Vec<AccountRow>,
    secrets: Vec<SecretRow>,
    connections: Vec<ConnectionRow>,
    tokens: Vec<LiveToken>,
}

impl Registry {
    /// An empty registry: [`Registry::refresh`] fills it. What it reads is kept in the spool too.
    #[must_use]
    pub fn new(db: Db, key: MasterKey, clock: Clock, spool: Slot) -> Self {
        Self { db, key, clock, spool, current: RwLock::new(None) }
    }

    /// The directory as last read; `None` before the first time.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Directory>> {
        self.current.read().ok().and_then(|current| current.clone())
    }

    /// Reads the directory again if anything in it changed anywhere.
    ///
    /// # Errors
    /// When the database fails: the last directory stays.
    pub async fn refresh(&self) -> storage::Result<()> {
        let mut reader = self.db.reader().await?;
        let version = installation::registry_version(&mut reader.conn()).await?;
        if self.current().is_some_and(|current| current.version == version) {
            return Ok(());
        }
        self.load(&mut reader.conn(), version).await
    }

    /// Reads the directory again, changed or not, and keeps it in the spool.
    ///
    /// # Errors
    /// When the database fails: the last directory stays.
    pub async fn reload(&self) -> storage::Result<()> {
        let mut reader = self.db.reader().await?;
        let version = installation::registry_version(&mut reader.conn()).await?;
        self.load(&mut reader.conn(), version).await
    }

    async fn load(&self, conn: &mut storage::Conn<'_>, version: i64) -> storage::Result<()> {
        let read = self.read(conn, version).await?;
        self.save(serde_json::to_string(&read)).await;
        self.take(read)
    }

    /// Takes the directory into use that the spool kept; false where it kept none.
    ///
    /// # Errors
    /// When it can't be read, or was sealed under another key.
    pub async fn restore(&self) -> storage::Result<bool> {
        let Some(spool) = self.spool.get() else { return Ok(false) };
        let Some(text) = spool.directory(&self.key).await? else { return Ok(false) };
        let unread = |_| storage::Error::Inconsistent { table: "directory", column: "sealed" };
        self.take(serde_json::from_slice(&text).map_err(unread)?)?;
        Ok(true)
    }

    async fn read(&self, conn: &mut storage::Conn<'_>, version: i64) -> storage::Result<Kept> {
        let now = self.clock.now();
        Ok(Kept {
            version,
            tenants: tenants::list(conn).await?,
            accounts: connections::list_accounts(conn).await?,
            secrets: connections::list_secrets(conn, now).await?,
            connections: connections::list(conn).await?,
            tokens: tokens::list_live(conn, now).await?,
        })
    }

    /// Keeps the directory for a start while the database is away.
    async fn save(&self, kept: serde_json::Result<String>) {
        let Some(spool) = self.spool.get() else { return };
        let saved = match kept {
            Ok(text) => spool.save_directory(&self.key, &text).await.map_err(|e| e.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = saved {
            tracing::error!(error, "tenants and connections could not be kept in the spool");
        }
    }

    fn take(&self, kept: Kept) -> storage::Result<()> {
        let fresh = self.directory(kept)?;
        if let Ok(mut current) = self.current.write() {
            *current = Some(Arc::new(fresh));
        }
        Ok(())
    }

    fn directory(&self, kept: Kept) -> storage::Result<Directory> {
        let Kept { version, tenants, accounts, secrets, connections, tokens } = kept;
        let keyring = Keyring::new(tokens);
        let mut directory = Directory { version, keyring, ..Directory::default() };
        for row in tenants.iter().filter(|row| row.status == "active") {
            directory.slugs.insert(row.slug.clone(), row.id);
            directory.tenants.insert(row.id, Arc::new(row.settings()?));
        }
        for row in connections.into_iter().filter(|row| row.status == "active") {
            let own = accounts.iter().filter(|a| a.connection_id == row.id);
            let mut connection = Connection {
                id: row.id,
                map: read_map(&row).map(Arc::new),
                public_id: row.public_id,
                source: row.source,
                tenant: row.tenant_id,
                accounts: own.map(|a| (a.account_id.clone(), a.tenant_id)).collect(),
                signing: Vec::new(),
                handshake: Vec::new(),
            };
            for secret in secrets.iter().filter(|s| s.connection_id == row.id) {
                self.add_secret(&mut connection, secret, &mut directory.unreadable);
            }
            directory.connections.push(connection);
        }
        Ok(directory)
    }

    /// A secret that can't be opened leaves its connection without it: refused, never let through.
    fn add_secret(&self, connection: &mut Connection, row: &SecretRow, unreadable: &mut usize) {
        let text = row.open(&self.key).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let Some(text) = text else {
            tracing::error!(connection = %connection.public_id, "a secret can't be opened");
            *unreadable += 1;
            return;
        };
        let secret = LiveSecret { text: text.into(), expires_at: row.expires_at };
        if row.purpose == Purpose::Handshake.as_str() {
            connection.handshake.push(secret);
        } else {
            connection.signing.push(secret);
        }
    }
}

/// A connection's field map. It was checked when it was saved; one that another version of this
/// program saved and this one can't read is as good as none, and said in the log.
#[must_use]
pub fn read_map(row: &ConnectionRow) -> Option<FieldMap> {
    let text = row.field_map.as_deref()?;
    FieldMap::parse(text)
        .inspect_err(|error| {
            tracing::error!(connection = %row.public_id, %error, "a field map can't be read");
        })
        .ok()
}

/// The distinct live signing secrets of some connections, in order, at most `most`.
pub(super) fn distinct_secrets<'a>(
    connections: impl Iterator<Item = &'a Connection>,
    now: DateTime<Utc>,
    most: usize,
) -> Vec<&'a str> {
    let mut known = BTreeSet::new();
    let secrets = connections.flat_map(|c| c.signing(now).collect::<Vec<_>>());
    secrets.filter(|secret| known.insert(*secret)).take(most).collect()
}
