//! `seed`: made-up customers to try a tenant out with.

use super::desk::Desk;
use super::error::Result;
use super::print::Record;
use crate::tracking::Tracker;
use crate::tracking::seeding::{Cleaned, Seeded};
use clap::{Args, Subcommand};
use std::sync::Arc;

/// What can be done with made-up customers.
#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Make 6 customers with 17 bookings over 60 days, and 3 leads
    Customers(Of),
    /// Remove exactly what was made, also where people changed it; what was really booked stays
    Clean(Of),
}

/// Whose they are.
#[derive(Args, Debug)]
pub(super) struct Of {
    /// The tenant, by id or slug
    #[arg(long, value_name = "TENANT")]
    tenant: String,
}

/// Who does it, for the audit log.
const ACTOR: &str = "command";

/// Runs the command.
pub(super) async fn run(desk: &Desk, command: Command) -> Result<()> {
    let tracker = Tracker::new(desk.db.clone(), desk.key.clone(), desk.clock.clone());
    let (Command::Customers(of) | Command::Clean(of)) = &command;
    let tenant = Arc::new(desk.tenant(&of.tenant).await?.settings()?);
    let record = Record::default().with("tenantId", tenant.id);
    let record = match command {
        Command::Customers(_) => seeded(record, &tracker.seed(&tenant, ACTOR).await?),
        Command::Clean(_) => cleaned(record, &tracker.clean(&tenant, ACTOR).await?),
    };
    Ok(desk.printer.record(&record)?)
}

fn seeded(record: Record, seeded: &Seeded) -> Record {
    let record = record
        .with("clients", seeded.clients)
        .with("bookings", seeded.bookings)
        .with("leads", seeded.leads)
        .with("alreadyThere", seeded.was_there);
    let record = if seeded.was_there {
        record.shown("true: nothing was done; `bookhook seed clean` removes them".to_owned())
    } else {
        record
    };
    let record = record.with("phonesTaken", &seeded.taken);
    match seeded.taken.as_slice() {
        [] => record.shown("none".to_owned()),
        taken => record
            .shown(format!("{}: real people have these, and were left alone", taken.join(", "))),
    }
}

fn cleaned(record: Record, cleaned: &Cleaned) -> Record {
    let kept = |ids: &[uuid::Uuid], why: &str| match ids.len() {
        0 => "none".to_owned(),
        count => format!("{count}: {why}"),
    };
    record
        .with("clients", cleaned.clients)
        .with("bookings", cleaned.bookings)
        .with("leads", cleaned.leads)
        .with("keptClients", &cleaned.kept_clients)
        .shown(kept(&cleaned.kept_clients, "they really booked, and keep that"))
        .with("keptLeads", &cleaned.kept_leads)
        .shown(kept(&cleaned.kept_leads, "they really wrote"))
}
