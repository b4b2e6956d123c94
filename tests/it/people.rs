//! Who is who: phones and WhatsApp ids of one person, and of two.

use crate::support::app::TestApp;
use crate::support::db::TestDb;
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) const NUMBER: &str = "771234500000001";

/// One message from somebody whose number, id or both are known to WhatsApp.
pub(crate) struct From {
    pub(crate) phone: Option<&'static str>,
    pub(crate) id: Option<&'static str>,
}

impl From {
    pub(crate) fn message(&self, wamid: &str, mut message: Value) -> String {
        let mut contact = json!({"profile": {"name": "Aoife"}});
        message["id"] = json!(wamid);
        message["timestamp"] = json!("1773051302");
        if let Some(phone) = self.phone {
            message["from"] = json!(phone);
            contact["wa_id"] = json!(phone);
        }
        if let Some(id) = self.id {
            message["from_user_id"] = json!(id);
            contact["user_id"] = json!(id);
        }
        json!({"object": "whatsapp_business_account", "entry": [{"id": "9", "changes": [
            {"field": "messages", "value": {"messaging_product": "whatsapp",
                "metadata": {"display_phone_number": "35315550100", "phone_number_id": NUMBER},
                "contacts": [contact], "messages": [message]}}]}]})
        .to_string()
    }

    pub(crate) fn books(&self, wamid: &str, service: &str) -> String {
        let form = json!({"service_name": service, "date": "2027-01-20", "time": "11:00"});
        let reply = json!({"name": "flow", "body": "Sent", "response_json": form.to_string()});
        let message = json!({"type": "interactive",
            "interactive": {"type": "nfm_reply", "nfm_reply": reply}});
        self.message(wamid, message)
    }

    pub(crate) fn asks(&self, wamid: &str) -> String {
        self.message(wamid, json!({"type": "text", "text": {"body": "Are you open on Monday?"}}))
    }
}

pub(crate) async fn salon(app: &TestApp) -> (Uuid, String) {
    let tenant = app.tenant("glow-studio").await;
    (tenant, app.connection("whatsapp", Some(tenant), &[(NUMBER, tenant)]).await)
}

pub(crate) async fn post(app: &TestApp, connection: &str, body: &str) -> Value {
    let answer = app.deliver("whatsapp", Some(connection), body.as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["results"][0].clone()
}

pub(crate) const BY_PHONE: From = From { phone: Some("353871234567"), id: None };
pub(crate) const BY_ID: From = From { phone: None, id: Some("IE.408172635540") };
pub(crate) const BY_BOTH: From = From { phone: Some("353871234567"), id: Some("IE.408172635540") };

/// The first number changes to another.
fn away(wamid: &str) -> String {
    let system =
        json!({"type": "user_changed_number", "wa_id": "353899876543", "body": "User A changed"});
    BY_PHONE.message(wamid, json!({"type": "system", "system": system}))
}

both_engines! {
    async fn two_clients_become_one_when_phone_and_id_arrive_together(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = salon(&app).await;
        let phone = post(&app, &connection, &BY_PHONE.books("wamid.1", "Cut")).await;
        let id = post(&app, &connection, &BY_ID.books("wamid.2", "Colour")).await;
        assert_ne!(phone["clientId"], id["clientId"]);
        let both = post(&app, &connection, &BY_BOTH.books("wamid.3", "Blow Dry")).await;
        assert_eq!(both["clientId"], phone["clientId"], "the phone's client stays");
        let clients = app.rows(tenant, "clients").await;
        assert_eq!(clients.len(), 1, "{clients:#?}");
        // An id that was answered once still leads to the person.
        let gone = id["clientId"].as_str().unwrap();
        let profile = app.read(tenant, &format!("clients/{gone}")).await;
        assert_eq!(profile["id"], phone["clientId"]);
        assert_eq!(profile["bookings"].as_array().unwrap().len(), 3);
        // And whoever comes back with the id alone is known.
        let again = post(&app, &connection, &BY_ID.books("wamid.4", "Manicure")).await;
        assert_eq!(again["clientId"], phone["clientId"]);
        assert_eq!(again["isNewClient"], false);
    }

    async fn one_appointment_told_by_phone_and_by_id_is_one_once_they_are_one_person(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = salon(&app).await;
        post(&app, &connection, &BY_ID.books("wamid.1", "Cut")).await;
        post(&app, &connection, &BY_PHONE.books("wamid.2", "Cut")).await;
        assert_eq!(app.rows(tenant, "bookings").await.len(), 2);
        post(&app, &connection, &BY_BOTH.asks("wamid.3")).await;
        assert_eq!(app.rows(tenant, "clients").await.len(), 1);
        assert_eq!(app.rows(tenant, "bookings").await.len(), 1);
    }

    async fn a_question_with_phone_and_id_makes_the_id_the_phones(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = salon(&app).await;
        let booked = post(&app, &connection, &BY_PHONE.books("wamid.1", "Cut")).await;
        let asked = post(&app, &connection, &BY_BOTH.asks("wamid.2")).await;
        assert_eq!(asked["outcome"], "ignored", "a client opens no lead: {asked}");
        assert_eq!(asked.get("leadId"), None);
        let later = post(&app, &connection, &BY_ID.books("wamid.3", "Colour")).await;
        assert_eq!(later["clientId"], booked["clientId"]);
        assert_eq!(app.rows(tenant, "clients").await.len(), 1);
    }

    async fn two_people_are_never_merged_silently(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = salon(&app).await;
        let other = From { phone: Some("353861112222"), id: Some("IE.408172635540") };
        let first = post(&app, &connection, &other.books("wamid.1", "Cut")).await;
        let second = post(&app, &connection, &BY_PHONE.books("wamid.2", "Cut")).await;
        // The id is the first one's; with the other's phone beside it the booking is the phone's.
        let third = post(&app, &connection, &BY_BOTH.books("wamid.3", "Colour")).await;
        assert_ne!(first["clientId"], second["clientId"]);
        assert_eq!(third["clientId"], second["clientId"]);
        assert_eq!(app.rows(tenant, "clients").await.len(), 2);
    }

    async fn whoever_changes_their_number_stays_the_same_client(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = salon(&app).await;
        let before = post(&app, &connection, &BY_PHONE.books("wamid.1", "Cut")).await;
        let system = json!({"type": "system", "system": {"type": "user_changed_number",
            "wa_id": "353899876543", "body": "User Aoife changed from … to …"}});
        let moved = post(&app, &connection, &BY_PHONE.message("wamid.2", system)).await;
        assert_eq!(moved["outcome"], "tracked", "{moved}");
        let profile =
            app.read(tenant, &format!("clients/{}", before["clientId"].as_str().unwrap())).await;
        assert_eq!(profile["phone"], "+353899876543");
        // A late message from the old number, and the first from the new one.
        let new = From { phone: Some("353899876543"), id: None };
        for (turn, from) in [BY_PHONE, new].iter().enumerate() {
            let body = from.books(&format!("wamid.3{turn}"), &format!("Colour {turn}"));
            let told = post(&app, &connection, &body).await;
            assert_eq!(told["clientId"], before["clientId"]);
        }
        assert_eq!(app.rows(tenant, "clients").await.len(), 1);
    }
    async fn whoever_goes_back_to_their_old_number_has_it_again(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = salon(&app).await;
        let new = From { phone: Some("353899876543"), id: None };
        let before = post(&app, &connection, &BY_PHONE.books("wamid.1", "Cut")).await;
        let client = format!("clients/{}", before["clientId"].as_str().unwrap());
        let changed = |from: &From, wamid: &str, to: &str| {
            let system = json!({"type": "user_changed_number", "wa_id": to, "body": "User A changed"});
            from.message(wamid, json!({"type": "system", "system": system}))
        };
        let away = changed(&BY_PHONE, "wamid.2", "353899876543");
        let away_told_twice = changed(&BY_PHONE, "wamid.3", "353899876543");
        let back = changed(&new, "wamid.4", "353871234567");
        for (body, phone) in
            [(away, "+353899876543"), (away_told_twice, "+353899876543"), (back, "+353871234567")]
        {
            assert_eq!(post(&app, &connection, &body).await["outcome"], "tracked");
            assert_eq!(app.read(tenant, &client).await["phone"], phone);
        }
        let current = db.texts("select value from client_identities where is_current").await;
        assert_eq!(current, ["+353871234567"]);
    }

    async fn a_new_id_told_in_two_ways_is_one_change(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = salon(&app).await;
        let before = post(&app, &connection, &BY_ID.books("wamid.1", "Cut")).await;
        let number = json!({"phone_number_id": NUMBER});
        let body = json!({"object": "whatsapp_business_account", "entry": [{"id": "9", "changes": [
            {"field": "messages", "value": {"metadata": number, "messages": [{
                "id": "wamid.2", "timestamp": "1773051302", "type": "system",
                "system": {"type": "user_changed_user_id", "user_id": "IE.9999",
                    "previous_user_id": "IE.408172635540", "body": "User A changed"}}]}},
            {"field": "user_id_update", "value": {"metadata": number, "user_id_update": [{
                "timestamp": "1773051302",
                "user_id": {"previous": "IE.408172635540", "current": "IE.9999"}}]}},
        ]}]});
        let told = app.deliver("whatsapp", Some(&connection), body.to_string().as_bytes()).await;
        let results = told.body["results"].as_array().unwrap();
        assert_eq!(results.len(), 2);
        for result in results {
            assert_eq!(result["clientId"], before["clientId"], "{result}");
        }
        for (turn, id) in ["IE.408172635540", "IE.9999"].into_iter().enumerate() {
            let from = From { phone: None, id: Some(id) };
            let body = from.books(&format!("wamid.3{turn}"), &format!("Colour {turn}"));
            assert_eq!(post(&app, &connection, &body).await["clientId"], before["clientId"]);
        }
        assert_eq!(app.rows(tenant, "clients").await.len(), 1);
        let current = db.texts("select value from client_identities where is_current").await;
        assert_eq!(current, ["IE.9999"]);
    }

    async fn a_change_of_somebody_unknown_makes_nobody(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = salon(&app).await;
        let system = json!({"type": "system", "system": {
            "type": "user_changed_number", "wa_id": "353899876543"}});
        let answer = post(&app, &connection, &BY_BOTH.message("wamid.1", system)).await;
        assert_eq!((&answer["outcome"], &answer["reason"]), (&json!("ignored"), &json!("person_unknown")));
        assert!(app.rows(tenant, "clients").await.is_empty());
        assert_eq!(db.count("leads").await, 0);
    }

    async fn whoever_only_asked_is_the_same_lead_after_a_change(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (_, connection) = salon(&app).await;
        let asked = post(&app, &connection, &BY_BOTH.asks("wamid.1")).await;
        let moved = post(&app, &connection, &away("wamid.2")).await;
        assert_eq!((&moved["outcome"], &moved["reason"]), (&json!("ignored"), &json!("lead_moved")));
        assert_eq!(moved["leadId"], asked["leadId"]);
        let system = json!({"type": "user_changed_user_id", "previous_user_id": "IE.408172635540",
            "user_id": "IE.9999"});
        let id = BY_ID.message("wamid.3", json!({"type": "system", "system": system}));
        assert_eq!(post(&app, &connection, &id).await["reason"], "lead_moved");
        let new = From { phone: Some("353899876543"), id: None };
        for from in [new, From { phone: None, id: Some("IE.9999") }] {
            let again = post(&app, &connection, &from.asks(&format!("wamid.4{}", from.id.is_some()))).await;
            assert_eq!(again["leadId"], asked["leadId"]);
        }
        assert_eq!(db.count("leads where interactions = 3").await, 1, "a change is no question");
        assert_eq!(db.count("leads").await, 1);
    }

    async fn two_leads_are_not_made_one_by_a_change(db: TestDb) {
        let new = From { phone: Some("353899876543"), id: None };
        for body in [new.asks("wamid.2"), new.books("wamid.2", "Cut")] {
            let db = TestDb::fresh(db.engine).await;
            let app = TestApp::start(&db).await;
            let (_, connection) = salon(&app).await;
            let asked = post(&app, &connection, &BY_PHONE.asks("wamid.1")).await;
            post(&app, &connection, &body).await;
            let select = "select phone || ' ' || interactions || ' ' || status from leads order by id";
            let before = db.texts(select).await;
            let moved = post(&app, &connection, &away("wamid.3")).await;
            assert_eq!((&moved["outcome"], &moved["reason"]), (&json!("ignored"), &json!("lead_stays")));
            assert_eq!(moved["leadId"], asked["leadId"]);
            assert_eq!(db.texts(select).await, before);
        }
    }

    async fn a_form_filled_in_twice_is_one_booking(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = salon(&app).await;
        let first = post(&app, &connection, &BY_BOTH.books("wamid.1", "Cut")).await;
        let second = post(&app, &connection, &BY_BOTH.books("wamid.2", "Cut")).await;
        assert_eq!(first["bookingId"], second["bookingId"]);
        assert_eq!(app.rows(tenant, "bookings").await.len(), 1);
    }

    async fn a_button_or_a_yes_confirms_what_is_pending_and_makes_nothing(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = salon(&app).await;
        let button = |wamid: &str, id: &str| {
            let reply = json!({"type": "button_reply", "button_reply": {"id": id, "title": "Yes"}});
            BY_PHONE.message(wamid, json!({"type": "interactive", "interactive": reply}))
        };
        let payload = |wamid: &str, payload: &str| {
            let button = json!({"payload": payload, "text": "Yes"});
            BY_PHONE.message(wamid, json!({"type": "button", "button": button}))
        };
        let text = |wamid: &str, words: &str| {
            BY_PHONE.message(wamid, json!({"type": "text", "text": {"body": words}}))
        };
        // Nothing is open: whatever is tapped or said, no booking comes of it.
        for body in [button("wamid.a", "confirm_booking:GLW-1"), payload("wamid.b", "yes"),
            payload("wamid.c", "CONFIRM|GLW-9"), text("wamid.d", "ok")] {
            let answer = post(&app, &connection, &body).await;
            assert_eq!(answer["reason"], "booking_unknown", "{answer}");
        }
        assert!(app.rows(tenant, "bookings").await.is_empty());
        assert!(app.rows(tenant, "clients").await.is_empty());
        let later = |body: &str, seconds: usize| {
            body.replace("1773051302", &(1_773_051_302 + seconds).to_string())
        };
        // A request is open, and each way to say yes settles one.
        let lines = |reference: &str, day: &str| {
            format!("Service: Cut\nDate: {day}/01/2027\nTime: 16:15\nRef: {reference}")
        };
        for (turn, answer) in [
            text("wamid.11", "Yes!"), payload("wamid.12", "yes"), button("wamid.13", "confirm"),
            button("wamid.14", "confirm_booking_GLW-23"), payload("wamid.15", "CONFIRM|GLW-24"),
        ].iter().enumerate() {
            let request = lines(&format!("GLW-2{turn}"), &format!("1{turn}"));
            let asked = later(&text(&format!("wamid.2{turn}"), &request), 2 * turn + 1);
            let asked = post(&app, &connection, &asked).await;
            let booking = format!("bookings/{}", asked["bookingId"].as_str().unwrap());
            assert_eq!(app.read(tenant, &booking).await["status"], "pending", "{turn}");
            post(&app, &connection, &later(answer, 2 * turn + 2)).await;
            assert_eq!(app.read(tenant, &booking).await["status"], "confirmed", "{turn}");
        }
    }
    async fn whoever_asks_is_one_lead_by_number_by_id_and_by_both(db: TestDb) {
        let people = [BY_PHONE, BY_BOTH, BY_ID];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
            let db = TestDb::fresh(db.engine).await;
            let app = TestApp::start(&db).await;
            let (_, connection) = salon(&app).await;
            let mut leads = Vec::new();
            for turn in order {
                let body = people[turn].asks(&format!("wamid.{turn}"));
                leads.push(post(&app, &connection, &body).await["leadId"].clone());
                // Told again, it is not counted again.
                post(&app, &connection, &body).await;
            }
            assert!(leads.iter().all(|lead| lead.is_string() && *lead == leads[0]), "{leads:?}");
            assert_eq!(db.count("leads").await, 1, "{order:?}");
            assert_eq!(db.count("leads where interactions = 3").await, 1, "{order:?}");
            let reaction = json!({"type": "reaction", "reaction": {"message_id": "m", "emoji": "👍"}});
            post(&app, &connection, &BY_BOTH.message("wamid.9", reaction)).await;
            assert_eq!(db.count("lead_interactions").await, 3);
            // Whichever of the two books, it was this lead.
            post(&app, &connection, &BY_ID.books("wamid.10", "Cut")).await;
            assert_eq!(db.count("leads where status = 'converted'").await, 1, "{order:?}");
        }
    }
}
