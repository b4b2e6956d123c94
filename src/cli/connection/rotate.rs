//! `connection rotate`.

use crate::auth::connecting;
use crate::cli::args::{SecretGiven, duration};
use crate::cli::desk::{Desk, find_connection};
use crate::cli::error::{Error, Result};
use crate::cli::print::Record;
use crate::sources;
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
    let row = find_connection(&mut desk.db.reader().await?.conn(), &rotate.id).await?;
    connecting::refuse_disabled(&row)?;
    let source = sources::find(&row.source);
    let source = source.ok_or_else(|| Error::refused("this program does not know its source"))?;
    // Before the transaction: whoever types the secret must not hold up the service.
    let secret = connecting::secret_of(source, rotate.secret.read()?, desk.now())?;
    let now = desk.now();
    let until = now + rotate.overlap;
    let mut tx = desk.db.begin().await?;
    let conn = &mut tx.conn();
    let row = find_connection(conn, &rotate.id).await?;
    connecting::rotate(conn, &desk.key, &row, source, &secret, (now, until)).await?;
    tx.commit().await?;
    let record = Record::default()
        .with("id", &row.public_id)
        .with("source", &row.source)
        .with("secret", secret)
        .with("oldSecretUntil", until);
    Ok(desk.printer.record(&record)?)
}
