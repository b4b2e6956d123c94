//! Clients from a table: what is good is taken, what is not is told line by line.

use super::support::app::Answer;
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
        for answer in futures_util::future::join_all(imports).await {
            assert_eq!(counts(&answer)[0], 0, "{}", answer.body);
        }
        assert_eq!(db.count("clients").await, 150);
        assert_eq!(db.count("client_identities").await, 150);
    }
}
