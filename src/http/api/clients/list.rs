//! The list of clients: filters, search, order.

use super::ClientJson;
use crate::domain::channel::{Channel, ClientStatus};
use crate::domain::names::Question;
use crate::domain::phone::Phone;
use crate::domain::tenant::TenantSettings;
use crate::http::Shared;
use crate::http::extract::access::Records;
use crate::http::extract::page::Page;
use crate::http::extract::query::Query;
use crate::http::extract::{keyset, moment};
use crate::http::openapi::{Refusals, TenantPath};
use crate::http::problem::Problem;
use crate::storage::client_filter::{Filter, Key, MOST_WORDS, Place, Sort, SortKey};
use crate::storage::client_list;
use actix_web::web::{Data, Json};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// The most characters that are searched for.
const LONGEST: usize = 200;

/// What a list of clients is narrowed to, and its order.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct ClientQuery {
    /// Only who first came this way.
    source: Option<Channel>,
    /// Only this state.
    status: Option<ClientStatus>,
    /// Beginnings of names (case and accents don't count), of the e-mail address, or of a phone
    /// number in any spelling; all of them have to be there. At most six words.
    #[param(max_length = 200, example = "aine 087")]
    q: Option<String>,
    /// Made from this day or time on. A day is one of the tenant's zone.
    #[param(example = "2026-03-01")]
    created_from: Option<String>,
    /// Made up to the end of this day, or before this time.
    created_to: Option<String>,
    /// Last booked from this day or time on.
    last_booking_from: Option<String>,
    /// Last booked up to the end of this day, or before this time.
    last_booking_to: Option<String>,
    /// The order, with `-` the greatest first. By name is by first name, then last. Who never
    /// booked counts as having booked longest ago. Bookings and spent leave out what was cancelled
    /// or missed; spent is in the tenant's currency.
    #[param(inline)]
    sort: Option<ClientSort>,
    /// How many rows a page has.
    #[param(minimum = 1, maximum = 100, default = 25)]
    limit: Option<i64>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// Makes the words of the order, each with its meaning, and `-` before those that go down.
macro_rules! orders {
    ($($up:ident = $up_word:literal, $down:ident = $down_word:literal => $key:ident;)+) => {
        /// An order of the list of clients.
        #[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
        pub(in crate::http) enum ClientSort {
            $(#[serde(rename = $up_word)] $up, #[serde(rename = $down_word)] $down,)+
        }

        impl ClientSort {
            /// What it means, and a number of its own for cursors.
            fn read(self) -> (Sort, u8) {
                let mut code = 0;
                $(
                    code += 1;
                    match self {
                        Self::$up => return (Sort { by: SortKey::$key, descending: false }, code),
                        Self::$down => {
                            return (Sort { by: SortKey::$key, descending: true }, 0x80 + code);
                        }
                        _ => {}
                    }
                )+
                (Sort { by: SortKey::Created, descending: true }, code)
            }
        }
    };
}

orders! {
    Created = "created", CreatedDown = "-created" => Created;
    Name = "name", NameDown = "-name" => Name;
    LastBooking = "lastBooking", LastBookingDown = "-lastBooking" => LastBooking;
    Bookings = "bookings", BookingsDown = "-bookings" => Bookings;
    Spent = "spent", SpentDown = "-spent" => Spent;
}

impl ClientQuery {
    /// What the list is narrowed to; `None` when nothing can fit.
    pub(in crate::http) fn filter(
        &self,
        tenant: &TenantSettings,
    ) -> Result<Option<Filter>, Problem> {
        let mut filter = Filter {
            status: self.status,
            source: self.source,
            created_from: moment::from("createdFrom", self.created_from.as_deref(), tenant)?,
            created_to: moment::to("createdTo", self.created_to.as_deref(), tenant)?,
            last_booking_from: moment::from(
                "lastBookingFrom",
                self.last_booking_from.as_deref(),
                tenant,
            )?,
            last_booking_to: moment::to("lastBookingTo", self.last_booking_to.as_deref(), tenant)?,
            words: Vec::new(),
            numbers: Vec::new(),
        };
        let asked = self.q.as_deref().map(str::trim).filter(|q| !q.is_empty());
        let Some(asked) = asked else { return Ok(Some(filter)) };
        let question = question(asked)?;
        if question.is_empty() {
            return Ok(None);
        }
        let numbers = question.phone.map(|typed| Phone::beginnings(&typed, tenant.default_region));
        filter.numbers = numbers.unwrap_or_default();
        filter.words = question.words;
        Ok(Some(filter))
    }

    /// The parameter by which a page is asked for.
    pub(in crate::http) fn paged(&self) -> Option<&'static str> {
        let cursor = self.cursor.as_ref().map(|_| "cursor");
        self.limit.map(|_| "limit").or(cursor)
    }

    /// The order, and the number that it has in cursors.
    pub(in crate::http) fn order(&self) -> (Sort, u8) {
        self.sort.unwrap_or(ClientSort::CreatedDown).read()
    }
}

fn question(asked: &str) -> Result<Question, Problem> {
    let bad = |detail: String| Problem::bad_query("q", "q_invalid", &detail);
    if asked.chars().count() > LONGEST {
        return Err(bad(format!("q has at most {LONGEST} characters")));
    }
    let question = Question::parse(asked);
    if question.words.len() > MOST_WORDS {
        return Err(bad(format!("q has at most {MOST_WORDS} words")));
    }
    Ok(question)
}

/// A tenant's clients, narrowed, searched and sorted.
#[utoipa::path(
    get, path = "/api/platform/tenants/{tenantId}/clients", tag = "clients",
    operation_id = "listClients",
    params(TenantPath, ClientQuery),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses((status = 200, description = "A page of clients", body = Page<ClientJson>), Refusals)
)]
pub(in crate::http) async fn list(
    access: Records,
    query: Query<ClientQuery>,
    shared: Data<Shared>,
) -> Result<Json<Page<ClientJson>>, Problem> {
    let (limit, (sort, code)) = (keyset::limit(query.limit)?, query.order());
    let after = keyset::decode(query.cursor.as_deref(), |bytes| read(bytes, code, sort))?;
    let tenant = access.tenant.id;
    let Some(filter) = query.filter(&access.tenant)? else {
        return Ok(Json(Page::new(Vec::new(), None)));
    };
    let mut reader = shared.db.reader().await?;
    let conn = &mut reader.conn();
    let rows = client_list::page(conn, tenant, &filter, sort, after.as_ref(), limit + 1).await?;
    let cursor = |row: &_| write(code, &sort.place(row));
    Ok(Json(keyset::cut(rows, limit, cursor, |row| ClientJson::of(tenant, row))))
}

/// A cursor: the order's number, the id, the key.
fn write(code: u8, place: &Place) -> Vec<u8> {
    let mut bytes = vec![code];
    bytes.extend(place.id.as_bytes());
    match &place.key {
        Key::Id => {}
        Key::Number(number) => bytes.extend(number.to_be_bytes()),
        Key::Name(name) => bytes.extend(name),
    }
    bytes
}

/// Reads a cursor of this order.
fn read(bytes: &[u8], code: u8, sort: Sort) -> Option<Place> {
    let (of, rest) = bytes.split_first()?;
    let (id, key) = rest.split_at_checked(16)?;
    let id = Uuid::from_slice(id).ok().filter(|_| *of == code)?;
    let key = match sort.by {
        SortKey::Created if key.is_empty() => Key::Id,
        SortKey::Created => return None,
        SortKey::Name => Key::Name(key.to_vec()),
        _ => Key::Number(i64::from_be_bytes(key.try_into().ok()?)),
    };
    Some(Place { key, id })
}
