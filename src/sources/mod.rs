//! Where deliveries come from. One file a source: verify and map. No input or output here, no
//! clock, no database, no web framework: bytes and settings in, readings out. A fifth source is one file, one word in the list below, one folder in
//! `fixtures/`; routing, fixture tests, `send` and the docs read the list.

pub mod api;
pub mod chat;
pub mod fieldmap;
pub mod fields;
mod forwarded;
mod headers;
pub mod json;
mod key;
pub mod n8n;
mod posted;
pub mod retell;
pub mod signature;
mod skim;
mod tell;
pub mod whatsapp;

pub use headers::Headers;
pub use key::DeliveryKey;

use crate::domain::booking::{Change, UnifiedBookingData};
use crate::domain::channel::Channel;
use crate::domain::edit::Edit;
use crate::domain::person::Identity;
use crate::domain::problem::Problem;
use crate::domain::sighting::Rank;
use crate::domain::tenant::TenantSettings;
use chrono::{DateTime, Utc};
use fieldmap::FieldMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Lists the sources: each is a module here with a unit struct `Source`.
macro_rules! sources {
    ($($module:ident),+ $(,)?) => {
        /// Every source, in the order in which people see them.
        pub const ALL: &[&dyn Source] = &[$(&$module::Source),+];
    };
}

sources![retell, chat, whatsapp, n8n];

/// The source of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static dyn Source> {
    ALL.iter().copied().find(|source| source.name() == name)
}

/// One verified delivery, as it came.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The body's bytes as received.
    pub body: &'a [u8],
    /// Its headers.
    pub headers: &'a Headers,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
}

/// One event of a delivery: the piece of it that is kept, keyed and read by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// What the provider calls it: `call_ended`, `text`, `booking`.
    pub kind: String,
    /// The provider account it belongs to (Retell `agent_id`, WhatsApp `phone_number_id`).
    pub account: Option<String>,
    /// The tenant that the body names, by id or slug.
    pub tenant: Option<String>,
    /// What makes a repeat a repeat.
    pub key: DeliveryKey,
    /// The call or message that it is of, as its tellings name it, whether it tells any or not.
    pub context: Option<String>,
    /// When it was told, by the provider's clock where it says so; it may lie after the arrival.
    pub occurred_at: Option<DateTime<Utc>>,
    /// How much the telling is worth beside others of the same moment.
    pub rank: Rank,
    /// The bytes to keep: what [`Source::split`] makes exactly this item of again. They are kept
    /// beside the rest.
    #[serde(skip)]
    pub raw: Vec<u8>,
}

/// What one event says.
#[expect(clippy::large_enum_variant, reason = "an event tells one booking, and seldom another")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mapped {
    /// A booking, fully understood.
    Booking(Telling<UnifiedBookingData>),
    /// A change to a booking that tracking is to find.
    Change(Telling<Change>),
    /// What a person set of a booking.
    Edit(Telling<Edit>),
    /// Somebody asked and did not book.
    Lead(Lead),
    /// A person's number or id changed.
    Identity(IdentityChange),
    /// Words said before were changed or taken back.
    Reworded(Reworded),
    /// Nothing to track, and why: a stable word.
    Ignored(String),
    /// A booking or change that could not be read with certainty.
    NeedsReview(Review),
}

/// A booking or change, and its place in the event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Telling<T> {
    /// Its place within the event, unique there and the same in a repeat: `tool:tool_call_5f1c2b`.
    pub item: String,
    /// Its order among the tellings of the same call or message.
    pub seq: i32,
    /// The call or message (`retell:call:<id>`), shared by all events of the same call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// What it was told as within the context: a later event of the same call that tells the same
    /// tool call carries the same text. Empty for an analysis, which joins by its start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told_as: Vec<String>,
    /// Names of the fields that a person supplied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_by_person: Vec<String>,
    /// What is told.
    pub data: T,
}

impl<T> Telling<T> {
    /// The same place in the event, telling this.
    #[must_use]
    pub fn holding<U>(self, data: U, set_by_person: Vec<String>) -> Telling<U> {
        let Self { item, seq, context, told_as, .. } = self;
        Telling { item, seq, context, told_as, set_by_person, data }
    }
}

/// Somebody who asked and did not book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lead {
    /// Phone, WhatsApp id, or both: never empty.
    pub identities: Vec<Identity>,
    /// As written, where known.
    pub first_name: Option<String>,
    /// As written, where known.
    pub last_name: Option<String>,
    /// True when the name is only the sender's profile name.
    pub name_is_profile: bool,
    /// Checked for form only, in lower case.
    pub email: Option<String>,
    /// How they spoke.
    pub source: Channel,
    /// Where they came from (an advertisement's referral), as an object.
    pub details: Option<Value>,
}

/// A person's number or WhatsApp id was replaced by another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityChange {
    /// The identity the person had.
    pub from: Identity,
    /// The identity of the same kind that replaces it.
    pub to: Identity,
}

/// Words said before were changed or taken back: nothing, unless they told of a booking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reworded {
    /// Why it is ignored where they told nothing: a stable word.
    pub how: String,
    /// The message they were said in.
    pub context: String,
    /// What a person has to look at where they told something.
    pub problem: Problem,
}

/// What stood in the way, and what was understood all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Review {
    /// Each thing that is missing or can't be read; never empty.
    pub problems: Vec<Problem>,
    /// What was understood, by the names of `UnifiedBookingData`: what `--set` adds to.
    pub understood: BTreeMap<String, Value>,
    /// Where in a call or message it was told: what a later telling of the same is known by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Box<Telling<Meant>>>,
}

/// What was meant by a telling that could not be read with certainty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Meant {
    /// A booking.
    Booking,
    /// A change to one.
    Change,
}

impl Review {
    /// A review with one problem of the whole body.
    #[must_use]
    pub fn whole(code: &str, detail: &str) -> Self {
        Problem::whole(code, detail).into()
    }
}

impl From<Problem> for Review {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem], ..Self::default() }
    }
}

/// A verified body that is no delivery of its source: not JSON, not an object, too deep, …
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", problem.detail)]
pub struct Malformed {
    /// What is wrong with it.
    pub problem: Problem,
}

/// How an item is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// The tenant it belongs to.
    pub tenant: &'a TenantSettings,
    /// When it arrived: no telling is later, and relative words count from it where the item has
    /// no time of its own.
    pub received_at: DateTime<Utc>,
    /// What a person supplied in place of what is said, by the names of `UnifiedBookingData`.
    pub overrides: &'a BTreeMap<String, String>,
    /// Where the connection's callers put what, where somebody said so.
    pub map: Option<&'a FieldMap>,
}

impl<'a> Reading<'a> {
    /// A reading of something that arrived now, by the names that all callers have in common.
    #[must_use]
    pub fn plain(
        tenant: &'a TenantSettings,
        received_at: DateTime<Utc>,
        overrides: &'a BTreeMap<String, String>,
    ) -> Self {
        Self { tenant, received_at, overrides, map: None }
    }

    /// Whose a reference is that comes without a name.
    fn provider(&self) -> Option<&'a str> {
        self.map.and_then(FieldMap::external_booking_provider)
    }
}

/// How a caller of this source is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manners {
    /// A provider that pushes and retries blindly: every authentic body is taken with 200.
    Push,
    /// A caller that can correct its request: what isn't understood is 422.
    Correct,
}

/// How a signature is checked against one secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The signature is this secret's.
    Verified,
    /// It isn't, or it is too old or too new, or it has no proper form.
    Refused,
}

/// A source: how its deliveries are known to be authentic, cut into events, and read.
pub trait Source: Sync + Send {
    /// The lower-case word: `retell`.
    fn name(&self) -> &'static str;

    /// The path that its deliveries come to; each also with `/{connection}` behind it.
    fn path(&self) -> &'static str;

    /// The most bytes that a body may have.
    fn body_limit(&self) -> usize;

    /// How its callers are answered.
    fn manners(&self) -> Manners;

    /// True when one answer stands for a whole list of events (WhatsApp).
    fn batches(&self) -> bool {
        false
    }

    /// True when a `service` token may stand in for a signature.
    fn takes_tokens(&self) -> bool {
        false
    }

    /// True when a connection can be made without a secret: one is made for it then.
    fn makes_secrets(&self) -> bool {
        false
    }

    /// True when the provider calls GET first to see that the address is ours (WhatsApp).
    fn has_handshake(&self) -> bool {
        false
    }

    /// Where the provider's agents call a function of ours in the middle of a conversation; the
    /// connection and the function stand behind it. `None` where there is nothing like it.
    fn functions(&self) -> Option<&'static str> {
        None
    }

    /// The body of a call of `function`, with the function's name in it where only the address
    /// had it. The signature is of the body as it came: it is checked before this.
    ///
    /// # Errors
    /// [`Malformed`] as [`Source::split`].
    fn named<'a>(&self, _function: &str, body: &'a [u8]) -> Result<Cow<'a, [u8]>, Malformed> {
        Ok(Cow::Borrowed(body))
    }

    /// True for an event whose sender waits, in a conversation, for words to speak from.
    fn waits(&self, _item: &Item) -> bool {
        false
    }

    /// True when a header of its signature scheme is present: it must verify then.
    fn is_signed(&self, headers: &Headers) -> bool;

    /// Checks the signature over the received bytes with one secret, in constant time; where the
    /// scheme has a time it must be within five minutes of `delivery.received_at`.
    fn verify(&self, secret: &str, delivery: &Delivery<'_>) -> Checked;

    /// The headers that the provider would send with this body: what `send` and `demo` use.
    ///
    /// # Errors
    /// A sentence when the secret has not the form that the scheme asks for.
    fn sign(
        &self,
        secret: &str,
        body: &[u8],
        id: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<(&'static str, String)>, String>;

    /// The account ids and tenants that an unverified body names: used only to choose which
    /// secrets to try.
    fn hints(&self, body: &[u8]) -> Hints;

    /// Cuts a verified delivery into its events, in order.
    ///
    /// # Errors
    /// [`Malformed`] when the body is no delivery of this source at all.
    fn split(&self, delivery: &Delivery<'_>) -> Result<Vec<Item>, Malformed>;

    /// The states of messages that a verified delivery tells, each with how often: a word of a
    /// closed list, counted and not stored.
    fn statuses(&self, _body: &[u8]) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// Reads one event for one tenant. Looks nothing up, guesses nothing: what can't be read
    /// with certainty is [`Mapped::NeedsReview`]. Never empty.
    fn map(&self, item: &Item, reading: &Reading<'_>) -> Vec<Mapped>;
}

impl fmt::Debug for dyn Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an unverified body says of whom it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// Provider account ids, each once, in order; at most 1000.
    pub accounts: Vec<String>,
    /// The tenant it names, by id or slug.
    pub tenant: Option<String>,
}

#[cfg(test)]
mod tests;
