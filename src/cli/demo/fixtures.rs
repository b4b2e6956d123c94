//! The payloads of `fixtures/`, within the program.

use crate::cli::error::{Error, Result};
use crate::domain::channel::EventStatus;
use crate::sources::{self, Source};
use rust_embed::RustEmbed;
use serde::Deserialize;
use serde_json::Value;

/// `<source>/<case>.json`, each beside its `<case>.expected.json`.
#[derive(RustEmbed)]
#[folder = "fixtures/"]
struct Files;

/// A payload, and what is to become of it.
pub(super) struct Fixture {
    /// Its source.
    pub(super) source: &'static dyn Source,
    /// Its file's name without `.json`.
    pub(super) case: String,
    /// What it is.
    pub(super) title: String,
    /// The body, byte for byte.
    pub(super) body: Vec<u8>,
    /// What becomes of each of its events.
    pub(super) events: Vec<Expected>,
}

/// What becomes of an event when its fixture is posted alone, to an empty database.
#[derive(Deserialize)]
pub(super) struct Expected {
    /// The provider account it belongs to.
    pub(super) account: Option<String>,
    /// Its outcome.
    pub(super) outcome: EventStatus,
    mapped: Vec<Value>,
}

impl Expected {
    /// True when all it does is to change bookings or people: alone it finds none, but after
    /// deliveries that told of them it is tracked.
    pub(super) fn only_changes(&self) -> bool {
        let changes = |m: &Value| m.get("change").is_some() || m.get("identity").is_some();
        !self.mapped.is_empty() && self.mapped.iter().all(changes)
    }
}

#[derive(Deserialize)]
struct File {
    title: String,
    events: Vec<Expected>,
}

/// Every fixture, source by source.
pub(super) fn all() -> Result<Vec<Fixture>> {
    let mut fixtures = Vec::new();
    for source in sources::ALL {
        let folder = format!("{}/", source.name());
        let mut cases: Vec<String> = Files::iter()
            .filter_map(|path| {
                Some(path.strip_prefix(&folder)?.strip_suffix(".expected.json")?.to_owned())
            })
            .collect();
        cases.sort();
        for case in cases {
            fixtures.push(read(*source, case)?);
        }
    }
    Ok(fixtures)
}

fn read(source: &'static dyn Source, case: String) -> Result<Fixture> {
    let path = format!("{}/{case}", source.name());
    let broken = || Error::Refused(format!("this program was built with a broken fixture, {path}"));
    let file = |end: &str| Files::get(&format!("{path}{end}")).ok_or_else(broken);
    let expected = serde_json::from_slice::<File>(&file(".expected.json")?.data);
    let File { title, events } = expected.map_err(|_| broken())?;
    Ok(Fixture { source, title, events, body: file(".json")?.data.into_owned(), case })
}
