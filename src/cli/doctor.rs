//! `doctor`: checks the installation; each fault says what to do.

use super::error::{Error, Result};
use super::print::{self, Printer, Record};
use crate::app;
use crate::clock::Clock;
use crate::config::Settings;
use crate::sources;
use crate::storage::connections::{self, Purpose, SecretRow};
use crate::storage::events::{self, EventFilter};
use crate::storage::seal::MasterKey;
use crate::storage::spool::SpoolFile;
use crate::storage::{self, Db, chain, installation, tenants};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// How far two clocks may be apart.
const SKEW: TimeDelta = TimeDelta::seconds(60);

/// No clock that is right tells an earlier time: this program was not written then.
const WRITTEN: &str = "2026-11-01T00:00:00Z";

/// What a check found: a sentence that all is well, or one that says what to do.
type Finding = std::result::Result<String, String>;

struct Check {
    name: &'static str,
    finding: Finding,
}

/// Runs every check, prints what each found, and fails when one found a fault.
pub(super) async fn run(settings: Settings, clock: Clock, printer: Printer) -> Result<()> {
    let checks = checks(&settings, clock.now()).await;
    let ok = checks.iter().all(|check| check.finding.is_ok());
    if printer.json {
        let settings: Vec<_> = settings.masked();
        let record = Record::default()
            .with("ok", ok)
            .with("settings", settings.into_iter().collect::<std::collections::BTreeMap<_, _>>())
            .with("checks", checks.iter().map(Check::record).collect::<Vec<_>>());
        printer.record(&record)?;
    } else {
        let settings = settings.masked().into_iter().map(|(name, value)| vec![name.into(), value]);
        print::say(&print::columns(&settings.collect::<Vec<_>>()))?;
        let lines = checks.iter().map(Check::row).collect::<Vec<_>>();
        print::say(&format!("\n{}", print::columns(&lines)))?;
    }
    if ok { Ok(()) } else { Err(Error::Told) }
}

impl Check {
    fn record(&self) -> Record {
        let (Ok(detail) | Err(detail)) = &self.finding;
        Record::default()
            .with("name", self.name)
            .with("ok", self.finding.is_ok())
            .with("detail", detail)
    }

    fn row(&self) -> Vec<String> {
        let (word, detail) = match &self.finding {
            Ok(detail) => ("ok", detail),
            Err(detail) => ("FAULT", detail),
        };
        vec![word.to_owned(), self.name.to_owned(), detail.clone()]
    }
}

/// What can be checked, in order; without a database or a key little can.
async fn checks(settings: &Settings, now: DateTime<Utc>) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut add = |name, finding: Finding| checks.push(Check { name, finding });
    let key = app::master_key(settings);
    let db = reachable(settings).await;
    if let Err(error) = &key {
        add("masterKey", Err(chain(error)));
    }
    if !settings.is_sqlite() {
        add("spool", spool(settings).await);
    }
    let db = match db {
        Ok(db) => {
            add("database", Ok(format!("{}, migrated to this version", db.engine())));
            db
        }
        Err(error) => {
            add("database", Err(advice(&error)));
            return checks;
        }
    };
    if let Ok(key) = &key {
        add("masterKey", found(fitting(&db, key).await));
        add("connections", found(secrets(&db, key, now).await));
    }
    add("tenants", found(readable_tenants(&db).await));
    add("durability", found(durability(&db).await));
    add("clock", found(clock_check(&db, now).await));
    db.close().await;
    checks
}

/// A finding, or the database's error as one.
fn found(finding: storage::Result<Finding>) -> Finding {
    finding.unwrap_or_else(|error| Err(advice(&error)))
}

async fn reachable(settings: &Settings) -> storage::Result<Db> {
    let db = Db::open(&settings.database_url).await?;
    db.migrate().await?;
    Ok(db)
}

async fn fitting(db: &Db, key: &MasterKey) -> storage::Result<Finding> {
    let mut tx = db.begin().await?;
    installation::claim_key(&mut tx.conn(), key).await?;
    tx.commit().await?;
    Ok(Ok(format!("the database's own (id {})", key.id())))
}

/// What waits in the spool, and whether a service looks after it.
async fn spool(settings: &Settings) -> Finding {
    let path = settings.spool.display();
    let file = SpoolFile::look(&settings.spool).await.map_err(|error| chain(&error))?;
    let Some(file) = file else {
        return Ok(format!("{path} is made when the service starts"));
    };
    let depth = file.depth().await.map_err(|error| chain(&error))?;
    let Some(oldest) = depth.oldest else { return Ok(format!("nothing waits in {path}")) };
    let since = oldest.format("%Y-%m-%d %H:%M:%S UTC");
    let waiting = format!("{} deliveries wait in {path} since {since}", depth.deliveries);
    if SpoolFile::is_in_use(&settings.spool) {
        return Ok(format!("{waiting}; they are tracked once the database is there"));
    }
    Err(format!("{waiting}, and no service has it open; start one with this spool"))
}

async fn durability(db: &Db) -> storage::Result<Finding> {
    let faults = db.durability_faults().await?;
    let kept = "what is acknowledged survives a power cut".to_owned();
    Ok(if faults.is_empty() { Ok(kept) } else { Err(faults.join("; ")) })
}

async fn readable_tenants(db: &Db) -> storage::Result<Finding> {
    let rows = tenants::list(&mut db.reader().await?.conn()).await?;
    let faults: Vec<String> = rows
        .iter()
        .filter_map(|row| Some(format!("{}: {}", row.slug, row.settings().err()?)))
        .collect();
    Ok(summary(&faults, format!("{} tenants, their settings can be read", rows.len())))
}

/// Every active connection must have a secret that opens.
async fn secrets(db: &Db, key: &MasterKey, now: DateTime<Utc>) -> storage::Result<Finding> {
    let mut reader = db.reader().await?;
    let conn = &mut reader.conn();
    let mut rows = connections::list(conn).await?;
    rows.retain(|row| row.status == "active");
    let secrets = connections::list_secrets(conn, now).await?;
    let mut faults = Vec::new();
    for row in &rows {
        let own: Vec<_> = secrets.iter().filter(|s| s.connection_id == row.id).collect();
        let fault = secret_fault(&row.source, &own, key);
        faults.extend(fault.map(|fault| format!("{} ({}): {fault}", row.public_id, row.source)));
    }
    Ok(summary(&faults, format!("{} active, each with a live secret that opens", rows.len())))
}

fn secret_fault(source: &str, own: &[&SecretRow], key: &MasterKey) -> Option<String> {
    let Some(source) = sources::find(source) else {
        return Some("this program does not know the source".to_owned());
    };
    if let Some(error) = own.iter().find_map(|secret| secret.open(key).err()) {
        return Some(error.to_string());
    }
    let has = |purpose: Purpose| own.iter().any(|secret| secret.purpose == purpose.as_str());
    if !has(Purpose::Signing) {
        return Some("no live secret; give it one with `bookhook connection rotate`".to_owned());
    }
    let lacks = source.has_handshake() && !has(Purpose::Handshake);
    lacks.then(|| "no verify token; make another connection in its place".to_owned())
}

/// The machine's clock beside the times that are stored, and the database server's own clock.
async fn clock_check(db: &Db, now: DateTime<Utc>) -> storage::Result<Finding> {
    let set = "set this machine's clock (NTP)";
    if WRITTEN.parse::<DateTime<Utc>>().is_ok_and(|written| now < written) {
        return Ok(Err(format!("it is {now} here, before this program was written; {set}")));
    }
    if let Some(newest) = newest_event(db).await?.filter(|newest| *newest > now + SKEW) {
        return Ok(Err(format!("it is {now} here, and an event arrived at {newest}; {set}")));
    }
    if let Some(server) = db.server_time().await? {
        let skew = (server - now).abs();
        if skew > SKEW {
            let apart = skew.num_seconds();
            let both = "set both clocks (NTP)";
            return Ok(Err(format!("{apart} s apart from the database server's; {both}")));
        }
    }
    Ok(Ok(format!("{}", now.format("%Y-%m-%d %H:%M:%S UTC"))))
}

async fn newest_event(db: &Db) -> storage::Result<Option<DateTime<Utc>>> {
    let mut reader = db.reader().await?;
    let conn = &mut reader.conn();
    let mut newest = None;
    for tenant in tenants::list(conn).await? {
        let all = EventFilter::default();
        let last = events::list(conn, tenant.id, &all, Uuid::max(), 1).await?;
        newest = newest.max(last.first().map(|event| event.received_at));
    }
    Ok(newest)
}

fn summary(faults: &[String], well: String) -> Finding {
    if faults.is_empty() { Ok(well) } else { Err(faults.join("; ")) }
}

fn advice(error: &storage::Error) -> String {
    let what = chain(error);
    if error.is_unavailable() {
        return format!("{what}; check DATABASE_URL, and that the server runs");
    }
    what
}
