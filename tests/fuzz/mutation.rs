//! Changes to a body that leave it JSON: what a careless or a hostile caller makes of it.

use proptest::prelude::*;
use serde_json::{Value, json};

/// One change, at the place of the nth value counted through all levels.
#[derive(Clone, Debug)]
pub(crate) enum Mutation {
    /// Another value stands there.
    Replace(usize, Value),
    /// What stands there stands there many times, as a list or under many keys.
    Repeat(usize, usize),
    /// It stands deep in lists or objects.
    Bury(usize, usize, bool),
    /// It is the JSON of itself, in a text.
    Quote(usize),
    /// It is gone.
    Drop(usize),
    /// Its members stand under these keys.
    Rename(usize, String),
}

pub(crate) fn mutation() -> impl Strategy<Value = Mutation> {
    let place = 0usize..200;
    prop_oneof![
        6 => (place.clone(), anything()).prop_map(|(at, with)| Mutation::Replace(at, with)),
        1 => (place.clone(), 2usize..60).prop_map(|(at, times)| Mutation::Repeat(at, times)),
        1 => (place.clone(), 1usize..70, any::<bool>())
            .prop_map(|(at, depth, list)| Mutation::Bury(at, depth, list)),
        1 => place.clone().prop_map(Mutation::Quote),
        1 => place.clone().prop_map(Mutation::Drop),
        1 => (place, key()).prop_map(|(at, key)| Mutation::Rename(at, key)),
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        Just("customerPhone".to_owned()),
        Just("bookingData".to_owned()),
        Just("call".to_owned()),
        Just("messages".to_owned()),
        Just("x".repeat(500)),
    ]
}

/// Values of every kind, and those that only look like what they should be.
fn anything() -> impl Strategy<Value = Value> {
    let texts = prop_oneof![
        any::<String>(),
        "[0-9:./+€$,-]{0,20}",
        "\\PC{0,12}",
        Just("{\"a\":[".to_owned()),
        Just("null".to_owned()),
        Just("{{customer_phone}}".to_owned()),
        Just("IE.87123".to_owned()),
        Just("9".repeat(400)),
        Just("\u{fdfa}".repeat(300)),
    ];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        texts.prop_map(Value::from),
        Just(json!([])),
        Just(json!([[{}], 1, "x"])),
        Just(json!({"id": {"id": []}})),
        Just(serde_json::from_str("1e999").unwrap()),
    ]
}

impl Mutation {
    /// Makes the change, where the body has so many values.
    pub(crate) fn apply(&self, body: &mut Value) {
        let (Self::Replace(at, _)
        | Self::Repeat(at, _)
        | Self::Bury(at, ..)
        | Self::Quote(at)
        | Self::Drop(at)
        | Self::Rename(at, _)) = self;
        if let Some(place) = nth(body, &mut { *at }) {
            let old = place.take();
            *place = self.made_of(old);
        }
    }

    fn made_of(&self, old: Value) -> Value {
        match self {
            Self::Replace(_, with) => with.clone(),
            Self::Repeat(_, times) => match old {
                Value::Array(items) => {
                    items.iter().cycle().take(items.len() * times).cloned().collect()
                }
                Value::Object(object) => {
                    let many = (0..*times).flat_map(|n| {
                        object.iter().map(move |(key, value)| {
                            (format!("{key}{}", "_".repeat(n)), value.clone())
                        })
                    });
                    Value::Object(many.collect())
                }
                Value::String(text) => text.repeat(*times).into(),
                other => vec![other; *times].into(),
            },
            Self::Bury(_, depth, true) => (0..*depth).fold(old, |inner, _| json!([inner])),
            Self::Bury(_, depth, false) => {
                (0..*depth).fold(old, |inner, _| json!({ "bookingData": inner }))
            }
            Self::Quote(_) => old.to_string().into(),
            Self::Drop(_) => Value::Null,
            Self::Rename(_, key) => match old {
                Value::Object(object) => {
                    let renamed = object.into_iter().enumerate();
                    renamed
                        .map(|(nth, (_, value))| (format!("{key}{}", " ".repeat(nth)), value))
                        .collect()
                }
                other => json!({ key: other }),
            },
        }
    }
}

fn nth<'a>(value: &'a mut Value, left: &mut usize) -> Option<&'a mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|inner| nth(inner, left)),
        Value::Object(object) => object.values_mut().find_map(|inner| nth(inner, left)),
        _ => None,
    }
}
