//! `connection add`.

use super::{account, account_ids};
use crate::auth::connecting::{self, Made, New};
use crate::cli::args::{self, Owner, SecretGiven};
use crate::cli::desk::{Desk, find_tenant};
use crate::cli::error::{Error, Result};
use crate::cli::print::Record;
use crate::sources::Source;
use crate::tracking::can_correct;
use clap::Args;

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

/// Makes the connection, its secrets and its accounts in one transaction, and shows them.
pub(super) async fn run(desk: &Desk, add: Add) -> Result<()> {
    let (source, named) = (add.source, add.accounts()?);
    let secret = connecting::secret_of(source, add.secret.read()?, desk.now())?;
    let mut tx = desk.db.begin().await?;
    let conn = &mut tx.conn();
    let tenant = match add.owner.tenant.as_deref() {
        Some(name) => Some(find_tenant(conn, name).await?.id),
        None => None,
    };
    let mut accounts = Vec::new();
    for (account, named) in named {
        let owner = match named {
            Some(name) => Some(find_tenant(conn, name).await?.id),
            None => tenant,
        };
        accounts.extend(owner.map(|owner| (account, owner)));
    }
    let new = New { source, tenant, accounts, secret: &secret };
    let made = connecting::make(conn, &desk.key, &new, desk.now()).await?;
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
