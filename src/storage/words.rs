//! The words by which clients are found.

use super::bulk::{Rows, bulk};
use super::clients::ClientRow;
use super::{Conn, Db, Result, execute, fetch_all, fetch_optional, statements};
use uuid::Uuid;

/// How many clients of an older program are filled in one transaction.
const FILLED_AT_ONCE: usize = 500;

statements! {
    DELETE = "delete from client_words where tenant_id = $1 and client_id = $2";
    IS_FILLED = "select number from installation where name = 'client_words'";
    FILLED = "update installation set number = 1 where name = 'client_words'";
    LIST_UNFILLED = "
        select tenant_id, id from clients where sort_name is null limit $1";
    FILL = "
        update clients set sort_name = $3, last_booking_order = $4
        where tenant_id = $1 and id = $2";
    FIND = "
        select id, phone, whatsapp_id, first_name, last_name, email, status,
            first_interaction_source, first_interaction_at, first_booking_at, last_booking_at,
            provenance, set_by_person, bookings_count, spent_minor, version, created_at, updated_at
        from clients where tenant_id = $1 and id = $2";
}

bulk! {
    INSERT(tenant_id Uuid, client_id Uuid, word Bytes) = "
        insert into client_words (tenant_id, client_id, word)
        select tenant_id, client_id, word from k where true on conflict do nothing";
    DELETE_MANY(tenant_id Uuid, client_id Uuid) = "
        delete from client_words where (tenant_id, client_id) in (
            select tenant_id, client_id from k)";
}

/// Writes the words of a client; those that it has are left.
///
/// # Errors
/// When the database fails.
pub async fn write(
    conn: &mut Conn<'_>,
    tenant: Uuid,
    client: Uuid,
    words: &[String],
) -> Result<()> {
    INSERT.run(conn.written().await?, rows(tenant, client, words)).await?;
    Ok(())
}

/// The words of a client as the statements take them.
pub(super) fn rows(tenant: Uuid, client: Uuid, words: &[String]) -> Rows<'_> {
    let mut rows = Rows::default();
    for word in words {
        rows.push([tenant.into(), client.into(), word.as_bytes().into()]);
    }
    rows
}

/// Removes all words of a client.
///
/// # Errors
/// When the database fails.
pub async fn delete(conn: &mut Conn<'_>, tenant: Uuid, client: Uuid) -> Result<()> {
    execute!(conn, DELETE, tenant, client)?;
    Ok(())
}

/// Writes words and places of the clients that an older program stored; once for a database.
///
/// # Errors
/// When the database fails; what is filled stays, and the next start goes on.
pub async fn fill(db: &Db) -> Result<()> {
    let mut reader = db.reader().await?;
    let state = fetch_optional!(&mut reader.conn(), (i64,), IS_FILLED)?;
    drop(reader);
    if state.is_none_or(|(number,)| number == 1) {
        return Ok(());
    }
    while fill_some(db).await? == FILLED_AT_ONCE {}
    let mut tx = db.begin().await?;
    execute!(&mut tx.conn(), FILLED)?;
    tx.commit().await
}

async fn fill_some(db: &Db) -> Result<usize> {
    let mut tx = db.begin().await?;
    let conn = &mut tx.conn();
    let most = i64::try_from(FILLED_AT_ONCE).unwrap_or(i64::MAX);
    let unfilled = fetch_all!(conn, (Uuid, Uuid), LIST_UNFILLED, most)?;
    for (tenant, id) in &unfilled {
        let Some(row) = fetch_optional!(conn, ClientRow, FIND, *tenant, *id)? else { continue };
        write(conn, *tenant, *id, &row.words()).await?;
        execute!(conn, FILL, *tenant, *id, row.sort_name(), row.last_booking_order())?;
    }
    tx.commit().await?;
    Ok(unfilled.len())
}
