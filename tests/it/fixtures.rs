//! The bodies in `fixtures/`, each as its provider sends it, against what is to be read from it.
//!
//! `<case>.json` is the body byte for byte; `<case>.expected.json` says what it is and what every
//! event in it means for the salon below, and what tracking answers when it is posted alone.

use crate::support::app::MASTER_KEY;
use bookhook::clock::Clock;
use bookhook::domain::channel::{DateOrder, EventStatus};
use bookhook::domain::ids;
use bookhook::domain::money::Currency;
use bookhook::domain::phone::Region;
use bookhook::domain::tenant::TenantSettings;
use bookhook::sources::{
    self, Checked, Delivery, Headers, Item, Manners, Mapped, Reading, Source, signature,
};
use bookhook::storage::seal::MasterKey;
use bookhook::storage::{Db, tenants};
use bookhook::tracking::{Taken, Tracker};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    title: String,
    events: Vec<Value>,
}

struct Fixture {
    name: String,
    source: &'static dyn Source,
    body: Vec<u8>,
    expected: Expected,
}

fn tenant() -> TenantSettings {
    TenantSettings {
        id: "8d8ac610-566d-4ef0-9c22-186b2a5ed793".parse().unwrap(),
        slug: "liffey-light".to_owned(),
        default_region: Region::parse("IE").unwrap(),
        timezone: chrono_tz::Europe::Dublin,
        currency: Currency::parse("EUR").unwrap(),
        date_order: DateOrder::Dmy,
    }
}

fn received_at() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn folder(source: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(source)
}

fn all() -> Vec<Fixture> {
    let fixtures = sources::ALL
        .iter()
        .flat_map(|source| names(*source).into_iter().map(|case| read(*source, &case)));
    fixtures.collect()
}

/// The cases of a source; one without its expectation, or the reverse, ends the test.
fn names(source: &dyn Source) -> BTreeSet<String> {
    let (mut bodies, mut expected) = (BTreeSet::new(), BTreeSet::new());
    for entry in std::fs::read_dir(folder(source.name())).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let case = file.strip_suffix(".json").unwrap_or_else(|| panic!("{file} is no fixture"));
        match case.strip_suffix(".expected") {
            Some(case) => expected.insert(case.to_owned()),
            None => bodies.insert(case.to_owned()),
        };
    }
    assert_eq!(bodies, expected, "{}: each body has its expectation", source.name());
    bodies
}

fn read(source: &'static dyn Source, case: &str) -> Fixture {
    let file =
        |end: &str| std::fs::read(folder(source.name()).join(case.to_owned() + end)).unwrap();
    let name = format!("{}/{case}", source.name());
    let expected = serde_json::from_slice(&file(".expected.json"));
    let expected = expected.unwrap_or_else(|error| panic!("{name}: {error}"));
    Fixture { name, source, body: file(".json"), expected }
}

fn secret() -> String {
    signature::standard_secret("a secret of a salon for tests")
}

impl Fixture {
    /// The headers that come with the body.
    fn headers(&self, secret: &str) -> Headers {
        let signed = self.source.sign(secret, &self.body, "msg_1", received_at()).unwrap();
        let mut headers = Headers::default();
        for (name, value) in &signed {
            headers.insert(name, value);
        }
        headers
    }

    fn items(&self, headers: &Headers) -> Vec<Item> {
        self.source.split(&delivery(&self.body, headers)).unwrap()
    }

    fn map(&self, item: &Item) -> Vec<Mapped> {
        let (tenant, overrides) = (tenant(), BTreeMap::new());
        let reading = Reading::plain(&tenant, received_at(), &overrides);
        self.source.map(item, &reading)
    }

    /// The event in the form of the expectation, but for the outcome, which tracking decides.
    fn event(&self, item: &Item) -> Value {
        let at = item.occurred_at.map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true));
        json!({
            "kind": item.kind,
            "account": item.account,
            "tenant": item.tenant,
            "occurredAt": at,
            "mapped": without_place(json!(self.map(item))),
        })
    }
}

/// The readings without the places of reviews in their call, which only tracking looks at.
fn without_place(mut mapped: Value) -> Value {
    for review in mapped.as_array_mut().unwrap().iter_mut().filter_map(|m| m.get_mut("needsReview"))
    {
        review.as_object_mut().unwrap().remove("told");
    }
    mapped
}

fn delivery<'a>(body: &'a [u8], headers: &'a Headers) -> Delivery<'a> {
    Delivery { body, headers, received_at: received_at() }
}

#[test]
fn every_fixture_is_read_as_expected() {
    let mut differences = Vec::new();
    for fixture in all() {
        let headers = fixture.headers(&secret());
        let events = fixture.items(&headers).iter().map(|item| fixture.event(item)).collect();
        let mut expected = fixture.expected.events.clone();
        for event in &mut expected {
            event.as_object_mut().unwrap().remove("outcome");
        }
        let (read, expected) = (Value::Array(events), Value::Array(expected));
        let shown = |value: &Value| serde_json::to_string_pretty(value).unwrap();
        if read != expected {
            let (read, expected) = (shown(&read), shown(&expected));
            differences.push(format!("{}\nread: {read}\nexpected: {expected}", fixture.name));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

#[test]
fn every_fixture_says_what_it_is_and_what_becomes_of_it() {
    let mut titles = BTreeSet::new();
    for fixture in all() {
        let title = &fixture.expected.title;
        assert!((1..60).contains(&title.chars().count()), "{}: {title}", fixture.name);
        assert!(titles.insert(title.clone()), "{}: another has its title", fixture.name);
        for event in &fixture.expected.events {
            let outcome: EventStatus = event["outcome"].as_str().unwrap().parse().unwrap();
            let needs_person = event["mapped"].to_string().contains("needsReview");
            let held = match fixture.source.manners() {
                Manners::Push => EventStatus::NeedsReview,
                Manners::Correct => EventStatus::Rejected,
            };
            assert!(!needs_person || outcome == held, "{}: {outcome}", fixture.name);
        }
    }
}

#[test]
fn a_signed_fixture_verifies_with_its_own_secret_only() {
    for fixture in all() {
        let headers = fixture.headers(&secret());
        let verify =
            |secret: &str, body: &[u8]| fixture.source.verify(secret, &delivery(body, &headers));
        let other = signature::standard_secret("a secret of another salon");
        assert!(fixture.source.is_signed(&headers), "{}", fixture.name);
        assert!(!fixture.source.is_signed(&Headers::default()), "{}", fixture.name);
        assert_eq!(verify(&secret(), &fixture.body), Checked::Verified, "{}", fixture.name);
        assert_eq!(verify(&other, &fixture.body), Checked::Refused, "{}", fixture.name);
        let longer = [fixture.body.as_slice(), b" "].concat();
        assert_eq!(verify(&secret(), &longer), Checked::Refused, "{}", fixture.name);
    }
}

#[test]
fn what_is_kept_of_an_event_is_that_event_again() {
    for fixture in all() {
        let headers = fixture.headers(&secret());
        for item in fixture.items(&headers) {
            let again = fixture.source.split(&delivery(&item.raw, &headers)).unwrap();
            assert_eq!(again, vec![item], "{}", fixture.name);
        }
    }
}

#[test]
fn the_accounts_of_a_body_are_known_before_it_is_verified() {
    for fixture in all() {
        let hints = fixture.source.hints(&fixture.body);
        let items = fixture.items(&fixture.headers(&secret()));
        let accounts: Vec<_> = items.iter().filter_map(|item| item.account.clone()).collect();
        assert!(
            accounts.iter().all(|account| hints.accounts.contains(account)),
            "{}",
            fixture.name
        );
        let tenants: Vec<_> = items.iter().filter_map(|item| item.tenant.clone()).collect();
        assert!(tenants.iter().all(|t| hints.tenant.as_ref() == Some(t)), "{}", fixture.name);
    }
}

#[test]
fn what_was_read_survives_being_kept_as_json() {
    for fixture in all() {
        for item in fixture.items(&fixture.headers(&secret())) {
            let mapped = fixture.map(&item);
            let kept = serde_json::to_string(&mapped).unwrap();
            let again: Vec<Mapped> = serde_json::from_str(&kept).unwrap();
            assert_eq!(again, mapped, "{}", fixture.name);
        }
    }
}

both_engines! {
    async fn tracking_answers_a_fixture_as_it_says(home: TestDb) {
        let db = Db::open(&home.url).await.unwrap();
        let key = MasterKey::parse(MASTER_KEY).unwrap();
        let tracker = Tracker::new(db.clone(), key, Clock::fixed(received_at()));
        let mut differences = Vec::new();
        for fixture in all() {
            // Each has a salon to itself, as it would on an empty database.
            let tenant = Arc::new(salon(&db, &fixture.name).await);
            let expected = fixture.expected.events.iter().map(|event| event["outcome"].clone());
            let expected: Vec<_> = expected.collect();
            let mut outcomes = Vec::new();
            for item in fixture.items(&fixture.headers(&secret())) {
                let answer = tracker.track(taken(&fixture, item, &tenant)).await.unwrap();
                outcomes.push(Value::from(answer.outcome.as_str()));
            }
            if outcomes != expected {
                differences.push(format!("{}: {outcomes:?}, not {expected:?}", fixture.name));
            }
        }
        assert!(differences.is_empty(), "\n{}", differences.join("\n"));
    }
}

async fn salon(db: &Db, name: &str) -> TenantSettings {
    let slug = name.replace(['/', '_'], "-");
    let settings = TenantSettings { id: ids::new(received_at()), slug, ..tenant() };
    let mut tx = db.begin().await.unwrap();
    assert!(tenants::insert(&mut tx.conn(), name, &settings, received_at()).await.unwrap());
    tx.commit().await.unwrap();
    settings
}

fn taken(fixture: &Fixture, item: Item, tenant: &Arc<TenantSettings>) -> Taken {
    Taken {
        event_id: ids::new(received_at()),
        queued: false,
        tenant: Arc::clone(tenant),
        connection_id: None,
        source: fixture.source,
        item,
        path: fixture.source.path().to_owned(),
        headers: "{}".to_owned(),
        received_at: received_at(),
        map: None,
        held: None,
    }
}
