//! Many clients at once, from a table.

mod records;
mod table;

use super::super::exports::original;
use crate::domain::channel::{Channel, ClientStatus};
use crate::domain::problem::Problem as Fault;
use crate::domain::tenant::TenantSettings;
use crate::http::Shared;
use crate::http::extract::access::Records;
use crate::http::extract::body::Table;
use crate::http::extract::fields::Fields;
use crate::http::extract::query::Query;
use crate::http::openapi::{Repeatable, TenantPath, WriteRefusals};
use crate::http::problem::Problem;
use crate::tracking::hand::{By, NewClient};
use crate::tracking::importing::{self, Counts, Folded, Row, Stopped};
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Json};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use table::{Column, Line, Sheet};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// The most bad rows that are listed.
const LISTED: usize = 1000;

/// How a table is taken in.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct ImportQuery {
    /// True to see what would be done, without doing it.
    dry_run: Option<bool>,
}

/// What a table came to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Import)]
pub(in crate::http) struct ImportJson {
    /// Whether nothing of it was done.
    dry_run: bool,
    /// Clients that are new.
    created: u64,
    /// Rows by which a client changed.
    updated: u64,
    /// Rows that said nothing new.
    unchanged: u64,
    /// Rows that could not be read.
    failed: u64,
    /// One entry for each of them, at most 1000.
    errors: Vec<RowError>,
    /// Columns whose heading is not known; nothing of them was read.
    ignored_columns: Vec<String>,
}

/// Why a row was left out.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ImportError)]
struct RowError {
    /// The line of the file on which the row begins; headings stand on the first.
    line: u64,
    /// The heading of the first cell that is wrong.
    #[schema(example = "phone")]
    column: Option<String>,
    /// A stable word for programs.
    #[schema(example = "phone_invalid")]
    code: String,
    /// What is wrong with the row, and what would do.
    detail: String,
}

/// Makes or changes many clients, by their phones, from CSV of at most 10 MiB.
///
/// The first line has the headings: those of the export, or common ones (`mobile`, `surname`,
/// `e-mail`, …); `phone` is needed. An empty cell changes nothing; what is filled counts as set by
/// a person. Rows that can't be read are listed, and don't stop the others. Repeating the same
/// table changes nothing.
#[utoipa::path(
    post, path = "/api/platform/tenants/{tenantId}/clients/import", tag = "clients",
    operation_id = "importClients",
    params(TenantPath, ImportQuery, Repeatable),
    request_body(content = String, content_type = "text/csv",
        example = "phone,firstName,lastName,email\n087 123 4567,Áine,Byrne,aine@example.com\n"),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses((status = 200, description = "What it came to", body = ImportJson), WriteRefusals)
)]
pub(in crate::http) async fn import(
    access: Records,
    query: Query<ImportQuery>,
    body: Table,
    shared: Data<Shared>,
) -> Result<Json<ImportJson>, Problem> {
    let dry_run = query.dry_run.unwrap_or(false);
    let (tenant, now) = (access.tenant.clone(), shared.clock.now());
    let by = By { tenant: tenant.id, actor: access.by.actor(), now };
    let _only = Running::begin(tenant.id)?;
    // A large table takes seconds to read, in which this thread has others to serve.
    let read = web::block(move || Contents::read(&body.0, &tenant, now)).await;
    let read = read.map_err(|error| Problem::internal(&error))??;
    let done = importing::import(&shared.db, &by, &read.rows, dry_run).await;
    let Counts { created, updated, unchanged } = done.map_err(refusal)?;
    let Contents { failed, errors, ignored_columns, .. } = read;
    Ok(Json(ImportJson { dry_run, created, updated, unchanged, failed, errors, ignored_columns }))
}

/// Why a table was not taken in to its end.
fn refusal(stopped: Stopped) -> Problem {
    let Counts { created, updated, .. } = stopped.done;
    let Some(error) = stopped.error else {
        let detail = format!(
            "the tenant was deleted or disabled while its table was taken in; {created} clients \
             had been made and {updated} rows had changed one"
        );
        return Problem::new(StatusCode::NOT_FOUND, "not_found", &detail);
    };
    if created + updated == 0 || !(error.is_unavailable() || error.is_conflict()) {
        return error.into();
    }
    tracing::warn!(%error, "a table was not taken in to its end");
    let detail = format!(
        "the database is not available; {created} clients were made and {updated} rows changed \
         one before: send it again, what is done is unchanged then"
    );
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", &detail)
}

/// Tenants whose tables are taken in by this process: each holds up the others' writers for a
/// while, and whoever hangs up and sends it again would only be slower for it.
static RUNNING: Mutex<BTreeSet<Uuid>> = Mutex::new(BTreeSet::new());

/// A tenant's only import, until it is dropped.
struct Running(Uuid);

impl Running {
    fn begin(tenant: Uuid) -> Result<Self, Problem> {
        let is_first = RUNNING.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant);
        is_first.then_some(Self(tenant)).ok_or_else(|| {
            let detail = "a table of this tenant is being taken in: send this one when that is \
                          done; rows that are repeated change nothing";
            Problem::conflict("import_running", detail)
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// What a table says.
struct Contents {
    rows: Vec<Row>,
    failed: u64,
    errors: Vec<RowError>,
    ignored_columns: Vec<String>,
}

impl Contents {
    /// Reads a whole table. Rows of one phone are one.
    fn read(bytes: &[u8], tenant: &TenantSettings, now: DateTime<Utc>) -> Result<Self, Problem> {
        let mut sheet = table::open(bytes)?;
        let (mut rows, mut failed, mut errors) = (Folded::default(), 0, Vec::new());
        while let Some(line) = sheet.read() {
            match read(&line, tenant, now) {
                Ok(row) => rows.add(row),
                Err(faults) => {
                    failed += 1;
                    if errors.len() < LISTED {
                        errors.push(row_error(&sheet, &line, &faults));
                    }
                }
            }
        }
        Ok(Self { rows: rows.into_rows(), failed, errors, ignored_columns: sheet.ignored })
    }
}

/// What a line says, by the same rules as a body.
fn read(line: &Line, tenant: &TenantSettings, now: DateTime<Utc>) -> Result<NewClient, Vec<Fault>> {
    let mut fields = Fields::new(members(line));
    if let Some(fault) = line.fault {
        fields.fault("phone", "quote_invalid", fault);
        return Err(fields.into_faults());
    }
    fields.require("phone");
    if line.is_too_long {
        let detail = "the row has more cells than there are headings: quote cells with commas";
        fields.fault("phone", "row_too_long", detail);
    }
    let phone = fields.phone("phone", tenant.default_region).value();
    let first_name = fields.name("firstName").value();
    let last_name = fields.name("lastName").value();
    let email = fields.email("email").value();
    let source = fields.word::<Channel>("firstInteractionSource").value();
    let first_interaction_at = fields.past("firstInteractionDate", tenant, now).value();
    let first_booking_at = fields.time("firstBookingDate", tenant).value();
    let status = fields.word::<ClientStatus>("status").value();
    let faults = fields.into_faults();
    match phone {
        Some(phone) if faults.is_empty() => Ok(NewClient {
            phone,
            first_name,
            last_name,
            email,
            source,
            first_interaction_at,
            first_booking_at,
            status,
        }),
        _ => Err(faults),
    }
}

/// The cells of a line that say something, by the names that the API has for them.
fn members(line: &Line) -> Map<String, Value> {
    let mut members = Map::new();
    for (column, cell) in &line.cells {
        // A NUL in a text is dropped, as everywhere.
        let cell = original(cell.trim()).trim().replace('\0', "");
        if cell.is_empty() {
            continue;
        }
        match column {
            Column::Name => {
                let (first, last) = cell.rsplit_once(char::is_whitespace).unwrap_or((&cell, ""));
                for (name, part) in [("firstName", first), ("lastName", last)] {
                    if !part.is_empty() {
                        members.entry(name).or_insert_with(|| part.trim().into());
                    }
                }
            }
            Column::Word(name) => {
                drop(members.insert((*name).to_owned(), cell.to_lowercase().into()));
            }
            Column::Field(name) => drop(members.insert((*name).to_owned(), cell.into())),
            Column::Known => {}
        }
    }
    members
}

fn row_error(sheet: &Sheet<'_>, line: &Line, faults: &[Fault]) -> RowError {
    let column = |fault: &Fault| fault.pointer.trim_start_matches('/').to_owned();
    let sentence = |fault: &Fault| format!("{}: {}", column(fault), fault.detail);
    let first = faults.first();
    RowError {
        line: line.number,
        column: first.map(column).map(|name| sheet.heading(&name)),
        code: first.map(|fault| fault.code.clone()).unwrap_or_default(),
        detail: faults.iter().map(sentence).collect::<Vec<_>>().join("; "),
    }
}
