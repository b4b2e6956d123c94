//! Pools of connections.

use super::{Db, Error, Result};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sqlx::AssertSqlSafe;
use sqlx::Connection as _;
use sqlx::SqlitePool;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use std::str::FromStr as _;
use std::time::Duration;

/// How long a connection to a server may be unused and still be taken for good.
const LONGEST_IDLE: Duration = Duration::from_mins(10);

/// How many transactions of many events there are at most, with those of a person's writes.
const BATCHES: u32 = 8;

/// How the statements of such a transaction are planned: once for any number of rows, and from
/// the rows that came with it by an index to each. That is the right way in every case, and the
/// only one; while tables are empty or not yet analysed, others look cheaper, and are kept.
const BY_INDEX: [(&str, &str); 4] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
];

/// How long SQLite waits for another process that writes.
const BUSY: Duration = Duration::from_secs(5);

/// How often cutting off SQLite's log is tried.
const CUTS: usize = 5;
/// How long a server may take to say that it is there.
const LONGEST_PING: Duration = Duration::from_secs(1);
/// How much of a SQLite file each connection keeps in memory, in KiB with a minus sign. The 2 MB that
/// it has by itself don't hold what one page of a sorted list passes over. More is no faster: the
/// system has the file in memory too.
const KEPT: &str = "-8000";

/// A pool without the task that sweeps out idle connections.
///
/// The pool counts them wrong for a moment (sqlx 0.9.0: a connection is there for others before it
/// is counted), and a sweep in that moment goes on for ever: a core is lost, and a command does not
/// end. The first sweep is at the very start. Source: sqlx, issue 3645 and pull request 4289.
fn unswept<D: sqlx::Database>(options: sqlx::pool::PoolOptions<D>) -> sqlx::pool::PoolOptions<D> {
    options.idle_timeout(None).max_lifetime(None)
}

/// The pools of a SQLite file, which is made when it isn't there.
pub(super) async fn sqlite(url: &str) -> Result<Db> {
    let options = SqliteConnectOptions::from_str(url).map_err(|_| {
        Error::Address("DATABASE_URL is no SQLite address: sqlite://file.db".into())
    })?;
    sqlite_file(options).await
}

/// The pools of a SQLite file by its options: whatever they say, it is made when it isn't there,
/// and what is committed is on the disk.
pub(super) async fn sqlite_file(options: SqliteConnectOptions) -> Result<Db> {
    let options = options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("secure_delete", "on")
        .busy_timeout(BUSY)
        .pragma("cache_size", KEPT);
    let pool = |connections| {
        unswept(SqlitePoolOptions::new())
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(10))
            .before_acquire(|connection, _| {
                // SQLite ends a transaction by itself where the disk is full, and the library goes
                // on counting it (sqlx 0.9.0): no other could ever begin on that connection.
                Box::pin(async move { Ok(!connection.is_in_transaction()) })
            })
    };
    let write = pool(1).connect_with(options.clone()).await?;
    let read = pool(4).connect_with(options).await?;
    Ok(Db::Sqlite { read, write })
}

impl Db {
    /// Writes SQLite's log into its file and cuts it off, so that pages as they were before stand
    /// nowhere any more. Whoever reads is not waited for long: false where one was in the way.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cut_log(&self) -> Result<bool> {
        for _ in 0..CUTS {
            if self.try_cut_log().await? {
                return Ok(true);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(false)
    }

    async fn try_cut_log(&self) -> Result<bool> {
        let Self::Sqlite { write, .. } = self else { return Ok(true) };
        let mut connection = write.acquire().await?;
        // Nobody else may write while the last reader is waited for.
        sqlx::query("pragma busy_timeout = 20").execute(&mut *connection).await?;
        let cut = sqlx::query_as("pragma wal_checkpoint(truncate)");
        let cut: sqlx::Result<(i64, i64, i64)> = cut.fetch_one(&mut *connection).await;
        let usual = format!("pragma busy_timeout = {}", BUSY.as_millis());
        sqlx::query(AssertSqlSafe(usual)).execute(&mut *connection).await?;
        Ok(matches!(cut, Ok((0, ..))))
    }
}

/// Migrates within one transaction that has the write lock from the beginning: the library locks
/// servers only, and of two that start at once one would find tables that the other is making.
pub(super) fn migrate_sqlite(
    write: SqlitePool,
    migrator: &'static Migrator,
) -> BoxFuture<'static, std::result::Result<(), MigrateError>> {
    let migrating = async move {
        let mut tx = write.begin_with("begin immediate").await?;
        migrator.run_direct(None, &mut *tx, false).await?;
        Ok(tx.commit().await?)
    };
    migrating.boxed()
}

/// The pool of a server, which isn't asked yet.
pub(super) fn postgres(url: &str) -> Result<Db> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| Error::Address("DATABASE_URL is no PostgreSQL address".into()))?
        .application_name("bookhook")
        .options([("synchronous_commit", "on"), ("TimeZone", "UTC")]);
    let pool = |connections, options| {
        unswept(PgPoolOptions::new())
            .max_connections(connections)
            .test_before_acquire(false)
            .before_acquire(|connection, known| {
                Box::pin(async move {
                    // Whatever stands between may have forgotten it, and would not even say so.
                    if known.idle_for > LONGEST_IDLE {
                        return Ok(false);
                    }
                    // One that never answers is given up, so that another is tried in its place.
                    let pinged = tokio::time::timeout(LONGEST_PING, connection.ping()).await;
                    pinged.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|()| true)
                })
            })
            .acquire_timeout(Duration::from_secs(5))
            .connect_lazy_with(options)
    };
    let batch = pool(BATCHES, options.clone().options(BY_INDEX));
    Ok(Db::Postgres { pool: pool(16, options), batch })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_unswept<D: sqlx::Database>(pool: &sqlx::Pool<D>) -> bool {
        let options = pool.options();
        options.get_idle_timeout().is_none() && options.get_max_lifetime().is_none()
    }

    #[tokio::test]
    async fn no_pool_is_swept() {
        let home = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", home.path().join("test.db").display());
        for url in [url.as_str(), "postgres://nobody@127.0.0.1:1/none"] {
            let unswept = match Db::open(url).await.unwrap() {
                Db::Sqlite { read, write } => is_unswept(&read) && is_unswept(&write),
                Db::Postgres { pool, batch } => is_unswept(&pool) && is_unswept(&batch),
            };
            assert!(unswept, "{url}");
        }
    }
}
