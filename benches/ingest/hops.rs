//! What each hop of a delivery costs by itself.

use crate::bodies::{Bodies, SECRET};
use crate::table::Table;
use bookhook::clock::Clock;
use bookhook::domain::channel::DateOrder;
use bookhook::domain::money::Currency;
use bookhook::domain::phone::Region;
use bookhook::domain::tenant::TenantSettings;
use bookhook::sources::{self, Checked, Delivery, Headers, Mapped, Reading};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

/// How often a hop is repeated: the fastest of several tries of so many counts.
const TIMES: u32 = 500;
const TRIES: u32 = 10;

/// Microseconds of one.
fn each<T>(mut hop: impl FnMut() -> T) -> f64 {
    let mut fastest = f64::MAX;
    for _ in 0..TRIES {
        let begun = Instant::now();
        for _ in 0..TIMES {
            black_box(hop());
        }
        fastest = fastest.min(begun.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES));
    }
    fastest
}

fn tenant() -> TenantSettings {
    TenantSettings {
        id: "8d8ac610-566d-4ef0-9c22-186b2a5ed793".parse().unwrap(),
        slug: "load".to_owned(),
        default_region: Region::parse("IE").unwrap(),
        timezone: chrono_tz::Europe::Dublin,
        currency: Currency::parse("EUR").unwrap(),
        date_order: DateOrder::Dmy,
    }
}

/// Verifying and reading, of both sizes.
pub(crate) fn measure(table: &mut Table) {
    let (tenant, overrides, now) = (tenant(), BTreeMap::new(), Clock::system().now());
    let retell = sources::find("retell").unwrap();
    for kilobytes in [6, 60] {
        let body = Bodies::new(kilobytes, 0).body(1);
        let mut headers = Headers::default();
        for (name, value) in retell.sign(SECRET, &body, "", now).unwrap() {
            headers.insert(name, &value);
        }
        let delivery = Delivery { body: &body, headers: &headers, received_at: now };
        assert_eq!(retell.verify(SECRET, &delivery), Checked::Verified);
        let reading = Reading::plain(&tenant, now, &overrides);
        let items = retell.split(&delivery).unwrap();
        let mapped: Vec<Mapped> = items.iter().flat_map(|i| retell.map(i, &reading)).collect();
        assert!(mapped.iter().any(|mapped| matches!(mapped, Mapped::Booking(_))), "{mapped:?}");
        let figure = format!(
            "route {:.1}, verify {:.1}, cut {:.1}, parse and map {:.1} µs",
            each(|| retell.hints(&body)),
            each(|| retell.verify(SECRET, &delivery)),
            each(|| retell.split(&delivery).unwrap()),
            each(|| items.iter().map(|item| retell.map(item, &reading).len()).sum::<usize>()),
        );
        table.row(&format!("hops within the service, {kilobytes} KB"), figure, "");
    }
}
