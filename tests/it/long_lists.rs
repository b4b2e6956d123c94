//! Lists of many clients and bookings have the same rows in the same order, whichever way they are
//! found.

use crate::support::db::TestDb;
use crate::support::many::Many;
use bookhook::clock::Clock;
use bookhook::domain::booking::service_key;
use bookhook::domain::channel::{BookingStatus, Channel, ClientStatus, DateOrder};
use bookhook::domain::ids;
use bookhook::domain::money::Currency;
use bookhook::domain::phone::Region;
use bookhook::domain::tenant::TenantSettings;
use bookhook::storage::booking_lists::{self, BookingFilter, BookingSort, Start};
use bookhook::storage::client_filter::{Filter, Key, Place, Sort, SortKey};
use bookhook::storage::clients::ClientRow;
use bookhook::storage::{Db, Reader, client_list, tenants};
use chrono::{DateTime, Utc};
use uuid::Uuid;

const SORTS: [SortKey; 5] =
    [SortKey::Created, SortKey::Name, SortKey::LastBooking, SortKey::Bookings, SortKey::Spent];

async fn salon(db: &TestDb, many: &Many) -> (Reader, Uuid) {
    let now = Clock::system().now();
    let settings = TenantSettings {
        id: ids::new(now),
        slug: "salon".to_owned(),
        default_region: Region::parse("IE").unwrap(),
        timezone: chrono_tz::Europe::Dublin,
        currency: Currency::parse("EUR").unwrap(),
        date_order: DateOrder::Dmy,
    };
    let pool = Db::open(&db.url).await.unwrap();
    let mut tx = pool.begin().await.unwrap();
    assert!(tenants::insert(&mut tx.conn(), "Salon", &settings, now).await.unwrap());
    tx.commit().await.unwrap();
    db.fill(settings.id, many).await;
    db.analyze().await;
    (pool.reader().await.unwrap(), settings.id)
}

/// All ids of a list, page by page.
async fn walk(reader: &mut Reader, tenant: Uuid, filter: &Filter, sort: Sort) -> Vec<Uuid> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        // The first pages are short, so that little of an order is tried for them.
        let limit = if all.len() < 40 { 11 } else { 1500 };
        let conn = &mut reader.conn();
        let rows = client_list::page(conn, tenant, filter, sort, after.as_ref(), limit).await;
        let rows = rows.unwrap();
        all.extend(rows.iter().map(|row| row.id));
        match rows.last().filter(|_| i64::try_from(rows.len()).unwrap() == limit) {
            Some(last) => after = Some(place(sort, last)),
            None => return all,
        }
    }
}

/// Where a client stands: what the fill sorts it by is not what its row says it last booked.
fn place(sort: Sort, row: &ClientRow) -> Place {
    match sort.by {
        SortKey::LastBooking => Place { key: Key::Number(number(row) * 60_000_000), id: row.id },
        _ => sort.place(row),
    }
}

/// A filter, and who fits.
type Case = (Filter, fn(&ClientRow) -> bool);

fn cases(at: fn(i64) -> DateTime<Utc>) -> Vec<Case> {
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let none = Filter::default;
    vec![
        (Filter { status: Some(ClientStatus::Inactive), ..none() }, |row| row.status == "inactive"),
        (Filter { source: Some(Channel::WhatsApp), ..none() }, |row| {
            row.first_interaction_source == "whatsapp"
        }),
        (Filter { source: Some(Channel::Web), ..none() }, |row| {
            row.first_interaction_source == "web"
        }),
        // All, some far from the beginning, and few.
        (Filter { words: words(&["byrne"]), ..none() }, |_| true),
        (Filter { numbers: words(&["+353871002", "+353871001"]), ..none() }, |row| {
            let phone = row.phone.as_deref().unwrap();
            phone.starts_with("+353871002") || phone.starts_with("+353871001")
        }),
        (Filter { words: words(&["p2", "byrne"]), ..none() }, |row| {
            row.email.as_deref().unwrap().starts_with("p2")
        }),
        (Filter { words: words(&["cn", "byr"]), ..none() }, |row| row.first_name.starts_with("cn")),
        (
            Filter { last_booking_from: Some(at(1000)), last_booking_to: Some(at(2500)), ..none() },
            |row| (1000..2500).contains(&number(row)),
        ),
        (
            Filter {
                status: Some(ClientStatus::Inactive),
                words: words(&["byrne"]),
                last_booking_from: Some(at(2000)),
                ..none()
            },
            |row| row.status == "inactive" && number(row) >= 2000,
        ),
    ]
}

/// A client's number, which its phone has: it last booked in that minute after 1970.
fn number(row: &ClientRow) -> i64 {
    row.phone.as_deref().unwrap()[6..].parse::<i64>().unwrap() - 1_000_000
}

both_engines! {
    async fn clients_are_the_same_whichever_way_they_are_found(db: TestDb) {
        let many = Many { tenants: 1, clients: 3000, bookings: 0 };
        let (mut reader, tenant) = salon(&db, &many).await;
        let created = Sort { by: SortKey::Created, descending: false };
        let none = Filter::default();
        let every = client_list::page(&mut reader.conn(), tenant, &none, created, None, 9000).await;
        let every = every.unwrap();
        assert_eq!(every.len(), 3000);
        for (filter, fits) in cases(|minute| DateTime::from_timestamp(minute * 60, 0).unwrap()) {
            for by in SORTS {
                for descending in [false, true] {
                    let sort = Sort { by, descending };
                    let mut expected: Vec<_> = every.iter().filter(|row| fits(row)).collect();
                    expected.sort_by_key(|row| place(sort, row));
                    if descending {
                        expected.reverse();
                    }
                    let expected: Vec<Uuid> = expected.iter().map(|row| row.id).collect();
                    assert!(!expected.is_empty(), "{filter:?}");
                    let found = walk(&mut reader, tenant, &filter, sort).await;
                    assert!(found == expected, "{filter:?} {sort:?}: {} of {}", found.len(), expected.len());
                }
            }
        }
    }

    async fn bookings_are_the_same_whichever_way_they_are_found(db: TestDb) {
        let many = Many { tenants: 1, clients: 1000, bookings: 5 };
        let (mut reader, tenant) = salon(&db, &many).await;
        let read = async |reader: &mut Reader, filter: &BookingFilter, sort, descending, limit: i64| {
            let (mut all, mut after) = (Vec::new(), None);
            loop {
                let start = Start { sort, descending, after };
                let conn = &mut reader.conn();
                let rows = booking_lists::page(conn, tenant, filter, start, limit).await.unwrap();
                after = rows.last().map(|row| (row.booking_at, row.id));
                let whole = i64::try_from(rows.len()).unwrap() == limit;
                all.extend(rows);
                if !whole {
                    return all;
                }
            }
        };
        let none = BookingFilter::default;
        let every = read(&mut reader, &none(), BookingSort::Created, false, 9000).await;
        assert_eq!(every.len(), 5000);
        let dates = every.iter().map(|row| row.booking_at);
        let mut dates: Vec<_> = dates.collect();
        dates.sort();
        let (from, to) = (dates[1000], dates[2500]);
        let filters = [
            none(),
            BookingFilter { from: Some(from), to: Some(to), ..none() },
            BookingFilter { from: Some(from), ..none() },
            BookingFilter { to: Some(to), ..none() },
            BookingFilter { status: Some(BookingStatus::Cancelled), ..none() },
            BookingFilter { status: Some(BookingStatus::Confirmed), to: Some(to), ..none() },
            BookingFilter { service: Some("Service 3".to_owned()), source: Some(Channel::Web), ..none() },
            BookingFilter { service: Some("service3".to_owned()), from: Some(to), ..none() },
        ];
        for filter in filters {
            for sort in [BookingSort::Date, BookingSort::Created] {
                for descending in [false, true] {
                    let fits = every.iter().filter(|row| {
                        filter.status.is_none_or(|status| row.status == status.as_str())
                            && filter.service.as_deref().is_none_or(|name| service_key(name) == row.service_key)
                            && filter.from.is_none_or(|from| row.booking_at >= from)
                            && filter.to.is_none_or(|to| row.booking_at < to)
                    });
                    let mut expected: Vec<_> = fits.map(|row| match sort {
                        BookingSort::Date => (Some(row.booking_at), row.id),
                        BookingSort::Created => (None, row.id),
                    }).collect();
                    expected.sort();
                    if descending {
                        expected.reverse();
                    }
                    let found = read(&mut reader, &filter, sort, descending, 170).await;
                    let found: Vec<Uuid> = found.iter().map(|row| row.id).collect();
                    let expected: Vec<Uuid> = expected.into_iter().map(|(_, id)| id).collect();
                    assert!(!expected.is_empty());
                    assert!(found == expected, "{filter:?} {sort:?} {descending}: {} of {}", found.len(), expected.len());
                }
            }
        }
    }
}
