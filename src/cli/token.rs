//! `token`: API tokens.

use super::args::{Owner, one_of};
use super::desk::Desk;
use super::error::{Error, Result};
use super::print::Record;
use crate::auth;
use crate::domain::channel::Role;
use crate::storage::tokens::{self, TokenRow};
use clap::{Args, Subcommand};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What can be done with tokens.
#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Make a token: the only time it is shown
    Add(Add),
    /// List all tokens, without what they are
    List,
    /// Revoke a token at once
    Revoke {
        /// The token's id, as `token list` shows it
        id: Uuid,
    },
}

/// A new token.
#[derive(Args, Debug)]
pub(super) struct Add {
    /// What it may do
    #[arg(long, value_parser = one_of::<Role>(Role::ALL.iter().map(|w| w.as_str())))]
    role: Role,
    #[command(flatten)]
    owner: Owner,
    /// What people call it
    #[arg(long, default_value = "")]
    name: String,
}

/// Runs the command.
pub(super) async fn run(desk: &Desk, command: Command) -> Result<()> {
    match command {
        Command::Add(new) => add(desk, new).await,
        Command::List => list(desk).await,
        Command::Revoke { id } => revoke(desk, id).await,
    }
}

async fn add(desk: &Desk, new: Add) -> Result<()> {
    let tenant = desk.tenant_if(new.owner.tenant.as_deref()).await?.map(|row| row.id);
    let mut tx = desk.db.begin().await?;
    let made =
        auth::make_token(&mut tx.conn(), tenant, new.role, &new.name, (desk.now(), None)).await;
    let (id, token) = made?;
    tx.commit().await?;
    let record = Record::default()
        .with("id", id)
        .with("token", token)
        .with("role", new.role)
        .with("tenantId", tenant)
        .with("name", new.name);
    Ok(desk.printer.record(&record)?)
}

async fn list(desk: &Desk) -> Result<()> {
    let slugs = desk.slugs().await?;
    let rows = tokens::list(&mut desk.db.reader().await?.conn()).await?;
    let records: Vec<_> = rows.iter().map(|row| record(row, &slugs)).collect();
    let shown = ["id", "name", "role", "tenant", "lastUsedAt", "revokedAt"];
    Ok(desk.printer.list(&records, &shown)?)
}

async fn revoke(desk: &Desk, id: Uuid) -> Result<()> {
    let (mut tx, now) = (desk.db.begin().await?, desk.now());
    if !tokens::revoke(&mut tx.conn(), id, now).await? {
        let none = format!("there is no good token {id}; see `bookhook token list`");
        return Err(Error::Refused(none));
    }
    tx.commit().await?;
    Ok(desk.printer.record(&Record::default().with("id", id).with("revokedAt", now))?)
}

fn record(row: &TokenRow, slugs: &BTreeMap<Uuid, String>) -> Record {
    Record::default()
        .with("id", row.id)
        .with("name", &row.name)
        .with("role", &row.role)
        .with("tenantId", row.tenant_id)
        .with("tenant", row.tenant_id.and_then(|id| slugs.get(&id)))
        .with("createdAt", row.created_at)
        .with("expiresAt", row.expires_at)
        .with("lastUsedAt", row.last_used_at)
        .with("revokedAt", row.revoked_at)
}
