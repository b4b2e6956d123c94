//! What a tenant is, and how its deliveries are to be read.

use super::channel::DateOrder;
use super::money::Currency;
use super::phone::Region;
use chrono_tz::Tz;
use uuid::Uuid;

/// How a tenant's deliveries are read: where its customers' phones, clocks and prices belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantSettings {
    /// The tenant's id.
    pub id: Uuid,
    /// The tenant's short name, usable in place of the id.
    pub slug: String,
    /// Where a phone without a country code belongs.
    pub default_region: Region,
    /// The zone of a time without an offset.
    pub timezone: Tz,
    /// The currency of an amount without one.
    pub currency: Currency,
    /// How a date in digits is read.
    pub date_order: DateOrder,
}

impl TenantSettings {
    /// True when `name` is this tenant's id (in any case) or slug.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        name == self.slug || Uuid::try_parse(name).is_ok_and(|id| id == self.id)
    }
}
