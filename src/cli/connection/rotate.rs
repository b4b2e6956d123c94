//! `connection rotate`.

use super::find_active;
use super::secret::{Holder, read_or_make, refuse_undivided};
use crate::cli::args::{SecretGiven, duration};
use crate::cli::desk::Desk;
use crate::cli::error::{Error, Result};
use crate::cli::print::Record;
use crate::sources;
use crate::storage::connections::{self, Purpose};
use chrono::TimeDelta;
use clap::Args;

/// A new secret for a connection.
#[derive(Args, Debug)]
pub(in crate::cli) struct Rotate {
    /// The connection's id: cn_…
    id: String,
    #[command(flatten)]
    secret: SecretGiven,
    /// How long the old secret stays good: 30s, 15m, 24h, 7d
    #[arg(long, default_value = "24h", value_name = "DURATION", value_parser = duration)]
    overlap: TimeDelta,
}

/// Lets the old secrets run out, adds the new one, and shows it.
pub(super) async fn run(desk: &Desk, rotate: Rotate) -> Result<()> {
    let row = find_active(&mut desk.db.reader().await?.conn(), &rotate.id).await?;
    let source = sources::find(&row.source);
    let source = source.ok_or_else(|| Error::refused("this program does not know its source"))?;
    // Before the transaction: whoever types the secret must not hold up the service.
    let secret = read_or_make(source, &rotate.secret, desk)?;
    let now = desk.now();
    let until = now + rotate.overlap;
    let mut tx = desk.db.begin().await?;
    let conn = &mut tx.conn();
    find_active(conn, &rotate.id).await?;
    let accounts = connections::list_accounts(conn).await?;
    let has_accounts = accounts.iter().any(|a| a.connection_id == row.id);
    let holder = Holder { id: row.id, tenant: row.tenant_id, has_accounts };
    refuse_undivided(conn, desk, source, &secret, &holder).await?;
    connections::expire_secrets(conn, row.id, Purpose::Signing, until).await?;
    connections::insert_secret(conn, &desk.key, row.id, Purpose::Signing, &secret, now).await?;
    tx.commit().await?;
    let record = Record::default()
        .with("id", &row.public_id)
        .with("source", &row.source)
        .with("secret", secret)
        .with("oldSecretUntil", until);
    Ok(desk.printer.record(&record)?)
}
