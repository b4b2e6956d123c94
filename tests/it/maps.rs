//! Field maps: a connection says where its callers put what, and what waited is read again by it.

use crate::support::shell::{Service, Shell, within_five_seconds};
use serde_json::{Value, json};

/// A service, a tenant, and a Retell connection that takes any account.
fn salon(shell: &Shell) -> (Service, String) {
    shell.tenant("Liffey Light");
    let made = shell.json(&[
        "connection", "add", "--source", "retell", "--tenant", "liffey-light", "--secret",
        "key_0123456789abcdef",
    ]);
    (shell.serve(), made["id"].as_str().unwrap().to_owned())
}

/// A call whose tool has names that nobody knows.
fn call(number: u8) -> Value {
    let arguments = json!({"was": "Maniküre", "wann": format!("2027-04-0{number}T15:00")});
    json!({"event": "call_ended", "call": {
        "call_id": format!("call_{number}"), "agent_id": "agent_x", "direction": "inbound",
        "from_number": format!("+35387123456{number}"), "start_timestamp": 1_773_051_302_417_i64,
        "transcript_with_tool_calls": [
            {"role": "tool_call_invocation", "tool_call_id": "t1", "name": "create_booking",
                "arguments": arguments.to_string()},
            {"role": "tool_call_result", "tool_call_id": "t1",
                "content": "{\"success\":true,\"nr\":\"K-1\"}"},
        ],
    }})
}

/// A cancellation whose tool has a name that nobody knows.
fn cancellation(number: u8) -> Value {
    let mut body = call(number);
    body["call"]["call_id"] = json!(format!("later_{number}"));
    body["call"]["start_timestamp"] = json!(1_773_061_302_417_i64);
    body["call"]["transcript_with_tool_calls"][0]["name"] = json!("weg_damit");
    body
}

fn map() -> Value {
    json!({"fields": {"serviceName": ["/args/was"], "appointmentDateTime": ["/args/wann"]},
        "tools": {"cancel": ["weg_damit"]}})
}

/// Delivers a body, and answers what became of it.
fn send(shell: &Shell, service: &Service, connection: &str, body: &Value) -> Value {
    let file = shell.file("body.json", body.to_string().as_bytes());
    let sent =
        shell.json(&["send", "retell", &file, "--to", &service.url, "--connection", connection]);
    sent[0]["answer"].clone()
}

fn outcomes(replayed: &Value) -> Vec<&str> {
    replayed.as_array().unwrap().iter().map(|a| a["outcome"].as_str().unwrap_or("")).collect()
}

both_engines! {
    async fn what_waits_is_read_again_once_a_map_says_where_it_is(db: TestDb) {
        let shell = Shell::new(&db);
        let (service, id) = salon(&shell);
        let told: Vec<Value> = (1..=3).map(|n| send(&shell, &service, &id, &call(n))).collect();
        assert!(told.iter().all(|a| a["outcome"] == "needs_review"), "{told:?}");
        let first = told[0]["eventId"].as_str().unwrap();
        let file = shell.file("map.json", map().to_string().as_bytes());

        let body = shell.file("body.json", call(1).to_string().as_bytes());
        let before = ["understand", "retell", &body, "--tenant", "liffey-light"];
        assert!(shell.json(&before)[0]["understood"][0].get("needsReview").is_some());
        let after = shell.json(&[&before[..], &["--map", &file]].concat());
        assert_eq!(after[0]["understood"][0]["booking"]["data"]["serviceName"], "Maniküre");
        assert_eq!(db.count("bookings").await, 0, "looking changes nothing");

        let kept = shell.json(&["connection", "map", &id, "--file", &file]);
        assert_eq!(kept["fieldMap"], map());
        assert_eq!(shell.json(&["connection", "map", &id])["fieldMap"], map());
        let one = shell.json(&["events", "replay", first]);
        assert_eq!(outcomes(&one), ["tracked"], "{one}");
        let many = ["events", "replay", "--status", "needs_review", "--source", "retell",
            "--tenant", "liffey-light"];
        let read = shell.json(&many);
        assert_eq!(outcomes(&read), ["tracked", "tracked"], "{read}");
        assert_eq!(db.count("bookings").await, 3);
        assert_eq!(shell.json(&many), json!([]), "nothing waits any more");

        let ids: Vec<&str> = told.iter().filter_map(|a| a["eventId"].as_str()).collect();
        let again = shell.json(&[&["events", "replay"], ids.as_slice()].concat());
        assert_eq!(outcomes(&again), ["tracked"; 3]);
        assert_eq!(again[0]["bookingId"], one[0]["bookingId"]);
        assert_eq!(db.count("bookings").await, 3, "reading again changes nothing");
        assert_eq!(db.count("clients").await, 3);
    }

    async fn a_running_service_reads_by_a_new_map_within_seconds(db: TestDb) {
        let shell = Shell::new(&db);
        let (service, id) = salon(&shell);
        assert_eq!(send(&shell, &service, &id, &call(1))["outcome"], "needs_review");
        let off = send(&shell, &service, &id, &cancellation(1));
        assert_eq!(off["outcome"], "ignored", "nobody knows the tool: {off}");
        let text = map().to_string();
        shell.json_with(&["connection", "map", &id, "--file", "-"], &text);
        let mut round = 0;
        let mut outcome_of_another = || {
            round += 1;
            let mut body = call(2);
            body["call"]["call_id"] = json!(format!("another_{round}"));
            send(&shell, &service, &id, &body)["outcome"].clone()
        };
        within_five_seconds("the map is in force", || outcome_of_another() == "tracked");
        let cancelled = send(&shell, &service, &id, &cancellation(2));
        assert_eq!(cancelled["outcome"], "tracked", "{cancelled}");
        assert_eq!(db.count("bookings where status = 'cancelled'").await, 1);
        assert!(shell.json(&["connection", "map", &id, "--clear"]).get("fieldMap").is_none());
        within_five_seconds("the map is away", || outcome_of_another() == "needs_review");
    }

    async fn a_map_that_is_none_is_refused_and_changes_nothing(db: TestDb) {
        let shell = Shell::new(&db);
        let (_service, id) = salon(&shell);
        let good = map().to_string();
        shell.json_with(&["connection", "map", &id, "--file", "-"], &good);
        for (text, why) in [
            ("{", "no field map"),
            (r#"{"fields":{"shoeSize":["/a"]}}"#, "shoeSize"),
            (r#"{"fields":{"serviceName":["service"]}}"#, "begin with /"),
        ] {
            let refused = shell.run_with(&["connection", "map", &id, "--file", "-"], text);
            assert_eq!(refused.code, 1);
            assert!(refused.err.contains(why), "{refused:?}");
        }
        let file = shell.file("bad.json", b"[]");
        let looked = shell.run(&["understand", "retell", &file, "--tenant", "liffey-light",
            "--map", &file]);
        assert!(looked.err.contains("no field map"), "{looked:?}");
        assert_eq!(shell.json(&["connection", "map", &id])["fieldMap"], map());
        assert_eq!(shell.json(&["connection", "list"])[0]["hasFieldMap"], true);
        let both = shell.run(&["connection", "map", &id, "--clear", "--file", &file]);
        assert_eq!(both.code, 2);
        let nobodys = shell.run(&["connection", "map", "cn_none"]);
        assert_eq!(nobodys.code, 1);
    }

    async fn what_is_held_for_a_person_is_not_let_through_with_the_rest(db: TestDb) {
        let shell = Shell::new(&db);
        shell.tenant("Other");
        let (service, id) = salon(&shell);
        let mut named = call(1);
        named["call"]["metadata"] = json!({"tenant_id": "other"});
        let held = send(&shell, &service, &id, &named);
        assert_eq!(held["reason"], "tenant_mismatch", "{held}");
        let broken = shell.file("body.json", b"not json");
        shell.json(&["send", "retell", &broken, "--to", &service.url, "--connection", &id]);
        let waits = send(&shell, &service, &id, &call(2));
        let text = map().to_string();
        shell.json_with(&["connection", "map", &id, "--file", "-"], &text);
        let ran = shell.run(&["events", "replay", "--status", "needs_review", "--json"]);
        let read = ran.json();
        assert_eq!((ran.code, outcomes(&read)), (1, vec!["", "tracked"]), "{read}");
        assert!(read[0]["error"].as_str().unwrap().contains("not JSON"), "{read}");
        assert_eq!(read[1]["eventId"], waits["eventId"]);
        let mixed = shell.run(&["events", "replay", held["eventId"].as_str().unwrap(), "--status",
            "needs_review"]);
        assert_eq!(mixed.code, 2, "{mixed:?}");
        let neither = shell.run(&["events", "replay"]);
        assert_eq!(neither.code, 2, "{neither:?}");
    }

    async fn reading_one_tenants_events_again_leaves_the_others_alone(db: TestDb) {
        let shell = Shell::new(&db);
        let (service, id) = salon(&shell);
        shell.tenant("Other");
        let made = shell.json(&["connection", "add", "--source", "retell", "--tenant", "other",
            "--secret", "key_of_another_0123456789"]);
        let other = made["id"].as_str().unwrap();
        send(&shell, &service, &id, &call(1));
        let theirs = send(&shell, &service, other, &call(1));
        let file = shell.file("map.json", map().to_string().as_bytes());
        for connection in [id.as_str(), other] {
            shell.json(&["connection", "map", connection, "--file", &file]);
        }
        let many = ["events", "replay", "--status", "needs_review", "--tenant", "liffey-light"];
        assert_eq!(outcomes(&shell.json(&many)), ["tracked"]);
        assert_eq!(outcomes(&shell.json(&many)), [""; 0]);
        let event = shell.json(&["events", "show", theirs["eventId"].as_str().unwrap()]);
        assert_eq!((&event["status"], &event["attempts"]), (&json!("needs_review"), &json!(1)));
        assert_eq!(db.count("bookings").await, 1);
        let all = shell.json(&["events", "replay", "--status", "needs_review"]);
        assert_eq!(outcomes(&all), ["tracked"]);
        assert_eq!(db.count("bookings").await, 2);
    }

    async fn reading_again_at_the_same_time_is_one_booking(db: TestDb) {
        let shell = Shell::new(&db);
        let (service, id) = salon(&shell);
        let told: Vec<Value> = (1..=3).map(|n| send(&shell, &service, &id, &call(n))).collect();
        let file = shell.file("map.json", map().to_string().as_bytes());
        shell.json(&["connection", "map", &id, "--file", &file]);
        let many = ["events", "replay", "--status", "needs_review"];
        let ids: Vec<&str> = told.iter().filter_map(|a| a["eventId"].as_str()).collect();
        let named = [&["events", "replay"], ids.as_slice()].concat();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| shell.json(&many));
                scope.spawn(|| shell.json(&named));
            }
        });
        assert_eq!(db.count("bookings").await, 3);
        assert_eq!(db.count("booking_sightings").await, 3);
        assert_eq!(db.count("webhook_events where status = 'tracked'").await, 3);
    }

    async fn what_a_workflow_was_refused_for_is_tracked_once_a_map_says_where_it_is(db: TestDb) {
        let shell = Shell::new(&db);
        shell.tenant("Liffey Light");
        let made = shell.json(&["connection", "add", "--source", "n8n", "--tenant", "liffey-light"]);
        let id = made["id"].as_str().unwrap();
        let service = shell.serve();
        let body = json!({"tenantId": "liffey-light", "bookingData": {"phone": "0871234567",
            "behandlung": "Cut", "dateTime": "2027-04-02T15:00", "source": "web"}});
        let file = shell.file("body.json", body.to_string().as_bytes());
        let sent = shell.run(&["send", "n8n", &file, "--to", &service.url, "--connection", id,
            "--json"]).json();
        assert_eq!(sent[0]["status"], 422, "{sent}");
        let text = json!({"fields": {"serviceName": ["/bookingData/behandlung"]}}).to_string();
        shell.json_with(&["connection", "map", id, "--file", "-"], &text);
        let many = ["events", "replay", "--status", "rejected", "--source", "n8n"];
        let read = shell.json(&many);
        assert_eq!(outcomes(&read), ["tracked"], "{read}");
        // Its author corrects the request meanwhile: it is the same booking.
        let mut corrected = body;
        corrected["bookingData"]["service"] = json!("Cut");
        let file = shell.file("body.json", corrected.to_string().as_bytes());
        let sent = shell.json(&["send", "n8n", &file, "--to", &service.url, "--connection", id]);
        assert_eq!(sent[0]["answer"]["bookingId"], read[0]["bookingId"], "{sent}");
        assert_eq!(db.count("bookings").await, 1);
    }
}
