//! One event on its way: read, hashed, placed in history.

use super::by_hand::Terms;
use super::reworded::reworded;
use super::settle::review_contexts;
use super::{Taken, Tracker, asked, gather};
use crate::domain::ids;
use crate::domain::person::Identity;
use crate::domain::sighting::{Order, Says, Sighting};
use crate::sources::{
    DeliveryKey, IdentityChange, Lead, Manners, Mapped, Reading, Review, Telling,
};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};
use tracing::Span;
use uuid::Uuid;

/// One event on its way: read, with its hashes.
pub(super) struct Work {
    pub(super) taken: Taken,
    pub(super) event_id: Uuid,
    pub(super) key_hash: Option<String>,
    pub(super) body_hash: String,
    pub(super) mapped: Vec<Mapped>,
    pub(super) sightings: Vec<Sighting>,
    pub(super) overrides: BTreeMap<String, String>,
    /// True for an event that is stored already and read again.
    pub(super) again: bool,
    /// The keyed hashes by which it is known, where it belongs to somebody who was erased.
    pub(super) marks: BTreeSet<String>,
    /// On what terms it is tracked.
    pub(super) terms: Terms,
    /// The request that it came with: whatever is said of it in the log is said there.
    pub(super) span: Span,
}

impl Work {
    /// Whose it is.
    pub(super) fn tenant(&self) -> Uuid {
        self.taken.tenant.id
    }

    /// What to lock before anything is read that the event may change.
    pub(super) fn locks(&self) -> BTreeSet<String> {
        let mut locks: BTreeSet<String> = self.sightings.iter().flat_map(gather::names).collect();
        // Whoever erases a person locks where their events were told.
        locks.extend(self.taken.item.context.as_deref().map(gather::context_lock));
        locks.extend(asked::identities(&self.mapped).iter().map(Identity::key));
        locks.extend(review_contexts(&self.mapped).map(gather::context_lock));
        locks.extend(reworded(&self.mapped).map(|words| gather::context_lock(&words.context)));
        locks.extend(self.key_hash.iter().map(|key| format!("delivery:{key}")));
        locks
    }

    /// The lead that the event tells of.
    pub(super) fn lead(&self) -> Option<&Lead> {
        self.mapped.iter().find_map(|mapped| match mapped {
            Mapped::Lead(lead) => Some(lead),
            _ => None,
        })
    }

    /// Identities of one person that the event tells without a booking.
    pub(super) fn links(&self) -> Vec<Vec<Identity>> {
        self.lead().map(|lead| lead.identities.clone()).into_iter().collect()
    }

    /// The calls and messages in which it tells anything of a booking.
    pub(super) fn contexts(&self) -> BTreeSet<String> {
        let told = self.sightings.iter().filter_map(|s| s.context.clone());
        told.chain(review_contexts(&self.mapped).map(str::to_owned)).collect()
    }

    /// The number changes that the event tells of.
    pub(super) fn identity_changes(&self) -> impl Iterator<Item = &IdentityChange> {
        self.mapped.iter().filter_map(|mapped| match mapped {
            Mapped::Identity(change) => Some(change),
            _ => None,
        })
    }
}

impl Taken {
    /// How its caller is answered; one that is gone is not asked to correct anything.
    pub(super) fn manners(&self) -> Manners {
        if self.queued { Manners::Push } else { self.source.manners() }
    }
}

impl Tracker {
    /// Reads an event: what it says, what makes a repeat of it one, where its tellings stand.
    pub(super) fn read(
        &self,
        taken: Taken,
        event_id: Uuid,
        overrides: BTreeMap<String, String>,
        again: bool,
    ) -> Work {
        let received_at = taken.received_at;
        let map = taken.map.as_deref();
        let reading = Reading { tenant: &taken.tenant, received_at, overrides: &overrides, map };
        let mapped = match &taken.held {
            Some((code, detail)) => {
                vec![Mapped::NeedsReview(Review::whole(code, detail))]
            }
            None => taken.source.map(&taken.item, &reading),
        };
        let body_hash = self.key.hash(&[b"body", &taken.item.raw]);
        let key_hash = self.key_hash(&taken, &body_hash);
        // The same words posted again after their hour are another telling.
        let hourly = taken.item.key == DeliveryKey::BodyForAnHour;
        let key = key_hash.clone().filter(|_| !hourly);
        let key = key.unwrap_or_else(|| event_id.to_string());
        let sightings = mapped.iter().filter_map(|one| sighting(one, event_id, &key, &taken));
        let sightings: Vec<Sighting> = sightings.collect();
        let marks = self.marks(&taken, &mapped, &sightings);
        Work {
            taken,
            event_id,
            key_hash,
            body_hash,
            mapped,
            sightings,
            overrides,
            again,
            marks,
            terms: Terms::Delivery,
            span: Span::current(),
        }
    }

    /// The keyed hash of what makes a repeat of this event a repeat.
    pub(super) fn key_hash(&self, taken: &Taken, body_hash: &str) -> Option<String> {
        let source = taken.source.name();
        let mut parts: Vec<&[u8]> = vec![b"delivery", source.as_bytes()];
        let connection = taken.connection_id.map(|id| id.to_string()).unwrap_or_default();
        match &taken.item.key {
            DeliveryKey::None => return None,
            DeliveryKey::WithBody(key) => {
                parts.extend(key.iter().map(String::as_bytes));
                parts.push(body_hash.as_bytes());
            }
            DeliveryKey::Exact(key) => parts.extend(key.iter().map(String::as_bytes)),
            DeliveryKey::Chosen(key) => parts.extend([connection.as_bytes(), key.as_bytes()]),
            DeliveryKey::BodyForAnHour => {
                parts.extend([b"hour", taken.path.as_bytes(), body_hash.as_bytes()]);
            }
        }
        Some(self.key.hash(&parts))
    }
}

/// When an event was told: by the provider's clock where it says so, never after it arrived.
pub(super) fn told_at(taken: &Taken) -> DateTime<Utc> {
    taken.item.occurred_at.unwrap_or(taken.received_at).min(taken.received_at)
}

/// The sighting of a telling, at its place in history; `None` for what tells no booking.
fn sighting(mapped: &Mapped, event_id: Uuid, key: &str, taken: &Taken) -> Option<Sighting> {
    match mapped {
        Mapped::Booking(telling) => {
            let says = Says::Booking(Box::new(telling.data.clone()));
            Some(place(telling, says, event_id, key, taken))
        }
        Mapped::Change(telling) => {
            let says = Says::Change(Box::new(telling.data.clone()));
            Some(place(telling, says, event_id, key, taken))
        }
        Mapped::Edit(telling) => {
            let says = Says::Edit(Box::new(telling.data.clone()));
            Some(place(telling, says, event_id, key, taken))
        }
        _ => None,
    }
}

fn place<T>(
    telling: &Telling<T>,
    says: Says,
    event_id: Uuid,
    key: &str,
    taken: &Taken,
) -> Sighting {
    Sighting {
        id: ids::new(taken.received_at),
        event_id,
        item: telling.item.clone(),
        order: Order {
            event_time: told_at(taken),
            rank: taken.item.rank,
            seq: telling.seq,
            key: format!("{key}#{}", telling.item),
        },
        context: telling.context.clone(),
        told_as: telling.told_as.clone(),
        says,
        set_by_person: telling.set_by_person.clone(),
        booking_id: None,
    }
}
