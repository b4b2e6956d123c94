//! Making and changing clients by hand, beside deliveries.

use crate::support::app::{Answer, TestApp};
use crate::support::bodies::{text, whatsapp};
use crate::support::people::Desk;
use reqwest::Method;
use serde_json::{Value, json};

fn booking(phone: &str, more: &Value) -> Value {
    let mut told = json!({"phone": phone, "serviceName": "Cut", "source": "voice",
        "dateTime": "2027-04-02T15:00:00Z"});
    told.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    told
}

/// The pointers of a 422, sorted.
fn pointers(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.status, 422, "{}", answer.body);
    let faults = answer.body["errors"].as_array().unwrap();
    let mut all: Vec<&str> = faults.iter().map(|f| f["pointer"].as_str().unwrap()).collect();
    all.sort_unstable();
    all
}

both_engines! {
    async fn the_guides_body_makes_a_client(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        let made = desk.post("clients", &json!({
            "firstName": "Sarah", "lastName": "O'Brien", "phone": "+353 87 123 4567",
            "email": "Sarah@Example.com", "firstInteractionSource": "voice",
            "firstInteractionDate": "2026-03-01T10:00:00Z",
            "firstBookingDate": "2026-03-02T11:00:00Z", "status": "active",
        })).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let mut body = made.body.clone();
        for member in ["id", "createdAt", "updatedAt"] {
            assert!(body.as_object_mut().unwrap().remove(member).unwrap().is_string(), "{member}");
        }
        assert_eq!(body, json!({
            "tenantId": desk.tenant, "firstName": "Sarah", "lastName": "O'Brien",
            "phone": "+353871234567", "email": "sarah@example.com",
            "firstInteractionSource": "voice", "firstInteractionDate": "2026-03-01T10:00:00Z",
            "firstBookingDate": "2026-03-02T11:00:00Z", "lastBookingDate": "2026-03-02T11:00:00Z",
            "status": "active",
        }));
        let read = desk.get(&format!("clients/{}", made.text("id"))).await;
        assert_eq!(read.body["email"], "sarah@example.com");
        assert_eq!(read.body["history"][0]["action"], "client.created");
        let again = desk.post("clients", &json!({"phone": "0871234567"})).await;
        let said = (again.status.as_u16(), again.text("code"), again.text("existingId"));
        assert_eq!(said, (409, "phone_exists", made.text("id")), "{}", again.body);
        let same_email = json!({"phone": "0861234567", "email": "sarah@example.com"});
        assert_eq!(desk.post("clients", &same_email).await.status, 201, "an e-mail may repeat");
    }

    async fn names_and_addresses_that_nobody_has_are_refused(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        for (member, text, code) in [
            ("email", "a@ex..com", "email_invalid"),
            ("email", ".a@example.com", "email_invalid"),
            ("email", "a@example.com.", "email_invalid"),
            ("email", "a\u{202e}b@example.com", "email_invalid"),
            ("email", "a\u{200b}@example.com", "email_invalid"),
            ("firstName", "Á\u{7}ine", "text_invalid"),
            ("firstName", "Áine\nByrne", "text_invalid"),
            ("lastName", "\u{9b}31mByrne", "text_invalid"),
        ] {
            let refused = desk.post("clients", &json!({"phone": "0871234567", member: text})).await;
            assert_eq!((refused.status.as_u16(), refused.text("code")), (422, code), "{text:?}");
            let lead = json!({"phone": "0871234567", "source": "web", member: text});
            assert_eq!(desk.post("leads", &lead).await.text("code"), code, "{text:?}");
        }
        let fine = json!({"phone": "0871234567", "firstName": " Zoë-Ann ", "email": "Zoë@Müller.Example"});
        let made = desk.post("clients", &fine).await;
        assert_eq!((made.text("firstName"), made.text("email")), ("Zoë-Ann", "zoë@müller.example"));
    }

    /// Faults 8 and 19 of the predecessor, and every other bad input at once.
    async fn every_fault_of_a_body_is_told_at_once(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        let bad = desk.post("clients", &json!({
            "phone": "12", "firstName": "", "lastName": 7, "email": "nobody",
            "firstInteractionSource": "fax", "firstInteractionDate": "yesterday",
            "firstBookingDate": "2026-13-01T00:00:00Z", "status": "banana",
            "tenantId": "x", "id": "y", "createdAt": "z", "a/b~c": 1,
        })).await;
        assert_eq!(pointers(&bad), [
            "/a~1b~0c", "/createdAt", "/email", "/firstBookingDate", "/firstInteractionDate",
            "/firstInteractionSource", "/firstName", "/id", "/lastName", "/phone", "/status",
            "/tenantId",
        ]);
        assert_eq!(pointers(&desk.post("clients", &json!({})).await), ["/phone"]);
        assert_eq!(pointers(&desk.post("clients", &json!({"phone": null})).await), ["/phone"]);
        let long = json!({"phone": "0871234567", "firstName": "x".repeat(201)});
        assert_eq!(pointers(&desk.post("clients", &long).await), ["/firstName"]);
        for text in ["[]", "7", "{", "\"x\""] {
            let request = app.request(Method::POST, &desk.path("clients"), &desk.token);
            let request = request.header("content-type", "application/json").body(text);
            assert_eq!(request.send().await.unwrap().status(), 400, "{text}");
        }
        assert_eq!(desk.all("clients", 10).await.len(), 0, "nothing was made");
        let unnamed = desk.post("clients", &json!({"phone": "0871234567"})).await;
        assert_eq!((unnamed.status.as_u16(), unnamed.text("firstName")), (201, "Unknown"));
    }

    async fn injections_are_text(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        for (number, name) in [
            "'; drop table clients; --", "{{7*7}}", "<script>alert(1)</script>", "=1+1", "%00",
            "../../etc/passwd", "𝕬\u{202e}abc",
        ].into_iter().enumerate() {
            let body = json!({"phone": format!("087111000{number}"), "firstName": name});
            let id = desk.client(&body).await;
            assert_eq!(desk.get(&format!("clients/{id}")).await.body["firstName"], name);
        }
    }

    async fn an_open_lead_with_the_phone_becomes_the_client(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        let line = app.connection("whatsapp", Some(desk.tenant), &[]).await;
        let asked = whatsapp(&[text("1", "wamid.1", "353871234567", "Do you do nails?")]);
        app.deliver("whatsapp", Some(&line), &asked).await;
        assert_eq!(db.count("leads where status = 'new'").await, 1);
        let made = desk.post("clients", &json!({"phone": "0871234567"})).await;
        assert_eq!(made.body["firstInteractionSource"], "whatsapp");
        assert!(made.text("firstInteractionDate").starts_with("2026-03-09"), "{}", made.body);
        assert_eq!(db.count("leads where status = 'converted'").await, 1);
    }

    async fn a_delivery_and_a_person_make_one_client_of_a_phone(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        for round in 0..4 {
            let phone = format!("+35387123450{round}");
            let body = json!({"phone": phone, "firstName": "Made"});
            let told = booking(&phone, &json!({}));
            let others: Vec<_> = (0..4).map(|_| desk.post("clients", &body)).collect();
            let (made, told) = tokio::join!(
                futures_util::future::join_all(others),
                async { desk.book(&told).await },
            );
            let client = told["clientId"].as_str().unwrap();
            let made: Vec<&Answer> = made.iter().filter(|answer| answer.status == 201).collect();
            assert!(made.len() <= 1);
            assert!(made.iter().all(|answer| answer.text("id") == client));
        }
        assert_eq!(db.count("clients").await, 4);
        assert_eq!(db.count("client_identities").await, 4);
    }

    async fn a_persons_word_is_not_changed_by_a_delivery(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        let told = json!({"firstName": "Anya", "lastName": "Burn", "email": "old@x.example"});
        let id = desk.book(&booking("0871234567", &told)).await["clientId"].clone();
        let one = format!("clients/{}", id.as_str().unwrap());
        let changed = desk.patch(&one, &json!({"firstName": "Áine", "email": null})).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        assert_eq!((changed.text("firstName"), changed.text("lastName")), ("Áine", "Burn"));
        let told = json!({"firstName": "Anya", "lastName": "Byrne", "email": "new@x.example",
            "dateTime": "2027-05-02T15:00:00Z"});
        desk.book(&booking("0871234567", &told)).await;
        let profile = desk.get(&one).await.body;
        assert_eq!(profile["firstName"], "Áine");
        assert_eq!(profile["email"], Value::Null);
        let deed = &profile["history"].as_array().unwrap().iter()
            .find(|entry| entry["action"] == "client.updated").unwrap().clone();
        assert_eq!(deed["fields"], json!(["firstName", "email"]));
        assert!(deed["by"].as_str().unwrap().starts_with("token:"));
        assert_eq!(desk.names("q=aine").await, ["Áine"]);
        assert_eq!(desk.names("q=anya").await, Vec::<String>::new());

        let first = json!({"firstInteractionDate": "2025-01-01T00:00:00Z",
            "firstBookingDate": "2025-02-01T00:00:00Z", "firstInteractionSource": "web"});
        desk.patch(&one, &first).await;
        desk.book(&booking("0871234567", &json!({"dateTime": "2027-06-02T15:00:00Z"}))).await;
        let profile = desk.get(&one).await.body;
        for (member, value) in first.as_object().unwrap() {
            assert_eq!(&profile[member], value, "{member}");
        }
        let freed = desk.patch(&one, &json!({"firstBookingDate": null})).await;
        assert!(freed.text("firstBookingDate") > "2026", "what the bookings say: {}", freed.body);
    }

    async fn a_new_phone_leaves_the_old_one_as_an_alias(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        let id = desk.client(&json!({"phone": "0871110001"})).await;
        let other = desk.client(&json!({"phone": "0871110002"})).await;
        let one = format!("clients/{id}");
        let taken = desk.patch(&one, &json!({"phone": "0871110002"})).await;
        let said = (taken.status.as_u16(), taken.text("code"), taken.text("existingId"));
        assert_eq!(said, (409, "phone_exists", other.as_str()));
        assert_eq!(desk.get(&one).await.body["phone"], "+353871110001", "nothing was changed");
        assert_eq!(desk.patch(&one, &json!({"phone": "0871110009"})).await.status, 200);
        let by_old = desk.book(&booking("0871110001", &json!({}))).await;
        assert_eq!(by_old["clientId"], id.as_str(), "the old number still is theirs");
        assert_eq!(desk.get(&one).await.body["phone"], "+353871110009");
        assert_eq!(desk.patch(&one, &json!({"phone": "0871110001"})).await.status, 200);
        assert_eq!(desk.get(&one).await.body["phone"], "+353871110001", "and back");
        let without = desk.patch(&one, &json!({"phone": null})).await;
        assert_eq!((without.status.as_u16(), without.text("code")), (422, "phone_required"));
    }

    /// Fault 8 of the predecessor.
    async fn only_a_clients_own_fields_are_changed(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        let id = desk.client(&json!({"phone": "0871110001", "firstName": "Áine"})).await;
        let one = format!("clients/{id}");
        let bad = desk.patch(&one, &json!({
            "firstName": "X", "tenantId": desk.tenant, "id": id, "createdAt": "2020-01-01T00:00:00Z",
            "bookingsCount": 9, "whatsappId": "IE.1", "status": null, "firstInteractionDate": null,
        })).await;
        assert_eq!(pointers(&bad), [
            "/bookingsCount", "/createdAt", "/firstInteractionDate", "/id", "/status", "/tenantId",
            "/whatsappId",
        ]);
        assert_eq!(desk.get(&one).await.body["firstName"], "Áine", "nothing was changed");
        assert_eq!(desk.patch("clients/nothing", &json!({})).await.status, 404);
        assert_eq!(desk.patch(&one, &json!({"status": "blocked"})).await.text("status"), "blocked");
        desk.book(&booking("0871110001", &json!({}))).await;
        assert_eq!(desk.get(&one).await.body["status"], "blocked", "a delivery leaves that");
    }

    async fn a_change_is_refused_where_there_is_a_newer_version(db: TestDb) {
        let app = TestApp::start(&db).await;
        let desk = Desk::open(&app, "salon").await;
        let id = desk.client(&json!({"phone": "0871110001"})).await;
        let path = desk.path(&format!("clients/{id}"));
        let read = app.request(Method::GET, &path, &desk.token).send().await.unwrap();
        let tag = read.headers()["etag"].to_str().unwrap().to_owned();
        let change = |name: &str| {
            let request = app.request(Method::PATCH, &path, &desk.token);
            let request = request.header("if-match", &tag).header("content-type", "application/json");
            request.body(json!({ "firstName": name }).to_string()).send()
        };
        assert_eq!(change("First").await.unwrap().status(), 200);
        assert_eq!(change("Second").await.unwrap().status(), 412);
        assert_eq!(desk.get(&format!("clients/{id}")).await.body["firstName"], "First");
        let again = app.request(Method::GET, &path, &desk.token).header("if-none-match", &tag);
        assert_eq!(again.send().await.unwrap().status(), 200);
    }
}
