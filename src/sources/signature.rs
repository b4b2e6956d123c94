//! The three signature schemes: HMAC-SHA256 over the received bytes, compared in constant time.
//!
//! Every check fails closed: a header that is missing or has not exactly the scheme's form, a
//! secret that is empty or does not decode, a time outside the window, all refuse.

use super::Checked;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// How far a signed time may lie from the arrival, either way, the bound included.
const WINDOW_MS: u64 = 300_000;

/// Checks Retell's `X-Retell-Signature: v=<unix ms>,d=<64 lower-case hex digits>`.
///
/// The message is the body, then the decimal timestamp as it is written in the header; the key is
/// the text of the account's API key. Source: docs.retellai.com, "Webhook overview".
#[must_use]
pub fn check_retell(
    secret: &str,
    body: &[u8],
    header: Option<&str>,
    now: DateTime<Utc>,
) -> Checked {
    let verified = header.and_then(retell_parts).is_some_and(|(time, mac)| {
        is_near(time.parse().ok(), now) && is_mac(secret.as_bytes(), &[body, time.as_bytes()], &mac)
    });
    checked(verified)
}

/// The value of `X-Retell-Signature` for this body.
///
/// # Errors
/// A sentence when the secret is empty.
pub fn sign_retell(secret: &str, body: &[u8], now: DateTime<Utc>) -> Result<String, String> {
    let time = now.timestamp_millis().to_string();
    let mac = mac_of(secret.as_bytes(), &[body, time.as_bytes()]).ok_or(EMPTY_SECRET)?;
    Ok(format!("v={time},d={}", hex::encode(mac)))
}

/// Checks Meta's `X-Hub-Signature-256: sha256=<64 hex digits>`.
///
/// The message is the body as received, the key the text of the app secret. The older SHA-1 header
/// counts for nothing. Source: Meta, "Graph API webhooks: getting started".
#[must_use]
pub fn check_meta(secret: &str, body: &[u8], header: Option<&str>) -> Checked {
    let mac = header.and_then(|header| hex_mac(header.strip_prefix("sha256=")?));
    checked(mac.is_some_and(|mac| is_mac(secret.as_bytes(), &[body], &mac)))
}

/// The value of `X-Hub-Signature-256` for this body.
///
/// # Errors
/// A sentence when the secret is empty.
pub fn sign_meta(secret: &str, body: &[u8]) -> Result<String, String> {
    let mac = mac_of(secret.as_bytes(), &[body]).ok_or(EMPTY_SECRET)?;
    Ok(format!("sha256={}", hex::encode(mac)))
}

/// The three headers of Standard Webhooks, as they came.
#[derive(Clone, Copy, Debug, Default)]
pub struct StandardHeaders<'a> {
    /// `webhook-id`.
    pub id: Option<&'a str>,
    /// `webhook-timestamp`, in seconds.
    pub timestamp: Option<&'a str>,
    /// `webhook-signature`: `v1,<base64>`, several parted by spaces.
    pub signature: Option<&'a str>,
}

/// Checks a delivery by Standard Webhooks 1.0.0; of several `v1` signatures any may match, and
/// other versions are skipped.
///
/// Stricter than some libraries: the timestamp is digits only, so that what is compared with the
/// clock is what was signed. Source: standard-webhooks/standard-webhooks, `spec`.
#[must_use]
pub fn check_standard(
    secret: &str,
    body: &[u8],
    headers: StandardHeaders<'_>,
    now: DateTime<Utc>,
) -> Checked {
    let verified = standard_message(headers, now).is_some_and(|(id, time, signatures)| {
        let Some(key) = standard_key(secret) else {
            return false;
        };
        let message: [&[u8]; 5] = [id.as_bytes(), b".", time.as_bytes(), b".", body];
        let listed = signatures.split(' ').filter_map(|s| s.strip_prefix("v1,"));
        let mut macs = listed.take(MOST_SIGNATURES).filter_map(|s| STANDARD.decode(s).ok());
        macs.any(|mac| is_mac(&key, &message, &mac))
    });
    checked(verified)
}

/// The values of `webhook-id`, `webhook-timestamp` and `webhook-signature` for this body.
///
/// # Errors
/// A sentence when the secret is not base64 or the id has a point in it.
pub fn sign_standard(
    secret: &str,
    body: &[u8],
    id: &str,
    now: DateTime<Utc>,
) -> Result<[String; 3], String> {
    let key = standard_key(secret)
        .ok_or("the secret is not base64; it reads whsec_ and then base64 text")?;
    if !is_plain_id(id) {
        return Err("the webhook id must be 1 to 255 visible characters without a point".to_owned());
    }
    let time = now.timestamp().to_string();
    let message: [&[u8]; 5] = [id.as_bytes(), b".", time.as_bytes(), b".", body];
    let mac = mac_of(&key, &message).ok_or(EMPTY_SECRET)?;
    Ok([id.to_owned(), time, format!("v1,{}", STANDARD.encode(mac))])
}

/// A Standard Webhooks secret made of random letters and digits (at least 24 of them): its key is
/// text, so that n8n's Crypto node, which takes its key as text, can sign with it.
#[must_use]
pub fn standard_secret(random_text: &str) -> String {
    format!("whsec_{}", STANDARD.encode(random_text))
}

/// How many bytes the key of a Standard Webhooks secret has; none where it is no such secret.
#[must_use]
pub fn standard_strength(secret: &str) -> usize {
    standard_key(secret).map_or(0, |key| key.len())
}

/// A short name for what was signed or called, equal for equal parts: 32 hex digits of SHA-256.
#[must_use]
pub fn fingerprint(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    hex::encode(digest).chars().take(32).collect()
}

const EMPTY_SECRET: &str = "the secret is empty";

/// More signatures than a rotation needs are not tried.
const MOST_SIGNATURES: usize = 16;

/// Timestamp and digest of `v=<1-16 digits>,d=<64 lower-case hex digits>`, and nothing else.
fn retell_parts(header: &str) -> Option<(&str, Vec<u8>)> {
    let (time, digest) = header.strip_prefix("v=")?.split_once(",d=")?;
    let lower = !digest.bytes().any(|b| b.is_ascii_uppercase());
    let fits = (1..=16).contains(&time.len()) && time.bytes().all(|b| b.is_ascii_digit());
    let mac = hex_mac(digest)?;
    (fits && lower).then_some((time, mac))
}

/// Id, timestamp and signatures, when the timestamp is in the window and nothing is malformed.
fn standard_message(
    headers: StandardHeaders<'_>,
    now: DateTime<Utc>,
) -> Option<(&str, &str, &str)> {
    let (id, time) = (headers.id?, headers.timestamp?);
    let digits = (1..=12).contains(&time.len()) && time.bytes().all(|b| b.is_ascii_digit());
    // A second more or less is a second: the arrival's own fraction does not count.
    let now = DateTime::from_timestamp(now.timestamp(), 0)?;
    let sent = time.parse::<i64>().ok().map(|seconds| seconds * 1000);
    (digits && is_plain_id(id) && is_near(sent, now)).then_some((id, time, headers.signature?))
}

/// The key of a Standard Webhooks secret, with or without `whsec_` before it.
fn standard_key(secret: &str) -> Option<Vec<u8>> {
    let encoded = secret.strip_prefix("whsec_").unwrap_or(secret);
    STANDARD.decode(encoded).ok().filter(|key| !key.is_empty())
}

/// No point, because the signed message is parted by points.
fn is_plain_id(id: &str) -> bool {
    (1..=255).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic() && b != b'.')
}

fn is_near(sent_ms: Option<i64>, now: DateTime<Utc>) -> bool {
    sent_ms.is_some_and(|sent| now.timestamp_millis().abs_diff(sent) <= WINDOW_MS)
}

fn hex_mac(digits: &str) -> Option<Vec<u8>> {
    hex::decode(digits).ok().filter(|mac| mac.len() == 32)
}

/// An HMAC fed with these pieces; `None` for an empty key, which everybody knows.
fn hmac(key: &[u8], message: &[&[u8]]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok().filter(|_| !key.is_empty())?;
    for piece in message {
        mac.update(piece);
    }
    Some(mac)
}

fn mac_of(key: &[u8], message: &[&[u8]]) -> Option<Vec<u8>> {
    Some(hmac(key, message)?.finalize().into_bytes().to_vec())
}

/// Constant time in the digest's content.
fn is_mac(key: &[u8], message: &[&[u8]], expected: &[u8]) -> bool {
    hmac(key, message).is_some_and(|mac| mac.verify_slice(expected).is_ok())
}

fn checked(verified: bool) -> Checked {
    if verified { Checked::Verified } else { Checked::Refused }
}

#[cfg(test)]
mod tests;
