//! `user`: people who may sign in.

use super::args::{one_of, stdin_line};
use super::desk::Desk;
use super::error::Result;
use super::print::Record;
use crate::auth;
use crate::domain::channel::Role;
use crate::storage::users;
use clap::{Args, Subcommand};

/// What can be done with users.
#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Let a person sign in
    Add(Add),
    /// List all users
    List,
}

/// A new user.
#[derive(Args, Debug)]
pub(super) struct Add {
    /// Their e-mail address
    #[arg(long)]
    email: String,
    /// What they may do
    #[arg(long, value_parser = one_of::<Role>(Role::ALL.iter().map(|w| w.as_str())))]
    role: Role,
    /// The tenant they belong to, by id or slug; a `platform_admin` belongs to none
    #[arg(long)]
    tenant: Option<String>,
    /// Read their password from standard input: at least 12 characters
    #[arg(long, required = true)]
    password_stdin: bool,
}

/// Runs the command.
pub(super) async fn run(desk: &Desk, command: Command) -> Result<()> {
    match command {
        Command::Add(new) => add(desk, new).await,
        Command::List => list(desk).await,
    }
}

async fn add(desk: &Desk, new: Add) -> Result<()> {
    let tenant = desk.tenant_if(new.tenant.as_deref()).await?.map(|row| row.id);
    let password = stdin_line("the password")?;
    let (mut tx, now) = (desk.db.begin().await?, desk.now());
    let made = auth::make_user(&mut tx.conn(), &new.email, &password, new.role, tenant, now).await;
    let id = made?;
    tx.commit().await?;
    let record = Record::default()
        .with("id", id)
        .with("email", new.email.trim().to_lowercase())
        .with("role", new.role)
        .with("tenantId", tenant);
    Ok(desk.printer.record(&record)?)
}

async fn list(desk: &Desk) -> Result<()> {
    let slugs = desk.slugs().await?;
    let rows = users::list(&mut desk.db.reader().await?.conn()).await?;
    let record = |row: &users::UserRow| {
        Record::default()
            .with("id", row.id)
            .with("email", &row.email)
            .with("role", &row.role)
            .with("tenantId", row.tenant_id)
            .with("tenant", row.tenant_id.and_then(|id| slugs.get(&id)))
            .with("status", &row.status)
            .with("createdAt", row.created_at)
    };
    let records: Vec<_> = rows.iter().map(record).collect();
    Ok(desk.printer.list(&records, &["email", "role", "tenant", "status", "id"])?)
}
