//! E-mail addresses.

/// The most bytes of an address.
const LONGEST: usize = 254;

/// Reads an address by its form alone, into lower case; `None` where no mail could reach it, or
/// where it is not what it looks like.
#[must_use]
pub fn parse(text: &str) -> Option<String> {
    let (local, domain) = text.rsplit_once('@')?;
    let odd = |c: char| {
        c.is_whitespace() || c.is_control() || is_unseen(c) || "()<>[],;:\\\"@".contains(c)
    };
    let label = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
    let dots = |text: &str| text.starts_with('.') || text.ends_with('.') || text.contains("..");
    let local_fits = (1..=64).contains(&local.len()) && !dots(local);
    let domain_fits = domain.contains('.') && domain.split('.').all(label);
    let letters =
        !local.contains(odd) && domain.chars().all(|c| c.is_alphanumeric() || "-.".contains(c));
    let fits = local_fits && domain_fits && letters && text.len() <= LONGEST;
    fits.then(|| text.to_lowercase())
}

/// Signs that nobody sees, and those that turn the direction of what is read: soft hyphens, joiners
/// and spaces of no width, marks and overrides of direction, tags.
fn is_unseen(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_checked_for_form_and_lowered() {
        assert_eq!(parse("Niamh.OBrien@Example.IE").as_deref(), Some("niamh.obrien@example.ie"));
        for good in ["o'brien+salon@mail.example.com", "zoë@müller.example"] {
            assert_eq!(parse(good).as_deref(), Some(good));
        }
        for bad in [
            "niamh dot obrien at example dot ie",
            "a@b",
            "@example.ie",
            "a@",
            "a b@example.ie",
            "a@example..ie",
            "a@ex..com",
            "a..b@example.ie",
            "a.@example.ie",
            ".a@example.ie",
            "a@.example.ie",
            "a@example.ie.",
            "a@@example.ie",
            "a@-x.ie",
            "<a@example.ie>",
            "a\u{7}@example.ie",
            "a\u{202e}b@example.ie",
            "a\u{200b}@example.ie",
            "a@exam\u{ad}ple.ie",
            "a@example.ie\u{200f}",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
