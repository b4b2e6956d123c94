//! `understand`: shows what would be understood of a payload, and writes nothing.

use super::args::{self, read_file, read_map};
use super::desk::Desk;
use super::error::{Error, Result};
use super::print::{self, Record};
use crate::domain::tenant::TenantSettings;
use crate::sources::fieldmap::FieldMap;
use crate::sources::{Delivery, Headers, Item, Mapped, Reading, Source};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::collections::BTreeMap;

/// What to read, and for whom.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The source whose payload it is
    #[arg(value_parser = args::source())]
    source: &'static dyn Source,
    /// Files with one payload each; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// The tenant whose country, zone and currency it is read by: id or slug
    #[arg(long)]
    tenant: String,
    /// A file with a field map to read by, as `connection map` takes it
    #[arg(long, value_name = "FILE")]
    map: Option<String>,
}

/// One event of a file, and what is understood of it.
struct Understood {
    item: Item,
    mapped: Vec<Mapped>,
}

/// Reads each file as if it had arrived now, verified, and prints what it says.
pub(super) async fn run(desk: &Desk, args: Args) -> Result<()> {
    let tenant = desk.tenant(&args.tenant).await?.settings()?;
    let map = args.map.as_deref().map(read_map).transpose()?.map(|(_, map)| map);
    let (mut records, mut malformed) = (Vec::new(), false);
    for file in &args.files {
        let body = read_file(file)?;
        match understand(args.source, &body, &tenant, map.as_ref(), desk.now()) {
            Ok(events) => records.extend(events.iter().map(|event| record(file, event))),
            Err(problem) => {
                malformed = true;
                records.push(Record::default().with("file", file).with("malformed", problem));
            }
        }
    }
    if desk.printer.json {
        desk.printer.list(&records, &[])?;
    } else {
        for record in &records {
            print::say(&shown(record))?;
        }
    }
    if malformed { Err(Error::Told) } else { Ok(()) }
}

fn understand(
    source: &dyn Source,
    body: &[u8],
    tenant: &TenantSettings,
    map: Option<&FieldMap>,
    now: DateTime<Utc>,
) -> std::result::Result<Vec<Understood>, Value> {
    let delivery = Delivery { body, headers: &Headers::default(), received_at: now };
    let items = source.split(&delivery);
    let items = items.map_err(|malformed| serde_json::json!(malformed.problem))?;
    let none = BTreeMap::new();
    let reading = Reading { tenant, received_at: now, overrides: &none, map };
    let read = |item: Item| Understood { mapped: source.map(&item, &reading), item };
    Ok(items.into_iter().map(read).collect())
}

fn record(file: &str, event: &Understood) -> Record {
    Record::default()
        .with("file", file)
        .with("kind", &event.item.kind)
        .with("account", event.item.account.as_deref())
        .with("tenant", event.item.tenant.as_deref())
        .with("occurredAt", event.item.occurred_at)
        .with("understood", &event.mapped)
}

/// The event's own line, then what it tells, a value a line.
fn shown(record: &Record) -> String {
    let Some(told) = record.get("understood").and_then(Value::as_array) else {
        let problem = record.get("malformed").and_then(|p| p.get("detail")).and_then(Value::as_str);
        return format!("{}: malformed: {}\n", record.text("file"), problem.unwrap_or_default());
    };
    let says = |(what, says): (&String, &Value)| {
        format!("  {what}\n{}\n", indented(says.get("data").unwrap_or(says)))
    };
    let says = told.iter().filter_map(Value::as_object).flatten().map(says);
    let heading = format!("{}: {}\n", record.text("file"), record.text("kind"));
    std::iter::once(heading).chain(says).collect()
}

fn indented(data: &Value) -> String {
    let text = match data.as_object() {
        Some(object) => print::pairs(object),
        None => print::text(data),
    };
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
