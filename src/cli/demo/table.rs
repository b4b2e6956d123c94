//! The table of what became of everything, within 100 columns.

use super::deliver::Told;

/// Heading and width of each column: with two spaces between them 100 columns.
const COLUMNS: [(&str, usize); 6] = [
    ("source", 8),
    ("what was sent", 30),
    ("outcome", 13),
    ("client", 14),
    ("is", 5),
    ("booking, or reason", 20),
];

/// The table; what doesn't fit its column goes on below.
pub(super) fn of(told: &[Told]) -> String {
    let heading = row(&COLUMNS.map(|(name, _)| name.to_owned()));
    let rule = COLUMNS.map(|(_, width)| "-".repeat(width)).join("  ");
    let rows = told.iter().map(|told| row(&cells(told)));
    [heading, rule].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
}

fn cells(told: &Told) -> [String; 6] {
    let mark = if told.found_more() { "*" } else { "" };
    let differs = if told.is_as_expected() { "" } else { " (!)" };
    let is = told.is_new_client.map_or("", |new| if new { "new" } else { "known" });
    let what =
        if told.bookings.is_empty() { told.reason.clone() } else { told.bookings.join("\n") };
    [
        told.source.to_owned(),
        told.sent.clone(),
        format!("{}{mark}{differs}", told.outcome),
        told.client.clone(),
        is.to_owned(),
        what,
    ]
}

fn row(cells: &[String; 6]) -> String {
    let wrapped: Vec<(Vec<String>, usize)> =
        cells.iter().zip(COLUMNS).map(|(cell, (_, width))| (wrap(cell, width), width)).collect();
    let height = wrapped.iter().map(|(lines, _)| lines.len()).max().unwrap_or(0);
    let line = |number: usize| {
        let cell = |(lines, width): &(Vec<String>, usize)| {
            format!("{:<width$}", lines.get(number).map_or("", String::as_str))
        };
        wrapped.iter().map(cell).collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    (0..height).map(line).collect::<Vec<_>>().join("\n")
}

/// Text in lines of at most `width` characters, broken between words where that is possible.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let taken = line.chars().count();
            if taken > 0 && taken + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            while line.chars().count() > width {
                let rest = line.chars().skip(width).collect();
                lines.push(std::mem::replace(&mut line, rest).chars().take(width).collect());
            }
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_fits_a_hundred_columns_and_loses_nothing() {
        assert_eq!(COLUMNS.iter().map(|(_, width)| width + 2).sum::<usize>() - 2, 100);
        let long = "Call: an earlier booking moved to half past twelve".to_owned();
        let row = row(&[
            long.clone(),
            long,
            String::new(),
            "é".repeat(20),
            String::new(),
            "\u{1f600}".into(),
        ]);
        assert!(row.lines().all(|line| line.chars().count() <= 100), "{row}");
        assert_eq!(row.matches("twelve").count(), 2, "{row}");
        assert_eq!(row.matches('é').count(), 20);
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("aaaaaaaaaa b", 4), ["aaaa", "aaaa", "aa b"]);
        assert_eq!(wrap("", 4), [""; 0]);
    }
}
