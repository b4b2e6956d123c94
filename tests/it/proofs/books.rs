//! The database, seen past the service: is what was acknowledged there, whole and once?

use super::stories::Story;
use crate::support::db::{Engine, TestDb};
use std::collections::BTreeSet;

/// What a transaction that was cut in two would leave, as rows that must not be.
const HALVES: &[(&str, &str)] = &[
    (
        "a booking that nobody told",
        "bookings x where not exists (select 1 from booking_sightings s
            where s.tenant_id = x.tenant_id and s.booking_id = x.id)",
    ),
    (
        "a telling without its event",
        "booking_sightings x where not exists (select 1 from webhook_events e
            where e.tenant_id = x.tenant_id and e.id = x.event_id)",
    ),
    (
        "an event that was tracked and tells nothing",
        "webhook_events x where x.status = 'tracked'
            and not exists (select 1 from booking_sightings s
                where s.tenant_id = x.tenant_id and s.event_id = x.id)
            and not exists (select 1 from lead_interactions i
                where i.tenant_id = x.tenant_id and i.event_id = x.id)",
    ),
    (
        "an event that could not be stored, or was refused",
        "webhook_events x where x.status in ('failed', 'rejected', 'queued')",
    ),
    (
        "a client without a booking",
        "clients x where not exists (select 1 from bookings b
            where b.tenant_id = x.tenant_id and b.client_id = x.id)",
    ),
    (
        "a client without a phone to be found by",
        "clients x where not exists (select 1 from client_identities i
            where i.tenant_id = x.tenant_id and i.client_id = x.id and i.kind = 'phone')",
    ),
    (
        "a client without a name to be found by",
        "clients x where not exists (select 1 from client_words w
            where w.tenant_id = x.tenant_id and w.client_id = x.id)",
    ),
    (
        "a client whose first booking is not known",
        "clients x where x.first_booking_at is null or x.last_booking_at is null",
    ),
    (
        "a client whose bookings are counted wrong",
        "clients x where x.bookings_count <> (select count(*) from bookings b
            where b.tenant_id = x.tenant_id and b.client_id = x.id
                and b.status not in ('cancelled', 'no_show'))",
    ),
    (
        "a booking, mapping or identity without its client",
        "(select tenant_id, client_id from bookings
            union all select tenant_id, client_id from client_service_mappings
            union all select tenant_id, client_id from client_identities) x
            where not exists (select 1 from clients c
                where c.tenant_id = x.tenant_id and c.id = x.client_id)",
    ),
    (
        "a lead that nobody asked for",
        "leads x where not exists (select 1 from lead_interactions i
            where i.tenant_id = x.tenant_id and i.lead_id = x.id)",
    ),
    (
        "a delivery that is there twice",
        "(select delivery_key_hash from webhook_events where delivery_key_hash is not null
            group by tenant_id, delivery_key_hash having count(*) > 1) x",
    ),
];

impl TestDb {
    /// An id as [`super::load`] notes it.
    fn plain_id(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite => "lower(hex(id))",
            Engine::Postgres => "replace(cast(id as text), '-', '')",
        }
    }

    /// Fails unless every row has what belongs to it.
    pub(super) async fn is_whole(&self) {
        for (what, half) in HALVES {
            assert_eq!(self.count(half).await, 0, "{what}");
        }
        if self.engine == Engine::Sqlite {
            let sound = self.texts("select integrity_check from pragma_integrity_check").await;
            assert_eq!(sound, ["ok"]);
            let loose = self.texts("select \"table\" from pragma_foreign_key_check").await;
            assert_eq!(loose, [""; 0]);
        }
    }

    /// Fails unless each of these events is there, under its own id or another that it was stored
    /// under first.
    pub(super) async fn has_events(&self, acknowledged: &BTreeSet<String>) {
        let Some(first) = acknowledged.first() else { return };
        // Ids rise with the time: none older is asked for.
        let from = self.literal(first.parse().unwrap());
        let id = self.plain_id();
        let stored = self
            .texts(&format!(
                "select {id} from webhook_events where id >= {from}
                 union all select {id} from event_aliases where id >= {from}"
            ))
            .await;
        let stored: BTreeSet<String> = stored.into_iter().collect();
        let lost: Vec<&String> = acknowledged.difference(&stored).collect();
        assert_eq!(lost.len(), 0, "acknowledged, and not there: {lost:?}");
    }

    /// Fails unless exactly these stories are in the book.
    pub(super) async fn tells(&self, stories: &[Story]) {
        let at = match self.engine {
            Engine::Sqlite => "strftime('%Y-%m-%dT%H:%M', b.booking_at)",
            Engine::Postgres => {
                "to_char(b.booking_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI')"
            }
        };
        let booked = self
            .texts(&format!(
                "select c.phone || ' ' || {at} || ' ' || b.service_key || ' ' || b.status
                 from bookings b join clients c on c.tenant_id = b.tenant_id and c.id = b.client_id"
            ))
            .await;
        same("bookings", booked, stories.iter().flat_map(Story::booked).collect());
        let asked = self.texts("select phone from leads").await;
        same("leads", asked, stories.iter().filter_map(Story::asked).collect());
        let events: usize = stories.iter().map(Story::events).sum();
        assert_eq!(self.count("webhook_events").await, i64::try_from(events).unwrap(), "events");
        let people = self.count("clients").await;
        let phones = self.texts("select distinct phone from clients").await.len();
        assert_eq!(people, i64::try_from(phones).unwrap(), "one client a phone");
        let waiting = "webhook_events where status = 'needs_review'";
        assert_eq!(self.count(waiting).await, 0, "nothing waits for a person");
    }
}

/// Fails unless both hold the same, however often, and names a few that differ.
fn same(what: &str, mut found: Vec<String>, mut expected: Vec<String>) {
    found.sort();
    expected.sort();
    if found == expected {
        return;
    }
    let (many, few): (BTreeSet<_>, BTreeSet<_>) =
        (found.iter().collect(), expected.iter().collect());
    let extra: Vec<_> = many.difference(&few).take(5).collect();
    let missing: Vec<_> = few.difference(&many).take(5).collect();
    let (found, expected) = (found.len(), expected.len());
    panic!("{what}: {found} instead of {expected}; not told: {extra:?}; missing: {missing:?}");
}
