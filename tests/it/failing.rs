//! What can't be stored for good is kept raw, so that nothing acknowledged is lost.

use crate::support::app::TestApp;
use crate::support::db::{Engine, TestDb};
use crate::tracking::{call_ended, salon};
use bookhook::domain::channel::Role;
use reqwest::{Method, StatusCode};

/// Makes the database refuse every booking, as a fault of ours would.
pub(crate) async fn refuse_bookings(db: &TestDb) {
    db.run(match db.engine {
        Engine::Sqlite => {
            "create trigger refuse before insert on bookings
             begin select raise(abort, 'refused by the test'); end"
        }
        Engine::Postgres => {
            "create function refuse() returns trigger language plpgsql as
             $$ begin raise exception 'refused by the test'; end $$;
             create trigger refuse before insert on bookings
             for each row execute function refuse()"
        }
    })
    .await;
}

both_engines! {
    async fn what_the_database_refuses_for_good_is_kept_raw_and_whole(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = salon(&app).await;
        refuse_bookings(&db).await;
        let body = call_ended("call_1", "+353871234567").to_string();
        let answer = app.deliver("retell", None, body.as_bytes()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.text("outcome"), "needs_review");
        assert_eq!(answer.text("reason"), "storing_failed");

        // Nothing of the booking is there, and all of the delivery is.
        assert!(app.rows(tenant, "clients").await.is_empty());
        assert!(app.rows(tenant, "bookings").await.is_empty());
        let events = app.rows(tenant, "events").await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0]["status"], "failed");
        assert_eq!(events[0]["id"], answer.body["eventId"]);
        assert_eq!(db.raw_events().await, [body.as_bytes()]);

        // Once the fault is mended, the same delivery is tracked.
        db.run(match db.engine {
            Engine::Sqlite => "drop trigger refuse",
            Engine::Postgres => "drop trigger refuse on bookings",
        })
        .await;
        let again = app.deliver("retell", None, body.as_bytes()).await;
        assert_eq!(again.text("outcome"), "tracked", "{}", again.body);
        assert_eq!(app.rows(tenant, "bookings").await.len(), 1);
    }

    async fn a_client_row_that_nobody_can_read_is_not_written_over(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = salon(&app).await;
        let first = call_ended("call_1", "+353871234567").to_string();
        let first = app.deliver("retell", None, first.as_bytes()).await;
        assert_eq!(first.text("outcome"), "tracked", "{}", first.body);
        for (column, good) in [("provenance", "{}"), ("set_by_person", "[]")] {
            db.run(&format!("update clients set {column} = '{{'")).await;
            let body = call_ended(&format!("call_{column}"), "+353871234567");
            let body = body.to_string().replace("Niamh", "Somebody").replace("T15:00", "T16:00");
            let answer = app.deliver("retell", None, body.as_bytes()).await;
            assert_eq!(answer.text("reason"), "storing_failed", "{}", answer.body);
            assert_eq!(db.count("clients where first_name = 'Niamh'").await, 1);
            assert_eq!(db.count("bookings").await, 1);
            db.run(&format!("update clients set {column} = '{good}'")).await;
        }
        assert_eq!(db.count("webhook_events where status = 'failed'").await, 2);
        // The profile does not show a guess either.
        db.run("update clients set provenance = '{'").await;
        let path = format!("/api/platform/tenants/{tenant}/clients/{}", first.text("clientId"));
        let token = app.token(Role::PlatformAdmin, None).await;
        let answer = app.ask(Method::GET, &path, &token).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", answer.body);
    }
}
