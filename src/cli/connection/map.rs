//! `connection map`.

use crate::cli::args::read_map;
use crate::cli::desk::{Desk, find_connection};
use crate::cli::error::{Error, Result};
use crate::cli::print::{self, Record};
use crate::storage::connections;
use clap::Args;
use serde_json::Value;

/// Shown below the help.
pub(super) const EXAMPLES: &str = r#"A map says where this connection's callers put what, by the names of UnifiedBookingData
(customerName, appointmentDate and appointmentTime beside them). Of several JSON Pointers the first
that leads to a value wins; /args and /result are a voice agent's tool, /answers a WhatsApp form,
/lines a labelled text, /message a WhatsApp message; any other leads into the event itself.

  {
    "fields": {
      "serviceName": ["/args/behandlung", "/call/metadata/service"],
      "appointmentDate": ["/call/call_analysis/custom_analysis_data/tag"]
    },
    "tools": {"book": ["termin_buchen"], "confirm": [], "change": [], "cancel": [], "ignore": []},
    "confirmed": {
      "field": ["/call/call_analysis/custom_analysis_data/ergebnis"], "values": ["gebucht"]
    },
    "externalBookingProvider": "phorest"
  }

See what it would read with `bookhook understand SOURCE FILE --tenant TENANT --map MAP`; what is in
review already is read by it with `bookhook events replay --status needs_review`."#;

/// Where a connection's callers put what.
#[derive(Args, Debug)]
pub(in crate::cli) struct Map {
    /// The connection's id: cn_…
    id: String,
    /// A file with the new map; - is standard input
    #[arg(long, value_name = "FILE")]
    file: Option<String>,
    /// Take the map away
    #[arg(long, conflicts_with = "file")]
    clear: bool,
}

/// Shows the map, or keeps another: running services read by it within seconds.
pub(super) async fn run(desk: &Desk, map: Map) -> Result<()> {
    let new = map.file.as_deref().map(read_map).transpose()?.map(|(text, _)| text);
    let mut kept = find_connection(&mut desk.db.reader().await?.conn(), &map.id).await?.field_map;
    if new.is_some() || map.clear {
        let mut tx = desk.db.begin().await?;
        let row = find_connection(&mut tx.conn(), &map.id).await?;
        connections::set_field_map(&mut tx.conn(), row.id, new.as_deref(), desk.now()).await?;
        tx.commit().await?;
        kept = new;
    }
    let written = kept.as_deref().map(serde_json::from_str::<Value>).transpose();
    let written = written.map_err(|_| Error::refused("the map that is kept can't be read"))?;
    if desk.printer.json {
        let record = Record::default().with("id", &map.id).with("fieldMap", written);
        return Ok(desk.printer.record(&record)?);
    }
    let shown = written.as_ref().map(serde_json::to_string_pretty).transpose().unwrap_or_default();
    Ok(print::say(shown.as_deref().unwrap_or("none"))?)
}
