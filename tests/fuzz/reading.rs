//! Reading a body as the service does.

use crate::heap;
use bookhook::domain::channel::DateOrder;
use bookhook::domain::money::Currency;
use bookhook::domain::phone::Region;
use bookhook::domain::tenant::TenantSettings;
use bookhook::sources::fieldmap::FieldMap;
use bookhook::sources::{Delivery, Headers, Item, Mapped, Reading, Source};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// How many bytes reading may take for each byte of a body.
const TIMES: usize = 64;

pub(crate) fn tenant() -> TenantSettings {
    TenantSettings {
        id: "8d8ac610-566d-4ef0-9c22-186b2a5ed793".parse().unwrap(),
        slug: "liffey-light".to_owned(),
        default_region: Region::parse("IE").unwrap(),
        timezone: chrono_tz::Europe::Dublin,
        currency: Currency::parse("EUR").unwrap(),
        date_order: DateOrder::Dmy,
    }
}

pub(crate) fn received_at() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

/// A field map that leads everywhere: into the event, beside it, and through JSON in a text.
fn map() -> FieldMap {
    const MAP: &str = r#"{
        "fields": {
            "serviceName": ["/args/service", "/bookingData/service", "/answers/service_name"],
            "appointmentDate": ["/lines/Date", "/call/call_analysis/custom_analysis_data/date"],
            "appointmentTime": ["/originalPayload/call/metadata/time", "/result/0/1"],
            "customerName": ["/message/interactive/nfm_reply/response_json/name", "/"],
            "externalBookingId": ["/result/booking_id", "/entry/0/id"]
        },
        "tools": {"book": ["check_availability"], "ignore": ["book_appointment"]},
        "confirmed": {"field": ["/call/metadata/ok", "/status"], "values": ["yes"]},
        "externalBookingProvider": "phorest"
    }"#;
    FieldMap::parse(MAP).unwrap()
}

/// Every event of a body with what it says.
pub(crate) fn read(source: &dyn Source, body: &[u8]) -> Vec<(Item, Vec<Mapped>)> {
    read_by(source, body, None)
}

/// The same by a field map.
pub(crate) fn read_by(
    source: &dyn Source,
    body: &[u8],
    map: Option<&FieldMap>,
) -> Vec<(Item, Vec<Mapped>)> {
    let (headers, tenant, overrides) = (Headers::default(), tenant(), BTreeMap::new());
    let delivery = Delivery { body, headers: &headers, received_at: received_at() };
    let reading = Reading { map, ..Reading::plain(&tenant, received_at(), &overrides) };
    source.hints(body);
    let items = source.split(&delivery).unwrap_or_default().into_iter();
    items
        .map(|item| {
            let mapped = source.map(&item, &reading);
            (item, mapped)
        })
        .collect()
}

/// Reads a body, and checks what must hold of every one.
pub(crate) fn check(source: &dyn Source, body: &[u8]) {
    let (events, taken) = heap::measured(|| read(source, body));
    let shown = String::from_utf8_lossy(&body[..body.len().min(2000)]);
    heap::is_bounded(&format!("{} {shown}", source.name()), body.len(), taken, TIMES);
    let map = map();
    let (by_map, taken) = heap::measured(|| read_by(source, body, Some(&map)));
    heap::is_bounded(&format!("{} by a map {shown}", source.name()), body.len(), taken, TIMES);
    assert!(by_map.iter().all(|(_, mapped)| !mapped.is_empty()));
    let named = source.named("book_appointment", body);
    if let (Ok(named), Some(_)) = (named, source.functions()) {
        read(source, &named);
    }
    let headers = Headers::default();
    for (item, mapped) in events {
        assert!(!mapped.is_empty());
        let kept = serde_json::to_string(&mapped).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Mapped>>(&kept).unwrap(), mapped);
        let again = Delivery { body: &item.raw, headers: &headers, received_at: received_at() };
        assert_eq!(source.split(&again).unwrap(), vec![item]);
    }
}
