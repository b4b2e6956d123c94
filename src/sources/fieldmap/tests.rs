//! Field maps: what is taken for one, and what is read by one, of every source.

use super::*;
use crate::domain::booking::UnifiedBookingData;
use crate::domain::channel::{BookingStatus, DateOrder};
use crate::domain::money::Currency;
use crate::domain::phone::Region;
use crate::domain::tenant::TenantSettings;
use crate::sources::{Delivery, Headers, Mapped, Reading, Telling};
use serde_json::json;

fn map(value: &Value) -> FieldMap {
    FieldMap::parse(&value.to_string()).unwrap()
}

fn corrected(
    source: &str,
    body: &Value,
    map: Option<&FieldMap>,
    set: &[(&str, &str)],
) -> Vec<Mapped> {
    let tenant = TenantSettings {
        id: "8d8ac610-566d-4ef0-9c22-186b2a5ed793".parse().unwrap(),
        slug: "liffey-light".to_owned(),
        default_region: Region::parse("IE").unwrap(),
        timezone: chrono_tz::Europe::Dublin,
        currency: Currency::parse("EUR").unwrap(),
        date_order: DateOrder::Dmy,
    };
    let pairs = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let (overrides, headers) = (pairs.collect(), Headers::default());
    let received_at = "2026-11-23T12:00:00Z".parse().unwrap();
    let source = crate::sources::find(source).unwrap();
    let body = body.to_string();
    let delivery = Delivery { body: body.as_bytes(), headers: &headers, received_at };
    let item = source.split(&delivery).unwrap().remove(0);
    let reading = Reading { map, ..Reading::plain(&tenant, received_at, &overrides) };
    source.map(&item, &reading)
}

fn read(source: &str, body: &Value, map: &Value) -> Vec<Mapped> {
    corrected(source, body, Some(&self::map(map)), &[])
}

fn booking(mapped: &[Mapped]) -> &UnifiedBookingData {
    let [Mapped::Booking(Telling { data, .. })] = mapped else { panic!("{mapped:?}") };
    data
}

fn needs_review(mapped: &[Mapped]) -> bool {
    matches!(mapped, [Mapped::NeedsReview(_)])
}

#[test]
fn a_map_that_says_nothing_certain_is_refused() {
    let pointers: Vec<String> = (0..33).map(|n| format!("/a/{n}")).collect();
    let names: Vec<String> = (0..65).map(|n| format!("tool_{n}")).collect();
    for (text, why) in [
        ("[]".to_owned(), "no field map"),
        (json!({"tools": []}).to_string(), "tools is an object"),
        (json!({"confirmed": [["/a"]]}).to_string(), "confirmed is an object"),
        ("{\"felder\":{}}".to_owned(), "felder"),
        (json!({"fields": {"shoeSize": ["/a"]}}).to_string(), "there is no field \"shoeSize\""),
        (json!({"fields": {"tenantId": ["/a"]}}).to_string(), "tenantId"),
        (json!({"fields": {"serviceName": "/a"}}).to_string(), "no field map"),
        (json!({"fields": {"serviceName": ["a"]}}).to_string(), "does not begin with /"),
        (json!({"fields": {"serviceName": []}}).to_string(), "no pointer"),
        (json!({"fields": {"serviceName": pointers}}).to_string(), "more than 32"),
        (json!({"tools": {"book": names}}).to_string(), "more than 64"),
        (json!({"tools": {"book": ["a-b"], "cancel": ["A B"]}}).to_string(), "two jobs"),
        (json!({"tools": {"book": ["--"]}}).to_string(), "no name"),
        (json!({"tools": {"sell": []}}).to_string(), "sell"),
        (json!({"confirmed": {"values": ["yes"]}}).to_string(), "field"),
        (json!({"externalBookingProvider": " "}).to_string(), "no name"),
        (format!("{{}}{}", " ".repeat(MOST_BYTES)), "at most"),
    ] {
        let error = FieldMap::parse(&text).expect_err(&text).to_string();
        assert!(error.contains(why), "{error}");
    }
    assert_eq!(FieldMap::parse("{}").unwrap(), FieldMap::default());
}

#[test]
fn every_field_that_a_person_sets_can_be_mapped() {
    for name in mappable_names() {
        assert!(FieldMap::parse(&json!({"fields": {name: ["/a"]}}).to_string()).is_ok(), "{name}");
    }
}

fn call() -> Value {
    json!({"event": "call_analyzed", "call": {
        "call_id": "c1", "direction": "inbound", "from_number": "+353871234567",
        "metadata": {"svc": "Maniküre", "treatment": "wrong"},
        "call_analysis": {"custom_analysis_data": {
            "ergebnis": "Termin gebucht", "tag": "02.12.2026", "uhr": "15:00", "service": "Other",
        }},
    }})
}

fn call_map() -> Value {
    let custom = |name: &str| json!([format!("/call/call_analysis/custom_analysis_data/{name}")]);
    json!({
        "fields": {
            "serviceName": ["/call/metadata/none", "/call/metadata/svc"],
            "appointmentDate": custom("tag"), "appointmentTime": custom("uhr"),
        },
        "confirmed": {"field": custom("ergebnis"), "values": ["termin gebucht"]},
    })
}

#[test]
fn retells_analysis_is_read_where_the_map_says() {
    let data = read("retell", &call(), &call_map());
    let data = booking(&data);
    assert_eq!(data.service_name, "Maniküre", "the map goes before the alias");
    assert_eq!(data.appointment_date_time.to_rfc3339(), "2026-12-02T15:00:00+00:00");
    assert_eq!(data.status, BookingStatus::Confirmed);

    let mut refused = call();
    refused["call"]["call_analysis"]["custom_analysis_data"]["ergebnis"] = json!("nur gefragt");
    let mapped = read("retell", &refused, &call_map());
    assert_eq!(mapped, [Mapped::Ignored("no_booking".to_owned())]);
    let mut ended = call();
    ended["call"]["call_analysis"] = json!({});
    let mut elsewhere = call_map();
    elsewhere["fields"]["appointmentDateTime"] = json!(["/call/metadata/start"]);
    ended["call"]["metadata"]["start"] = json!("2026-12-02 15:00");
    let mapped = read("retell", &ended, &elsewhere);
    let said = "what the call was begun with is nothing that it told";
    assert_eq!(mapped, [Mapped::Ignored("no_booking".to_owned())], "{said}");
}

fn tool(name: &str, arguments: &Value, answer: &Value) -> Value {
    json!({"event": "call_ended", "call": {
        "call_id": "c1", "direction": "inbound", "from_number": "+353871234567",
        "transcript_with_tool_calls": [
            {"role": "tool_call_invocation", "tool_call_id": "t1", "name": name,
                "arguments": arguments.to_string()},
            {"role": "tool_call_result", "tool_call_id": "t1", "content": answer.to_string()},
        ],
    }})
}

#[test]
fn retells_tools_do_what_the_map_says() {
    let arguments = json!({"was": {"art": "Cut"}, "wann": "2026-12-02 15:00"});
    let body = tool("termin_buchen", &arguments, &json!({"success": true, "nr": "K-7"}));
    assert_eq!(read("retell", &body, &json!({})), [Mapped::Ignored("no_booking".to_owned())]);
    let fields = json!({
        "serviceName": ["/args/was/art"], "appointmentDateTime": ["/args/wann"],
        "externalBookingId": ["/result/nr"],
    });
    let told = json!({
        "fields": fields, "tools": {"book": ["Termin buchen"]},
        "externalBookingProvider": "Phorest_API",
    });
    let data = read("retell", &body, &told);
    assert_eq!(booking(&data).service_name, "Cut");
    assert_eq!(booking(&data).labelled(), Some(("phorest", "K-7")));
    // The same map reads the same function when it is called.
    let function = json!({"name": "termin_buchen", "args": arguments, "call": {
        "call_id": "c1", "direction": "inbound", "from_number": "+353871234567"}});
    assert_eq!(booking(&read("retell", &function, &told)).service_name, "Cut");

    let usual = json!({"service": "Cut", "when": "2026-12-02 15:00"});
    let body = tool("book_appointment", &usual, &json!({"success": true}));
    let ignored = json!({"tools": {"ignore": ["book_appointment"]}});
    assert_eq!(read("retell", &body, &ignored), [Mapped::Ignored("no_booking".to_owned())]);
    for (job, name) in [("cancel", "weg_damit"), ("change", "schieben"), ("confirm", "passt")] {
        let body =
            tool(name, &json!({"booking_id": "K-7", "when": "2026-12-02 15:00"}), &json!(true));
        let mapped = read("retell", &body, &json!({"tools": {job: [name]}}));
        let is_change = matches!(mapped.as_slice(), [Mapped::Change(_)]);
        assert_eq!(is_change, job != "confirm", "{job}: {mapped:?}");
    }
}

#[test]
fn an_id_that_may_be_ours_is_never_labelled() {
    let usual = json!({"service": "Cut", "when": "2026-12-02 15:00"});
    let label = json!({"externalBookingProvider": "phorest"});
    let told = |id: &str| {
        let body = tool("book_appointment", &usual, &json!({"success": true, "bookingId": id}));
        booking(&read("retell", &body, &label)).external_booking.clone().unwrap().provider
    };
    let own = "01a20939-2215-78fb-a0e7-3ee3c6506a9d";
    let body = tool("book_appointment", &usual, &json!({"success": true, "clientId": own}));
    assert_eq!(booking(&read("retell", &body, &label)).account, None);
    assert_eq!(told("01a20939-2215-78fb-a0e7-3ee3c6506a9d"), None);
    assert_eq!(told("c2f1b7de-9d1c-4f7e-8f27-0d7c6e3b5a11").as_deref(), Some("phorest"));
}

#[test]
fn a_post_is_read_where_the_map_says() {
    let body = json!({"source": "web", "daten": {
        "kunde": {"tel": "086 555 0199", "vor": "Áine", "nach": "Daly"},
        "termin": ["2026-12-02", "15:00"], "preis": "€42,50",
    }, "service": "Cut"});
    let fields = json!({"fields": {
        "customerPhone": ["/daten/kunde/tel"], "firstName": ["/daten/kunde/vor"],
        "lastName": ["/daten/kunde/nach"], "appointmentDate": ["/daten/termin/0"],
        "appointmentTime": ["/daten/termin/1"], "price": ["/daten/preis"],
    }});
    for source in ["chat", "n8n"] {
        assert!(needs_review(&corrected(source, &body, None, &[])), "{source}");
        let mapped = read(source, &body, &fields);
        let data = booking(&mapped);
        assert_eq!(data.customer_phone.as_ref().unwrap().as_str(), "+353865550199", "{source}");
        assert_eq!(data.last_name.as_deref(), Some("Daly"), "{source}");
        assert_eq!(data.price.unwrap().minor, 4250, "{source}");
    }
    let mut wrong = body.clone();
    wrong["daten"]["kunde"]["tel"] = json!("12");
    let [Mapped::NeedsReview(review)] = &read("chat", &wrong, &fields)[..] else { panic!() };
    assert_eq!(review.problems[0].pointer, "/daten/kunde/tel");
}

#[test]
fn what_a_workflow_passes_on_is_mapped_from_its_own_root_too() {
    let body = json!({"tenant": {"id": "x"}, "originalPayload": call()});
    let mut whole = call_map();
    whole["fields"]["serviceName"] = json!(["/originalPayload/call/metadata/svc"]);
    for map in [call_map(), whole] {
        assert_eq!(booking(&read("n8n", &body, &map)).service_name, "Maniküre");
    }
}

fn message(object: &Value) -> Value {
    json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{
    "field": "messages", "value": {
        "messaging_product": "whatsapp", "metadata": {"phone_number_id": "7"},
        "contacts": [{"profile": {"name": "Aoife K"}, "wa_id": "353871234567"}],
        "messages": [object],
    }}]}]})
}

#[test]
fn whatsapps_forms_are_read_where_the_map_says() {
    let answers = json!({"screen_0_Label_1": "Gel nails", "screen_0_Label_2": "2026-12-02 15:00"});
    let body = message(&json!({
        "from": "353871234567", "id": "w1", "timestamp": "1795434000", "type": "interactive",
        "interactive": {"type": "nfm_reply", "nfm_reply": {
            "name": "flow", "response_json": answers.to_string(),
        }},
    }));
    let inside = "/entry/0/changes/0/value/messages/0/interactive/nfm_reply/response_json";
    let short = "/message/interactive/nfm_reply/response_json";
    for base in ["/answers", inside, short] {
        let at = |n: u8| json!([format!("{base}/screen_0_Label_{n}")]);
        let fields = json!({"serviceName": at(1), "appointmentDateTime": at(2)});
        let data = read("whatsapp", &body, &json!({"fields": fields}));
        assert_eq!(booking(&data).service_name, "Gel nails", "{base}");
    }
    assert!(matches!(corrected("whatsapp", &body, None, &[])[..], [Mapped::Lead(_)]));
}

#[test]
fn whatsapps_labelled_texts_are_read_where_the_map_says() {
    let body = message(&json!({
        "from": "353871234567", "id": "w1", "timestamp": "1795434000", "type": "text",
        "text": {"body": "Behandlung: Maniküre\nTag: 02/12/2026\nUm: 15:00\nStand: fix"},
    }));
    let mut told = json!({"fields": {
        "serviceName": ["/lines/Behandlung"], "appointmentDate": ["/lines/Tag"],
        "appointmentTime": ["/lines/Um"],
    }});
    assert_eq!(booking(&read("whatsapp", &body, &told)).status, BookingStatus::Pending);
    told["confirmed"] = json!({"field": ["/lines/Stand"], "values": ["fix"]});
    assert_eq!(booking(&read("whatsapp", &body, &told)).status, BookingStatus::Confirmed);
    assert!(matches!(corrected("whatsapp", &body, None, &[])[..], [Mapped::Lead(_)]));
}

#[test]
fn a_person_goes_before_the_map_and_the_map_before_the_names() {
    let body = json!({
        "phone": "0871234567", "dateTime": "2026-12-02 15:00", "service": "Cut",
        "phorestBookingId": "PH-1", "own": {"nr": "N-2", "svc": "Colour", "name": "Ann Daly"},
        "lastName": "Byrne",
    });
    let map = map(&json!({"fields": {
        "serviceName": ["/own/svc"], "externalBookingId": ["/own/nr"],
        "customerName": ["/own/name"],
    }}));
    let mapped = corrected("chat", &body, Some(&map), &[]);
    assert_eq!(booking(&mapped).service_name, "Colour");
    assert_eq!(booking(&mapped).labelled(), Some(("phorest", "N-2")));
    assert_eq!(booking(&mapped).last_name.as_deref(), Some("Daly"), "names stay together");
    let set = [("serviceName", "Shave"), ("externalBookingId", "P-3")];
    let mapped = corrected("chat", &body, Some(&map), &set);
    assert_eq!(booking(&mapped).service_name, "Shave");
    assert_eq!(booking(&mapped).labelled(), Some(("phorest", "P-3")));
}

#[test]
fn one_half_of_a_start_is_joined_by_whatever_tells_the_other() {
    let body =
        json!({"phone": "0871234567", "service": "Cut", "time": "15:00", "tag": "2026-12-02"});
    let half = json!({"fields": {"appointmentDate": ["/tag"]}});
    let mapped = read("chat", &body, &half);
    let start = booking(&mapped).appointment_date_time.to_rfc3339();
    assert_eq!(start, "2026-12-02T15:00:00+00:00");
    let mut alone = body.clone();
    alone["time"] = Value::Null;
    assert!(needs_review(&read("chat", &alone, &half)));
    let mut other = body;
    other["dateTime"] = json!("2027-01-01 09:00");
    let whole = json!({"fields": {"appointmentDateTime": ["/time"]}});
    assert!(needs_review(&read("chat", &other, &whole)), "what is mapped is where it is");
}
