//! Many rows in one statement.
//!
//! A statement's text begins where the rows are there already, as `k`: on PostgreSQL they travel
//! as one array a column, so that one prepared statement serves any number of them; on SQLite,
//! which has no arrays, as so many values, in portions of a few sizes for which it is prepared.

use super::{Error, Raw, Result};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, FromRow};
use std::borrow::Cow;
use std::sync::OnceLock;
use uuid::Uuid;

/// The sizes of SQLite's portions.
const PORTIONS: [usize; 6] = [32, 16, 8, 4, 2, 1];

/// What a column of the rows holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Uuid,
    Text,
    Bytes,
    Time,
    Number,
}

impl Kind {
    fn postgres(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::Text => "text",
            Self::Bytes => "bytea",
            Self::Time => "timestamptz",
            Self::Number => "bigint",
        }
    }
}

/// One value of a row.
#[derive(Clone, Debug)]
pub(super) enum Value<'v> {
    Uuid(Option<Uuid>),
    Text(Option<Cow<'v, str>>),
    Bytes(Option<Cow<'v, [u8]>>),
    Time(Option<DateTime<Utc>>),
    Number(Option<i64>),
}

impl Value<'_> {
    /// The same, with what it borrowed as its own.
    fn into_owned(self) -> Value<'static> {
        match self {
            Self::Uuid(value) => Value::Uuid(value),
            Self::Text(value) => Value::Text(value.map(|text| Cow::Owned(text.into_owned()))),
            Self::Bytes(value) => Value::Bytes(value.map(|bytes| Cow::Owned(bytes.into_owned()))),
            Self::Time(value) => Value::Time(value),
            Self::Number(value) => Value::Number(value),
        }
    }
}

/// Makes values of what rows are made of.
macro_rules! values {
    ($($of:ty => $kind:ident($value:ident) $made:expr;)+) => {
        $(
            impl<'v> From<$of> for Value<'v> {
                fn from($value: $of) -> Self {
                    Self::$kind(Some($made))
                }
            }
            impl<'v> From<Option<$of>> for Value<'v> {
                fn from(value: Option<$of>) -> Self {
                    Self::$kind(value.map(|$value| $made))
                }
            }
        )+
    };
}

values! {
    Uuid => Uuid(value) value;
    &'v str => Text(value) Cow::Borrowed(value);
    String => Text(value) Cow::Owned(value);
    Cow<'v, str> => Text(value) value;
    &'v [u8] => Bytes(value) Cow::Borrowed(value);
    Cow<'v, [u8]> => Bytes(value) value;
    Vec<u8> => Bytes(value) Cow::Owned(value);
    DateTime<Utc> => Time(value) value;
    i64 => Number(value) value;
    i32 => Number(value) i64::from(value);
    i16 => Number(value) i64::from(value);
}

/// Rows of one statement.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows<'v> {
    values: Vec<Value<'v>>,
    count: usize,
}

impl<'v> Rows<'v> {
    /// One row.
    pub(super) fn one<const N: usize>(row: [Value<'v>; N]) -> Self {
        Self { values: row.into(), count: 1 }
    }

    /// Adds a row, which has as many values as the statement has columns.
    pub(super) fn push<const N: usize>(&mut self, row: [Value<'v>; N]) {
        self.values.extend(row);
        self.count += 1;
    }

    /// Adds rows of the same statement.
    pub(super) fn extend(&mut self, other: Self) {
        self.values.extend(other.values);
        self.count += other.count;
    }

    pub(super) fn into_owned(self) -> Rows<'static> {
        let values = self.values.into_iter().map(Value::into_owned).collect();
        Rows { values, count: self.count }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// A statement over many rows.
pub(super) struct Bulk {
    columns: &'static [(&'static str, Kind)],
    sql: &'static str,
    postgres: OnceLock<&'static str>,
    sqlite: [OnceLock<&'static str>; PORTIONS.len()],
}

impl Bulk {
    /// A statement over rows `k` of these columns.
    pub(super) const fn new(columns: &'static [(&'static str, Kind)], sql: &'static str) -> Self {
        let sqlite = [const { OnceLock::new() }; PORTIONS.len()];
        Self { columns, sql, postgres: OnceLock::new(), sqlite }
    }

    /// The whole text on PostgreSQL. It is made once, and lives as long as the process.
    pub(super) fn on_postgres(&self) -> &'static str {
        self.postgres.get_or_init(|| leaked(self.numbered_from(1)))
    }

    /// The whole text on PostgreSQL, its arrays numbered from `first`.
    fn numbered_from(&self, first: usize) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let kinds = self.columns.iter().zip(first..);
        let arrays: Vec<String> =
            kinds.map(|((_, kind), n)| format!("${n}::{}[]", kind.postgres())).collect();
        let (names, arrays, sql) = (names.join(", "), arrays.join(", "), self.sql);
        format!("with k({names}) as (select * from unnest({arrays})) {sql}")
    }

    /// The whole text on SQLite, for one of the [`PORTIONS`].
    fn on_sqlite(&self, portion: usize) -> &'static str {
        let place = PORTIONS.iter().position(|size| *size == portion);
        let text = || {
            let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
            let row = format!("({})", vec!["?"; self.columns.len()].join(", "));
            let (names, rows, sql) = (names.join(", "), vec![&*row; portion].join(", "), self.sql);
            leaked(format!("with k({names}) as (values {rows}) {sql}"))
        };
        match place.and_then(|place| self.sqlite.get(place)) {
            Some(known) => known.get_or_init(text),
            None => text(),
        }
    }

    /// The text for one row, on an engine: for the tests that prepare every statement.
    pub(super) fn text(&self, engine: &str) -> &'static str {
        if engine == "postgres" { self.on_postgres() } else { self.on_sqlite(1) }
    }

    /// Runs it, and says how many rows it touched.
    pub(super) async fn run(&self, raw: &mut Raw<'_>, rows: Rows<'_>) -> Result<u64> {
        if rows.is_empty() {
            return Ok(0);
        }
        match raw {
            Raw::Postgres(c) => {
                let mut arguments = PgArguments::default();
                self.add_arrays(&rows, &mut arguments)?;
                let query = sqlx::query_with(self.on_postgres(), arguments);
                Ok(query.execute(&mut **c).await?.rows_affected())
            }
            Raw::Sqlite(c) => {
                let mut done = 0;
                for (portion, arguments) in self.portions(rows)? {
                    let query = sqlx::query_with(self.on_sqlite(portion), arguments);
                    done += query.execute(&mut **c).await?.rows_affected();
                }
                Ok(done)
            }
        }
    }

    /// Runs it, and reads what it answers.
    pub(super) async fn fetch<T>(&self, raw: &mut Raw<'_>, rows: Rows<'_>) -> Result<Vec<T>>
    where
        T: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
    {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        match raw {
            Raw::Postgres(c) => {
                let mut arguments = PgArguments::default();
                self.add_arrays(&rows, &mut arguments)?;
                let query = sqlx::query_as_with(self.on_postgres(), arguments);
                Ok(query.fetch_all(&mut **c).await?)
            }
            Raw::Sqlite(c) => {
                let mut found = Vec::new();
                for (portion, arguments) in self.portions(rows)? {
                    let query = sqlx::query_as_with(self.on_sqlite(portion), arguments);
                    found.extend(query.fetch_all(&mut **c).await?);
                }
                Ok(found)
            }
        }
    }

    /// Adds one array a column.
    fn add_arrays(&self, rows: &Rows<'_>, arguments: &mut PgArguments) -> Result<()> {
        /// The values of one column.
        macro_rules! column {
            ($values:expr, $kind:ident $(, $as:ident)?) => {
                $values.map(|value| match value {
                    Value::$kind(value) => value$(.$as())?,
                    _ => None,
                })
                .collect::<Vec<_>>()
            };
        }
        for (place, (_, kind)) in self.columns.iter().enumerate() {
            let values = rows.values.iter().skip(place).step_by(self.columns.len());
            let added = match kind {
                Kind::Uuid => arguments.add(column!(values.cloned(), Uuid)),
                Kind::Text => arguments.add(column!(values, Text, as_deref)),
                Kind::Bytes => arguments.add(column!(values, Bytes, as_deref)),
                Kind::Time => arguments.add(column!(values.cloned(), Time)),
                Kind::Number => arguments.add(column!(values.cloned(), Number)),
            };
            added.map_err(unwritable)?;
        }
        Ok(())
    }

    /// The rows in portions, each with its size.
    fn portions(&self, rows: Rows<'_>) -> Result<Vec<(usize, SqliteArguments)>> {
        let (mut left, mut portions) = (rows.count, Vec::new());
        let mut values = rows.values.into_iter();
        for portion in PORTIONS {
            while left >= portion {
                let mut arguments = SqliteArguments::default();
                for value in values.by_ref().take(portion * self.columns.len()) {
                    let added = match value {
                        Value::Uuid(value) => arguments.add(value),
                        Value::Text(value) => arguments.add(value.map(Cow::into_owned)),
                        Value::Bytes(value) => arguments.add(value.map(Cow::into_owned)),
                        Value::Time(value) => arguments.add(value),
                        Value::Number(value) => arguments.add(value),
                    };
                    added.map_err(unwritable)?;
                }
                portions.push((portion, arguments));
                left -= portion;
            }
        }
        Ok(portions)
    }
}

impl Raw<'_> {
    /// The connection, if it is one to a server.
    fn postgres(&mut self) -> Option<&mut PgConnection> {
        match self {
            Self::Postgres(c) => Some(c),
            Self::Sqlite(_) => None,
        }
    }
}

/// From how many statements on it pays to make them one.
const WORTH_FUSING: usize = 3;

/// Several statements that only write: one statement on PostgreSQL, since each costs as much as
/// some rows do. None of them may read what another writes. That a row is referred to which
/// another of them writes is no matter: the server looks at references when all are through.
pub(super) struct Fused<const N: usize> {
    parts: [&'static Bulk; N],
    postgres: OnceLock<&'static str>,
}

impl<const N: usize> Fused<N> {
    /// These statements, written in this order where it takes several. The first one's rows are
    /// counted, and it has to say `returning 1` for that.
    pub(super) const fn new(parts: [&'static Bulk; N]) -> Self {
        Self { parts, postgres: OnceLock::new() }
    }

    /// The whole text on PostgreSQL.
    pub(super) fn on_postgres(&self) -> &'static str {
        self.postgres.get_or_init(|| {
            let mut first = 1;
            let part = |(n, bulk): (usize, &&Bulk)| {
                let text = format!("w{n} as ({})", bulk.numbered_from(first));
                first += bulk.columns.len();
                text
            };
            let parts: Vec<String> = self.parts.iter().enumerate().map(part).collect();
            leaked(format!("with {} select count(*) from w0", parts.join(", ")))
        })
    }

    /// Runs them with the rows of each, and says how many rows the first touched.
    pub(super) async fn run(&self, raw: &mut Raw<'_>, rows: [Rows<'_>; N]) -> Result<u64> {
        let several = rows.iter().filter(|rows| !rows.is_empty()).count() >= WORTH_FUSING;
        let Some(c) = raw.postgres().filter(|_| several) else {
            let mut done = Vec::with_capacity(N);
            for (bulk, rows) in self.parts.iter().zip(rows) {
                done.push(bulk.run(raw, rows).await?);
            }
            return Ok(done.first().copied().unwrap_or_default());
        };
        let mut arguments = PgArguments::default();
        for (bulk, rows) in self.parts.iter().zip(&rows) {
            bulk.add_arrays(rows, &mut arguments)?;
        }
        let (count,): (i64,) =
            sqlx::query_as_with(self.on_postgres(), arguments).fetch_one(c).await?;
        Ok(count.unsigned_abs())
    }
}

fn unwritable(error: sqlx::error::BoxDynError) -> Error {
    Error::Refused(sqlx::Error::Encode(error))
}

fn leaked(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// Names a file's statements over many rows, each with its columns, and lists them in `BULK`.
macro_rules! bulk {
    ($($name:ident($($column:ident $kind:ident),+ $(,)?) = $sql:expr;)+) => {
        $(pub(super) static $name: $crate::storage::bulk::Bulk = $crate::storage::bulk::Bulk::new(
            &[$((stringify!($column), $crate::storage::bulk::Kind::$kind)),+],
            $sql,
        );)+
        /// Every statement over many rows of this file, by name.
        pub(super) const BULK: &[(&str, &$crate::storage::bulk::Bulk)] =
            &[$((stringify!($name), &$name)),+];
    };
}

pub(super) use bulk;
