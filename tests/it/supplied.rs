//! What a person supplies for an event, by every name there is.

use crate::support::shell::{Service, Shell};
use bookhook::sources::fields::settable_names;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const WITHOUT_SERVICE: &str =
    include_str!("../../fixtures/retell/chat_analyzed_without_service.json");

fn salon(shell: &Shell) -> (Service, String) {
    shell.tenant("Liffey Light");
    let add = [
        "connection", "add", "--source", "retell", "--tenant", "liffey-light", "--secret",
        "key_0123456789abcdef",
    ];
    let id = shell.json(&add)["id"].as_str().unwrap().to_owned();
    (shell.serve(), id)
}

/// Delivers a conversation in which no service was named, and answers the event's id.
fn lacking(shell: &Shell, service: &Service, connection: &str, number: u8) -> String {
    let mut body: Value = serde_json::from_str(WITHOUT_SERVICE).unwrap();
    body["chat"]["chat_id"] = json!(format!("chat_{number}"));
    let file = shell.file("body.json", body.to_string().as_bytes());
    let sent =
        shell.json(&["send", "retell", &file, "--to", &service.url, "--connection", connection]);
    assert_eq!(sent[0]["answer"]["reason"], "service_missing", "{sent}");
    sent[0]["answer"]["eventId"].as_str().unwrap().to_owned()
}

/// Reads an event again with these values.
fn supplying(id: &str, set: &[(&str, &str)]) -> Vec<String> {
    let pairs = set.iter().map(|(name, value)| format!("{name}={value}"));
    let sets = pairs.flat_map(|pair| ["--set".to_owned(), pair]);
    ["events", "replay", id].map(str::to_owned).into_iter().chain(sets).collect()
}

fn words(command: &[String]) -> Vec<&str> {
    command.iter().map(String::as_str).collect()
}

/// Values for all names but those that name the same in Phorest's own words.
const PLAIN: &[(&str, &str)] = &[
    ("customerPhone", "086 555 0199"),
    ("whatsappId", "IE.40817263554098123001"),
    ("firstName", "Áine"),
    ("lastName", "O'Brien"),
    ("email", "Aine@Example.ie"),
    ("serviceName", "Gel nails"),
    ("serviceCategory", "Nails"),
    ("appointmentDateTime", "2027-04-02T15:00"),
    ("duration", "1h 30m"),
    ("staffMember", "Aoife Kelly"),
    ("price", "1.234"),
    ("currency", "KWD"),
    ("source", "whatsapp"),
    ("status", "pending"),
    ("paymentStatus", "deposit_paid"),
    ("serviceProvider", "Fresha_API"),
    ("externalClientId", "-Cl_1"),
    ("businessId", "biz 1"),
    ("branchId", "br1"),
    ("externalBookingId", "F-7"),
    ("notes", "window seat"),
];

const PHOREST: &[(&str, &str)] = &[
    ("serviceName", "Gel nails"),
    ("appointmentDateTime", "2027-04-03 15:00"),
    ("customerPhone", "+353865550188"),
    ("phorestClientId", "igK6P6lu40g3UeT_zhmJhw"),
    ("phorestBusinessId", "b9"),
    ("phorestBranchId", "br9"),
    ("phorestBookingId", "PH-9"),
];

both_engines! {
    async fn every_name_that_can_be_set_reaches_the_booking(db: TestDb) {
        let named: BTreeSet<&str> = PLAIN.iter().chain(PHOREST).map(|(name, _)| *name).collect();
        assert_eq!(named, settable_names().into_iter().collect(), "a name without a value here");
        let shell = Shell::new(&db);
        let (service, connection) = salon(&shell);
        for (number, set) in [(1, PLAIN), (2, PHOREST)] {
            let id = lacking(&shell, &service, &connection, number);
            let replayed = shell.json(&words(&supplying(&id, set)));
            assert_eq!(replayed[0]["outcome"], "tracked", "{replayed}");
        }
        let row = "select service_name || '|' || service_category || '|' || duration_minutes || '|' ||
            staff_member || '|' || amount_minor || '|' || currency || '|' || source || '|' ||
            status || '|' || payment_status || '|' || provider || '|' || external_booking_id || '|' ||
            notes from bookings where external_booking_id = 'F-7'";
        let told = "Gel nails|Nails|90|Aoife Kelly|1234|KWD|whatsapp|pending|deposit_paid|fresha|F-7|window seat";
        assert_eq!(db.texts(row).await, [told]);
        let at = "bookings where cast(booking_at as text) like '2027-04-02_14:00:00%'";
        assert_eq!(db.count(at).await, 1, "the tenant's clock is an hour ahead by then");
        let person = "select phone || '|' || whatsapp_id || '|' || first_name || '|' || last_name ||
            '|' || email from clients where phone = '+353865550199'";
        let told = "+353865550199|IE.40817263554098123001|Áine|O'Brien|aine@example.ie";
        assert_eq!(db.texts(person).await, [told]);
        let mappings = "select provider || '|' || external_client_id || '|' || business_id || '|' ||
            branch_id from client_service_mappings order by provider";
        assert_eq!(db.texts(mappings).await, ["fresha|-Cl_1|biz 1|br1",
            "phorest|igK6P6lu40g3UeT_zhmJhw|b9|br9"]);
        assert_eq!(db.count("bookings where provider = 'phorest' and external_booking_id = 'PH-9'").await, 1);
    }

    async fn what_nobody_can_read_is_refused_before_anything_is_written(db: TestDb) {
        let shell = Shell::new(&db);
        let (service, connection) = salon(&shell);
        let id = lacking(&shell, &service, &connection, 1);
        let long = "x".repeat(201);
        for (name, value, sentence) in [
            ("customerPhone", "12", "country code"),
            ("whatsappId", "?!", "WhatsApp id"),
            ("firstName", &long, "longer than 200"),
            ("email", "aine at example", "e-mail address"),
            ("serviceName", &long, "longer than 200"),
            ("appointmentDateTime", "tomorrow 3pm", "appointmentDateTime"),
            ("appointmentDateTime", "2027-03-28T01:30", "appointmentDateTime"),
            ("duration", "long", "minutes"),
            ("price", "-5", "price"),
            ("price", "75.005", "price"),
            ("currency", "BANANA", "ISO 4217"),
            ("source", "fax", "voice, web, whatsapp"),
            ("status", "maybe", "no_show"),
            ("paymentStatus", "later", "deposit_paid"),
            ("externalBookingId", &long, "longer than 200"),
        ] {
            let set = [("serviceName", "Gel nails"), (name, value)];
            let refused = shell.run(&words(&supplying(&id, &set)));
            assert_eq!(refused.code, 1, "{name}={value}: {refused:?}");
            let named = refused.err.contains(name) && refused.err.contains(sentence);
            assert!(named, "{name}={value}: {refused:?}");
        }
        for wrong in ["colour=red", "tenantId=other", "phone=+353871234567", "serviceName"] {
            let refused = shell.run(&["events", "replay", &id, "--set", wrong]);
            assert_eq!(refused.code, 2, "{wrong}: {refused:?}");
        }
        let event = shell.json(&["events", "show", &id]);
        assert_eq!((&event["attempts"], &event["status"]), (&json!(1), &json!("needs_review")));
        assert!(event.get("overrides").is_none(), "{event}");
        assert_eq!(db.count("bookings").await, 0);
        // The event tells another currency, in which the amount is none.
        let mixed = [("serviceName", "Gel nails"), ("currency", "JPY"), ("price", "75.50")];
        let refused = shell.run(&words(&supplying(&id, &mixed)));
        assert!(refused.code == 1 && refused.err.contains("price"), "{refused:?}");
    }

    async fn an_event_that_tells_nothing_takes_no_unreadable_value_either(db: TestDb) {
        let shell = Shell::new(&db);
        let (service, connection) = salon(&shell);
        let body = json!({"event": "call_started", "call": {"call_id": "c1"}}).to_string();
        let file = shell.file("body.json", body.as_bytes());
        let sent = shell.json(&["send", "retell", &file, "--to", &service.url, "--connection", &connection]);
        let id = sent[0]["answer"]["eventId"].as_str().unwrap();
        let refused = shell.run(&words(&supplying(id, &[("duration", "long")])));
        assert!(refused.code == 1 && refused.err.contains("duration"), "{refused:?}");
        assert_eq!(shell.json(&["events", "show", id])["attempts"], 1);
    }
}
