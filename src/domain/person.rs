//! Who a telling is about: the identities by which a client is found.

use super::phone::Phone;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use uuid::Uuid;

/// A WhatsApp business-scoped user id (`IE.40817…`): a person without a phone number.
///
/// Source: Meta, "Business-scoped user IDs", edition of 29 June 2026.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WhatsAppId(String);

impl WhatsAppId {
    /// Reads `CC.…` or `CC.ENT.…`: two capital letters, then 1 to 128 letters and digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (country, rest) = text.split_once('.')?;
        let rest = rest.strip_prefix("ENT.").unwrap_or(rest);
        let fits = country.len() == 2
            && country.bytes().all(|b| b.is_ascii_uppercase())
            && (1..=128).contains(&rest.len())
            && rest.bytes().all(|b| b.is_ascii_alphanumeric());
        fits.then(|| Self(text.to_owned()))
    }

    /// The id as Meta writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One identity of a person, unique within a tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "lowercase")]
pub enum Identity {
    /// A phone number.
    Phone(Phone),
    /// A WhatsApp business-scoped user id.
    WhatsApp(WhatsAppId),
    /// A client of ours, named by a person: nothing that a client has, but which one it is.
    Client(Uuid),
}

impl Identity {
    /// `phone` or `whatsapp`, as the database writes it; `client` is never stored.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Phone(_) => "phone",
            Self::WhatsApp(_) => "whatsapp",
            Self::Client(_) => "client",
        }
    }

    /// The number in E.164, or the id.
    #[must_use]
    pub fn value(&self) -> Cow<'_, str> {
        match self {
            Self::Phone(phone) => phone.as_str().into(),
            Self::WhatsApp(id) => id.as_str().into(),
            Self::Client(id) => id.to_string().into(),
        }
    }

    /// Kind and value in one text: the key under which sightings of this person are found.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}:{}", self.kind(), self.value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_business_scoped_id_is_told_from_a_phone() {
        assert!(WhatsAppId::parse("IE.40817263554098123008").is_some());
        assert!(WhatsAppId::parse("IE.ENT.408172A").is_some());
        for other in ["353871234567", "IE.", "ie.4081", "IRL.408", "IE.40 81", "", "IE.+353"] {
            assert_eq!(WhatsAppId::parse(other), None, "{other}");
        }
    }
}
