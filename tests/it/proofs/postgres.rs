//! PostgreSQL that dies, is away, breaks off in the middle of a transaction; and two services on
//! one database, of which one dies.

use super::load::{Load, QUIET, Teller};
use super::{Chance, number};
use crate::support::app::TestApp;
use crate::support::binary::Program;
use crate::support::db::{Engine, TestDb};
use crate::support::outage::{Proxy, Server};
use std::sync::Arc;
use std::time::Duration;

/// How long each client rests after a delivery where much of it is queued: the drain is to be
/// through within a minute, and it tracks what came in many.
const PACE: Duration = Duration::from_millis(50);

/// A salon on a database, its clients, and the directory of its services' spools.
struct Salon {
    db: TestDb,
    load: Load,
    tellers: Vec<Teller>,
    chance: Chance,
    home: tempfile::TempDir,
}

impl Salon {
    async fn on(db: TestDb) -> Self {
        let mut chance = Chance::of_this_run();
        let app = TestApp::start(&db).await;
        let load = Load::open(&app).await;
        app.stop().await.unwrap();
        let (tellers, home) = (Teller::all(&mut chance), tempfile::tempdir().unwrap());
        Self { db, load, tellers, chance, home }
    }

    /// Starts a service on the database at this address; what stands between them goes on
    /// meanwhile.
    async fn serve(&self, url: &str, name: &str) -> Program {
        let spool = self.home.path().join(name).to_str().unwrap().to_owned();
        let db = TestDb::nowhere(url);
        let start = move || {
            let spool = ("BOOKHOOK_SPOOL", spool.as_str());
            Program::serve(&db, &[&QUIET[..], &[spool]].concat())
        };
        actix_web::rt::task::spawn_blocking(start).await.unwrap()
    }

    /// The clients send while something happens.
    async fn while_sending(&mut self, happens: impl AsyncFnOnce()) {
        let load = &self.load;
        let happening = async {
            happens().await;
            load.stop();
        };
        tokio::join!(load.run(&mut self.tellers), happening);
    }

    /// Everything once more, and a look into the database.
    async fn ends_well(&self, what: &str) {
        self.load.drained().await;
        let stories = Teller::begun(&self.tellers);
        self.load.tell_all(&stories).await;
        self.load.drained().await;
        let all = self.load.noted().all();
        self.db.has_events(&all).await;
        self.db.is_whole().await;
        self.db.tells(&stories).await;
        for event in all.iter().take(100) {
            let (status, shown) = self.load.shown(event).await;
            assert!(status.is_success(), "{event}: {status} {shown}");
        }
        let noted = self.load.noted();
        println!(
            "{what}; {} deliveries acknowledged, {} of them queued; {} sent back, {} not \
             answered; {} stories, all there, none twice",
            noted.acknowledged,
            noted.queued,
            noted.sent_back,
            noted.unanswered,
            stories.len(),
        );
    }
}

fn wait(milliseconds: u64) -> tokio::time::Sleep {
    tokio::time::sleep(Duration::from_millis(milliseconds))
}

/// Ends a server, or starts it again, while everything else goes on.
async fn done(server: &Arc<Server>, how: impl FnOnce(&Server) + Send + 'static) {
    let server = Arc::clone(server);
    actix_web::rt::task::spawn_blocking(move || how(&server)).await.unwrap();
}

#[actix_web::test]
async fn a_server_of_postgres_that_dies_and_stays_away_loses_nothing() {
    let server = Arc::new(Server::durable());
    let mut salon = Salon::on(server.db()).await;
    let program = salon.serve(&salon.db.url, "spool.db").await;
    salon.load.at(&program.url);
    let (rounds, away) = (number("PROOFS_ROUNDS", 2, 20), number("PROOFS_AWAY", 3, 30));
    let mut chance = salon.chance.clone();
    salon.load.pace(PACE);
    salon
        .while_sending(async || {
            for round in 0..rounds {
                let how = if round % 2 == 0 { "kill" } else { "immediate" };
                wait(300 + chance.below(500)).await;
                done(&server, move |server| server.halt(how)).await;
                wait(200 + chance.below(800)).await;
                done(&server, Server::resume).await;
            }
            wait(1500).await;
            done(&server, |server| server.halt("fast")).await;
            wait(away * 1000).await;
            done(&server, Server::resume).await;
            wait(500).await;
        })
        .await;
    assert!(salon.load.noted().queued > 0, "the spool took none");
    salon.ends_well(&format!("PostgreSQL died {rounds} times, and was away for {away} s")).await;
    program.stop();
}

#[actix_web::test]
async fn connections_to_postgres_cut_while_it_commits_lose_and_double_nothing() {
    let mut salon = Salon::on(TestDb::fresh(Engine::Postgres).await).await;
    let proxy = Proxy::before(&salon.db).await;
    let program = salon.serve(&proxy.url, "spool.db").await;
    salon.load.at(&program.url);
    let rounds = number("PROOFS_CUTS", 4, 60);
    let (load, mut chance) = (&salon.load, salon.chance.clone());
    load.pace(PACE);
    let spoiling = async {
        for round in 0..rounds {
            // Every second time once more while it finds its way back, or drains.
            for _ in 0..=round % 2 {
                let before = proxy.spoiled();
                proxy.spoil_commit(1 + chance.below(8));
                while proxy.spoiled() == before {
                    wait(5).await;
                }
            }
            load.drained().await;
            wait(chance.below(200)).await;
        }
        load.stop();
    };
    tokio::join!(load.run(&mut salon.tellers), spoiling);
    let spoiled = proxy.spoiled();
    assert!(load.noted().queued > 0, "the spool took none");
    salon.ends_well(&format!("{spoiled} commits cut off, unanswered or refused")).await;
    program.stop();
}

#[actix_web::test]
async fn of_two_services_on_one_postgres_one_dies_and_the_clients_go_on() {
    let mut salon = Salon::on(TestDb::fresh(Engine::Postgres).await).await;
    let url = salon.db.url.clone();
    let rounds = number("PROOFS_DEATHS", 4, 100);
    let mut chance = salon.chance.clone();
    let stays = salon.serve(&url, "stays.db").await;
    for round in 0..rounds {
        let dies = salon.serve(&url, "dies.db").await;
        salon.load.at_all(&[&stays.url, &dies.url]);
        salon
            .while_sending(async || {
                wait(200 + chance.below(500)).await;
                dies.kill();
                wait(300).await;
            })
            .await;
        salon.db.has_events(&salon.load.fresh()).await;
        if round % 2 == 0 {
            salon.db.is_whole().await;
        }
    }
    salon.load.at(&stays.url);
    salon.ends_well(&format!("one of two services killed {rounds} times")).await;
    stays.stop();
}
