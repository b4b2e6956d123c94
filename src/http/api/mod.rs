//! The REST API under `/api/platform/tenants/{tenant_id}`, one file a noun.

pub(super) mod bookings;
pub(super) mod clients;
pub(super) mod events;
pub(super) mod leads;
