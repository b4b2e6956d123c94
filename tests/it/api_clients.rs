//! One client: profile, statistics, mappings, duplicates.

use crate::support::app::TestApp;
use crate::support::people::Desk;
use bookhook::domain::channel::Role;
use bookhook::domain::days::months;
use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Value, json};

/// A booking as a workflow tells it.
fn booking(phone: &str, service: &str, days: i64) -> Value {
    let at = crate::support::app::now() + TimeDelta::days(days);
    json!({"phone": phone, "serviceName": service, "source": "web",
        "dateTime": at.to_rfc3339_opts(SecondsFormat::Secs, true)})
}

fn with(mut booking: Value, more: &Value) -> Value {
    let more = more.as_object().unwrap().clone();
    booking.as_object_mut().unwrap().extend(more);
    booking
}

both_engines! {
    async fn a_profile_sums_up_what_was_not_called_off(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        let phone = "0871234567";
        let euro = |amount: f64| json!({"amount": amount, "currency": "EUR"});
        desk.book(&with(booking(phone, "Gel Nails", -20), &euro(40.0))).await;
        desk.book(&with(booking(phone, "gel nails", -10), &euro(45.5))).await;
        desk.book(&with(booking(phone, "Facial", -30), &euro(60.0))).await;
        desk.book(&booking(phone, "Brows", 5)).await;
        desk.book(&with(booking(phone, "Brows", 9), &euro(20.0))).await;
        let off = with(booking(phone, "Massage", -40), &euro(500.0));
        desk.book(&off).await;
        desk.book(&with(off, &json!({"status": "cancelled"}))).await;
        let missed = with(booking(phone, "Massage", -50), &euro(500.0));
        desk.book(&missed).await;
        desk.book(&with(missed, &json!({"status": "no_show"}))).await;
        let back = with(booking(phone, "Facial", -60), &euro(70.0));
        desk.book(&with(back, &json!({"paymentStatus": "refunded"}))).await;

        let profile = desk.get("clients/phone:0871234567").await;
        assert_eq!(profile.status, 200, "{}", profile.body);
        let stats = &profile.body["stats"];
        assert_eq!(stats["totalBookings"], 6, "{stats}");
        assert_eq!(stats["totalSpent"].to_string(), "165.50");
        assert_eq!(stats["averageSpent"].to_string(), "41.38");
        assert_eq!(stats["currency"], "EUR");
        assert_eq!(stats["spentByCurrency"], json!([]));
        assert_eq!(stats["cancelled"], 1);
        assert_eq!(stats["noShow"], 1);
        let favourites = json!([
            {"serviceName": "Brows", "count": 2}, {"serviceName": "Facial", "count": 2},
            {"serviceName": "gel nails", "count": 2},
        ]);
        assert_eq!(stats["favoriteServices"], favourites);
        assert_eq!(stats["topService"], "Brows");
        let at = |days: i64| booking("", "", days)["dateTime"].clone();
        let near = |shown: &Value, days: i64| {
            let read = |text: &Value| text.as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>();
            let apart = read(shown).unwrap() - read(&at(days)).unwrap();
            assert!(apart.abs() < TimeDelta::minutes(5), "{shown} is not in {days} days");
        };
        near(&stats["firstBooking"], -60);
        near(&stats["lastBooking"], -10);
        near(&stats["nextBooking"], 5);
        assert_eq!(profile.body["bookings"].as_array().unwrap().len(), 8);
        let history = profile.body["history"].as_array().unwrap();
        assert_eq!(history.len(), 10, "every event told something");
        assert!(history.iter().all(|entry| entry["by"] == "n8n" && entry["eventId"].is_string()));
        let id = profile.text("id");
        assert_eq!(desk.all(&format!("clients/{id}/bookings"), 3).await.len(), 8);
        assert_eq!(desk.all(&format!("clients/{id}/events"), 3).await.len(), 10);
        let dates: Vec<Value> = desk.all(&format!("clients/{id}/bookings"), 3).await;
        let dates: Vec<&str> = dates.iter().map(|b| b["bookingDate"].as_str().unwrap()).collect();
        assert!(dates.windows(2).all(|two| two[0] >= two[1]), "{dates:?}");
    }

    async fn money_of_several_currencies_is_never_added_up(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        let phone = "0871234567";
        let pound = with(booking(phone, "Cut", 1), &json!({"amount": 30, "currency": "GBP"}));
        desk.book(&pound).await;
        let alone = desk.get("clients/phone:0871234567").await.body;
        assert_eq!(alone["stats"]["currency"], "GBP");
        assert_eq!(alone["stats"]["totalSpent"].to_string(), "30.00");
        desk.book(&with(booking(phone, "Cut", 2), &json!({"amount": 50, "currency": "EUR"}))).await;
        let both = desk.get("clients/phone:0871234567").await.body;
        assert_eq!(both["stats"]["currency"], "EUR");
        assert_eq!(both["stats"]["totalSpent"].to_string(), "50.00");
        let each: Vec<String> = both["stats"]["spentByCurrency"].as_array().unwrap().iter()
            .map(|spent| format!("{} {}", spent["currency"], spent["totalSpent"])).collect();
        assert_eq!(each, ["\"EUR\" 50.00", "\"GBP\" 30.00"]);
    }

    async fn a_client_without_bookings_has_a_profile(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        let id = desk.client(&json!({"phone": "0871234567"})).await;
        let stats = desk.get(&format!("clients/{id}")).await.body["stats"].clone();
        assert_eq!(stats["totalBookings"], 0);
        assert_eq!(stats["totalSpent"].to_string(), "0.00");
        assert_eq!(stats["averageSpent"].to_string(), "0.00");
        assert_eq!(stats["currency"], "EUR");
        for member in ["topService", "firstBooking", "lastBooking", "nextBooking"] {
            assert_eq!(stats[member], Value::Null, "{member}");
        }
    }

    async fn a_client_is_found_by_id_phone_and_external_id(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        let told = json!({"phorestClientId": "PH-1", "phorestBusinessId": "biz_1"});
        let answer = desk.book(&with(booking("0871234567", "Cut", 1), &told)).await;
        let id = answer["clientId"].as_str().unwrap().to_owned();
        for name in [
            id.as_str(), "phone:0871234567", "phone:087%20123%204567", "phone:+353871234567",
            "phone:%2B353871234567", "phone:00353871234567", "ext:phorest:PH-1",
        ] {
            let found = desk.get(&format!("clients/{name}")).await;
            assert_eq!((found.status.as_u16(), found.text("id")), (200, id.as_str()), "{name}");
        }
        for name in [
            "nothing", "phone:12", "phone:", "phone:0871234568", "ext:phorest:PH-2", "ext:phorest",
            "ext:fresha:PH-1", "%00", "ext:phorest:%00", "1", "-1", "'%20or%201=1",
            "00000000-0000-0000-0000-000000000000",
        ] {
            let missing = desk.get(&format!("clients/{name}")).await;
            assert_eq!(missing.status, 404, "{name}: {}", missing.body);
        }
        // The same id at another business is another person's.
        let other = desk.client(&json!({"phone": "0861234567"})).await;
        let account = json!({"serviceProvider": "Phorest", "externalClientId": "PH-1",
            "businessId": "biz_2"});
        let added = desk.post(&format!("clients/{other}/mappings"), &account).await;
        assert_eq!(added.status, 201, "{}", added.body);
        let several = desk.get("clients/ext:phorest:PH-1").await;
        assert_eq!((several.status.as_u16(), several.text("code")), (409, "client_ambiguous"));
        for named in [&id, &other, "biz_1", "biz_2"] {
            assert!(several.text("detail").contains(named), "{}", several.body);
        }
    }

    async fn statistics_count_by_source_state_and_month(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        let none = desk.get("clients/stats").await.body;
        assert_eq!(none, json!({"totalClients": 0, "activeClients": 0, "newThisMonth": 0,
            "newLastMonth": 0, "bySource": {"voice": 0, "web": 0, "whatsapp": 0},
            "topSource": null}));
        let [last, this, _] = months(chrono_tz::Europe::Dublin, crate::support::app::now());
        let text = |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339();
        for (number, source, first, status) in [
            (1, "whatsapp", this, "active"),
            (2, "web", this - TimeDelta::seconds(1), "inactive"),
            (3, "web", last, "active"),
            (4, "whatsapp", last - TimeDelta::seconds(1), "blocked"),
            (5, "voice", this, "active"),
        ] {
            desk.client(&json!({"phone": format!("087111000{number}"), "status": status,
                "firstInteractionSource": source, "firstInteractionDate": text(first)})).await;
        }
        let stats = desk.get("clients/stats").await.body;
        assert_eq!(stats, json!({"totalClients": 5, "activeClients": 3, "newThisMonth": 2,
            "newLastMonth": 2, "bySource": {"voice": 1, "web": 2, "whatsapp": 2},
            "topSource": "web"}));
    }

    async fn a_client_has_accounts_at_several_providers_businesses_and_branches(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        let id = desk.client(&json!({"phone": "0871234567"})).await;
        let other = desk.client(&json!({"phone": "0861234567"})).await;
        let list = format!("clients/{id}/mappings");
        for account in [
            json!({"serviceProvider": "phorest", "externalClientId": "A", "businessId": "b1",
                "branchId": "north"}),
            json!({"serviceProvider": "phorest", "externalClientId": "B", "businessId": "b2"}),
            json!({"serviceProvider": "fresha", "externalClientId": "A"}),
        ] {
            let added = desk.post(&list, &account).await;
            assert_eq!(added.status, 201, "{}", added.body);
            assert_eq!(added.body["externalClientId"], account["externalClientId"]);
        }
        let rows = desk.get(&list).await.body["data"].as_array().unwrap().clone();
        assert_eq!(rows.len(), 3);
        assert_eq!(desk.get(&format!("clients/{id}")).await.body["mappings"], json!(rows));
        let taken = json!({"serviceProvider": "fresha", "externalClientId": "A"});
        for client in [&id, &other] {
            let refused = desk.post(&format!("clients/{client}/mappings"), &taken).await;
            let said = (refused.status.as_u16(), refused.text("code"), refused.text("existingId"));
            assert_eq!(said, (409, "mapping_exists", id.as_str()), "{}", refused.body);
        }
        // The business becomes known later: the same account, not a second one.
        let known = json!({"serviceProvider": "fresha", "externalClientId": "A", "businessId": "f"});
        assert_eq!(desk.post(&list, &known).await.status, 201);
        assert_eq!(desk.get(&list).await.body["data"].as_array().unwrap().len(), 3);
        let gone = rows[0]["id"].as_str().unwrap();
        let theirs = format!("clients/{other}/mappings/{gone}");
        assert_eq!(desk.delete(&theirs).await.status, 404);
        assert_eq!(desk.delete(&format!("{list}/{gone}")).await.status, 204);
        assert_eq!(desk.delete(&format!("{list}/{gone}")).await.status, 404);
        assert_eq!(desk.delete(&format!("{list}/nothing")).await.status, 404);
        assert_eq!(desk.get(&list).await.body["data"].as_array().unwrap().len(), 2);
        let bad = desk.post(&list, &json!({"externalClientId": "", "branchId": 7, "x": 1})).await;
        let pointers: Vec<&str> = bad.body["errors"].as_array().unwrap().iter()
            .map(|fault| fault["pointer"].as_str().unwrap()).collect();
        assert_eq!(bad.status, 422);
        for pointer in ["/serviceProvider", "/externalClientId", "/branchId", "/x"] {
            assert!(pointers.contains(&pointer), "{pointer}: {pointers:?}");
        }
    }

    async fn who_may_be_one_person_is_proposed_with_why(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        let account = json!({"phorestClientId": "PH-1", "phorestBusinessId": "b"});
        desk.book(&with(booking("0871110001", "Cut", 1), &account)).await;
        desk.book(&with(booking("0871110002", "Cut", 2), &account)).await;
        for (phone, first, last, email) in [
            ("0871110003", "Áine", "Byrne", "one@x.example"),
            ("0871110004", "Aine", "BYRNE", "two@x.example"),
            ("0871110005", "Mary", "Walsh", "one@x.example"),
        ] {
            let body = json!({"phone": phone, "firstName": first, "lastName": last, "email": email});
            desk.client(&body).await;
        }
        desk.client(&json!({"phone": "0871110006", "firstName": "Dara"})).await;
        desk.client(&json!({"phone": "0871110007", "firstName": "Dara"})).await;
        for length in [1, 10] {
            let rows = desk.all("clients/duplicates", length).await;
            let shown: Vec<(&str, usize)> = rows.iter()
                .map(|row| (row["reason"].as_str().unwrap(), row["clients"].as_array().unwrap().len()))
                .collect();
            let expected = [("external_client_id", 2), ("same_email", 2), ("same_name", 2)];
            assert_eq!(shown, expected, "{rows:?}");
            assert_eq!(rows[0]["detail"]["externalClientId"], "PH-1");
            assert_eq!(rows[1]["detail"]["email"], "one@x.example");
            assert_eq!(rows[2]["clients"][0]["phone"], "+353871110003");
        }
        assert_eq!(desk.get("clients/duplicates?cursor=abc").await.status, 400);
    }

    /// Fault 7 of the predecessor.
    async fn support_staff_neither_reads_nor_changes_clients(db: TestDb) {
        let app = TestApp::start(&db).await;
        let mut desk = Desk::open(&app, "salon").await;
        let id = desk.client(&json!({"phone": "0871234567", "firstName": "Áine"})).await;
        desk.token = app.token(Role::SupportStaff, Some(desk.tenant)).await;
        let one = format!("clients/{id}");
        for noun in ["clients", "clients/stats", "clients/duplicates", one.as_str()] {
            assert_eq!(desk.get(noun).await.status, 403, "{noun}");
        }
        assert_eq!(desk.patch(&one, &json!({"firstName": "X"})).await.status, 403);
        assert_eq!(desk.delete(&one).await.status, 403);
        assert_eq!(desk.post("clients", &json!({"phone": "0861234567"})).await.status, 403);
    }
}
