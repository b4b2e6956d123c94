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

/// The files whose statements answer what many ask often.
const OFTEN: &[&str] = &["client_list", "client_counts", "client_stats", "history", "alikes"];

/// Rows that a subquery has found, and values that stand in the statement.
const NO_TABLES: &[&str] = &["found", "told", "CONSTANT"];

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

/// The statements that read a table through.
async fn scanning(db: &TestDb, tenant: Uuid) -> Vec<String> {
    let tenant = db.literal(tenant);
    let statements = all_statements();
    let often = statements.iter().filter(|(file, ..)| OFTEN.contains(file));
    let mut scanning = Vec::new();
    let mut planned = 0;
    for (file, name, sql) in often {
        planned += 1;
        let scans = db.scans(sql, &[&tenant]).await;
        for table in scans.iter().filter(|table| !NO_TABLES.contains(&table.as_str())) {
            let plan = db.plan(sql, &[&tenant]).await;
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
