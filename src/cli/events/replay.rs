//! `events replay`.

use super::show::missing;
use crate::cli::desk::{Desk, find_tenant};
use crate::cli::error::{Error, Result};
use crate::cli::print::Record;
use crate::sources::{self, Delivery, Headers, Item, Source, fields};
use crate::storage::events::{self, EventRow};
use crate::storage::inbox;
use crate::tracking::answer::Answer;
use crate::tracking::{Taken, Tracker};
use clap::Args;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// Shown below the help.
pub(super) const EXAMPLES: &str = "\
Examples:
  Say which service was meant, where the call did not
    bookhook events replay 0198c2f4-… --set serviceName=\"Gel nails\"
  Correct a phone number and the start
    bookhook events replay 0198c2f4-… --set customerPhone=+353871234567 \\
        --set appointmentDateTime=2027-04-02T15:00
  Read everything that needs review again, after a correction of the program
    bookhook events list --status needs_review --json | jq -r '.[].id' \\
        | xargs bookhook events replay";

/// Events to read again.
#[derive(Args, Debug)]
pub(in crate::cli) struct Replay {
    /// The events' ids
    #[arg(required = true, value_name = "ID")]
    ids: Vec<Uuid>,
    /// What a person supplies, by the names of `UnifiedBookingData`; replaces what the body says
    #[arg(long, value_name = "FIELD=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
}

/// Reads each event again, and prints the answers.
pub(super) async fn run(desk: &Desk, replay: Replay) -> Result<()> {
    let tracker = Tracker::new(desk.db.clone(), desk.key.clone(), desk.clock.clone());
    let mut records = Vec::new();
    for id in &replay.ids {
        let answer = one(desk, &tracker, *id, &replay.set).await?;
        records.push(record(*id, &answer));
    }
    let shown = ["eventId", "outcome", "reason", "clientId", "bookingId"];
    Ok(desk.printer.list(&records, &shown)?)
}

async fn one(desk: &Desk, tracker: &Tracker, id: Uuid, set: &[(String, String)]) -> Result<Answer> {
    let mut reader = desk.db.reader().await?;
    let conn = &mut reader.conn();
    let Some(row) = events::find_anywhere(conn, id).await? else {
        let in_inbox = inbox::find(conn, id).await?.is_some();
        return Err(if in_inbox { of_nobody(id) } else { missing(id) });
    };
    let tenant = find_tenant(conn, &row.tenant_id.to_string()).await?.settings()?;
    drop(reader);
    let overrides = overrides(&row, set)?;
    let source = sources::find(&row.source);
    let source = source.ok_or_else(|| Error::refused("this program does not know its source"))?;
    let taken = Taken {
        tenant: Arc::new(tenant),
        connection_id: row.connection_id,
        source,
        item: item(source, &row)?,
        path: source.path().to_owned(),
        headers: row.headers,
        received_at: row.received_at,
        held: None,
    };
    Ok(tracker.replay(&taken, id, &overrides).await?)
}

/// What was supplied before, and what is supplied now.
fn overrides(row: &EventRow, set: &[(String, String)]) -> Result<BTreeMap<String, String>> {
    let stored = row.overrides.as_deref().map(serde_json::from_str).transpose();
    let unreadable = format!("what was supplied for the event {} before can't be read", row.id);
    let mut all: BTreeMap<_, _> =
        stored.map_err(|_| Error::Refused(unreadable))?.unwrap_or_default();
    all.extend(set.iter().cloned());
    Ok(all)
}

/// The event as its source cut it out, told when it was told.
fn item(source: &dyn Source, row: &EventRow) -> Result<Item> {
    let mut headers = Headers::default();
    let kept = serde_json::from_str::<BTreeMap<String, String>>(&row.headers).unwrap_or_default();
    for (name, value) in &kept {
        headers.insert(name, value);
    }
    let delivery = Delivery { body: &row.raw, headers: &headers, received_at: row.received_at };
    let items = source.split(&delivery).map_err(|malformed| {
        let detail = malformed.problem.detail;
        Error::Refused(format!("nothing can be read from the event {}: {detail}", row.id))
    })?;
    let [item] = <[Item; 1]>::try_from(items).map_err(|items| {
        Error::Refused(format!("the event {} reads as {} events, not one", row.id, items.len()))
    })?;
    Ok(Item { occurred_at: row.occurred_at, ..item })
}

fn of_nobody(id: Uuid) -> Error {
    Error::Refused(format!(
        "the event {id} belongs to no tenant; give its account to a connection with \
         `bookhook connection add --account`, and have it sent again"
    ))
}

fn record(id: Uuid, answer: &Answer) -> Record {
    Record::default()
        .with("eventId", id)
        .with("success", answer.success)
        .with("outcome", answer.outcome)
        .with("reason", &answer.reason)
        .with("problems", &answer.problems)
        .with("clientId", answer.client_id)
        .with("bookingId", answer.booking_id)
        .with("isNewClient", answer.is_new_client)
        .with("bookings", &answer.bookings)
}

/// Reads `field=value`; the names are those of `UnifiedBookingData`.
fn assignment(text: &str) -> std::result::Result<(String, String), String> {
    let known = fields::settable_names();
    let (name, value) = text.split_once('=').ok_or("write FIELD=VALUE")?;
    if !known.contains(&name) {
        return Err(format!("there is no field \"{name}\"; there are {}", known.join(", ")));
    }
    Ok((name.to_owned(), value.to_owned()))
}
