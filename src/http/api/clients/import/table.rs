//! Reading CSV as people's programs write it.

use super::records::Records;
use crate::http::problem::Problem;
use actix_web::http::StatusCode;
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

/// A table, read row by row.
pub(super) struct Sheet<'a> {
    records: Records<'a>,
    columns: Vec<Option<Column>>,
    headings: Vec<(Column, String)>,
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
    /// Why none of its cells can be trusted.
    pub(super) fault: Option<&'static str>,
}

impl Sheet<'_> {
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

    /// The next row.
    pub(super) fn read(&mut self) -> Option<Line> {
        let mut record = self.records.read()?;
        let cells = std::mem::take(&mut record.cells);
        let is_too_long = cells.iter().skip(self.columns.len()).any(|cell| !cell.trim().is_empty());
        let cells = self.columns.iter().zip(cells);
        let cells = cells.filter_map(|(column, cell)| Some(((*column)?, cell)));
        let mut line =
            Line { number: record.line, cells: cells.collect(), is_too_long, fault: record.fault };
        let breaks = |(column, cell): &(Column, String)| {
            *column != Column::Known && cell.trim().contains(['\r', '\n'])
        };
        if line.cells.iter().any(breaks) {
            // A quote too many makes one cell of several rows: they are read by themselves.
            line.fault = Some("there is a line break within a cell: it may lack a closing quote");
            self.records.go_behind(&record);
        }
        Some(line)
    }
}

/// Opens a table; 400 for what is none, 422 for headings that don't do.
pub(super) fn open(bytes: &[u8]) -> Result<Sheet<'_>, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| {
        unreadable("the table is not UTF-8: save it as \"CSV UTF-8 (comma delimited)\"")
    })?;
    let text = text.trim_start_matches('\u{feff}');
    let (text, delimiter, line) = match said_delimiter(text) {
        Some((delimiter, rest)) => (rest, delimiter, 2),
        None => (text, delimiter(text), 1),
    };
    let mut records = Records::new(text, delimiter, line);
    let none = || unreadable("the table is empty: its first line has the headings");
    let first = records.read().ok_or_else(none)?;
    if let Some(fault) = first.fault {
        return Err(unreadable(&format!("the headings can't be read: {fault}")));
    }
    let (columns, ignored) = columns(&first.cells)?;
    let named = columns.iter().zip(&first.cells);
    let headings = named.filter_map(|(column, heading)| Some(((*column)?, heading.clone())));
    let headings = headings.collect();
    Ok(Sheet { records, columns, headings, ignored })
}

fn unreadable(detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "csv_unreadable", detail)
}

/// The delimiter that Excel's own first line names (`sep=;`), and the lines behind it.
fn said_delimiter(text: &str) -> Option<(u8, &str)> {
    let end = text.find(['\r', '\n'])?;
    let (first, rest) = text.split_at_checked(end)?;
    let said = first.trim_matches('"').strip_prefix("sep=")?;
    let [delimiter @ (b',' | b';' | b'\t' | b'|')] = said.as_bytes() else { return None };
    Some((*delimiter, rest.strip_prefix("\r\n").or(rest.get(1..))?))
}

/// What stands between the headings: in much of Europe that is a semicolon.
fn delimiter(text: &str) -> u8 {
    let first = text.lines().next().unwrap_or_default();
    // Every second piece is within quotes.
    let outside = || first.split('"').step_by(2).flat_map(str::bytes);
    let count = |letter: u8| outside().filter(|byte| *byte == letter).count();
    let all = [b',', b';', b'\t'];
    all.into_iter().rev().max_by_key(|letter| count(*letter)).unwrap_or(b',')
}

/// What each column is for, and the headings that are not known.
fn columns(headings: &[String]) -> Result<(Vec<Option<Column>>, Vec<String>), Problem> {
    let (mut columns, mut ignored, mut taken) = (Vec::new(), Vec::new(), BTreeSet::new());
    for heading in headings {
        let plain: String = heading.chars().filter(|c| c.is_alphanumeric()).collect();
        let plain = plain.to_lowercase();
        let found = HEADINGS.iter().find(|(names, _)| names.contains(&plain.as_str()));
        let column = found.map(|(_, column)| *column);
        if column.is_none() && !plain.is_empty() {
            ignored.push(heading.chars().take(100).collect());
        }
        let fields = match column {
            Some(Column::Field(name) | Column::Word(name)) => vec![name],
            Some(Column::Name) => vec!["firstName", "lastName"],
            Some(Column::Known) | None => Vec::new(),
        };
        for name in fields {
            if !taken.insert(name) {
                let detail = format!("two columns are {name}: leave one of them out");
                return Err(Problem::member(name, "column_twice", &detail));
            }
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
            "sep=;\r\nphone;firstName\r\n1;Áine\r\n",
            "\"phone\";\"firstName\";\"a,b,c,d\"\n1;Áine\n",
        ] {
            let text = text.replace("Mobile No", "Mobile");
            let cells = open(text.as_bytes()).unwrap().read().unwrap().cells;
            let expected = [
                (Column::Field("phone"), "1".to_owned()),
                (Column::Field("firstName"), "Áine".to_owned()),
            ];
            assert_eq!(cells.as_slice(), expected, "{text}");
        }
    }

    #[test]
    fn lines_are_counted_as_an_editor_does() {
        let text = "sep=,\nphone,name,notes\n1,x,\"a\nb\"\n\n2,c,d,e\n,\n3,e\n4,\"f\ng\",h\n5\n";
        let mut sheet = open(text.as_bytes()).unwrap();
        let lines = std::iter::from_fn(|| sheet.read());
        let lines = lines.map(|line| (line.number, line.is_too_long, line.fault.is_some()));
        let expected = [
            (3, false, false),
            (6, true, false),
            (8, false, false),
            (9, false, true),
            (10, false, true),
            (11, false, false),
        ];
        assert_eq!(lines.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_field_stands_under_one_heading() {
        for headings in
            ["phone,mobile", "phone,name,Full name", "phone,name,client", "phone,name,surname"]
        {
            assert!(open(headings.as_bytes()).is_err(), "{headings}");
        }
        assert!(open(b"phone,first name,surname,name of the cat").is_ok());
    }
}
