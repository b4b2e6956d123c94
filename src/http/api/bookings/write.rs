//! Making and changing a booking: tracked as a delivery is, on a person's terms.

use super::read::{self, Change};
use super::{BookingJson, TracedJson, find};
use crate::domain::edit::Edit;
use crate::domain::person::{Identity, WhatsAppId};
use crate::domain::phone::Phone;
use crate::domain::problem::Problem as Fault;
use crate::http::Shared;
use crate::http::extract::access::Records;
use crate::http::extract::body::Body;
use crate::http::extract::entity::{Entity, IfMatch};
use crate::http::openapi::{Matching, Repeatable, TenantPath, WriteRefusals};
use crate::http::problem::Problem;
use crate::storage::clients::ClientRow;
use crate::storage::{Result as Stored, clients};
use crate::tracking::TrackError;
use crate::tracking::by_hand::{Denied, EditTerms, Writer};
use actix_web::web::{Data, Path};
use std::sync::Arc;
use uuid::Uuid;

/// Makes a booking for a client.
///
/// It passes the same decision as a delivery: what is booked already (the same reference, or the
/// same client, start and service) is 409 with its id. What is sent counts as set by a person.
/// The names of older callers are taken as well: `bookingDateTime`, `bookingSource`,
/// `staffMemberName`, `serviceProviderBookingId`, `externalServiceName`,
/// `externalServiceClientId`, `externalBusinessId`, `externalBranchId`.
#[utoipa::path(
    post, path = "/api/platform/tenants/{tenantId}/bookings", tag = "bookings",
    operation_id = "createBooking",
    params(TenantPath, Repeatable),
    request_body(content = read::NewBookingJson, example = json!({
        "clientId": "019c2f4e-8a61-7c52-9b0d-3f1a2b4c5d6e", "bookingDate": "2026-03-14T15:00:00Z",
        "serviceName": "Deep Tissue Massage", "serviceCategory": "massage", "duration": 60,
        "staffMember": "Sarah Kelly", "amount": 75.00, "currency": "EUR", "status": "confirmed",
        "paymentStatus": "deposit_paid", "source": "voice",
        "externalBookingId": "phorest-booking-789", "notes": "First visit",
    })),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses((status = 201, description = "The booking", body = BookingJson), WriteRefusals)
)]
pub(in crate::http) async fn create(
    access: Records,
    body: Body,
    shared: Data<Shared>,
) -> Result<Entity<BookingJson>, Problem> {
    let Body { mut fields, raw } = body;
    let client = match fields.id("clientId").value() {
        Some(id) => client(&shared, access.tenant.id, id).await?,
        None => None,
    };
    let (told, set) = read::booking(fields, client.as_ref(), &access.tenant)?;
    let by = writer(&access, &raw);
    let id = shared.tracker.book(&by, told, set).await.map_err(refused)?;
    let row = find(&shared, access.tenant.id, id).await?.ok_or_else(Problem::not_found)?;
    Ok(Entity::created(row.version, BookingJson::of(access.tenant.id, row)))
}

/// Changes a booking; what isn't sent stays, `null` empties.
///
/// A pending booking can be confirmed or cancelled; a confirmed one completed, cancelled, marked
/// `no_show`, or moved (another `bookingDate`). A payment goes from pending to `deposit_paid` or
/// paid, from `deposit_paid` to paid or refunded, from paid to refunded. Anything else is 409,
/// unless something was recorded wrongly: then send `"correction": true`, which the audit log
/// keeps. No telling of the booking changes what is set here; a cancellation or a move that is
/// told later still is one. Of a booking whose client was erased only `status` and `paymentStatus`
/// can be changed.
#[utoipa::path(
    patch, path = "/api/platform/tenants/{tenantId}/bookings/{id}", tag = "bookings",
    operation_id = "updateBooking",
    params(TenantPath, ("id" = String, Path, description = "The booking's id"), Matching),
    request_body(content = read::BookingPatchJson, example = json!({
        "bookingDate": "2026-03-14T16:30:00Z", "paymentStatus": "paid", "notes": null,
    })),
    security(("token" = ["platform_admin", "client_admin", "service"])),
    responses((status = 200, description = "The booking as it is now", body = TracedJson), WriteRefusals)
)]
pub(in crate::http) async fn update(
    access: Records,
    path: Path<(String, String)>,
    matching: IfMatch,
    body: Body,
    shared: Data<Shared>,
) -> Result<Entity<TracedJson>, Problem> {
    let id = Uuid::try_parse(&path.1).map_err(|_| Problem::not_found())?;
    let tenant = access.tenant.id;
    let row = find(&shared, tenant, id).await?.ok_or_else(Problem::not_found)?;
    let Change { set, correction } = read::change(body.fields, &row, &access.tenant)?;
    if set.names().is_empty() {
        matching.check(row.version)?;
        return super::entity(&shared, tenant, row.id).await;
    }
    let client = client(&shared, tenant, row.client_id).await?;
    let edit = Edit { of: row.id, by: client.iter().flat_map(identities).collect(), set };
    let terms = EditTerms { versions: matching.versions().map(<[i64]>::to_vec), correction };
    let by = writer(&access, &body.raw);
    let edited = match client {
        Some(_) => shared.tracker.edit(&by, edit, terms).await,
        None => shared.tracker.edit_of_erased(&by, &edit, &terms).await,
    };
    let id = match edited {
        Ok(id) | Err(TrackError::Denied(Denied::Nothing(id))) => id,
        Err(error) => return Err(refused(error)),
    };
    super::entity(&shared, tenant, id).await
}

fn writer<'a>(access: &Records, request: &'a [u8]) -> Writer<'a> {
    Writer { tenant: Arc::new(access.tenant.clone()), actor: access.by.actor(), request }
}

async fn client(shared: &Shared, tenant: Uuid, id: Uuid) -> Stored<Option<ClientRow>> {
    let mut reader = shared.db.reader().await?;
    clients::find_once_known(&mut reader.conn(), tenant, id).await
}

/// By what a client is found: as itself, by its phone and WhatsApp id.
fn identities(client: &ClientRow) -> Vec<Identity> {
    let phone = client.phone.clone().map(Phone::from_stored).map(Identity::Phone);
    let whatsapp = client.whatsapp_id.as_deref().and_then(WhatsAppId::parse);
    let own = [Identity::Client(client.id)].into_iter();
    own.chain(phone).chain(whatsapp.map(Identity::WhatsApp)).collect()
}

/// Why a write was not done, in the API's words.
fn refused(error: TrackError) -> Problem {
    let denied = match error {
        TrackError::Denied(denied) => denied,
        TrackError::Unavailable(error) => return error.into(),
        error @ (TrackError::Busy | TrackError::KeyReused { .. }) => return error.into(),
    };
    let detail = denied.to_string();
    match denied {
        Denied::Exists(id) => Problem::exists("booking_exists", &detail, id),
        Denied::SameAs(id) => Problem::exists("booking_same_as_another", &detail, id),
        Denied::ClientUnknown => {
            let fault = Fault::at("/clientId", "client_unknown", &detail, "clientId", None);
            Problem::unprocessable(None, vec![fault])
        }
        Denied::Gone | Denied::Nothing(_) => Problem::not_found(),
        Denied::Erased => Problem::conflict("client_erased", &detail),
        Denied::Changed => IfMatch::refusal(),
        Denied::Transition(..) => Problem::conflict("transition_forbidden", &detail),
        Denied::Payment(..) => Problem::conflict("payment_transition_forbidden", &detail),
        Denied::Move(_) => Problem::conflict("move_forbidden", &detail),
        Denied::ToldTooOften => Problem::conflict("told_too_often", &detail),
    }
}
