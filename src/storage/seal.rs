//! Secrets at rest: XChaCha20-Poly1305 under one master key.

use crate::domain::ids;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// Why a secret could not be sealed or opened.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SealError {
    /// Not 32 bytes in base64.
    #[error(
        "the master key must be 32 random bytes in base64: make one with `openssl rand -base64 32`"
    )]
    BadKey,
    /// Sealed under another master key.
    #[error(
        "this was sealed under another master key (id {0}); start with that one in BOOKHOOK_MASTER_KEY"
    )]
    OtherKey(String),
    /// The ciphertext, its key or the place it is kept in is not the one it was sealed for.
    #[error("a sealed secret can't be opened: it was changed, or moved to another row")]
    Broken,
    /// The operating system gave no randomness.
    #[error("the operating system has no randomness to give")]
    NoRandomness,
}

/// The key under which secrets are kept, and from which the keys of delivery hashes come.
#[derive(Clone)]
pub struct MasterKey {
    bytes: [u8; 32],
    id: String,
}

/// A secret as it is kept: which key, then nonce and ciphertext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The first 8 hex digits of the master key's SHA-256.
    pub key_id: String,
    /// 24 bytes of nonce, then the ciphertext with its tag.
    pub bytes: Vec<u8>,
}

impl MasterKey {
    /// Reads 32 bytes in base64.
    ///
    /// # Errors
    /// [`SealError::BadKey`] for anything else.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| SealError::BadKey)?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| SealError::BadKey)?;
        Ok(Self { id: hex::encode(Sha256::digest(bytes)).chars().take(8).collect(), bytes })
    }

    /// A new random key, in base64.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`] when the operating system has none.
    pub fn generate() -> Result<String, SealError> {
        let bytes = ids::random::<32>().map_err(|_| SealError::NoRandomness)?;
        Ok(STANDARD.encode(bytes))
    }

    /// Which key this is; says nothing about the key itself.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Seals `plain` for one place: it opens only with the same `place` (the associated data).
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub fn seal(&self, plain: &[u8], place: &str) -> Result<Sealed, SealError> {
        let nonce = ids::random::<24>().map_err(|_| SealError::NoRandomness)?;
        let payload = Payload { msg: plain, aad: place.as_bytes() };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| SealError::Broken)?;
        Ok(Sealed { key_id: self.id.clone(), bytes: [nonce.as_slice(), &sealed].concat() })
    }

    /// Opens what was sealed for `place`.
    ///
    /// # Errors
    /// [`SealError::OtherKey`] or [`SealError::Broken`].
    pub fn open(&self, sealed: &Sealed, place: &str) -> Result<Vec<u8>, SealError> {
        if sealed.key_id != self.id {
            return Err(SealError::OtherKey(sealed.key_id.clone()));
        }
        let (nonce, text) = sealed.bytes.split_first_chunk::<24>().ok_or(SealError::Broken)?;
        let payload = Payload { msg: text, aad: place.as_bytes() };
        self.cipher().decrypt(&XNonce::from(*nonce), payload).map_err(|_| SealError::Broken)
    }

    /// A keyed hash of the parts, in hex: what delivery keys are stored as.
    #[must_use]
    pub fn hash(&self, parts: &[&[u8]]) -> String {
        let key = Sha256::digest([b"bookhook delivery keys\0".as_slice(), &self.bytes].concat());
        let mut block = [0u8; 64];
        block.iter_mut().zip(key).for_each(|(to, from)| *to = from);
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
        for part in parts {
            // The length keeps ("ab","c") and ("a","bc") apart.
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        hex::encode(mac.finalize().into_bytes())
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.bytes.into())
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_where_it_was_sealed_and_under_its_key() {
        let key = MasterKey::parse(&MasterKey::generate().unwrap()).unwrap();
        let sealed = key.seal(b"app secret", "connection 1").unwrap();
        assert_eq!(key.open(&sealed, "connection 1").unwrap(), b"app secret");
        assert_eq!(key.open(&sealed, "connection 2"), Err(SealError::Broken));

        let other = MasterKey::parse(&MasterKey::generate().unwrap()).unwrap();
        let wrong = other.open(&sealed, "connection 1");
        assert_eq!(wrong, Err(SealError::OtherKey(key.id().to_owned())));

        let mut changed = sealed.clone();
        *changed.bytes.last_mut().unwrap() ^= 1;
        assert_eq!(key.open(&changed, "connection 1"), Err(SealError::Broken));
        let short = Sealed { bytes: vec![1, 2, 3], ..sealed };
        assert_eq!(key.open(&short, "connection 1"), Err(SealError::Broken));
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        for text in ["", "c2hvcnQ=", "not base64!"] {
            assert_eq!(MasterKey::parse(text).unwrap_err(), SealError::BadKey);
        }
    }

    #[test]
    fn parts_of_a_key_do_not_run_into_each_other() {
        let key = MasterKey::parse(&MasterKey::generate().unwrap()).unwrap();
        assert_ne!(key.hash(&[b"ab", b"c"]), key.hash(&[b"a", b"bc"]));
    }
}
