//! Whether what a person supplies can be read, before anything is done with it.

use super::draft::Draft;
use super::read::Rules;
use crate::domain::money::NotMoney;
use crate::domain::problem::Problem;
use crate::domain::tenant::TenantSettings;
use std::collections::BTreeMap;

/// What of the supplied values can't be read, whatever the event says beside them.
#[must_use]
pub fn unreadable(supplied: &BTreeMap<String, String>, tenant: &TenantSettings) -> Vec<Problem> {
    let rules = Rules {
        tenant,
        // Whoever supplies a date does so long after the event: "tomorrow" could be either's.
        told_at: None,
        contract: true,
        channel: None,
        sender: None,
        provider: None,
    };
    let mut problems = Draft::corrected(supplied).read(&rules).problems;
    // How many decimals an amount may have depends on the currency, which the event may tell.
    let too_precise = |p: &Problem| p.code == NotMoney::TooPrecise.code();
    problems.retain(|p| supplied.contains_key("currency") || !too_precise(p));
    problems
}
