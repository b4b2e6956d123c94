//! All SQL, one file a noun. The only place that names the database library.
//!
//! One text serves both engines. Where a statement must differ, a pair stands side by side:
//! there is one, in [`locks`].

mod aliases;
pub mod alikes;
pub mod archive;
pub mod audit;
mod batch;
pub mod beside;
pub mod booking_lists;
pub mod bookings;
mod bulk;
pub mod client_counts;
pub mod client_few;
pub mod client_filter;
mod client_fits;
pub mod client_list;
pub mod client_names;
pub mod client_stats;
pub mod clients;
pub mod clients_ahead;
pub mod connections;
pub mod duplicates;
pub mod erased;
pub mod erasure;
mod error;
pub mod event_aliases;
pub mod events;
pub mod history;
pub mod idempotency;
pub mod inbox;
pub mod installation;
pub mod joins;
pub mod lead_lists;
pub mod lead_records;
pub mod leads;
pub mod locks;
pub mod mappings;
pub mod packed;
mod pending;
mod pools;
pub mod removal;
pub mod reviews;
pub mod seal;
pub mod seeds;
pub mod sightings;
pub mod spool;
mod spool_lock;
pub mod tenants;
pub mod tokens;
pub mod users;
pub mod words;

pub use error::{Error, Result, chain};

use batch::Batch;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{PgConnection, PgPool, SqliteConnection, SqlitePool};
use std::time::Duration;

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// Names a file's statements, each a constant, and lists them in `ALL` for the test that prepares
/// every one on both engines.
macro_rules! statements {
    ($($name:ident = $sql:expr;)+) => {
        $(const $name: &str = $sql;)+
        /// Every statement of this file, by name.
        pub(super) const ALL: &[(&str, &str)] = &[$((stringify!($name), $sql)),+];
    };
}

/// Runs a statement and says how many rows it touched.
macro_rules! execute {
    ($conn:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $conn.written().await? {
            $crate::storage::Raw::Sqlite(c) => sqlx::query($sql)$(.bind($bind))*
                .execute(&mut **c).await.map(|done| done.rows_affected()),
            $crate::storage::Raw::Postgres(c) => sqlx::query($sql)$(.bind($bind))*
                .execute(&mut **c).await.map(|done| done.rows_affected()),
        }
    };
}

/// Reads all rows as `$row`.
macro_rules! fetch_all {
    ($conn:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $conn.settled().await? {
            $crate::storage::Raw::Sqlite(c) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*
                .fetch_all(&mut **c).await,
            $crate::storage::Raw::Postgres(c) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*
                .fetch_all(&mut **c).await,
        }
    };
}

/// Reads the first row as `$row`, if there is one.
macro_rules! fetch_optional {
    ($conn:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $conn.settled().await? {
            $crate::storage::Raw::Sqlite(c) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*
                .fetch_optional(&mut **c).await,
            $crate::storage::Raw::Postgres(c) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*
                .fetch_optional(&mut **c).await,
        }
    };
}

pub(crate) use {execute, fetch_all, fetch_optional, statements};

/// The statements of each file.
macro_rules! files {
    ($($file:ident),+ $(,)?) => { [$((stringify!($file), $file::ALL)),+] };
}

/// Every statement of the service, by file and name.
#[must_use]
pub fn all_statements() -> Vec<(&'static str, &'static str, &'static str)> {
    let files = files![
        aliases, alikes, archive, audit, beside, booking_lists, bookings, client_counts,
        client_few, client_list, client_names, client_stats, clients, connections, duplicates,
        erased, erasure, event_aliases, events, history, idempotency, inbox, installation, joins,
        lead_lists, lead_records, leads, mappings, removal, reviews, seeds, sightings, tenants,
        tokens, users, words,
    ];
    let named = |(file, list): (&'static str, &'static [(&'static str, &'static str)])| {
        list.iter().map(move |(name, sql)| (file, *name, *sql)).collect::<Vec<_>>()
    };
    files.into_iter().flat_map(named).collect()
}

/// Every statement over many rows, by file and name, as `sqlite` or `postgres` has it.
#[must_use]
pub fn bulk_statements(engine: &str) -> Vec<(&'static str, &'static str, &'static str)> {
    /// Those of each file.
    macro_rules! bulks {
        ($($file:ident),+ $(,)?) => { [$((stringify!($file), $file::BULK)),+] };
    }
    let files = bulks![
        beside, bookings, clients, clients_ahead, erased, events, leads, mappings, pending,
        reviews, sightings, words,
    ];
    let text = |bulk: &bulk::Bulk| bulk.text(engine);
    let named = |(file, list): (&'static str, &[(&'static str, &'static bulk::Bulk)])| {
        list.iter().map(|(name, bulk)| (file, *name, text(bulk))).collect::<Vec<_>>()
    };
    let mut all: Vec<_> = files.into_iter().flat_map(named).collect();
    if engine == "postgres" {
        all.push(("pending", "ALL", pending::all_on_postgres()));
    }
    all
}

/// A database: SQLite in one file, or PostgreSQL.
#[derive(Clone, Debug)]
pub enum Db {
    /// One connection that writes, beside several that read: writers would only wait for each
    /// other, and many of them make the slowest wait far longer.
    Sqlite {
        /// Reads.
        read: SqlitePool,
        /// Writes.
        write: SqlitePool,
    },
    /// A server.
    Postgres {
        /// Everything but the next.
        pool: PgPool,
        /// Transactions of many events: few, whose sessions plan as these need it.
        batch: PgPool,
    },
}

/// A connection in use, of either engine: what every function of this module takes.
pub struct Conn<'a> {
    raw: Raw<'a>,
    batch: Option<&'a mut Batch>,
}

/// The connection itself.
pub(crate) enum Raw<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut PgConnection),
}

/// A write transaction; dropped without [`Tx::commit`] it is undone.
pub struct Tx {
    open: Open,
    batch: Option<Box<Batch>>,
}

/// A transaction that is open.
enum Open {
    /// Begun immediate: it holds the write lock.
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
    /// Read committed.
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

/// A connection held for reading.
pub enum Reader {
    /// SQLite.
    Sqlite(sqlx::pool::PoolConnection<sqlx::Sqlite>),
    /// PostgreSQL.
    Postgres(sqlx::pool::PoolConnection<sqlx::Postgres>),
}

/// Gives up what takes longer: the database is taken to be away.
///
/// # Errors
/// [`Error::Unavailable`] when it does, else its own.
pub async fn in_time<T>(longest: Duration, work: BoxFuture<'_, Result<T>>) -> Result<T> {
    let done = tokio::time::timeout(longest, work).await;
    done.unwrap_or(Err(Error::Unavailable(sqlx::Error::PoolTimedOut)))
}

impl Db {
    /// Prepares pools for `sqlite://file` or `postgres://…`. SQLite creates the file; PostgreSQL
    /// is not asked until it is needed, so that a service can start before its database.
    ///
    /// # Errors
    /// When the address can't be read, or the SQLite file can't be opened.
    pub async fn open(url: &str) -> Result<Self> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return pools::postgres(url);
        }
        if url.starts_with("sqlite:") {
            return pools::sqlite(url).await;
        }
        let known = "DATABASE_URL must begin with sqlite:// or postgres://";
        Err(Error::Address(known.to_owned()))
    }

    /// Brings an empty or older database to this program's version, under a lock: several
    /// instances may start at once.
    ///
    /// # Errors
    /// [`Error::TooNew`] for a database of a newer program; [`Error::Unavailable`] when it is away.
    pub async fn migrate(&self) -> Result<()> {
        let done = match self {
            Self::Sqlite { write, .. } => pools::migrate_sqlite(write.clone(), &MIGRATOR).await,
            Self::Postgres { pool, .. } => pools::migrate_postgres(pool, &MIGRATOR).await,
        };
        done.map_err(|error| match error {
            MigrateError::VersionMissing(version) => Error::TooNew(version),
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                match Error::from(error) {
                    Error::Refused(e) => Error::Migration(Box::new(MigrateError::Execute(e))),
                    other => other,
                }
            }
            other => Error::Migration(Box::new(other)),
        })?;
        words::fill(self).await
    }

    /// Begins a write transaction.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when no connection is to be had.
    pub async fn begin(&self) -> Result<Tx> {
        let open = match self {
            Self::Sqlite { write, .. } => Open::Sqlite(write.begin_with("begin immediate").await?),
            Self::Postgres { pool, .. } => Open::Postgres(pool.begin().await?),
        };
        Ok(Tx { open, batch: None })
    }

    /// Begins a write transaction of many events, which can be read for ahead
    /// (`read_ahead` of the tables' modules) and whose rows are written together.
    ///
    /// # Errors
    /// As [`Db::begin`].
    pub async fn begin_batch(&self) -> Result<Tx> {
        let open = match self {
            Self::Postgres { batch, .. } => Open::Postgres(batch.begin().await?),
            Self::Sqlite { .. } => self.begin().await?.open,
        };
        Ok(Tx { open, batch: Some(Box::default()) })
    }

    /// Takes a connection for reading.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when no connection is to be had.
    pub async fn reader(&self) -> Result<Reader> {
        Ok(match self {
            Self::Sqlite { read, .. } => Reader::Sqlite(read.acquire().await?),
            Self::Postgres { pool, .. } => Reader::Postgres(pool.acquire().await?),
        })
    }

    /// `sqlite` or `postgres`.
    #[must_use]
    pub fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "sqlite",
            Self::Postgres { .. } => "postgres",
        }
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it gives none.
    pub async fn ping(&self) -> Result<()> {
        let mut reader = self.reader().await?;
        execute!(&mut reader.conn(), "select 1")?;
        Ok(())
    }

    /// Closes every connection, waiting for those in use.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres { pool, batch } => {
                pool.close().await;
                batch.close().await;
            }
        }
    }

    /// Prepares a statement without running it, to see that the database takes it.
    ///
    /// # Errors
    /// [`Error::Refused`] with the database's words when it doesn't.
    pub async fn prepare(&self, sql: &'static str) -> Result<()> {
        use sqlx::{Executor as _, SqlSafeStr as _};
        match self.reader().await? {
            Reader::Sqlite(mut c) => c.prepare(sql.into_sql_str()).await.map(drop)?,
            Reader::Postgres(mut c) => c.prepare(sql.into_sql_str()).await.map(drop)?,
        }
        Ok(())
    }

    /// The server's own clock; `None` for SQLite, which has this machine's.
    ///
    /// # Errors
    /// When the server can't be asked.
    pub async fn server_time(&self) -> Result<Option<DateTime<Utc>>> {
        let Self::Postgres { pool, .. } = self else { return Ok(None) };
        let (time,) = sqlx::query_as("select clock_timestamp()").fetch_one(pool).await?;
        Ok(Some(time))
    }

    /// Names what makes this PostgreSQL lose acknowledged writes: `fsync = off`.
    ///
    /// # Errors
    /// When the server can't be asked.
    pub async fn durability_faults(&self) -> Result<Vec<String>> {
        let Self::Postgres { pool, .. } = self else { return Ok(Vec::new()) };
        let (fsync,): (String,) =
            sqlx::query_as("select current_setting('fsync')").fetch_one(pool).await?;
        let fault = "the server runs with fsync = off: a power cut can lose acknowledged bookings";
        Ok(if fsync == "on" { Vec::new() } else { vec![fault.to_owned()] })
    }
}

impl Tx {
    /// The connection, for the functions of this module.
    pub fn conn(&mut self) -> Conn<'_> {
        let raw = match &mut self.open {
            Open::Sqlite(t) => Raw::Sqlite(t),
            Open::Postgres(t) => Raw::Postgres(t),
        };
        Conn { raw, batch: self.batch.as_deref_mut() }
    }

    /// Makes it durable: when this returns, what was written survives a power cut.
    ///
    /// # Errors
    /// As the database says; nothing is stored then, unless the connection broke in the very
    /// moment of committing: a repeat finds out.
    pub async fn commit(mut self) -> Result<()> {
        self.conn().settled().await?;
        match self.open {
            Open::Sqlite(t) => t.commit().await?,
            Open::Postgres(t) => t.commit().await?,
        }
        Ok(())
    }
}

impl Reader {
    /// The connection, for the functions of this module.
    pub fn conn(&mut self) -> Conn<'_> {
        let raw = match self {
            Self::Sqlite(c) => Raw::Sqlite(c),
            Self::Postgres(c) => Raw::Postgres(c),
        };
        Conn { raw, batch: None }
    }
}
