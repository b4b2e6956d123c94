//! Cells of a table, and how CSV writes them.

use crate::domain::money::{Currency, Money};
use crate::http::problem::Problem;
use crate::storage;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use csv::{Terminator, Writer, WriterBuilder};
use serde_json::Number;
use std::borrow::Cow;
use uuid::Uuid;

/// What tells a program that a file is UTF-8: without it, Excel reads it in the machine's own
/// code page and every accent is lost.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    /// Text that anybody may have written.
    Text(String),
    /// A phone in E.164, which begins with `+` and is no formula.
    Phone(String),
    /// A number.
    Number(Number),
    /// Nothing.
    Empty,
}

impl Cell {
    /// Text, where there is some.
    pub(super) fn text(text: Option<String>) -> Self {
        text.filter(|text| !text.is_empty()).map_or(Self::Empty, Self::Text)
    }

    /// A phone, where there is one.
    pub(super) fn phone(phone: Option<String>) -> Self {
        phone.map_or(Self::Empty, Self::Phone)
    }

    /// An id, where there is one.
    pub(super) fn id(id: Uuid) -> Self {
        Self::Text(id.to_string())
    }

    /// A whole number, where there is one.
    pub(super) fn count(number: Option<i64>) -> Self {
        number.map_or(Self::Empty, |number| Self::Number(number.into()))
    }

    /// A time as the tenant's clocks show it, with the offset from UTC.
    pub(super) fn time(at: Option<DateTime<Utc>>, zone: Tz) -> Self {
        let text = |at: DateTime<Utc>| at.with_timezone(&zone);
        let text = at.map(|at| text(at).to_rfc3339_opts(SecondsFormat::AutoSi, false));
        text.map_or(Self::Empty, Self::Text)
    }

    /// An amount as a decimal number.
    pub(super) fn amount(minor: Option<i64>, currency: Option<&str>) -> Result<Self, Problem> {
        let Some(minor) = minor else { return Ok(Self::Empty) };
        let currency = currency.and_then(Currency::parse);
        let unknown = storage::Error::Inconsistent { table: "bookings", column: "currency" };
        let currency = currency.ok_or_else(|| Problem::internal(&unknown))?;
        Ok(Self::Number(Money { minor, currency }.to_number()))
    }

    /// As CSV has it.
    fn csv(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => harmless(text),
            Self::Phone(phone) => Cow::Borrowed(phone),
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Empty => Cow::Borrowed(""),
        }
    }
}

/// What a spreadsheet would take for the beginning of a formula.
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r'])
        // The same letters at full width, which some programs take alike.
        || text.starts_with(['＝', '＋', '－', '＠'])
}

/// Text that no spreadsheet computes: an apostrophe before what looks like a formula. One that
/// stands there already gets another, so that taking one off gives back what was written.
pub(super) fn harmless(text: &str) -> Cow<'_, str> {
    if is_formula(text.trim_start_matches('\'')) {
        return Cow::Owned(format!("'{text}"));
    }
    Cow::Borrowed(text)
}

/// What [`harmless`] was given.
pub(in crate::http::api) fn original(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if is_formula(rest.trim_start_matches('\'')) => rest,
        _ => text,
    }
}

/// Lines of a CSV file: commas, CRLF, quotes where they are needed (RFC 4180).
pub(super) struct Lines(Writer<Vec<u8>>);

impl Lines {
    /// The first lines of a file.
    pub(super) fn begin(headings: &[&str]) -> Result<Self, Problem> {
        let mut lines = Self::to(MARK.to_vec());
        lines.0.write_record(headings).map_err(|error| Problem::internal(&error))?;
        Ok(lines)
    }

    /// Further lines.
    pub(super) fn more() -> Self {
        Self::to(Vec::new())
    }

    fn to(bytes: Vec<u8>) -> Self {
        Self(WriterBuilder::new().terminator(Terminator::CRLF).from_writer(bytes))
    }

    /// Adds a row.
    pub(super) fn add(&mut self, row: &[Cell]) -> Result<(), Problem> {
        let cells = row.iter().map(Cell::csv);
        let done = self.0.write_record(cells.map(Cow::into_owned));
        done.map_err(|error| Problem::internal(&error))
    }

    /// The lines as bytes.
    pub(super) fn bytes(self) -> Result<Bytes, Problem> {
        self.0.into_inner().map(Bytes::from).map_err(|error| Problem::internal(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_formula_is_text_and_comes_back_as_it_was() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "'=1", "''-2"] {
            let safe = harmless(text);
            assert_eq!(safe, format!("'{text}"));
            assert_eq!(original(&safe), text);
        }
        for text in ["O'Brien", "'tis", "a=b", "", "'", "Áine"] {
            assert_eq!(harmless(text), text);
            assert_eq!(original(text), text);
        }
    }
}
