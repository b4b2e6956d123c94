//! Raw bodies as they lie in the database: packed, where that makes them smaller.
//!
//! A 6 KB body is written into the log and the table of the database; packed (LZ4) it is a third of
//! that, which saves the database far more than packing costs. Older rows, and bodies that packing
//! doesn't make smaller, lie there as they came.

use super::Error;
use std::borrow::Cow;
use std::ops::Deref;

/// How packed bodies begin. No text begins so: 0xFF is no byte of UTF-8.
const MARK: &[u8] = b"\xFFLZ4";

/// Below this many bytes nothing is gained.
const SMALLEST: usize = 512;

/// A body as it lies in the database.
#[must_use]
pub fn pack(body: &[u8]) -> Cow<'_, [u8]> {
    // What looks packed and isn't has to be, to be told apart.
    let looks_packed = body.starts_with(MARK);
    if body.len() < SMALLEST && !looks_packed {
        return Cow::Borrowed(body);
    }
    let packed = [MARK, &lz4_flex::block::compress_prepend_size(body)].concat();
    if packed.len() < body.len() || looks_packed { packed.into() } else { Cow::Borrowed(body) }
}

/// The body that was packed, byte by byte as it came.
///
/// # Errors
/// When it was not packed by [`pack`].
pub fn unpack(stored: Vec<u8>) -> Result<Vec<u8>, Error> {
    let Some(packed) = stored.strip_prefix(MARK) else { return Ok(stored) };
    let bad = |_| Error::Inconsistent { table: "webhook_events", column: "raw" };
    lz4_flex::block::decompress_size_prepended(packed).map_err(bad)
}

/// A body that was read from the database, unpacked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body(Vec<u8>);

impl Body {
    /// A body as it came.
    #[must_use]
    pub fn of(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<Vec<u8>> for Body {
    type Error = Error;

    fn try_from(stored: Vec<u8>) -> Result<Self, Error> {
        unpack(stored).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_body_of_words_becomes_smaller_and_comes_back() {
        let body = br#"{"word":"hello","start":1.5,"end":2.5},"#.repeat(100);
        let packed = pack(&body).into_owned();
        assert!(packed.len() * 3 < body.len(), "{}", packed.len());
        assert_eq!(unpack(packed).unwrap(), body);
    }

    #[test]
    fn what_only_looks_packed_comes_back_too() {
        for body in [b"\xFFLZ4".to_vec(), b"\xFFLZ4 and more".to_vec(), b"\xFFLZ".to_vec()] {
            assert_eq!(unpack(pack(&body).into_owned()).unwrap(), body);
        }
        assert!(unpack(b"\xFFLZ4\xFF\xFF".to_vec()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(body in prop::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert_eq!(unpack(pack(&body).into_owned()).unwrap(), body);
        }
    }
}
