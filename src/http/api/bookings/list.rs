//! The list of bookings.

use super::BookingJson;
use crate::domain::channel::{BookingStatus, Channel, PaymentStatus};
use crate::domain::tenant::TenantSettings;
use crate::http::Shared;
use crate::http::extract::access::Records;
use crate::http::extract::keyset::Keyset;
use crate::http::extract::moment;
use crate::http::extract::page::Page;
use crate::http::extract::query::Query;
use crate::http::openapi::{Refusals, TenantPath};
use crate::http::problem::Problem;
use crate::storage::booking_lists::{self, BookingFilter, BookingSort, Start};
use actix_web::web::{Data, Json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// What a list of bookings is narrowed to and sorted by.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct BookingQuery {
    /// Only this client's.
    client_id: Option<Uuid>,
    /// Only those in this state.
    status: Option<BookingStatus>,
    /// Only those whose payment is in this state.
    payment_status: Option<PaymentStatus>,
    /// Only those that came this way.
    source: Option<Channel>,
    /// Only of this service; case, spaces and signs don't count.
    #[param(max_length = 200)]
    service: Option<String>,
    /// Only with this member of staff; case, spaces and signs don't count.
    #[param(max_length = 200)]
    staff: Option<String>,
    /// Only appointments from this time or day (in the tenant's zone) on.
    #[param(example = "2026-03-01", max_length = 100)]
    from: Option<String>,
    /// Only appointments before this time, or until the end of this day (in the tenant's zone).
    #[param(example = "2026-03-31", max_length = 100)]
    to: Option<String>,
    /// By what, and with `-` from the last to the first; `-created` where it is left out.
    #[param(inline)]
    sort: Option<SortWord>,
    /// How many rows a page has.
    #[param(minimum = 1, maximum = 100, default = 25)]
    limit: Option<i64>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// The orders of a list of bookings.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, ToSchema)]
enum SortWord {
    #[serde(rename = "date")]
    Date,
    #[serde(rename = "-date")]
    DateBack,
    #[serde(rename = "created")]
    Created,
    #[default]
    #[serde(rename = "-created")]
    CreatedBack,
}

impl SortWord {
    fn parts(self) -> (&'static str, BookingSort, bool) {
        match self {
            Self::Date => ("date", BookingSort::Date, false),
            Self::DateBack => ("-date", BookingSort::Date, true),
            Self::Created => ("created", BookingSort::Created, false),
            Self::CreatedBack => ("-created", BookingSort::Created, true),
        }
    }
}

impl BookingQuery {
    /// The order: its name, by what, and whether it goes down.
    pub(in crate::http) fn order(&self) -> (&'static str, BookingSort, bool) {
        self.sort.unwrap_or_default().parts()
    }

    /// The parameter by which a page is asked for.
    pub(in crate::http) fn paged(&self) -> Option<&'static str> {
        let cursor = self.cursor.as_ref().map(|_| "cursor");
        self.limit.map(|_| "limit").or(cursor)
    }

    /// What it narrows to, in the tenant's calendar.
    pub(in crate::http) fn filter(
        &self,
        tenant: &TenantSettings,
    ) -> Result<BookingFilter, Problem> {
        Ok(BookingFilter {
            client: self.client_id,
            status: self.status,
            payment_status: self.payment_status,
            source: self.source,
            service: spelled("service", self.service.as_deref())?,
            staff: spelled("staff", self.staff.as_deref())?,
            from: moment::from("from", self.from.as_deref(), tenant)?,
            to: moment::to("to", self.to.as_deref(), tenant)?,
        })
    }
}

/// A text to compare with; a NUL in it is dropped, as everywhere.
fn spelled(name: &str, text: Option<&str>) -> Result<Option<String>, Problem> {
    let text = text.map(|text| text.replace('\0', ""));
    if text.as_ref().is_some_and(|text| text.chars().count() > 200) {
        let detail = format!("{name} has at most 200 characters");
        return Err(Problem::bad_query(name, "query_invalid", &detail));
    }
    Ok(text)
}

/// A tenant's bookings, narrowed and sorted; the newest first where nothing else is said.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/bookings", tag = "bookings",
    operation_id = "listBookings",
    params(TenantPath, BookingQuery),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses((status = 200, description = "A page of bookings", body = Page<BookingJson>), Refusals)
)]
pub(in crate::http) async fn list(
    access: Records,
    query: Query<BookingQuery>,
    shared: Data<Shared>,
) -> Result<Json<Page<BookingJson>>, Problem> {
    let tenant = access.tenant.id;
    let (name, sort, descending) = query.order();
    let keyset = Keyset::read(name, query.limit, query.cursor.as_deref())?;
    let filter = query.filter(&access.tenant)?;
    let start = Start { sort, descending, after: keyset.after };
    let mut reader = shared.db.reader().await?;
    let conn = &mut reader.conn();
    let rows = booking_lists::page(conn, tenant, &filter, start, keyset.fetch).await?;
    let key = |row: &crate::storage::bookings::BookingRow| (row.booking_at, row.id);
    Ok(Json(keyset.page(rows, key, |row| BookingJson::of(tenant, row))))
}
