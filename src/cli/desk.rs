//! What every command that touches the database begins with.

use super::error::{Error, Result};
use super::print::Printer;
use crate::app;
use crate::clock::Clock;
use crate::config::Settings;
use crate::domain::ids;
use crate::storage::seal::MasterKey;
use crate::storage::tenants::{self, TenantRow};
use crate::storage::{Conn, Db, connections};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use uuid::Uuid;

/// An open database of this version, with a platform admin's rights.
pub(super) struct Desk {
    /// The settings in force.
    pub(super) settings: Settings,
    /// The database.
    pub(super) db: Db,
    /// The master key, checked to be the database's.
    pub(super) key: MasterKey,
    /// The time.
    pub(super) clock: Clock,
    /// How results are printed.
    pub(super) printer: Printer,
}

impl Desk {
    /// Opens the database, and brings it to this version first.
    pub(super) async fn open(settings: Settings, clock: Clock, printer: Printer) -> Result<Self> {
        let (db, key) = app::open(&settings).await?;
        app::prepare(&db, &key).await?;
        Ok(Self { settings, db, key, clock, printer })
    }

    /// Now.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// The tenant of this id or slug.
    pub(super) async fn tenant(&self, name: &str) -> Result<TenantRow> {
        let mut reader = self.db.reader().await?;
        find_tenant(&mut reader.conn(), name).await
    }

    /// The tenant that is named, if one is.
    pub(super) async fn tenant_if(&self, name: Option<&str>) -> Result<Option<TenantRow>> {
        match name {
            Some(name) => self.tenant(name).await.map(Some),
            None => Ok(None),
        }
    }

    /// Every tenant's slug by its id.
    pub(super) async fn slugs(&self) -> Result<BTreeMap<Uuid, String>> {
        let mut reader = self.db.reader().await?;
        let rows = tenants::list(&mut reader.conn()).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.slug)).collect())
    }

    /// Where a source's deliveries for a connection are to be posted.
    pub(super) fn webhook_url(&self, path: &str, connection: &str) -> String {
        let listen = || format!("http://{}", self.settings.listen);
        let base = self.settings.public_url.clone().unwrap_or_else(listen);
        format!("{base}{path}/{connection}")
    }
}

/// The tenant of this id or slug.
pub(super) async fn find_tenant(conn: &mut Conn<'_>, name: &str) -> Result<TenantRow> {
    let found = tenants::find(conn, name).await?;
    found.ok_or_else(|| {
        let known = "see `bookhook tenant list`, or make it with `bookhook tenant add`";
        Error::refused(format!("there is no tenant \"{name}\"; {known}"))
    })
}

/// The connection of this public id.
pub(super) async fn find_connection(
    conn: &mut Conn<'_>,
    public_id: &str,
) -> Result<connections::ConnectionRow> {
    let found = connections::find(conn, public_id).await?;
    found.ok_or_else(|| {
        let known = "see `bookhook connection list`";
        Error::refused(format!("there is no connection \"{public_id}\"; {known}"))
    })
}

/// `length` random letters and digits.
pub(super) fn random_text(length: usize) -> Result<String> {
    ids::random_text(length).map_err(|_| Error::NoRandomness)
}
