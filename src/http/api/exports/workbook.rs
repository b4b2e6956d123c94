//! Excel workbooks, written row by row to a file that is gone when it was sent.

use super::Rows;
use super::cells::Cell;
use crate::http::problem::Problem;
use crate::http::stream::Pieces;
use bytes::Bytes;
use rust_xlsxwriter::{Workbook, XlsxError};
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

/// The most rows that a sheet has, headings among them.
const LONGEST: u32 = 1_048_576;

/// The most characters that a cell of a workbook has.
const WIDEST: usize = 32_767;

/// How much of the file is sent at once.
const PIECE: usize = 64 * 1024;

/// What the writer is told.
enum Told {
    Rows(Vec<Vec<Cell>>),
    /// All rows were told. Without this word the file is given up.
    End,
}

/// Why no workbook came of it.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("a workbook could not be written: {0}")]
    Workbook(#[from] XlsxError),
    #[error("a temporary file could not be used: {0}")]
    File(#[from] io::Error),
    #[error("the rows broke off")]
    BrokeOff,
}

/// The workbook of these rows. Only a page of them is held at a time; the writing has a thread of
/// its own.
pub(super) async fn write<R: Rows>(mut rows: R) -> Result<Sent, Problem> {
    let (tell, told) = mpsc::channel(2);
    let writing = spawn_blocking(move || listen(R::HEADINGS, told));
    loop {
        let page = rows.next().await?;
        let is_end = page.is_empty();
        let word = if is_end { Told::End } else { Told::Rows(page) };
        // A writer that is gone has failed: it says below why.
        if tell.send(word).await.is_err() || is_end {
            break;
        }
    }
    let file = writing.await.map_err(|error| Problem::internal(&error))?;
    Ok(Sent(Some(file.map_err(|error| Problem::internal(&error))?)))
}

/// Writes what it is told.
fn listen(headings: &[&str], mut told: mpsc::Receiver<Told>) -> Result<File, Failure> {
    let (mut book, mut row) = (Workbook::new(), LONGEST);
    begin(&mut book, headings, &mut row)?;
    loop {
        match told.blocking_recv() {
            Some(Told::Rows(rows)) => {
                for cells in &rows {
                    if row == LONGEST {
                        begin(&mut book, headings, &mut row)?;
                    }
                    add(&mut book, row, cells)?;
                    row += 1;
                }
            }
            Some(Told::End) => break,
            None => return Err(Failure::BrokeOff),
        }
    }
    let mut file = tempfile::tempfile()?;
    book.save_to_writer(&mut file)?;
    file.rewind()?;
    Ok(file)
}

/// Begins a sheet.
fn begin(book: &mut Workbook, headings: &[&str], row: &mut u32) -> Result<(), XlsxError> {
    let sheet = book.add_worksheet_with_constant_memory()?;
    for (column, heading) in (0..).zip(headings) {
        sheet.write_string(0, column, *heading)?;
    }
    *row = 1;
    Ok(())
}

/// Adds a row to the last sheet. Text is written as text: nothing in it is computed.
fn add(book: &mut Workbook, row: u32, cells: &[Cell]) -> Result<(), XlsxError> {
    let last = book.worksheets().len().saturating_sub(1);
    let sheet = book.worksheet_from_index(last)?;
    for (column, cell) in (0..).zip(cells) {
        match cell {
            Cell::Text(text) | Cell::Phone(text) => sheet.write_string(row, column, fit(text))?,
            Cell::Number(number) => {
                sheet.write_number(row, column, number.as_f64().unwrap_or_default())?
            }
            Cell::Empty => continue,
        };
    }
    Ok(())
}

fn fit(text: &str) -> String {
    text.chars().take(WIDEST).collect()
}

/// A file that is sent, piece by piece.
pub(super) struct Sent(Option<File>);

impl Pieces for Sent {
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        let Some(mut file) = self.0.take() else { return Ok(None) };
        let read = spawn_blocking(move || {
            let mut piece = Vec::with_capacity(PIECE);
            let limit = u64::try_from(PIECE).unwrap_or(u64::MAX);
            let read = file.by_ref().take(limit).read_to_end(&mut piece);
            read.map(|_| (file, piece))
        });
        let read = read.await.map_err(|error| Problem::internal(&error))?;
        let (file, piece) = read.map_err(|error| Problem::internal(&error))?;
        if piece.is_empty() {
            return Ok(None);
        }
        self.0 = Some(file);
        Ok(Some(Bytes::from(piece)))
    }
}
