//! Pools of connections.

use super::{Db, Error, Result};
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use std::str::FromStr as _;
use std::time::Duration;

/// How long a connection to a server may be unused and still be taken for good.
const LONGEST_IDLE: Duration = Duration::from_mins(10);

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
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|_| Error::Address("DATABASE_URL is no SQLite address: sqlite://file.db".into()))?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .pragma("cache_size", KEPT);
    let pool = |connections| {
        unswept(SqlitePoolOptions::new())
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(10))
    };
    let write = pool(1).connect_with(options.clone()).await?;
    let read = pool(4).connect_with(options).await?;
    Ok(Db::Sqlite { read, write })
}

/// The pool of a server, which isn't asked yet.
pub(super) fn postgres(url: &str) -> Result<Db> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| Error::Address("DATABASE_URL is no PostgreSQL address".into()))?
        .application_name("bookhook")
        .options([("synchronous_commit", "on"), ("TimeZone", "UTC")]);
    let pool = unswept(PgPoolOptions::new())
        .max_connections(16)
        .test_before_acquire(false)
        .before_acquire(|connection, known| {
            Box::pin(async move {
                // Whatever stands between may have forgotten it, and would not even say so.
                if known.idle_for > LONGEST_IDLE {
                    return Ok(false);
                }
                connection.ping().await.map(|()| true)
            })
        })
        .acquire_timeout(Duration::from_secs(5))
        .connect_lazy_with(options);
    Ok(Db::Postgres(pool))
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
                Db::Postgres(pool) => is_unswept(&pool),
            };
            assert!(unswept, "{url}");
        }
    }
}
