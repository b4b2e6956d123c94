//! Types that take from a JSON object what they name, as it is written, and skip the rest unbuilt.
//!
//! Most of a delivery is never asked for (a transcript's word timings are most of a call), and what
//! is not built costs nothing. Of a repeated key the last wins, as in [`json`](super::json).

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// A member as it is written, where it is there and not `null`.
pub(super) type Raw<'a> = Option<&'a RawValue>;

/// An object's key as bytes: one that is no text (half of a surrogate pair) is nobody's, and no
/// reason to refuse the object.
pub(super) struct Key<'a>(pub(super) Cow<'a, [u8]>);

impl<'a> Deserialize<'a> for Key<'a> {
    fn deserialize<D: Deserializer<'a>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_bytes(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'a> Visitor<'a> for KeyVisitor {
    type Value = Key<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_bytes<E>(self, key: &'a [u8]) -> Result<Key<'a>, E> {
        Ok(Key(Cow::Borrowed(key)))
    }

    fn visit_bytes<E>(self, key: &[u8]) -> Result<Key<'a>, E> {
        Ok(Key(Cow::Owned(key.to_vec())))
    }
}

/// What a member may be read as: a list, an object of such a type, or itself.
pub(super) trait Member<'a>: Deserialize<'a> {}

impl<'a> Member<'a> for Vec<&'a RawValue> {}

impl<'a> Member<'a> for &'a RawValue {}

/// Reads a member, where it is there.
pub(super) fn member<'a, T: Member<'a>, E: de::Error>(raw: Raw<'a>) -> Result<Option<T>, E> {
    raw.map(|raw| serde_json::from_str(raw.get()).map_err(E::custom)).transpose()
}

/// Defines such types: each member with the key it stands under.
macro_rules! skimmed {
    ($(#[$doc:meta])* $vis:vis struct $name:ident<$life:lifetime> {
        $($(#[$field_doc:meta])* $field_vis:vis $field:ident $key:literal: $kind:ty),+ $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Default)]
        $vis struct $name<$life> { $($(#[$field_doc])* $field_vis $field: $kind),+ }

        impl<$life> $crate::sources::skim::Member<$life> for $name<$life> {}

        impl<$life> serde::Deserialize<$life> for $name<$life> {
            fn deserialize<D: serde::Deserializer<$life>>(json: D) -> Result<Self, D::Error> {
                struct Members<$life>(std::marker::PhantomData<&$life ()>);

                impl<$life> serde::de::Visitor<$life> for Members<$life> {
                    type Value = $name<$life>;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<$life>>(
                        self,
                        mut members: A,
                    ) -> Result<Self::Value, A::Error> {
                        $(let mut $field: $crate::sources::skim::Raw<$life> = None;)+
                        while let Some(key) = members.next_key::<$crate::sources::skim::Key>()? {
                            match &*key.0 {
                                $(key if key == $key.as_bytes() => {
                                    $field = members.next_value()?;
                                })+
                                _ => { members.next_value::<serde::de::IgnoredAny>()?; }
                            }
                        }
                        // Only the last of a repeated key is read: an earlier one may be anything.
                        Ok($name { $($field: $crate::sources::skim::member($field)?),+ })
                    }
                }

                json.deserialize_map(Members(std::marker::PhantomData))
            }
        }
    };
}

pub(super) use skimmed;
