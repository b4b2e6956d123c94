//! What a person writes of a booking through the API: an event like any other, on terms that are
//! checked in the very transaction that tracks it.

use super::gather::Gathered;
use super::resolve::{Resolution, Resolved, resolve};
use super::{Taken, TrackError, Tracker, Trouble};
use crate::domain::booking::UnifiedBookingData;
use crate::domain::channel::{BookingStatus, PaymentStatus};
use crate::domain::edit::{Edit, Edited};
use crate::domain::ids;
use crate::domain::sighting::{Says, Sighting};
use crate::domain::tenant::TenantSettings;
use crate::sources::{Mapped, Telling, api};
use crate::storage::bookings::BookingRow;
use crate::storage::{self, Conn, audit, bookings, clients};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// Who writes, for whom, and what the request was.
pub struct Writer<'a> {
    /// Whose data it is.
    pub tenant: Arc<TenantSettings>,
    /// Who writes, as the audit log names them.
    pub actor: String,
    /// The request's body, which must be JSON.
    pub request: &'a [u8],
}

/// What has to hold for a change.
#[derive(Clone, Debug, Default)]
pub struct EditTerms {
    /// The versions of the booking that it is meant for; `None` for any.
    pub versions: Option<Vec<i64>>,
    /// True when something was recorded wrongly: then every state may follow every other.
    pub correction: bool,
}

/// Why a person's write is not done. Nothing of it is kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// What is to be made is there.
    #[error("this booking exists already")]
    Exists(Uuid),
    /// No client of the tenant has this id.
    #[error("no client of this tenant has this id")]
    ClientUnknown,
    /// The same was set before, and nothing was told since: nothing is to be done.
    #[error("it is so already")]
    Nothing(Uuid),
    /// There is no such booking any more.
    #[error("there is no such booking")]
    Gone,
    /// Of a booking whose person was erased only the states are changed.
    #[error("the booking's client was erased: only its status and paymentStatus can be changed")]
    Erased,
    /// It is not the version that the change is meant for.
    #[error("the booking has changed since it was read")]
    Changed,
    /// The booking would be the same as another.
    #[error("another booking has this client, service and start, or this reference")]
    SameAs(Uuid),
    /// The state can't follow the one that the booking is in.
    #[error("a booking that is {0} can't become {1}; {CORRECTION}")]
    Transition(BookingStatus, BookingStatus),
    /// The payment's state can't follow the one that it is in.
    #[error("a payment that is {0} can't become {1}; {CORRECTION}")]
    Payment(PaymentStatus, PaymentStatus),
    /// A booking that is over is not moved.
    #[error("a booking that is {0} can't be moved; {CORRECTION}")]
    Move(BookingStatus),
    /// Too many tellings hang together with it.
    #[error("over a thousand tellings hang together with this booking")]
    ToldTooOften,
}

const CORRECTION: &str = "if it was recorded wrongly, send \"correction\": true";

/// On what terms an event is tracked.
pub(super) enum Terms {
    /// A delivery's: whatever it comes to is kept.
    Delivery,
    /// Makes a booking, which must be new.
    New {
        /// Who makes it.
        actor: String,
        /// Names of the fields that they set.
        fields: Vec<String>,
    },
    /// Changes one that is there.
    Change {
        /// Who changes it.
        actor: String,
        /// What.
        edit: Box<Edit>,
        /// When it may be.
        terms: EditTerms,
    },
}

impl Tracker {
    /// Tracks a booking that a person tells; answers its id.
    ///
    /// # Errors
    /// [`TrackError::Denied`], above all when the booking exists; [`TrackError::Unavailable`].
    pub async fn book(
        &self,
        by: &Writer<'_>,
        told: UnifiedBookingData,
        fields: Vec<String>,
    ) -> Result<Uuid, TrackError> {
        let telling = telling(told, fields.clone());
        let terms = Terms::New { actor: by.actor.clone(), fields };
        self.write(by, "booking.created", Mapped::Booking(telling), terms).await
    }

    /// Tracks what a person sets of a booking; answers its id.
    ///
    /// # Errors
    /// [`TrackError::Denied`] when it may not be, [`TrackError::Unavailable`].
    pub async fn edit(
        &self,
        by: &Writer<'_>,
        edit: Edit,
        terms: EditTerms,
    ) -> Result<Uuid, TrackError> {
        let (telling, edit) = (telling(edit.clone(), edit.set.names()), Box::new(edit));
        let terms = Terms::Change { actor: by.actor.clone(), edit, terms };
        self.write(by, "booking.updated", Mapped::Edit(telling), terms).await
    }

    async fn write(
        &self,
        by: &Writer<'_>,
        kind: &str,
        told: Mapped,
        terms: Terms,
    ) -> Result<Uuid, TrackError> {
        let item = api::written(kind, told, by.request).map_err(|_| unreadable())?;
        let received_at = self.clock.now();
        let taken = Taken {
            event_id: ids::new(received_at),
            queued: false,
            tenant: Arc::clone(&by.tenant),
            connection_id: None,
            source: api::BY_HAND,
            item,
            path: api::BY_HAND.path().to_owned(),
            headers: "{}".to_owned(),
            received_at,
            map: None,
            held: None,
        };
        let id = taken.event_id;
        let mut work = self.read(taken, id, BTreeMap::new(), false);
        work.terms = terms;
        let answer = self.run(&work).await?;
        answer.booking_id.ok_or_else(unreadable)
    }
}

fn unreadable() -> TrackError {
    let error = storage::Error::Inconsistent { table: "webhook_events", column: "raw" };
    TrackError::Unavailable(error)
}

fn telling<T>(data: T, set_by_person: Vec<String>) -> Telling<T> {
    Telling {
        item: "booking".to_owned(),
        seq: 0,
        context: None,
        told_as: Vec::new(),
        set_by_person,
        data,
    }
}

impl Terms {
    /// True for what a person writes.
    pub(super) fn by_hand(&self) -> bool {
        !matches!(self, Self::Delivery)
    }

    /// What a person writes is told now: the locks have settled who writes first.
    pub(super) fn begin(&self, fresh: &mut [Sighting], now: DateTime<Utc>) {
        for sighting in fresh.iter_mut().filter(|_| self.by_hand()) {
            sighting.order.event_time = now;
        }
    }

    /// And it is told after all that was told so far, by whichever machine's clock.
    pub(super) fn place(
        &self,
        gathered: &mut Gathered,
        fresh: &mut [Sighting],
        resolution: &mut Resolution,
    ) {
        if !self.by_hand() {
            return;
        }
        let ids: Vec<Uuid> = fresh.iter().map(|sighting| sighting.id).collect();
        let told = gathered.seen.iter().filter(|seen| !ids.contains(&seen.sighting.id));
        let last = told.map(|seen| seen.sighting.order.event_time).max();
        let placed = gathered.seen.iter_mut().map(|seen| &mut seen.sighting);
        for sighting in placed.filter(|sighting| ids.contains(&sighting.id)).chain(fresh) {
            let after = last.map(|last| last + TimeDelta::microseconds(1));
            let time = &mut sighting.order.event_time;
            *time = after.map_or(*time, |after| after.max(*time));
        }
        *resolution = resolve(&gathered.seen);
    }

    /// Whether it may be, seen what is there and what it would come to.
    pub(super) async fn check(
        &self,
        conn: &mut Conn<'_>,
        tenant: Uuid,
        fresh: &[Sighting],
        (gathered, resolution): (&Gathered, &Resolution),
    ) -> Result<(), Trouble> {
        let of = |booking: &&Resolved| fresh.iter().any(|s| booking.members.contains(&s.id));
        let booking = resolution.bookings.iter().find(of);
        let denied = match self {
            Self::Delivery => return Ok(()),
            Self::New { .. } => new(conn, tenant, fresh, booking).await?,
            Self::Change { edit, terms, .. } => {
                let row = bookings::find(conn, tenant, edit.of).await?;
                match row.zip(booking) {
                    Some((row, booking)) => changed(&row, booking, resolution, &edit.set, terms)
                        .or_else(|| {
                            same_again(gathered, fresh, booking, &edit.set)
                                .then_some(Denied::Nothing(row.id))
                        }),
                    None => Some(Denied::Gone),
                }
            }
        };
        denied.map_or(Ok(()), |denied| Err(Trouble::Track(TrackError::Denied(denied))))
    }

    /// Keeps who did what.
    pub(super) async fn note(
        &self,
        conn: &mut Conn<'_>,
        tenant: Uuid,
        booking: Option<Uuid>,
        now: DateTime<Utc>,
    ) -> storage::Result<()> {
        let (actor, action, fields) = match self {
            Self::Delivery => return Ok(()),
            Self::New { actor, fields } => (actor, "booking.created", fields.clone()),
            Self::Change { actor, edit, terms } => {
                let action = if terms.correction { "booking.corrected" } else { "booking.updated" };
                (actor, action, edit.set.names())
            }
        };
        let id = booking.map(|id| id.to_string()).unwrap_or_default();
        let fields = json!({ "fields": fields }).to_string();
        audit::note(conn, tenant, actor, action, "booking", &id, Some(&fields), now).await
    }
}

/// What stands in the way of a new booking.
async fn new(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    fresh: &[Sighting],
    booking: Option<&Resolved>,
) -> storage::Result<Option<Denied>> {
    for client in fresh.iter().filter_map(|s| super::gather::telling(s)?.client_id) {
        if clients::find_once_known(conn, tenant, client).await?.is_none() {
            return Ok(Some(Denied::ClientUnknown));
        }
    }
    Ok(booking.and_then(|booking| booking.id).map(Denied::Exists))
}

/// What stands in the way of a change.
fn changed(
    row: &BookingRow,
    booking: &Resolved,
    resolution: &Resolution,
    set: &Edited,
    terms: &EditTerms,
) -> Option<Denied> {
    if terms.versions.as_ref().is_some_and(|versions| !versions.contains(&row.version)) {
        return Some(Denied::Changed);
    }
    if !terms.correction
        && let Some(denied) = forbidden(row, set)
    {
        return Some(denied);
    }
    let ids = booking.id.into_iter().chain(booking.folded.iter().copied());
    let merged = ids.into_iter().find(|id| *id != row.id);
    let reference = |one: &Resolved| {
        let (provider, id) = one.fold.reference();
        Some((provider?.to_owned(), id?.to_owned(), one.fold.service_key.clone()))
    };
    let own = reference(booking);
    let same =
        |other: &&Resolved| own.is_some() && other.id != booking.id && reference(other) == own;
    let other = || resolution.bookings.iter().find(same)?.id;
    merged.or_else(other).map(Denied::SameAs)
}

/// True when the last that was told of the booking is the very same edit.
fn same_again(gathered: &Gathered, fresh: &[Sighting], booking: &Resolved, set: &Edited) -> bool {
    let told = gathered.seen.iter().map(|seen| &seen.sighting);
    let told = told.filter(|one| booking.members.contains(&one.id));
    let told = told.filter(|one| fresh.iter().all(|new| new.id != one.id));
    let last = told.max_by(|a, b| a.order.cmp(&b.order));
    last.is_some_and(|last| matches!(&last.says, Says::Edit(edit) if edit.set == *set))
}

/// The step that a booking can't take from where it stands.
pub(super) fn forbidden(row: &BookingRow, set: &Edited) -> Option<Denied> {
    let from: BookingStatus = row.status.parse().ok()?;
    let paid: PaymentStatus = row.payment_status.parse().ok()?;
    let moved = set.appointment_date_time.is_some_and(|start| start != row.booking_at);
    let status = set.status.filter(|to| !follows(from, *to));
    let payment = set.payment_status.filter(|to| !payment_follows(paid, *to));
    let open = matches!(from, BookingStatus::Pending | BookingStatus::Confirmed);
    status
        .map(|to| Denied::Transition(from, to))
        .or_else(|| payment.map(|to| Denied::Payment(paid, to)))
        .or_else(|| (moved && !open).then_some(Denied::Move(from)))
}

fn follows(from: BookingStatus, to: BookingStatus) -> bool {
    use BookingStatus::{Cancelled, Completed, Confirmed, NoShow, Pending};
    let next: &[BookingStatus] = match from {
        Pending => &[Confirmed, Cancelled],
        Confirmed => &[Completed, Cancelled, NoShow],
        Completed | Cancelled | NoShow => &[],
    };
    from == to || next.contains(&to)
}

fn payment_follows(from: PaymentStatus, to: PaymentStatus) -> bool {
    use PaymentStatus::{DepositPaid, Paid, Pending, Refunded};
    let next: &[PaymentStatus] = match from {
        Pending => &[DepositPaid, Paid],
        DepositPaid => &[Paid, Refunded],
        Paid => &[Refunded],
        Refunded => &[],
    };
    from == to || next.contains(&to)
}
