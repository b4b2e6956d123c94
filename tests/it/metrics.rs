//! What `/metrics` says, and what it never says.

use crate::people::{BY_PHONE, post, salon};
use crate::support::app::TestApp;
use reqwest::{Method, StatusCode};
use serde_json::json;

/// The value of a counter; 0 while it isn't there.
fn count(text: &str, counter: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(counter)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().unwrap())
}

async fn metrics(app: &TestApp) -> String {
    let answer = app.ask(Method::GET, "/metrics", "").await;
    assert_eq!(answer.status, StatusCode::OK);
    answer.body.as_str().unwrap_or_default().to_owned()
}

both_engines! {
    async fn deliveries_are_counted_by_source_and_outcome(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (_, connection) = salon(&app).await;
        let booking = BY_PHONE.books("wamid.1", "Cut");
        for body in [&booking, &booking, &BY_PHONE.asks("wamid.2")] {
            post(&app, &connection, body).await;
        }
        let stranger =
            app.deliver_as("whatsapp", Some(&connection), booking.as_bytes(), "wrong", "m").await;
        assert_eq!(stranger.status, 401);
        let handshake = "?hub.mode=subscribe&hub.challenge=1&hub.verify_token=guess";
        let path = format!("/whatsapp/inbound/{connection}{handshake}");
        assert_eq!(app.ask(Method::GET, &path, "").await.status, 403);

        let text = metrics(&app).await;
        for (counter, value) in [
            ("bookhook_deliveries_total{source=\"whatsapp\",status=\"200\"}", 3),
            ("bookhook_deliveries_total{source=\"whatsapp\",status=\"401\"}", 1),
            ("bookhook_events_total{source=\"whatsapp\",outcome=\"tracked\"}", 1),
            ("bookhook_events_total{source=\"whatsapp\",outcome=\"duplicate\"}", 1),
            ("bookhook_events_total{source=\"whatsapp\",outcome=\"ignored\"}", 1),
            ("bookhook_failed_authentications_total{source=\"whatsapp\"}", 2),
            ("bookhook_delivery_duration_seconds_count{source=\"whatsapp\"}", 4),
            ("bookhook_delivery_duration_seconds_bucket{source=\"whatsapp\",le=\"+Inf\"}", 4),
        ] {
            assert_eq!(count(&text, counter), value, "{counter}\n{text}");
        }
        for secret in ["glow-studio", "871234567", "wamid", "Aoife", &connection, "771234500"] {
            assert!(!text.contains(secret), "{secret}\n{text}");
        }
    }

    async fn statuses_are_counted_and_not_stored(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (_, connection) = salon(&app).await;
        let status = |status: &str| json!({"id": "wamid.OUT1", "status": status,
            "timestamp": "1773051302", "recipient_id": "353871234567"});
        let change = |statuses: serde_json::Value| json!({"field": "messages", "value": {
            "messaging_product": "whatsapp", "metadata": {"phone_number_id": "771234500000001"},
            "statuses": statuses}});
        let body = json!({"object": "whatsapp_business_account", "entry": [
            {"id": "9", "changes": [
                change(json!([status("sent"), status("delivered"), "no status", {"status": 7}])),
                change(json!({"status": "read"})),
            ]},
            {"id": "9", "changes": [change(json!([status("delivered"), status("353871234567")]))]},
        ]});
        let before = db.written().await;
        let answer = app.deliver("whatsapp", Some(&connection), body.to_string().as_bytes()).await;
        assert_eq!((answer.status, &answer.body["results"]), (StatusCode::OK, &json!([])));
        assert_eq!(db.written().await, before);
        // Nobody vouches for these.
        let bytes = body.to_string().into_bytes();
        app.deliver_as("whatsapp", Some(&connection), &bytes, "wrong", "m").await;
        let text = metrics(&app).await;
        for (word, value) in [("sent", 1), ("delivered", 2), ("read", 0), ("other", 3)] {
            let counter = format!("bookhook_whatsapp_statuses_total{{status=\"{word}\"}}");
            assert_eq!(count(&text, &counter), value, "{counter}\n{text}");
        }
        assert!(!text.contains("353871234567"), "{text}");
    }
}
