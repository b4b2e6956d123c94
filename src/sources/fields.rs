//! What callers name their fields, and how the values under those names are read.
//!
//! A source adds the objects that tell of one booking to a [`Draft`], the most trustworthy first;
//! the draft keeps of each field the first value and where it stood. [`Draft::read`] then reads
//! all values by the tenant's [`Rules`], and finds every problem at once.

mod aliases;
mod draft;
mod read;
mod supplied;
mod understood;
mod values;

pub(in crate::sources) use aliases::mappable;
pub use aliases::{Field, is_field, mappable_names, settable_names};
pub use draft::{Draft, Found, Place, Take};
pub use read::{Rules, Sender, provider_name};
pub use supplied::unreadable;
pub use understood::{Told, Understood};
pub use values::{Raw, is_placeholder, normalise, split_name, yes_no};
