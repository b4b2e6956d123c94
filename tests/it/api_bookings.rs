//! Bookings over the API: made, changed, listed, as a person expects, and never undone.

use super::support::app::Answer;
use super::support::desk::{Desk, instant};
use bookhook::domain::channel::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};

/// The body that integrators send.
fn body(client: &str) -> Value {
    json!({
        "clientId": client,
        "bookingDate": "2026-03-14T15:00:00Z",
        "serviceName": "Deep Tissue Massage",
        "serviceCategory": "massage",
        "duration": 60,
        "staffMember": "Sarah Kelly",
        "amount": 75.00,
        "currency": "EUR",
        "status": "confirmed",
        "paymentStatus": "deposit_paid",
        "source": "voice",
        "externalBookingId": "phorest-booking-789",
        "notes": "First visit"
    })
}

/// What n8n tells of the same booking.
fn told(phone: &str, reference: &str, more: &Value) -> Value {
    let mut data = json!({
        "customerPhone": phone, "firstName": "Aoife", "serviceName": "Deep Tissue Massage",
        "appointmentDateTime": "2026-03-14T15:00:00Z", "source": "voice",
        "phorestBookingId": reference
    });
    for (key, value) in more.as_object().unwrap() {
        data[key] = value.clone();
    }
    json!({ "bookingData": data })
}

both_engines! {
    async fn the_integrators_body_makes_the_booking_and_reads_back(db: TestDb) {
        let desk = Desk::open(&db).await;
        let client = desk.client("+353871234567").await;
        let made = desk.post("bookings", &body(&client)).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        for (name, value) in body(&client).as_object().unwrap() {
            let shown = &made.body[name];
            match name.as_str() {
                "bookingDate" => assert_eq!(instant(shown), instant(value)),
                "amount" => assert_eq!(shown.as_f64(), Some(75.0)),
                _ => assert_eq!(shown, value, "{name}"),
            }
        }
        assert_eq!(made.body["serviceProvider"], "phorest");
        let id = made.text("id").to_owned();
        let read = desk.get(&format!("bookings/{id}")).await;
        assert_eq!(read.body["notes"], "First visit");
        let sighting = &read.body["sightings"][0];
        assert_eq!((&sighting["source"], &sighting["kind"]), (&json!("api"), &json!("booking.created")));
        assert!(sighting["fields"].as_array().unwrap().contains(&json!("staffMember")));
        let events = desk.get("events?source=api").await;
        assert_eq!(events.body["data"][0]["status"], "tracked");
        assert_eq!(events.body["data"][0]["bookingId"], id.as_str());
        let audit = db.texts("select actor || ' ' || action || ' ' || subject_id from audit_log").await;
        assert!(audit.iter().any(|row| row.ends_with(&format!(" booking.created {id}")) && row.starts_with("token:")));
        let profile = desk.get(&format!("clients/{client}")).await;
        assert!(profile.body["firstBookingDate"].is_string());
    }

    async fn what_exists_is_409_with_its_id_however_it_was_told(db: TestDb) {
        let desk = Desk::open(&db).await;
        let client = desk.client("+353871234567").await;
        let first = desk.post("bookings", &body(&client)).await;
        let again = desk.post("bookings", &body(&client)).await;
        assert_eq!(again.status, StatusCode::CONFLICT);
        assert_eq!(again.body["existingId"], first.body["id"]);
        assert_eq!(again.text("code"), "booking_exists");
        // The same slot in other words, without a reference.
        let mut slot = body(&client);
        slot["serviceName"] = json!("deep-tissue MASSAGE");
        slot.as_object_mut().unwrap().remove("externalBookingId");
        let again = desk.post("bookings", &slot).await;
        assert_eq!((again.status, &again.body["existingId"]), (StatusCode::CONFLICT, &first.body["id"]));
        // One that a delivery told.
        let answer = desk.deliver(&told("+353861112222", "ph-2", &json!({}))).await;
        let other = answer.text("clientId").to_owned();
        let mut known = body(&other);
        known["externalBookingId"] = json!("ph-2");
        let again = desk.post("bookings", &known).await;
        assert_eq!(again.body["existingId"], answer.body["bookingId"], "{}", again.body);
        // And what REST made is the delivery's, too.
        let answer = desk.deliver(&told("+353871234567", "phorest-booking-789", &json!({}))).await;
        assert_eq!(answer.body["bookingId"], first.body["id"]);
        assert_eq!(db.count("bookings").await, 2);
        assert_eq!(db.count("webhook_events where source = 'api'").await, 1, "refused ones leave nothing");
    }

    async fn sixteen_of_the_same_make_one(db: TestDb) {
        let desk = Desk::open(&db).await;
        let client = desk.client("+353871234567").await;
        let one = body(&client);
        let all = futures_util::future::join_all((0..16).map(|_| desk.post("bookings", &one))).await;
        let made: Vec<&Answer> = all.iter().filter(|a| a.status == StatusCode::CREATED).collect();
        assert_eq!(made.len(), 1, "{all:?}");
        for other in all.iter().filter(|a| a.status != StatusCode::CREATED) {
            assert_eq!((other.status, &other.body["existingId"]), (StatusCode::CONFLICT, &made[0].body["id"]));
        }
        assert_eq!(db.count("bookings").await, 1);
    }

    async fn a_delivery_never_undoes_what_a_person_set(db: TestDb) {
        let desk = Desk::open(&db).await;
        let answer = desk.deliver(&told("+353871234567", "ph-1", &json!({
            "notes": "by n8n", "staffMember": "Ann", "price": 50, "duration": 30,
        }))).await;
        let path = format!("bookings/{}", answer.text("bookingId"));
        let wanted = json!({
            "notes": null, "staffMember": "Sarah", "amount": 80.5, "paymentStatus": "paid",
            "serviceCategory": "massage", "bookingDate": "2026-03-15T10:00:00Z", "source": "web",
        });
        let set = desk.patch(&path, &wanted).await;
        assert_eq!(set.status, StatusCode::OK, "{}", set.body);
        let after = |body: &Value| {
            assert_eq!(body["notes"], Value::Null);
            assert_eq!(body["staffMember"], "Sarah");
            assert_eq!(body["amount"].as_f64(), Some(80.5));
            assert_eq!(body["paymentStatus"], "paid");
            assert_eq!(body["source"], "web");
            assert_eq!(instant(&body["bookingDate"]), instant(&json!("2026-03-15T10:00:00Z")));
            assert_eq!(body["duration"], 30);
        };
        after(&set.body);
        // Told again later, and late (before the edit by the provider's clock).
        for more in [
            json!({"notes": "again", "staffMember": "Bob", "price": 10, "paymentStatus": "pending"}),
            json!({"notes": "late", "staffMember": "Cid", "price": 11, "paymentStatus": "refunded"}),
        ] {
            let mut body = told("+353871234567", "ph-1", &more);
            if more["notes"] == "late" {
                body["occurredAt"] = json!("2026-01-01T10:00:00Z");
            }
            let again = desk.deliver(&body).await;
            assert_eq!(again.body["bookingId"], answer.body["bookingId"], "{}", again.body);
            after(&desk.get(&path).await.body);
        }
        assert_eq!(db.count("bookings").await, 1);
        let cancelled = desk.patch(&path, &json!({"status": "cancelled"})).await;
        assert_eq!(cancelled.text("status"), "cancelled");
        let mut late = told("+353871234567", "ph-1", &json!({"status": "completed"}));
        late["occurredAt"] = json!("2026-01-02T10:00:00Z");
        desk.deliver(&late).await;
        assert_eq!(desk.get(&path).await.text("status"), "cancelled");
    }

    /// Fault 23, and 24: the answer is the row after the change.
    async fn a_booking_goes_only_where_it_can(db: TestDb) {
        let desk = Desk::open(&db).await;
        let states = ["pending", "confirmed", "completed", "cancelled", "no_show"];
        let allowed = [("pending", "confirmed"), ("pending", "cancelled"), ("confirmed", "completed"),
            ("confirmed", "cancelled"), ("confirmed", "no_show")];
        let client = desk.client("+353871234567").await;
        let mut hour = 0;
        for from in states {
            for to in states {
                hour += 1;
                let made = desk.post("bookings", &json!({
                    "clientId": client, "serviceName": "Cut", "source": "web", "status": from,
                    "bookingDate": format!("2026-04-{:02}T{:02}:00:00Z", 1 + hour / 20, hour % 20),
                })).await;
                assert_eq!(made.text("status"), from, "{}", made.body);
                let path = format!("bookings/{}", made.text("id"));
                let changed = desk.patch(&path, &json!({"status": to})).await;
                if from == to || allowed.contains(&(from, to)) {
                    assert_eq!((changed.status, changed.text("status")), (StatusCode::OK, to));
                    continue;
                }
                assert_eq!(changed.status, StatusCode::CONFLICT, "{from} to {to}");
                assert_eq!(changed.text("code"), "transition_forbidden");
                assert_eq!(desk.get(&path).await.text("status"), from, "nothing was changed");
                let corrected = desk.patch(&path, &json!({"status": to, "correction": true})).await;
                assert_eq!((corrected.status, corrected.text("status")), (StatusCode::OK, to));
            }
        }
        let corrections = db.count("audit_log where action = 'booking.corrected'").await;
        assert_eq!(corrections, 25 - 5 - 5);
    }

    async fn a_payment_goes_only_where_it_can_and_a_final_booking_stays_where_it_is(db: TestDb) {
        let desk = Desk::open(&db).await;
        let client = desk.client("+353871234567").await;
        let made = desk.post("bookings", &json!({
            "clientId": client, "serviceName": "Cut", "source": "web", "bookingDate": "2026-04-01T10:00:00Z",
        })).await;
        let path = format!("bookings/{}", made.text("id"));
        assert_eq!(made.text("paymentStatus"), "pending");
        let refused = desk.patch(&path, &json!({"paymentStatus": "refunded"})).await;
        assert_eq!((refused.status, refused.text("code")), (StatusCode::CONFLICT, "payment_transition_forbidden"));
        for next in ["deposit_paid", "paid", "refunded"] {
            let done = desk.patch(&path, &json!({"paymentStatus": next})).await;
            assert_eq!((done.status, done.text("paymentStatus")), (StatusCode::OK, next));
        }
        let moved = desk.patch(&path, &json!({"bookingDate": "2026-04-01 12:00", "status": "confirmed"})).await;
        assert_eq!(instant(&moved.body["bookingDate"]), instant(&json!("2026-04-01T11:00:00Z")), "Irish summer");
        desk.patch(&path, &json!({"status": "completed"})).await;
        let moved = desk.patch(&path, &json!({"bookingDate": "2026-04-02T10:00:00Z"})).await;
        assert_eq!((moved.status, moved.text("code")), (StatusCode::CONFLICT, "move_forbidden"));
        let noted = desk.patch(&path, &json!({"notes": "came late"})).await;
        assert_eq!(noted.text("notes"), "came late");
    }

    async fn a_change_meant_for_another_version_is_412(db: TestDb) {
        let desk = Desk::open(&db).await;
        let client = desk.client("+353871234567").await;
        let made = desk.post("bookings", &body(&client)).await;
        let path = format!("bookings/{}", made.text("id"));
        let tag = desk.etag(&path).await;
        let first = desk.patch_if(&path, &tag, &json!({"notes": "one"})).await;
        assert_eq!(first.status, StatusCode::OK, "{}", first.body);
        let second = desk.patch_if(&path, &tag, &json!({"notes": "two"})).await;
        assert_eq!((second.status, second.text("code")), (StatusCode::PRECONDITION_FAILED, "version_changed"));
        let empty = desk.patch_if(&path, &tag, &json!({})).await;
        assert_eq!(empty.status, StatusCode::PRECONDITION_FAILED);
        assert_eq!(desk.get(&path).await.text("notes"), "one");
        // Of sixteen that read the same, one writes.
        let tag = desk.etag(&path).await;
        let all = (0..16).map(|n| {
            let (desk, path, tag) = (&desk, &path, &tag);
            async move { desk.patch_if(path, tag, &json!({"notes": format!("note {n}")})).await }
        });
        let all = futures_util::future::join_all(all).await;
        let done: Vec<_> = all.iter().filter(|a| a.status == StatusCode::OK).collect();
        assert_eq!(done.len(), 1, "{:?}", all.iter().map(|a| a.status).collect::<Vec<_>>());
        assert_eq!(desk.get(&path).await.text("notes"), done[0].text("notes"));
    }

    async fn of_many_changes_at_once_the_last_answered_stands(db: TestDb) {
        let desk = Desk::open(&db).await;
        let client = desk.client("+353871234567").await;
        let made = desk.post("bookings", &json!({
            "clientId": client, "serviceName": "Cut", "source": "web", "status": "confirmed",
            "bookingDate": "2026-04-01T10:00:00Z",
        })).await;
        let path = format!("bookings/{}", made.text("id"));
        let ends = ["cancelled", "completed", "no_show"];
        let all = (0..12).map(|n| {
            let (desk, path) = (&desk, &path);
            async move { desk.patch(path, &json!({"status": ends[n % 3]})).await }
        });
        let all = futures_util::future::join_all(all).await;
        let status = desk.get(&path).await.text("status").to_owned();
        for (n, answer) in all.iter().enumerate() {
            let wanted = if ends[n % 3] == status { StatusCode::OK } else { StatusCode::CONFLICT };
            assert_eq!(answer.status, wanted, "{} while it is {status}", ends[n % 3]);
        }
    }

    async fn two_bookings_are_not_made_one_by_a_change(db: TestDb) {
        let desk = Desk::open(&db).await;
        let client = desk.client("+353871234567").await;
        let first = desk.post("bookings", &body(&client)).await;
        let mut other = body(&client);
        other["bookingDate"] = json!("2026-03-14T17:00:00Z");
        other["externalBookingId"] = json!("ph-2");
        let second = desk.post("bookings", &other).await;
        let path = format!("bookings/{}", second.text("id"));
        let clash = desk.patch(&path, &json!({"externalBookingId": "phorest-booking-789"})).await;
        assert_eq!(clash.status, StatusCode::CONFLICT, "{}", clash.body);
        assert_eq!(clash.body["existingId"], first.body["id"]);
        desk.patch(&path, &json!({"externalBookingId": null})).await;
        let clash = desk.patch(&path, &json!({"bookingDate": "2026-03-14T15:00:00Z"})).await;
        assert_eq!(clash.status, StatusCode::CONFLICT, "{}", clash.body);
        assert_eq!(clash.body["existingId"], first.body["id"]);
        assert_eq!(db.count("bookings").await, 2);
        let renamed = desk.patch(&path, &json!({"serviceName": "Cut", "externalBookingId": "ph-3"})).await;
        assert_eq!(renamed.status, StatusCode::OK);
        assert_eq!((renamed.text("serviceName"), renamed.text("externalBookingId")), ("Cut", "ph-3"));
    }

    async fn a_currency_without_an_amount_and_a_provider_without_a_reference_are_refused(db: TestDb) {
        let desk = Desk::open(&db).await;
        let client = desk.client("+353871234567").await;
        let mut new = json!({"clientId": client, "bookingDate": "2026-03-14T15:00:00Z",
            "serviceName": "Cut", "source": "web", "currency": "GBP"});
        let refused = desk.post("bookings", &new).await;
        assert_eq!((refused.status, refused.text("code")),
            (StatusCode::UNPROCESSABLE_ENTITY, "amount_missing"), "{}", refused.body);
        new["amount"] = json!(20);
        let made = desk.post("bookings", &new).await;
        let path = format!("bookings/{}", made.text("id"));
        let nothing = desk.patch(&path, &json!({"serviceProvider": "fresha"})).await;
        assert_eq!((nothing.status, nothing.text("code")),
            (StatusCode::UNPROCESSABLE_ENTITY, "reference_missing"), "{}", nothing.body);
        desk.patch(&path, &json!({"externalBookingId": "b-1"})).await;
        let moved = desk.patch(&path, &json!({"serviceProvider": "Fresha"})).await;
        let named = (moved.text("serviceProvider"), moved.text("externalBookingId"));
        assert_eq!(named, ("fresha", "b-1"), "{}", moved.body);
    }

    /// Faults 8, 16, 31: nothing but a booking's own fields, each checked, all faults at once.
    async fn every_fault_of_a_body_is_told_at_once(db: TestDb) {
        let desk = Desk::open(&db).await;
        let client = desk.client("+353871234567").await;
        let wrong = json!({
            "bookingDate": "tomorrow 3pm", "serviceName": "", "duration": 0, "amount": -5,
            "currency": "BANANA", "status": "banana", "paymentStatus": 7, "source": "fax",
            "tenantId": desk.tenant, "clientId": "1; drop table bookings",
        });
        let refused = desk.post("bookings", &wrong).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        let pointers: Vec<&str> = refused.body["errors"].as_array().unwrap().iter()
            .map(|fault| fault["pointer"].as_str().unwrap()).collect();
        for member in wrong.as_object().unwrap().keys() {
            assert!(pointers.contains(&format!("/{member}").as_str()), "{member}: {pointers:?}");
        }
        for (amount, shown) in [(json!(0), Some(0.0)), (json!(null), None), (json!(19.99), Some(19.99))] {
            let mut good = body(&client);
            good["amount"] = amount;
            good["externalBookingId"] = json!(format!("ph{shown:?}"));
            let made = desk.post("bookings", &good).await;
            assert_eq!((made.status, made.body["amount"].as_f64()), (StatusCode::CREATED, shown), "{}", made.body);
        }
        let mut many = body(&client);
        many["amount"] = json!(1.001);
        assert_eq!(desk.post("bookings", &many).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        let empty = desk.post("bookings", &json!({})).await;
        assert_eq!(empty.body["errors"].as_array().unwrap().len(), 4, "{}", empty.body);
        let id = desk.get("bookings").await.body["data"][0]["id"].as_str().unwrap().to_owned();
        let path = format!("bookings/{id}");
        let wanted = json!({"tenantId": client, "clientId": client, "id": client, "status": null, "amount": "x"});
        let refused = desk.patch(&path, &wanted).await;
        assert_eq!(refused.body["errors"].as_array().unwrap().len(), 5, "{}", refused.body);
    }

    async fn older_names_and_injections_are_taken_as_what_they_are(db: TestDb) {
        let desk = Desk::open(&db).await;
        let client = desk.client("+353871234567").await;
        let injection = "x'); drop table bookings; --\u{0} <script>";
        let made = desk.post("bookings", &json!({
            "clientId": client, "bookingDateTime": "2026-03-14T15:00:00", "bookingSource": "whatsapp",
            "serviceName": injection, "staffMemberName": injection, "notes": injection,
            "serviceProviderBookingId": injection, "externalServiceName": "fresha_api",
            "externalServiceClientId": "fc-1", "externalBusinessId": "b-1", "externalBranchId": "br-1",
        })).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        let kept = injection.replace('\u{0}', "");
        for name in ["serviceName", "staffMember", "notes", "externalBookingId"] {
            assert_eq!(made.text(name), kept, "{name}");
        }
        assert_eq!((made.text("serviceProvider"), made.text("source")), ("fresha", "whatsapp"));
        let profile = desk.get(&format!("clients/{client}")).await;
        assert_eq!(profile.body["mappings"][0]["externalClientId"], "fc-1", "{}", profile.body);
        let both = desk.post("bookings", &json!({
            "clientId": client, "bookingDateTime": "2026-03-14T15:00:00", "bookingDate": "2026-03-14T15:00:00",
            "source": "web", "serviceName": "Cut",
        })).await;
        assert_eq!(both.body["errors"][0]["code"], "field_twice");
        let found = desk.get("bookings?service=x%27)%3B%20drop%20table%20bookings&staff=%00%27%22").await;
        assert_eq!(found.status, StatusCode::OK);
    }

    /// Fault 7, and another tenant's ids.
    async fn what_is_anothers_is_not_there(db: TestDb) {
        let desk = Desk::open(&db).await;
        let client = desk.client("+353871234567").await;
        let made = desk.post("bookings", &body(&client)).await;
        let path = format!("bookings/{}", made.text("id"));
        let other = desk.beside("other").await;
        for answer in [
            other.get(&path).await,
            other.patch(&path, &json!({"notes": "x"})).await,
            desk.get("bookings/1%27%20or%201=1").await,
            desk.patch("bookings/not-an-id", &json!({})).await,
        ] {
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.body);
        }
        let foreign = other.post("bookings", &body(&client)).await;
        assert_eq!(foreign.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(foreign.body["errors"][0]["pointer"], "/clientId");
        let rows = other.get(&format!("bookings?clientId={client}")).await;
        assert_eq!(rows.body["data"], json!([]));
        let support = desk.as_role(Role::SupportStaff).await;
        for answer in [
            support.get("bookings").await,
            support.patch(&path, &json!({"notes": "x"})).await,
            support.post("bookings", &body(&client)).await,
        ] {
            assert_eq!(answer.status, StatusCode::FORBIDDEN);
        }
        assert_eq!(desk.get(&path).await.text("notes"), "First visit");
    }

    async fn a_key_makes_a_post_repeatable(db: TestDb) {
        let desk = Desk::open(&db).await;
        let client = desk.client("+353871234567").await;
        let (first, replayed) = desk.post_with_key("bookings", "k1", &body(&client)).await;
        assert_eq!((first.status, replayed), (StatusCode::CREATED, false));
        let (again, replayed) = desk.post_with_key("bookings", "k1", &body(&client)).await;
        assert_eq!((again, replayed), (first, true));
        let mut other = body(&client);
        other["notes"] = json!("other");
        let (refused, _) = desk.post_with_key("bookings", "k1", &other).await;
        assert_eq!((refused.status, refused.text("code")), (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused"));
        // What was refused may be corrected under its key.
        let (refused, _) = desk.post_with_key("bookings", "k2", &json!({"clientId": client})).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        other["externalBookingId"] = json!("ph-2");
        let (made, _) = desk.post_with_key("bookings", "k2", &other).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        other["externalBookingId"] = json!("ph-3");
        let all = (0..8).map(|_| desk.post_with_key("bookings", "k3", &other));
        let all = futures_util::future::join_all(all).await;
        let fresh = all.iter().filter(|(a, replayed)| a.status == StatusCode::CREATED && !replayed);
        assert_eq!(fresh.count(), 1, "{all:?}");
        let in_flight = |a: &Answer| a.status == StatusCode::CONFLICT && a.text("code") == "idempotency_key_in_flight";
        assert!(all.iter().all(|(a, _)| a.status == StatusCode::CREATED || in_flight(a)), "{all:?}");
        assert_eq!(db.count("bookings").await, 3);
    }

    async fn a_client_without_phone_or_whatsapp_id_can_book(db: TestDb) {
        let desk = Desk::open(&db).await;
        let client = desk.client_without_identity(&db).await;
        let made = desk.post("bookings", &body(&client)).await;
        assert_eq!((made.status, made.text("clientId")), (StatusCode::CREATED, client.as_str()), "{}", made.body);
        let again = desk.post("bookings", &body(&client)).await;
        assert_eq!(again.body["existingId"], made.body["id"]);
        let path = format!("bookings/{}", made.text("id"));
        let moved = desk.patch(&path, &json!({"bookingDate": "2026-03-20T10:00:00Z"})).await;
        assert_eq!(moved.status, StatusCode::OK, "{}", moved.body);
        // Its reference, told with a phone: the phone is somebody's, the booking stays.
        assert_eq!(db.count("clients").await, 1);
    }

    async fn what_happens_after_a_persons_edit_still_happens(db: TestDb) {
        let desk = Desk::open(&db).await;
        let client = desk.client("+353871234567").await;
        let mut asked = body(&client);
        asked["status"] = json!("pending");
        asked["externalBookingId"] = json!("ph-1");
        let made = desk.post("bookings", &asked).await;
        let path = format!("bookings/{}", made.text("id"));
        assert_eq!(made.text("status"), "pending");
        // A later telling raises what was only asked for, a correction back to it stands.
        desk.deliver(&told("+353871234567", "ph-1", &json!({}))).await;
        assert_eq!(desk.get(&path).await.text("status"), "confirmed");
        let back = desk.patch(&path, &json!({"status": "pending", "correction": true})).await;
        assert_eq!(back.text("status"), "pending");
        desk.deliver(&told("+353871234567", "ph-1", &json!({"notes": "again"}))).await;
        assert_eq!(desk.get(&path).await.text("status"), "pending");
        // The customer calls it off afterwards.
        desk.deliver(&told("+353871234567", "ph-1", &json!({"status": "cancelled"}))).await;
        assert_eq!(desk.get(&path).await.text("status"), "cancelled");
        assert_eq!(db.count("bookings").await, 1);
        // What can't follow is kept and flagged, until a person decides.
        desk.deliver(&told("+353871234567", "ph-1", &json!({"status": "completed"}))).await;
        let flagged = desk.get(&path).await;
        assert_eq!((flagged.text("status"), &flagged.body["flags"]), ("cancelled", &json!(["impossible_change"])));
        let decided = desk.patch(&path, &json!({"status": "completed", "correction": true})).await;
        assert_eq!((decided.text("status"), &decided.body["flags"]), ("completed", &json!([])));
    }

    async fn an_event_by_hand_is_read_again_without_effect(db: TestDb) {
        let desk = Desk::open(&db).await;
        let client = desk.client("+353871234567").await;
        let made = desk.post("bookings", &body(&client)).await;
        let path = format!("bookings/{}", made.text("id"));
        let after = desk.patch(&path, &json!({"notes": "edited"})).await;
        for event in after.body["sightings"].as_array().unwrap() {
            let event = format!("events/{}", event["eventId"].as_str().unwrap());
            let again = desk.post(&format!("{event}/replay"), &json!({})).await;
            assert_eq!(again.status, StatusCode::OK, "{}", again.body);
            let shown = desk.get(&event).await;
            assert_eq!((shown.text("source"), shown.text("status")), ("api", "tracked"));
            let raw: Value = serde_json::from_str(shown.text("raw")).unwrap();
            assert!(raw["request"].is_object(), "the request as it came: {raw}");
        }
        assert_eq!(desk.get(&path).await.body, after.body);
    }

    async fn bookings_of_one_time_in_other_words_are_flagged(db: TestDb) {
        let desk = Desk::open(&db).await;
        let client = desk.client("+353871234567").await;
        let first = desk.post("bookings", &body(&client)).await;
        let second = desk.post("bookings", &json!({
            "clientId": client, "serviceName": "Sports Massage", "source": "web",
            "bookingDate": "2026-03-14T15:00:00Z",
        })).await;
        assert_eq!(second.status, StatusCode::CREATED, "{}", second.body);
        let read = desk.get(&format!("bookings/{}", second.text("id"))).await;
        assert_eq!(read.body["possibleDuplicateOf"], first.body["id"]);
    }
}
