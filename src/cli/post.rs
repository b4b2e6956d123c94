//! Posting a payload as its provider would.

use super::desk::random_text;
use super::error::{Error, Result};
use crate::sources::Source;
use chrono::{DateTime, Utc};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use serde_json::Value;
use std::time::Duration;

/// What vouches for a payload.
#[derive(Clone, Debug)]
pub(super) enum Credential {
    /// It is signed with this secret.
    Secret(String),
    /// It carries this token.
    Token(String),
}

/// What the service answered.
#[derive(Clone, Debug)]
pub(super) struct Answered {
    /// The HTTP status.
    pub(super) status: u16,
    /// The body: JSON, or its text.
    pub(super) body: Value,
}

impl Answered {
    /// True when the payload was taken.
    pub(super) fn is_taken(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// A client for this one address. A proxy is for the world outside, not for this machine.
pub(super) fn client(url: &Url) -> Result<Client> {
    let builder = Client::builder()
        .timeout(Duration::from_mins(1))
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("bookhook/", env!("CARGO_PKG_VERSION")));
    let local = url.host_str().is_some_and(|host| {
        let host = host.trim_matches(['[', ']']);
        host == "localhost"
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    });
    let builder = if local { builder.no_proxy() } else { builder };
    // Without TLS a machine without certificates will do.
    let plain = url.scheme() == "http";
    let builder = if plain { builder.tls_certs_only([]) } else { builder };
    builder.build().map_err(|error| Error::Unreachable { url: url.to_string(), error })
}

/// Posts a body with the headers that its provider would send, and reads the answer.
pub(super) async fn post(
    client: &Client,
    url: &Url,
    source: &dyn Source,
    credential: &Credential,
    body: Vec<u8>,
    now: DateTime<Utc>,
) -> Result<Answered> {
    let mut request = client.post(url.clone()).header(CONTENT_TYPE, "application/json");
    match credential {
        Credential::Token(token) => request = request.bearer_auth(token),
        Credential::Secret(secret) => {
            let id = format!("msg_{}", random_text(24)?);
            let headers = source.sign(secret, &body, &id, now);
            for (name, value) in headers.map_err(Error::Refused)? {
                request = request.header(name, value);
            }
        }
    }
    answered(request.body(body), url).await
}

/// Sends a request and reads the answer.
pub(super) async fn answered(request: reqwest::RequestBuilder, url: &Url) -> Result<Answered> {
    let failed = |error: reqwest::Error| {
        // The address is said beside it already.
        Error::Unreachable { url: url.to_string(), error: error.without_url() }
    };
    let response = request.send().await.map_err(failed)?;
    let status = response.status().as_u16();
    let bytes = response.bytes().await.map_err(failed)?;
    let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
    Ok(Answered { status, body: serde_json::from_slice(&bytes).unwrap_or_else(|_| text()) })
}
