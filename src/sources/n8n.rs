//! n8n workflows: `{tenantId, bookingData: {…}}`, or the same fields at the root.
//!
//! Signed by Standard Webhooks (n8n's Crypto node can do it), or sent with a `service` token. A
//! workflow must say how the customer spoke. A Retell event that it passes on is read as Retell's.

use super::{Delivery, Hints, Item, Malformed, Mapped, Reading, forwarded, posted};
use crate::domain::sighting::Rank;

/// Deliveries of n8n workflows.
#[derive(Clone, Copy, Debug)]
pub struct Source;

impl super::Source for Source {
    fn name(&self) -> &'static str {
        "n8n"
    }

    fn path(&self) -> &'static str {
        "/n8n/booking-created"
    }

    posted::declarations!();

    fn hints(&self, body: &[u8]) -> Hints {
        let hints = posted::hints(body);
        let tenant = hints.tenant.or_else(|| forwarded::find(body)?.tenant());
        Hints { tenant, ..hints }
    }

    fn split(&self, delivery: &Delivery<'_>) -> Result<Vec<Item>, Malformed> {
        let forwarded = forwarded::find(delivery.body);
        let told_at = forwarded.as_ref().and_then(|event| event.told_at(delivery.received_at));
        let mut items = posted::split(delivery, Rank::Workflow, told_at)?;
        for item in &mut items {
            let named = || forwarded.as_ref()?.tenant();
            item.tenant = item.tenant.take().or_else(named);
        }
        Ok(items)
    }

    fn map(&self, item: &Item, reading: &Reading<'_>) -> Vec<Mapped> {
        let forwarded = forwarded::find(&item.raw).and_then(|event| event.map(reading));
        forwarded.unwrap_or_else(|| posted::map(item, reading, None))
    }
}
