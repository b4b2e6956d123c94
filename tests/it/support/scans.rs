//! How a database means to run a statement: whether it reads a table through.

use super::db::{Engine, TestDb};
use sqlx::{AssertSqlSafe, Row as _};

impl TestDb {
    /// Tells the database to look at what its tables hold.
    pub(crate) async fn analyze(&self) {
        let statement = match self.engine {
            Engine::Sqlite => "analyze",
            Engine::Postgres => "vacuum analyze",
        };
        self.run(statement).await;
    }

    /// The plan of a statement in the database's words. `values` are what its parameters are, as
    /// SQL; those that are left out are null. PostgreSQL is asked for these values, or, where there
    /// are none, for any: what it comes to think of a statement after some calls.
    pub(crate) async fn plan_for(&self, statement: &str, values: &[&str]) -> String {
        match self.engine {
            Engine::Sqlite => {
                let statement = AssertSqlSafe(format!("explain query plan {statement}"));
                let rows = sqlx::query(statement).fetch_all(&mut self.sqlite().await).await;
                let lines = rows.unwrap();
                let lines = lines.iter().map(|row| row.get::<String, _>("detail"));
                lines.collect::<Vec<_>>().join("\n")
            }
            Engine::Postgres => {
                let any = values.is_empty();
                let mode = if any { "force_generic_plan" } else { "force_custom_plan" };
                self.planned(statement, values, mode).await
            }
        }
    }

    async fn planned(&self, statement: &str, values: &[&str], mode: &str) -> String {
        let most = (1..200).rev().find(|n| statement.contains(&format!("${n}"))).unwrap_or(0);
        let values = (0..most).map(|place| values.get(place).copied().unwrap_or("null"));
        let values = values.collect::<Vec<_>>().join(", ");
        let given = if most == 0 { String::new() } else { format!("({values})") };
        let mut conn = self.postgres().await;
        let prepare = format!("set plan_cache_mode = {mode}; prepare asked as {statement}");
        sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut conn).await.unwrap();
        let explain = sqlx::raw_sql(AssertSqlSafe(format!("explain execute asked {given}")));
        let rows = explain.fetch_all(&mut conn).await.unwrap();
        rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
    }

    /// The tables that a plan reads through from end to end.
    pub(crate) async fn scans(&self, statement: &str, values: &[&str]) -> Vec<String> {
        let plan = self.plan_for(statement, values).await;
        let scans = plan.lines().filter_map(|line| self.scan(line));
        let mut scans: Vec<String> = scans.map(str::to_owned).collect();
        scans.dedup();
        scans
    }

    /// The table that a line of a plan says is read through.
    fn scan<'a>(&self, line: &'a str) -> Option<&'a str> {
        let rest = match self.engine {
            // `SCAN t`, and `SCAN t USING INDEX …`, which is as long; not of a subquery's rows.
            Engine::Sqlite => line.trim().strip_prefix("SCAN ")?,
            Engine::Postgres => line.split_once("Seq Scan on ")?.1,
        };
        rest.split_whitespace().next()
    }
}

both_engines! {
    async fn a_plan_that_reads_a_table_through_is_seen(db: TestDb) {
        db.run("create table rows_of (id bigint primary key, word text)").await;
        db.run("create index rows_by_word on rows_of (word)").await;
        let values: Vec<String> = (0..2000).map(|n| format!("({n}, 'w{n}')")).collect();
        db.run(&format!("insert into rows_of values {}", values.join(","))).await;
        db.analyze().await;
        for values in [&["7"] as &[&str], &[]] {
            let through = db.scans("select id from rows_of where id + 1 = $1", values).await;
            assert_eq!(through, ["rows_of"]);
        }
        for values in [&["'w7'"] as &[&str], &[]] {
            let through = db.scans("select id from rows_of where word = $1", values).await;
            assert!(through.is_empty(), "{through:?}");
        }
    }
}
