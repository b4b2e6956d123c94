//! `connection`: where deliveries come from, with their secrets.

mod add;
mod map;
mod rotate;

use super::desk::{Desk, find_connection};
use super::error::Result;
use super::print::Record;
use crate::sources;
use crate::storage::connections::{self, AccountRow, ConnectionRow};
use clap::Subcommand;
use std::collections::BTreeMap;
use uuid::Uuid;

/// What can be done with connections.
#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Make a connection; its secret is shown now and never again
    #[command(after_help = add::EXAMPLES)]
    Add(add::Add),
    /// List all connections, without their secrets
    List,
    /// Give a connection a new secret; the old one stays good for a while
    Rotate(rotate::Rotate),
    /// Show, set or clear where a connection's callers put what
    #[command(after_help = map::EXAMPLES)]
    Map(map::Map),
    /// Refuse everything that comes by a connection from now on
    Disable {
        /// The connection's id: cn_…
        id: String,
    },
}

/// Runs the command.
pub(super) async fn run(desk: &Desk, command: Command) -> Result<()> {
    match command {
        Command::Add(new) => add::run(desk, new).await,
        Command::List => list(desk).await,
        Command::Rotate(rotate) => rotate::run(desk, rotate).await,
        Command::Map(map) => map::run(desk, map).await,
        Command::Disable { id } => disable(desk, &id).await,
    }
}

async fn list(desk: &Desk) -> Result<()> {
    let slugs = desk.slugs().await?;
    let mut reader = desk.db.reader().await?;
    let rows = connections::list(&mut reader.conn()).await?;
    let accounts = connections::list_accounts(&mut reader.conn()).await?;
    let record = |row: &ConnectionRow| {
        let own = accounts.iter().filter(|a| a.connection_id == row.id).cloned();
        let own: Vec<AccountRow> = own.collect();
        listed(desk, row, &own, &slugs)
    };
    let records: Vec<_> = rows.iter().map(record).collect();
    Ok(desk.printer.list(&records, &["id", "source", "tenant", "status", "accounts"])?)
}

fn listed(
    desk: &Desk,
    row: &ConnectionRow,
    accounts: &[AccountRow],
    slugs: &BTreeMap<Uuid, String>,
) -> Record {
    let url = sources::find(&row.source).map(|s| desk.webhook_url(s.path(), &row.public_id));
    Record::default()
        .with("id", &row.public_id)
        .with("source", &row.source)
        .with("tenantId", row.tenant_id)
        .with("tenant", row.tenant_id.and_then(|id| slugs.get(&id)))
        .with("status", &row.status)
        .with("webhookUrl", url)
        .with("accounts", accounts.iter().map(account).collect::<Vec<_>>())
        .shown(account_ids(accounts))
        .with("hasFieldMap", row.field_map.is_some())
        .with("createdAt", row.created_at)
}

fn account(row: &AccountRow) -> Record {
    Record::default().with("id", &row.account_id).with("tenantId", row.tenant_id)
}

fn account_ids(accounts: &[AccountRow]) -> String {
    accounts.iter().map(|a| a.account_id.as_str()).collect::<Vec<_>>().join(", ")
}

async fn disable(desk: &Desk, public_id: &str) -> Result<()> {
    let mut tx = desk.db.begin().await?;
    let row = find_connection(&mut tx.conn(), public_id).await?;
    connections::disable(&mut tx.conn(), row.id, desk.now()).await?;
    tx.commit().await?;
    let record = Record::default().with("id", public_id).with("status", "disabled");
    Ok(desk.printer.record(&record)?)
}
