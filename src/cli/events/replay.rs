//! `events replay`.

use super::show::missing;
use crate::cli::args::{self, one_of};
use crate::cli::desk::Desk;
use crate::cli::error::{Error, Result};
use crate::cli::print::Record;
use crate::domain::channel::EventStatus;
use crate::sources::{Source, fields};
use crate::storage::events::{self, EventFilter};
use crate::storage::inbox;
use crate::tracking::Tracker;
use crate::tracking::again::HELD;
use crate::tracking::answer::Answer;
use clap::Args;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Shown below the help.
pub(super) const EXAMPLES: &str = "\
Examples:
  Say which service was meant, where the call did not
    bookhook events replay 0198c2f4-… --set serviceName=\"Gel nails\"
  Correct a phone number and the start
    bookhook events replay 0198c2f4-… --set customerPhone=+353871234567 \\
        --set appointmentDateTime=2027-04-02T15:00
  Read everything of a source that needs review again, after a change of its field map
    bookhook events replay --status needs_review --source retell --tenant glow-studio";

/// How many events are listed at a time.
const PAGE: i64 = 500;

/// Events to read again.
#[derive(Args, Debug)]
pub(in crate::cli) struct Replay {
    /// The events' ids
    #[arg(required_unless_present = "status", value_name = "ID")]
    ids: Vec<Uuid>,
    /// What a person supplies, by the names of `UnifiedBookingData`; replaces what the body says
    #[arg(long, value_name = "FIELD=VALUE", value_parser = assignment, conflicts_with = "status")]
    set: Vec<(String, String)>,
    /// All events in this state, the oldest first, but for those held back for a person to see
    #[arg(long, conflicts_with = "ids", value_parser = one_of::<EventStatus>(EventStatus::ALL.iter().map(|w| w.as_str())))]
    status: Option<EventStatus>,
    /// Of those, only this source's
    #[arg(long, requires = "status", value_parser = args::source())]
    source: Option<&'static dyn Source>,
    /// Of those, only this tenant's, by id or slug
    #[arg(long, requires = "status")]
    tenant: Option<String>,
}

/// Reads each event again, and prints the answers. What stands in the way of one of several is
/// printed in its place.
pub(super) async fn run(desk: &Desk, replay: Replay) -> Result<()> {
    let tracker = Tracker::new(desk.db.clone(), desk.key.clone(), desk.clock.clone());
    let set: BTreeMap<String, String> = replay.set.iter().cloned().collect();
    let ids = if replay.status.is_some() { chosen(desk, &replay).await? } else { replay.ids };
    let (mut records, mut failed) = (Vec::new(), false);
    for id in &ids {
        match one(desk, &tracker, *id, &set).await {
            Ok(answer) => records.push(record(*id, &answer)),
            Err(Error::Refused(sentence)) if replay.status.is_some() || ids.len() > 1 => {
                failed = true;
                records.push(Record::default().with("eventId", id).with("error", sentence));
            }
            Err(error) => return Err(error),
        }
    }
    let shown = ["eventId", "outcome", "reason", "clientId", "bookingId"];
    let shown = if failed { [&shown[..], &["error"]].concat() } else { shown.to_vec() };
    desk.printer.list(&records, &shown)?;
    if failed { Err(Error::Told) } else { Ok(()) }
}

/// The ids of the events that are in the wanted state now.
async fn chosen(desk: &Desk, replay: &Replay) -> Result<Vec<Uuid>> {
    let only = desk.tenant_if(replay.tenant.as_deref()).await?.map(|row| row.id);
    let tenants: Vec<Uuid> = match only {
        Some(tenant) => vec![tenant],
        None => desk.slugs().await?.into_keys().collect(),
    };
    let source = replay.source.map(|source| source.name().to_owned());
    let filter = EventFilter { status: replay.status, source };
    let mut ids = Vec::new();
    for tenant in tenants {
        ids.extend(of_tenant(desk, tenant, &filter).await?);
    }
    // Ids are made in the order of arrival.
    ids.sort();
    Ok(ids)
}

async fn of_tenant(desk: &Desk, tenant: Uuid, filter: &EventFilter) -> Result<Vec<Uuid>> {
    let mut reader = desk.db.reader().await?;
    let (mut ids, mut before) = (Vec::new(), Uuid::max());
    loop {
        let page = events::list(&mut reader.conn(), tenant, filter, before, PAGE).await?;
        let Some(last) = page.last() else { return Ok(ids) };
        before = last.id;
        let held = |reason: &Option<String>| {
            reason.as_deref().is_some_and(|reason| HELD.contains(&reason))
        };
        ids.extend(page.iter().filter(|row| !held(&row.reason)).map(|row| row.id));
    }
}

async fn one(
    desk: &Desk,
    tracker: &Tracker,
    id: Uuid,
    set: &BTreeMap<String, String>,
) -> Result<Answer> {
    let mut reader = desk.db.reader().await?;
    let conn = &mut reader.conn();
    let Some(row) = events::find_anywhere(conn, id).await? else {
        let in_inbox = inbox::find(conn, id).await?.is_some();
        return Err(if in_inbox { of_nobody(id) } else { missing(id) });
    };
    drop(reader);
    Ok(tracker.again(&row, set).await?)
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
