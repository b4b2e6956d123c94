//! Types that take from a JSON object what they name, as it is written, and skip the rest unbuilt.
//!
//! Most of a delivery is never asked for (a transcript's word timings are most of a call), and what
//! is not built costs nothing. Of a repeated key the last wins, as in [`json`](super::json).

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A member as it is written, where it is there and not `null`.
pub(super) type Raw<'a> = Option<&'a RawValue>;

/// An object's key, copied only where it is written with escapes.
#[derive(Deserialize)]
pub(super) struct Key<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// Defines such types: each member with the key it stands under.
macro_rules! skimmed {
    ($(#[$doc:meta])* $vis:vis struct $name:ident<$life:lifetime> {
        $($(#[$field_doc:meta])* $field_vis:vis $field:ident $key:literal: $kind:ty),+ $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Default)]
        $vis struct $name<$life> { $($(#[$field_doc])* $field_vis $field: $kind),+ }

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
                        let mut found = $name::default();
                        while let Some(key) = members.next_key::<$crate::sources::skim::Key>()? {
                            match &*key.0 {
                                $($key => found.$field = members.next_value()?,)+
                                _ => { members.next_value::<serde::de::IgnoredAny>()?; }
                            }
                        }
                        Ok(found)
                    }
                }

                json.deserialize_map(Members(std::marker::PhantomData))
            }
        }
    };
}

pub(super) use skimmed;
