//! Making, changing and erasing clients.

use super::{ClientJson, ClientPath, named};
use crate::domain::channel::{Channel, ClientStatus};
use crate::domain::tenant::TenantSettings;
use crate::http::Shared;
use crate::http::extract::access::Records;
use crate::http::extract::body::Body;
use crate::http::extract::entity::{Entity, IfMatch};
use crate::http::extract::fields::{Fields, Patch};
use crate::http::idempotency;
use crate::http::openapi::{Matching, Repeatable, TenantPath, WriteRefusals};
use crate::http::problem::Problem;
use crate::storage::erasure::Gone;
use crate::tracking::erasing;
use crate::tracking::hand::{self, By, Change, Field, NewClient, Refused};
use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A client to be made.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewClient)]
#[expect(dead_code, reason = "it only describes the body")]
pub(in crate::http) struct NewClientBody {
    /// In any spelling; without a country code it is of the tenant's region.
    #[schema(max_length = 100, example = "087 123 4567")]
    phone: String,
    /// "Unknown" where nobody says.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x01-\x1f\x7f-\x9f]*[^\s\x01-\x1f\x7f-\x9f][^\x01-\x1f\x7f-\x9f]*$",
        example = "Áine"
    )]
    first_name: Option<String>,
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x01-\x1f\x7f-\x9f]*[^\s\x01-\x1f\x7f-\x9f][^\x01-\x1f\x7f-\x9f]*$",
        example = "Byrne"
    )]
    last_name: Option<String>,
    /// Several clients may have one address.
    #[schema(max_length = 254, format = "email", example = "aine@example.com")]
    email: Option<String>,
    /// `web` where nobody says.
    first_interaction_source: Option<Channel>,
    /// Now where nobody says. A time without an offset is read in the tenant's zone.
    #[schema(format = DateTime, example = "2026-03-14T15:00:00Z")]
    first_interaction_date: Option<String>,
    /// When they first booked.
    #[schema(format = DateTime, example = "2026-03-14T15:00:00Z")]
    first_booking_date: Option<String>,
    /// `active` where nobody says.
    status: Option<ClientStatus>,
}

/// What is to be changed of a client; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ClientChange)]
#[expect(dead_code, reason = "it only describes the body")]
pub(in crate::http) struct ClientChangeBody {
    /// The one before stays as an alias. Only a client with a WhatsApp id can be without.
    #[schema(max_length = 100, example = "087 123 4567")]
    phone: Option<String>,
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x01-\x1f\x7f-\x9f]*[^\s\x01-\x1f\x7f-\x9f][^\x01-\x1f\x7f-\x9f]*$",
        nullable = false
    )]
    first_name: Option<String>,
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x01-\x1f\x7f-\x9f]*[^\s\x01-\x1f\x7f-\x9f][^\x01-\x1f\x7f-\x9f]*$"
    )]
    last_name: Option<String>,
    #[schema(max_length = 254, format = "email")]
    email: Option<String>,
    #[schema(nullable = false)]
    first_interaction_source: Option<Channel>,
    #[schema(format = DateTime, nullable = false)]
    first_interaction_date: Option<String>,
    /// `null`: when the first of their bookings was made.
    #[schema(format = DateTime)]
    first_booking_date: Option<String>,
    #[schema(nullable = false)]
    status: Option<ClientStatus>,
}

/// Makes a client. What is sent is a person's word, which no delivery changes. An open lead with
/// the phone becomes the client.
#[utoipa::path(
    post, path = "/api/platform/tenants/{tenantId}/clients", tag = "clients",
    operation_id = "createClient",
    params(TenantPath, Repeatable),
    request_body(content = NewClientBody),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses(
        (status = 201, description = "The client", body = ClientJson,
            headers(("ETag" = String, description = "Its version, for If-Match"))),
        WriteRefusals
    )
)]
pub(in crate::http) async fn create(
    access: Records,
    body: Body,
    shared: Data<Shared>,
) -> Result<Entity<ClientJson>, Problem> {
    let new = new(body.fields, &access.tenant, shared.clock.now())?;
    let row = hand::make(&shared.db, &by(&access, shared.clock.now()), &new).await;
    let row = row.map_err(refusal)?;
    Ok(Entity::created(row.version, ClientJson::of(access.tenant.id, row)))
}

/// Changes a client. What is sent is a person's word, which no delivery changes.
#[utoipa::path(
    patch, path = "/api/platform/tenants/{tenantId}/clients/{id}", tag = "clients",
    operation_id = "updateClient",
    params(TenantPath, ClientPath, Matching),
    request_body(content = ClientChangeBody),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses(
        (status = 200, description = "The client", body = ClientJson,
            headers(("ETag" = String, description = "Its version, for If-Match"))),
        WriteRefusals
    )
)]
pub(in crate::http) async fn update(
    access: Records,
    path: Path<(String, String)>,
    if_match: IfMatch,
    body: Body,
    shared: Data<Shared>,
) -> Result<Entity<ClientJson>, Problem> {
    let change = change(body.fields, &access.tenant, shared.clock.now())?;
    let id = id(&access, &path.1, &shared).await?;
    let by = by(&access, shared.clock.now());
    let meant = |version| if_match.means(version);
    let row = hand::change(&shared.db, &by, id, &change, meant).await.map_err(refusal)?;
    Ok(Entity::found(row.version, ClientJson::of(access.tenant.id, row)))
}

/// Erases a person: everything that names them, in raw deliveries too. Their bookings stay for the
/// statistics, as nobody's; a delivery that is repeated late does not bring them back.
#[utoipa::path(
    delete, path = "/api/platform/tenants/{tenantId}/clients/{id}", tag = "clients",
    operation_id = "eraseClient",
    params(TenantPath, ClientPath),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses((status = 204, description = "They are erased"), WriteRefusals)
)]
pub(in crate::http) async fn erase(
    access: Records,
    path: Path<(String, String)>,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let id = id(&access, &path.1, &shared).await?;
    let detail = "the client that this request made or named was erased";
    let gone = Problem::conflict("client_erased", detail);
    let answer = idempotency::kept(&gone.text())?;
    let gone = Gone { status: 409, answer: &answer };
    let by = by(&access, shared.clock.now());
    erasing::erase(&shared.db, &shared.key, &by, id, gone).await.map_err(refusal)?;
    Ok(HttpResponse::NoContent().finish())
}

async fn id(access: &Records, name: &str, shared: &Shared) -> Result<Uuid, Problem> {
    let mut reader = shared.db.reader().await?;
    Ok(named(&mut reader.conn(), &access.tenant, name).await?.id)
}

fn by(access: &Records, now: DateTime<Utc>) -> By {
    By { tenant: access.tenant.id, actor: access.by.actor(), now }
}

fn refusal(refused: Refused) -> Problem {
    match refused {
        Refused::Missing => Problem::not_found(),
        Refused::Changed => IfMatch::refusal(),
        Refused::PhoneTaken(other) => {
            let detail = "a client of this tenant has this phone, or had it: `existingId` names it";
            Problem::exists("phone_exists", detail, other)
        }
        Refused::Unknowable => {
            let detail = "a client without a WhatsApp id needs a phone";
            Problem::member("phone", "phone_required", detail)
        }
        Refused::Storage(error) => error.into(),
    }
}

fn new(
    mut fields: Fields,
    tenant: &TenantSettings,
    now: DateTime<Utc>,
) -> Result<NewClient, Problem> {
    fields.require("phone");
    let phone = fields.phone("phone", tenant.default_region).value();
    let first_name = fields.name("firstName").value();
    let last_name = fields.name("lastName").value();
    let email = fields.email("email").value();
    let source = fields.word::<Channel>("firstInteractionSource").value();
    let first_interaction_at = fields.past("firstInteractionDate", tenant, now).value();
    let first_booking_at = fields.time("firstBookingDate", tenant).value();
    let status = fields.word::<ClientStatus>("status").value();
    fields.finish()?;
    let missing = || Problem::member("phone", "required", "phone is required");
    Ok(NewClient {
        phone: phone.ok_or_else(missing)?,
        first_name,
        last_name,
        email,
        source,
        first_interaction_at,
        first_booking_at,
        status,
    })
}

fn change(
    mut fields: Fields,
    tenant: &TenantSettings,
    now: DateTime<Utc>,
) -> Result<Change, Problem> {
    let phone = field(fields.phone("phone", tenant.default_region));
    let first_name = fields.name("firstName");
    let first_name = fields.full("firstName", first_name);
    let last_name = field(fields.name("lastName"));
    let email = field(fields.email("email"));
    let source = fields.word::<Channel>("firstInteractionSource");
    let source = fields.full("firstInteractionSource", source);
    let first_interaction_at = fields.past("firstInteractionDate", tenant, now);
    let first_interaction_at = fields.full("firstInteractionDate", first_interaction_at);
    let first_booking_at = field(fields.time("firstBookingDate", tenant));
    let status = fields.word::<ClientStatus>("status");
    let status = fields.full("status", status);
    fields.finish()?;
    Ok(Change {
        phone,
        first_name,
        last_name,
        email,
        source,
        first_interaction_at,
        first_booking_at,
        status,
    })
}

fn field<T>(sent: Patch<T>) -> Field<T> {
    match sent {
        Patch::Absent => Field::Kept,
        Patch::Null => Field::Emptied,
        Patch::Value(value) => Field::To(value),
    }
}
