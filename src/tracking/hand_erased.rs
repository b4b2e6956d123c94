//! What a person sets of a booking whose client was erased: its states alone. Nothing is left that
//! was told of it, so the row itself is changed.

use super::by_hand::{Denied, EditTerms, Writer, forbidden};
use super::tallies::worth;
use super::{TrackError, Tracker};
use crate::domain::edit::{Edit, Edited};
use crate::storage::bookings::BookingRow;
use crate::storage::clients::Tally;
use crate::storage::{Conn, audit, bookings, clients, locks};
use serde_json::json;
use uuid::Uuid;

impl Tracker {
    /// Changes the states of a booking that is nobody's any more; answers its id.
    ///
    /// # Errors
    /// [`TrackError::Denied`] when it may not be, [`TrackError::Unavailable`].
    pub async fn edit_of_erased(
        &self,
        by: &Writer<'_>,
        edit: &Edit,
        terms: &EditTerms,
    ) -> Result<Uuid, TrackError> {
        let unavailable = TrackError::Unavailable;
        let tenant = by.tenant.id;
        let mut tx = self.db.begin().await.map_err(unavailable)?;
        let conn = &mut tx.conn();
        let name = format!("booking:{}", edit.of);
        locks::lock(conn, tenant, &[name]).await.map_err(unavailable)?;
        let before = bookings::find(conn, tenant, edit.of).await.map_err(unavailable)?;
        let before = before.ok_or(Denied::Gone)?;
        let row = changed(&before, &edit.set, terms)?;
        let row = BookingRow { updated_at: self.clock.now(), ..row };
        self.store(conn, by, (&before, &row), (edit, terms)).await.map_err(unavailable)?;
        tx.commit().await.map_err(unavailable)?;
        Ok(row.id)
    }

    async fn store(
        &self,
        conn: &mut Conn<'_>,
        by: &Writer<'_>,
        (before, row): (&BookingRow, &BookingRow),
        (edit, terms): (&Edit, &EditTerms),
    ) -> crate::storage::Result<()> {
        let (tenant, currency) = (by.tenant.id, by.tenant.currency);
        bookings::update(conn, tenant, row).await?;
        let (was, is) = (worth(before, currency), worth(row, currency));
        let tally = Tally {
            bookings: is.bookings - was.bookings,
            spent_minor: is.spent_minor - was.spent_minor,
        };
        clients::count(conn, tenant, row.client_id, tally).await?;
        let action = if terms.correction { "booking.corrected" } else { "booking.updated" };
        let fields = json!({ "fields": edit.set.names() }).to_string();
        let (id, now) = (row.id.to_string(), row.updated_at);
        audit::note(conn, tenant, &by.actor, action, "booking", &id, Some(&fields), now).await
    }
}

/// The row as it is to be.
fn changed(before: &BookingRow, set: &Edited, terms: &EditTerms) -> Result<BookingRow, Denied> {
    let states =
        Edited { status: set.status, payment_status: set.payment_status, ..Edited::default() };
    if *set != states {
        return Err(Denied::Erased);
    }
    if terms.versions.as_ref().is_some_and(|versions| !versions.contains(&before.version)) {
        return Err(Denied::Changed);
    }
    if !terms.correction
        && let Some(denied) = forbidden(before, set)
    {
        return Err(denied);
    }
    let mut row = before.clone();
    if let Some(status) = set.status {
        status.as_str().clone_into(&mut row.status);
    }
    if let Some(status) = set.payment_status {
        status.as_str().clone_into(&mut row.payment_status);
    }
    if row == *before { Err(Denied::Nothing(row.id)) } else { Ok(row) }
}
