//! The schema keeps tenants apart, and is the same on both engines.

use crate::support::catalog::{Index, Schema};
use crate::support::db::{Engine, TestDb};

/// The tables that belong to no single tenant; every other one does.
const SHARED: &[&str] = &[
    "_sqlx_migrations", "api_tokens", "connection_accounts", "connection_secrets", "connections",
    "installation", "platform_inbox", "platform_inbox_aliases", "sessions", "tenants", "users",
];

both_engines! {
    async fn tenants_are_kept_apart(db: TestDb) {
        let schema = Schema::read(&db).await;
        assert!(schema.0.contains_key("bookings"), "the migrations made no bookings: {schema:?}");
        let problems = mixed_tenants(&schema);
        assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    }
}

#[actix_web::test]
async fn sqlite_and_postgres_have_one_schema() {
    let sqlite = Schema::read(&TestDb::fresh(Engine::Sqlite).await).await;
    let postgres = Schema::read(&TestDb::fresh(Engine::Postgres).await).await;
    let problems = differences(&sqlite, &postgres);
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// Where one tenant's row could stand for, or point at, another's.
fn mixed_tenants(schema: &Schema) -> Vec<String> {
    let mut problems = Vec::new();
    let owned = |table: &str| !SHARED.contains(&table);
    for (name, table) in schema.0.iter().filter(|(name, _)| owned(name)) {
        let mut wrong = |what: String| problems.push(format!("{name}: {what}"));
        if table.columns.get("tenant_id") != Some(&true) {
            wrong("has no tenant_id that is not null".to_owned());
        }
        if table.primary_key.len() < 2 || !starts_with_tenant(&table.primary_key) {
            wrong(format!("primary key ({})", table.primary_key.join(", ")));
        }
        for index in &table.indexes {
            let columns = index.columns.join(", ");
            if index.unique && !starts_with_tenant(&index.columns) {
                wrong(format!("unique index ({columns}) does not start with tenant_id"));
            }
            if index.columns == ["tenant_id"] {
                wrong("index on tenant_id alone".to_owned());
            }
        }
        for key in table.foreign_keys.iter().filter(|key| owned(&key.table)) {
            let pair = &("tenant_id".to_owned(), "tenant_id".to_owned());
            if key.columns.len() < 2 || !key.columns.contains(pair) {
                wrong(format!("foreign key to {} without tenant_id: {:?}", key.table, key.columns));
            }
        }
    }
    problems
}

fn starts_with_tenant(columns: &[String]) -> bool {
    columns.first().is_some_and(|column| column == "tenant_id")
}

/// What one engine has and the other has not.
fn differences(sqlite: &Schema, postgres: &Schema) -> Vec<String> {
    let (sqlite, postgres) = (facts(sqlite), facts(postgres));
    let only = |here: &[String], there: &[String], engine: &str| -> Vec<String> {
        let missing = here.iter().filter(|fact| !there.contains(fact));
        missing.map(|fact| format!("only on {engine}: {fact}")).collect()
    };
    let mut problems = only(&sqlite, &postgres, "SQLite");
    problems.extend(only(&postgres, &sqlite, "PostgreSQL"));
    problems
}

/// A schema as sentences that both engines can say.
fn facts(schema: &Schema) -> Vec<String> {
    let mut facts = Vec::new();
    // The migrator's own table is each engine's affair.
    for (name, table) in schema.0.iter().filter(|(name, _)| *name != "_sqlx_migrations") {
        for (column, required) in &table.columns {
            // SQLite lets a primary key be null unless told otherwise; no id of ours ever is.
            let required = *required || table.primary_key.contains(column);
            let null = if required { "not null" } else { "null" };
            facts.push(format!("{name}: column {column} {null}"));
        }
        facts.push(format!("{name}: primary key {:?}", table.primary_key));
        for Index { name: index, unique, partial, columns } in &table.indexes {
            let kind = format!("unique {unique}, partial {partial}");
            // An index made by a constraint has a name of the engine's choosing, so none here.
            let index = index.as_deref().unwrap_or("of a constraint");
            facts.push(format!("{name}: index {index} {columns:?}, {kind}"));
        }
        for key in &table.foreign_keys {
            facts.push(format!("{name}: foreign key to {} {:?}", key.table, key.columns));
        }
    }
    facts
}

/// The checks themselves, on tables made up to break each rule.
mod can_fail {
    use super::*;

    const GOOD: &str = "
        create table tenants (id uuid primary key, slug text not null unique);
        create table clients (
            tenant_id uuid not null references tenants (id), id uuid not null, phone text,
            primary key (tenant_id, id), unique (tenant_id, phone));
        create table bookings (
            tenant_id uuid not null, id uuid not null, client_id uuid not null, note text,
            primary key (tenant_id, id),
            foreign key (tenant_id, client_id) references clients (tenant_id, id));
        create index bookings_by_client on bookings (tenant_id, client_id);
        create unique index bookings_by_note on bookings (tenant_id, lower(note))
            where note is not null;";

    /// The good tables with one thing changed.
    async fn with(good: &str, changed: &str) -> Schema {
        assert!(GOOD.contains(good), "{good}");
        made(&GOOD.replacen(good, changed, 1), Engine::Sqlite).await
    }

    async fn made(ddl: &str, engine: Engine) -> Schema {
        let db = TestDb::blank(engine).await;
        db.run(ddl).await;
        Schema::read(&db).await
    }

    #[actix_web::test]
    async fn a_good_schema_is_not_reported() {
        assert_eq!(mixed_tenants(&made(GOOD, Engine::Sqlite).await), [""; 0]);
    }

    #[actix_web::test]
    async fn one_that_mixes_tenants_is_reported() {
        for (good, bad, told) in [
            ("tenant_id uuid not null, id", "tenant_id uuid, id", "has no tenant_id"),
            ("unique (tenant_id, phone)", "unique (phone)", "unique index (phone)"),
            ("unique (tenant_id, phone)", "unique (phone, tenant_id)", "does not start"),
            ("(tenant_id, lower(note))", "(lower(note), tenant_id)", "does not start"),
            ("on bookings (tenant_id, client_id)", "on bookings (tenant_id)", "tenant_id alone"),
            (
                "primary key (tenant_id, id), unique",
                "unique (tenant_id, id), primary key (id), unique",
                "primary key (id)",
            ),
            (
                "foreign key (tenant_id, client_id) references clients (tenant_id, id)",
                "foreign key (client_id) references clients (id)",
                "without tenant_id",
            ),
            (
                "foreign key (tenant_id, client_id) references clients (tenant_id, id)",
                "foreign key (client_id, tenant_id) references clients (tenant_id, id)",
                "without tenant_id",
            ),
        ] {
            let problems = mixed_tenants(&with(good, bad).await);
            assert!(problems.iter().any(|p| p.contains(told)), "{bad}: {problems:?}");
        }
    }

    #[actix_web::test]
    async fn the_postgres_catalog_reads_alike() {
        let (sqlite, postgres) =
            (made(GOOD, Engine::Sqlite).await, made(GOOD, Engine::Postgres).await);
        assert_eq!(differences(&sqlite, &postgres), [""; 0]);
        // Nine columns, three primary keys, four indexes and two references: none was overlooked.
        assert_eq!(facts(&sqlite).len(), 18);
    }

    #[actix_web::test]
    async fn a_difference_is_reported() {
        let good = made(GOOD, Engine::Sqlite).await;
        for (here, there) in [
            ("note text,", "note text, extra text,"),
            ("phone text,", "phone text not null,"),
            ("create index bookings_by_client", "create unique index bookings_by_client"),
            ("create index bookings_by_client", "create index bookings_of_client"),
            ("where note is not null", ""),
            ("primary key (tenant_id, id), unique", "primary key (id, tenant_id), unique"),
            (" references tenants (id)", ""),
        ] {
            let other = with(here, there).await;
            assert_ne!(differences(&good, &other), [""; 0], "{there}");
            assert_ne!(differences(&other, &good), [""; 0], "{there}");
        }
    }
}
