//! Two clients that proved to be one person.

use super::aliases::{self, Kind};
use super::{Conn, Result, beside, clients, duplicates, execute, statements};
use crate::domain::ids;
use chrono::{DateTime, Utc};
use uuid::Uuid;

statements! {
    MOVE_BOOKINGS = "
        update bookings set client_id = $3 where tenant_id = $1 and client_id = $2";
    ADD_COUNTERS = "
        update clients set
            bookings_count = bookings_count + (
                select g.bookings_count from clients g where g.tenant_id = $1 and g.id = $2),
            spent_minor = spent_minor + (
                select g.spent_minor from clients g where g.tenant_id = $1 and g.id = $2)
        where tenant_id = $1 and id = $3";
    MOVE_SIGHTINGS = "
        update booking_sightings set client_id = $3 where tenant_id = $1 and client_id = $2";
    MOVE_MAPPINGS = "
        update client_service_mappings set client_id = $3, updated_at = $4
        where tenant_id = $1 and client_id = $2";
    MOVE_IDENTITIES = "
        update client_identities set client_id = $3 where tenant_id = $1 and client_id = $2";
    MOVE_LEADS = "
        update leads set converted_client_id = $3
        where tenant_id = $1 and converted_client_id = $2";
    INSERT_AUDIT = "
        insert into audit_log
            (tenant_id, id, actor, action, subject_kind, subject_id, detail, created_at)
        values ($1, $2, 'delivery', 'join', 'client', $3, $4, $5)";
}

/// Gives everything of one client to another and removes it; its id means the other from then on,
/// and the audit log says so.
///
/// # Errors
/// When the database fails.
pub async fn absorb(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    gone: Uuid,
    stays: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    execute!(conn, MOVE_BOOKINGS, tenant, gone, stays)?;
    execute!(conn, ADD_COUNTERS, tenant, gone, stays)?;
    execute!(conn, MOVE_SIGHTINGS, tenant, gone, stays)?;
    execute!(conn, MOVE_MAPPINGS, tenant, gone, stays, now)?;
    execute!(conn, MOVE_IDENTITIES, tenant, gone, stays)?;
    execute!(conn, MOVE_LEADS, tenant, gone, stays)?;
    duplicates::move_to(conn, tenant, gone, stays, now).await?;
    beside::move_to(conn, tenant, gone, stays).await?;
    clients::delete(conn, tenant, gone).await?;
    aliases::insert(conn, tenant, Kind::Client, (gone, stays), now).await?;
    let (id, subject) = (ids::new(now), stays.to_string());
    let detail = format!("phone and WhatsApp id arrived together; was also client {gone}");
    execute!(conn, INSERT_AUDIT, tenant, id, subject, detail, now)?;
    Ok(())
}
