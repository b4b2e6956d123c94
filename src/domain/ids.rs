//! Ids and randomness: the one place that makes them.

use chrono::{DateTime, Utc};
use uuid::{NoContext, Timestamp, Uuid};

/// A new `UUIDv7` whose time part is `now`: ids sort by when they were made.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the home of ids")]
pub fn new(now: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos()))
}

/// `N` bytes from the operating system's generator.
///
/// # Errors
/// When the operating system has no randomness to give.
pub fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// `length` random letters and digits (about 5.95 bits each), for secrets that people copy.
///
/// # Errors
/// When the operating system has no randomness to give.
pub fn random_text(length: usize) -> Result<String, getrandom::Error> {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::with_capacity(length);
    while text.len() < length {
        // Values above the last whole multiple of 62 are dropped, so that every letter is as likely.
        let fresh = random::<64>()?;
        let letters = fresh.iter().filter(|b| **b < 248);
        let letters = letters.filter_map(|b| LETTERS.get(usize::from(*b % 62)));
        text.extend(letters.take(length - text.len()).map(|b| char::from(*b)));
    }
    Ok(text)
}
