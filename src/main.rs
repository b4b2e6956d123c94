//! Parses the command line, runs the command, says what went wrong.

use bookhook::cli::{self, Cli};
use clap::Parser as _;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match Box::pin(run(Cli::parse())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => said(&error),
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let tls = rustls::crypto::ring::default_provider().install_default();
    tls.map_err(|_| anyhow::anyhow!("TLS is set up already"))?;
    Ok(Box::pin(cli::run(cli)).await?)
}

/// Says on standard error what went wrong, as one sentence with its causes.
fn said(error: &anyhow::Error) -> ExitCode {
    let known = error.downcast_ref::<cli::Error>();
    if known.is_some_and(cli::Error::is_broken_pipe) {
        return ExitCode::SUCCESS;
    }
    if !known.is_some_and(cli::Error::is_told) {
        eprintln!("bookhook: {error:#}");
    }
    ExitCode::from(known.map_or(1, cli::Error::exit_code))
}
