//! Why a command could not do what it was asked: one sentence that says what would do.

use crate::app::StartError;
use crate::auth::MakeError;
use crate::auth::connecting::ConnectError;
use crate::config::ConfigError;
use crate::storage::{self, seal::SealError};
use crate::tracking::TrackError;
use crate::tracking::again::AgainError;
use std::io;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line asks for two things that don't go together.
    #[error("{0}")]
    Usage(String),
    /// The output says already what failed.
    #[error("it failed, as its output says")]
    Told,
    /// It can't be done as things are.
    #[error("{0}")]
    Refused(String),
    /// The settings can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The service or its database can't be started.
    #[error(transparent)]
    Start(StartError),
    /// The database can't be reached.
    #[error("the database can't be reached; check DATABASE_URL, and that the server runs")]
    Away(#[source] storage::Error),
    /// The database failed otherwise.
    #[error(transparent)]
    Storage(storage::Error),
    /// A token or user can't be made.
    #[error(transparent)]
    Make(#[from] MakeError),
    /// A secret can't be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A file can't be read.
    #[error("{path} can't be read")]
    File {
        /// The file.
        path: String,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// The result can't be printed.
    #[error("standard output can't be written to")]
    Output(#[from] io::Error),
    /// An address can't be posted to.
    #[error("{url} can't be reached; check the address, and that the service runs there")]
    Unreachable {
        /// The address.
        url: String,
        /// What went wrong.
        #[source]
        error: reqwest::Error,
    },
    /// The operating system has no randomness to give.
    #[error("the operating system has no randomness to give; try again")]
    NoRandomness,
}

/// A result of a command.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A sentence for what can't be done as things are.
    pub(super) fn refused(sentence: impl Into<String>) -> Self {
        Self::Refused(sentence.into())
    }

    /// What the process ends with: 2 for a wrong command line, else 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if matches!(self, Self::Usage(_)) { 2 } else { 1 }
    }

    /// True when nothing is left to be said.
    #[must_use]
    pub fn is_told(&self) -> bool {
        matches!(self, Self::Told)
    }

    /// True when whoever read the output went away: nobody is left to be told.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        if error.is_unavailable() { Self::Away(error) } else { Self::Storage(error) }
    }
}

impl From<ConnectError> for Error {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Storage(error) => error.into(),
            ConnectError::NoRandomness => Self::NoRandomness,
            ConnectError::Refused(code, sentence) => {
                let flag = match code {
                    "secret_missing" => " with --secret-stdin",
                    "secret_shared" => " with --account",
                    _ => "",
                };
                Self::Refused(format!("{sentence}{flag}"))
            }
        }
    }
}

impl From<StartError> for Error {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Storage(error) => error.into(),
            other => Self::Start(other),
        }
    }
}

impl From<AgainError> for Error {
    fn from(error: AgainError) -> Self {
        match error {
            error @ (AgainError::Unreadable(_) | AgainError::Supplied(_)) => {
                Self::Refused(error.to_string())
            }
            AgainError::Track(error) => error.into(),
        }
    }
}

impl From<TrackError> for Error {
    fn from(error: TrackError) -> Self {
        match error {
            TrackError::Unavailable(error) => error.into(),
            busy @ TrackError::Busy => Self::refused(busy.to_string()),
            TrackError::Denied(denied) => Self::refused(denied.to_string()),
            TrackError::KeyReused { event_id } => {
                Self::refused(format!("its key belongs to another event, {event_id}"))
            }
        }
    }
}
