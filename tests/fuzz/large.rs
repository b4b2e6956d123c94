//! Bodies as large as they may be, and as costly as their bytes can make them.

use crate::{heap, reading};
use bookhook::sources::fieldmap::FieldMap;
use bookhook::sources::fields::mappable_names;
use bookhook::sources::{self, Item, Mapped, Source};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// What reading once may take, without optimisation and beside other tests: what grows with the
/// square of the body takes minutes.
const LONG: Duration = Duration::from_secs(20);

/// Reads a body within the bounds; answers how many tellings it has.
fn read(source: &str, body: &str, most: usize) -> usize {
    let begun = Instant::now();
    let source = sources::find(source).unwrap();
    let (events, taken) = read_of(source, body);
    let took = begun.elapsed();
    assert!(took < LONG, "{} bytes took {took:?}", body.len());
    println!(
        "{}: {} bytes, {} events: {taken} bytes in {took:?}",
        source.name(),
        body.len(),
        events.len(),
    );
    assert!(taken <= most, "{} bytes took {taken}", body.len());
    let told = |mapped: &Mapped| !matches!(mapped, Mapped::Ignored(_));
    events.iter().flat_map(|(_, mapped)| mapped).filter(|mapped| told(mapped)).count()
}

/// What a body says, and the bytes that finding it took.
fn read_of(source: &dyn Source, body: &str) -> (Vec<(Item, Vec<Mapped>)>, usize) {
    heap::measured_once(|| reading::read(source, body.as_bytes()))
}

fn batch(messages: &[Value], contacts: &[Value]) -> String {
    let metadata =
        json!({"display_phone_number": "35315550100", "phone_number_id": "771234500000001"});
    let value = json!({
        "messaging_product": "whatsapp", "metadata": metadata, "contacts": contacts,
        "messages": messages,
    });
    let change = json!({"field": "messages", "value": value});
    json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]})
        .to_string()
}

fn contact(nth: usize) -> Value {
    json!({"wa_id": format!("35387{nth:07}"), "profile": {"name": format!("Áine {nth}")}})
}

fn message(nth: usize, words: &str) -> Value {
    json!({
        "from": format!("35387{nth:07}"), "id": format!("wamid.{nth}"),
        "timestamp": "1795434000", "type": "text", "text": {"body": words},
    })
}

#[test]
fn a_thousand_messages_near_three_megabytes() {
    let words =
        "Service: Cut\nDate: 16/01/2027\nTime: 4:15 pm\nNotes: ".to_owned() + &"long ".repeat(540);
    let messages: Vec<_> = (1_000_000..1_001_000).map(|nth| message(nth, &words)).collect();
    let contacts: Vec<_> = (1_000_000..1_001_000).map(contact).collect();
    let body = batch(&messages, &contacts);
    assert!((2_800_000..3_200_000).contains(&body.len()), "{}", body.len());
    assert_eq!(read("whatsapp", &body, 100_000_000), 1000);
}

#[test]
fn many_small_messages_of_one_sender() {
    let messages: Vec<_> = (0..10_000)
        .map(|nth| json!({"id": nth.to_string(), "from": "353871234567", "type": "text"}))
        .collect();
    let name = "n".repeat(1800);
    let contacts = [json!({"wa_id": "353871234567", "profile": {"name": name}})];
    assert_eq!(read("whatsapp", &batch(&messages, &contacts), 100_000_000), 10_000);
    let more = vec![json!({}); 10_001];
    assert_eq!(read("whatsapp", &batch(&more, &contacts), 3_000_000), 0);
    let none = vec![json!(7); 100_000];
    assert_eq!(read("whatsapp", &batch(&none, &contacts), 30_000_000), 0);
    let contacts: Vec<_> = (0..5000).map(contact).collect();
    assert_eq!(read("whatsapp", &batch(&messages[..10], &contacts), 30_000_000), 10);
}

#[test]
fn what_messages_share_is_not_copied_into_each_without_bound() {
    let long = "x".repeat(1_000_000);
    let mut body: Value = serde_json::from_str(&batch(
        &vec![message(1_234_567, "Hi"); 1000],
        &[json!({"wa_id": "353871234567", "profile": {"name": long}})],
    ))
    .unwrap();
    let change = &mut body["entry"][0]["changes"][0];
    change["value"]["metadata"]["display_phone_number"] = long.clone().into();
    change["field"] = long.clone().into();
    body["entry"][0]["id"] = long.into();
    let whatsapp = sources::find("whatsapp").unwrap();
    let (events, taken) = read_of(whatsapp, &body.to_string());
    heap::is_bounded("shared", 4_000_000, taken, 8);
    assert_eq!(events[0].0.account.as_deref(), Some("771234500000001"));
}

fn call(entries: &[Value]) -> String {
    json!({"event": "call_ended", "call": {
        "call_id": "c1", "agent_id": "a", "direction": "inbound", "from_number": "+353871234567",
        "transcript_with_tool_calls": entries,
    }})
    .to_string()
}

fn asked(id: &str) -> Value {
    let arguments = r#"{"service":"Cut","when":"2027-04-02 15:00"}"#;
    json!({"role": "tool_call_invocation", "tool_call_id": id, "name": "book_job", "arguments": arguments})
}

fn answered(id: &str, content: &str) -> Value {
    json!({"role": "tool_call_result", "tool_call_id": id, "content": content})
}

#[test]
fn a_thousand_tool_calls_are_read_and_twenty_thousand_are_left_to_a_person() {
    let ids: Vec<_> = (0..20_000).map(|nth| nth.to_string()).collect();
    // Each result is as far from its call as it can be.
    let far = |ids: &[String]| {
        let asked = ids.iter().map(|id| asked(id));
        call(&asked.chain(ids.iter().map(|id| answered(id, "true"))).collect::<Vec<_>>())
    };
    assert_eq!(read("retell", &far(&ids[..1000]), 20_000_000), 1000);
    assert_eq!(read("retell", &far(&ids[..1001]), 20_000_000), 1);
    assert_eq!(read("retell", &far(&ids), 40_000_000), 1);
    let same = ids[..1000].iter().flat_map(|_| [asked("t"), answered("t", "Thanks!")]);
    assert_eq!(read("retell", &call(&same.collect::<Vec<_>>()), 20_000_000), 1000);
    let speech = vec![json!({"role": "agent", "content": "Yes"}); 20_000];
    assert_eq!(read("retell", &call(&speech), 40_000_000), 0);
}

/// A field map of as many pointers as fit, all to what is not there but the last of each field.
fn large_map() -> FieldMap {
    let names = mappable_names();
    let fields: serde_json::Map<_, _> = names
        .iter()
        .map(|name| {
            let mut pointers: Vec<_> = (10..35).map(|n| format!("/call/{n}")).collect();
            pointers.push("/call/metadata/text".to_owned());
            ((*name).to_owned(), json!(pointers))
        })
        .collect();
    FieldMap::parse(&json!({"fields": fields}).to_string()).unwrap()
}

#[test]
fn a_field_map_costs_every_tool_call_the_same() {
    let map = large_map();
    let retell = sources::find("retell").unwrap();
    let mut took = Vec::new();
    for count in [30, 150] {
        let ids: Vec<_> = (0..count).map(|nth| nth.to_string()).collect();
        let calls = ids.iter().flat_map(|id| [asked(id), answered(id, "true")]);
        let mut body: Value = serde_json::from_str(&call(&calls.collect::<Vec<_>>())).unwrap();
        // JSON in a text, and longer than anything that is kept: it is read through once.
        body["call"]["metadata"] = json!(json!({"text": "x ".repeat(1_000_000)}).to_string());
        let body = body.to_string();
        let begun = Instant::now();
        let (events, taken) =
            heap::measured_once(|| reading::read_by(retell, body.as_bytes(), Some(&map)));
        took.push(begun.elapsed());
        assert_eq!(events[0].1.len(), count);
        assert!(taken < 100_000_000, "{} bytes took {taken}", body.len());
    }
    println!("with a map: {took:?}");
    assert!(took[1] < LONG && took[1] < took[0] * 15, "{took:?}");
}

/// Values that take the most memory for their bytes, once they are built.
fn bombs(bytes: usize) -> [String; 4] {
    let many =
        |piece: &str| format!("[{}{piece}]", format!("{piece},").repeat(bytes / (piece.len() + 1)));
    let keys: Vec<_> = (0..bytes / 12).map(|nth| format!(r#""k{nth}":{{}}"#)).collect();
    [many("1"), many("[]"), many(r#"{"":1}"#), format!("{{{}}}", keys.join(","))]
}

#[test]
fn nothing_is_built_before_a_signature_is_verified() {
    let places = [
        ("retell", r#"{"event":"call_ended","call":{"call_id":@,"metadata":{"a":@},"x":@}}"#),
        ("retell", r#"{"event":@,"call":[@],"event":1}"#),
        ("whatsapp", r#"{"object":"whatsapp_business_account","entry":@,"x":@}"#),
        (
            "whatsapp",
            r#"{"object":"whatsapp_business_account","entry":[{"changes":[{"value":{"metadata":@,"messages":@}}]}]}"#,
        ),
        ("chat", r#"{"tenantId":@,"metadata":{"tenantId":@},"bookingData":{"x":@}}"#),
        ("n8n", r#"{"body":{"originalPayload":@,"x":@},"event":1}"#),
    ];
    for (source, place) in places {
        for bomb in bombs(40_000) {
            let body = place.replace('@', &bomb);
            let source = sources::find(source).unwrap();
            let (_, taken) = heap::measured_once(|| source.hints(body.as_bytes()));
            heap::is_bounded(&place.replace('@', &bomb[..20]), body.len(), taken, 24);
        }
    }
}

#[test]
fn what_is_built_stays_in_proportion() {
    let quote = |text: &str| Value::from(text).to_string();
    for bomb in bombs(60_000) {
        let custom = format!(
            r#"{{"event":"call_analyzed","call":{{"call_id":"c","call_analysis":{{"custom_analysis_data":{{"x":{bomb}}}}}}}}}"#
        );
        let arguments = quote(&format!(r#"{{"service":{bomb}}}"#));
        let tool = format!(
            r#"{{"event":"call_ended","call":{{"transcript_with_tool_calls":[{{"role":"tool_call_invocation","name":"book_job","tool_call_id":"t","arguments":{arguments}}}]}}}}"#
        );
        let post = format!(r#"{{"bookingData":{{"service":{bomb}}}}}"#);
        let flow = batch(
            &[json!({"id": "1", "from": "353871234567", "type": "interactive", "interactive": {
            "type": "nfm_reply", "nfm_reply": {"response_json": format!(r#"{{"service":{bomb}}}"#)}}})],
            &[],
        );
        for (source, body) in [
            ("retell", custom),
            ("retell", tool),
            ("chat", post.clone()),
            ("n8n", post),
            ("whatsapp", flow),
        ] {
            let (_, taken) = read_of(sources::find(source).unwrap(), &body);
            heap::is_bounded(&format!("{source} {}", &bomb[..20]), body.len(), taken, 128);
        }
    }
}

#[test]
fn deep_and_long_names_are_not_copied_into_each_other() {
    let long = "k".repeat(20_000);
    let leaves: serde_json::Map<_, _> =
        (0..4000).map(|n| (n.to_string(), json!({"service": 1}))).collect();
    let deep = (0..50).fold(Value::Object(leaves), |inner, _| json!({ &long[..190]: inner }));
    let wide = json!({ &long: { &long: { &long: deep.clone() } } });
    for answers in [deep, wide] {
        let message = json!({"id": "1", "from": "353871234567", "type": "interactive", "interactive": {
            "type": "nfm_reply", "nfm_reply": {"response_json": answers}}});
        let body = batch(&[message], &[]);
        let whatsapp = sources::find("whatsapp").unwrap();
        let (_, taken) = heap::measured(|| reading::read(whatsapp, body.as_bytes()));
        heap::is_bounded("flow", body.len(), taken, 128);
    }
}
