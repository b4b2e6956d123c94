//! The list of clients: search, filters, orders, pages.

use crate::support::app::TestApp;
use crate::support::people::Desk;
use serde_json::json;

async fn salon(app: &TestApp) -> Desk<'_> {
    let desk = Desk::open(app, "salon").await;
    let people = [
        json!({"phone": "0871110001", "firstName": "Áine", "lastName": "O'Brien",
            "email": "aine.ob@salon.example", "firstInteractionSource": "voice"}),
        json!({"phone": "0871110002", "firstName": "Anne-Marie", "lastName": "Áine Murphy",
            "firstInteractionSource": "web", "status": "inactive"}),
        json!({"phone": "0861110003", "firstName": "Bríd", "lastName": "Murphy",
            "email": "zoe@salon.example", "firstInteractionSource": "whatsapp"}),
        json!({"phone": "+44 7911 123456", "firstName": "Łukasz",
            "firstInteractionSource": "web", "status": "blocked"}),
        json!({"phone": "0871110005"}),
    ];
    for body in people {
        desk.client(&body).await;
    }
    desk
}

both_engines! {
    async fn people_are_found_by_the_beginnings_of_names_addresses_and_numbers(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = salon(&app).await;
        for (asked, found) in [
            ("aine", vec!["Anne-Marie", "Áine"]),
            ("%C3%81in", vec!["Anne-Marie", "Áine"]),
            ("AINE", vec!["Anne-Marie", "Áine"]),
            ("ain%20murph", vec!["Anne-Marie"]),
            ("murphy%20brid", vec!["Bríd"]),
            ("marie", vec!["Anne-Marie"]),
            ("annemarie", vec!["Anne-Marie"]),
            ("anne-marie", vec!["Anne-Marie"]),
            ("o'brien", vec!["Áine"]),
            ("o%E2%80%99bri", vec!["Áine"]),
            ("obrien", vec!["Áine"]),
            ("brien", vec!["Áine"]),
            ("lukasz", vec!["Łukasz"]),
            ("aine.ob@sal", vec!["Áine"]),
            ("zoe", vec!["Bríd"]),
            ("ZOE@SALON.EXAMPLE", vec!["Bríd"]),
            ("unknown", vec!["Unknown"]),
            ("087", vec!["Unknown", "Anne-Marie", "Áine"]),
            ("087%20111%200002", vec!["Anne-Marie"]),
            ("0871110002", vec!["Anne-Marie"]),
            ("%2B353871110002", vec!["Anne-Marie"]),
            ("00353%2087%20111%200002", vec!["Anne-Marie"]),
            ("353871110002", vec!["Anne-Marie"]),
            ("871110002", vec!["Anne-Marie"]),
            ("%2B353%20(0)87%20111%200002", vec!["Anne-Marie"]),
            ("(087)%20111-0002", vec!["Anne-Marie"]),
            ("%2B44", vec!["Łukasz"]),
            ("0044%2079", vec!["Łukasz"]),
            ("murphy%20086", vec!["Bríd"]),
            ("murphy%20085", vec![]),
            ("urphy", vec![]),
            ("111", vec![]),
            ("%25", vec![]),
            ("_", vec![]),
            ("'%3B%20drop%20table%20clients%3B--", vec![]),
            ("%F0%9F%92%85", vec![]),
        ] {
            assert_eq!(desk.names(&format!("q={asked}")).await, found, "{asked}");
        }
        assert_eq!(desk.names("q=%20").await.len(), 5, "nothing asked");
    }

    async fn a_former_number_still_finds_its_client(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        let id = desk.client(&json!({"phone": "0871110001", "firstName": "Áine"})).await;
        let moved = desk.patch(&format!("clients/{id}"), &json!({"phone": "0861110009"})).await;
        assert_eq!(moved.body["phone"], "+353861110009");
        for number in ["0871110001", "0861110009"] {
            assert_eq!(desk.names(&format!("q={number}")).await, ["Áine"], "{number}");
        }
    }

    async fn a_list_is_narrowed_by_source_state_and_time(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = salon(&app).await;
        for (query, found) in [
            ("source=voice", vec!["Áine"]),
            ("source=web", vec!["Unknown", "Łukasz", "Anne-Marie"]),
            ("source=web&status=blocked", vec!["Łukasz"]),
            ("status=inactive", vec!["Anne-Marie"]),
            ("status=active&q=murphy", vec!["Bríd"]),
            ("status=inactive&q=murphy&source=web&sort=name", vec!["Anne-Marie"]),
            ("createdTo=2020-01-01", vec![]),
            ("createdFrom=2099-01-01&sort=name", vec![]),
            ("lastBookingFrom=2020-01-01", vec![]),
            ("lastBookingTo=2090-01-01&sort=name", vec![]),
        ] {
            assert_eq!(desk.names(query).await, found, "{query}");
        }
        let today = "createdFrom=2020-01-01&createdTo=2099-12-31T00:00:00%2B00:00&sort=-name";
        assert_eq!(desk.names(today).await.len(), 5);
        let told = json!({"phone": "0871110005", "serviceName": "Cut", "source": "web",
            "dateTime": "2027-04-02T15:00:00Z"});
        desk.book(&told).await;
        assert_eq!(desk.names("lastBookingFrom=2020-01-01").await, ["Unknown"]);
        assert_eq!(desk.names("lastBookingTo=2090-01-01&sort=spent").await, ["Unknown"]);
        assert_eq!(desk.names("lastBookingTo=2020-01-01").await, Vec::<String>::new());
    }

    async fn every_order_goes_up_and_down_over_pages(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        for (name, phone, amounts) in [
            ("Ciara", "0871110001", vec![10.0]),
            ("áine", "0871110002", vec![20.5, 30.0]),
            ("Bríd", "0871110003", vec![100.0]),
            ("Émer", "0871110004", vec![]),
            ("Dara", "0871110005", vec![]),
        ] {
            desk.client(&json!({"phone": phone, "firstName": name})).await;
            for (hour, amount) in amounts.into_iter().enumerate() {
                desk.book(&json!({"phone": phone, "serviceName": "Cut", "source": "web",
                    "dateTime": format!("2027-04-02T{:02}:00:00Z", 10 + hour), "amount": amount,
                    "currency": "EUR"})).await;
            }
        }
        // Not in the tenant's currency, and called off: neither counts.
        desk.book(&json!({"phone": "0871110004", "serviceName": "Cut", "source": "web",
            "dateTime": "2027-04-02T10:00:00Z", "amount": 500, "currency": "GBP"})).await;
        let off = json!({"phone": "0871110005", "serviceName": "Cut", "source": "web",
            "dateTime": "2027-04-02T10:00:00Z", "amount": 500, "currency": "EUR"});
        desk.book(&off).await;
        let mut cancelled = off.clone();
        cancelled["status"] = json!("cancelled");
        desk.book(&cancelled).await;
        for (order, found) in [
            ("created", ["Ciara", "áine", "Bríd", "Émer", "Dara"]),
            ("name", ["áine", "Bríd", "Ciara", "Dara", "Émer"]),
            ("bookings", ["Dara", "Ciara", "Bríd", "Émer", "áine"]),
            ("spent", ["Émer", "Dara", "Ciara", "áine", "Bríd"]),
            ("lastBooking", ["Ciara", "áine", "Bríd", "Émer", "Dara"]),
        ] {
            assert_eq!(desk.names(&format!("sort={order}")).await, found, "{order}");
            let mut back = found;
            back.reverse();
            assert_eq!(desk.names(&format!("sort=-{order}")).await, back, "-{order}");
            // The same when few fit and are sorted rather than sought.
            assert_eq!(desk.names(&format!("sort={order}&q=087")).await, found, "{order} of few");
        }
        assert_eq!(desk.names("").await, ["Dara", "Émer", "Bríd", "áine", "Ciara"]);
    }

    async fn pages_stay_whole_while_clients_come_in(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        for number in 0..6 {
            let body = json!({"phone": format!("08711100{number:02}"), "firstName": "Old"});
            desk.client(&body).await;
        }
        for order in ["created", "-created", "name", "-name", "-bookings", "-spent", "lastBooking"] {
            let before = desk.all("clients", 100).await.len();
            let first = desk.get(&format!("clients?sort={order}&limit=3")).await.body;
            desk.client(&json!({"phone": format!("0861110{:03}", before), "firstName": "A New"})).await;
            desk.client(&json!({"phone": format!("0851110{:03}", before), "firstName": "Z New"})).await;
            let cursor = first["nextCursor"].as_str().unwrap();
            let rest = desk.all(&format!("clients?sort={order}&cursor={cursor}"), 100).await;
            let id = |row: &serde_json::Value| row["id"].as_str().unwrap().to_owned();
            let mut ids: Vec<String> = first["data"].as_array().unwrap().iter().map(id).collect();
            ids.extend(rest.iter().map(id));
            let all = ids.len();
            ids.sort();
            ids.dedup();
            assert_eq!(ids.len(), all, "{order}: one came twice");
            assert!(all >= before, "{order}: one was left out");
        }
    }

    async fn a_bad_query_is_400_and_names_what_is_wrong(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = salon(&app).await;
        let cursor = desk.get("clients?sort=name&limit=1").await;
        let cursor = cursor.text("nextCursor").to_owned();
        let long = "x".repeat(201);
        for (query, code) in [
            ("limit=abc", "query_invalid"),
            ("limit=0", "limit_invalid"),
            ("limit=101", "limit_invalid"),
            ("status=banana", "query_invalid"),
            ("source=fax", "query_invalid"),
            ("sort=phone", "query_invalid"),
            ("page=2", "query_invalid"),
            ("createdFrom=abc", "date_invalid"),
            ("createdTo=2026-02-30", "date_invalid"),
            ("lastBookingFrom=tomorrow", "date_invalid"),
            ("cursor=abc", "cursor_invalid"),
            ("cursor=%00", "cursor_invalid"),
            (&format!("sort=-name&cursor={cursor}"), "cursor_invalid"),
            (&format!("cursor={cursor}"), "cursor_invalid"),
            (&format!("q={long}"), "q_invalid"),
            ("q=a%20b%20c%20d%20e%20f%20g", "q_invalid"),
        ] {
            let refused = desk.get(&format!("clients?{query}")).await;
            assert_eq!(refused.status, 400, "{query}: {}", refused.body);
            assert_eq!(refused.body["code"], code, "{query}: {}", refused.body);
        }
        let unknown = desk.get("clients?page=2").await;
        assert!(unknown.text("detail").contains("page"), "{}", unknown.body);
    }

    async fn a_clients_list_is_its_tenants_alone(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = salon(&app).await;
        let other = Desk::open(&app, "other").await;
        assert_eq!(other.names("q=aine").await, Vec::<String>::new());
        assert_eq!(other.names("q=087&sort=name").await, Vec::<String>::new());
        let id = desk.all("clients", 10).await[0]["id"].as_str().unwrap().to_owned();
        for noun in ["", "/bookings", "/events", "/mappings"] {
            assert_eq!(other.get(&format!("clients/{id}{noun}")).await.status, 404, "{noun}");
        }
        assert_eq!(other.patch(&format!("clients/{id}"), &json!({"firstName": "X"})).await.status, 404);
        assert_eq!(other.delete(&format!("clients/{id}")).await.status, 404);
        assert_eq!(other.get("clients/phone:0871110001").await.status, 404);
    }

    async fn clients_of_an_older_program_are_found_after_the_next_start(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = salon(&app).await;
        db.run("delete from client_words; update clients set sort_name = null").await;
        assert_eq!(desk.names("q=aine").await, Vec::<String>::new());
        db.run("update installation set number = 0 where name = 'client_words'").await;
        app.db.migrate().await.unwrap();
        assert_eq!(desk.names("q=aine").await, ["Anne-Marie", "Áine"]);
        assert_eq!(desk.names("sort=name").await.len(), 5);
    }
}
