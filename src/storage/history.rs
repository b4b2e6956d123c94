//! What happened to one client: events that told of it, and what people did.

use super::audit::AuditRow;
use super::bookings::BookingRow;
use super::events::EventSummary;
use super::{Conn, Result, fetch_all, statements};
use chrono::{DateTime, Utc};
use uuid::Uuid;

statements! {
    LIST_EVENTS = "
        select e.tenant_id, e.id, e.source, e.kind, e.status, e.reason, e.problems, e.answer,
            e.occurred_at, e.received_at, e.attempts, e.told_again_as
        from (
            select distinct event_id as id from booking_sightings
            where tenant_id = $1 and client_id = $2 and event_id < $3
            order by event_id desc limit $4
        ) told cross join webhook_events e
        where e.tenant_id = $1 and e.id = told.id
        order by e.id desc";
    LIST_AUDIT = "
        select id, actor, action, subject_kind, subject_id, detail, created_at
        from audit_log
        where tenant_id = $1 and subject_kind = 'client' and subject_id = $2
        order by id desc limit $3";
    LIST_BOOKINGS = "
        select id, client_id, booking_at, service_name, service_key, service_category,
            duration_minutes, staff_member, amount_minor, currency, status, payment_status, source,
            provider, external_booking_id, origin_key, notes, possible_duplicate_of, flags,
            booked_at, version, created_at, updated_at
        from bookings
        where tenant_id = $1 and client_id = $2 and (booking_at, id) < ($3, $4)
        order by booking_at desc, id desc limit $5";
}

/// The events that told of a client's bookings before `before`, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn events(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    client: Uuid,
    before: Uuid,
    limit: i64,
) -> Result<Vec<EventSummary>> {
    Ok(fetch_all!(conn, EventSummary, LIST_EVENTS, tenant, client, before, limit)?)
}

/// What was done to a client, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn audit(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    client: Uuid,
    limit: i64,
) -> Result<Vec<AuditRow>> {
    let subject = client.to_string();
    Ok(fetch_all!(conn, AuditRow, LIST_AUDIT, tenant, subject, limit)?)
}

/// A client's bookings behind a place, the latest appointment first.
///
/// # Errors
/// When the database fails.
pub async fn bookings(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    client: Uuid,
    (at, id): (DateTime<Utc>, Uuid),
    limit: i64,
) -> Result<Vec<BookingRow>> {
    Ok(fetch_all!(conn, BookingRow, LIST_BOOKINGS, tenant, client, at, id, limit)?)
}
