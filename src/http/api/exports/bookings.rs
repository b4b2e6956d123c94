//! The list of bookings as a file.

use super::cells::Cell;
use super::{Rows, Unpaged, csv as as_csv, name, refuse_page, xlsx as as_xlsx};
use crate::http::Shared;
use crate::http::api::bookings::list::BookingQuery;
use crate::http::extract::access::Records;
use crate::http::extract::query::Query;
use crate::http::openapi::{Refusals, TenantPath};
use crate::http::problem::Problem;
use crate::storage::booking_lists::{self, BookingFilter, Start};
use crate::storage::bookings::BookingRow;
use crate::storage::client_names::{self, NameRow};
use actix_web::HttpResponse;
use actix_web::web::Data;
use chrono_tz::Tz;
use std::collections::BTreeMap;
use uuid::Uuid;

/// How many rows are read at once.
const PAGE: i64 = 500;

/// The rows of a list of bookings.
struct Bookings {
    shared: Data<Shared>,
    tenant: Uuid,
    zone: Tz,
    filter: BookingFilter,
    start: Start,
}

impl Rows for Bookings {
    const HEADINGS: &'static [&'static str] = &[
        "id", "bookingDate", "clientId", "firstName", "lastName", "phone", "serviceName",
        "serviceCategory", "duration", "staffMember", "amount", "currency", "status",
        "paymentStatus", "source", "serviceProvider", "externalBookingId", "notes", "createdAt",
        "updatedAt",
    ];

    async fn next(&mut self) -> Result<Vec<Vec<Cell>>, Problem> {
        let mut reader = self.shared.db.reader().await?;
        let conn = &mut reader.conn();
        let page = booking_lists::page(conn, self.tenant, &self.filter, self.start, PAGE);
        let rows = page.await?;
        if let Some(last) = rows.last() {
            self.start.after = Some((last.booking_at, last.id));
        }
        let ids: Vec<Uuid> = rows.iter().map(|row| row.client_id).collect();
        let names = client_names::list(conn, self.tenant, &ids).await?;
        rows.into_iter().map(|row| self.cells(row, &names)).collect()
    }
}

impl Bookings {
    fn of(
        access: &Records,
        query: &BookingQuery,
        shared: Data<Shared>,
    ) -> Result<(Self, String), Problem> {
        refuse_page(query.paged())?;
        let (tenant, now) = (&access.tenant, shared.clock.now());
        let (_, sort, descending) = query.order();
        let start = Start { sort, descending, after: None };
        let (filter, zone) = (query.filter(tenant)?, tenant.timezone);
        let rows = Self { shared, tenant: tenant.id, zone, filter, start };
        Ok((rows, name(tenant, "bookings", now)))
    }

    fn cells(
        &self,
        row: BookingRow,
        names: &BTreeMap<Uuid, NameRow>,
    ) -> Result<Vec<Cell>, Problem> {
        let client = names.get(&row.client_id).cloned();
        let (first, last, phone) = client.map_or((None, None, None), |client| {
            (Some(client.first_name), Some(client.last_name), client.phone)
        });
        Ok(vec![
            Cell::id(row.id),
            Cell::time(Some(row.booking_at), self.zone),
            Cell::id(row.client_id),
            Cell::text(first),
            Cell::text(last),
            Cell::phone(phone),
            Cell::text(Some(row.service_name)),
            Cell::text(row.service_category),
            Cell::count(row.duration_minutes),
            Cell::text(row.staff_member),
            Cell::amount(row.amount_minor, row.currency.as_deref())?,
            Cell::text(row.currency),
            Cell::text(Some(row.status)),
            Cell::text(Some(row.payment_status)),
            Cell::text(Some(row.source)),
            Cell::text(row.provider),
            Cell::text(row.external_booking_id),
            Cell::text(row.notes),
            Cell::time(Some(row.created_at), self.zone),
            Cell::time(Some(row.updated_at), self.zone),
        ])
    }
}

/// Every booking that the list shows, with its client's name, as CSV: UTF-8 with a byte order
/// mark, times in the tenant's zone with their offset. Text that a spreadsheet would compute has
/// an apostrophe before it. A connection that ends early means that it is not everything.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/bookings.csv", tag = "bookings",
    operation_id = "exportBookingsCsv",
    params(TenantPath, Unpaged<BookingQuery>),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses(
        (status = 200, description = "The bookings", body = String, content_type = "text/csv"),
        Refusals,
    )
)]
pub(in crate::http) async fn csv(
    access: Records,
    query: Query<BookingQuery>,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let (rows, name) = Bookings::of(&access, &query, shared)?;
    as_csv(rows, name + ".csv").await
}

/// The same as an Excel workbook; text is text in it, and never computed.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/bookings.xlsx", tag = "bookings",
    operation_id = "exportBookingsXlsx",
    params(TenantPath, Unpaged<BookingQuery>),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses(
        (status = 200, description = "The bookings", body = Vec<u8>,
            content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        Refusals,
    )
)]
pub(in crate::http) async fn xlsx(
    access: Records,
    query: Query<BookingQuery>,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let (rows, name) = Bookings::of(&access, &query, shared)?;
    as_xlsx(rows, name + ".xlsx").await
}
