//! `connection add`.

use super::secret::{Holder, read_or_make, refuse_undivided};
use super::{account, account_ids};
use crate::cli::args::{self, Owner, SecretGiven};
use crate::cli::desk::{Desk, find_tenant, random_text};
use crate::cli::error::{Error, Result};
use crate::cli::print::Record;
use crate::sources::Source;
use crate::storage::Conn;
use crate::storage::connections::{self, AccountRow, Purpose};
use crate::tracking::can_correct;
use clap::Args;
use uuid::Uuid;

/// Shown below the help.
pub(super) const EXAMPLES: &str = "\
Examples:
  A chat widget: a secret is made and shown
    bookhook connection add --source chat --tenant glow-studio
  Retell: the API key that signs its webhooks, and the agents of this tenant
    bookhook connection add --source retell --tenant glow-studio \\
        --account agent_7c1d90e2ab34f5568ef01b2c9d --secret-stdin < retell-key.txt
  One WhatsApp app for several tenants, each with its number
    bookhook connection add --source whatsapp --platform --secret-stdin \\
        --account 771234500000001=glow-studio --account 771234500000002=liffey-light < app-secret.txt";

/// A new connection.
#[derive(Args, Debug)]
pub(in crate::cli) struct Add {
    /// Where its deliveries come from
    #[arg(long, value_parser = args::source())]
    source: &'static dyn Source,
    #[command(flatten)]
    owner: Owner,
    /// A provider account whose deliveries it takes (Retell `agent_id`, WhatsApp
    /// `phone_number_id`);
    /// with --platform also the tenant it belongs to. May be given several times
    #[arg(long = "account", value_name = "ID[=TENANT]")]
    accounts: Vec<String>,
    #[command(flatten)]
    secret: SecretGiven,
}

/// A connection to be made.
pub(in crate::cli) struct New<'a> {
    /// Where its deliveries come from.
    pub(in crate::cli) source: &'static dyn Source,
    /// The tenant it serves, by id or slug; `None` for a platform connection.
    pub(in crate::cli) tenant: Option<&'a str>,
    /// Its provider accounts, each with the tenant it belongs to where that is not the connection's.
    pub(in crate::cli) accounts: Vec<(&'a str, Option<&'a str>)>,
    /// What verifies its deliveries.
    pub(in crate::cli) secret: &'a str,
}

/// A connection as it was made.
pub(in crate::cli) struct Made {
    /// The id in its address.
    pub(in crate::cli) public_id: String,
    tenant: Option<Uuid>,
    verify_token: Option<String>,
    accounts: Vec<AccountRow>,
}

/// Makes the connection, its secrets and its accounts in one transaction, and shows them.
pub(super) async fn run(desk: &Desk, add: Add) -> Result<()> {
    let (source, accounts) = (add.source, add.accounts()?);
    let secret = read_or_make(source, &add.secret, desk)?;
    let new = New { source, tenant: add.owner.tenant.as_deref(), accounts, secret: &secret };
    let mut tx = desk.db.begin().await?;
    let made = make(desk, &mut tx.conn(), &new).await?;
    tx.commit().await?;
    let functions = source.functions().map(|path| function_url(desk, path, &made));
    let record = Record::default()
        .with("id", &made.public_id)
        .with("source", source.name())
        .with("tenantId", made.tenant)
        .with("secret", &secret)
        .with("verifyToken", made.verify_token)
        .with("webhookUrl", desk.webhook_url(source.path(), &made.public_id))
        .with("functionUrl", functions)
        .with("accounts", made.accounts.iter().map(account).collect::<Vec<_>>())
        .shown(account_ids(&made.accounts));
    Ok(desk.printer.record(&record)?)
}

impl Add {
    /// Each account's id, with the tenant that is named for it, once.
    fn accounts(&self) -> Result<Vec<(&str, Option<&str>)>> {
        let (mut accounts, name) = (Vec::new(), self.source.name());
        if !self.accounts.is_empty() && can_correct(self.source) {
            let sentence = format!("--account: {name} deliveries name a tenant, no account");
            return Err(Error::Usage(sentence));
        }
        for text in &self.accounts {
            let account = match text.split_once('=') {
                Some((id, tenant)) => (id.trim(), Some(tenant.trim())),
                None => (text.trim(), None),
            };
            if account.0.is_empty() || account.1 == Some("") {
                return Err(Error::Usage(format!("--account {text}: write ID or ID=TENANT")));
            }
            match (account.1, self.owner.platform) {
                (Some(_), false) => return Err(usage(text, "ID=TENANT is for --platform")),
                (None, true) => return Err(usage(text, "with --platform write ID=TENANT")),
                _ => {}
            }
            if !accounts.contains(&account) {
                accounts.push(account);
            }
        }
        Ok(accounts)
    }
}

/// Where the agents of a connection call a function; its name is to be put in.
fn function_url(desk: &Desk, path: &str, made: &Made) -> String {
    format!("{}/FUNCTION", desk.webhook_url(path, &made.public_id))
}

fn usage(text: &str, sentence: &str) -> Error {
    Error::Usage(format!("--account {text}: {sentence}"))
}

/// Makes a connection with its secrets and accounts.
pub(in crate::cli) async fn make(desk: &Desk, conn: &mut Conn<'_>, new: &New<'_>) -> Result<Made> {
    let (source, now, key) = (new.source, desk.now(), &desk.key);
    let tenant = match new.tenant {
        Some(name) => Some(find_tenant(conn, name).await?.id),
        None => None,
    };
    let public_id = format!("cn_{}", random_text(20)?);
    let id = connections::insert(conn, &public_id, source.name(), tenant, now).await?;
    let holder = Holder { id, tenant, has_accounts: !new.accounts.is_empty() };
    refuse_undivided(conn, desk, source, new.secret, &holder).await?;
    connections::insert_secret(conn, key, id, Purpose::Signing, new.secret, now).await?;
    let verify_token = if source.has_handshake() { Some(random_text(32)?) } else { None };
    if let Some(token) = &verify_token {
        connections::insert_secret(conn, key, id, Purpose::Handshake, token, now).await?;
    }
    let accounts = add_accounts(desk, conn, (source.name(), id, tenant), &new.accounts).await?;
    Ok(Made { public_id, tenant, verify_token, accounts })
}

/// Gives the connection its accounts: each the tenant that is named for it, else the connection's.
async fn add_accounts(
    desk: &Desk,
    conn: &mut Conn<'_>,
    (source, connection_id, tenant): (&str, Uuid, Option<Uuid>),
    accounts: &[(&str, Option<&str>)],
) -> Result<Vec<AccountRow>> {
    let mut rows = Vec::new();
    for (account, named) in accounts {
        let owner = match named {
            Some(name) => Some(find_tenant(conn, name).await?.id),
            None => tenant,
        };
        let Some(tenant_id) = owner else { continue };
        let (source, account_id) = (source.to_owned(), (*account).to_owned());
        let row = AccountRow { tenant_id, source, account_id, connection_id };
        if !connections::insert_account(conn, &row, desk.now()).await? {
            return Err(taken(conn, &row).await?);
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Says which connection has the account already.
async fn taken(conn: &mut Conn<'_>, wanted: &AccountRow) -> Result<Error> {
    let accounts = connections::list_accounts(conn).await?;
    let same = accounts.iter().find(|a| {
        (a.tenant_id, &a.source, &a.account_id)
            == (wanted.tenant_id, &wanted.source, &wanted.account_id)
    });
    let rows = connections::list(conn).await?;
    let holder = rows.iter().find(|row| Some(row.id) == same.map(|a| a.connection_id));
    let (account, id) =
        (&wanted.account_id, holder.map_or("another", |row| row.public_id.as_str()));
    Ok(Error::Refused(format!(
        "that tenant has the account {account} on its connection {id} already; rotate that one's \
         secret with `bookhook connection rotate`, or disable it first"
    )))
}
