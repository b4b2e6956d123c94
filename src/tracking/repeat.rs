//! What is known of an event already: repeats, and events that are read again.

use super::answer::{Answer, BookingAnswer};
use super::work::Work;
use super::{TrackError, Tracker, Trouble};
use crate::domain::channel::EventStatus;
use crate::domain::sighting::Sighting;
use crate::sources::DeliveryKey;
use crate::storage::sightings::Lookup;
use crate::storage::{self, Conn, Error, bookings, events, sightings};
use chrono::TimeDelta;

/// What a known delivery key means for the delivery at hand.
pub(super) enum Repeat {
    /// It is a repeat: this was answered.
    Answer(Answer),
    /// The key's hour is over: the old event lets go of it.
    ReleaseKey,
    /// The stored event is to be read again.
    Again,
}

impl Tracker {
    /// The event that was stored under this delivery key, or under this id when it is read again.
    pub(super) async fn known(
        &self,
        conn: &mut Conn<'_>,
        work: &Work,
    ) -> storage::Result<Option<events::KnownEvent>> {
        let tenant = work.taken.tenant.id;
        if work.again {
            let row = events::find(conn, tenant, work.event_id).await?;
            return Ok(row.map(|row| events::KnownEvent {
                id: row.id,
                body_hash: work.body_hash.clone(),
                status: row.status,
                answer: row.answer,
                received_at: row.received_at,
            }));
        }
        match &work.key_hash {
            Some(key) => events::find_by_key(conn, tenant, key).await,
            None => Ok(None),
        }
    }

    /// Says what a known event means for this delivery.
    pub(super) fn repeat(work: &Work, known: &events::KnownEvent) -> Result<Repeat, Trouble> {
        let unreadable = Error::Inconsistent { table: "webhook_events", column: "answer" };
        let answer = || serde_json::from_str::<Answer>(&known.answer).map(Answer::repeated);
        if work.again {
            let tracked = known.status == EventStatus::Tracked.as_str();
            let answer = answer().map_err(|_| unreadable)?;
            return Ok(if tracked { Repeat::Answer(answer) } else { Repeat::Again });
        }
        let chosen = matches!(work.taken.item.key, DeliveryKey::Chosen(_));
        let hourly = matches!(work.taken.item.key, DeliveryKey::BodyForAnHour);
        if hourly && known.received_at + TimeDelta::hours(1) <= work.taken.received_at {
            return Ok(Repeat::ReleaseKey);
        }
        if chosen && known.body_hash != work.body_hash {
            return Err(Trouble::Track(TrackError::KeyReused { event_id: known.id }));
        }
        Ok(Repeat::Answer(answer().map_err(|_| unreadable)?))
    }

    /// The sightings to be added. An event that is read again keeps those that have a booking
    /// (answered second) and tells the others anew.
    pub(super) async fn fresh(
        conn: &mut Conn<'_>,
        work: &Work,
    ) -> storage::Result<(Vec<Sighting>, Vec<BookingAnswer>)> {
        if !work.again {
            return Ok((work.sightings.clone(), Vec::new()));
        }
        let tenant = work.taken.tenant.id;
        sightings::delete_waiting(conn, tenant, work.event_id).await?;
        let by = Lookup::Event(work.event_id);
        let known = sightings::list(conn, tenant, &by).await?;
        let mut kept = Vec::new();
        for id in known.iter().filter_map(|s| s.booking_id) {
            let booking = bookings::find(conn, tenant, id).await?;
            kept.extend(booking.map(|row| BookingAnswer {
                booking_id: row.id,
                client_id: row.client_id,
                is_new_client: false,
            }));
        }
        let fresh = work.sightings.iter().filter(|s| !known.iter().any(|k| k.item == s.item));
        Ok((fresh.cloned().collect(), kept))
    }
}
