//! The commands about deliveries: understand, send, events.

use crate::support::shell::{Service, Shell};
use serde_json::{Value, json};

const BY_TOOL: &[u8] = include_bytes!("../../fixtures/retell/call_ended_booking_by_tool.json");
const WITHOUT_SERVICE: &[u8] =
    include_bytes!("../../fixtures/retell/chat_analyzed_without_service.json");
const TENANT: &str = "8d8ac610-566d-4ef0-9c22-186b2a5ed793";

/// A tenant with a Retell connection that takes any account, and the running service.
fn salon(shell: &Shell) -> (Service, String) {
    let add = ["tenant", "add", "--name", "Liffey Light", "--id", TENANT];
    shell.json(&add);
    let add = [
        "connection", "add", "--source", "retell", "--tenant", TENANT, "--secret",
        "key_0123456789abcdef",
    ];
    let id = shell.json(&add)["id"].as_str().unwrap().to_owned();
    (shell.serve(), id)
}

/// Sends a body by a connection of this database, and answers what the service answered.
fn send(shell: &Shell, service: &Service, connection: &str, body: &[u8]) -> Value {
    let file = shell.file("body.json", body);
    let to = ["--to", &service.url, "--connection", connection];
    let sent = shell.json(&[&["send", "retell", file.as_str()][..], &to].concat());
    assert_eq!(sent[0]["status"], 200, "{sent}");
    sent[0]["answer"].clone()
}

both_engines! {
    async fn understand_shows_what_is_told_and_writes_nothing(db: TestDb) {
        let shell = Shell::new(&db);
        shell.json(&["tenant", "add", "--name", "Liffey Light", "--id", TENANT]);
        let files = [shell.file("1.json", BY_TOOL), shell.file("2.json", WITHOUT_SERVICE)];
        let understand = ["understand", "retell", &files[0], &files[1], "--tenant", "liffey-light"];
        let events = shell.json(&understand);
        let booking = &events[0]["understood"][0]["booking"]["data"];
        assert_eq!(booking["serviceName"], "Deep Tissue Massage");
        assert_eq!(events[1]["understood"][0]["needsReview"]["problems"][0]["field"], "serviceName");
        let people = shell.run(&understand).out;
        assert!(people.contains("serviceName          Deep Tissue Massage"), "{people}");
        let malformed = shell.file("3.json", b"{");
        let refused = shell.run(&["understand", "retell", &malformed, "--tenant", TENANT]);
        assert_eq!(refused.code, 1);
        assert!(refused.out.contains("malformed"), "{refused:?}");
        assert_eq!(db.written().await, 0);
    }

    async fn send_signs_as_the_provider_would(db: TestDb) {
        let shell = Shell::new(&db);
        let (service, id) = salon(&shell);
        let answer = send(&shell, &service, &id, BY_TOOL);
        assert_eq!(answer["outcome"], "tracked");
        let file = shell.file("body.json", BY_TOOL);
        let to = ["send", "retell", &file, "--to", &service.url, "--connection", &id];
        let wrong = shell.run(&[&to[..], &["--secret", "wrong"]].concat());
        assert_eq!(wrong.code, 1);
        assert!(wrong.out.contains("401") && wrong.err.is_empty(), "{wrong:?}");
        let nowhere = shell.run(&["send", "retell", &file, "--to", "http://127.0.0.1:1", "--secret",
            "key"]);
        assert_eq!(nowhere.code, 1);
        assert!(nowhere.err.contains("can't be reached"), "{nowhere:?}");
        let chat = shell.run(&["send", "chat", &file, "--to", &service.url, "--connection", &id]);
        assert_eq!(chat.code, 1);
        assert!(chat.err.contains("a connection of retell"), "{chat:?}");

        let token = shell.json(&["token", "add", "--role", "service", "--tenant", TENANT]);
        let body = json!({"phone": "087 123 4567", "name": "Orla Daly", "service": "Cut",
            "dateTime": "2027-04-02T15:00:00+01:00"});
        let file = shell.file("chat.json", body.to_string().as_bytes());
        let sent = shell.json(&["send", "chat", &file, "--to", &service.url, "--token",
            token["token"].as_str().unwrap()]);
        assert_eq!(sent[0]["answer"]["outcome"], "tracked", "{sent}");
    }

    async fn a_person_supplies_what_is_missing_and_the_event_is_tracked(db: TestDb) {
        let shell = Shell::new(&db);
        let (service, connection) = salon(&shell);
        let answer = send(&shell, &service, &connection, WITHOUT_SERVICE);
        assert_eq!(answer["outcome"], "needs_review");
        let id = answer["eventId"].as_str().unwrap();
        let listed = shell.json(&["events", "list", "--status", "needs_review", "--source",
            "retell", "--tenant", "liffey-light"]);
        assert_eq!(listed[0]["id"], id);
        assert_eq!(listed[0]["reason"], "service_missing");

        let unknown = shell.run(&["events", "replay", id, "--set", "colour=red"]);
        assert_eq!(unknown.code, 2);
        assert!(unknown.err.contains("colour") && unknown.err.contains("serviceName"));
        assert_eq!(db.count("bookings").await, 0);

        let set = ["events", "replay", id, "--set", "serviceName=Gel nails"];
        let replayed = shell.json(&set);
        assert_eq!(replayed[0]["outcome"], "tracked", "{replayed}");
        assert_eq!(db.count("bookings where service_name = 'Gel nails'").await, 1);
        let shown = shell.json(&["events", "show", id]);
        assert_eq!(shown["status"], "tracked");
        assert_eq!(shown["overrides"], json!({"serviceName": "Gel nails"}));
        assert_eq!(shown["connection"], connection);
        assert_eq!(shown["raw"].as_str().unwrap().as_bytes(), WITHOUT_SERVICE);

        let again = shell.json(&["events", "replay", id, "--set", "serviceName=Something else"]);
        assert_eq!(again[0]["bookingId"], replayed[0]["bookingId"], "tracked: nothing changes");
        assert_eq!(db.count("bookings where service_name = 'Gel nails'").await, 1);
    }

    async fn what_was_supplied_before_is_kept_when_more_is(db: TestDb) {
        let shell = Shell::new(&db);
        let (service, connection) = salon(&shell);
        let body = include_bytes!("../../fixtures/retell/call_ended_time_and_price_in_prose.json");
        let answer = send(&shell, &service, &connection, body);
        let id = answer["eventId"].as_str().unwrap();
        let first = shell.json(&["events", "replay", id, "--set",
            "appointmentDateTime=2026-04-02T15:00"]);
        assert_eq!(first[0]["outcome"], "needs_review", "{first}");
        let second = shell.json(&["events", "replay", id, "--set", "price=75.00"]);
        assert_eq!(second[0]["outcome"], "tracked", "{second}");
        let kept = &shell.json(&["events", "show", id])["overrides"];
        assert_eq!(*kept, json!({"appointmentDateTime": "2026-04-02T15:00", "price": "75.00"}));
    }

    async fn what_can_not_be_read_again_says_why(db: TestDb) {
        let shell = Shell::new(&db);
        let (service, connection) = salon(&shell);
        let malformed = send(&shell, &service, &connection, b"not json");
        let id = malformed["eventId"].as_str().unwrap();
        let replayed = shell.run(&["events", "replay", id]);
        assert_eq!(replayed.code, 1);
        assert!(replayed.err.contains(id) && replayed.err.contains("JSON"), "{replayed:?}");
        assert_eq!(shell.json(&["events", "show", id])["raw"], "not json");
        let missing = shell.run(&["events", "show", TENANT]);
        assert_eq!(missing.code, 1);
        assert!(missing.err.contains("events list"), "{missing:?}");
    }

    async fn what_belongs_to_no_tenant_is_seen_by_the_platform(db: TestDb) {
        let shell = Shell::new(&db);
        shell.tenant("Glow");
        let add = ["connection", "add", "--source", "retell", "--platform", "--secret", "key_0123456789abcdef"];
        let connection = shell.json(&add)["id"].as_str().unwrap().to_owned();
        let service = shell.serve();
        let answer = send(&shell, &service, &connection, BY_TOOL);
        let id = answer["eventId"].as_str().unwrap();
        let listed = shell.json(&["events", "list"]);
        assert_eq!(listed[0]["id"], id);
        assert_eq!(listed[0].get("tenantId"), None);
        assert_eq!(shell.json(&["events", "list", "--tenant", "glow"]), json!([]));
        assert_eq!(shell.json(&["events", "list", "--source", "chat"]), json!([]));
        assert_eq!(shell.json(&["events", "show", id])["reason"], "tenant_unknown");
        let replayed = shell.run(&["events", "replay", id]);
        assert_eq!(replayed.code, 1);
        assert!(replayed.err.contains("no tenant"), "{replayed:?}");
    }
}
