//! `events`: what was delivered, and what became of it.

mod list;
mod replay;
mod show;

use super::desk::Desk;
use super::error::{Error, Result};
use super::print::Printer;
use crate::config::Settings;
use clap::Subcommand;
use uuid::Uuid;

/// What can be done with events.
#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// List events, the newest first
    List(list::List),
    /// Show an event: its raw body, what was understood, why it wasn't tracked
    Show {
        /// The event's id
        id: Uuid,
    },
    /// Read events again, with what a person supplies, and track them
    #[command(after_help = replay::EXAMPLES)]
    Replay(replay::Replay),
}

/// Runs the command. While the database is away, what waits in the spool can still be seen.
pub(super) async fn run(
    desk: Result<Desk>,
    settings: &Settings,
    printer: Printer,
    command: Command,
) -> Result<()> {
    let desk = match (desk, &command) {
        (Err(away @ Error::Away(_)), Command::List(which)) => {
            return list::queued(away, settings, printer, which).await;
        }
        (desk, _) => desk?,
    };
    match command {
        Command::List(which) => list::run(&desk, which).await,
        Command::Show { id } => show::run(&desk, id).await,
        Command::Replay(replay) => replay::run(&desk, replay).await,
    }
}
