//! The generator of load: one thread, plain sockets, requests written by hand.
//!
//! It shares the machine with what it measures, so it does as little as it can, and says how
//! much processor time it took.

use crate::bodies::Bodies;
use crate::usage;
use bookhook::clock::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How a run goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) connections: u64,
    pub(crate) length: Duration,
    /// Deliveries a second; without it, each connection posts as soon as it is answered.
    pub(crate) pace: Option<f64>,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    pub(crate) rate: f64,
    /// Microseconds of each delivery, sorted.
    took: Vec<u32>,
    /// Processor microseconds of the generator for each delivery.
    pub(crate) generator: f64,
    pub(crate) count: f64,
}

impl Run {
    /// Milliseconds within which so many of a thousand were answered.
    pub(crate) fn at(&self, thousandth: usize) -> f64 {
        let took = self.took.get(self.took.len() * thousandth / 1000).copied().unwrap_or_default();
        f64::from(took) / 1000.0
    }
}

/// What is posted, by whom it is counted, and where to.
#[derive(Clone)]
pub(crate) struct Target {
    address: String,
    bodies: Arc<Bodies>,
    next: Arc<AtomicU64>,
}

impl Target {
    /// Deliveries to the service at `url`.
    pub(crate) fn new(url: &str, bodies: Bodies) -> Self {
        let address = url.trim_start_matches("http://").to_owned();
        Self { address, bodies: Arc::new(bodies), next: Arc::default() }
    }

    /// The same service and count, with other bodies.
    pub(crate) fn with(&self, bodies: Bodies) -> Self {
        Self { bodies: Arc::new(bodies), ..self.clone() }
    }
}

/// When a connection's n-th delivery is due.
fn due(plan: Plan, begun: Instant, connection: u64, nth: u32) -> Option<Instant> {
    let pace = plan.pace?;
    let connections = f64::from(u32::try_from(plan.connections).unwrap());
    let turn = f64::from(u32::try_from(connection).unwrap()) + f64::from(nth) * connections;
    Some(begun + Duration::from_secs_f64(turn / pace))
}

/// Posts over one connection until the time is over.
async fn post(
    mut stream: TcpStream,
    target: Target,
    plan: Plan,
    (begun, connection): (Instant, u64),
) -> Vec<u32> {
    let (clock, until) = (Clock::system(), begun + plan.length);
    let (mut took, mut request, mut answer) = (Vec::new(), Vec::new(), Vec::new());
    for nth in 0.. {
        // Late by the answer before it counts as late: who waits does not know of the other.
        let mut from = Instant::now();
        if let Some(due) = due(plan, begun, connection, nth) {
            tokio::time::sleep_until(due.into()).await;
            from = due;
        }
        if from >= until {
            break;
        }
        let number = target.next.fetch_add(1, Ordering::Relaxed);
        target.bodies.request(number, clock.now(), &mut request);
        let answered = async {
            stream.write_all(&request).await?;
            read_answer(&mut stream, &mut answer).await
        };
        // A delivery that is not answered is a fault of what is measured: never tried again here.
        answered.await.unwrap_or_else(|error| {
            panic!(
                "delivery {number}, the {nth}th on connection {connection} of {}: {error}, \
                 {:.1?} after it was due, {:.1?} after the begin",
                plan.connections,
                from.elapsed(),
                begun.elapsed()
            )
        });
        took.push(u32::try_from(from.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    took
}

/// Reads one answer, and checks that it is the right one.
async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> std::io::Result<()> {
    answer.clear();
    loop {
        let read = stream.read_buf(answer).await?;
        let text = std::str::from_utf8(answer).unwrap_or_default();
        assert!(read > 0, "the service hung up: {text}");
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if length.and_then(|n| n.parse().ok()) == Some(body.len()) {
            let tracked = head.starts_with("HTTP/1.1 200") && body.contains("\"tracked\"");
            assert!(tracked, "{text}");
            return Ok(());
        }
    }
}

/// Runs the load, in a thread of its own.
pub(crate) fn run(target: &Target, plan: Plan) -> Run {
    let target = target.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(all(&target, plan))
    })
    .join()
    .unwrap()
}

async fn all(target: &Target, plan: Plan) -> Run {
    // One after the other, before the clock runs: many at once are more than may wait to be
    // accepted, and stand still for a second.
    let mut streams = Vec::new();
    for connection in 0..plan.connections {
        let stream = TcpStream::connect(&target.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        streams.push((stream, connection));
    }
    let (begun, before) = (Instant::now(), usage::of(std::process::id()));
    let posts = streams.into_iter().map(|(stream, connection)| {
        tokio::spawn(post(stream, target.clone(), plan, (begun, connection)))
    });
    let mut took = Vec::new();
    for one in posts.collect::<Vec<_>>() {
        took.extend(one.await.unwrap());
    }
    let elapsed = begun.elapsed().as_secs_f64();
    let spent = usage::of(std::process::id()) - before;
    took.sort_unstable();
    let count = f64::from(u32::try_from(took.len()).unwrap()).max(1.0);
    Run { rate: count / elapsed, took, generator: spent * 1e6 / count, count }
}
