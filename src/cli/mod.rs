//! The command line: one file a command.

mod args;
mod connection;
mod demo;
mod desk;
mod doctor;
mod error;
mod events;
mod openapi;
mod post;
mod print;
mod seed;
mod send;
mod serve;
mod tenant;
mod token;
mod understand;
mod user;

pub use error::{Error, Result};

use crate::clock::Clock;
use crate::config::{Given, Settings};
use crate::telemetry;
use clap::{Parser, Subcommand};
use desk::Desk;
use print::Printer;

/// Shown below the help: what no flag says, since other users of a machine can see flags.
const VARIABLES: &str = "\
Only in the environment or in bookhook.toml:
  BOOKHOOK_MASTER_KEY  32 random bytes in base64 that secrets are kept under; needed with PostgreSQL
                       (on SQLite one is made beside the database). Make one: openssl rand -base64 32
  BOOKHOOK_SPOOL       Where deliveries wait while PostgreSQL is away (default: bookhook-spool.db)";

/// One customer record from every booking webhook.
#[derive(Parser, Debug)]
#[command(name = "bookhook", version, after_help = VARIABLES)]
pub struct Cli {
    /// Print the result as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten, next_help_heading = "Settings")]
    given: Given,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the service until it is stopped (SIGTERM or Ctrl-C)
    Serve,
    /// Deliver every kind of payload to a service on throw-away data, and show what becomes of it
    Demo(demo::Args),
    /// Tenants: the businesses whose bookings are kept
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Connections: where deliveries come from, with their secrets
    #[command(subcommand)]
    Connection(connection::Command),
    /// API tokens
    #[command(subcommand)]
    Token(token::Command),
    /// People who may sign in
    #[command(subcommand)]
    User(user::Command),
    /// Show what would be understood of a payload; nothing is written
    Understand(understand::Args),
    /// Sign a payload as its provider would, and post it
    Send(send::Args),
    /// What was delivered, and what became of it
    #[command(subcommand)]
    Events(events::Command),
    /// Made-up customers to try a tenant out with
    #[command(subcommand)]
    Seed(seed::Command),
    /// Check the installation; each fault says what to do
    Doctor,
    /// Print the API's description (OpenAPI 3.1, JSON)
    Openapi,
}

/// Runs the command.
///
/// # Errors
/// [`Error`], which says what would do.
pub async fn run(cli: Cli) -> Result<()> {
    let Cli { mut given, json, command } = cli;
    if !matches!(command, Command::Serve) {
        // A command's result is what it prints; the service's log is for the service.
        given.log.get_or_insert_with(|| "warn".to_owned());
    }
    let settings = Settings::load(given, environment())?;
    telemetry::start(&settings.log, settings.log_format);
    let (clock, printer) = (Clock::system(), Printer { json });
    let open = |settings| Desk::open(settings, clock.clone(), printer);
    match command {
        // What these await is large, and the others are not to carry it.
        Command::Serve => Box::pin(serve::run(&settings, clock, printer)).await,
        Command::Demo(args) => Box::pin(demo::run(settings, clock, printer, args)).await,
        Command::Tenant(command) => tenant::run(&open(settings).await?, command).await,
        Command::Connection(command) => connection::run(&open(settings).await?, command).await,
        Command::Token(command) => token::run(&open(settings).await?, command).await,
        Command::User(command) => user::run(&open(settings).await?, command).await,
        Command::Understand(args) => understand::run(&open(settings).await?, args).await,
        Command::Send(args) => send::run(settings, clock, printer, args).await,
        Command::Events(command) => {
            let desk = open(settings.clone()).await;
            Box::pin(events::run(desk, &settings, printer, command)).await
        }
        Command::Seed(command) => Box::pin(seed::run(&open(settings).await?, command)).await,
        Command::Openapi => openapi::run(),
        Command::Doctor => doctor::run(settings, clock, printer).await,
    }
}

/// The environment's variables that are text.
fn environment() -> impl Iterator<Item = (String, String)> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text)
}
