//! Facts of the installation as a whole: the master key's canary and the registry's version.

use super::seal::{MasterKey, SealError, Sealed};
use super::{Conn, Result, execute, fetch_optional, statements};

statements! {
    FIND = "select value, number from installation where name = $1";
    PUT_CANARY = "
        insert into installation (name, value) values ('master_key_canary', $1)
        on conflict (name) do nothing";
    TOUCH = "update installation set number = number where name = 'registry_version'";
    BUMP = "update installation set number = number + 1 where name = 'registry_version'";
}

const CANARY: &[u8] = b"bookhook";
const PLACE: &str = "installation/master_key_canary";

/// What checking the master key against the database found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyCheck {
    /// It is the key that this database's secrets are sealed under.
    Fits,
    /// The database has no secrets yet: any key will do.
    Fresh,
}

/// Checks that `key` is the one this database was first used with, and remembers it at first use.
///
/// # Errors
/// [`SealError::OtherKey`] (as [`super::Error::Seal`]) when it is another.
pub async fn claim_key(conn: &mut Conn<'_>, key: &MasterKey) -> Result<()> {
    if check_key(conn, key).await? == KeyCheck::Fresh {
        let sealed = key.seal(CANARY, PLACE)?;
        let text = format!("{}:{}", sealed.key_id, hex::encode(&sealed.bytes));
        execute!(conn, PUT_CANARY, text)?;
        // Two instances may start at once with different keys: the second sees the first's.
        check_key(conn, key).await?;
    }
    Ok(())
}

/// Checks `key` against the canary without writing one.
///
/// # Errors
/// [`SealError::OtherKey`] (as [`super::Error::Seal`]) when it is another.
pub async fn check_key(conn: &mut Conn<'_>, key: &MasterKey) -> Result<KeyCheck> {
    let Some((text, _)) = fetch_optional!(conn, (String, i64), FIND, "master_key_canary")? else {
        return Ok(KeyCheck::Fresh);
    };
    let (key_id, bytes) = text.split_once(':').ok_or(SealError::Broken)?;
    let bytes = hex::decode(bytes).map_err(|_| SealError::Broken)?;
    key.open(&Sealed { key_id: key_id.to_owned(), bytes }, PLACE)?;
    Ok(KeyCheck::Fits)
}

/// A number that grows whenever a tenant, connection or secret changes anywhere.
///
/// # Errors
/// When the database fails.
pub async fn registry_version(conn: &mut Conn<'_>) -> Result<i64> {
    let row = fetch_optional!(conn, (String, i64), FIND, "registry_version")?;
    Ok(row.map_or(0, |(_, number)| number))
}

/// Writes a row as it is: fails where the database can be read and not written to.
///
/// # Errors
/// When the database fails.
pub async fn touch(conn: &mut Conn<'_>) -> Result<()> {
    execute!(conn, TOUCH)?;
    Ok(())
}

/// Tells every instance that a tenant, connection or secret changed.
///
/// # Errors
/// When the database fails.
pub async fn bump_registry(conn: &mut Conn<'_>) -> Result<()> {
    execute!(conn, BUMP)?;
    Ok(())
}
