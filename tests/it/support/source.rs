//! Rust sources taken apart, so that a test can see what they name.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree, token_stream};
use std::iter::Peekable;
use std::path::Path;

type Tokens = Peekable<token_stream::IntoIter>;

/// What one source file says, as far as the checks of the house ask.
pub(crate) struct Source {
    /// Where it is, from the repository's top: `src/http/mod.rs`.
    pub(crate) path: String,
    /// How many lines it has.
    pub(crate) lines: usize,
    /// Every path that is named, with its root: `crate::domain::ids`, `sqlx::query`. A tree of
    /// `use` is named once a leaf.
    pub(crate) paths: Vec<Found>,
    /// Every text literal; doc comments are none.
    pub(crate) texts: Vec<Found>,
    /// Every macro that is called, without its `!`.
    pub(crate) macros: Vec<Found>,
    /// Every attribute, as its words: `cfg test`, `expect clippy float_cmp reason`.
    pub(crate) attributes: Vec<Found>,
}

/// Something in a source, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// What it is.
    pub(crate) what: String,
    /// The line it starts in.
    pub(crate) line: usize,
    /// True in tests: they may do what the code may not.
    pub(crate) in_test: bool,
}

impl Source {
    /// Every Rust file below `folder` of this repository.
    pub(crate) fn all(folder: &str) -> Vec<Self> {
        let top = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut sources = Vec::new();
        let mut folders = vec![top.join(folder)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let file = entry.unwrap().path();
                if file.is_dir() {
                    folders.push(file);
                } else if file.extension().is_some_and(|extension| extension == "rs") {
                    let path = file.strip_prefix(top).unwrap().to_str().unwrap();
                    sources.push(Self::read(path, &std::fs::read_to_string(&file).unwrap()));
                }
            }
        }
        sources
    }

    /// Takes `text` apart as the file at `path`.
    pub(crate) fn read(path: &str, text: &str) -> Self {
        let mut source = Self {
            path: path.to_owned(),
            lines: text.lines().count(),
            paths: Vec::new(),
            texts: Vec::new(),
            macros: Vec::new(),
            attributes: Vec::new(),
        };
        let place = Place { module: module_of(path), in_test: path.contains("/tests") };
        let tokens = text.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
        source.walk(tokens, &place);
        source
    }

    /// The room of the house that this file is in; `None` for `main.rs` and `lib.rs`.
    pub(crate) fn room(&self) -> Option<String> {
        module_of(&self.path).into_iter().next()
    }

    fn walk(&mut self, tokens: TokenStream, place: &Place) {
        let mut tokens = tokens.into_iter().peekable();
        // The attributes read last speak of the item that follows them, up to its end.
        let mut here = place.clone();
        while let Some(token) = tokens.next() {
            match &token {
                TokenTree::Punct(p) if p.as_char() == '#' => {
                    tokens.next_if(|next| is_punct(next, '!'));
                    if let Some(TokenTree::Group(attribute)) = tokens.peek().cloned() {
                        tokens.next();
                        here.in_test |= self.attribute(&attribute, &here);
                    }
                }
                TokenTree::Punct(p) if p.as_char() == ';' => here = place.clone(),
                TokenTree::Punct(_) => {}
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    if text.contains('"') {
                        self.texts.push(here.found(text, &token));
                    }
                }
                TokenTree::Group(group) => {
                    self.walk(group.stream(), &here);
                    if group.delimiter() == Delimiter::Brace {
                        here = place.clone();
                    }
                }
                TokenTree::Ident(word) if word == "mod" => {
                    if let Some(TokenTree::Ident(name)) = tokens.next() {
                        here.module.push(name.to_string());
                    }
                }
                TokenTree::Ident(word) => {
                    if tokens.peek().is_some_and(|next| is_punct(next, '!')) {
                        self.macros.push(here.found(word.to_string(), &token));
                    }
                    let used = word == "use";
                    let first = if used { tokens.next_if(is_ident) } else { Some(token) };
                    if let Some(first) = first {
                        self.path(&first, &mut tokens, &[], used, &here);
                    }
                }
            }
        }
    }

    /// Notes an attribute, and whether what follows is a test.
    fn attribute(&mut self, attribute: &Group, place: &Place) -> bool {
        let words = words(attribute.stream());
        if words.first().is_some_and(|word| word == "doc") {
            return false;
        }
        let token = TokenTree::Group(attribute.clone());
        self.attributes.push(place.found(words.join(" "), &token));
        self.walk(attribute.stream(), place);
        let last = words.last().is_some_and(|word| word == "test");
        last && !words.iter().any(|word| word == "not")
    }

    /// Notes the path that starts with `first`, below `prefix`; `alone` when even one word is one.
    fn path(
        &mut self,
        first: &TokenTree,
        rest: &mut Tokens,
        prefix: &[String],
        alone: bool,
        place: &Place,
    ) {
        let mut words = prefix.to_vec();
        words.push(first.to_string());
        while carries_on(rest) {
            rest.next();
            rest.next();
            match rest.next() {
                Some(TokenTree::Group(tree)) => {
                    let mut leaves = tree.stream().into_iter().peekable();
                    while let Some(leaf) = leaves.next() {
                        self.path(&leaf, &mut leaves, &words, true, place);
                        leaves.find(|token| is_punct(token, ','));
                    }
                    return;
                }
                Some(word) => words.push(word.to_string()),
                None => {}
            }
        }
        if alone || words.len() > 1 {
            self.paths.push(place.found(place.rooted(&words), first));
        }
    }
}

/// Where in a file the walk is.
#[derive(Clone)]
struct Place {
    /// The module, from the crate's root.
    module: Vec<String>,
    in_test: bool,
}

impl Place {
    fn found(&self, what: String, token: &TokenTree) -> Found {
        Found { what, line: token.span().start().line, in_test: self.in_test }
    }

    /// A path from its crate's root, whether it was written with `crate`, `self` or `super`.
    fn rooted(&self, words: &[String]) -> String {
        let supers = words.iter().take_while(|word| *word == "super" || *word == "self").count();
        let up = words.iter().take(supers).filter(|word| *word == "super").count();
        let rest = words.iter().skip(supers).cloned();
        let above = self.module.iter().take(self.module.len().saturating_sub(up)).cloned();
        let rooted: Vec<String> = match words.first().map(String::as_str) {
            Some("crate" | "bookhook") => return format!("crate::{}", words[1..].join("::")),
            Some("super" | "self") => std::iter::once("crate".into()).chain(above).collect(),
            _ => Vec::new(),
        };
        rooted.into_iter().chain(rest).collect::<Vec<_>>().join("::")
    }
}

/// `src/http/api/mod.rs` is the module `http::api`.
fn module_of(path: &str) -> Vec<String> {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs");
    let words = inside.split('/').filter(|word| !["mod", "main", "lib"].contains(word));
    words.map(str::to_owned).collect()
}

/// Every word in a stream, at any depth.
fn words(tokens: TokenStream) -> Vec<String> {
    let nested = tokens.into_iter().map(|token| match token {
        TokenTree::Ident(word) => vec![word.to_string()],
        TokenTree::Group(group) => words(group.stream()),
        _ => Vec::new(),
    });
    nested.flatten().collect()
}

fn is_ident(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Ident(_))
}

fn is_punct(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(p) if p.as_char() == sign)
}

/// True where a `::` is next and more of the path behind it: a word, a tree or a star.
fn carries_on(tokens: &Tokens) -> bool {
    let mut ahead = tokens.clone();
    let colons = [ahead.next(), ahead.next()];
    colons.iter().flatten().filter(|token| is_punct(token, ':')).count() == 2
        && match ahead.next() {
            Some(TokenTree::Group(tree)) => tree.delimiter() == Delimiter::Brace,
            Some(next) => is_ident(&next) || is_punct(&next, '*'),
            None => false,
        }
}

#[test]
fn paths_are_found_from_their_roots() {
    let text = "
        use crate::{domain::{ids, phone::Phone as P}, clock};
        use super::pages::*;
        use sqlx;
        #[actix_web::main]
        async fn main() { ::std::fs::read(a.b::<c::D>()); super::super::cli::x! { \"t\" } }
        #[cfg(test)]
        mod tests { use super::f; }
        fn later() { bookhook::app::build() }";
    let source = Source::read("src/http/api.rs", text);
    let paths: Vec<_> = source.paths.iter().map(|found| found.what.as_str()).collect();
    let expected = [
        "crate::domain::ids", "crate::domain::phone::Phone", "crate::clock",
        "crate::http::pages::*", "sqlx", "actix_web::main", "std::fs::read", "c::D",
        "crate::cli::x", "crate::http::api::f", "crate::app::build",
    ];
    assert_eq!(paths, expected);
    let in_tests: Vec<_> = source.paths.iter().filter(|found| found.in_test).collect();
    assert_eq!(in_tests.iter().map(|f| f.line).collect::<Vec<_>>(), [8]);
    assert_eq!(source.texts.len(), 1);
}
