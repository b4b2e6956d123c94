//! The draft of one telling: of each field the best value that was found, and where it stood.

use super::aliases::{Field, field_of, settable};
use super::values::{Raw, normalise, split_name};
use crate::sources::fieldmap::{Document, FieldMap};
use crate::sources::json;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A value and its JSON Pointer in the caller's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it stood; empty for what a person supplied.
    pub pointer: String,
    /// The value as it stood there.
    pub raw: Raw,
}

impl Found {
    /// True for what a person supplied: it stands nowhere in the body.
    #[must_use]
    pub fn is_by_person(&self) -> bool {
        self.pointer.is_empty()
    }
}

/// Where an object stands in the caller's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pointer: String,
    opaque: bool,
}

impl Place {
    /// An object of the body itself: its fields have pointers of their own.
    #[must_use]
    pub fn object(pointer: &str) -> Self {
        Self { pointer: pointer.to_owned(), opaque: false }
    }

    /// An object written inside a text (a tool's arguments): a JSON Pointer ends at the text.
    #[must_use]
    pub fn inside_text(pointer: &str) -> Self {
        Self { pointer: pointer.to_owned(), opaque: true }
    }

    /// The pointer of the object.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// The pointer of a member.
    #[must_use]
    pub fn of(&self, key: &str) -> String {
        if self.opaque { self.pointer.clone() } else { self.pointer.clone() + &json::step(key) }
    }

    /// The pointer of what stands at `rest` in the object.
    #[must_use]
    pub fn under(&self, rest: &str) -> String {
        if self.opaque { self.pointer.clone() } else { self.pointer.clone() + rest }
    }

    /// An object that stands in this one under `key`.
    #[must_use]
    pub fn inner(&self, key: &str) -> Self {
        Self { pointer: self.of(key), opaque: self.opaque }
    }
}

/// Which of an object's fields count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// All that every source knows.
    All,
    /// Those, and the short names (`client_id`, `id`) that are clear in a booking tool only.
    Tool,
    /// What a booking tool's answer can know better than its question: not who the customer is.
    Result,
    /// Only who the customer is.
    Person,
}

impl Take {
    fn takes(self, field: Field) -> bool {
        let who = [
            Field::Phone,
            Field::WhatsAppId,
            Field::FullName,
            Field::FirstName,
            Field::LastName,
            Field::Email,
        ];
        match self {
            Self::All | Self::Tool => true,
            Self::Result => !who.contains(&field) && field != Field::Notes,
            Self::Person => who.contains(&field),
        }
    }
}

/// One way in which an object told the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StartFound {
    /// In one value.
    Whole(Found),
    /// Day and clock apart.
    Apart(Found, Found),
}

/// What was found of one booking so far.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    pub(super) fields: BTreeMap<Field, Found>,
    pub(super) starts: Vec<StartFound>,
    pub(super) by_person: Vec<String>,
    pub(super) unknown: Vec<String>,
    /// Where a missing field would stand.
    pub(super) home: Option<Place>,
    named: bool,
    start_is_set: bool,
    /// The half of a start that the field map gave: the other half is whatever else tells it.
    half: Option<Half>,
    /// Fields that a body's own names tell no more: a person or the field map told their like.
    closed: BTreeSet<Field>,
}

/// One half of a start.
#[derive(Clone, Debug)]
enum Half {
    Date(Found),
    Time(Found),
}

impl Draft {
    /// A draft that begins with what a person supplied, by the names of `UnifiedBookingData`: it
    /// stands before everything that a body says. An empty value takes the body's away.
    #[must_use]
    pub fn corrected(overrides: &BTreeMap<String, String>) -> Self {
        let mut draft = Self::default();
        for (name, value) in overrides {
            match settable(name) {
                Some(field) => draft.set(field, value),
                // Whose event it is was decided before it is read.
                None if name == "tenantId" => {}
                None => draft.unknown.push(name.clone()),
            }
        }
        draft
    }

    /// The same draft, with the place where a missing field is reported; without one that is the
    /// first object added.
    #[must_use]
    pub fn at(mut self, place: &Place) -> Self {
        self.home = Some(place.clone());
        self
    }

    /// Adds what the field map finds: it stands before everything that is known by its name only.
    #[must_use]
    pub fn mapped(mut self, map: Option<&FieldMap>, document: &Document<'_>) -> Self {
        let Some(map) = map else { return self };
        let mut found = map.find(document);
        found.retain(|field, _| !self.closed.contains(field));
        self.map_starts(&mut found);
        self.add_name(&mut found);
        for (field, value) in found {
            self.closed.extend(rivals(field));
            self.fields.entry(field).or_insert(value);
        }
        self
    }

    /// Adds what an object tells; what an earlier one told of a field stays.
    pub fn add(&mut self, object: &Map<String, Value>, place: &Place, take: Take) {
        self.home.get_or_insert_with(|| place.clone());
        let mut found = best_of(object, place, take);
        found.retain(|field, _| !self.closed.contains(field));
        self.add_starts(&mut found);
        self.add_name(&mut found);
        for (field, value) in found {
            self.fields.entry(field).or_insert(value);
        }
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, field: Field) -> Option<&Found> {
        self.fields.get(&field)
    }

    /// True when anything was said of the start.
    #[must_use]
    pub fn has_start(&self) -> bool {
        !self.starts.is_empty()
    }

    /// True when anything was said of the start within this object.
    #[must_use]
    pub fn has_start_in(&self, place: &Place) -> bool {
        let within = |found: &Found| found.pointer.starts_with(place.pointer());
        self.starts.iter().any(|start| match start {
            StartFound::Whole(found) => within(found),
            StartFound::Apart(date, time) => within(date) || within(time),
        })
    }

    /// What is mapped is where the start is: nothing else is looked at, but for the other half of
    /// a half.
    fn map_starts(&mut self, found: &mut BTreeMap<Field, Found>) {
        let mut take = |field| found.remove(&field);
        let told = (take(Field::Start), take(Field::Date), take(Field::Time));
        if self.start_is_set {
            return;
        }
        let (start, date, time) = told;
        self.start_is_set = start.is_some() || (date.is_some() && time.is_some());
        self.starts.extend(start.map(StartFound::Whole));
        match (date, time) {
            (Some(date), Some(time)) => self.starts.push(StartFound::Apart(date, time)),
            (Some(date), None) if !self.start_is_set => {
                self.starts.push(StartFound::Whole(date.clone()));
                self.half = Some(Half::Date(date));
            }
            (None, Some(time)) if !self.start_is_set => {
                self.starts.push(StartFound::Whole(time.clone()));
                self.half = Some(Half::Time(time));
            }
            _ => {}
        }
    }

    fn set(&mut self, field: Field, value: &str) {
        self.closed.extend(rivals(field));
        let raw = Raw::Text(value.trim().to_owned());
        let found = Found { pointer: String::new(), raw };
        self.by_person.push(stored_name(field).to_owned());
        if field == Field::Start {
            self.start_is_set = true;
            self.starts =
                if value.trim().is_empty() { vec![] } else { vec![StartFound::Whole(found)] };
        } else {
            self.fields.insert(field, found);
        }
    }

    /// Day and clock belong together: they are never taken from two objects.
    fn add_starts(&mut self, found: &mut BTreeMap<Field, Found>) {
        let mut take = |field| found.remove(&field);
        let told = (take(Field::Start), take(Field::Date), take(Field::Time));
        if self.start_is_set {
            return;
        }
        match (told, self.half.clone()) {
            ((start, _, time), Some(Half::Date(date))) => {
                let time = time.or(start).map(|time| StartFound::Apart(date, time));
                self.starts.extend(time);
            }
            ((start, date, _), Some(Half::Time(time))) => {
                let date = date.or(start).map(|date| StartFound::Apart(date, time));
                self.starts.extend(date);
            }
            (told, None) => self.add_told_starts(told),
        }
    }

    fn add_told_starts(&mut self, told: (Option<Found>, Option<Found>, Option<Found>)) {
        match told {
            (Some(start), None, None) => self.starts.push(StartFound::Whole(start)),
            (Some(start), date, time) => {
                self.starts.push(StartFound::Whole(start.clone()));
                // A member named like a start often holds only one half of it.
                let date = date.unwrap_or_else(|| start.clone());
                self.starts.push(StartFound::Apart(date, time.unwrap_or(start)));
            }
            (None, Some(date), Some(time)) => self.starts.push(StartFound::Apart(date, time)),
            (None, Some(half), None) | (None, None, Some(half)) => {
                self.starts.push(StartFound::Whole(half));
            }
            (None, None, None) => {}
        }
    }

    /// First and last name belong together too; one string for both is split.
    fn add_name(&mut self, found: &mut BTreeMap<Field, Found>) {
        let full = found.remove(&Field::FullName);
        let has_parts =
            found.contains_key(&Field::FirstName) || found.contains_key(&Field::LastName);
        if let Some((full, text)) = full.as_ref().and_then(|f| Some((f, f.raw.text()?)))
            && !has_parts
        {
            let part = |text: String| Found { pointer: full.pointer.clone(), raw: Raw::Text(text) };
            let (first, last) = split_name(text);
            found.insert(Field::FirstName, part(first));
            found.extend(last.map(|last| (Field::LastName, part(last))));
        }
        if self.named {
            found.remove(&Field::FirstName);
            found.remove(&Field::LastName);
        }
        self.named |= has_parts || full.is_some();
    }
}

/// The fields that tell the like of this one: where it is settled, they have no say.
fn rivals(field: Field) -> &'static [Field] {
    const BOOKING: &[Field] = &[Field::PhorestBooking, Field::ExternalBooking, Field::Reference];
    match field {
        Field::Service => &[Field::Service, Field::Reason],
        Field::PhorestBooking | Field::ExternalBooking => BOOKING,
        Field::PhorestClient | Field::ExternalClient => {
            &[Field::PhorestClient, Field::ExternalClient]
        }
        Field::PhorestBusiness | Field::Business => &[Field::PhorestBusiness, Field::Business],
        Field::PhorestBranch | Field::Branch => &[Field::PhorestBranch, Field::Branch],
        _ => &[],
    }
}

/// Of each field the value under its best alias that says anything.
fn best_of(object: &Map<String, Value>, place: &Place, take: Take) -> BTreeMap<Field, Found> {
    let mut best: BTreeMap<Field, (usize, Found)> = BTreeMap::new();
    let in_tool = matches!(take, Take::Tool | Take::Result);
    // A name longer than any is none; its pointer would be as long.
    for (key, value) in object.iter().filter(|(key, _)| key.len() <= json::MAX_ID) {
        let known = field_of(&normalise(key), in_tool).filter(|(field, _)| take.takes(*field));
        let Some(((field, rank), raw)) = known.zip(Raw::of(value)) else {
            continue;
        };
        if best.get(&field).is_none_or(|(other, _)| rank < *other) {
            best.insert(field, (rank, Found { pointer: place.of(key), raw }));
        }
    }
    best.into_iter().map(|(field, (_, found))| (field, found)).collect()
}

/// The name under which a booking keeps what was set.
fn stored_name(field: Field) -> &'static str {
    match field {
        Field::PhorestClient => Field::ExternalClient.name(),
        Field::PhorestBusiness => Field::Business.name(),
        Field::PhorestBranch => Field::Branch.name(),
        Field::PhorestBooking => Field::ExternalBooking.name(),
        other => other.name(),
    }
}
