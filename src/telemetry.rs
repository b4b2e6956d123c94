//! Log lines: to standard error, as text or JSON. Nothing personal goes in.

use crate::config::LogFormat;
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// Starts logging; a second call in one process changes nothing.
///
/// `filter` is a level or a filter (`info,bookhook::tracking=debug`); one that can't be read
/// becomes `info`. The database library's statements stay out below warnings.
pub fn start(filter: &str, format: LogFormat) {
    let filter = format!("{filter},sqlx=warn");
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A second start, in one process, finds a logger already and leaves it.
    let started = match format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging runs already");
    }
}
