//! What a tenant is, and how its deliveries are to be read.

use super::channel::DateOrder;
use super::money::Currency;
use super::phone::Region;
use chrono_tz::Tz;
use unicode_normalization::UnicodeNormalization as _;
use uuid::Uuid;

/// How a tenant's deliveries are read: where its customers' phones, clocks and prices belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantSettings {
    /// The tenant's id.
    pub id: Uuid,
    /// The tenant's short name, usable in place of the id.
    pub slug: String,
    /// Where a phone without a country code belongs.
    pub default_region: Region,
    /// The zone of a time without an offset.
    pub timezone: Tz,
    /// The currency of an amount without one.
    pub currency: Currency,
    /// How a date in digits is read.
    pub date_order: DateOrder,
}

impl TenantSettings {
    /// True when `name` is this tenant's id (in any case) or slug.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        name == self.slug || Uuid::try_parse(name).is_ok_and(|id| id == self.id)
    }
}

/// A name in a-z, 0-9 and hyphens, without its accents; `None` where it has no such letter.
#[must_use]
pub fn slug_of(name: &str) -> Option<String> {
    let plain = name.nfkd().filter(|c| !matches!(c, '\u{300}'..='\u{36f}' | '\'' | '’'));
    let plain: String = plain.flat_map(char::to_lowercase).collect();
    let words = plain.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug: String = words.collect::<Vec<_>>().join("-").chars().take(60).collect();
    let slug = slug.trim_end_matches('-').to_owned();
    Some(slug).filter(|slug| !slug.is_empty())
}

/// True for 1 to 60 of a-z, 0-9 and hyphens, with no hyphen at either end: nothing that could be
/// taken for an id.
#[must_use]
pub fn is_slug(text: &str) -> bool {
    let letters = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let ends = text.starts_with('-') || text.ends_with('-');
    (1..=60).contains(&text.len()) && letters && !ends && Uuid::try_parse(text).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_made_of_the_name() {
        for (name, slug) in [
            ("Liffey Light", "liffey-light"),
            ("  Áine's Hair & Beauty (D2) ", "aines-hair-beauty-d2"),
            ("Glow – Studio", "glow-studio"),
        ] {
            assert_eq!(slug_of(name).as_deref(), Some(slug));
        }
        assert_eq!(slug_of("美容"), None);
    }

    #[test]
    fn a_slug_can_not_be_taken_for_an_id() {
        assert!(is_slug("glow-studio"));
        for bad in ["8d8ac610-566d-4ef0-9c22-186b2a5ed793", "", "Glow", "-glow", "glow studio"] {
            assert!(!is_slug(bad), "{bad}");
        }
    }
}
