//! Who tells the stories: sixteen clients that send what providers send, as they send it. What is
//! not answered they send again, what is answered they sometimes send again all the same, and
//! every answer is noted.

use super::Chance;
use super::stories::{Story, Told};
use crate::bad_input::Salon;
use crate::support::app::{MASTER_KEY, SECRET, TestApp, address, now};
use bookhook::domain::channel::Role;
use bookhook::sources;
use futures_util::future::join_all;
use reqwest::{Client, StatusCode};
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How many clients there are.
pub(super) const CLIENTS: u64 = 16;

/// A salon under load, and what it was answered.
pub(super) struct Load {
    http: Client,
    salon: Salon,
    token: String,
    /// Where the deliveries go now: each client to one of them, and to the next when it gets no
    /// answer.
    urls: RefCell<Vec<String>>,
    /// True while the clients are to come to an end.
    stopping: Cell<bool>,
    /// How long a client rests after a delivery.
    pace: Cell<Duration>,
    noted: RefCell<Noted>,
}

/// What the answers said.
#[derive(Clone, Default)]
pub(super) struct Noted {
    /// The events of each acknowledged delivery, by its key.
    events: BTreeMap<String, Vec<String>>,
    /// Deliveries that were answered `queued`, by their key.
    were_queued: BTreeSet<String>,
    /// Further ids that were answered for such deliveries.
    also: BTreeSet<String>,
    /// Those acknowledged since this was last asked.
    fresh: Vec<String>,
    /// How many deliveries were answered 503, to be sent again.
    pub(super) sent_back: u64,
    /// How many were not answered at all.
    pub(super) unanswered: u64,
    /// How many were answered `queued`.
    pub(super) queued: u64,
    /// How many were answered.
    pub(super) acknowledged: u64,
}

/// One of the clients, and where in its stories it is.
pub(super) struct Teller {
    next: u64,
    step: usize,
    chance: Chance,
    unanswered: Option<Told>,
    /// Which of the services it sends to.
    turn: u64,
}

impl Teller {
    /// The clients, each with stories of its own.
    pub(super) fn all(chance: &mut Chance) -> Vec<Self> {
        let one = |next| {
            let chance = chance.another(next);
            Self { next, step: 0, chance, unanswered: None, turn: next }
        };
        (0..CLIENTS).map(one).collect()
    }

    /// The stories that they have begun.
    pub(super) fn begun(tellers: &[Self]) -> Vec<Story> {
        let of = |(first, teller): (u64, &Self)| {
            let end = teller.next + u64::from(teller.step > 0);
            let step = usize::try_from(CLIENTS).unwrap();
            (first..end).step_by(step).map(Story::new).collect::<Vec<_>>()
        };
        (0..).zip(tellers).flat_map(of).collect()
    }

    /// What is to be sent next: what was not answered, mostly; some senders give up.
    fn delivery(&mut self) -> Told {
        if let Some(told) = self.unanswered.take()
            && self.chance.happens(70)
        {
            return told;
        }
        let mut story = Story::new(self.next).told();
        if self.step >= story.len() {
            self.next += CLIENTS;
            self.step = 0;
            story = Story::new(self.next).told();
        }
        self.step += 1;
        story.swap_remove(self.step - 1)
    }

    async fn tell(&mut self, load: &Load) {
        while !load.stopping.get() {
            tokio::time::sleep(load.pace.get()).await;
            let told = self.delivery();
            let taken = if self.chance.happens(5) {
                // Twice at once, as a provider does whose first attempt took it too long.
                let (first, second) =
                    tokio::join!(load.post(&told, self.turn), load.post(&told, self.turn + 1));
                first && second
            } else {
                load.post(&told, self.turn).await
            };
            if !taken {
                self.unanswered = Some(told);
                self.turn += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            } else if self.chance.happens(8) {
                load.post(&told, self.turn).await;
            }
        }
    }
}

fn plain(id: &Value) -> String {
    id.as_str().unwrap_or_else(|| panic!("an event's id: {id}")).replace('-', "")
}

impl Load {
    /// A salon on a database that has a service.
    pub(super) async fn open(app: &TestApp) -> Self {
        let salon = Salon::open(app).await;
        let token = app.token(Role::ClientAdmin, Some(salon.tenant)).await;
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        let (urls, stopping) = (RefCell::new(vec![app.url.clone()]), Cell::new(false));
        Self {
            http,
            salon,
            token,
            urls,
            stopping,
            pace: Cell::default(),
            noted: RefCell::default(),
        }
    }

    /// Where the deliveries go from now on.
    pub(super) fn at(&self, url: &str) {
        self.at_all(&[url]);
    }

    /// The same, to several services.
    pub(super) fn at_all(&self, urls: &[&str]) {
        *self.urls.borrow_mut() = urls.iter().map(|url| (*url).to_owned()).collect();
    }

    fn url(&self, turn: u64) -> String {
        let urls = self.urls.borrow();
        urls[usize::try_from(turn).unwrap() % urls.len()].clone()
    }

    /// From now on a client rests so long after each delivery.
    pub(super) fn pace(&self, pace: Duration) {
        self.pace.set(pace);
    }

    /// From now on no client sends anything more.
    pub(super) fn stop(&self) {
        self.stopping.set(true);
    }

    pub(super) fn noted(&self) -> Noted {
        self.noted.borrow().clone()
    }

    /// The clients send until they are stopped.
    pub(super) async fn run(&self, tellers: &mut [Teller]) {
        self.stopping.set(false);
        join_all(tellers.iter_mut().map(|teller| teller.tell(self))).await;
    }

    /// Sends everything of these stories once more; all of it must be taken.
    pub(super) async fn tell_all(&self, stories: &[Story]) {
        let told: Vec<Told> = stories.iter().flat_map(Story::told).collect();
        let told = RefCell::new(told.into_iter());
        let send = || async {
            loop {
                let Some(told) = told.borrow_mut().next() else { return };
                while !self.post(&told, 0).await {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        };
        join_all((0..CLIENTS).map(|_| send())).await;
    }

    /// One delivery; true when it was acknowledged.
    async fn post(&self, told: &Told, turn: u64) -> bool {
        let connection = self.salon.connection(told.source);
        let path = match told.function {
            Some(function) => format!("/retell/function/{connection}/{function}"),
            None => address(told.source, Some(connection)),
        };
        let url = format!("{}{path}", self.url(turn));
        let source = sources::find(told.source).unwrap();
        let mut request = self.http.post(url).body(told.body.clone());
        for (name, value) in source.sign(SECRET, &told.body, &told.key, now()).unwrap() {
            request = request.header(name, value);
        }
        // Known before it is sent: whatever is sent now is a repeat.
        let known = self.noted.borrow().events.contains_key(&told.key);
        let Ok(response) = request.send().await else {
            self.noted.borrow_mut().unanswered += 1;
            return false;
        };
        let (status, again) = (response.status(), response.headers().contains_key("retry-after"));
        let Ok(bytes) = response.bytes().await else {
            self.noted.borrow_mut().unanswered += 1;
            return false;
        };
        let said = String::from_utf8_lossy(&bytes);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            assert!(again, "503 says when to come again: {said}");
            self.noted.borrow_mut().sent_back += 1;
            return false;
        }
        assert!(status.is_success(), "{}: {status} {said}", told.key);
        let body: Value = serde_json::from_slice(&bytes).unwrap();
        self.noted.borrow_mut().note(told, &body, known);
        true
    }

    /// True when the service answers.
    pub(super) async fn is_alive(&self) -> bool {
        let url = format!("{}/healthz", self.url(0));
        self.http.get(url).send().await.is_ok_and(|response| response.status().is_success())
    }

    /// Waits until nothing waits in the service's spool any more: a minute at most.
    pub(super) async fn drained(&self) {
        let (url, begun) = (format!("{}/readyz", self.url(0)), Instant::now());
        loop {
            let response = self.http.get(&url).send().await.unwrap();
            let said: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
            if said["degraded"] == false {
                return;
            }
            assert!(begun.elapsed() < Duration::from_mins(1), "not drained: {said}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// An event as the service shows it.
    pub(super) async fn shown(&self, event: &str) -> (StatusCode, Value) {
        let event: uuid::Uuid = event.parse().unwrap();
        let base = self.url(0);
        let url = format!("{base}/api/platform/tenants/{}/events/{event}", self.salon.tenant);
        let response = self.http.get(url).bearer_auth(&self.token).send().await.unwrap();
        let status = response.status();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
    }
}

impl Noted {
    fn note(&mut self, told: &Told, body: &Value, known: bool) {
        let answers = body["results"].as_array().map_or(std::slice::from_ref(body), Vec::as_slice);
        let ids: Vec<String> = answers.iter().map(|answer| plain(&answer["eventId"])).collect();
        let queued = answers.iter().any(|answer| answer["outcome"] == "queued");
        self.acknowledged += 1;
        self.queued += u64::from(queued);
        self.fresh.extend(ids.iter().cloned());
        if queued {
            self.were_queued.insert(told.key.clone());
        }
        // With the database away nobody can tell that it has the delivery already: it is answered
        // with another id, which finds the same event later.
        let first = self.events.entry(told.key.clone()).or_insert_with(|| ids.clone());
        if self.were_queued.contains(&told.key) {
            self.also.extend(ids.into_iter().filter(|id| !first.contains(id)));
            return;
        }
        for answer in answers {
            let repeated = answer["duplicate"] == true;
            assert!(repeated || !known, "{} was taken before: {body}", told.key);
        }
        assert_eq!(*first, ids, "{} is another event now: {body}", told.key);
    }

    /// Every event that was acknowledged; no two deliveries were answered with one.
    pub(super) fn all(&self) -> BTreeSet<String> {
        let all: BTreeSet<String> = self.events.values().flatten().cloned().collect();
        let answered: usize = self.events.values().map(Vec::len).sum();
        assert_eq!(all.len(), answered, "an event was answered for two deliveries");
        all.union(&self.also).cloned().collect()
    }
}

impl Load {
    /// The events acknowledged since this was last asked.
    pub(super) fn fresh(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.noted.borrow_mut().fresh).into_iter().collect()
    }
}

/// The variables of a service in these proofs: it says only what is wrong.
pub(super) const QUIET: [(&str, &str); 2] =
    [("BOOKHOOK_LOG", "warn"), ("BOOKHOOK_MASTER_KEY", MASTER_KEY)];
