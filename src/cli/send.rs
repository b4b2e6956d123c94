//! `send`: signs a payload as its provider would, and posts it.

use super::args::{self, SecretGiven, read_file};
use super::desk::{Desk, find_connection};
use super::error::{Error, Result};
use super::post::{Answered, Credential, client, post};
use super::print::{self, Printer, Record};
use crate::clock::Clock;
use crate::config::Settings;
use crate::sources::Source;
use crate::storage::connections::{self, Purpose};
use reqwest::Url;

/// Shown below the help.
const EXAMPLES: &str = "\
Examples:
  To the service on this machine, by a connection in this database
    bookhook send retell call.json --connection cn_5f1c2b…
  To another service, signed with a given secret
    bookhook send n8n booking.json --to https://bookings.example.com --secret-stdin < secret.txt
  With a service token in place of a signature (chat and n8n)
    bookhook send chat booking.json --token bk_live_…
  A payload from a pipe
    jq .payload export.json | bookhook send whatsapp - --connection cn_5f1c2b…";

/// What to send, where to, and as whom.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The source whose payload it is
    #[arg(value_parser = args::source())]
    source: &'static dyn Source,
    /// Files with one payload each; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// The service's address
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL")]
    to: Url,
    #[command(flatten)]
    secret: SecretGiven,
    /// A service token, in place of a signature
    #[arg(long, conflicts_with = "SecretGiven")]
    token: Option<String>,
    /// Post to this connection's own address; without a secret or token, sign with the secret
    /// that it has in this database
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
}

/// Posts each file, and prints the answers; fails when one is refused.
pub(super) async fn run(
    settings: Settings,
    clock: Clock,
    printer: Printer,
    args: Args,
) -> Result<()> {
    let credential = credential(settings, &clock, printer, &args).await?;
    let url = address(&args)?;
    let client = client(&url)?;
    let (mut records, mut all_taken) = (Vec::new(), true);
    for file in &args.files {
        let body = read_file(file)?;
        let now = clock.now();
        let answered = post(&client, &url, args.source, &credential, body, now).await?;
        all_taken &= answered.is_taken();
        let record = record(file, &url, &answered);
        if printer.json {
            records.push(record);
        } else {
            print::say(&shown(file, &answered))?;
        }
    }
    if printer.json {
        printer.list(&records, &[])?;
    }
    if all_taken { Ok(()) } else { Err(Error::Told) }
}

fn record(file: &str, url: &Url, answered: &Answered) -> Record {
    Record::default()
        .with("file", file)
        .with("url", url.as_str())
        .with("status", answered.status)
        .with("answer", &answered.body)
}

fn shown(file: &str, answered: &Answered) -> String {
    format!("{file}: {}\n{:#}", answered.status, answered.body)
}

fn address(args: &Args) -> Result<Url> {
    let base = args.to.as_str().trim_end_matches('/');
    let path = args.source.path();
    let url = match &args.connection {
        Some(id) => format!("{base}{path}/{id}"),
        None => format!("{base}{path}"),
    };
    url.parse().map_err(|_| Error::Usage(format!("--to {}: that is no address", args.to)))
}

/// What is given, else the connection's own secret.
async fn credential(
    settings: Settings,
    clock: &Clock,
    printer: Printer,
    args: &Args,
) -> Result<Credential> {
    let name = args.source.name();
    if let Some(token) = &args.token {
        if args.source.takes_tokens() {
            return Ok(Credential::Token(token.clone()));
        }
        return Err(Error::Usage(format!("{name} signs its deliveries: pass --secret, no token")));
    }
    if args.secret.secret_stdin && args.files.iter().any(|file| file == "-") {
        let both = "standard input can't be both the secret and a payload";
        return Err(Error::Usage(both.to_owned()));
    }
    if let Some(secret) = args.secret.read()? {
        return Ok(Credential::Secret(secret));
    }
    let Some(connection) = &args.connection else {
        let which = "say what to sign with: --secret-stdin, --token or --connection";
        return Err(Error::Usage(which.to_owned()));
    };
    let desk = Desk::open(settings, clock.clone(), printer).await?;
    own_secret(&desk, args.source, connection).await.map(Credential::Secret)
}

/// The newest secret with which a connection of this database verifies.
async fn own_secret(desk: &Desk, source: &dyn Source, public_id: &str) -> Result<String> {
    let mut reader = desk.db.reader().await?;
    let row = find_connection(&mut reader.conn(), public_id).await?;
    if row.source != source.name() {
        return Err(Error::Refused(format!("{public_id} is a connection of {}", row.source)));
    }
    let secrets = connections::list_secrets(&mut reader.conn(), desk.now()).await?;
    let signing = Purpose::Signing.as_str();
    let own = secrets.iter().find(|s| s.connection_id == row.id && s.purpose == signing);
    let own = own.ok_or_else(|| {
        Error::Refused(format!("{public_id} has no live secret; rotate it to give it one"))
    })?;
    let unreadable = "its secret can't be read as text; rotate it to give it another";
    String::from_utf8(own.open(&desk.key)?).map_err(|_| Error::refused(unreadable))
}
