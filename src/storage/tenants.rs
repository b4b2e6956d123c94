//! Tenants.

use super::installation::bump_registry;
use super::{Conn, Error, Result, execute, fetch_all, fetch_optional, statements};
use crate::domain::channel::DateOrder;
use crate::domain::money::Currency;
use crate::domain::phone::Region;
use crate::domain::tenant::TenantSettings;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

statements! {
    INSERT = "
        insert into tenants (id, slug, name, default_region, timezone, currency, date_order,
            status, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, 'active', $8, $8)
        on conflict do nothing";
    LIST = "
        select id, slug, name, default_region, timezone, currency, date_order, status, created_at
        from tenants order by created_at, id";
    PAGE = "
        select id, slug, name, default_region, timezone, currency, date_order, status, created_at
        from tenants where id < $1 order by id desc limit $2";
    UPDATE = "
        update tenants set slug = $2, name = $3, default_region = $4, timezone = $5,
            currency = $6, date_order = $7, status = $8, updated_at = $9
        where id = $1";
    FIND = "
        select id, slug, name, default_region, timezone, currency, date_order, status, created_at
        from tenants where id = $1";
    FIND_BY_SLUG = "
        select id, slug, name, default_region, timezone, currency, date_order, status, created_at
        from tenants where slug = $1";
}

/// A tenant's row.
#[derive(Clone, Debug, sqlx::FromRow, Serialize, Deserialize)]
pub struct TenantRow {
    /// Its id.
    pub id: Uuid,
    /// Its short name, unique.
    pub slug: String,
    /// Its name.
    pub name: String,
    default_region: String,
    timezone: String,
    currency: String,
    date_order: String,
    /// `active` or `disabled`.
    pub status: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl TenantRow {
    /// How its deliveries are read.
    ///
    /// # Errors
    /// [`Error::Inconsistent`] when the row holds what this service never writes.
    pub fn settings(&self) -> Result<TenantSettings> {
        let bad = |column| Error::Inconsistent { table: "tenants", column };
        Ok(TenantSettings {
            id: self.id,
            slug: self.slug.clone(),
            default_region: Region::parse(&self.default_region).ok_or(bad("default_region"))?,
            timezone: self.timezone.parse().map_err(|_| bad("timezone"))?,
            currency: Currency::parse(&self.currency).ok_or(bad("currency"))?,
            date_order: self.date_order.parse::<DateOrder>().map_err(|_| bad("date_order"))?,
        })
    }
}

/// Inserts a tenant, and the instances hear of it; false when its id or slug exists already.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    conn: &mut Conn<'_>,
    name: &str,
    settings: &TenantSettings,
    now: DateTime<Utc>,
) -> Result<bool> {
    let done = execute!(
        conn,
        INSERT,
        settings.id,
        settings.slug.as_str(),
        name,
        settings.default_region.as_str(),
        settings.timezone.name(),
        settings.currency.as_str(),
        settings.date_order.as_str(),
        now
    )?;
    bump_registry(conn).await?;
    Ok(done == 1)
}

/// All tenants, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn list(conn: &mut Conn<'_>) -> Result<Vec<TenantRow>> {
    Ok(fetch_all!(conn, TenantRow, LIST)?)
}

/// The tenant of this id or slug.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &mut Conn<'_>, id_or_slug: &str) -> Result<Option<TenantRow>> {
    if id_or_slug.contains('\0') {
        // PostgreSQL would refuse the question, where the answer is plain.
        return Ok(None);
    }
    if let Ok(id) = Uuid::try_parse(id_or_slug)
        && let Some(row) = fetch_optional!(conn, TenantRow, FIND, id)?
    {
        return Ok(Some(row));
    }
    Ok(fetch_optional!(conn, TenantRow, FIND_BY_SLUG, id_or_slug)?)
}

/// Tenants before `before`, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn page(conn: &mut Conn<'_>, before: Uuid, limit: i64) -> Result<Vec<TenantRow>> {
    Ok(fetch_all!(conn, TenantRow, PAGE, before, limit)?)
}

/// Writes what a tenant is; the instances hear of it.
///
/// # Errors
/// When the database fails; a conflict when the slug is another's.
pub async fn update(
    conn: &mut Conn<'_>,
    name: &str,
    status: &str,
    settings: &TenantSettings,
    now: DateTime<Utc>,
) -> Result<()> {
    execute!(
        conn,
        UPDATE,
        settings.id,
        settings.slug.as_str(),
        name,
        settings.default_region.as_str(),
        settings.timezone.name(),
        settings.currency.as_str(),
        settings.date_order.as_str(),
        status,
        now
    )?;
    bump_registry(conn).await
}
