//! What is in a database, seen past the service.

use super::catalog::Schema;
use super::db::{Engine, TestDb};
use bookhook::storage::packed;
use sqlx::AssertSqlSafe;

/// Every table that a delivery can write to.
const WRITTEN: &[&str] = &[
    "webhook_events", "platform_inbox", "clients", "client_identities", "client_service_mappings",
    "bookings", "booking_sightings", "leads", "lead_interactions", "client_duplicates",
    "identities_told_beside", "audit_log",
];

impl TestDb {
    /// How many rows deliveries have written, in all tables together.
    pub(crate) async fn written(&self) -> i64 {
        let tables = WRITTEN.iter().map(|table| format!("select 1 from {table}"));
        let all = tables.collect::<Vec<_>>().join(" union all ");
        self.count(&format!("({all}) as written")).await
    }

    /// How many rows a table has; `bookings where …` counts some of them.
    pub(crate) async fn count(&self, table: &str) -> i64 {
        let statement = AssertSqlSafe(format!("select count(*) from {table}"));
        match self.engine {
            Engine::Sqlite => {
                sqlx::query_scalar(statement).fetch_one(&mut self.sqlite().await).await.unwrap()
            }
            Engine::Postgres => {
                sqlx::query_scalar(statement).fetch_one(&mut self.postgres().await).await.unwrap()
            }
        }
    }

    /// The one text column that a statement selects, row by row; nulls are left out.
    pub(crate) async fn texts(&self, select: &str) -> Vec<String> {
        let statement = AssertSqlSafe(select.to_owned());
        let found: Vec<Option<String>> = match self.engine {
            Engine::Sqlite => {
                sqlx::query_scalar(statement).fetch_all(&mut self.sqlite().await).await.unwrap()
            }
            Engine::Postgres => {
                sqlx::query_scalar(statement).fetch_all(&mut self.postgres().await).await.unwrap()
            }
        };
        found.into_iter().flatten().collect()
    }

    /// The raw bytes of every event, the oldest first.
    pub(crate) async fn raw_events(&self) -> Vec<Vec<u8>> {
        let select = "select raw from webhook_events order by id";
        let stored: Vec<Vec<u8>> = match self.engine {
            Engine::Sqlite => {
                sqlx::query_scalar(select).fetch_all(&mut self.sqlite().await).await.unwrap()
            }
            Engine::Postgres => {
                sqlx::query_scalar(select).fetch_all(&mut self.postgres().await).await.unwrap()
            }
        };
        stored.into_iter().map(|raw| packed::unpack(raw).unwrap()).collect()
    }

    /// Everything that stands in any row of any table: texts as they are, bytes as hexadecimal.
    pub(crate) async fn dump(&self) -> String {
        let mut dump = Vec::new();
        for (table, about) in Schema::read(self).await.0 {
            let select = match self.engine {
                Engine::Sqlite => {
                    // Of bytes the hexadecimal, of all else what it is.
                    let columns = about.columns.keys().map(|column| {
                        let hex = format!("hex({column})");
                        format!(
                            "case typeof({column}) when 'blob' then {hex} else quote({column}) end"
                        )
                    });
                    let columns = columns.collect::<Vec<_>>().join(" || ' ' || ");
                    format!("select {columns} from {table}")
                }
                Engine::Postgres => format!("select cast(row_to_json(r) as text) from {table} r"),
            };
            let rows = self.texts(&select).await;
            dump.extend(rows.into_iter().map(|row| format!("{table}: {row}")));
        }
        // Bodies may lie there packed: what is in them is in the database all the same.
        let bodies = self.raw_events().await;
        dump.extend(bodies.iter().map(|raw| format!("webhook_events: {}", hex::encode(raw))));
        dump.join("\n")
    }
}

/// The lines of a dump in which a text stands, whatever its case and however it is stored.
pub(crate) fn lines_with<'a>(dump: &'a str, text: &str) -> Vec<&'a str> {
    let text = text.to_lowercase();
    let forms = [text.clone(), hex::encode(&text)];
    let lower = |line: &str| line.to_lowercase();
    dump.lines().filter(|line| forms.iter().any(|form| lower(line).contains(form))).collect()
}
