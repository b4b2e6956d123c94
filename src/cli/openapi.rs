//! `bookhook openapi`: the API's description, as the service shows it.

use super::Result;
use crate::http::openapi;
use std::io::Write as _;

/// Prints the document.
pub(super) fn run() -> Result<()> {
    let text = openapi::text().map_err(std::io::Error::other)?;
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}
