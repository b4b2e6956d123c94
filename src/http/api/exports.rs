//! Lists as files for a spreadsheet: every row that the list would show on all its pages.

pub(in crate::http) mod bookings;
mod cells;
pub(in crate::http) mod clients;
mod workbook;

pub(in crate::http::api) use cells::original;

use crate::domain::tenant::TenantSettings;
use crate::http::problem::Problem;
use crate::http::stream::{self, Pieces, Saved};
use actix_web::HttpResponse;
use bytes::Bytes;
use cells::{Cell, Lines};
use chrono::{DateTime, Utc};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

/// The rows of a list, page by page.
trait Rows: 'static {
    /// The headings of the columns: the names that the API has for the fields.
    const HEADINGS: &'static [&'static str];

    /// The next rows; none when all were read.
    async fn next(&mut self) -> Result<Vec<Vec<Cell>>, Problem>;
}

/// What a file is to be called, up to the point.
fn name(tenant: &TenantSettings, noun: &str, now: DateTime<Utc>) -> String {
    let today = now.with_timezone(&tenant.timezone).format("%Y-%m-%d");
    format!("{}-{noun}-{today}", tenant.slug)
}

/// The rows as CSV, as they are read.
async fn csv(rows: impl Rows, name: String) -> Result<HttpResponse, Problem> {
    let saved = Saved { media_type: "text/csv; charset=utf-8", name, is_packed: false };
    stream::answer(saved, Csv { rows, is_begun: false }).await
}

/// The rows as an Excel workbook, once it is whole.
async fn xlsx(rows: impl Rows, name: String) -> Result<HttpResponse, Problem> {
    let file = workbook::write(rows).await?;
    let media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    stream::answer(Saved { media_type, name, is_packed: true }, file).await
}

struct Csv<R> {
    rows: R,
    is_begun: bool,
}

impl<R: Rows> Pieces for Csv<R> {
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        let rows = self.rows.next().await?;
        if rows.is_empty() && self.is_begun {
            return Ok(None);
        }
        let mut lines = if self.is_begun { Lines::more() } else { Lines::begin(R::HEADINGS)? };
        self.is_begun = true;
        for row in &rows {
            lines.add(row)?;
        }
        lines.bytes().map(Some)
    }
}

/// The parameters of a list without those of its pages.
struct Unpaged<Q>(std::marker::PhantomData<Q>);

impl<Q: IntoParams> IntoParams for Unpaged<Q> {
    fn into_params(inside: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let paged = |parameter: &Parameter| ["limit", "cursor"].contains(&parameter.name.as_str());
        Q::into_params(inside).into_iter().filter(|parameter| !paged(parameter)).collect()
    }
}

/// Refuses a parameter of pages: a file has all rows.
fn refuse_page(paged: Option<&str>) -> Result<(), Problem> {
    let Some(name) = paged else { return Ok(()) };
    let detail = "an export has every row: leave limit and cursor out";
    Err(Problem::bad_query(name, "query_invalid", detail))
}
