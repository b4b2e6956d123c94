//! The fixtures of every source, changed.

use crate::mutation::{Mutation, mutation};
use crate::reading;
use bookhook::sources::{self, ALL, Source};
use proptest::prelude::*;
use serde_json::Value;
use std::path::Path;
use std::sync::LazyLock;

static SEEDS: LazyLock<Vec<(&'static dyn Source, Value)>> = LazyLock::new(seeds);

fn seeds() -> Vec<(&'static dyn Source, Value)> {
    let mut seeds = Vec::new();
    for source in sources::ALL.iter().copied() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(source.name());
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = files.collect();
        files.sort();
        for file in files.iter().filter(|f| !f.to_str().unwrap().ends_with(".expected.json")) {
            let body = serde_json::from_str(&std::fs::read_to_string(file).unwrap());
            seeds.push((source, body.unwrap()));
        }
    }
    assert!(seeds.len() > 50);
    seeds
}

/// A body with its changes.
fn changed(seed: usize, changes: &[Mutation]) -> (&'static dyn Source, String) {
    let (source, mut body) = SEEDS[seed % SEEDS.len()].clone();
    for change in changes {
        change.apply(&mut body);
    }
    (source, body.to_string())
}

#[test]
fn a_body_of_another_source_is_answered() {
    for (own, body) in SEEDS.iter() {
        for source in ALL.iter().filter(|source| source.name() != own.name()) {
            reading::check(*source, body.to_string().as_bytes());
        }
    }
}

proptest! {
    #[test]
    fn whatever_stands_in_a_body_is_answered(
        seed in any::<prop::sample::Index>(), changes in prop::collection::vec(mutation(), 1..5),
    ) {
        let (source, body) = changed(seed.index(SEEDS.len()), &changes);
        reading::check(source, body.as_bytes());
    }

    #[test]
    fn whatever_is_cut_or_put_into_the_bytes_is_answered(
        seed in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), cut in 0usize..40,
        put in prop::collection::vec(any::<u8>(), 0..12),
    ) {
        let (source, text) = changed(seed.index(SEEDS.len()), &[]);
        let mut body = text.into_bytes();
        let begin = at.index(body.len());
        let end = (begin + cut).min(body.len());
        body.splice(begin..end, put);
        reading::check(source, &body);
    }

    #[test]
    fn whatever_the_bytes_are_nothing_falls(body in prop::collection::vec(any::<u8>(), 0..200)) {
        for source in ALL {
            reading::check(*source, &body);
        }
    }
}
