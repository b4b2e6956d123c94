//! `tenant`: the businesses whose bookings are kept.

use super::args::one_of;
use super::desk::Desk;
use super::error::{Error, Result};
use super::print::Record;
use crate::domain::channel::DateOrder;
use crate::domain::ids;
use crate::domain::money::Currency;
use crate::domain::phone::Region;
use crate::domain::tenant::TenantSettings;
use crate::storage::tenants;
use chrono_tz::Tz;
use clap::{Args, Subcommand};
use unicode_normalization::UnicodeNormalization;
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
        slug: new.slug.map_or_else(|| slug_of(name), check_slug)?,
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

/// The name in a-z, 0-9 and hyphens, without its accents.
fn slug_of(name: &str) -> Result<String> {
    let plain = name.nfkd().filter(|c| !matches!(c, '\u{300}'..='\u{36f}' | '\'' | '’'));
    let plain: String = plain.flat_map(char::to_lowercase).collect();
    let words = plain.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug: String = words.collect::<Vec<_>>().join("-").chars().take(60).collect();
    let slug = slug.trim_end_matches('-').to_owned();
    if slug.is_empty() {
        let none = "the name has no letter a-z or digit to make a slug of; choose one with --slug";
        return Err(Error::refused(none));
    }
    Ok(slug)
}

fn check_slug(slug: String) -> Result<String> {
    let letters = slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let ends = slug.starts_with('-') || slug.ends_with('-');
    if slug.is_empty() || slug.len() > 60 || !letters || ends {
        let form = "--slug takes 1 to 60 of a-z, 0-9 and hyphens, with no hyphen at either end";
        return Err(Error::Usage(form.to_owned()));
    }
    if Uuid::try_parse(&slug).is_ok() {
        return Err(Error::Usage("--slug can't be a UUID; that is what --id is for".to_owned()));
    }
    Ok(slug)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_made_of_the_name() {
        for (name, slug) in [
            ("Liffey Light", "liffey-light"),
            ("  Áine's Hair & Beauty (D2) ", "aines-hair-beauty-d2"),
            ("Glow – Studio", "glow-studio"),
        ] {
            assert_eq!(slug_of(name).unwrap(), slug);
        }
        assert!(slug_of("美容").is_err());
    }

    #[test]
    fn a_slug_can_not_be_taken_for_an_id() {
        assert!(check_slug("8d8ac610-566d-4ef0-9c22-186b2a5ed793".to_owned()).is_err());
        for bad in ["", "Glow", "-glow", "glow studio"] {
            assert!(check_slug(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
