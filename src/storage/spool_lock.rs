//! One process has a spool at a time.

use crate::storage::Error;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Why a spool can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Another instance has it.
    #[error(
        "the spool {0} is in use by another bookhook; give each instance its own in BOOKHOOK_SPOOL"
    )]
    Taken(PathBuf),
    /// A newer program made it.
    #[error("the spool {0} was written by a newer bookhook; run that one instead")]
    TooNew(PathBuf),
    /// It can't be opened or made.
    #[error("the spool {path} can't be used: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It is no spool, or broken.
    #[error("the spool {path} can't be used: {error}")]
    Storage {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        error: Error,
    },
}

/// A file that only its owner can read.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    options
}

/// Locks the spool for this process. A file of its own: SQLite loses its locks on a file that
/// somebody else in the process opens and closes.
pub(super) fn lock(path: &Path) -> std::result::Result<File, SpoolError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let failed = |error| SpoolError::File { path: path.to_owned(), error };
    let file = private().open(PathBuf::from(name)).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SpoolError::Taken(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}
