//! Standard output: the one place that writes to it.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::io::{self, Write as _};

/// One result: names and values in the order in which people read them.
#[derive(Clone, Debug, Default)]
pub(super) struct Record(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    name: &'static str,
    value: Value,
    /// What people see of the value.
    shown: String,
}

impl Record {
    /// The record with one more value; nothing is added for a value that isn't there.
    pub(super) fn with(mut self, name: &'static str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).unwrap_or_default();
        if !value.is_null() {
            self.0.push(Entry { name, shown: text(&value), value });
        }
        self
    }

    /// The record with another text for people in place of the last value.
    pub(super) fn shown(mut self, shown: String) -> Self {
        if let Some(last) = self.0.last_mut() {
            last.shown = shown;
        }
        self
    }

    /// The value of this name as people read it; empty where there is none.
    pub(super) fn text(&self, name: &str) -> String {
        let found = self.0.iter().find(|entry| entry.name == name);
        found.map(|entry| entry.shown.clone()).unwrap_or_default()
    }

    /// The value of this name.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|entry| entry.name == name).map(|entry| &entry.value)
    }

    fn lines(&self) -> String {
        let row = |entry: &Entry| vec![entry.name.to_owned(), entry.shown.clone()];
        columns(&self.0.iter().map(row).collect::<Vec<_>>())
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|entry| (entry.name, &entry.value)))
    }
}

/// How results are printed: for people, or as JSON.
#[derive(Clone, Copy, Debug)]
pub(super) struct Printer {
    /// One JSON object or array, and nothing else.
    pub(super) json: bool,
}

impl Printer {
    /// Prints one result.
    pub(super) fn record(self, record: &Record) -> io::Result<()> {
        if self.json { value(record) } else { say(&record.lines()) }
    }

    /// Prints several results; people see these columns of them, and `none` when there are none.
    pub(super) fn list(self, records: &[Record], shown: &[&str]) -> io::Result<()> {
        if self.json {
            return value(&records);
        }
        if records.is_empty() {
            return say("none");
        }
        say(&table(records, shown))
    }
}

/// Prints one result as one line of JSON.
pub(super) fn line(record: &Record) -> io::Result<()> {
    let text = serde_json::to_string(record).map_err(io::Error::other)?;
    write(&format!("{text}\n"))
}

fn value(value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
    write(&format!("{text}\n"))
}

/// Prints text for people. What could steer a terminal is taken out: much of it was sent by others.
pub(super) fn say(text: &str) -> io::Result<()> {
    let plain: String = text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect();
    write(&format!("{}\n", plain.trim_end()))
}

/// Records as a table with a heading.
pub(super) fn table(records: &[Record], shown: &[&str]) -> String {
    let heading = shown.iter().map(|name| (*name).to_owned()).collect();
    let cells = |record: &Record| shown.iter().map(|name| record.text(name)).collect();
    let rows: Vec<Vec<String>> =
        std::iter::once(heading).chain(records.iter().map(cells)).collect();
    columns(&rows)
}

/// Rows with their columns aligned, two spaces apart.
pub(super) fn columns(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|c| c.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..rows.iter().map(Vec::len).max().unwrap_or(0)).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The members of an object, one a line.
pub(super) fn pairs(object: &Map<String, Value>) -> String {
    let row = |(name, value): (&String, &Value)| vec![name.clone(), text(value)];
    columns(&object.iter().map(row).collect::<Vec<_>>())
}

/// A value as people read it.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn steers(c: char) -> bool {
    c.is_control() && c != '\n' && c != '\t'
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_keeps_its_order_and_leaves_out_what_is_not_there() {
        let record = Record::default().with("slug", "glow").with("id", None::<i32>).with("a", [1]);
        assert_eq!(serde_json::to_string(&record).unwrap(), r#"{"slug":"glow","a":[1]}"#);
        assert_eq!(record.lines(), "slug  glow\na     1");
    }

    #[test]
    fn columns_are_aligned_by_characters() {
        let rows = [Record::default().with("name", "Áine").with("id", 1)];
        assert_eq!(table(&rows, &["name", "id"]), "name  id\nÁine  1");
    }
}
