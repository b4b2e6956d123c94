//! Delivering a fixture over HTTP, and reading back what the service made of it.

use super::fixtures::{Expected, Fixture};
use super::setup::{Made, tenant_of};
use crate::cli::error::{Error, Result};
use crate::cli::post::{Answered, Credential, answered, client, post};
use crate::cli::print::Record;
use crate::clock::Clock;
use crate::domain::channel::EventStatus;
use chrono::{DateTime, Utc};
use reqwest::{Client, Url};
use serde_json::Value;
use uuid::Uuid;

/// The running service, with what it takes to deliver to it and to read from it.
pub(super) struct Demo {
    client: Client,
    url: Url,
    made: Made,
    clock: Clock,
}

/// One event of a fixture, and what the service told of it.
pub(super) struct Told {
    /// The source's name.
    pub(super) source: &'static str,
    /// What was sent.
    pub(super) sent: String,
    case: String,
    /// What became of it: an outcome, or the HTTP status where there is none.
    pub(super) outcome: String,
    /// Why it wasn't tracked.
    pub(super) reason: String,
    /// The client's name.
    pub(super) client: String,
    /// The booking, or the bookings.
    pub(super) bookings: Vec<String>,
    /// True when the client was not known before.
    pub(super) is_new_client: Option<bool>,
    expected: Option<EventStatus>,
    found_more: bool,
}

impl Told {
    /// True when it became more than it would have alone: it found something to change, or was
    /// told again.
    pub(super) fn found_more(&self) -> bool {
        self.found_more
    }

    /// True when it became what it should.
    pub(super) fn is_as_expected(&self) -> bool {
        let as_expected = self.expected.is_some_and(|e| e.as_str() == self.outcome);
        as_expected || self.found_more || (self.expected.is_none() && self.is_empty())
    }

    /// True for a delivery in which there was no event.
    pub(super) fn is_empty(&self) -> bool {
        self.outcome == NOTHING
    }

    /// What it became, and what it should have become, where that differs.
    pub(super) fn difference(&self) -> Option<String> {
        if self.is_as_expected() {
            return None;
        }
        let (source, case, outcome) = (self.source, &self.case, &self.outcome);
        let expected = self.expected.map_or(NOTHING, EventStatus::as_str);
        let reason = &self.reason;
        Some(format!("{source}/{case}: {outcome} ({reason}), expected {expected}"))
    }

    /// As JSON shows it.
    pub(super) fn record(&self) -> Record {
        Record::default()
            .with("source", self.source)
            .with("fixture", &self.case)
            .with("sent", &self.sent)
            .with("outcome", &self.outcome)
            .with("expected", self.expected)
            .with("asExpected", self.is_as_expected())
            .with("reason", Some(&self.reason).filter(|text| !text.is_empty()))
            .with("client", Some(&self.client).filter(|text| !text.is_empty()))
            .with("bookings", &self.bookings)
            .with("isNewClient", self.is_new_client)
    }
}

/// What is shown of a delivery without an event.
const NOTHING: &str = "no event";

impl Demo {
    /// The service at this address.
    pub(super) fn new(url: &str, made: Made, clock: Clock) -> Result<Self> {
        let url: Url = url.parse().map_err(|_| Error::refused("the service has no address"))?;
        Ok(Self { client: client(&url)?, url, made, clock })
    }

    /// Its address.
    pub(super) fn url(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    /// The token to read with.
    pub(super) fn token(&self) -> &str {
        &self.made.token
    }

    /// Posts a fixture, signed as its provider would, and reads back what was made of each event.
    pub(super) async fn deliver(&self, fixture: &Fixture) -> Result<Vec<Told>> {
        let source = fixture.source;
        let unknown = || Error::refused("the demo has no connection of this source");
        let (connection, secret) = self.made.connections.get(source.name()).ok_or_else(unknown)?;
        let url = self.at(&format!("{}/{connection}", source.path()))?;
        let credential = Credential::Secret(secret.clone());
        let (body, now) = (fixture.body.clone(), self.clock.now());
        let answered = post(&self.client, &url, source, &credential, body, now).await?;
        let answers = answers(&answered);
        let count = answers.len().max(fixture.events.len()).max(1);
        let mut all = Vec::with_capacity(count);
        for place in 0..count {
            let (expected, answer) = (fixture.events.get(place), answers.get(place));
            let told = self.told(fixture, expected, answer, &answered).await?;
            let of = if count > 1 { format!(" ({} of {count})", place + 1) } else { String::new() };
            all.push(Told { sent: format!("{}{of}", fixture.title), ..told });
        }
        Ok(all)
    }

    async fn told(
        &self,
        fixture: &Fixture,
        expected: Option<&Expected>,
        answer: Option<&Value>,
        answered: &Answered,
    ) -> Result<Told> {
        let member = |name| answer.and_then(|a| a.get(name));
        let text = |name| member(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let outcome = match (answer, answered.status) {
            (_, 422) => EventStatus::Rejected.as_str().to_owned(),
            (Some(_), 200) => text("outcome"),
            (None, 200) => NOTHING.to_owned(),
            (_, status) => format!("HTTP {status}"),
        };
        let tracked = outcome == EventStatus::Tracked.as_str();
        // What waited alone was told again by another delivery of the same call.
        let told_again = text("reason") == "told_again"
            && expected.is_some_and(|e| e.outcome == EventStatus::NeedsReview);
        let alone = expected.filter(|e| e.only_changes()).map(|e| e.outcome);
        let tenant = tenant_of(expected.and_then(|e| e.account.as_deref()));
        let (client, bookings) = match answer {
            Some(answer) => self.read_back(tenant, answer).await?,
            None => (String::new(), Vec::new()),
        };
        Ok(Told {
            source: fixture.source.name(),
            sent: String::new(),
            case: fixture.case.clone(),
            reason: [text("reason"), text("code")].concat(),
            client,
            bookings,
            is_new_client: member("isNewClient").and_then(Value::as_bool),
            expected: expected.map(|e| e.outcome),
            found_more: told_again
                || (tracked && alone.is_some_and(|alone| alone != EventStatus::Tracked)),
            outcome,
        })
    }

    /// The client's name and the bookings of an answer, as the API shows them.
    async fn read_back(&self, tenant: Uuid, answer: &Value) -> Result<(String, Vec<String>)> {
        let Some(client) = self.client_of(tenant, answer).await? else {
            return Ok((String::new(), Vec::new()));
        };
        let profile = self.read(tenant, &format!("clients/{client}")).await?;
        let text = |name: &str| profile.get(name).and_then(Value::as_str).unwrap_or_default();
        let name = format!("{} {}", text("firstName"), text("lastName"));
        let ids = booking_ids(answer);
        let bookings = profile.get("bookings").and_then(Value::as_array);
        let named = bookings.into_iter().flatten().filter(|booking| {
            booking.get("id").and_then(Value::as_str).is_some_and(|id| ids.contains(&id))
        });
        Ok((name.trim().to_owned(), named.map(booking).collect()))
    }

    /// The client that an answer names. One that an agent is to speak from names the booking only.
    async fn client_of(&self, tenant: Uuid, answer: &Value) -> Result<Option<String>> {
        let text = |value: &Value, name: &str| {
            value.get(name).and_then(Value::as_str).map(ToOwned::to_owned)
        };
        if let Some(client) = text(answer, "clientId") {
            return Ok(Some(client));
        }
        let Some(booking) = text(answer, "bookingId") else { return Ok(None) };
        let page = self.read(tenant, "bookings?limit=100").await?;
        let rows = page.get("data").and_then(Value::as_array).into_iter().flatten();
        let mut named = rows.filter(|row| text(row, "id").as_deref() == Some(booking.as_str()));
        Ok(named.next().and_then(|row| text(row, "clientId")))
    }

    async fn read(&self, tenant: Uuid, path: &str) -> Result<Value> {
        let url = self.at(&format!("/api/platform/tenants/{tenant}/{path}"))?;
        let request = self.client.get(url.clone()).bearer_auth(&self.made.token);
        Ok(answered(request, &url).await?.body)
    }

    fn at(&self, path: &str) -> Result<Url> {
        self.url.join(path).map_err(|_| Error::refused("the service has no such address"))
    }
}

/// The answer of each event: a batch has several, a refusal is one.
fn answers(answered: &Answered) -> Vec<Value> {
    match answered.body.get("results").and_then(Value::as_array) {
        Some(results) => results.clone(),
        None => vec![answered.body.clone()],
    }
}

fn booking_ids(answer: &Value) -> Vec<&str> {
    let several = answer.get("bookings").and_then(Value::as_array).into_iter().flatten();
    let ids = several.chain(std::iter::once(answer)).filter_map(|b| b.get("bookingId"));
    ids.filter_map(Value::as_str).collect()
}

/// `Deep Tissue Massage, 2 Apr 2026 15:00, confirmed`, by the salon's clock.
fn booking(booking: &Value) -> String {
    let text = |name: &str| booking.get(name).and_then(Value::as_str).unwrap_or_default();
    let start = text("bookingDate").parse::<DateTime<Utc>>().map(|start| {
        start.with_timezone(&chrono_tz::Europe::Dublin).format("%-d %b %Y %H:%M").to_string()
    });
    format!("{}, {}, {}", text("serviceName"), start.unwrap_or_default(), text("status"))
}
