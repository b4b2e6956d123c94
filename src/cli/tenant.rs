//! `tenant`: the businesses whose bookings are kept.

use super::args::one_of;
use super::desk::Desk;
use super::error::{Error, Result};
use super::print::Record;
use crate::domain::channel::DateOrder;
use crate::domain::ids;
use crate::domain::money::Currency;
use crate::domain::phone::Region;
use crate::domain::tenant::{TenantSettings, is_slug, slug_of};
use crate::storage::tenants;
use chrono_tz::Tz;
use clap::{Args, Subcommand};
use uuid::Uuid;

/// What can be done with tenants.
#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Make a tenant
    Add(Add),
    /// List all tenants
    List,
}

/// A new tenant.
#[derive(Args, Debug)]
pub(super) struct Add {
    /// What people call it
    #[arg(long)]
    name: String,
    /// A short name to use in place of the id: a-z, 0-9 and hyphens (default: from the name)
    #[arg(long)]
    slug: Option<String>,
    /// Its id, where another system has given it one already
    #[arg(long, value_name = "UUID")]
    id: Option<Uuid>,
    /// The country of phone numbers without a country code, in two letters
    #[arg(long, default_value = "IE", value_parser = region)]
    region: Region,
    /// The zone of times without an offset
    #[arg(long, default_value = "Europe/Dublin", value_parser = timezone)]
    timezone: Tz,
    /// The currency of amounts without one, in three letters
    #[arg(long, default_value = "EUR", value_parser = currency)]
    currency: Currency,
    /// How dates in digits are written: day, month or year first
    #[arg(long, default_value = "dmy", value_parser = one_of::<DateOrder>(DateOrder::ALL.iter().map(|w| w.as_str())))]
    date_order: DateOrder,
}

/// Runs the command.
pub(super) async fn run(desk: &Desk, command: Command) -> Result<()> {
    match command {
        Command::Add(new) => add(desk, new).await,
        Command::List => list(desk).await,
    }
}

async fn add(desk: &Desk, new: Add) -> Result<()> {
    let name = new.name.trim();
    if name.is_empty() {
        return Err(Error::Usage("--name is empty".to_owned()));
    }
    let settings = TenantSettings {
        id: new.id.unwrap_or_else(|| ids::new(desk.now())),
        slug: new.slug.map_or_else(|| slug_for(name), check_slug)?,
        default_region: new.region,
        timezone: new.timezone,
        currency: new.currency,
        date_order: new.date_order,
    };
    let mut tx = desk.db.begin().await?;
    if !tenants::insert(&mut tx.conn(), name, &settings, desk.now()).await? {
        let by_slug = tenants::find(&mut tx.conn(), &settings.slug).await?;
        return Err(taken(by_slug.is_some(), &settings));
    }
    tx.commit().await?;
    Ok(desk.printer.record(&record(name, &settings))?)
}

async fn list(desk: &Desk) -> Result<()> {
    let mut reader = desk.db.reader().await?;
    let mut records = Vec::new();
    for row in tenants::list(&mut reader.conn()).await? {
        let record = record(&row.name, &row.settings()?);
        records.push(record.with("status", &row.status).with("createdAt", row.created_at));
    }
    let shown = ["slug", "name", "id", "region", "timezone", "currency", "status"];
    Ok(desk.printer.list(&records, &shown)?)
}

fn record(name: &str, settings: &TenantSettings) -> Record {
    Record::default()
        .with("id", settings.id)
        .with("slug", &settings.slug)
        .with("name", name)
        .with("region", settings.default_region.as_str())
        .with("timezone", settings.timezone.name())
        .with("currency", settings.currency.as_str())
        .with("dateOrder", settings.date_order)
}

fn taken(by_slug: bool, settings: &TenantSettings) -> Error {
    let slug = &settings.slug;
    Error::Refused(if by_slug {
        format!("the slug \"{slug}\" is another tenant's; choose one with --slug")
    } else {
        format!("the id {} is another tenant's; leave --id out to get a new one", settings.id)
    })
}

fn slug_for(name: &str) -> Result<String> {
    let none = "the name has no letter a-z or digit to make a slug of; choose one with --slug";
    slug_of(name).ok_or_else(|| Error::refused(none))
}

fn check_slug(slug: String) -> Result<String> {
    if is_slug(&slug) {
        return Ok(slug);
    }
    let form = "--slug takes 1 to 60 of a-z, 0-9 and hyphens, with no hyphen at either end, and \
                can't be a UUID; that is what --id is for";
    Err(Error::Usage(form.to_owned()))
}

fn region(text: &str) -> std::result::Result<Region, String> {
    Region::parse(text).ok_or_else(|| "write a country in two letters, like IE".to_owned())
}

fn timezone(text: &str) -> std::result::Result<Tz, String> {
    text.parse().map_err(|_| "write a zone of the IANA database, like Europe/Dublin".to_owned())
}

fn currency(text: &str) -> std::result::Result<Currency, String> {
    Currency::parse(text).ok_or_else(|| "write a currency in three letters, like EUR".to_owned())
}
