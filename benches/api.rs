//! What the REST API's reads take, end to end: the real service in a process of its own, a tenant
//! of 100 000 clients and 500 000 bookings among ten, 16 connections over HTTP on loopback.
//!
//! `cargo bench --bench api` uses SQLite; with `DATABASE_URL` set, that database, which is filled
//! when it is empty, and otherwise taken as an earlier run left it. `API_CLIENTS` (100000),
//! `API_CONNECTIONS` (16) and `API_SECONDS` (3, of each operation) say how much, `API_ONLY` a part
//! of the operations' names. `cpu` is what the service itself computed for a request, whatever else
//! the machine is busy with; what a PostgreSQL computed is not in it. Every line stands beside `/healthz`, which costs a request and nothing else.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a tool: it stops at the first fault"
)]

mod filling;
#[expect(dead_code, reason = "another tool looks at the memory")]
mod service;

use filling::{Size, client_id, email, fill, phone};
use serde_json::Value;
use service::{database, run, serve};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How many tenants share the database.
const TENANTS: u64 = 10;

/// How many bookings each client has.
const EACH: u64 = 5;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// An operation: its name, and the address of its n-th request.
type Operation = (&'static str, Box<dyn Fn(u64) -> String + Send + Sync>);

/// A number that jumps about, so that no request asks for its neighbour's row.
fn scattered(n: u64, below: u64) -> u64 {
    n.wrapping_mul(2_654_435_761) % below
}

fn always(name: &'static str, path: &'static str) -> Operation {
    (name, Box::new(move |_| path.to_owned()))
}

/// Everything that is measured of the large tenant.
fn operations(size: Size) -> Vec<Operation> {
    let some = move |n| scattered(n, size.clients);
    let mut all: Vec<Operation> = [
        ("list, as it is", "clients"),
        ("list by -created, 100 rows", "clients?sort=-created&limit=100"),
        ("list by created", "clients?sort=created"),
        ("list by name", "clients?sort=name"),
        ("list by -name", "clients?sort=-name"),
        ("list by lastBooking", "clients?sort=lastBooking"),
        ("list by -lastBooking", "clients?sort=-lastBooking"),
        ("list by bookings", "clients?sort=bookings"),
        ("list by -bookings", "clients?sort=-bookings"),
        ("list by spent", "clients?sort=spent"),
        ("list by -spent", "clients?sort=-spent"),
        ("list of a source", "clients?source=whatsapp"),
        ("list of a source by -spent", "clients?source=whatsapp&sort=-spent"),
        ("list of active by name", "clients?status=active&sort=name"),
        ("list of inactive by -spent", "clients?status=inactive&sort=-spent"),
        ("list of blocked by name", "clients?status=blocked&sort=name"),
        ("list made in a month", "clients?createdFrom=2024-06-01&createdTo=2024-06-30&sort=name"),
        (
            "list booked in a month",
            "clients?lastBookingFrom=2024-09-01&lastBookingTo=2024-09-30&sort=-spent",
        ),
        ("search for a first name", "clients?q=aoife"),
        ("search for a first name by -spent", "clients?q=aoife&sort=-spent"),
        ("search for a whole name", "clients?q=aoife%20murphy"),
        ("search for a letter", "clients?q=m"),
        ("search for nobody", "clients?q=zebedee"),
        ("search for the begin of a number", "clients?q=087%20100"),
        ("statistics", "clients/stats"),
        ("bookings, as they are", "bookings"),
        ("bookings by date", "bookings?sort=date"),
        ("bookings by -date, 100 rows", "bookings?sort=-date&limit=100"),
        ("bookings of a state", "bookings?status=pending&sort=-date"),
        ("bookings of a payment", "bookings?paymentStatus=deposit_paid&sort=date"),
        ("bookings of a source", "bookings?source=web&sort=-date"),
        ("bookings of a service", "bookings?service=gel%20manicure&sort=-date"),
        ("bookings with somebody", "bookings?staff=nora&sort=-date"),
        ("bookings of a week", "bookings?from=2024-06-03&to=2024-06-09&sort=date"),
        (
            "bookings of a week in a state",
            "bookings?from=2024-06-03&to=2024-06-09&status=no_show&sort=date",
        ),
        ("bookings of a service in a state", "bookings?service=beard%20trim&status=cancelled"),
        ("duplicates", "clients/duplicates"),
    ]
    .into_iter()
    .map(|(name, path)| always(name, path))
    .collect();
    let by =
        |name, path: fn(u64) -> String| -> Operation { (name, Box::new(move |n| path(some(n)))) };
    all.push(by("search for a number", |n| format!("clients?q={}", phone(n).replace('+', "%2B"))));
    all.push(by("search for an e-mail address", |n| format!("clients?q={}", email(n))));
    all.push(by("search for the begin of an address", |n| {
        let address = email(n);
        format!("clients?q={}", address.split('@').next().unwrap_or_default())
    }));
    all.push(by("profile by phone", |n| format!("clients/phone:{}", phone(n))));
    all.push(by("profile by external id", |n| format!("clients/ext:phorest:client-{n}")));
    let of = |name, path: fn(Uuid) -> String| -> Operation {
        (name, Box::new(move |n| path(client_id(size, some(n)))))
    };
    all.push(of("profile", |id| format!("clients/{id}")));
    all.push(of("bookings of a client", |id| format!("bookings?clientId={id}&sort=-date")));
    all.push(of("a client's bookings", |id| format!("clients/{id}/bookings")));
    all.push(of("a client's events", |id| format!("clients/{id}/events")));
    all
}

/// What a run of requests took, sorted.
struct Took(Vec<Duration>);

impl Took {
    fn at(&self, thousandth: usize) -> Duration {
        self.0.get(self.0.len() * thousandth / 1000).copied().unwrap_or_default()
    }

    fn line(&self, name: &str, seconds: u64) -> String {
        let rate = u64::try_from(self.0.len()).unwrap() / seconds.max(1);
        let milli = |took: Duration| took.as_secs_f64() * 1000.0;
        format!(
            "{name:<40} {rate:>7}/s   p50 {:>8.2} ms   p99 {:>8.2} ms",
            milli(self.at(500)),
            milli(self.at(990))
        )
    }
}

/// Asks over several connections until the time is over.
async fn ask(url: &str, token: &str, next: Arc<dyn Fn(u64) -> String + Send + Sync>) -> Took {
    let (connections, seconds) = (number("API_CONNECTIONS", 16), number("API_SECONDS", 3));
    let count = Arc::new(AtomicU64::new(0));
    let until = Instant::now() + Duration::from_secs(seconds);
    let workers = (0..connections).map(|_| {
        let (url, token) = (url.to_owned(), token.to_owned());
        let (next, count) = (next.clone(), count.clone());
        tokio::spawn(async move {
            let http = reqwest::Client::builder().no_proxy().build().unwrap();
            let mut took = Vec::new();
            while Instant::now() < until {
                let path = next(count.fetch_add(1, Ordering::Relaxed));
                let begun = Instant::now();
                let answer = http.get(format!("{url}{path}")).bearer_auth(&token);
                let answer = answer.send().await.unwrap();
                let status = answer.status();
                let body = answer.bytes().await.unwrap();
                took.push(begun.elapsed());
                assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
            }
            took
        })
    });
    let mut all = Vec::new();
    for worker in workers.collect::<Vec<_>>() {
        all.extend(worker.await.unwrap());
    }
    all.sort();
    Took(all)
}

/// Walks a list from page to page, and answers what each page took.
async fn walk(url: &str, token: &str, path: &str, pages: usize) -> Took {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let (mut took, mut cursor) = (Vec::new(), String::new());
    for _ in 0..pages {
        let begun = Instant::now();
        let answer = http.get(format!("{url}{path}{cursor}")).bearer_auth(token).send().await;
        let body = answer.unwrap().bytes().await.unwrap();
        took.push(begun.elapsed());
        let page: Value = serde_json::from_slice(&body).unwrap();
        match page.get("nextCursor").and_then(Value::as_str) {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    took.sort();
    Took(took)
}

/// What was filled in is what the service finds: else its speed would say nothing.
async fn check(base: &str, token: &str, size: Size) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let read = async |path: String| -> Value {
        let answer = http.get(format!("{base}{path}")).bearer_auth(token).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    };
    let stats = read("clients/stats".to_owned()).await;
    assert_eq!(stats.get("totalClients").and_then(Value::as_u64), Some(size.clients), "{stats}");
    let middle = size.clients / 2;
    for asked in [email(middle), phone(middle).replace('+', "%2B")] {
        let found = read(format!("clients?q={asked}")).await;
        let ids = found.get("data").and_then(Value::as_array).unwrap();
        let ids: Vec<_> = ids.iter().filter_map(|row| row.get("id")?.as_str()).collect();
        assert_eq!(ids, [client_id(size, middle).to_string()], "{asked}");
    }
    let profile = read(format!("clients/{}", client_id(size, middle))).await;
    let told = profile.get("bookings").and_then(Value::as_array).map(Vec::len);
    assert_eq!(told, usize::try_from(size.each).ok(), "{profile}");
}

/// Fills an empty database; one that an earlier run filled is taken as it is.
async fn filled(database: &str, clients: u64) -> Size {
    let known = run(database, &["tenant", "list"]);
    let known = known.as_array().cloned().unwrap_or_default();
    let mut sizes = Vec::new();
    for place in 0..TENANTS {
        let slug = format!("salon-{place}");
        let kept = known.iter().find(|t| t.get("slug").and_then(Value::as_str) == Some(&slug));
        let made = match kept {
            Some(tenant) => tenant.clone(),
            None => run(database, &["tenant", "add", "--name", &format!("Salon {place}")]),
        };
        let tenant = made.get("id").and_then(Value::as_str).unwrap().parse().unwrap();
        let clients = if place == 0 { clients } else { clients / 100 };
        sizes.push(Size { tenant, number: place, clients, each: EACH });
    }
    let begun = Instant::now();
    if known.is_empty() {
        fill(database, &sizes).await;
    }
    let large = *sizes.first().unwrap();
    let engine = database.split(':').next().unwrap_or_default();
    println!(
        "{engine}: {} clients and {} bookings in one tenant of {TENANTS}, filled in {:.1?}",
        large.clients,
        large.clients * EACH,
        begun.elapsed()
    );
    large
}

#[tokio::main]
async fn main() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let database = database(dir.path());
    let clients = number("API_CLIENTS", 100_000);
    let large = filled(&database, clients).await;
    let add = ["token", "add", "--role", "client_admin", "--tenant", "salon-0"];
    let token = run(&database, &add);
    let token = token.get("token").and_then(Value::as_str).unwrap();
    let service = serve(&database, &[("BOOKHOOK_API_RATE", "1000000")]);
    let base = format!("{}/api/platform/tenants/{}/", service.url, large.tenant);
    check(&base, token, large).await;
    let seconds = number("API_SECONDS", 3);
    let health = || ask(&service.url, token, Arc::new(|_| "/healthz".to_owned()));
    println!("{}", health().await.line("/healthz, the baseline", seconds));
    let only = std::env::var("API_ONLY").unwrap_or_default();
    for (name, next) in operations(large).into_iter().filter(|(name, _)| name.contains(&only)) {
        let next: Arc<dyn Fn(u64) -> String + Send + Sync> = next.into();
        let before = service.computed();
        let took = ask(&base, token, next).await;
        let each = service.computed().saturating_sub(before).as_micros()
            / u128::try_from(took.0.len().max(1)).unwrap();
        println!("{}   cpu {each:>7} us", took.line(name, seconds));
    }
    for (name, path) in [
        ("each of 200 pages by name, alone", "clients?limit=100&sort=name"),
        ("each of 200 pages of bookings, alone", "bookings?limit=100&sort=-date"),
    ] {
        println!("{}", walk(&base, token, path, 200).await.line(name, seconds));
    }
    println!("{}", health().await.line("/healthz, again", seconds));
}
