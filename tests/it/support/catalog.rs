//! What a database says about its own tables, in the same words for both engines.

use super::db::{Engine, TestDb};
use sqlx::{PgConnection, SqliteConnection};
use std::collections::BTreeMap;

/// The tables by name.
#[derive(Debug, Default)]
pub(crate) struct Schema(pub(crate) BTreeMap<String, Table>);

/// A table.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// By name; true when it can't be null.
    pub(crate) columns: BTreeMap<String, bool>,
    /// In the key's order.
    pub(crate) primary_key: Vec<String>,
    /// All but the primary key's.
    pub(crate) indexes: Vec<Index>,
    /// What it refers to.
    pub(crate) foreign_keys: Vec<ForeignKey>,
}

/// An index.
#[derive(Debug)]
pub(crate) struct Index {
    /// `None` where a constraint made it.
    pub(crate) name: Option<String>,
    pub(crate) unique: bool,
    /// True when it leaves rows out.
    pub(crate) partial: bool,
    /// In the index's order; an expression is `(expression)`.
    pub(crate) columns: Vec<String>,
}

/// A foreign key.
#[derive(Debug)]
pub(crate) struct ForeignKey {
    /// The table it refers to.
    pub(crate) table: String,
    /// Each column here with the one there, sorted.
    pub(crate) columns: Vec<(String, String)>,
}

// What the statements below answer, alike on both engines.
type Column = (String, String, bool);
type KeyColumn = (String, String);
type IndexColumn = (String, String, bool, bool, bool, String);
type KeyPair = (String, i64, String, String, String);

const SQLITE_COLUMNS: &str = "
    select t.name, c.name, c.\"notnull\" = 1
    from sqlite_master t join pragma_table_xinfo(t.name) c
    where t.type = 'table' and t.name not like 'sqlite_%'";

const POSTGRES_COLUMNS: &str = "
    select t.relname::text, c.attname::text, c.attnotnull
    from pg_class t join pg_attribute c on c.attrelid = t.oid
    where t.relnamespace = 'public'::regnamespace and t.relkind in ('r', 'p')
      and c.attnum > 0 and not c.attisdropped";

const SQLITE_PRIMARY_KEYS: &str = "
    select t.name, c.name
    from sqlite_master t join pragma_table_xinfo(t.name) c
    where t.type = 'table' and t.name not like 'sqlite_%' and c.pk > 0
    order by t.name, c.pk";

const POSTGRES_PRIMARY_KEYS: &str = "
    select t.relname::text, c.attname::text
    from pg_constraint k
    join pg_class t on t.oid = k.conrelid
    cross join unnest(k.conkey) with ordinality as place (attnum, nth)
    join pg_attribute c on c.attrelid = t.oid and c.attnum = place.attnum
    where t.relnamespace = 'public'::regnamespace and k.contype = 'p'
    order by t.relname, place.nth";

const SQLITE_INDEXES: &str = "
    select t.name, i.name, i.origin = 'u', i.\"unique\" = 1, i.partial = 1,
        coalesce(c.name, '(expression)')
    from sqlite_master t join pragma_index_list(t.name) i join pragma_index_info(i.name) c
    where t.type = 'table' and t.name not like 'sqlite_%' and i.origin <> 'pk'
    order by t.name, i.name, c.seqno";

const POSTGRES_INDEXES: &str = "
    select t.relname::text, n.relname::text,
        exists (select from pg_constraint k where k.conindid = i.indexrelid and k.contype = 'u'),
        i.indisunique, i.indpred is not null, coalesce(c.attname::text, '(expression)')
    from pg_index i
    join pg_class t on t.oid = i.indrelid
    join pg_class n on n.oid = i.indexrelid
    cross join unnest(i.indkey) with ordinality as place (attnum, nth)
    left join pg_attribute c on c.attrelid = t.oid and c.attnum = place.attnum and c.attnum > 0
    where t.relnamespace = 'public'::regnamespace and not i.indisprimary
      and place.nth <= i.indnkeyatts
    order by t.relname, n.relname, place.nth";

const SQLITE_FOREIGN_KEYS: &str = "
    select t.name, k.id, k.\"table\", k.\"from\", coalesce(k.\"to\", '(primary key)')
    from sqlite_master t join pragma_foreign_key_list(t.name) k
    where t.type = 'table' and t.name not like 'sqlite_%'";

const POSTGRES_FOREIGN_KEYS: &str = "
    select t.relname::text, k.oid::bigint, there.relname::text, c.attname::text, d.attname::text
    from pg_constraint k
    join pg_class t on t.oid = k.conrelid
    join pg_class there on there.oid = k.confrelid
    cross join unnest(k.conkey, k.confkey) as pair (here, there)
    join pg_attribute c on c.attrelid = k.conrelid and c.attnum = pair.here
    join pg_attribute d on d.attrelid = k.confrelid and d.attnum = pair.there
    where t.relnamespace = 'public'::regnamespace and k.contype = 'f'";

/// Fetches all rows of a statement on either engine's connection.
macro_rules! rows {
    ($connection:expr, $row:ty, $sql:expr) => {
        sqlx::query_as::<_, $row>($sql).fetch_all(&mut *$connection).await.unwrap()
    };
}

impl Schema {
    /// Asks the database.
    pub(crate) async fn read(db: &TestDb) -> Self {
        match db.engine {
            Engine::Sqlite => Self::of_sqlite(&mut db.sqlite().await).await,
            Engine::Postgres => Self::of_postgres(&mut db.postgres().await).await,
        }
    }

    async fn of_sqlite(connection: &mut SqliteConnection) -> Self {
        Self::assembled(
            rows!(connection, Column, SQLITE_COLUMNS),
            rows!(connection, KeyColumn, SQLITE_PRIMARY_KEYS),
            rows!(connection, IndexColumn, SQLITE_INDEXES),
            rows!(connection, KeyPair, SQLITE_FOREIGN_KEYS),
        )
    }

    async fn of_postgres(connection: &mut PgConnection) -> Self {
        Self::assembled(
            rows!(connection, Column, POSTGRES_COLUMNS),
            rows!(connection, KeyColumn, POSTGRES_PRIMARY_KEYS),
            rows!(connection, IndexColumn, POSTGRES_INDEXES),
            rows!(connection, KeyPair, POSTGRES_FOREIGN_KEYS),
        )
    }

    fn assembled(
        columns: Vec<Column>,
        primary_keys: Vec<KeyColumn>,
        indexes: Vec<IndexColumn>,
        foreign_keys: Vec<KeyPair>,
    ) -> Self {
        let mut schema = Self::default();
        for (table, column, required) in columns {
            schema.table(table).columns.insert(column, required);
        }
        for (table, column) in primary_keys {
            schema.table(table).primary_key.push(column);
        }
        let mut by_name: BTreeMap<_, Index> = BTreeMap::new();
        for (table, name, of_constraint, unique, partial, column) in indexes {
            let named = Some(name.clone()).filter(|_| !of_constraint);
            let new = Index { name: named, unique, partial, columns: Vec::new() };
            by_name.entry((table, name)).or_insert(new).columns.push(column);
        }
        for ((table, _), index) in by_name {
            schema.table(table).indexes.push(index);
        }
        let mut by_id: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (table, id, there, from, to) in foreign_keys {
            by_id.entry((table, id, there)).or_default().push((from, to));
        }
        for ((table, _, there), mut columns) in by_id {
            columns.sort();
            schema.table(table).foreign_keys.push(ForeignKey { table: there, columns });
        }
        schema
    }

    fn table(&mut self, name: String) -> &mut Table {
        self.0.entry(name).or_default()
    }
}
