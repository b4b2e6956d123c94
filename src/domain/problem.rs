//! One thing that stood in the way of understanding, said so that a person can act on it.

use serde::{Deserialize, Serialize};

/// Why a piece of a delivery could not be read.
///
/// `detail` is a sentence for people and never carries a customer's data: it may be logged.
/// `value` is the raw value as it was sent, for the person who reviews: it may not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Reason)]
pub struct Problem {
    /// JSON Pointer (RFC 6901) into the body as it was received; empty for the whole body.
    pub pointer: String,
    /// A stable word for programs: `phone_invalid`, `start_missing`, …
    pub code: String,
    /// A sentence that says what is wrong and what would do.
    pub detail: String,
    /// The `UnifiedBookingData` name of the field, where there is one: what `--set` takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The raw value, cut to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl Problem {
    /// A problem of the whole body.
    #[must_use]
    pub fn whole(code: &str, detail: &str) -> Self {
        Self {
            pointer: String::new(),
            code: code.to_owned(),
            detail: detail.to_owned(),
            field: None,
            value: None,
        }
    }

    /// A problem at one place, with the field it concerns and the raw value found there.
    #[must_use]
    pub fn at(pointer: &str, code: &str, detail: &str, field: &str, value: Option<&str>) -> Self {
        Self {
            pointer: pointer.to_owned(),
            code: code.to_owned(),
            detail: detail.to_owned(),
            field: Some(field.to_owned()),
            value: value.map(|v| v.chars().take(200).collect()),
        }
    }
}
