//! Log lines, to standard error, as text or JSON; and counters, for `/metrics`. Nothing personal
//! goes in, and no tenant: labels are words of closed lists.

use crate::config::LogFormat;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::io::IsTerminal as _;
use std::sync::OnceLock;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// Starts logging; a second call in one process changes nothing.
///
/// `filter` is a level or a filter (`info,bookhook::tracking=debug`); one that can't be read
/// becomes `info`. The database library's statements stay out below warnings.
pub fn start(filter: &str, format: LogFormat) {
    let filter = format!("{filter},sqlx=warn");
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A second start, in one process, finds a logger already and leaves it.
    let started = match format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging runs already");
    }
}

const BUILD: &str = "bookhook_build_info";
const DELIVERIES: &str = "bookhook_deliveries_total";
const SECONDS: &str = "bookhook_delivery_duration_seconds";
const EVENTS: &str = "bookhook_events_total";
const SPOOL_TAKING: &str = "bookhook_spool_taking";
const SPOOL_DELIVERIES: &str = "bookhook_spool_deliveries";
const SPOOL_BYTES: &str = "bookhook_spool_bytes";
const SPOOL_OLDEST: &str = "bookhook_spool_oldest_seconds";
const REFUSED: &str = "bookhook_failed_authentications_total";

/// Seconds, the finest where a good answer lies.
const BUCKETS: &[f64] =
    &[0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];

/// The counters of this process.
static COUNTERS: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Starts counting; a second call in one process changes nothing.
pub fn start_counting() {
    COUNTERS.get_or_init(|| {
        let seconds = Matcher::Full(SECONDS.to_owned());
        let recorder = PrometheusBuilder::new().set_buckets_for_metric(seconds, BUCKETS).ok()?;
        let recorder = recorder.build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).ok()?;
        describe_counter!(DELIVERIES, "Deliveries, by the status they were answered with");
        describe_histogram!(SECONDS, "From the head of a delivery to its answer");
        describe_counter!(EVENTS, "Events that deliveries told, by what became of them");
        describe_counter!(REFUSED, "Deliveries and handshakes without a good credential");
        describe_gauge!(SPOOL_TAKING, "1 while deliveries go to the spool: the database is away");
        describe_gauge!(SPOOL_DELIVERIES, "Events that wait in the spool");
        describe_gauge!(SPOOL_BYTES, "Room that they take");
        describe_gauge!(SPOOL_OLDEST, "How long the oldest of them has waited");
        describe_gauge!(BUILD, "1, with the version that runs");
        gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Some(handle)
    });
}

/// The counters as Prometheus reads them; empty before they were started.
#[must_use]
pub fn counters() -> String {
    COUNTERS.get().and_then(Option::as_ref).map(PrometheusHandle::render).unwrap_or_default()
}

/// Tidies the counters up: to be called every few seconds, read or not.
pub fn keep_counters() {
    if let Some(Some(handle)) = COUNTERS.get() {
        handle.run_upkeep();
    }
}

/// Counts a delivery that was answered.
pub fn count_delivery(source: &'static str, status: u16, took: Duration) {
    counter!(DELIVERIES, "source" => source, "status" => status.to_string()).increment(1);
    histogram!(SECONDS, "source" => source).record(took.as_secs_f64());
}

/// Counts an event of a delivery.
pub fn count_event(source: &'static str, outcome: &'static str) {
    counter!(EVENTS, "source" => source, "outcome" => outcome).increment(1);
}

/// Counts a delivery or handshake that nothing vouched for.
pub fn count_refused(source: &'static str) {
    counter!(REFUSED, "source" => source).increment(1);
}

/// Shows how it stands with the spool.
pub fn show_spool(taking: bool, deliveries: u64, bytes: u64, oldest_seconds: i64) {
    gauge!(SPOOL_TAKING).set(f64::from(u8::from(taking)));
    gauge!(SPOOL_DELIVERIES).set(number(deliveries));
    gauge!(SPOOL_BYTES).set(number(bytes));
    gauge!(SPOOL_OLDEST).set(number(oldest_seconds.unsigned_abs()));
}

/// A number as a gauge has it: exact up to four thousand millions, beyond that as many.
fn number(count: u64) -> f64 {
    let (high, low) = (count >> 32, count & u64::from(u32::MAX));
    let part = |n: u64| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    part(high).mul_add(4_294_967_296.0, part(low))
}

/// Counts what a source tells of the state of messages: `sent`, `delivered`, `read`.
pub fn count_statuses(source: &'static str, statuses: &[(&'static str, u64)]) {
    for (status, count) in statuses {
        let name = format!("bookhook_{source}_statuses_total");
        counter!(name, "status" => *status).increment(*count);
    }
}
