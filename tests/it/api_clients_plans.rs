//! Lists, searches, profiles and statistics of clients read no table through.

use crate::support::db::{Engine, TestDb};
use crate::support::many::Many;
use bookhook::clock::Clock;
use bookhook::domain::channel::DateOrder;
use bookhook::domain::ids;
use bookhook::domain::money::Currency;
use bookhook::domain::phone::Region;
use bookhook::domain::tenant::TenantSettings;
use bookhook::storage::{Db, all_statements, tenants};
use uuid::Uuid;

/// The files whose statements answer what many ask often, whatever the values.
const OFTEN: &[&str] = &["client_counts", "client_stats", "history", "alikes"];

/// Those whose statements are planned for their values.
const PLANNED: &[&str] = &["client_list", "client_few"];

/// Rows that a subquery has found, and values that stand in the statement.
const NO_TABLES: &[&str] = &["found", "told", "tried", "CONSTANT"];

async fn tenant(db: &TestDb) -> Uuid {
    let now = Clock::system().now();
    let settings = TenantSettings {
        id: ids::new(now),
        slug: "salon".to_owned(),
        default_region: Region::parse("IE").unwrap(),
        timezone: chrono_tz::Europe::Dublin,
        currency: Currency::parse("EUR").unwrap(),
        date_order: DateOrder::Dmy,
    };
    let db = Db::open(&db.url).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    assert!(tenants::insert(&mut tx.conn(), "Salon", &settings, now).await.unwrap());
    tx.commit().await.unwrap();
    settings.id
}

/// What a page of clients binds: a tenant and no filter, but what it is found by.
fn values(db: &TestDb, tenant: &str, name: &str) -> Vec<String> {
    let null = || "null".to_owned();
    let mut values: Vec<String> = std::iter::repeat_with(null).take(33).collect();
    let mut set = |number: usize, value: &str| value.clone_into(&mut values[number - 1]);
    let bytes = |text: &str| match db.engine {
        Engine::Sqlite => format!("cast('{text}' as blob)"),
        Engine::Postgres => format!("'{text}'::bytea"),
    };
    set(1, tenant);
    set(28, "26");
    set(29, if name.contains("NAME") { "'a'" } else { "1000" });
    set(30, &db.literal(Uuid::nil()));
    // Among how many, or by which number.
    set(31, "1040");
    set(32, "0");
    if name.starts_with("NOT_ACTIVE") {
        set(2, "'inactive'");
    }
    let name = name.strip_suffix("_DOWN").unwrap_or(name);
    let found_by = name.strip_suffix("_BY_NAME").unwrap_or(name);
    match found_by {
        "BY_CREATED" | "NOT_ACTIVE_BY_CREATED" => {
            set(29, &db.literal(Uuid::nil()));
            set(30, &db.literal(Uuid::max()));
        }
        "WORD" => (set(32, &bytes("bname7")), set(33, &bytes("bname7z"))).1,
        "NUMBER" => {
            for place in [20, 22, 24, 26] {
                set(place, "'+353871000011'");
                set(place + 1, "'+353871000011a'");
            }
        }
        "SOURCE" => set(3, "'whatsapp'"),
        "CREATED" => {
            set(32, &db.literal(Uuid::max()));
            set(33, &db.literal(Uuid::max()));
        }
        "LAST_BOOKING" => (set(32, "149000000000"), set(33, "149990000000")).1,
        // Along an order, looking for words that many have.
        _ => {
            set(8, &bytes("by"));
            set(9, &bytes("byz"));
        }
    }
    values
}

/// The statements that read a table through.
async fn scanning(db: &TestDb, tenant: Uuid) -> Vec<String> {
    let tenant = db.literal(tenant);
    let (mut scanning, mut planned) = (Vec::new(), 0);
    for (file, name, sql) in all_statements() {
        let values = match file {
            file if PLANNED.contains(&file) => values(db, &tenant, name),
            file if OFTEN.contains(&file) => Vec::new(),
            _ => continue,
        };
        planned += 1;
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let scans = db.scans(sql, &values).await;
        for table in scans.iter().filter(|table| !NO_TABLES.contains(&table.as_str())) {
            let plan = db.plan_for(sql, &values).await;
            scanning.push(format!("{file} {name} reads {table} through:\n{plan}"));
        }
    }
    assert!(planned > 35, "{planned}");
    scanning
}

both_engines! {
    async fn no_statement_of_lists_and_profiles_reads_a_table_through(db: TestDb) {
        let salon = tenant(&db).await;
        db.fill(salon, &Many { tenants: 4, clients: 2500, bookings: 3 }).await;
        if db.engine == Engine::Sqlite {
            // In service nothing tells it what its tables hold.
            let problems = scanning(&db, salon).await;
            assert!(problems.is_empty(), "unanalysed:\n{}", problems.join("\n\n"));
        }
        db.analyze().await;
        let problems = scanning(&db, salon).await;
        assert!(problems.is_empty(), "{}", problems.join("\n\n"));
    }
}
