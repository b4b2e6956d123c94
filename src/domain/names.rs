//! Names as they are searched and sorted: without case, accents and punctuation.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// The most characters of a word: what is longer is cut, in what is stored and in what is asked.
const LONGEST: usize = 80;

/// The most words that one person is found by.
const MOST: usize = 24;

/// The most bytes of a name that count for its place in a list.
const SORTED: usize = 200;

/// Lower case without accents: "Áine" is "aine", "Łukasz" is "lukasz", "Weiß" is "weiss".
#[must_use]
pub fn fold(text: &str) -> String {
    let lower = text.nfkd().flat_map(char::to_lowercase).collect::<String>();
    let bare = lower.nfkd().filter(|c| !is_combining_mark(*c));
    let mut folded = String::with_capacity(text.len());
    for letter in bare {
        match letter {
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' | 'ð' => folded.push('d'),
            'ı' => folded.push('i'),
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'þ' => folded.push_str("th"),
            other => folded.push(other),
        }
    }
    folded
}

/// The words by which a person is found: each part of the name, parts that a hyphen or apostrophe
/// joins also as one, what stands behind an apostrophe (the Brien of O'Brien), the e-mail address and the parts of what stands before its `@`.
#[must_use]
pub fn words(first: &str, last: &str, email: Option<&str>) -> Vec<String> {
    let mut found = Vec::new();
    let mut add = |word: &str| {
        let word = cut(word);
        if !word.is_empty() && !found.contains(&word) && found.len() < MOST {
            found.push(word);
        }
    };
    let (name, email) = (fold(&format!("{first} {last}")), email.map(fold));
    for part in name.split_whitespace() {
        let pieces = part.split(is_apostrophe).flat_map(parts);
        for piece in parts(part).into_iter().chain(pieces) {
            add(&piece);
        }
        add(&part.chars().filter(|c| c.is_alphanumeric()).collect::<String>());
    }
    if let Some(email) = email {
        add(&email);
        let local = email.split('@').next().unwrap_or_default();
        for part in parts(local) {
            add(&part);
        }
    }
    found
}

/// The runs of letters and digits, apostrophes left out: what one asks for by a hyphenated name.
fn parts(text: &str) -> Vec<String> {
    let plain: String = text.chars().filter(|c| !is_apostrophe(*c)).collect();
    let runs = plain.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty());
    runs.map(str::to_owned).collect()
}

fn is_apostrophe(letter: char) -> bool {
    matches!(letter, '\'' | '’' | '‘' | 'ʼ' | '`' | '´')
}

fn cut(word: &str) -> String {
    word.chars().take(LONGEST).collect()
}

/// A name's place in a list: the folded first name, then the last.
#[must_use]
pub fn sort_key(first: &str, last: &str) -> Vec<u8> {
    let folded = fold(format!("{first} {last}").trim());
    let mut key = folded.into_bytes();
    key.truncate(SORTED);
    key
}

/// What somebody asks a list of people for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// Beginnings of words, all of which are to be there.
    pub words: Vec<String>,
    /// The digits of a phone number or of its beginning, as typed.
    pub phone: Option<String>,
}

impl Question {
    /// Reads what was typed: what consists of digits belongs to one phone number, the rest is
    /// words.
    #[must_use]
    pub fn parse(typed: &str) -> Self {
        let folded = fold(typed);
        let mut question = Self::default();
        let mut phone = String::new();
        for part in folded.split_whitespace() {
            if part.chars().all(is_of_a_number) {
                phone.extend(part.chars().filter(|c| *c == '+' || c.is_ascii_digit()));
            } else if part.contains('@') {
                question.add(part);
            } else {
                for word in parts(part) {
                    question.add(&word);
                }
            }
        }
        question.phone = Some(phone).filter(|phone| phone.contains(|c: char| c.is_ascii_digit()));
        question
    }

    /// A word that another one begins with says nothing new.
    fn add(&mut self, word: &str) {
        let word = cut(word);
        if self.words.iter().any(|known| known.starts_with(&word)) {
            return;
        }
        self.words.retain(|known| !word.starts_with(known.as_str()));
        self.words.push(word);
    }

    /// True when nothing is asked that could be looked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty() && self.phone.is_none()
    }
}

fn is_of_a_number(letter: char) -> bool {
    letter.is_ascii_digit()
        || matches!(letter, '+' | '-' | '.' | '/' | '(' | ')' | '\u{2010}'..='\u{2015}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_folded_to_plain_letters() {
        for (name, plain) in [
            ("Áine", "aine"),
            ("ÁINE", "aine"),
            ("A\u{301}ine", "aine"),
            ("Łukasz", "lukasz"),
            ("Weiß", "weiss"),
            ("Søren", "soren"),
            ("İpek", "ipek"),
            ("ＡＢ", "ab"),
            ("王小明", "王小明"),
            ("Þóra", "thora"),
        ] {
            assert_eq!(fold(name), plain, "{name}");
        }
    }

    #[test]
    fn a_person_is_found_by_every_part_of_name_and_address() {
        let found = words("Anne-Marie Áine", "O'Brien", Some("am.obrien@salon.example"));
        for word in [
            "anne", "marie", "annemarie", "aine", "obrien", "brien", "am.obrien@salon.example",
            "am",
        ] {
            assert!(found.iter().any(|w| w == word), "{word}: {found:?}");
        }
        assert!(words("💅", "", None).is_empty());
    }

    #[test]
    fn digits_of_a_question_are_one_number_and_the_rest_is_words() {
        let asked = Question::parse("  Áine O'Brien 087 123-45 ");
        assert_eq!(asked.words, ["aine", "obrien"]);
        assert_eq!(asked.phone.as_deref(), Some("08712345"));
        assert_eq!(Question::parse("+353 (0)87").phone.as_deref(), Some("+353087"));
        assert_eq!(Question::parse("ann anne").words, ["anne"]);
        assert!(Question::parse(" - ++ ").is_empty());
        assert!(Question::parse("%_*").is_empty());
    }
}
