//! Reading answers whatever it is given: no body, however odd, ends it.

use super::*;
use proptest::prelude::*;

/// A body of each source with everything in it that is read.
fn seeds() -> Vec<(&'static str, Value)> {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    vec![
        ("retell", read(include_str!("../../../fixtures/retell/call_ended_booking_by_tool.json"))),
        (
            "retell",
            read(include_str!("../../../fixtures/retell/call_analyzed_booking_by_analysis.json")),
        ),
        (
            "retell",
            read(include_str!("../../../fixtures/retell/call_ended_booked_and_cancelled.json")),
        ),
        ("retell", read(include_str!("../../../fixtures/retell/function_call_booking.json"))),
        ("chat", read(include_str!("../../../fixtures/chat/booking.json"))),
        ("n8n", read(include_str!("../../../fixtures/n8n/booking_with_older_names.json"))),
        ("n8n", read(include_str!("../../../fixtures/n8n/retell_event_with_original.json"))),
        ("whatsapp", read(include_str!("../../../fixtures/whatsapp/flow_booking.json"))),
        ("whatsapp", read(include_str!("../../../fixtures/whatsapp/text_request.json"))),
        ("whatsapp", read(include_str!("../../../fixtures/whatsapp/id_changed.json"))),
    ]
}

/// Puts `with` in the place of the `nth` value of a body, counted through all levels.
fn replace(value: &mut Value, nth: &mut usize, with: &Value) {
    if *nth == 0 {
        value.clone_from(with);
    }
    *nth = nth.wrapping_sub(1);
    match value {
        Value::Array(items) => items.iter_mut().for_each(|inner| replace(inner, nth, with)),
        Value::Object(object) => object.values_mut().for_each(|inner| replace(inner, nth, with)),
        _ => {}
    }
}

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

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_stands_in_a_body_is_answered(
        seed in 0usize..10, places in prop::collection::vec((0usize..160, anything()), 1..4),
    ) {
        let (source, mut body) = seeds().remove(seed);
        for (place, with) in &places {
            replace(&mut body, &mut place.clone(), with);
        }
        let source = find(source).unwrap();
        let (text, headers, tenant) = (body.to_string(), Headers::default(), tenant());
        let delivery =
            Delivery { body: text.as_bytes(), headers: &headers, received_at: received_at() };
        let overrides = BTreeMap::new();
        let reading = Reading::plain(&tenant, received_at(), &overrides);
        source.hints(delivery.body);
        for item in source.split(&delivery).unwrap_or_default() {
            let mapped = source.map(&item, &reading);
            prop_assert!(!mapped.is_empty());
            let kept = serde_json::to_string(&mapped).unwrap();
            prop_assert_eq!(serde_json::from_str::<Vec<Mapped>>(&kept).unwrap(), mapped);
            let again = Delivery { body: &item.raw, ..delivery };
            prop_assert_eq!(source.split(&again).unwrap(), vec![item]);
        }
    }

    #[test]
    fn whatever_the_bytes_are_nothing_falls(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let headers = Headers::default();
        for source in ALL {
            let delivery = Delivery { body: &body, headers: &headers, received_at: received_at() };
            let _ = (source.hints(&body), source.split(&delivery), source.verify("k", &delivery));
        }
    }
}
