//! Lists of bookings: narrowed, sorted, page by page, and never a whole table.

use super::support::app::Answer;
use super::support::desk::Desk;
use reqwest::StatusCode;
use serde_json::json;

fn ids(answer: &Answer) -> Vec<String> {
    let rows = answer.body["data"].as_array().unwrap_or_else(|| panic!("{}", answer.body));
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

/// Eight bookings of two clients, in the order in which they were made.
async fn eight(desk: &Desk) -> (Vec<String>, [String; 2]) {
    let clients = [desk.client("+353871234567").await, desk.client("+353861112222").await];
    let all = [
        (0, "2026-03-28T23:30:00Z", "Gel Nails", "Ann", "confirmed", "pending", "voice"),
        (0, "2026-03-29T00:30:00Z", "gel-nails", "Ann", "pending", "pending", "web"),
        (1, "2026-03-29T22:30:00Z", "Cut", "Sarah Kelly", "cancelled", "refunded", "whatsapp"),
        (0, "2026-03-29T23:30:00Z", "Cut", "sarah  KELLY", "completed", "paid", "voice"),
        (1, "2026-04-01T10:00:00Z", "Facial", "Ann", "confirmed", "deposit_paid", "web"),
        (1, "2026-04-01T10:00:00Z", "Massage", "Bob", "no_show", "pending", "web"),
        (0, "2026-04-01T10:00:00Z", "Massage", "Bob", "confirmed", "paid", "voice"),
        (1, "2026-01-01T10:00:00Z", "Massage", "Bob", "confirmed", "paid", "voice"),
    ];
    let mut made = Vec::new();
    for (client, at, service, staff, status, paid, source) in all {
        let answer = desk
            .post(
                "bookings",
                &json!({
                    "clientId": clients[client], "bookingDate": at, "serviceName": service,
                    "staffMember": staff, "status": status, "paymentStatus": paid, "source": source,
                }),
            )
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        made.push(answer.text("id").to_owned());
    }
    (made, clients)
}

both_engines! {
    async fn a_list_of_bookings_is_narrowed_and_sorted(db: TestDb) {
        let desk = Desk::open(&db).await;
        let (made, clients) = eight(&desk).await;
        let by_id = |mut ids: Vec<String>| { ids.sort(); ids };
        for (query, wanted) in [
            (String::new(), vec![7, 6, 5, 4, 3, 2, 1, 0]),
            ("sort=created".to_owned(), vec![0, 1, 2, 3, 4, 5, 6, 7]),
            ("sort=date&to=2026-03-31".to_owned(), vec![7, 0, 1, 2, 3]),
            (format!("clientId={}", clients[1]), vec![7, 5, 4, 2]),
            (format!("clientId={}&sort=date", clients[1]), vec![7, 2, 4, 5]),
            ("status=no_show".to_owned(), vec![5]),
            ("status=confirmed&sort=-date&from=2026-03-01&to=2026-03-31".to_owned(), vec![0]),
            ("paymentStatus=paid&sort=date&to=2026-03-31".to_owned(), vec![7, 3]),
            ("source=whatsapp&sort=-date".to_owned(), vec![2]),
            ("service=GEL+nails&sort=date".to_owned(), vec![0, 1]),
            ("staff=SarahKelly&sort=-date".to_owned(), vec![3, 2]),
            ("staff=bob&service=massage&status=confirmed&source=voice".to_owned(), vec![7, 6]),
            // The 29th of March in Dublin ends at 23:00Z: the clocks go forward that day.
            ("from=2026-03-29&to=2026-03-29&sort=date".to_owned(), vec![1, 2]),
            ("from=2026-03-30&to=2026-03-30".to_owned(), vec![3]),
            ("from=2026-03-29T00:30:00Z&to=2026-03-29T22:30:00Z".to_owned(), vec![1]),
        ] {
            let wanted: Vec<_> = wanted.iter().map(|n| made[*n].clone()).collect();
            assert_eq!(ids(&desk.get(&format!("bookings?{query}")).await), wanted, "{query}");
        }
        let all = ids(&desk.get("bookings?sort=date&limit=100").await);
        assert_eq!(by_id(all), by_id(made));
    }

    async fn pages_hold_every_booking_once_while_others_come(db: TestDb) {
        let desk = Desk::open(&db).await;
        let (made, clients) = eight(&desk).await;
        for sort in ["date", "-date", "created", "-created"] {
            let before = ids(&desk.get(&format!("bookings?limit=100&sort={sort}")).await);
            let (mut seen, mut cursor, mut hour) = (Vec::new(), String::new(), 0);
            loop {
                let page = desk.get(&format!("bookings?limit=3&sort={sort}{cursor}")).await;
                assert_eq!(page.body["hasMore"], page.body["nextCursor"].is_string());
                seen.extend(ids(&page));
                for at in ["2025-12-01", "2026-03-29", "2026-12-01"] {
                    hour += 1;
                    desk.post("bookings", &json!({
                        "clientId": clients[0], "serviceName": format!("{sort} {hour}"), "source": "web",
                        "bookingDate": format!("{at}T{hour:02}:00:00Z"),
                    })).await;
                }
                let Some(next) = page.body["nextCursor"].as_str() else { break };
                cursor = format!("&cursor={next}");
                if hour > 60 { break }
            }
            let once: std::collections::BTreeSet<_> = seen.iter().collect();
            assert_eq!(once.len(), seen.len(), "{sort}: one came twice");
            let kept: Vec<_> = seen.iter().filter(|id| before.contains(id)).cloned().collect();
            if !sort.starts_with("date") && sort != "created" {
                assert_eq!(kept, before, "{sort}");
            } else {
                assert!(kept.iter().eq(before.iter().take(kept.len())), "{sort}");
            }
        }
        assert!(made.len() == 8);
    }

    /// Fault 32, and cursors of another order.
    async fn what_a_query_does_not_have_is_400(db: TestDb) {
        let desk = Desk::open(&db).await;
        eight(&desk).await;
        for query in [
            "limit=abc", "limit=0", "limit=101", "limit=-1", "from=abc", "to=2026-13-01", "to=",
            "status=banana", "paymentStatus=", "source=fax", "clientId=1", "sort=amount", "page=2",
            "cursor=abc", "offset=5", "from=2026-02-30",
        ] {
            let answer = desk.get(&format!("bookings?{query}")).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}: {}", answer.body);
        }
        let page = desk.get("bookings?limit=2&sort=date").await;
        let cursor = page.text("nextCursor").to_owned();
        let other = desk.get(&format!("bookings?sort=-date&cursor={cursor}")).await;
        assert_eq!((other.status, other.text("code")), (StatusCode::BAD_REQUEST, "cursor_invalid"));
        let same = desk.get(&format!("bookings?sort=date&cursor={cursor}")).await;
        assert_eq!(same.status, StatusCode::OK);
    }

    /// Fault 30: no list, and nothing that is read for a booking, reads a whole table.
    async fn no_statement_reads_a_whole_table(db: TestDb) {
        let files = ["bookings", "booking_lists", "leads", "lead_lists", "lead_records", "sightings"];
        let found = db.whole_reads(&files).await;
        assert!(found.is_empty(), "{}", found.join("\n"));
        let whole = db.plan("select id from bookings where notes = 'x'").await.join(" ");
        assert!(whole.contains("Seq Scan") || whole.contains("SCAN bookings"), "{whole}");
    }

    /// What leads a list is what its index is sought by, and gives its order.
    async fn a_list_is_read_in_its_order_from_its_index(db: TestDb) {
        for (file, name, sql) in bookhook::storage::all_statements() {
            // The few that a filter leaves are sorted.
            let sorted = ["CREATED_CLIENT", "FEW_", "COUNT_"];
            if file != "booking_lists" || sorted.iter().any(|begin| name.starts_with(begin)) {
                continue;
            }
            let plan = db.plan(sql).await.join(" | ");
            let sorts = ["Sort", "TEMP B-TREE"].iter().any(|word| plan.contains(word));
            // A client's index has no id behind the date: those of one moment are put in order.
            let in_order = !sorts || name.starts_with("CLIENT_");
            assert!(in_order, "{name}: {plan}");
        }
    }
}
