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

/// What is shown of a new connection.
struct Made {
    public_id: String,
    tenant: Option<Uuid>,
    secret: String,
    verify_token: Option<String>,
    accounts: Vec<AccountRow>,
}

/// Makes the connection, its secrets and its accounts in one transaction.
pub(super) async fn run(desk: &Desk, new: Add) -> Result<()> {
    let accounts = new.accounts()?;
    let secret = read_or_make(new.source, &new.secret, desk)?;
    let mut tx = desk.db.begin().await?;
    let made = make(desk, &mut tx.conn(), &new, &accounts, secret).await?;
    tx.commit().await?;
    let record = Record::default()
        .with("id", &made.public_id)
        .with("source", new.source.name())
        .with("tenantId", made.tenant)
        .with("secret", made.secret)
        .with("verifyToken", made.verify_token)
        .with("webhookUrl", desk.webhook_url(new.source.path(), &made.public_id))
        .with("accounts", made.accounts.iter().map(account).collect::<Vec<_>>())
        .shown(account_ids(&made.accounts));
    Ok(desk.printer.record(&record)?)
}

impl Add {
    /// Each account's id, with the tenant that is named for it, once.
    fn accounts(&self) -> Result<Vec<(&str, Option<&str>)>> {
        let mut accounts = Vec::new();
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

fn usage(text: &str, sentence: &str) -> Error {
    Error::Usage(format!("--account {text}: {sentence}"))
}

async fn make(
    desk: &Desk,
    conn: &mut Conn<'_>,
    new: &Add,
    accounts: &[(&str, Option<&str>)],
    secret: String,
) -> Result<Made> {
    let (source, now, key) = (new.source, desk.now(), &desk.key);
    let tenant = match &new.owner.tenant {
        Some(name) => Some(find_tenant(conn, name).await?.id),
        None => None,
    };
    let public_id = format!("cn_{}", random_text(20)?);
    let id = connections::insert(conn, &public_id, source.name(), tenant, now).await?;
    let holder = Holder { id, tenant, has_accounts: !accounts.is_empty() };
    refuse_undivided(conn, desk, source, &secret, &holder).await?;
    connections::insert_secret(conn, key, id, Purpose::Signing, &secret, now).await?;
    let verify_token = if source.has_handshake() { Some(random_text(32)?) } else { None };
    if let Some(token) = &verify_token {
        connections::insert_secret(conn, key, id, Purpose::Handshake, token, now).await?;
    }
    let rows = add_accounts(desk, conn, (source.name(), id, tenant), accounts).await?;
    Ok(Made { public_id, tenant, secret, verify_token, accounts: rows })
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
