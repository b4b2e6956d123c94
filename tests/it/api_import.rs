//! Clients from a table: what is good is taken, what is not is told line by line.

use super::support::app::{Answer, client};
use super::support::desk::Desk;
use bookhook::domain::channel::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

impl Desk {
    async fn import(&self, query: &str, text: &str) -> Answer {
        self.import_with(query, text, None).await.0
    }

    async fn import_with(&self, query: &str, text: &str, key: Option<&str>) -> (Answer, bool) {
        let token = self.app.token(Role::Service, Some(self.tenant)).await;
        let token = if key.is_some() { self.admin_token().to_owned() } else { token };
        let path = format!("/api/platform/tenants/{}/clients/import{query}", self.tenant);
        let mut request = self.app.request(Method::POST, &path, &token);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request.header("content-type", "text/csv; charset=utf-8");
        let response = request.body(text.to_owned()).send().await.unwrap();
        let replayed = response.headers().contains_key("idempotency-replayed");
        let status = response.status();
        let body = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        (Answer { status, body }, replayed)
    }

    async fn client_of(&self, phone: &str) -> Value {
        let found = self.get(&format!("clients/phone:{phone}")).await;
        assert_eq!(found.status, StatusCode::OK, "{phone}: {}", found.body);
        found.body
    }
}

/// Created, updated, unchanged, failed.
fn counts(answer: &Answer) -> [u64; 4] {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    ["created", "updated", "unchanged", "failed"].map(|name| answer.body[name].as_u64().unwrap())
}

const TABLE: &str = "Mobile,First name,Surname,E-mail,Source,Favourite colour
087 123 4567,Áine,Byrne,Aine@Example.com,Voice,red
not a phone,Bob,,,web,
+353871234568,'=1+1,O'Brien,wrong,carrier pigeon,
,Nobody,,,,
00353 87 123 4569,,,,,
";

both_engines! {
    async fn good_rows_are_taken_and_bad_ones_told_by_their_lines(db: TestDb) {
        let desk = Desk::open(&db).await;
        let tried = desk.import("?dryRun=true", TABLE).await;
        assert_eq!(counts(&tried), [2, 0, 0, 3]);
        assert_eq!(db.count("clients").await, 0, "a dry run does nothing");
        assert_eq!(db.count("audit_log").await, 0);
        let done = desk.import("", TABLE).await;
        assert_eq!(counts(&done), [2, 0, 0, 3]);
        let errors = done.body["errors"].as_array().unwrap();
        let told: Vec<_> = errors.iter().map(|e| (e["line"].as_u64().unwrap(), e["column"].as_str().unwrap(), e["code"].as_str().unwrap())).collect();
        assert_eq!(told, [(3, "Mobile", "phone_invalid"), (4, "E-mail", "email_invalid"), (5, "Mobile", "required")]);
        assert!(errors[1]["detail"].as_str().unwrap().contains("firstInteractionSource"), "every fault of a row: {}", errors[1]);
        assert_eq!(done.body["ignoredColumns"], json!(["Favourite colour"]));
        let client = desk.client_of("+353871234567").await;
        assert_eq!((&client["firstName"], &client["email"]), (&json!("Áine"), &json!("aine@example.com")));
        assert_eq!(client["firstInteractionSource"], "voice");
        assert_eq!(desk.client_of("+353871234569").await["firstName"], "Unknown");
        let found = desk.get("clients?q=byrne").await;
        assert_eq!(found.body["data"].as_array().unwrap().len(), 1, "found by its words");
        let again = desk.import("", TABLE).await;
        assert_eq!(counts(&again), [0, 0, 2, 3]);
        let log = db.texts("select detail from audit_log where action = 'clients.imported'").await;
        assert_eq!(log.len(), 2);
        assert_eq!(serde_json::from_str::<Value>(&log[0]).unwrap()["created"], 2);
    }

    async fn an_empty_cell_overwrites_nothing_and_a_filled_one_is_a_persons_word(db: TestDb) {
        let desk = Desk::open(&db).await;
        desk.deliver(&json!({"bookingData": {
            "customerPhone": "087 123 4567", "serviceName": "Cut", "source": "voice", "firstName": "Mary",
            "email": "mary@example.com", "appointmentDateTime": "2026-03-14T15:00:00Z",
        }})).await;
        let lead = desk.post("leads", &json!({"phone": "+353871234568", "source": "whatsapp", "firstName": "Una"})).await;
        assert_eq!(lead.status, StatusCode::CREATED, "{}", lead.body);
        let text = "phone;firstName;lastName;email;status\r\n+353871234567;Maura;;;blocked\r\n087 123 4567;;Walsh;;\r\n0871234568;Una;;;\r\n";
        let done = desk.import("", text).await;
        assert_eq!(counts(&done), [1, 2, 0, 0], "a phone in two rows: one after the other");
        let client = desk.client_of("+353871234567").await;
        assert_eq!([&client["firstName"], &client["lastName"], &client["email"], &client["status"]], ["Maura", "Walsh", "mary@example.com", "blocked"]);
        desk.deliver(&json!({"bookingData": {
            "customerPhone": "087 123 4567", "serviceName": "Shave", "source": "voice", "firstName": "Mary", "lastName": "Byrne",
            "appointmentDateTime": "2026-04-14T15:00:00Z", "occurredAt": "2020-01-01T00:00:00Z"
        }})).await;
        let client = desk.client_of("+353871234567").await;
        assert_eq!((&client["firstName"], &client["lastName"]), (&json!("Maura"), &json!("Walsh")), "no delivery changes it");
        let lead = desk.get(&format!("leads/{}", lead.text("id"))).await;
        assert_eq!(lead.text("status"), "converted", "an open lead with the phone is the client");
    }

    async fn what_was_exported_comes_back_as_it_was(db: TestDb) {
        let desk = Desk::open(&db).await;
        for (number, name) in ["=1+1", "'=2", "-3", "O'Brien", "Áine \"A\", B"].iter().enumerate() {
            let body = json!({"phone": format!("+35387123450{number}"), "firstName": name, "firstInteractionDate": "2026-01-02T03:04:05.678901Z"});
            let made = desk.post("clients", &body).await;
            assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        }
        let token = desk.admin_token().to_owned();
        let path = format!("/api/platform/tenants/{}/clients.csv", desk.tenant);
        let text = desk.app.request(Method::GET, &path, &token).send().await.unwrap().text().await.unwrap();
        let back = desk.import("", &text).await;
        assert_eq!(counts(&back), [0, 0, 5, 0]);
        assert_eq!(back.body["ignoredColumns"], json!([]));
        let other = desk.beside("other").await;
        assert_eq!(counts(&other.import("", &text).await), [5, 0, 0, 0]);
        assert_eq!(other.client_of("+353871234501").await["firstName"], "'=2");
        assert_eq!(other.client_of("+353871234500").await["firstInteractionDate"], "2026-01-02T03:04:05.678901Z");
    }

    async fn what_is_no_table_is_refused_whole(db: TestDb) {
        let desk = Desk::open(&db).await;
        for (text, status, code) in [
            ("", StatusCode::BAD_REQUEST, "csv_unreadable"),
            ("name,email\na,b\n", StatusCode::UNPROCESSABLE_ENTITY, "required"),
            ("phone,mobile\n1,2\n", StatusCode::UNPROCESSABLE_ENTITY, "column_twice"),
            ("phone,name,client\n1,2,3\n", StatusCode::UNPROCESSABLE_ENTITY, "column_twice"),
            ("phone,name,firstName\n1,2,3\n", StatusCode::UNPROCESSABLE_ENTITY, "column_twice"),
            ("phone,\"name\n1,2\n", StatusCode::BAD_REQUEST, "csv_unreadable"),
        ] {
            let refused = desk.import("", text).await;
            assert_eq!((refused.status, refused.text("code")), (status, code), "{text}: {}", refused.body);
        }
        let refused = desk.import("?dry=1", "phone\n").await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        let refused = desk.post("clients/import", &json!({})).await;
        assert_eq!(refused.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let large = format!("phone,note\n{}", "x".repeat(10 * 1024 * 1024));
        let refused = desk.import("", &large).await;
        assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(counts(&desk.import("", "phone\n").await), [0, 0, 0, 0]);
    }

    async fn an_import_is_repeated_by_its_key_and_races_make_no_second_client(db: TestDb) {
        let desk = Desk::open(&db).await;
        let rows: Vec<String> = (0..150).map(|n| format!("+3538712{n:05},Name{n}")).collect();
        let text = format!("phone,name\n{}\n", rows.join("\n"));
        let (first, replayed) = desk.import_with("", &text, Some("once")).await;
        assert!(!replayed);
        let (again, replayed) = desk.import_with("", &text, Some("once")).await;
        assert!(replayed);
        assert_eq!(first, again);
        let bodies = ["a", "b", "c"].map(|name| text.replace("Name", name));
        let imports = bodies.iter().map(|body| desk.import("", body));
        let answers = futures_util::future::join_all(imports).await;
        let (done, refused): (Vec<_>, Vec<_>) =
            answers.iter().partition(|answer| answer.status == StatusCode::OK);
        assert!(!done.is_empty());
        for answer in done {
            assert_eq!(counts(answer)[0], 0, "{}", answer.body);
        }
        for answer in refused {
            let told = (answer.status, answer.text("code"));
            assert_eq!(told, (StatusCode::CONFLICT, "import_running"), "{}", answer.body);
        }
        assert_eq!(counts(&desk.import("", &bodies[0]).await)[0], 0, "free again");
        assert_eq!(db.count("clients").await, 150);
        assert_eq!(db.count("client_identities").await, 150);
    }

    async fn a_stray_quote_takes_no_other_customer_with_it(db: TestDb) {
        let desk = Desk::open(&db).await;
        let text = "phone,firstName\n0871600001,\"Ann\n0871600002,Bea\n0871600003,Cat\n0871600004,\"Dee\"\n0871600005,\"Eve\nLyn\"\n0871600006,Fay\n";
        let done = desk.import("", text).await;
        assert_eq!(counts(&done), [4, 0, 0, 3], "{}", done.body);
        let told = done.body["errors"].as_array().unwrap().iter();
        let told: Vec<_> = told.map(|e| (e["line"].as_u64().unwrap(), e["code"].as_str().unwrap())).collect();
        assert_eq!(told, [(2, "quote_invalid"), (6, "quote_invalid"), (7, "quote_invalid")]);
        let names = db.texts("select first_name from clients order by phone").await;
        assert_eq!(names, ["Bea", "Cat", "Dee", "Fay"]);
    }

    async fn one_phone_in_several_rows_is_unchanged_the_second_time(db: TestDb) {
        let desk = Desk::open(&db).await;
        let text = "sep=;\nphone;firstName;email\n0871000005;Ann;\n0871000005;Bea;\n087 100 0005;;b@example.com\n0871000005;Bea;\n";
        assert_eq!(counts(&desk.import("", text).await), [1, 2, 1, 0]);
        let client = desk.client_of("+353871000005").await;
        assert_eq!((&client["firstName"], &client["email"]), (&json!("Bea"), &json!("b@example.com")));
        assert_eq!(counts(&desk.import("", text).await), [0, 0, 4, 0]);
    }

    async fn a_table_in_another_charset_or_from_the_future_is_refused(db: TestDb) {
        let desk = Desk::open(&db).await;
        let path = format!("/api/platform/tenants/{}/clients/import", desk.tenant);
        for (charset, status) in [("iso-8859-1", 415), ("\"UTF-8\"", 200), ("us-ascii", 200)] {
            let request = desk.app.request(Method::POST, &path, desk.admin_token());
            let request = request.header("content-type", format!("text/csv; charset={charset}"));
            let answer = request.body("phone\n0871000005\n").send().await.unwrap();
            assert_eq!(answer.status().as_u16(), status, "{charset}");
        }
        let text = "phone,first contact\n0871000006,2099-01-01T00:00:00Z\n";
        let refused = desk.import("", text).await;
        assert_eq!(refused.body["errors"][0]["code"], "time_in_future", "{}", refused.body);
        let body = json!({"firstInteractionDate": "2099-01-01T00:00:00Z"});
        let refused = desk.patch("clients/phone:0871000005", &body).await;
        assert_eq!((refused.status.as_u16(), refused.text("code")), (422, "time_in_future"));
    }

    async fn a_large_table_lets_others_be_served(db: TestDb) {
        let desk = Desk::open(&db).await;
        let text = format!("phone,name\n{}", "not a phone,Somebody\n".repeat(150_000));
        let importing = tokio::spawn({
            let desk = desk.clone();
            async move { desk.import("?dryRun=true", &text).await }
        });
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        for _ in 0..8 {
            // A connection of its own each: they go round the threads.
            let health = client().get(format!("{}/healthz", desk.app.url)).send().await.unwrap();
            assert_eq!(health.status(), StatusCode::OK);
        }
        assert!(!importing.is_finished(), "nobody had to wait for the table");
        assert_eq!(counts(&importing.await.unwrap()), [0, 0, 0, 150_000]);
    }

    async fn a_tenant_that_goes_meanwhile_ends_an_import(db: TestDb) {
        let desk = Desk::open(&db).await;
        let admin = desk.app.token(Role::PlatformAdmin, None).await;
        let rows: Vec<String> = (0..3000).map(|n| format!("+3538712{n:05},Name{n}")).collect();
        let text = format!("phone,name\n{}\n", rows.join("\n"));
        let importing = tokio::spawn({
            let desk = desk.clone();
            async move { desk.import("", &text).await }
        });
        while db.count("clients").await == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let path = format!("/api/platform/tenants/{}?confirm=salon", desk.tenant);
        let gone = desk.app.ask(Method::DELETE, &path, &admin).await;
        assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.body);
        let ended = importing.await.unwrap();
        assert_eq!((ended.status, ended.text("code")), (StatusCode::NOT_FOUND, "not_found"));
        assert!(ended.text("detail").contains("clients had been made"), "{}", ended.body);
        for table in ["tenants", "clients", "client_identities", "client_words"] {
            assert_eq!(db.count(table).await, 0, "{table}");
        }
    }
}
