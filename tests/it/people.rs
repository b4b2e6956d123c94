//! Who is who: phones and WhatsApp ids of one person, and of two.

use crate::support::app::TestApp;
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
}
