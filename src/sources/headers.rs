//! The headers of a delivery.

use std::collections::BTreeMap;

/// The request headers that a source may read, names in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(BTreeMap<String, String>);

impl Headers {
    /// The value of a header, named in lower case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Adds a header; of several with one name the first stays, as nobody signs twice.
    pub fn insert(&mut self, name: &str, value: &str) {
        self.0.entry(name.to_ascii_lowercase()).or_insert_with(|| value.to_owned());
    }

    /// Name and value of each, in order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
