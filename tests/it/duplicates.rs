//! Two clients who may be one person: proposed, never merged by what a delivery says.

use crate::people::{BY_BOTH, BY_ID, BY_PHONE, From, NUMBER, post, salon};
use crate::support::app::{TestApp, now};
use crate::support::db::TestDb;
use bookhook::domain::channel::{DuplicateReason, DuplicateStatus};
use bookhook::domain::person::{Identity, WhatsAppId};
use bookhook::storage::duplicates::{self, DuplicateRow, NewDuplicate};
use bookhook::storage::{beside, clients};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

const OTHER_WITH_ID: From = From { phone: Some("353861112222"), id: Some("IE.408172635540") };
const OTHER_PHONE: From = From { phone: Some("353861112222"), id: None };

/// What is proposed: the phones of the two (or what stands for one), sorted, with reason and
/// detail; sorted.
async fn proposed(app: &TestApp, tenant: Uuid) -> Vec<String> {
    let clients = app.rows(tenant, "clients").await;
    let named = |c: &Value| {
        let id: Uuid = c["id"].as_str().unwrap().parse().unwrap();
        (id, c["phone"].as_str().unwrap_or("no phone").to_owned())
    };
    let phones: BTreeMap<Uuid, String> = clients.iter().map(named).collect();
    let mut shown: Vec<String> = rows(app, tenant, DuplicateStatus::Proposed)
        .await
        .iter()
        .map(|row| {
            let mut two = [&phones[&row.first_client], &phones[&row.second_client]];
            two.sort();
            assert!(row.first_client < row.second_client);
            assert!(row.event_id.is_some());
            format!("{} {} {} {}", two[0], two[1], row.reason, row.detail)
        })
        .collect();
    shown.sort();
    shown
}

async fn rows(app: &TestApp, tenant: Uuid, status: DuplicateStatus) -> Vec<DuplicateRow> {
    let mut reader = app.db.reader().await.unwrap();
    duplicates::list(&mut reader.conn(), tenant, status, Uuid::max(), 100).await.unwrap()
}

/// A booking as n8n or the chat widget tells it.
fn booking(tenant: Uuid, phone: &str, booking: &str, account: Option<&str>) -> Value {
    json!({"tenantId": tenant, "bookingData": {
        "phone": phone, "serviceName": "Cut", "dateTime": "2027-01-20T11:00:00Z", "source": "web",
        "phorestBookingId": booking, "phorestClientId": account,
    }})
}

async fn told(app: &TestApp, source: &str, tenant: Uuid, body: &Value) -> Value {
    let connection = app.connection(source, Some(tenant), &[]).await;
    let answer = app.deliver(source, Some(&connection), body.to_string().as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

const SHARED_ID: &str =
    r#"+353861112222 +353871234567 phone_and_whatsapp {"whatsapp":"IE.408172635540"}"#;

both_engines! {
    async fn a_phone_and_an_id_of_two_people_are_proposed_whichever_came_first(db: TestDb) {
        let app = TestApp::start(&db).await;
        let messages = [
            OTHER_WITH_ID.books("wamid.1", "Cut"),
            BY_PHONE.books("wamid.2", "Colour"),
            BY_BOTH.books("wamid.3", "Manicure"),
        ];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            // Each order in a salon of its own, with a number of its own.
            let name = order.map(|n: usize| n.to_string()).concat();
            let (tenant, number) = (app.tenant(&format!("salon-{name}")).await, format!("77{name}"));
            let connection = app.connection("whatsapp", Some(tenant), &[(&number, tenant)]).await;
            for message in order {
                post(&app, &connection, &messages[message].replace(NUMBER, &number)).await;
            }
            assert_eq!(app.rows(tenant, "clients").await.len(), 2, "{order:?}");
            assert_eq!(proposed(&app, tenant).await, [SHARED_ID], "{order:?}");
        }
    }

    async fn a_question_shows_it_as_well_and_only_once(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = salon(&app).await;
        post(&app, &connection, &OTHER_WITH_ID.books("wamid.1", "Cut")).await;
        post(&app, &connection, &BY_PHONE.books("wamid.2", "Cut")).await;
        assert_eq!(proposed(&app, tenant).await, [""; 0]);
        for wamid in ["wamid.3", "wamid.3", "wamid.4"] {
            let asked = post(&app, &connection, &BY_BOTH.asks(wamid)).await;
            assert_eq!(asked["outcome"], "ignored");
        }
        assert_eq!(proposed(&app, tenant).await, [SHARED_ID]);
        // Seen by a person, it is not proposed again.
        let id = rows(&app, tenant, DuplicateStatus::Proposed).await[0].id;
        let mut tx = app.db.begin().await.unwrap();
        assert!(duplicates::dismiss(&mut tx.conn(), tenant, id, now()).await.unwrap());
        tx.commit().await.unwrap();
        post(&app, &connection, &BY_BOTH.asks("wamid.5")).await;
        assert_eq!(proposed(&app, tenant).await, [""; 0]);
        assert_eq!(rows(&app, tenant, DuplicateStatus::Dismissed).await[0].id, id);
    }

    async fn a_second_id_beside_a_clients_phone_is_remembered_for_whoever_has_it(db: TestDb) {
        let second = From { phone: Some("353871234567"), id: Some("IE.9999") };
        let alone = From { phone: None, id: Some("IE.9999") };
        let shown = r#"+353871234567 no phone phone_and_whatsapp {"whatsapp":"IE.9999"}"#;
        for together in [second.asks("wamid.2"), second.books("wamid.2", "Colour")] {
            let db = TestDb::fresh(db.engine).await;
            let app = TestApp::start(&db).await;
            let (tenant, connection) = salon(&app).await;
            post(&app, &connection, &BY_BOTH.books("wamid.1", "Cut")).await;
            post(&app, &connection, &together).await;
            assert_eq!(proposed(&app, tenant).await, [""; 0], "there is no second person yet");
            post(&app, &connection, &alone.asks("wamid.3")).await;
            post(&app, &connection, &alone.books("wamid.4", "Manicure")).await;
            assert_eq!(app.rows(tenant, "clients").await.len(), 2);
            assert_eq!(proposed(&app, tenant).await, [shown]);
        }
    }

    async fn a_second_phone_beside_a_clients_id_is_remembered_for_whoever_has_it(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = salon(&app).await;
        post(&app, &connection, &BY_BOTH.books("wamid.1", "Cut")).await;
        post(&app, &connection, &OTHER_WITH_ID.asks("wamid.2")).await;
        post(&app, &connection, &OTHER_PHONE.books("wamid.3", "Manicure")).await;
        let shown = r#"+353861112222 +353871234567 phone_and_whatsapp {"phone":"+353861112222"}"#;
        assert_eq!(proposed(&app, tenant).await, [shown]);
    }

    async fn what_was_told_beside_a_client_goes_with_them_into_another(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = salon(&app).await;
        // IE.9999 is told beside the client with an id alone, who then proves to be the phone's.
        post(&app, &connection, &BY_ID.books("wamid.1", "Cut")).await;
        post(&app, &connection, &OTHER_PHONE.books("wamid.2", "Colour")).await;
        let event = app.rows(tenant, "events").await[0]["id"].as_str().unwrap().parse().unwrap();
        let mut tx = app.db.begin().await.unwrap();
        let id = Identity::WhatsApp(WhatsAppId::parse("IE.408172635540").unwrap());
        let other = Identity::WhatsApp(WhatsAppId::parse("IE.9999").unwrap());
        let conn = &mut tx.conn();
        let client = clients::find_by_identity(conn, tenant, &id).await.unwrap().unwrap();
        beside::insert(conn, tenant, &other, client, event, now()).await.unwrap();
        tx.commit().await.unwrap();
        post(&app, &connection, &OTHER_WITH_ID.books("wamid.3", "Manicure")).await;
        assert_eq!(app.rows(tenant, "clients").await.len(), 1);
        post(&app, &connection, &From { phone: None, id: Some("IE.9999") }.books("wamid.4", "Cut")).await;
        let shown = r#"+353861112222 no phone phone_and_whatsapp {"whatsapp":"IE.9999"}"#;
        assert_eq!(proposed(&app, tenant).await, [shown]);
    }

    async fn a_number_of_another_client_is_not_taken_over(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = salon(&app).await;
        let first = post(&app, &connection, &BY_PHONE.books("wamid.1", "Cut")).await;
        let second = post(&app, &connection, &OTHER_PHONE.books("wamid.2", "Cut")).await;
        let system = json!({"type": "system", "system": {
            "type": "user_changed_number", "wa_id": "353861112222", "body": "User A changed"}});
        let moved = post(&app, &connection, &BY_PHONE.message("wamid.3", system)).await;
        assert_eq!((&moved["outcome"], &moved["reason"]), (&json!("needs_review"), &json!("identity_taken")));
        assert_ne!(first["clientId"], second["clientId"]);
        let clash = r#"+353861112222 +353871234567 identity_change {"phone":"+353861112222"}"#;
        assert_eq!(proposed(&app, tenant).await, [clash]);
        let later = post(&app, &connection, &BY_PHONE.books("wamid.4", "Colour")).await;
        assert_eq!(later["clientId"], first["clientId"], "the number stays with its client");
    }

    async fn an_id_of_another_client_is_not_taken_over(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = salon(&app).await;
        post(&app, &connection, &BY_ID.books("wamid.1", "Cut")).await;
        let other = From { phone: None, id: Some("IE.9999") };
        post(&app, &connection, &other.books("wamid.2", "Cut")).await;
        let system = json!({"type": "system", "system": {"type": "user_changed_user_id",
            "previous_user_id": "IE.408172635540", "user_id": "IE.9999", "body": "User A changed"}});
        let moved = post(&app, &connection, &BY_ID.message("wamid.3", system)).await;
        assert_eq!(moved["reason"], "identity_taken");
        let clash = r#"no phone no phone identity_change {"whatsapp":"IE.9999"}"#;
        assert_eq!(proposed(&app, tenant).await, [clash]);
    }

    async fn an_account_of_another_client_is_left_and_proposed(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        let first = told(&app, "n8n", tenant, &booking(tenant, "+353871234567", "PH-1", Some("C-1"))).await;
        for id in ["PH-2", "PH-3"] {
            let body = booking(tenant, "+353861112222", id, Some("C-1"));
            assert_eq!(told(&app, "n8n", tenant, &body).await["outcome"], "tracked");
        }
        let clash = "+353861112222 +353871234567 external_client_id \
                     {\"externalClientId\":\"C-1\",\"serviceProvider\":\"phorest\"}";
        assert_eq!(proposed(&app, tenant).await, [clash]);
        let owner = app.read(tenant, &format!("clients/{}", first["clientId"].as_str().unwrap())).await;
        assert_eq!(owner["mappings"][0]["externalClientId"], "C-1");
        assert_eq!(db.count("client_service_mappings").await, 1);
    }

    async fn what_was_shown_by_a_booking_that_proved_anothers_is_taken_back(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        let owner = booking(tenant, "+353871234567", "PH-1", Some("C-1"));
        let wrong = booking(tenant, "+353861112222", "PH-2", Some("C-1"));
        let theirs = booking(tenant, "+353861112222", "PH-9", None);
        // What n8n says goes before what was said in the chat.
        let right = booking(tenant, "+353851112233", "PH-2", None);
        for (source, body) in [("n8n", &owner), ("chat", &wrong), ("chat", &theirs)] {
            told(&app, source, tenant, body).await;
        }
        assert_eq!(proposed(&app, tenant).await.len(), 1);
        told(&app, "n8n", tenant, &right).await;
        let clash = "+353851112233 +353871234567 external_client_id \
                     {\"externalClientId\":\"C-1\",\"serviceProvider\":\"phorest\"}";
        assert_eq!(proposed(&app, tenant).await, [clash]);
        assert_eq!(app.rows(tenant, "clients").await.len(), 3, "the wrong one has a booking");
    }

    async fn who_shared_an_account_with_a_client_that_was_removed_shares_it_with_the_next(db: TestDb) {
        let app = TestApp::start(&db).await;
        let tenant = app.tenant("glow-studio").await;
        let wrong = booking(tenant, "+353861112222", "PH-2", Some("C-1"));
        let other = booking(tenant, "+353871234567", "PH-1", Some("C-1"));
        let right = booking(tenant, "+353851112233", "PH-2", None);
        for (source, body) in [("chat", &wrong), ("n8n", &other), ("n8n", &right)] {
            told(&app, source, tenant, body).await;
        }
        let clash = "+353851112233 +353871234567 external_client_id \
                     {\"externalClientId\":\"C-1\",\"serviceProvider\":\"phorest\"}";
        assert_eq!(proposed(&app, tenant).await, [clash]);
        assert_eq!(app.rows(tenant, "clients").await.len(), 2);
    }

    async fn what_was_proposed_of_a_client_goes_with_them_into_another(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = salon(&app).await;
        // The id's client shares an account with a third, then proves to be the phone's.
        let id = post(&app, &connection, &BY_ID.books("wamid.1", "Cut")).await;
        let phone = post(&app, &connection, &BY_PHONE.books("wamid.2", "Colour")).await;
        let third = post(&app, &connection, &OTHER_PHONE.books("wamid.3", "Cut")).await;
        let of = |answer: &Value| answer["clientId"].as_str().unwrap().parse::<Uuid>().unwrap();
        let mut tx = app.db.begin().await.unwrap();
        for clients in [(of(&id), of(&third)), (of(&phone), of(&id))] {
            let reason = DuplicateReason::ExternalClientId;
            let new = NewDuplicate { clients, reason, detail: "{}", event_id: None };
            duplicates::propose(&mut tx.conn(), tenant, &new, now()).await.unwrap();
        }
        let made = duplicates::list_by_client(&mut tx.conn(), tenant, of(&third)).await.unwrap();
        duplicates::dismiss(&mut tx.conn(), tenant, made[0].id, now()).await.unwrap();
        tx.commit().await.unwrap();
        post(&app, &connection, &BY_BOTH.books("wamid.4", "Manicure")).await;
        assert_eq!(rows(&app, tenant, DuplicateStatus::Proposed).await, [], "they are one now");
        let dismissed = rows(&app, tenant, DuplicateStatus::Dismissed).await;
        assert_eq!(dismissed.len(), 1);
        assert_eq!(dismissed[0].other(of(&phone)), of(&third));
    }

    async fn pairs_are_listed_in_pages_and_by_tenant(db: TestDb) {
        let app = TestApp::start(&db).await;
        let (tenant, connection) = salon(&app).await;
        let elsewhere = app.tenant("elsewhere").await;
        let mut clients = Vec::new();
        for n in 0..4 {
            let phone: &'static str = format!("35386111222{n}").leak();
            let from = From { phone: Some(phone), id: None };
            let answer = post(&app, &connection, &from.books(&format!("wamid.{n}"), "Cut")).await;
            clients.push(answer["clientId"].as_str().unwrap().parse::<Uuid>().unwrap());
        }
        let mut tx = app.db.begin().await.unwrap();
        let conn = &mut tx.conn();
        for other in &clients[1..] {
            for clients in [(clients[0], *other), (*other, clients[0]), (clients[0], clients[0])] {
                let reason = DuplicateReason::ExternalClientId;
                let new = NewDuplicate { clients, reason, detail: "{}", event_id: None };
                duplicates::propose(conn, tenant, &new, now()).await.unwrap();
            }
        }
        let (status, before, limit) = (DuplicateStatus::Proposed, Uuid::max(), 2);
        let first = duplicates::list(conn, tenant, status, before, limit).await.unwrap();
        assert_eq!(first.len(), 2);
        let next = duplicates::list(conn, tenant, status, first[1].id, limit).await.unwrap();
        assert_eq!(next.len(), 1);
        let none = duplicates::list(conn, elsewhere, status, before, limit).await.unwrap();
        assert_eq!(none, []);
        assert!(!duplicates::dismiss(conn, elsewhere, next[0].id, now()).await.unwrap());
        assert_eq!(duplicates::find(conn, elsewhere, next[0].id).await.unwrap(), None);
        let found = duplicates::find(conn, tenant, next[0].id).await.unwrap();
        assert_eq!(found.as_ref(), next.first());
    }
}
