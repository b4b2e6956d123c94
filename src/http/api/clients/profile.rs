//! Everything about one client.

use super::mappings::MappingJson;
use super::{ClientJson, ClientPath, named};
use crate::domain::booking::service_key;
use crate::domain::channel::{BookingStatus, PaymentStatus};
use crate::domain::money::{Currency, Money};
use crate::domain::tenant::TenantSettings;
use crate::http::Shared;
use crate::http::api::bookings::BookingJson;
use crate::http::extract::access::Records;
use crate::http::extract::entity::Entity;
use crate::http::openapi::{Refusals, TenantPath};
use crate::http::problem::Problem;
use crate::storage::audit::AuditRow;
use crate::storage::client_stats::{self, Appointments, Sum};
use crate::storage::clients::ClientRow;
use crate::storage::events::EventSummary;
use crate::storage::{Conn, bookings, history, mappings};
use crate::tracking::facts;
use actix_web::web::{Data, Path};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Number, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// How many of a client's bookings its profile shows.
const LATEST: i64 = 50;

/// How many entries of a client's history its profile shows.
const HISTORY: i64 = 50;

/// How many services are ranked.
const RANKED: usize = 5;

/// A client with everything that is theirs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ClientProfile)]
pub(in crate::http) struct ProfileJson {
    #[serde(flatten)]
    client: ClientJson,
    /// The event that each field comes from, where an event told it.
    told_by: BTreeMap<String, Uuid>,
    stats: StatsJson,
    mappings: Vec<MappingJson>,
    /// The latest 50 by appointment.
    bookings: Vec<BookingJson>,
    /// Who and what changed them: the latest 50 events that told of them, and the latest 50 deeds,
    /// together, the newest first.
    history: Vec<HistoryJson>,
}

/// What a client's bookings come to. What was cancelled or missed counts nowhere but by itself.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ClientTotals)]
struct StatsJson {
    total_bookings: i64,
    /// What the amounts come to in `currency`, without what was paid back.
    #[schema(value_type = f64)]
    total_spent: Number,
    /// What a booking that has an amount in `currency` comes to, rounded to its smallest unit.
    #[schema(value_type = f64)]
    average_spent: Number,
    /// The tenant's; or the one that all amounts are in.
    #[schema(example = "EUR")]
    currency: String,
    /// The same for each currency, where there are several.
    spent_by_currency: Vec<SpentJson>,
    top_service: Option<String>,
    /// The five booked most often.
    favorite_services: Vec<ServiceJson>,
    /// When the first appointment was, or is to be.
    first_booking: Option<DateTime<Utc>>,
    /// When the last appointment before now was.
    last_booking: Option<DateTime<Utc>>,
    /// When the next appointment is.
    next_booking: Option<DateTime<Utc>>,
    cancelled: i64,
    no_show: i64,
}

/// What was spent in one currency.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SpentInCurrency)]
struct SpentJson {
    #[schema(example = "EUR")]
    currency: String,
    #[schema(value_type = f64)]
    total_spent: Number,
    #[schema(value_type = f64)]
    average_spent: Number,
}

/// How often a service was booked.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ServiceCount)]
struct ServiceJson {
    service_name: String,
    count: i64,
}

/// One thing that happened to a client.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ClientHistory)]
struct HistoryJson {
    at: DateTime<Utc>,
    /// Who: a source's name, or `token:` and its id.
    #[schema(example = "retell")]
    by: String,
    /// What: the event's kind, or the deed.
    #[schema(example = "client.updated")]
    action: String,
    /// The event, where it was one.
    event_id: Option<Uuid>,
    /// The fields that were changed, or whose value comes from the event.
    fields: Vec<String>,
}

/// A client with statistics, mappings, latest bookings and history.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/clients/{id}", tag = "clients",
    operation_id = "getClient",
    params(TenantPath, ClientPath),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses((status = 304, description = "`If-None-Match` names the `ETag` that it has"), 
        (status = 200, description = "The client", body = ProfileJson),
        (status = 409, description = "Several clients have this external id",
            body = crate::http::problem::ProblemJson,
            content_type = "application/problem+json"),
        Refusals
    )
)]
pub(in crate::http) async fn show(
    access: Records,
    path: Path<(String, String)>,
    shared: Data<Shared>,
) -> Result<Entity<ProfileJson>, Problem> {
    let mut reader = shared.db.reader().await?;
    let conn = &mut reader.conn();
    let row = named(conn, &access.tenant, &path.1).await?;
    let version = row.version;
    Ok(Entity::found(version, profile(conn, &access.tenant, row, shared.clock.now()).await?))
}

async fn profile(
    conn: &mut Conn<'_>,
    tenant: &TenantSettings,
    row: ClientRow,
    now: DateTime<Utc>,
) -> Result<ProfileJson, Problem> {
    let (of, id) = (tenant.id, row.id);
    let sums = client_stats::sums(conn, of, id).await?;
    let services = client_stats::services(conn, of, id).await?;
    let appointments = client_stats::appointments(conn, of, id, now).await?;
    let mappings = mappings::list_by_client(conn, of, id).await?;
    let latest = bookings::list_by_client(conn, of, id, LATEST).await?;
    let events = history::events(conn, of, id, Uuid::max(), HISTORY).await?;
    let deeds = history::audit(conn, of, id, HISTORY).await?;
    let told_by = facts::told_by(&row.provenance)?;
    Ok(ProfileJson {
        stats: StatsJson::of(tenant.currency, &sums, services, appointments),
        history: history_of(&told_by, events, deeds),
        told_by,
        client: ClientJson::of(of, row),
        mappings: mappings.into_iter().map(MappingJson::from).collect(),
        bookings: latest.into_iter().map(|row| BookingJson::of(of, row)).collect(),
    })
}

impl StatsJson {
    fn of(usual: Currency, sums: &[Sum], services: Vec<(String, i64)>, at: Appointments) -> Self {
        let of = |status: BookingStatus| {
            let theirs = sums.iter().filter(|sum| sum.status == status.as_str());
            theirs.map(|sum| sum.bookings).sum::<i64>()
        };
        let all: i64 = sums.iter().map(|sum| sum.bookings).sum();
        let (cancelled, no_show) = (of(BookingStatus::Cancelled), of(BookingStatus::NoShow));
        let spent = spent(sums);
        let one = spent.first().map(|(currency, _)| *currency).filter(|_| spent.len() == 1);
        let currency = one.unwrap_or(usual);
        let main = spent.iter().find(|(code, _)| *code == currency);
        let main = main.map(|(_, spent)| *spent).unwrap_or_default().json(currency);
        let several = if spent.len() > 1 { spent } else { Vec::new() };
        let favorite_services = ranked(services);
        Self {
            total_bookings: all - cancelled - no_show,
            total_spent: main.total_spent,
            average_spent: main.average_spent,
            currency: main.currency,
            spent_by_currency: several.iter().map(|(code, spent)| spent.json(*code)).collect(),
            top_service: favorite_services.first().map(|first| first.service_name.clone()),
            favorite_services,
            first_booking: at.first,
            last_booking: at.last,
            next_booking: at.next,
            cancelled,
            no_show,
        }
    }
}

/// What amounts come to.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    priced: i64,
    minor: i64,
}

impl Spent {
    fn json(self, currency: Currency) -> SpentJson {
        let number = |minor| Money { minor, currency }.to_number();
        // Halves go up: amounts are never negative.
        let average = (self.minor + self.priced / 2).checked_div(self.priced).unwrap_or(0);
        SpentJson {
            currency: currency.as_str().to_owned(),
            total_spent: number(self.minor),
            average_spent: number(average),
        }
    }
}

/// What was spent, by currency.
fn spent(sums: &[Sum]) -> Vec<(Currency, Spent)> {
    let called_off = [BookingStatus::Cancelled, BookingStatus::NoShow].map(BookingStatus::as_str);
    let paid_back = PaymentStatus::Refunded.as_str();
    let mut by_code = BTreeMap::<&str, Spent>::new();
    for sum in sums {
        let counts = !called_off.contains(&sum.status.as_str()) && sum.payment_status != paid_back;
        if let Some(code) = sum.currency.as_deref().filter(|_| counts && sum.priced > 0) {
            let spent = by_code.entry(code).or_default();
            spent.priced += sum.priced;
            spent.minor = spent.minor.saturating_add(sum.amount_minor);
        }
    }
    by_code.into_iter().filter_map(|(code, spent)| Some((Currency::parse(code)?, spent))).collect()
}

/// The services booked most often, however they were written; equals by name.
fn ranked(services: Vec<(String, i64)>) -> Vec<ServiceJson> {
    let mut by_key = BTreeMap::<String, Vec<(i64, String)>>::new();
    for (name, count) in services {
        by_key.entry(service_key(&name)).or_default().push((count, name));
    }
    let mut ranked: Vec<ServiceJson> = by_key
        .into_values()
        .filter_map(|spellings| {
            let count = spellings.iter().map(|(count, _)| count).sum();
            let service_name = spellings.into_iter().max()?.1;
            Some(ServiceJson { service_name, count })
        })
        .collect();
    ranked.sort_by(|a, b| (b.count, &a.service_name).cmp(&(a.count, &b.service_name)));
    ranked.truncate(RANKED);
    ranked
}

fn history_of(
    told_by: &BTreeMap<String, Uuid>,
    events: Vec<EventSummary>,
    deeds: Vec<AuditRow>,
) -> Vec<HistoryJson> {
    let given = |event: Uuid| {
        let fields = told_by.iter().filter(|(_, by)| **by == event).map(|(field, _)| field.clone());
        fields.collect::<Vec<_>>()
    };
    let told = events.into_iter().map(|event| HistoryJson {
        at: event.received_at,
        fields: given(event.id),
        by: event.source,
        action: event.kind,
        event_id: Some(event.id),
    });
    let done = deeds.into_iter().map(|deed| HistoryJson {
        at: deed.created_at,
        fields: fields(deed.detail.as_deref()),
        by: deed.actor,
        action: deed.action,
        event_id: None,
    });
    let mut all: Vec<HistoryJson> = told.chain(done).collect();
    all.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    all
}

/// The names of fields that a deed's detail has.
fn fields(detail: Option<&str>) -> Vec<String> {
    let detail = detail.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let fields = detail.and_then(|mut detail| Some(detail.get_mut("fields")?.take()));
    fields.and_then(|fields| serde_json::from_value(fields).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_ranked_however_they_are_written() {
        let told = [("Gel Nails", 2), ("gel nails", 1), ("Facial", 3), ("Brows", 1)];
        let told = told.map(|(name, count)| (name.to_owned(), count));
        let ranked = ranked(told.to_vec());
        let shown: Vec<_> = ranked.iter().map(|s| (s.service_name.as_str(), s.count)).collect();
        assert_eq!(shown, [("Facial", 3), ("Gel Nails", 3), ("Brows", 1)]);
    }
}
