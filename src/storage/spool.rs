//! The spool: a SQLite file beside the service in which deliveries wait while the server is away.
//!
//! Its tables are its own, not the database's: it is made on the spot and has its own version.

pub use super::spool_lock::SpoolError;

use super::seal::Sealed;
use super::spool_lock::{lock, private};
use super::{Conn, Db, Result, Tx, execute, fetch_all, fetch_optional, pools};
use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteConnectOptions;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use uuid::Uuid;

/// The form of the tables below.
const VERSION: i64 = 1;

const SCHEMA: &str = "
    create table if not exists deliveries (
        seq integer primary key autoincrement,
        id blob not null unique,
        tenant_id blob,
        source text not null,
        kind text not null,
        key_hash text,
        body_hash text not null,
        taken text not null,
        raw blob not null,
        size integer not null,
        received_at text not null
    );
    create index if not exists deliveries_by_key on deliveries (key_hash, tenant_id);
    create table if not exists directory (
        id integer primary key check (id = 1),
        key_id text not null,
        sealed blob not null
    );
    pragma user_version = 1;";

const READ_VERSION: &str = "select user_version from pragma_user_version";
const INSERT: &str = "
    insert into deliveries
        (id, tenant_id, source, kind, key_hash, body_hash, taken, raw, size, received_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const LATEST_BY_KEY: &str = "
    select id, body_hash, received_at from deliveries
    where key_hash = $1 and tenant_id is $2 order by seq desc limit 1";
const FIND: &str = "
    select seq, id, tenant_id, source, kind, key_hash, body_hash, taken, raw, received_at
    from deliveries where id = $1";
const AFTER: &str = "
    select seq, id, tenant_id, source, kind, key_hash, body_hash, taken, raw, received_at
    from deliveries where seq > $1 order by seq limit $2";
const LIST: &str = "
    select id, tenant_id, source, kind, received_at from deliveries order by seq desc limit $1";
const FRONT: &str = "select received_at from deliveries order by seq limit 1";
const REMOVE: &str = "delete from deliveries where seq = $1";
const DEPTH: &str = "
    select count(*), coalesce(sum(size), 0), min(received_at) from deliveries";
const SAVE_DIRECTORY: &str = "
    insert into directory (id, key_id, sealed) values (1, $1, $2)
    on conflict (id) do update set key_id = excluded.key_id, sealed = excluded.sealed";
const READ_DIRECTORY: &str = "select key_id, sealed from directory where id = 1";
/// Gives the space back, and leaves nothing of what was in it.
const TIDY: &str = "vacuum; pragma wal_checkpoint(truncate)";

/// The open file. One instance has it, for as long as this lives.
#[derive(Clone, Debug)]
pub struct SpoolFile {
    db: Db,
    _lock: Option<Arc<File>>,
}

/// A delivery that waits.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct QueuedRow {
    /// Its place in the queue; 0 before it has one.
    pub seq: i64,
    /// The id of the event.
    pub id: Uuid,
    /// Whose it is; `None` for the platform's inbox.
    pub tenant_id: Option<Uuid>,
    /// The source's name.
    pub source: String,
    /// What the provider calls it.
    pub kind: String,
    /// The keyed hash of its delivery key.
    pub key_hash: Option<String>,
    /// The keyed hash of its bytes.
    pub body_hash: String,
    /// All that tracking has to know beside the bytes, as JSON.
    pub taken: String,
    /// Its own bytes.
    pub raw: Vec<u8>,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
}

impl QueuedRow {
    /// What it takes of the spool's room, about.
    #[must_use]
    pub fn size(&self) -> u64 {
        u64::try_from(self.raw.len() + self.taken.len() + 512).unwrap_or(u64::MAX)
    }
}

/// A delivery that waits, as a repeat of it or a list needs it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct QueuedKey {
    /// The id of the event.
    pub id: Uuid,
    /// The keyed hash of its bytes.
    pub body_hash: String,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
}

/// A delivery that waits, as lists show it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct QueuedSummary {
    /// The id of the event.
    pub id: Uuid,
    /// Whose it is; `None` for the platform's inbox.
    pub tenant_id: Option<Uuid>,
    /// The source's name.
    pub source: String,
    /// What the provider calls it.
    pub kind: String,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
}

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// How many deliveries.
    pub deliveries: u64,
    /// How much room they take.
    pub bytes: u64,
    /// When the oldest arrived.
    pub oldest: Option<DateTime<Utc>>,
}

impl SpoolFile {
    /// Opens the spool, made when it isn't there, for this instance alone.
    ///
    /// # Errors
    /// [`SpoolError`], which says what to do.
    pub async fn open(path: &Path) -> std::result::Result<Self, SpoolError> {
        let lock = lock(path)?;
        let file = |error| SpoolError::File { path: path.to_owned(), error };
        // SQLite's other files get the same mode: customers' data is in them.
        private().open(path).map_err(file)?;
        let options = SqliteConnectOptions::new().filename(path).pragma("secure_delete", "on");
        let opened = async {
            let db = pools::sqlite_file(options).await?;
            Ok(Self { db, _lock: Some(Arc::new(lock)) })
        };
        let storage = |error| SpoolError::Storage { path: path.to_owned(), error };
        let spool = opened.await.map_err(storage)?;
        if spool.version().await.map_err(storage)? > VERSION {
            return Err(SpoolError::TooNew(path.to_owned()));
        }
        spool.run(SCHEMA).await.map_err(storage)?;
        Ok(spool)
    }

    /// Looks into a spool that may be another process's; `None` where there is none.
    ///
    /// # Errors
    /// [`SpoolError`] when it can't be read.
    pub async fn look(path: &Path) -> std::result::Result<Option<Self>, SpoolError> {
        if !path.exists() {
            return Ok(None);
        }
        let storage = |error| SpoolError::Storage { path: path.to_owned(), error };
        let options = SqliteConnectOptions::new().filename(path);
        let db = pools::sqlite_file(options).await.map_err(storage)?;
        let spool = Self { db, _lock: None };
        match spool.version().await.map_err(storage)? {
            VERSION => Ok(Some(spool)),
            0 => Ok(None),
            _ => Err(SpoolError::TooNew(path.to_owned())),
        }
    }

    /// True while a process has the spool for itself.
    #[must_use]
    pub fn is_in_use(path: &Path) -> bool {
        path.exists() && matches!(lock(path), Err(SpoolError::Taken(_)))
    }

    async fn version(&self) -> Result<i64> {
        let mut reader = self.db.reader().await?;
        let row = fetch_optional!(&mut reader.conn(), (i64,), READ_VERSION)?;
        Ok(row.map_or(0, |(version,)| version))
    }

    async fn run(&self, statements: &'static str) -> Result<()> {
        if let Db::Sqlite { write, .. } = &self.db {
            sqlx::raw_sql(statements).execute(write).await?;
        }
        Ok(())
    }

    /// Begins to write.
    ///
    /// # Errors
    /// When the file can't be written to.
    pub async fn begin(&self) -> Result<Tx> {
        self.db.begin().await
    }

    /// The youngest delivery of this key that waits.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn latest_by_key(
        &self,
        tenant: Option<Uuid>,
        key_hash: &str,
    ) -> Result<Option<QueuedKey>> {
        latest_by_key(&mut self.db.reader().await?.conn(), tenant, key_hash).await
    }

    /// One delivery that waits.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn find(&self, id: Uuid) -> Result<Option<QueuedRow>> {
        let mut reader = self.db.reader().await?;
        Ok(fetch_optional!(&mut reader.conn(), QueuedRow, FIND, id)?)
    }

    /// Those behind a place in the queue, in their order.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn after(&self, seq: i64, limit: i64) -> Result<Vec<QueuedRow>> {
        let mut reader = self.db.reader().await?;
        Ok(fetch_all!(&mut reader.conn(), QueuedRow, AFTER, seq, limit)?)
    }

    /// The newest that wait.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn list(&self, limit: i64) -> Result<Vec<QueuedSummary>> {
        let mut reader = self.db.reader().await?;
        Ok(fetch_all!(&mut reader.conn(), QueuedSummary, LIST, limit)?)
    }

    /// When the first in the queue arrived.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn front(&self) -> Result<Option<DateTime<Utc>>> {
        let mut reader = self.db.reader().await?;
        let row = fetch_optional!(&mut reader.conn(), (DateTime<Utc>,), FRONT)?;
        Ok(row.map(|(at,)| at))
    }

    /// Removes what is stored elsewhere now.
    ///
    /// # Errors
    /// When the file can't be written to.
    pub async fn remove(&self, places: &[i64]) -> Result<()> {
        let mut tx = self.begin().await?;
        for seq in places {
            execute!(&mut tx.conn(), REMOVE, *seq)?;
        }
        tx.commit().await
    }

    /// How much waits.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn depth(&self) -> Result<Depth> {
        let mut reader = self.db.reader().await?;
        let row = fetch_optional!(&mut reader.conn(), (i64, i64, Option<DateTime<Utc>>), DEPTH)?;
        let (count, bytes, oldest) = row.unwrap_or_default();
        let number = |n: i64| u64::try_from(n).unwrap_or(0);
        Ok(Depth { deliveries: number(count), bytes: number(bytes), oldest })
    }

    /// Gives the room of what was removed back.
    ///
    /// # Errors
    /// When the file can't be written to.
    pub async fn tidy(&self) -> Result<()> {
        self.run(TIDY).await
    }

    /// Keeps the directory, sealed, in place of the one before.
    ///
    /// # Errors
    /// When the file can't be written to.
    pub async fn save_directory(&self, sealed: &Sealed) -> Result<()> {
        let mut tx = self.begin().await?;
        let (key_id, bytes) = (sealed.key_id.as_str(), sealed.bytes.as_slice());
        execute!(&mut tx.conn(), SAVE_DIRECTORY, key_id, bytes)?;
        tx.commit().await
    }

    /// The directory that was kept.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn directory(&self) -> Result<Option<Sealed>> {
        let mut reader = self.db.reader().await?;
        let row = fetch_optional!(&mut reader.conn(), (String, Vec<u8>), READ_DIRECTORY)?;
        Ok(row.map(|(key_id, bytes)| Sealed { key_id, bytes }))
    }

    /// Closes the file.
    pub async fn close(&self) {
        self.db.close().await;
    }
}

/// The youngest delivery of this key that waits, as a transaction sees it.
///
/// # Errors
/// When the file can't be read.
pub async fn latest_by_key(
    conn: &mut Conn<'_>,
    tenant: Option<Uuid>,
    key_hash: &str,
) -> Result<Option<QueuedKey>> {
    Ok(fetch_optional!(conn, QueuedKey, LATEST_BY_KEY, key_hash, tenant)?)
}

/// Puts a delivery at the end of the queue.
///
/// # Errors
/// When the file can't be written to.
pub async fn insert(conn: &mut Conn<'_>, row: &QueuedRow) -> Result<()> {
    let size = i64::try_from(row.size()).unwrap_or(i64::MAX);
    execute!(
        conn,
        INSERT,
        row.id,
        row.tenant_id,
        row.source.as_str(),
        row.kind.as_str(),
        row.key_hash.as_deref(),
        row.body_hash.as_str(),
        row.taken.as_str(),
        row.raw.as_slice(),
        size,
        row.received_at
    )?;
    Ok(())
}
