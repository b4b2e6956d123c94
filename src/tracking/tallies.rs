//! What bookings add to their clients' counters: the difference between the rows as they were and
//! as they are, so that no delivery reads a history.

use super::write::Placed;
use crate::domain::channel::{BookingStatus, PaymentStatus};
use crate::domain::money::Currency;
use crate::storage::bookings::BookingRow;
use crate::storage::clients::Tally;
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a booking counts for; nothing once it is cancelled or missed.
pub(super) fn worth(row: &BookingRow, currency: Currency) -> Tally {
    let called_off = [BookingStatus::Cancelled, BookingStatus::NoShow].map(BookingStatus::as_str);
    if called_off.contains(&row.status.as_str()) {
        return Tally::default();
    }
    let paid_back = row.payment_status == PaymentStatus::Refunded.as_str();
    let counts = !paid_back && row.currency.as_deref() == Some(currency.as_str());
    Tally { bookings: 1, spent_minor: row.amount_minor.filter(|_| counts).unwrap_or(0) }
}

/// The differences, by client.
#[derive(Clone, Debug, Default)]
pub(super) struct Tallies(BTreeMap<Uuid, Tally>);

impl Tallies {
    /// Of bookings that were so, and were folded into others, and are so now.
    pub(super) fn of(
        placed: &[(&Placed<'_>, BookingRow)],
        folded: &BTreeMap<Uuid, BookingRow>,
        currency: Currency,
    ) -> Self {
        let mut tallies = Self::default();
        let before = placed.iter().filter_map(|(booking, _)| booking.before.as_ref());
        for row in before.chain(folded.values()) {
            let gone = worth(row, currency);
            tallies.add(row.client_id, -gone.bookings, -gone.spent_minor);
        }
        for (_, row) in placed {
            let come = worth(row, currency);
            tallies.add(row.client_id, come.bookings, come.spent_minor);
        }
        tallies.0.retain(|_, tally| *tally != Tally::default());
        tallies
    }

    fn add(&mut self, client: Uuid, bookings: i64, spent_minor: i64) {
        let tally = self.0.entry(client).or_default();
        tally.bookings += bookings;
        tally.spent_minor = tally.spent_minor.saturating_add(spent_minor);
    }

    /// What one client's row is to grow by, once.
    pub(super) fn take(&mut self, client: Uuid) -> Tally {
        self.0.remove(&client).unwrap_or_default()
    }

    /// What is left.
    pub(super) fn rest(self) -> impl Iterator<Item = (Uuid, Tally)> {
        self.0.into_iter()
    }
}
