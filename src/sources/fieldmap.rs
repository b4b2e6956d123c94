//! What one connection's callers name their fields: said by whoever set the connection up, and
//! asked before the aliases that all callers have in common.
//!
//! ```json
//! {"fields": {"serviceName": ["/call/metadata/svc", "/args/behandlung"]},
//!  "tools": {"book": ["termin_buchen"], "cancel": ["termin_absagen"]},
//!  "confirmed": {"field": ["/call/call_analysis/custom_analysis_data/ergebnis"],
//!                "values": ["gebucht"]},
//!  "externalBookingProvider": "phorest"}
//! ```
//!
//! A pointer leads through the event as it is kept. Beside that stand, by a name of their own,
//! `/args` and `/result` of a voice agent's tool, and `/message`, `/answers` (of a form) and
//! `/lines` (of a labelled text) of a WhatsApp message. Where a text on the way holds JSON, the
//! pointer leads on in it.

mod pointer;

use super::fields::{Field, Found, Place, Raw, mappable, mappable_names, normalise, yes_no};
use pointer::Pointer;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

/// The most bytes of a map's text.
pub const MOST_BYTES: usize = 16 * 1024;
/// The most pointers of one field.
const MOST_POINTERS: usize = 32;
/// The most names of tools, and of values that mean confirmed.
const MOST_NAMES: usize = 64;
/// The most bytes of a tool's name, a value, a provider.
const MOST_NAME_BYTES: usize = 200;

/// Where a connection's callers put what, checked and ready to be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldMap {
    fields: BTreeMap<Field, Vec<Pointer>>,
    tools: BTreeMap<String, ToolJob>,
    confirmed: Option<Confirmed>,
    provider: Option<String>,
}

/// What a tool does to bookings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolJob {
    /// Makes one.
    Book,
    /// Settles one.
    Confirm,
    /// Moves one.
    Change,
    /// Calls one off.
    Cancel,
    /// Does nothing to any, whatever its name says.
    Ignore,
}

/// Why a text is no field map: a sentence that says what would do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadMap(String);

/// The map as it is written.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Written {
    fields: BTreeMap<String, Vec<Pointer>>,
    tools: Tools,
    confirmed: Option<Confirmed>,
    external_booking_provider: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Tools {
    book: Vec<String>,
    confirm: Vec<String>,
    change: Vec<String>,
    cancel: Vec<String>,
    ignore: Vec<String>,
}

/// The field that says whether something was booked, and what it says then. Without values it is
/// read as a yes or a no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirmed {
    field: Vec<Pointer>,
    #[serde(default)]
    values: Vec<String>,
}

impl FieldMap {
    /// Reads a map, and checks all of it.
    ///
    /// # Errors
    /// [`BadMap`] names the first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, BadMap> {
        if text.len() > MOST_BYTES {
            return Err(BadMap(format!("a field map has at most {MOST_BYTES} bytes")));
        }
        let bad = |error: serde_json::Error| BadMap(format!("no field map: {error}"));
        let written: Written = serde_json::from_str(text).map_err(bad)?;
        // A list would do for a type too, its members in order: only objects are meant.
        let plain: Value = serde_json::from_str(text).map_err(bad)?;
        let odd = |key: &&str| plain.get(*key).is_some_and(|part| !part.is_object());
        if let Some(part) = ["tools", "confirmed"].into_iter().find(odd) {
            return Err(BadMap(format!("no field map: {part} is an object")));
        }
        if !plain.is_object() {
            return Err(BadMap("no field map: it is a JSON object".to_owned()));
        }
        let mut fields = BTreeMap::new();
        for (name, pointers) in written.fields {
            let field = mappable(&name).ok_or_else(|| unknown(&name))?;
            bounded(&name, &pointers, MOST_POINTERS)?;
            fields.insert(field, pointers);
        }
        if let Some(Confirmed { field, values }) = &written.confirmed {
            bounded("confirmed.field", field, MOST_POINTERS)?;
            names("confirmed.values", values)?;
        }
        let provider = written.external_booking_provider;
        names("externalBookingProvider", provider.as_slice())?;
        let provider = provider.map(|name| super::fields::provider_name(&name));
        let tools = written.tools.by_name()?;
        Ok(Self { fields, tools, confirmed: written.confirmed, provider })
    }

    /// What the map says that a tool does; `None` where it says nothing of it.
    #[must_use]
    pub fn job_of(&self, tool: &str) -> Option<ToolJob> {
        self.tools.get(&normalise(tool)).copied()
    }

    /// Whose the references are that come without a name.
    #[must_use]
    pub fn external_booking_provider(&self) -> Option<&str> {
        self.provider.as_deref()
    }

    /// True when it leads into the event itself, not only into what stands beside it.
    #[must_use]
    pub fn reads_event(&self) -> bool {
        let confirmed = self.confirmed.iter().flat_map(|confirmed| &confirmed.field);
        let mut pointers = self.fields.values().flatten().chain(confirmed);
        pointers.any(|pointer| !["args", "result"].contains(&pointer.first()))
    }

    /// The map of what stands at `place` in the event: pointers into that begin there.
    #[must_use]
    pub fn inside(&self, place: &str) -> Self {
        let rebased = |pointers: &[Pointer]| pointers.iter().map(|p| p.inside(place)).collect();
        let fields = self.fields.iter().map(|(field, pointers)| (*field, rebased(pointers)));
        let confirmed = self.confirmed.as_ref().map(|confirmed| Confirmed {
            field: rebased(&confirmed.field),
            values: confirmed.values.clone(),
        });
        Self { fields: fields.collect(), confirmed, ..self.clone() }
    }

    /// Of each mapped field the first value that says anything.
    pub(super) fn find(&self, document: &Document<'_>) -> BTreeMap<Field, Found> {
        let first = |pointers: &[Pointer]| pointers.iter().find_map(|p| document.find(p));
        let fields = self.fields.iter();
        let mut found: BTreeMap<Field, Found> =
            fields.filter_map(|(field, pointers)| Some((*field, first(pointers)?))).collect();
        if let Some(confirmed) = &self.confirmed
            && let Some(Found { pointer, raw }) = first(&confirmed.field)
        {
            let raw = confirmed.read(&raw);
            found.insert(Field::Booked, Found { pointer, raw });
        }
        found
    }
}

impl Confirmed {
    fn read(&self, raw: &Raw) -> Raw {
        if self.values.is_empty() {
            return yes_no(raw).map_or_else(|| raw.clone(), Raw::Flag);
        }
        let said = raw.shown().map(|text| normalise(&text));
        Raw::Flag(self.values.iter().any(|value| Some(normalise(value)) == said))
    }
}

impl Tools {
    /// Each tool's job by its normalised name; one with two jobs is refused.
    fn by_name(&self) -> Result<BTreeMap<String, ToolJob>, BadMap> {
        let lists = [
            (&self.book, ToolJob::Book),
            (&self.confirm, ToolJob::Confirm),
            (&self.change, ToolJob::Change),
            (&self.cancel, ToolJob::Cancel),
            (&self.ignore, ToolJob::Ignore),
        ];
        let mut by_name = BTreeMap::new();
        for (list, job) in lists {
            names("tools", list)?;
            for name in list {
                let known = by_name.insert(normalise(name), job);
                if known.is_some_and(|other| other != job) {
                    return Err(BadMap(format!("the tool \"{name}\" has two jobs")));
                }
            }
        }
        if by_name.len() > MOST_NAMES {
            return Err(BadMap(format!("a map names at most {MOST_NAMES} tools")));
        }
        Ok(by_name)
    }
}

fn unknown(name: &str) -> BadMap {
    let known = mappable_names().join(", ");
    BadMap(format!("there is no field \"{name}\"; there are {known}"))
}

fn bounded(name: &str, pointers: &[Pointer], most: usize) -> Result<(), BadMap> {
    match pointers.len() {
        0 => Err(BadMap(format!("{name} has no pointer: leave it out, or say where it is"))),
        count if count > most => Err(BadMap(format!("{name} has more than {most} pointers"))),
        _ => Ok(()),
    }
}

/// Names that say something, and not too many.
fn names(what: &str, names: &[String]) -> Result<(), BadMap> {
    if names.len() > MOST_NAMES {
        return Err(BadMap(format!("{what} has more than {MOST_NAMES} entries")));
    }
    let unfit = |name: &&String| normalise(name).is_empty() || name.len() > MOST_NAME_BYTES;
    match names.iter().find(unfit) {
        Some(name) => Err(BadMap(format!(
            "{what}: \"{}\" is no name; it has a letter or digit and at most {MOST_NAME_BYTES} bytes",
            name.chars().take(40).collect::<String>()
        ))),
        None => Ok(()),
    }
}

/// An event that pointers lead into. Where one leads is found out once, however many tellings of
/// the event ask.
#[derive(Debug)]
pub struct Event {
    value: Value,
    asked: RefCell<HashMap<Pointer, Option<Found>>>,
}

impl Event {
    /// The event as it is kept.
    #[must_use]
    pub fn new(value: Value) -> Self {
        Self { value, asked: RefCell::default() }
    }

    /// The event itself.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    fn find(&self, pointer: &Pointer) -> Option<Found> {
        if let Some(found) = self.asked.borrow().get(pointer) {
            return found.clone();
        }
        let found = pointer.in_event(&self.value);
        let found = found.map(|(pointer, raw)| Found { pointer, raw: raw.bounded() });
        self.asked.borrow_mut().insert(pointer.clone(), found.clone());
        found
    }
}

/// What a map's pointers lead through.
#[derive(Clone, Debug, Default)]
pub struct Document<'a> {
    event: Option<&'a Event>,
    beside: Vec<(&'static str, &'a Map<String, Value>, Place)>,
}

impl<'a> Document<'a> {
    /// An event; `None` where only what stands beside it counts.
    #[must_use]
    pub fn of(event: Option<&'a Event>) -> Self {
        Self { event, beside: Vec::new() }
    }

    /// The same with an object under a name of its own, and where in the event it stands.
    #[must_use]
    pub fn with(mut self, name: &'static str, object: &'a Map<String, Value>, at: Place) -> Self {
        self.beside.push((name, object, at));
        self
    }

    fn find(&self, pointer: &Pointer) -> Option<Found> {
        let beside = self.beside.iter().find(|(name, ..)| *name == pointer.first());
        if let Some((_, object, place)) = beside {
            let (text, raw) = pointer.in_object(object)?;
            return Some(Found { pointer: place.under(&text), raw: raw.bounded() });
        }
        self.event?.find(pointer)
    }
}

#[cfg(test)]
mod tests;
