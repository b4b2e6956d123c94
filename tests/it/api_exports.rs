//! Lists as files: everything is in them, nothing in them is computed, and however long they are
//! they take no more memory.

use super::support::app::TestApp;
use super::support::binary::Program;
use super::support::db::{Engine, TestDb};
use super::support::desk::Desk;
use bookhook::domain::channel::Role;
use calamine::{Data, Reader as _, Xlsx};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Cursor;
use uuid::Uuid;

type Row = BTreeMap<String, String>;

impl Desk {
    /// The bytes of a file, and what it is to be called.
    async fn file(&self, path: &str) -> (Vec<u8>, String) {
        let token = self.app.token(Role::Service, Some(self.tenant)).await;
        let path = format!("/api/platform/tenants/{}/{path}", self.tenant);
        let answer = self.app.request(Method::GET, &path, &token).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let name = answer.headers()["content-disposition"].to_str().unwrap().to_owned();
        (answer.bytes().await.unwrap().to_vec(), name)
    }

    async fn csv(&self, path: &str) -> Vec<Row> {
        rows_of(&self.file(path).await.0)
    }
}

/// The rows of a CSV file, by their headings.
fn rows_of(file: &[u8]) -> Vec<Row> {
    let text = file.strip_prefix("\u{feff}".as_bytes()).expect("a byte order mark");
    let mut reader = csv::Reader::from_reader(text);
    let headings = reader.headers().unwrap().clone();
    let row = |record: csv::StringRecord| {
        headings.iter().map(str::to_owned).zip(record.iter().map(str::to_owned)).collect()
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

/// The cells of a workbook's sheet.
fn sheet(file: Vec<u8>) -> Vec<Vec<Data>> {
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(file)).unwrap();
    let range = book.worksheet_range_at(0).unwrap().unwrap();
    range.rows().map(<[Data]>::to_vec).collect()
}

/// What CSV has to quote.
const NAME: &str = "O'Brien, \"Áine\" Beag";

const EVIL: &[&str] = &["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "'=1"];

/// Clients with names that a spreadsheet would compute, and a booking of each.
async fn fill(desk: &Desk) {
    for (number, name) in EVIL.iter().enumerate() {
        let phone = format!("+35387123450{number}");
        let body = json!({"phone": phone, "firstName": name, "lastName": NAME});
        let made = desk.post("clients", &body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        let booked = json!({"clientId": made.body["id"], "serviceName": name, "source": "web",
            "bookingDate": format!("2026-07-1{number}T14:00:00Z"), "amount": 75.5,
            "notes": format!("{name}\n\"again\"")});
        let booked = desk.post("bookings", &booked).await;
        assert_eq!(booked.status, StatusCode::CREATED, "{}", booked.body);
    }
}

fn uuid(engine: Engine, id: Uuid) -> String {
    match engine {
        Engine::Sqlite => format!("x'{}'", id.simple()),
        Engine::Postgres => format!("cast('{id}' as uuid)"),
    }
}

/// Many bookings of one client, each with long notes.
async fn many_bookings(db: &TestDb, tenant: Uuid, client: Uuid, count: u32) {
    let (id, notes) = match db.engine {
        Engine::Sqlite => ("randomblob(16)", "hex(zeroblob(1250))"),
        Engine::Postgres => ("gen_random_uuid()", "repeat('x', 2500)"),
    };
    let (tenant, client) = (uuid(db.engine, tenant), uuid(db.engine, client));
    let at = "'2026-03-14T15:00:00+00:00'";
    db.run(&format!(
        "insert into bookings (tenant_id, id, client_id, booking_at, service_name, service_key,
            amount_minor, currency, status, payment_status, source, origin_key, notes, flags,
            booked_at, version, created_at, updated_at)
        with recursive n(i) as (select 1 union all select i + 1 from n where i < {count})
        select {tenant}, {id}, {client}, {at}, 'Cut', 'cut', 7500, 'EUR', 'confirmed', 'pending',
            'web', 'many ' || i, {notes}, '[]', {at}, 1, {at}, {at}
        from n"
    ))
    .await;
}

both_engines! {
    async fn a_file_has_what_the_list_has_and_nothing_in_it_is_computed(db: TestDb) {
        let desk = Desk::open(&db).await;
        fill(&desk).await;
        let (file, name) = desk.file("clients.csv?sort=created").await;
        assert!(name.starts_with("attachment; filename=\"salon-clients-20"), "{name}");
        assert!(name.ends_with(".csv\""), "{name}");
        let rows = rows_of(&file);
        let listed = desk.get("clients?sort=created").await;
        assert_eq!(rows.len(), EVIL.len());
        for ((row, evil), listed) in rows.iter().zip(EVIL).zip(listed.body["data"].as_array().unwrap()) {
            assert_eq!(row["id"], listed["id"].as_str().unwrap());
            assert_eq!(row["firstName"], format!("'{evil}"), "an apostrophe makes it text");
            assert_eq!(row["lastName"], NAME);
            assert!(row["phone"].starts_with("+35387"), "a phone is no formula: {}", row["phone"]);
            assert_eq!((row["bookings"].as_str(), row["spent"].as_str(), row["currency"].as_str()), ("1", "75.50", "EUR"));
        }
        let booked = desk.csv("bookings.csv?sort=date").await;
        assert_eq!(booked[0]["bookingDate"], "2026-07-10T15:00:00+01:00", "Irish summer time");
        assert_eq!((booked[0]["amount"].as_str(), booked[0]["notes"].as_str()), ("75.50", "'=cmd|' /C calc'!A0\n\"again\""));
        assert_eq!(booked[0]["firstName"], "'=cmd|' /C calc'!A0");

        let (file, name) = desk.file("bookings.xlsx?sort=date").await;
        assert!(name.ends_with(".xlsx\""), "{name}");
        let sheet = sheet(file);
        assert_eq!(sheet.len(), EVIL.len() + 1);
        let column = |name: &str| {
            sheet[0].iter().position(|cell| *cell == Data::String(name.to_owned())).unwrap()
        };
        assert_eq!(sheet[1][column("serviceName")], Data::String(EVIL[0].to_owned()), "as text");
        assert_eq!(sheet[1][column("amount")], Data::Float(75.5), "as a number");
        assert_eq!(sheet[1][column("duration")], Data::Empty);
    }

    async fn a_file_is_narrowed_and_sorted_as_the_list_is(db: TestDb) {
        let desk = Desk::open(&db).await;
        fill(&desk).await;
        let other = desk.beside("other").await;
        for query in ["sort=-name", "status=blocked", "q=obrien%20087", "source=voice", "sort=spent&q=brien", "q=%20%2B%20"] {
            let ids: Vec<String> = desk.csv(&format!("clients.csv?{query}")).await.into_iter().map(|mut row| row.remove("id").unwrap()).collect();
            let listed = desk.get(&format!("clients?limit=100&{query}")).await;
            let listed: Vec<Value> = listed.body["data"].as_array().unwrap().clone();
            assert_eq!(json!(ids), json!(listed.iter().map(|row| row["id"].clone()).collect::<Vec<_>>()), "{query}");
        }
        for query in ["sort=-date", "from=2026-07-12", "status=cancelled", "service=1%2B1"] {
            let ids: Vec<String> = desk.csv(&format!("bookings.csv?{query}")).await.into_iter().map(|mut row| row.remove("id").unwrap()).collect();
            let listed = desk.get(&format!("bookings?limit=100&{query}")).await;
            let listed: Vec<Value> = listed.body["data"].as_array().unwrap().clone();
            assert_eq!(json!(ids), json!(listed.iter().map(|row| row["id"].clone()).collect::<Vec<_>>()), "{query}");
        }
        assert!(other.csv("clients.csv").await.is_empty(), "nothing of another tenant");
        assert_eq!(sheet(other.file("clients.xlsx").await.0).len(), 1, "only the headings");
        for path in ["clients.csv?limit=5", "bookings.xlsx?cursor=x", "clients.csv?sort=phone", "bookings.csv?what=1"] {
            let refused = desk.get(path).await;
            assert_eq!((refused.status, refused.text("code")), (StatusCode::BAD_REQUEST, "query_invalid"), "{path}");
        }
    }

    async fn a_file_that_breaks_off_does_not_look_whole(db: TestDb) {
        let desk = Desk::open(&db).await;
        let client = desk.client("+353871234567").await.parse().unwrap();
        many_bookings(&db, desk.tenant, client, 3000).await;
        // What was stored cannot be read: as a database that fails in the middle.
        db.run("update bookings set currency = 'none' where origin_key = 'many 1500'").await;
        let token = desk.app.token(Role::Service, Some(desk.tenant)).await;
        let path = format!("/api/platform/tenants/{}/bookings", desk.tenant);
        // Ids are random here: sorted by them, it stands anywhere.
        let answer = desk.app.request(Method::GET, &format!("{path}.csv"), &token).send().await.unwrap();
        let whole = answer.status() == StatusCode::OK && answer.bytes().await.is_ok();
        assert!(!whole, "the connection breaks");
        let answer = desk.app.ask(Method::GET, &format!("{path}.xlsx"), &token).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "a workbook is whole or none");
        assert_eq!(answer.body["code"], "internal");
        let head = desk.app.request(Method::HEAD, &format!("{path}.csv?status=pending"), &token).send().await.unwrap();
        assert_eq!(head.status(), StatusCode::OK);
        assert_eq!(head.headers()["content-type"], "text/csv; charset=utf-8");
    }

    async fn forty_thousand_rows_take_no_more_memory_than_a_page(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("salon").await;
        let token = app.token(Role::Service, Some(tenant)).await;
        let desk_client = json!({"phone": "+353871234567"});
        let made = app.send(Method::POST, &format!("/api/platform/tenants/{tenant}/clients"), &token, &desk_client).await;
        many_bookings(&db, tenant, made.text("id").parse().unwrap(), 40_000).await;
        let program = Program::serve(&db, &[]);
        let http = super::support::app::client();
        let url = format!("{}/api/platform/tenants/{tenant}/bookings", program.url);
        for (kind, least) in [("csv", 100_000_000), ("xlsx", 500_000)] {
            let warm = http.get(format!("{url}.{kind}?status=pending")).bearer_auth(&token);
            warm.send().await.unwrap().bytes().await.unwrap();
            let before = program.peak();
            let mut answer = http.get(format!("{url}.{kind}")).bearer_auth(&token).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            let (mut size, mut lines) = (0, 0);
            while let Some(piece) = answer.chunk().await.unwrap() {
                size += piece.len();
                lines += piece.split(|byte| *byte == b'\n').count() - 1;
            }
            assert!(size > least, "{kind}: {size} bytes");
            assert!(kind != "csv" || lines == 40_001, "{lines} lines");
            let grown = program.peak() - before;
            // SQLite keeps up to 8 MB of its file for each of its readers.
            assert!(grown < 56_000, "{kind}: {size} bytes took {grown} kB");
        }
        program.stop();
    }
}
