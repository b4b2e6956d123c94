//! All SQL, one file a noun. The only place that names the database library.
//!
//! One text serves both engines. Where a statement must differ, a pair stands side by side:
//! there is one, in [`locks`].

mod aliases;
pub mod alikes;
pub mod archive;
pub mod audit;
pub mod beside;
pub mod booking_lists;
pub mod bookings;
pub mod client_counts;
pub mod client_few;
pub mod client_filter;
mod client_fits;
pub mod client_list;
pub mod client_names;
pub mod client_stats;
pub mod clients;
pub mod connections;
pub mod duplicates;
pub mod erasure;
mod error;
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
mod pools;
pub mod removal;
pub mod reviews;
pub mod seal;
pub mod seeds;
pub mod sightings;
pub mod tenants;
pub mod tokens;
pub mod users;
pub mod words;

pub use error::{Error, Result};

use chrono::{DateTime, Utc};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{PgConnection, PgPool, SqliteConnection, SqlitePool};

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
        match $conn {
            $crate::storage::Conn::Sqlite(c) => sqlx::query($sql)$(.bind($bind))*
                .execute(&mut **c).await.map(|done| done.rows_affected()),
            $crate::storage::Conn::Postgres(c) => sqlx::query($sql)$(.bind($bind))*
                .execute(&mut **c).await.map(|done| done.rows_affected()),
        }
    };
}

/// Reads all rows as `$row`.
macro_rules! fetch_all {
    ($conn:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $conn {
            $crate::storage::Conn::Sqlite(c) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*
                .fetch_all(&mut **c).await,
            $crate::storage::Conn::Postgres(c) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*
                .fetch_all(&mut **c).await,
        }
    };
}

/// Reads the first row as `$row`, if there is one.
macro_rules! fetch_optional {
    ($conn:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $conn {
            $crate::storage::Conn::Sqlite(c) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*
                .fetch_optional(&mut **c).await,
            $crate::storage::Conn::Postgres(c) => sqlx::query_as::<_, $row>($sql)$(.bind($bind))*
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
        erasure, events, history, idempotency, inbox, installation, joins, lead_lists,
        lead_records, leads, mappings, removal, reviews, seeds, sightings, tenants, tokens, users,
        words,
    ];
    let named = |(file, list): (&'static str, &'static [(&'static str, &'static str)])| {
        list.iter().map(move |(name, sql)| (file, *name, *sql)).collect::<Vec<_>>()
    };
    files.into_iter().flat_map(named).collect()
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
    Postgres(PgPool),
}

/// A connection in use, of either engine: what every function of this module takes.
pub enum Conn<'a> {
    /// SQLite.
    Sqlite(&'a mut SqliteConnection),
    /// PostgreSQL.
    Postgres(&'a mut PgConnection),
}

/// A write transaction; dropped without [`Tx::commit`] it is undone.
pub enum Tx {
    /// SQLite, begun immediate: it holds the write lock.
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
    /// PostgreSQL, read committed.
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

/// A connection held for reading.
pub enum Reader {
    /// SQLite.
    Sqlite(sqlx::pool::PoolConnection<sqlx::Sqlite>),
    /// PostgreSQL.
    Postgres(sqlx::pool::PoolConnection<sqlx::Postgres>),
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
            Self::Sqlite { write, .. } => MIGRATOR.run(write).await,
            Self::Postgres(pool) => MIGRATOR.run(pool).await,
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
        Ok(match self {
            Self::Sqlite { write, .. } => Tx::Sqlite(write.begin_with("begin immediate").await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        })
    }

    /// Takes a connection for reading.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when no connection is to be had.
    pub async fn reader(&self) -> Result<Reader> {
        Ok(match self {
            Self::Sqlite { read, .. } => Reader::Sqlite(read.acquire().await?),
            Self::Postgres(pool) => Reader::Postgres(pool.acquire().await?),
        })
    }

    /// `sqlite` or `postgres`.
    #[must_use]
    pub fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "sqlite",
            Self::Postgres(_) => "postgres",
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
            Self::Postgres(pool) => pool.close().await,
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
        let Self::Postgres(pool) = self else { return Ok(None) };
        let (time,) = sqlx::query_as("select clock_timestamp()").fetch_one(pool).await?;
        Ok(Some(time))
    }

    /// Names what makes this PostgreSQL lose acknowledged writes: `fsync = off`.
    ///
    /// # Errors
    /// When the server can't be asked.
    pub async fn durability_faults(&self) -> Result<Vec<String>> {
        let Self::Postgres(pool) = self else { return Ok(Vec::new()) };
        let (fsync,): (String,) =
            sqlx::query_as("select current_setting('fsync')").fetch_one(pool).await?;
        let fault = "the server runs with fsync = off: a power cut can lose acknowledged bookings";
        Ok(if fsync == "on" { Vec::new() } else { vec![fault.to_owned()] })
    }
}

impl Tx {
    /// The connection, for the functions of this module.
    pub fn conn(&mut self) -> Conn<'_> {
        match self {
            Self::Sqlite(t) => Conn::Sqlite(t),
            Self::Postgres(t) => Conn::Postgres(t),
        }
    }

    /// Makes it durable: when this returns, what was written survives a power cut.
    ///
    /// # Errors
    /// As the database says; nothing is stored then, unless the connection broke in the very
    /// moment of committing: a repeat finds out.
    pub async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(t) => t.commit().await?,
            Self::Postgres(t) => t.commit().await?,
        }
        Ok(())
    }
}

impl Reader {
    /// The connection, for the functions of this module.
    pub fn conn(&mut self) -> Conn<'_> {
        match self {
            Self::Sqlite(c) => Conn::Sqlite(c),
            Self::Postgres(c) => Conn::Postgres(c),
        }
    }
}
