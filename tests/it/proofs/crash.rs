//! `kill -9` at any moment: nothing acknowledged is lost, nothing is there by half or twice.

use super::load::{Load, QUIET, Teller};
use super::{Chance, is_full, number};
use crate::support::app::TestApp;
use crate::support::binary::Program;
use std::time::{Duration, Instant};

both_engines! {
    async fn a_kill_at_any_moment_loses_nothing_and_doubles_nothing(db: TestDb) {
        let mut chance = Chance::of_this_run();
        let setting_up = TestApp::start(&db).await;
        let load = Load::open(&setting_up).await;
        setting_up.stop().await.unwrap();
        let mut tellers = Teller::all(&mut chance);
        let cycles = number("PROOFS_CYCLES", 5, 500);
        let begun = Instant::now();
        for cycle in 1..=cycles {
            let program = Program::serve(&db, &QUIET);
            load.at(&program.url);
            let moment = Duration::from_micros(chance.below(700_000));
            let killing = async {
                tokio::time::sleep(moment).await;
                program.kill();
                load.stop();
            };
            tokio::join!(load.run(&mut tellers), killing);
            // As it was left; every second time only after the next start has made it good.
            if cycle % 2 == 1 {
                db.is_whole().await;
            }
            db.has_events(&load.fresh()).await;
            if is_full() && cycle % 25 == 0 {
                let (noted, took) = (load.noted(), begun.elapsed().as_secs());
                println!("{cycle} kills, {} acknowledged, {took} s", noted.acknowledged);
            }
        }

        let program = Program::serve(&db, &QUIET);
        load.at(&program.url);
        let stories = Teller::begun(&tellers);
        load.tell_all(&stories).await;
        db.has_events(&load.noted().all()).await;
        db.is_whole().await;
        db.tells(&stories).await;
        for event in load.noted().all().iter().take(200) {
            let (status, shown) = load.shown(event).await;
            assert!(status.is_success(), "{event}: {status} {shown}");
        }
        program.stop();
        let noted = load.noted();
        assert!(noted.unanswered > 0 && noted.acknowledged > 50, "there was no load");
        println!(
            "{:?}: {cycles} kills; {} deliveries acknowledged, {} not answered, {} sent back; {} \
             stories, all there, none twice",
            db.engine, noted.acknowledged, noted.unanswered, noted.sent_back, stories.len(),
        );
    }
}
