//! The records of a CSV text, quoted as RFC 4180 has it.
//!
//! A quote that does not end where it should would take the rows behind it into its cell. So what
//! is not quoted well is one bad row, the line on which it begins, and reading goes on behind that.

/// A row as it stands.
pub(super) struct Record {
    /// The line on which it begins.
    pub(super) line: u64,
    /// Its cells; none where it has a fault.
    pub(super) cells: Vec<String>,
    /// What is wrong with its quotes.
    pub(super) fault: Option<&'static str>,
    /// Where its first line ends.
    next_line: usize,
}

/// Reads record after record.
pub(super) struct Records<'a> {
    text: &'a str,
    delimiter: u8,
    at: usize,
    line: u64,
}

impl<'a> Records<'a> {
    /// Those of a text, the first of which is on this line.
    pub(super) fn new(text: &'a str, delimiter: u8, line: u64) -> Self {
        Self { text, delimiter, at: 0, line }
    }

    /// The next row that has anything in it; the line alone where its quotes are wrong.
    pub(super) fn read(&mut self) -> Option<Record> {
        loop {
            let (begin, line) = (self.at, self.line);
            if begin >= self.text.len() {
                return None;
            }
            let next_line = begin + line_length(self.rest());
            let (cells, fault) = match self.cells() {
                Ok(cells) => (cells, None),
                Err(fault) => (Vec::new(), Some(fault)),
            };
            let is_empty = fault.is_none() && cells.iter().all(|cell| cell.trim().is_empty());
            let record = Record { line, cells, fault, next_line };
            if fault.is_some() {
                self.go_behind(&record);
            } else {
                let passed = self.text.get(begin..self.at).unwrap_or_default();
                self.line = line + line_ends(passed);
            }
            if !is_empty {
                return Some(record);
            }
        }
    }

    /// Goes on behind the record's first line.
    pub(super) fn go_behind(&mut self, record: &Record) {
        self.at = record.next_line;
        self.line = record.line + 1;
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn cells(&mut self) -> Result<Vec<String>, &'static str> {
        let mut cells = Vec::new();
        loop {
            cells.push(if self.rest().starts_with('"') { self.quoted()? } else { self.plain()? });
            let rest = self.rest().as_bytes();
            match rest.first() {
                Some(byte) if *byte == self.delimiter => self.at += 1,
                Some(b'\r') if rest.get(1) == Some(&b'\n') => self.at += 2,
                Some(b'\r' | b'\n') => self.at += 1,
                Some(_) => return Err("there is text behind a closing quote"),
                None => return Ok(cells),
            }
            if rest.first() != Some(&self.delimiter) {
                return Ok(cells);
            }
        }
    }

    fn plain(&mut self) -> Result<String, &'static str> {
        let delimiter = char::from(self.delimiter);
        let rest = self.rest();
        let end = rest.find([delimiter, '\r', '\n']).unwrap_or(rest.len());
        let cell = rest.get(..end).unwrap_or_default();
        self.at += end;
        if cell.contains('"') {
            return Err("there is a quote within a cell that does not begin with one: put the \
                        cell in quotes and write it twice");
        }
        Ok(cell.to_owned())
    }

    fn quoted(&mut self) -> Result<String, &'static str> {
        let mut cell = String::new();
        self.at += 1;
        loop {
            let (part, _) =
                self.rest().split_once('"').ok_or("a quote is opened and never closed")?;
            cell.push_str(part);
            self.at += part.len() + 1;
            if !self.rest().starts_with('"') {
                return Ok(cell);
            }
            cell.push('"');
            self.at += 1;
        }
    }
}

/// The length of the first line, with its end.
fn line_length(text: &str) -> usize {
    let Some(end) = text.find(['\r', '\n']) else { return text.len() };
    let is_pair = text.get(end..).is_some_and(|rest| rest.starts_with("\r\n"));
    end + if is_pair { 2 } else { 1 }
}

/// How many lines end in the text.
fn line_ends(text: &str) -> u64 {
    let feeds = text.bytes().filter(|byte| *byte == b'\n').count();
    let returns = text.matches('\r').count() - text.matches("\r\n").count();
    u64::try_from(feeds + returns).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(u64, Vec<String>)> {
        let mut records = Records::new(text, b',', 1);
        std::iter::from_fn(|| records.read()).map(|record| (record.line, record.cells)).collect()
    }

    fn row(line: u64, cells: &[&str]) -> (u64, Vec<String>) {
        (line, cells.iter().map(|cell| (*cell).to_owned()).collect())
    }

    #[test]
    fn what_is_quoted_well_is_read() {
        let text = "a,\"b\"\"c,\nd\",\r\n\r\n\"\",e\r,\n f ,g\n\"h\"";
        let expected = [
            row(1, &["a", "b\"c,\nd", ""]),
            row(4, &["", "e"]),
            row(6, &[" f ", "g"]),
            row(7, &["h"]),
        ];
        assert_eq!(read(text), expected);
        assert_eq!(read(""), []);
        assert_eq!(read("\n\n,\n"), []);
    }

    #[test]
    fn what_is_not_takes_no_other_row_with_it() {
        let text = "1,\"Ann\n2,Bea\n3,\"Cat\"x\n4,D\"e\n5,\"Eve\"\n6,\"Fay";
        let expected = [
            row(1, &[]),
            row(2, &["2", "Bea"]),
            row(3, &[]),
            row(4, &[]),
            row(5, &["5", "Eve"]),
            row(6, &[]),
        ];
        assert_eq!(read(text), expected);
    }
}
