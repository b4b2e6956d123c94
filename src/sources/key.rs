//! How a repeat is known.

use serde::{Deserialize, Serialize};

/// What makes a repeated delivery a repeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeliveryKey {
    /// Nothing does: each is an event of its own.
    None,
    /// These parts and the same bytes. Other bytes under the same parts are a further event.
    WithBody(Vec<String>),
    /// These parts alone, whatever the bytes.
    Exact(Vec<String>),
    /// The caller's own key. Other bytes under the same key are an error of the caller.
    Chosen(String),
    /// The path and the bytes, for one hour.
    BodyForAnHour,
}
