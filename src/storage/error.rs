//! What can go wrong with a database, sorted by what to do about it.

use sqlx::error::ErrorKind;

/// A failure of the database, sorted by what helps.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database can't be reached or can't write now: the same call may go through later.
    #[error("the database is not available{}", advice(.0))]
    Unavailable(#[source] sqlx::Error),
    /// Another transaction was in the way: run the whole transaction again.
    #[error("another transaction was in the way")]
    Conflict(#[source] sqlx::Error),
    /// It will fail again: a constraint, a statement, a value that can't be read.
    #[error("the database refused")]
    Refused(#[source] sqlx::Error),
    /// A row that this service did not write, or wrote otherwise.
    #[error("{table}.{column} holds something unreadable")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// The database is newer than this program.
    #[error("the database was migrated by a newer bookhook (version {0}); run that one instead")]
    TooNew(i64),
    /// The migrations could not be run.
    #[error("the database could not be migrated")]
    Migration(#[source] Box<sqlx::migrate::MigrateError>),
    /// The address names no database that we know.
    #[error("{0}")]
    Address(String),
    /// Sealing or opening a secret failed.
    #[error(transparent)]
    Seal(#[from] super::seal::SealError),
}

/// A result of the database.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// True when the same call may go through later.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// The failure for the log: with what the database said where it is away. What it says of a
    /// statement may hold what the statement was given, and stays out.
    #[must_use]
    pub fn told(&self) -> String {
        if self.is_unavailable() { chain(self) } else { self.to_string() }
    }

    /// The database took too long to answer.
    pub(crate) fn late() -> Self {
        Self::Unavailable(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))
    }

    /// The same kind of failure for another event of the transaction.
    #[must_use]
    pub(crate) fn same_again(&self) -> Self {
        Self::Unavailable(sqlx::Error::Io(std::io::Error::other(self.told())))
    }

    /// True when the whole transaction is to be run again.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }

    /// True for a conflict that says nothing of the rows themselves: only others, or the time that
    /// they took, were in the way.
    #[must_use]
    pub fn is_contention(&self) -> bool {
        self.conflicts(in_the_way)
    }

    /// True when the transaction waited in vain: the next would wait as long.
    #[must_use]
    pub fn is_out_of_time(&self) -> bool {
        self.conflicts(is_late)
    }

    fn conflicts(&self, of: fn(&str) -> bool) -> bool {
        let Self::Conflict(sqlx::Error::Database(said)) = self else { return false };
        said.code().is_some_and(|code| of(&code))
    }

    /// True when what was to be written is unique and another row has it.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        let Self::Conflict(sqlx::Error::Database(said)) = self else { return false };
        said.kind() == ErrorKind::UniqueViolation
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &error {
            E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => {
                Self::Unavailable(error)
            }
            E::Database(db) => {
                let code = db.code().unwrap_or_default().into_owned();
                match db.kind() {
                    _ if is_away(&code) => Self::Unavailable(error),
                    ErrorKind::UniqueViolation | ErrorKind::ForeignKeyViolation => {
                        Self::Conflict(error)
                    }
                    _ if in_the_way(&code) => Self::Conflict(error),
                    _ => Self::Refused(error),
                }
            }
            _ => Self::Refused(error),
        }
    }
}

/// Codes of PostgreSQL for a transaction that others were in the way of, or that took too long: it
/// may go through the next time. Serialization, deadlock; a lock, a statement or a transaction that
/// was waited for too long.
fn in_the_way(code: &str) -> bool {
    matches!(code, "40001" | "40P01") || is_late(code)
}

/// Those of them where the time was up.
fn is_late(code: &str) -> bool {
    matches!(code, "55P03" | "57014" | "25P03" | "25P04")
}

/// An error with everything that stands behind it.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// What whoever runs the service can do about it; nothing where the cause says enough.
fn advice(error: &sqlx::Error) -> &'static str {
    let sqlx::Error::Database(said) = error else { return "" };
    let code = said.code().unwrap_or_default();
    match &*code {
        "53100" => return ": its disk is full; make room on the server",
        "53200" => return ": the server has no memory left",
        "53300" => return ": too many connections; raise max_connections of the server",
        "25006" => return ": it only reads; is DATABASE_URL a standby's?",
        _ => {}
    }
    match code.parse::<u32>().map(|code| code & 0xff) {
        Ok(5 | 6) => ": another process has the file; let only this service write to it",
        Ok(8) => ": its file or directory is read-only; let the service's user write to both",
        Ok(10) => ": its disk fails, or the file may not grow; look at the system's log and limits",
        Ok(13) => ": its disk is full; make room",
        Ok(14) => ": its file can't be opened; check that it and its directory may be written",
        _ => "",
    }
}

/// Codes of a server that is away, starting, stopping, read-only or full. PostgreSQL: classes 08,
/// 53, 57P, 58 and 25006. SQLite (result codes, extended ones by their last byte): busy, locked,
/// read-only, I/O error, full, can't open.
fn is_away(code: &str) -> bool {
    if code.len() == 5 {
        return code.starts_with("08")
            || code.starts_with("53")
            || code.starts_with("57P")
            || code.starts_with("58")
            || code == "25006";
    }
    let primary = code.parse::<u32>().map(|c| c & 0xff);
    matches!(primary, Ok(5 | 6 | 8 | 10 | 13 | 14))
}
