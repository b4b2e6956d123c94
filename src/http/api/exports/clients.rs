//! The list of clients as a file.

use super::cells::Cell;
use super::{Rows, Unpaged, csv as as_csv, name, refuse_page, xlsx as as_xlsx};
use crate::domain::money::Currency;
use crate::domain::tenant::TenantSettings;
use crate::http::Shared;
use crate::http::api::clients::list::ClientQuery;
use crate::http::extract::access::Records;
use crate::http::extract::query::Query;
use crate::http::openapi::{Refusals, TenantPath};
use crate::http::problem::Problem;
use crate::storage::client_filter::{Filter, Place, Sort};
use crate::storage::client_list;
use crate::storage::clients::ClientRow;
use actix_web::HttpResponse;
use actix_web::web::Data;
use chrono_tz::Tz;
use uuid::Uuid;

/// How many rows are read at once.
const PAGE: i64 = 100;

/// The rows of a list of clients.
struct Clients {
    shared: Data<Shared>,
    tenant: Uuid,
    zone: Tz,
    currency: Currency,
    /// Nothing can fit where there is none, and nothing is left.
    filter: Option<Filter>,
    sort: Sort,
    after: Option<Place>,
}

impl Rows for Clients {
    const HEADINGS: &'static [&'static str] = &[
        "id", "firstName", "lastName", "phone", "whatsappId", "email", "status",
        "firstInteractionSource", "firstInteractionDate", "firstBookingDate", "lastBookingDate",
        "bookings", "spent", "currency", "createdAt", "updatedAt",
    ];

    async fn next(&mut self) -> Result<Vec<Vec<Cell>>, Problem> {
        let Some(filter) = &self.filter else { return Ok(Vec::new()) };
        let mut reader = self.shared.db.reader().await?;
        let conn = &mut reader.conn();
        let (sort, after) = (self.sort, self.after.as_ref());
        let rows = client_list::page(conn, self.tenant, filter, sort, after, PAGE).await?;
        match rows.last() {
            Some(last) => self.after = Some(sort.place(last)),
            None => self.filter = None,
        }
        rows.into_iter().map(|row| self.cells(row)).collect()
    }
}

impl Clients {
    fn of(
        access: &Records,
        query: &ClientQuery,
        shared: Data<Shared>,
    ) -> Result<(Self, String), Problem> {
        refuse_page(query.paged())?;
        let TenantSettings { id: tenant, timezone: zone, currency, .. } = access.tenant;
        let filter = query.filter(&access.tenant)?;
        let now = shared.clock.now();
        let (sort, _) = query.order();
        let rows = Self { shared, tenant, zone, currency, filter, sort, after: None };
        Ok((rows, name(&access.tenant, "clients", now)))
    }

    fn cells(&self, row: ClientRow) -> Result<Vec<Cell>, Problem> {
        let currency = self.currency.as_str();
        Ok(vec![
            Cell::id(row.id),
            Cell::text(Some(row.first_name)),
            Cell::text(Some(row.last_name)),
            Cell::phone(row.phone),
            Cell::text(row.whatsapp_id),
            Cell::text(row.email),
            Cell::text(Some(row.status)),
            Cell::text(Some(row.first_interaction_source)),
            Cell::time(Some(row.first_interaction_at), self.zone),
            Cell::time(row.first_booking_at, self.zone),
            Cell::time(row.last_booking_at, self.zone),
            Cell::count(Some(row.bookings_count)),
            Cell::amount(Some(row.spent_minor), Some(currency))?,
            Cell::text(Some(currency.to_owned())),
            Cell::time(Some(row.created_at), self.zone),
            Cell::time(Some(row.updated_at), self.zone),
        ])
    }
}

/// Every client that the list shows, as CSV: UTF-8 with a byte order mark, times in the tenant's
/// zone with their offset. Text that a spreadsheet would compute has an apostrophe before it. A
/// connection that ends early means that it is not everything.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/clients.csv", tag = "clients",
    operation_id = "exportClientsCsv",
    params(TenantPath, Unpaged<ClientQuery>),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses(
        (status = 200, description = "The clients", body = String, content_type = "text/csv"),
        Refusals,
    )
)]
pub(in crate::http) async fn csv(
    access: Records,
    query: Query<ClientQuery>,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let (rows, name) = Clients::of(&access, &query, shared)?;
    as_csv(rows, name + ".csv").await
}

/// The same as an Excel workbook; text is text in it, and never computed.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/clients.xlsx", tag = "clients",
    operation_id = "exportClientsXlsx",
    params(TenantPath, Unpaged<ClientQuery>),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses(
        (status = 200, description = "The clients", body = Vec<u8>,
            content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        Refusals,
    )
)]
pub(in crate::http) async fn xlsx(
    access: Records,
    query: Query<ClientQuery>,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let (rows, name) = Clients::of(&access, &query, shared)?;
    as_xlsx(rows, name + ".xlsx").await
}
