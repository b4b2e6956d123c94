//! Everything of a tenant, to be handed over: one JSON object a line.

use crate::domain::money::{Currency, Money};
use crate::domain::tenant::TenantSettings;
use crate::http::Shared;
use crate::http::api::note;
use crate::http::extract::access::Manage;
use crate::http::openapi::{Refusals, TenantPath};
use crate::http::problem::Problem;
use crate::http::stream::{self, Pieces, Saved};
use crate::storage::archive::{self, Booking, Client, Identity, Interaction, Lead, Mapping};
use crate::storage::archive::{Owned, Row};
use crate::storage::{Conn, tenants};
use actix_web::HttpResponse;
use actix_web::web::Data;
use bytes::Bytes;
use serde::Serialize;
use serde_json::Number;
use uuid::Uuid;

/// How many rows are read at once. Events can have megabytes each.
const PAGE: i64 = 200;
const EVENTS: i64 = 10;

/// What a line holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Tenant,
    Clients,
    Bookings,
    Sightings,
    Leads,
    Events,
    Audit,
    End,
}

impl Part {
    fn next(self) -> Self {
        match self {
            Self::Tenant => Self::Clients,
            Self::Clients => Self::Bookings,
            Self::Bookings => Self::Sightings,
            Self::Sightings => Self::Leads,
            Self::Leads => Self::Events,
            Self::Events => Self::Audit,
            Self::Audit | Self::End => Self::End,
        }
    }
}

/// A line: what it is, and the row.
#[derive(Serialize)]
struct Line<T> {
    kind: &'static str,
    #[serde(flatten)]
    row: T,
}

#[derive(Serialize)]
struct WithOwned {
    #[serde(flatten)]
    client: Client,
    identities: Vec<Identity>,
    mappings: Vec<Mapping>,
}

#[derive(Serialize)]
struct WithInteractions {
    #[serde(flatten)]
    lead: Lead,
    interactions: Vec<Interaction>,
}

#[derive(Serialize)]
struct WithAmount {
    #[serde(flatten)]
    booking: Booking,
    /// `amountMinor` as a decimal number.
    amount: Option<Number>,
}

impl WithAmount {
    fn of(booking: Booking) -> Self {
        let currency = booking.currency.as_deref().and_then(Currency::parse);
        let amount = booking.amount_minor.zip(currency);
        let amount = amount.map(|(minor, currency)| Money { minor, currency }.to_number());
        Self { booking, amount }
    }
}

/// An archive on its way.
struct Archive {
    shared: Data<Shared>,
    tenant: Uuid,
    part: Part,
    after: Uuid,
}

/// The lines of a page, as bytes, and whether there may be more behind the last id.
struct Lines {
    text: Vec<u8>,
    last: Option<Uuid>,
}

impl Lines {
    fn of<T: Serialize>(
        kind: &'static str,
        rows: impl IntoIterator<Item = T>,
        last: Option<Uuid>,
    ) -> Result<Self, Problem> {
        let mut text = Vec::new();
        for row in rows {
            let line = Line { kind, row };
            serde_json::to_writer(&mut text, &line).map_err(|error| Problem::internal(&error))?;
            text.push(b'\n');
        }
        Ok(Self { text, last })
    }

    fn rows<T: Serialize + Row>(kind: &'static str, rows: Vec<T>) -> Result<Self, Problem> {
        let last = rows.last().map(Row::id);
        Self::of(kind, rows, last)
    }
}

impl Pieces for Archive {
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        while self.part != Part::End {
            let mut reader = self.shared.db.reader().await?;
            let lines = self.page(&mut reader.conn()).await?;
            if let Some(last) = lines.last {
                self.after = last;
            } else {
                (self.part, self.after) = (self.part.next(), Uuid::nil());
            }
            if !lines.text.is_empty() {
                return Ok(Some(Bytes::from(lines.text)));
            }
        }
        Ok(None)
    }
}

impl Archive {
    async fn page(&self, conn: &mut Conn<'_>) -> Result<Lines, Problem> {
        let (tenant, after) = (self.tenant, self.after);
        match self.part {
            Part::Tenant => {
                let row = tenants::find(conn, &tenant.to_string()).await?;
                let row = row.ok_or_else(Problem::not_found)?;
                Lines::of("tenant", [super::TenantJson::of(&row)?], None)
            }
            Part::Clients => clients(conn, tenant, after).await,
            Part::Bookings => {
                let rows = archive::bookings(conn, tenant, after, PAGE).await?;
                let last = rows.last().map(Row::id);
                Lines::of("booking", rows.into_iter().map(WithAmount::of), last)
            }
            Part::Sightings => {
                Lines::rows("sighting", archive::sightings(conn, tenant, after, PAGE).await?)
            }
            Part::Leads => leads(conn, tenant, after).await,
            Part::Events => {
                Lines::rows("event", archive::events(conn, tenant, after, EVENTS).await?)
            }
            Part::Audit => Lines::rows("audit", archive::audit(conn, tenant, after, PAGE).await?),
            Part::End => Lines::of::<Client>("", [], None),
        }
    }
}

async fn clients(conn: &mut Conn<'_>, tenant: Uuid, after: Uuid) -> Result<Lines, Problem> {
    let rows = archive::clients(conn, tenant, after, PAGE).await?;
    let Some(range) = range(&rows) else { return Lines::rows("client", rows) };
    let mut identities = archive::identities(conn, tenant, range).await?;
    let mut mappings = archive::mappings(conn, tenant, range).await?;
    let lines = rows.into_iter().map(|client| WithOwned {
        identities: theirs(&mut identities, client.id),
        mappings: theirs(&mut mappings, client.id),
        client,
    });
    Lines::of("client", lines, Some(range.1))
}

async fn leads(conn: &mut Conn<'_>, tenant: Uuid, after: Uuid) -> Result<Lines, Problem> {
    let rows = archive::leads(conn, tenant, after, PAGE).await?;
    let Some(range) = range(&rows) else { return Lines::rows("lead", rows) };
    let mut interactions = archive::interactions(conn, tenant, range).await?;
    let lines = rows
        .into_iter()
        .map(|lead| WithInteractions { interactions: theirs(&mut interactions, lead.id), lead });
    Lines::of("lead", lines, Some(range.1))
}

fn range<T: Row>(rows: &[T]) -> Option<(Uuid, Uuid)> {
    rows.first().map(Row::id).zip(rows.last().map(Row::id))
}

/// Takes out what belongs to one: rows and owners stand in the same order.
fn theirs<T: Owned>(rows: &mut Vec<T>, owner: Uuid) -> Vec<T> {
    let count = rows.iter().take_while(|row| row.owner() <= owner).count();
    let taken = rows.drain(..count);
    taken.filter(|row| row.owner() == owner).collect()
}

/// Everything of a tenant: one JSON object a line, each with its `kind`: tenant, client (with
/// identities and mappings), booking, sighting, lead (with interactions), event (with its raw
/// body), audit. A connection that ends early means that it is not everything.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/export", tag = "platform",
    operation_id = "exportTenant",
    params(TenantPath),
    security(("token" = ["platform_admin", "client_admin"])),
    responses(
        (status = 200, description = "One JSON object a line", body = String, content_type = "application/x-ndjson"),
        Refusals,
    )
)]
pub(in crate::http) async fn export(
    access: Manage,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let TenantSettings { id, ref slug, .. } = access.tenant;
    let now = shared.clock.now();
    let mut tx = shared.db.begin().await?;
    let what = ("tenant.exported", "tenant", id.to_string());
    note(&mut tx.conn(), id, &access.by, (what.0, what.1, &what.2), now).await?;
    tx.commit().await?;
    let today = now.with_timezone(&access.tenant.timezone).format("%Y-%m-%d");
    let name = format!("{slug}-{today}.ndjson");
    let saved = Saved { media_type: "application/x-ndjson", name, is_packed: false };
    let archive = Archive { shared, tenant: id, part: Part::Tenant, after: Uuid::nil() };
    stream::answer(saved, archive).await
}
