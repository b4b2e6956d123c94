//! Reading CSV as people's programs write it.

use crate::http::problem::Problem;
use actix_web::http::StatusCode;
use csv::{ReaderBuilder, StringRecord};
use std::collections::BTreeSet;

/// What a column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// A field, by its name in the API.
    Field(&'static str),
    /// A field that takes a word of a list, in any case.
    Word(&'static str),
    /// First and last name in one.
    Name,
    /// One of the export's that nobody sets.
    Known,
}

/// The headings that are known, in small letters and digits alone, and what they mean.
const HEADINGS: &[(&[&str], Column)] = &[
    (
        &[
            "phone", "phonenumber", "mobile", "mobilenumber", "mobilephone", "telephone", "tel",
            "cell", "customerphone", "clientphone",
        ],
        Column::Field("phone"),
    ),
    (&["firstname", "forename", "givenname", "first"], Column::Field("firstName")),
    (&["lastname", "surname", "familyname", "last"], Column::Field("lastName")),
    (&["name", "fullname", "customername", "clientname", "customer", "client"], Column::Name),
    (&["email", "emailaddress", "mail", "customeremail", "clientemail"], Column::Field("email")),
    (&["firstinteractionsource", "source", "channel"], Column::Word("firstInteractionSource")),
    (
        &["firstinteractiondate", "firstcontact", "clientsince", "customersince"],
        Column::Field("firstInteractionDate"),
    ),
    (&["firstbookingdate", "firstbooking"], Column::Field("firstBookingDate")),
    (&["status"], Column::Word("status")),
    (
        &[
            "id", "whatsappid", "lastbookingdate", "bookings", "spent", "currency", "createdat",
            "updatedat",
        ],
        Column::Known,
    ),
];

/// A table.
pub(super) struct Sheet {
    /// Its rows.
    pub(super) lines: Vec<Line>,
    /// Headings that are not known.
    pub(super) ignored: Vec<String>,
}

/// A row.
pub(super) struct Line {
    /// The line on which it begins.
    pub(super) number: u64,
    /// The cells that are read.
    pub(super) cells: Vec<(Column, String)>,
    /// True when it has more cells than there are headings.
    pub(super) is_too_long: bool,
    headings: std::sync::Arc<Vec<(Column, String)>>,
}

impl Line {
    /// The heading under which a field stands; its name where it stands under none.
    pub(super) fn heading(&self, field: &str) -> String {
        let is_it = |column: &Column| match column {
            Column::Field(name) | Column::Word(name) => *name == field,
            Column::Name => ["firstName", "lastName"].contains(&field),
            Column::Known => false,
        };
        let found = self.headings.iter().find(|(column, _)| is_it(column));
        found.map_or_else(|| field.to_owned(), |(_, heading)| heading.clone())
    }
}

/// Reads a table; 400 for what is none, 422 for headings that don't do.
pub(super) fn read(bytes: &[u8]) -> Result<Sheet, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| {
        unreadable("the table is not UTF-8: save it as \"CSV UTF-8 (comma delimited)\"")
    })?;
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter(text))
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut records = reader.records();
    let none = || unreadable("the table is empty: its first line has the headings");
    let first = records.next().ok_or_else(none)?;
    let first = first.map_err(|error| unreadable(&error.to_string()))?;
    let (columns, ignored) = columns(&first)?;
    let named = columns.iter().zip(&first);
    let headings = named.filter_map(|(column, heading)| Some(((*column)?, heading.to_owned())));
    let headings = std::sync::Arc::new(headings.collect::<Vec<_>>());
    let mut lines = Vec::new();
    for record in records {
        let record = record.map_err(|error| unreadable(&error.to_string()))?;
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        let cells = columns.iter().zip(&record);
        let cells = cells.filter_map(|(column, cell)| Some(((*column)?, cell.to_owned())));
        lines.push(Line {
            number: record.position().map_or(0, csv::Position::line),
            cells: cells.collect(),
            is_too_long: record.iter().skip(columns.len()).any(|cell| !cell.trim().is_empty()),
            headings: std::sync::Arc::clone(&headings),
        });
    }
    Ok(Sheet { lines, ignored })
}

fn unreadable(detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "csv_unreadable", detail)
}

/// What stands between the headings: in much of Europe that is a semicolon.
fn delimiter(text: &str) -> u8 {
    let first = text.lines().next().unwrap_or_default();
    let count = |letter: u8| first.bytes().filter(|byte| *byte == letter).count();
    let all = [b',', b';', b'\t'];
    all.into_iter().rev().max_by_key(|letter| count(*letter)).unwrap_or(b',')
}

/// What each column is for, and the headings that are not known.
fn columns(headings: &StringRecord) -> Result<(Vec<Option<Column>>, Vec<String>), Problem> {
    let (mut columns, mut ignored, mut taken) = (Vec::new(), Vec::new(), BTreeSet::new());
    for heading in headings {
        let plain: String = heading.chars().filter(|c| c.is_alphanumeric()).collect();
        let plain = plain.to_lowercase();
        let found = HEADINGS.iter().find(|(names, _)| names.contains(&plain.as_str()));
        let column = found.map(|(_, column)| *column);
        match column {
            Some(Column::Field(name) | Column::Word(name)) if !taken.insert(name) => {
                let detail = format!("two columns are {name}: leave one of them out");
                return Err(Problem::member(name, "column_twice", &detail));
            }
            None if !plain.is_empty() => ignored.push(heading.chars().take(100).collect()),
            _ => {}
        }
        columns.push(column);
    }
    if !taken.contains("phone") {
        let detail = "no heading is phone: clients are found by it";
        return Err(Problem::member("phone", "required", detail));
    }
    Ok((columns, ignored))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_as_each_program_writes_it() {
        for text in [
            "\u{feff}Mobile No,First Name\n1,Áine\n",
            "Phone Number;Forename\r\n1;Áine\r\n",
            "tel\tGIVEN-NAME\n\n1\tÁine",
            "\"phone\",\"firstName\"\n\"1\",\"Áine\"",
        ] {
            let text = text.replace("Mobile No", "Mobile");
            let sheet = read(text.as_bytes()).unwrap();
            let cells = &sheet.lines.first().unwrap().cells;
            let expected = [
                (Column::Field("phone"), "1".to_owned()),
                (Column::Field("firstName"), "Áine".to_owned()),
            ];
            assert_eq!(cells.as_slice(), expected, "{text}");
        }
    }

    #[test]
    fn lines_are_counted_as_an_editor_does() {
        let text = "phone,name\n1,\"a\nb\"\n\n2,c,d\n,\n3,e\n";
        let sheet = read(text.as_bytes()).unwrap();
        let lines: Vec<_> =
            sheet.lines.iter().map(|line| (line.number, line.is_too_long)).collect();
        assert_eq!(lines, [(2, false), (5, true), (7, false)]);
    }
}
