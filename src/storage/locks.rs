//! Locks on identities, held to the end of the transaction.

use super::{Conn, Raw, Result};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The one statement of PostgreSQL's own: SQLite's write lock covers all of this already.
const LOCK: &str = "
    select pg_advisory_xact_lock(k) from (select unnest($1::bigint[]) as k) as keys";

/// What is locked for a person's id at a provider.
#[must_use]
pub fn account(provider: &str, client_id: &str) -> String {
    format!("account:{provider}:{client_id}")
}

/// Locks the identities until the transaction ends. Sorted by hash, so that two transactions
/// that share several can't wait for each other in a ring.
///
/// # Errors
/// When the database fails.
pub async fn lock(conn: &mut Conn<'_>, tenant: Uuid, identities: &[String]) -> Result<()> {
    let identities: Vec<_> = identities.iter().map(|text| (tenant, text.as_str())).collect();
    lock_all(conn, &identities).await
}

/// As [`lock`], for identities of several tenants.
///
/// # Errors
/// When the database fails.
pub async fn lock_all(conn: &mut Conn<'_>, identities: &[(Uuid, &str)]) -> Result<()> {
    if let Raw::Postgres(c) = &mut conn.raw {
        let mut keys: Vec<i64> =
            identities.iter().map(|(tenant, text)| number(*tenant, text)).collect();
        keys.sort_unstable();
        keys.dedup();
        sqlx::query(LOCK).bind(keys).execute(&mut **c).await?;
    }
    Ok(())
}

/// 64 bits of SHA-256: two identities that share them only wait for each other needlessly.
fn number(tenant: Uuid, identity: &str) -> i64 {
    let digest = Sha256::digest([tenant.as_bytes().as_slice(), identity.as_bytes()].concat());
    digest.first_chunk::<8>().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}

/// True where [`lock`] has to be told every identity; SQLite's writer is alone with all of them.
#[must_use]
pub fn are_taken_by_name(conn: &Conn<'_>) -> bool {
    matches!(conn.raw, Raw::Postgres(_))
}
