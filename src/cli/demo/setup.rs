//! The demo's tenants, connections and token, in a database of its own.

use super::fixtures::Fixture;
use crate::auth;
use crate::auth::connecting::{self, New};
use crate::cli::desk::{Desk, random_text};
use crate::cli::error::{Error, Result};
use crate::cli::print::Printer;
use crate::clock::Clock;
use crate::config::Settings;
use crate::domain::channel::{DateOrder, Role};
use crate::domain::money::Currency;
use crate::domain::phone::Region;
use crate::domain::tenant::TenantSettings;
use crate::sources::{self, Source, signature};
use crate::storage::tenants;
use std::collections::BTreeMap;
use std::path::Path;
use uuid::Uuid;

/// The tenant that the payloads name.
pub(super) const FIRST_SLUG: &str = "liffey-light";
const FIRST: Uuid = uuid::uuid!("8d8ac610-566d-4ef0-9c22-186b2a5ed793");
const SECOND: Uuid = uuid::uuid!("5b0f3c7e-21d4-4c8a-9a66-0e7d9c1b2f48");

/// The WhatsApp number of the second tenant; every other account is the first's.
const SECOND_NUMBER: &str = "771234500000002";

/// The account that the test button of Meta's dashboard sends: nobody has it.
const NOBODYS_NUMBER: &str = "123456123";

/// What the demo delivers by.
pub(super) struct Made {
    /// Of each source, by name: the connection's public id and its secret.
    pub(super) connections: BTreeMap<&'static str, (String, String)>,
    /// A platform admin's token, to read back.
    pub(super) token: String,
}

/// The given settings, but for a database in `directory` and any free port of this machine.
pub(super) fn settings(given: Settings, directory: &Path) -> Settings {
    Settings {
        database_url: format!("sqlite://{}", directory.join("demo.db").display()),
        listen: ([127, 0, 0, 1], 0).into(),
        public_url: None,
        api_rate: crate::config::API_RATE,
        master_key: None,
        spool: directory.join("spool.db"),
        ..given
    }
}

/// The tenant to which an account belongs.
pub(super) fn tenant_of(account: Option<&str>) -> Uuid {
    if account == Some(SECOND_NUMBER) { SECOND } else { FIRST }
}

/// Makes tenants, connections with the accounts that the fixtures name, and a token.
pub(super) async fn make(
    settings: &Settings,
    clock: Clock,
    printer: Printer,
    fixtures: &[Fixture],
) -> Result<Made> {
    let desk = Desk::open(settings.clone(), clock, printer).await?;
    add_tenant(&desk, "Liffey Light", FIRST_SLUG, FIRST).await?;
    add_tenant(&desk, "Glow Studio", "glow-studio", SECOND).await?;
    let mut connections = BTreeMap::new();
    for source in sources::ALL {
        connections.insert(source.name(), connect(&desk, *source, fixtures).await?);
    }
    let mut tx = desk.db.begin().await?;
    let made =
        auth::make_token(&mut tx.conn(), None, Role::PlatformAdmin, "demo", (desk.now(), None))
            .await;
    let (_, token) = made?;
    tx.commit().await?;
    desk.db.close().await;
    Ok(Made { connections, token })
}

async fn add_tenant(desk: &Desk, name: &str, slug: &str, id: Uuid) -> Result<()> {
    let unknown = || Error::refused("this program does not know Ireland and the euro");
    let settings = TenantSettings {
        id,
        slug: slug.to_owned(),
        default_region: Region::parse("IE").ok_or_else(unknown)?,
        timezone: chrono_tz::Europe::Dublin,
        currency: Currency::parse("EUR").ok_or_else(unknown)?,
        date_order: DateOrder::Dmy,
    };
    let mut tx = desk.db.begin().await?;
    tenants::insert(&mut tx.conn(), name, &settings, desk.now()).await?;
    Ok(tx.commit().await?)
}

/// Connects a source: one connection a tenant that has accounts of it, all with one secret, as
/// one app of a provider serves several numbers. Answers the first tenant's.
async fn connect(
    desk: &Desk,
    source: &'static dyn Source,
    fixtures: &[Fixture],
) -> Result<(String, String)> {
    let secret = signature::standard_secret(&random_text(32)?);
    let events = fixtures.iter().filter(|f| f.source.name() == source.name());
    let accounts = events.flat_map(|f| &f.events).filter_map(|event| event.account.as_deref());
    let mut accounts: Vec<&str> = accounts.filter(|id| *id != NOBODYS_NUMBER).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let of = |tenant| accounts.iter().copied().filter(move |id| tenant_of(Some(id)) == tenant);
    let first = add(desk, source, FIRST, of(FIRST).collect(), &secret).await?;
    if of(SECOND).next().is_some() {
        add(desk, source, SECOND, of(SECOND).collect(), &secret).await?;
    }
    Ok((first, secret))
}

async fn add(
    desk: &Desk,
    source: &'static dyn Source,
    tenant: Uuid,
    accounts: Vec<&str>,
    secret: &str,
) -> Result<String> {
    let accounts = accounts.into_iter().map(|id| (id, tenant)).collect();
    let new = New { source, tenant: Some(tenant), accounts, secret };
    let mut tx = desk.db.begin().await?;
    let made = connecting::make(&mut tx.conn(), &desk.key, &new, desk.now()).await?;
    tx.commit().await?;
    Ok(made.public_id)
}
