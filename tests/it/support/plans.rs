//! How the databases would run a statement.

use super::db::{Engine, TestDb};
use bookhook::storage::Db;
use sqlx::{AssertSqlSafe, Row as _};

impl TestDb {
    /// The plan of a statement, line by line. PostgreSQL is told to leave out what it could do
    /// only by reading a whole table, as it would not in a large one: what is left says so.
    pub(crate) async fn plan(&self, sql: &str) -> Vec<String> {
        match self.engine {
            Engine::Sqlite => {
                let explain = AssertSqlSafe(format!("explain query plan {sql}"));
                let mut conn = self.sqlite().await;
                let rows: Vec<(i64, i64, i64, String)> =
                    sqlx::query_as(explain).fetch_all(&mut conn).await.unwrap();
                rows.into_iter().map(|(.., line)| line).collect()
            }
            Engine::Postgres => {
                let mut conn = self.postgres().await;
                sqlx::query("set enable_seqscan = off").execute(&mut conn).await.unwrap();
                let most = (1..40).rev().find(|n| sql.contains(&format!("${n}"))).unwrap_or(0);
                let (prepare, nulls) = (format!("prepare p as {sql}"), vec!["null"; most]);
                let arguments = nulls.join(", ");
                let arguments = if most == 0 { String::new() } else { format!("({arguments})") };
                for statement in ["set plan_cache_mode = force_generic_plan", &prepare] {
                    let statement = AssertSqlSafe(statement.to_owned());
                    sqlx::raw_sql(statement).execute(&mut conn).await.unwrap();
                }
                let explain = AssertSqlSafe(format!("explain execute p{arguments}"));
                let rows = sqlx::raw_sql(explain).fetch_all(&mut conn).await;
                rows.unwrap_or_else(|error| panic!("{error}: {sql}"))
                    .iter()
                    .map(|row| row.get::<String, _>(0))
                    .collect()
            }
        }
    }

    /// Says which of these files' statements read a whole table.
    pub(crate) async fn whole_reads(&self, files: &[&str]) -> Vec<String> {
        drop(Db::open(&self.url).await.unwrap());
        let mut found = Vec::new();
        let mut statements = bookhook::storage::all_statements();
        let engine = match self.engine {
            Engine::Sqlite => "sqlite",
            Engine::Postgres => "postgres",
        };
        statements.extend(bookhook::storage::bulk_statements(engine));
        for (file, name, sql) in statements {
            let reads = ["select", "with k"].iter().any(|how| sql.trim_start().starts_with(how));
            if !files.contains(&file) || !reads || sql.contains("insert into") {
                continue;
            }
            let plan = self.plan(sql).await;
            let whole = plan.iter().any(|line| {
                // `k` are the rows that came with the statement; what a subquery found is read through.
                let line_is = line.trim();
                let given = ["SCAN k", "SCAN CONSTANT ROW", "SCAN found"].contains(&line_is);
                let sqlite = line_is.starts_with("SCAN") && !given;
                sqlite || line.contains("Seq Scan") || !reads_by_tenant(line)
            });
            if whole {
                found.push(format!("{file} {name}: {}", plan.join(" | ")));
            }
        }
        found
    }
}

/// An index is read from a tenant on.
fn reads_by_tenant(line: &str) -> bool {
    let postgres = line.trim_start().strip_prefix("Index Cond:");
    postgres.is_none_or(|cond| cond.contains("tenant_id = "))
        && (!line.trim_start().starts_with("SEARCH") || line.contains("tenant_id=?"))
}
