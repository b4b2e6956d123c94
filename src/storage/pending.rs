//! Clients' rows on their way into the database, alone or with those of other events.

use super::batch::RowKey;
use super::bulk::{Fused, Rows, bulk};
use super::clients::{ClientRow, Tally};
use super::{Error, Raw, Result, bookings, clients, events, mappings, sightings, words};
use std::collections::BTreeMap;
use uuid::Uuid;

bulk! {
    INSERT(
        tenant_id Uuid, id Uuid, phone Text, whatsapp_id Text, first_name Text, last_name Text,
        email Text, status Text, first_interaction_source Text, first_interaction_at Time,
        first_booking_at Time, last_booking_at Time, last_booking_order Number, provenance Text,
        set_by_person Text, sort_name Bytes, updated_at Time, version Number,
        bookings_count Number, spent_minor Number,
    ) = "
        insert into clients (tenant_id, id, phone, whatsapp_id, first_name, last_name, email,
            status, first_interaction_source, first_interaction_at, first_booking_at,
            last_booking_at, last_booking_order, provenance, set_by_person, sort_name, version,
            bookings_count, spent_minor, created_at, updated_at)
        select tenant_id, id, phone, whatsapp_id, first_name, last_name, email, status,
            first_interaction_source, first_interaction_at, first_booking_at, last_booking_at,
            last_booking_order, provenance, set_by_person, sort_name, version, bookings_count,
            spent_minor, updated_at, updated_at
        from k";
    UPDATE(
        tenant_id Uuid, id Uuid, phone Text, whatsapp_id Text, first_name Text, last_name Text,
        email Text, status Text, first_interaction_source Text, first_interaction_at Time,
        first_booking_at Time, last_booking_at Time, last_booking_order Number, provenance Text,
        set_by_person Text, sort_name Bytes, updated_at Time, version Number,
        bookings_count Number, spent_minor Number,
    ) = "
        update clients as c set phone = k.phone, whatsapp_id = k.whatsapp_id,
            first_name = k.first_name, last_name = k.last_name, email = k.email,
            status = k.status, first_interaction_source = k.first_interaction_source,
            first_interaction_at = k.first_interaction_at, first_booking_at = k.first_booking_at,
            last_booking_at = k.last_booking_at, last_booking_order = k.last_booking_order,
            provenance = k.provenance, set_by_person = k.set_by_person, sort_name = k.sort_name,
            version = c.version + 1, updated_at = k.updated_at,
            bookings_count = c.bookings_count + k.bookings_count,
            spent_minor = c.spent_minor + k.spent_minor
        from k
        where c.tenant_id = k.tenant_id and c.id = k.id and c.version = k.version
        returning 1";
}

/// A client's row that is still to be written.
#[derive(Clone, Debug)]
pub(super) struct PendingClient {
    row: ClientRow,
    is_new: bool,
    tally: Tally,
    /// The words that are to be written; the ones there were are to be removed first.
    words: Option<Vec<String>>,
    had_words: bool,
}

impl PendingClient {
    /// A row that isn't there yet.
    pub(super) fn new(row: &ClientRow) -> Self {
        let tally = Tally::default();
        Self { row: row.clone(), is_new: true, tally, words: None, had_words: false }
    }

    /// A row that is there already, as it is to be; `before` as in `clients::update`.
    pub(super) fn changed(before: Option<&ClientRow>, row: &ClientRow, tally: Tally) -> Self {
        let (was, is) = (before.map(ClientRow::words), row.words());
        let words = Some(is).filter(|is| was.as_ref() != Some(is));
        Self { row: row.clone(), is_new: false, tally, words, had_words: was.is_some() }
    }

    /// The row as it is once this is written, the last of its changes having added `tally`.
    pub(super) fn written(&self, tally: Tally) -> ClientRow {
        let mut row = self.row.clone();
        row.version += i64::from(!self.is_new);
        row.bookings_count += tally.bookings;
        row.spent_minor += tally.spent_minor;
        row
    }

    /// What is left to be written once another change follows, which was read from this one.
    pub(super) fn then(self, next: Self) -> Self {
        let tally = Tally {
            bookings: self.tally.bookings + next.tally.bookings,
            spent_minor: self.tally.spent_minor + next.tally.spent_minor,
        };
        let row = ClientRow { version: self.row.version, ..next.row };
        let words = next.words.or(self.words);
        Self { row, is_new: self.is_new, tally, words, had_words: self.had_words }
    }

    /// The row as the statements take it. `updated_at` of a new row is when it is made.
    fn values(&self, tenant: Uuid) -> Rows<'_> {
        let row = &self.row;
        Rows::one([
            tenant.into(),
            row.id.into(),
            row.phone.as_deref().into(),
            row.whatsapp_id.as_deref().into(),
            row.first_name.as_str().into(),
            row.last_name.as_str().into(),
            row.email.as_deref().into(),
            row.status.as_str().into(),
            row.first_interaction_source.as_str().into(),
            row.first_interaction_at.into(),
            row.first_booking_at.into(),
            row.last_booking_at.into(),
            row.last_booking_order().into(),
            row.provenance.as_str().into(),
            row.set_by_person.as_str().into(),
            row.sort_name().into(),
            (if self.is_new { row.created_at } else { row.updated_at }).into(),
            row.version.into(),
            self.tally.bookings.into(),
            self.tally.spent_minor.into(),
        ])
    }
}

/// What is to be written of clients that were held back.
#[derive(Default)]
pub(super) struct ClientRows<'c> {
    pub(super) new: Rows<'c>,
    pub(super) changed: Rows<'c>,
    /// Clients whose words are to be removed before the new ones are written.
    pub(super) old_words: Rows<'c>,
    pub(super) words: Rows<'c>,
    /// How many rows are to change: one that does not is no longer what it was when it was read.
    pub(super) changes: u64,
}

impl<'c> ClientRows<'c> {
    /// Everything of these clients, in the order of their ids.
    pub(super) fn of(pending: &'c BTreeMap<RowKey, PendingClient>) -> Self {
        let mut rows = Self::default();
        for ((tenant, id), client) in pending {
            if client.is_new {
                rows.new.extend(client.values(*tenant));
            } else {
                rows.changed.extend(client.values(*tenant));
                rows.changes += 1;
            }
            let Some(words) = &client.words else { continue };
            if client.had_words {
                rows.old_words.push([(*tenant).into(), (*id).into()]);
            }
            rows.words.extend(words::rows(*tenant, *id, words));
        }
        rows
    }
}

/// Everything that a transaction writes by rows, each table after those that it refers to.
static ALL: Fused<8> = Fused::new([
    &UPDATE,
    &INSERT,
    &words::INSERT,
    &clients::INSERT_IDENTITY,
    &bookings::INSERT,
    &events::INSERT,
    &sightings::INSERT,
    &mappings::INSERT,
]);

/// The one statement in which PostgreSQL is told all of it: for the tests that prepare every one.
pub(super) fn all_on_postgres() -> &'static str {
    ALL.on_postgres()
}

/// Writes clients that were held back, their words, and rows of other tables: of identities,
/// bookings, events, sightings and mappings.
///
/// # Errors
/// When the database fails; a conflict when a row is no longer what it was when it was read.
pub(super) async fn write_pending(
    raw: &mut Raw<'_>,
    pending: BTreeMap<RowKey, PendingClient>,
    others: [Rows<'_>; 5],
) -> Result<()> {
    let ClientRows { new, changed, old_words, words, changes } = ClientRows::of(&pending);
    words::DELETE_MANY.run(raw, old_words).await?;
    let [identities, bookings, events, sightings, mappings] = others;
    let rows = [changed, new, words, identities, bookings, events, sightings, mappings];
    if ALL.run(raw, rows).await? == changes {
        return Ok(());
    }
    Err(Error::Conflict(sqlx::Error::RowNotFound))
}
