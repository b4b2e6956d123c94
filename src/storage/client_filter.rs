//! What a list of clients is narrowed to and sorted by.

use super::clients::ClientRow;
use crate::domain::channel::{Channel, ClientStatus};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// How many words may be asked for.
pub const MOST_WORDS: usize = 6;

/// How many beginnings of numbers one typed number may mean.
const MOST_NUMBERS: usize = 4;

/// What a list of clients is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only this state.
    pub status: Option<ClientStatus>,
    /// Only who came this way first.
    pub source: Option<Channel>,
    /// Made from this moment on.
    pub created_from: Option<DateTime<Utc>>,
    /// Made before this moment.
    pub created_to: Option<DateTime<Utc>>,
    /// Last booked from this moment on.
    pub last_booking_from: Option<DateTime<Utc>>,
    /// Last booked before this moment.
    pub last_booking_to: Option<DateTime<Utc>>,
    /// Beginnings of words, folded: each is one of the client's. At most [`MOST_WORDS`].
    pub words: Vec<String>,
    /// Beginnings of numbers in E.164: one of them is one of the client's numbers'.
    pub numbers: Vec<String>,
}

/// What a list of clients is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    /// When they were made.
    Created,
    /// The folded name.
    Name,
    /// When they last booked; who never did comes before everybody else.
    LastBooking,
    /// How many bookings they have.
    Bookings,
    /// What they spent.
    Spent,
}

/// The order of a list of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub by: SortKey,
    /// The greatest first.
    pub descending: bool,
}

/// A client's place in a list of an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// What the list is sorted by.
    pub key: Key,
    /// Among equals.
    pub id: Uuid,
}

/// What one client is sorted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Its id alone.
    Id,
    /// A number.
    Number(i64),
    /// A name.
    Name(Vec<u8>),
}

impl Sort {
    /// Where a client stands.
    #[must_use]
    pub fn place(self, row: &ClientRow) -> Place {
        let key = match self.by {
            SortKey::Created => Key::Id,
            SortKey::Name => Key::Name(row.sort_name()),
            SortKey::LastBooking => Key::Number(row.last_booking_order()),
            SortKey::Bookings => Key::Number(row.bookings_count),
            SortKey::Spent => Key::Number(row.spent_minor),
        };
        Place { key, id: row.id }
    }

    /// The place before the first.
    pub(super) fn start(self) -> Place {
        let id = if self.descending { Uuid::max() } else { Uuid::nil() };
        let key = match (self.by, self.descending) {
            (SortKey::Created, _) => Key::Id,
            // No name begins with this byte: it is in no text.
            (SortKey::Name, true) => Key::Name(vec![0xff]),
            (SortKey::Name, false) => Key::Name(Vec::new()),
            (_, true) => Key::Number(i64::MAX),
            (_, false) => Key::Number(i64::MIN),
        };
        Place { key, id }
    }
}

/// A filter in the form in which it is bound.
pub(super) struct Bound {
    pub(super) tenant: Uuid,
    pub(super) status: Option<&'static str>,
    pub(super) source: Option<&'static str>,
    pub(super) ids: (Uuid, Uuid),
    pub(super) last_booking: (i64, i64),
    pub(super) words: Vec<Range<Vec<u8>>>,
    pub(super) numbers: Vec<Range<String>>,
}

/// From this one on, and before that one.
pub(super) type Range<T> = (T, T);

impl Bound {
    pub(super) fn of(tenant: Uuid, filter: &Filter) -> Self {
        let order = |at: DateTime<Utc>| at.timestamp_micros();
        Self {
            tenant,
            status: filter.status.map(ClientStatus::as_str),
            source: filter.source.map(Channel::as_str),
            ids: (
                filter.created_from.map_or(Uuid::nil(), first_id),
                filter.created_to.map_or(Uuid::max(), first_id),
            ),
            last_booking: match (filter.last_booking_from, filter.last_booking_to) {
                (None, None) => (i64::MIN, i64::MAX),
                // 0 is for who never booked.
                (from, to) => (from.map_or(1, |at| order(at).max(1)), to.map_or(i64::MAX, order)),
            },
            words: filter.words.iter().take(MOST_WORDS).map(|word| beginnings(word)).collect(),
            // In the order of every language digits stand before letters.
            numbers: filter
                .numbers
                .iter()
                .take(MOST_NUMBERS)
                .map(|n| (n.clone(), format!("{n}a")))
                .collect(),
        }
    }

    /// True where there is more to be looked at than a state, of which each has indexes.
    pub(super) fn is_narrowed(&self) -> bool {
        let nothing = (self.source.is_none(), self.ids_asked(), self.last_booking_asked());
        nothing != (true, (None, None), (None, None))
            || !self.words.is_empty()
            || !self.numbers.is_empty()
    }

    /// The bounds of the ids, where there are any.
    pub(super) fn ids_asked(&self) -> (Option<Uuid>, Option<Uuid>) {
        let (from, to) = self.ids;
        (Some(from).filter(|from| !from.is_nil()), Some(to).filter(|to| !to.is_max()))
    }

    /// The bounds of the last booking, where there are any.
    pub(super) fn last_booking_asked(&self) -> (Option<i64>, Option<i64>) {
        let (from, to) = self.last_booking;
        (Some(from).filter(|from| *from != i64::MIN), Some(to).filter(|to| *to != i64::MAX))
    }

    /// The bounds of a word that is asked for.
    pub(super) fn word(&self, place: usize) -> (Option<&[u8]>, Option<&[u8]>) {
        self.words.get(place).map(|(from, to)| (from.as_slice(), to.as_slice())).unzip()
    }

    /// The bounds of a number; nothing is within those that are left over.
    pub(super) fn number(&self, place: usize) -> (Option<&str>, Option<&str>) {
        if self.numbers.is_empty() {
            return (None, None);
        }
        let range = self.numbers.get(place);
        let (from, to) = range.map_or(("", ""), |(from, to)| (from.as_str(), to.as_str()));
        (Some(from), Some(to))
    }
}

/// Every word that begins so: no text has the byte 0xff.
fn beginnings(word: &str) -> Range<Vec<u8>> {
    let from = word.as_bytes().to_vec();
    let to = [from.as_slice(), &[0xff]].concat();
    (from, to)
}

/// The lowest id that is made at a moment: ids begin with their milliseconds.
fn first_id(at: DateTime<Utc>) -> Uuid {
    let millis = u128::try_from(at.timestamp_millis()).unwrap_or(0);
    Uuid::from_u128(millis << 80)
}
