//! Leads over the API: found, followed up, never counted wrong, converted.

use super::support::app::Answer;
use super::support::desk::{Desk, instant};
use bookhook::domain::channel::Role;
use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};

fn body(phone: &str) -> Value {
    json!({
        "phone": phone, "firstName": "Aoife", "lastName": "Ní Bhriain", "email": "Aoife@Example.com",
        "source": "web", "notes": "asked for a massage", "details": {"campaign": "spring"},
        "nextFollowUpAt": "2026-07-14T09:00:00",
    })
}

fn ids(answer: &Answer) -> Vec<String> {
    let rows = answer.body["data"].as_array().unwrap_or_else(|| panic!("{}", answer.body));
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

both_engines! {
    /// Fault 22: a follow-up date can be set, and what isn't a state or a count is refused.
    async fn a_lead_is_made_read_and_changed(db: TestDb) {
        let desk = Desk::open(&db).await;
        let made = desk.post("leads", &body("087 123 4567")).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        assert_eq!((made.text("phone"), made.text("email")), ("+353871234567", "aoife@example.com"));
        assert_eq!((made.text("status"), &made.body["attempts"]), ("new", &json!(0)));
        assert_eq!(made.body["details"], json!({"campaign": "spring"}));
        assert_eq!(instant(&made.body["nextFollowUpAt"]), instant(&json!("2026-07-14T08:00:00Z")), "Irish summer");
        let path = format!("leads/{}", made.text("id"));
        let tag = desk.etag(&path).await;
        let wanted = json!({"status": "contacted", "nextFollowUpAt": null, "attempts": 2, "notes": null, "lastName": "Byrne"});
        let changed = desk.patch_if(&path, &tag, &wanted).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
        assert_eq!((changed.text("status"), changed.text("lastName")), ("contacted", "Byrne"));
        assert_eq!((&changed.body["nextFollowUpAt"], &changed.body["notes"]), (&Value::Null, &Value::Null));
        assert_eq!((&changed.body["attempts"], changed.text("firstName")), (&json!(2), "Aoife"));
        let read = desk.get(&path).await;
        for (name, value) in changed.body.as_object().unwrap() {
            assert_eq!(&read.body[name], value, "{name}");
        }
        assert_eq!(desk.patch_if(&path, &tag, &wanted).await.status, StatusCode::PRECONDITION_FAILED);
        let wrong = json!({
            "status": "banana", "attempts": -3, "nextFollowUpAt": "soon", "source": null, "tenantId": "x",
            "email": "no address",
        });
        let refused = desk.patch(&path, &wrong).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.body["errors"].as_array().unwrap().len(), 6, "{}", refused.body);
        let refused = desk.patch(&path, &json!({"status": "converted"})).await;
        assert_eq!(refused.body["errors"][0]["code"], "status_not_settable");
        let refused = desk.post("leads", &json!({"phone": "Not provided", "source": "fax", "callAttempts": 1})).await;
        assert_eq!(refused.body["errors"].as_array().unwrap().len(), 3, "{}", refused.body);
        let refused = desk.post("leads", &json!({"source": "web"})).await;
        assert_eq!(refused.body["errors"][0]["pointer"], "/phone");
    }

    async fn whoever_is_known_is_409(db: TestDb) {
        let desk = Desk::open(&db).await;
        let first = desk.post("leads", &body("+353871234567")).await;
        let again = desk.post("leads", &body("00353 87 123 4567")).await;
        assert_eq!((again.status, again.text("code")), (StatusCode::CONFLICT, "lead_exists"));
        assert_eq!(again.body["existingId"], first.body["id"]);
        let client = desk.client("+353861112222").await;
        let known = desk.post("leads", &body("086 111 2222")).await;
        assert_eq!((known.status, known.text("code")), (StatusCode::CONFLICT, "client_exists"));
        assert_eq!(known.text("existingId"), client);
        // One that is lost makes place; it can't be opened again beside another.
        let path = format!("leads/{}", first.text("id"));
        assert_eq!(desk.patch(&path, &json!({"status": "lost"})).await.text("status"), "lost");
        let second = desk.post("leads", &body("+353871234567")).await;
        assert_eq!(second.status, StatusCode::CREATED, "{}", second.body);
        let opened = desk.patch(&path, &json!({"status": "new"})).await;
        assert_eq!((opened.status, &opened.body["existingId"]), (StatusCode::CONFLICT, &second.body["id"]));
        let one = body("+353851113333");
        let all = join_all((0..16).map(|_| desk.post("leads", &one))).await;
        assert_eq!(all.iter().filter(|a| a.status == StatusCode::CREATED).count(), 1);
        assert!(all.iter().all(|a| a.status == StatusCode::CREATED || a.status == StatusCode::CONFLICT));
    }

    /// Fault 15.
    async fn sixty_four_notes_at_once_are_sixty_four_notes(db: TestDb) {
        let desk = Desk::open(&db).await;
        let made = desk.post("leads", &body("+353871234567")).await;
        let path = format!("leads/{}", made.text("id"));
        let said = format!("{path}/interactions");
        let notes = (0..64).map(|n| {
            let (desk, said) = (&desk, &said);
            async move { desk.post(said, &json!({"kind": "note", "note": format!("note {n}")})).await }
        });
        let calls = (0..8).map(|n| {
            let (desk, said, path) = (&desk, &said, &path);
            async move {
                let changed = desk.patch(path, &json!({"notes": format!("call {n}")})).await;
                assert_eq!(changed.status, StatusCode::OK);
                desk.post(said, &json!({"kind": "call"})).await
            }
        });
        let (notes, calls) = tokio::join!(join_all(notes), join_all(calls));
        for answer in notes.iter().chain(&calls) {
            assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        }
        let lead = desk.get(&path).await;
        assert_eq!((&lead.body["interactionCount"], &lead.body["attempts"]), (&json!(72), &json!(8)));
        assert!(lead.body["lastContactedAt"].is_string());
        let shown = lead.body["interactions"].as_array().unwrap();
        let notes = shown.iter().filter(|one| one["kind"] == "note");
        let notes: std::collections::BTreeSet<_> = notes.map(|one| one["note"].to_string()).collect();
        assert_eq!((shown.len(), notes.len()), (72, 64));
        let refused = desk.post(&said, &json!({"kind": "fax", "note": 1, "by": "me"})).await;
        assert_eq!(refused.body["errors"].as_array().unwrap().len(), 3, "{}", refused.body);
        let refused = desk.post(&said, &json!({"kind": "note"})).await;
        assert_eq!(refused.body["errors"][0]["pointer"], "/note");
        let nobody = desk.post(&format!("leads/{}/interactions", uuid::Uuid::max()), &json!({"kind": "call"})).await;
        assert_eq!(nobody.status, StatusCode::NOT_FOUND);
    }

    /// Fault 21.
    async fn a_lead_whose_phone_books_is_converted(db: TestDb) {
        let desk = Desk::open(&db).await;
        let made = desk.post("leads", &body("+353871234567")).await;
        let answer = desk.deliver(&json!({"bookingData": {
            "customerPhone": "087 123 4567", "serviceName": "Cut", "source": "voice", "firstName": "Mary",
            "appointmentDateTime": "2026-03-14T15:00:00Z",
        }})).await;
        let path = format!("leads/{}", made.text("id"));
        let lead = desk.get(&path).await;
        assert_eq!((lead.text("status"), &lead.body["convertedClientId"]), ("converted", &answer.body["clientId"]));
        let refused = desk.patch(&path, &json!({"status": "new"})).await;
        assert_eq!((refused.status, refused.text("code")), (StatusCode::CONFLICT, "lead_converted"));
        assert_eq!(desk.patch(&path, &json!({"notes": "came"})).await.text("notes"), "came");
        let again = desk.post(&format!("{path}/convert"), &json!({})).await;
        assert_eq!((again.status, &again.body["id"]), (StatusCode::OK, &answer.body["clientId"]));
        // And one who books through REST.
        let made = desk.post("leads", &body("+353861112222")).await;
        let client = desk.post(&format!("leads/{}/convert", made.text("id")), &json!({})).await;
        assert_eq!(client.status, StatusCode::OK, "{}", client.body);
        assert_eq!((client.text("phone"), client.text("firstName")), ("+353861112222", "Aoife"));
        assert_eq!(client.text("email"), "aoife@example.com");
        let booked = desk.post("bookings", &json!({
            "clientId": client.text("id"), "serviceName": "Cut", "source": "web", "bookingDate": "2026-03-14T15:00:00Z",
        })).await;
        assert_eq!(booked.status, StatusCode::CREATED, "{}", booked.body);
        assert_eq!(desk.get(&format!("clients/{}", client.text("id"))).await.text("firstName"), "Aoife");
    }

    async fn converting_many_times_at_once_and_while_booking_makes_one_client(db: TestDb) {
        let desk = Desk::open(&db).await;
        let made = desk.post("leads", &body("+353871234567")).await;
        let convert = format!("leads/{}/convert", made.text("id"));
        let nothing = json!({});
        let told = json!({"bookingData": {
            "customerPhone": "087 123 4567", "serviceName": "Cut", "source": "voice",
            "appointmentDateTime": "2026-03-14T15:00:00Z",
        }});
        let all = join_all((0..12).map(|_| desk.post(&convert, &nothing)));
        let (all, booked) = tokio::join!(all, desk.deliver(&told));
        for answer in &all {
            assert_eq!((answer.status, &answer.body["id"]), (StatusCode::OK, &booked.body["clientId"]), "{}", answer.body);
        }
        assert_eq!(db.count("clients").await, 1);
        let lost = desk.post("leads", &body("+353861112222")).await;
        let path = format!("leads/{}", lost.text("id"));
        desk.patch(&path, &json!({"status": "lost"})).await;
        assert_eq!(desk.post(&format!("{path}/convert"), &nothing).await.status, StatusCode::OK);
        assert_eq!(desk.get(&path).await.text("status"), "converted");
    }

    async fn a_list_is_narrowed_sought_and_sorted_page_by_page(db: TestDb) {
        let desk = Desk::open(&db).await;
        let mut made = Vec::new();
        for (n, (first, last, day)) in [("Aoife", "Byrne", 3), ("Brían", "Ó Sé", 1), ("Cara", "Byrd", 2), ("Dan", "Kelly", 0)].iter().enumerate() {
            let mut one = json!({
                "phone": format!("+35387123450{n}"), "firstName": first, "lastName": last, "source": "web",
                "email": format!("{}@example.com", first.to_lowercase()),
            });
            if *day > 0 {
                one["nextFollowUpAt"] = json!(format!("2026-07-{day:02}T09:00:00Z"));
            }
            let answer = desk.post("leads", &one).await;
            assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
            made.push(answer.text("id").to_owned());
        }
        let pick = |places: &[usize]| places.iter().map(|n| made[*n].clone()).collect::<Vec<_>>();
        desk.patch(&format!("leads/{}", made[1]), &json!({"status": "contacted"})).await;
        for (query, wanted) in [
            ("", vec![3, 2, 1, 0]),
            ("?sort=created", vec![0, 1, 2, 3]),
            ("?sort=followUp", vec![1, 2, 0]),
            ("?sort=-followUp", vec![0, 2, 1]),
            ("?sort=followUp&status=new", vec![2, 0]),
            ("?status=contacted", vec![1]),
            ("?source=voice", vec![]),
            ("?followUpBefore=2026-07-03&sort=followUp", vec![1, 2]),
            ("?followUpBefore=2026-07-02T09:00:01Z", vec![2, 1]),
            ("?q=087%20123%204502", vec![2]),
            ("?q=00353871234502&sort=followUp", vec![2]),
            ("?q=BYR", vec![2, 0]),
            ("?q=byr&sort=followUp", vec![2, 0]),
            ("?q=aoife%20b", vec![0]),
            ("?q=%C3%B3%20s%C3%A9", vec![1]),
            ("?q=CARA%40exam", vec![2]),
            ("?q=cara%40&sort=-followUp", vec![2]),
            ("?q=%25", vec![]),
            ("?q=x%27%3B%20drop%20table%20leads%00", vec![]),
        ] {
            assert_eq!(ids(&desk.get(&format!("leads{query}")).await), pick(&wanted), "{query}");
        }
        for sort in ["created", "-created", "followUp", "-followUp"] {
            let (mut seen, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = desk.get(&format!("leads?limit=1&sort={sort}{cursor}")).await;
                seen.extend(ids(&page));
                let Some(next) = page.body["nextCursor"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            assert_eq!(seen, ids(&desk.get(&format!("leads?sort={sort}")).await), "{sort}");
        }
        let page = desk.get("leads?limit=1&sort=created").await;
        let other = desk.get(&format!("leads?sort=followUp&cursor={}", page.text("nextCursor"))).await;
        assert_eq!((other.status, other.text("code")), (StatusCode::BAD_REQUEST, "cursor_invalid"));
        // Fault 32.
        for query in ["limit=abc", "limit=0", "status=banana", "followUpBefore=abc", "page=2", "sort=name", "q=", "cursor=x"] {
            let answer = desk.get(&format!("leads?{query}")).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}: {}", answer.body);
        }
    }

    async fn what_is_anothers_is_not_there(db: TestDb) {
        let desk = Desk::open(&db).await;
        let made = desk.post("leads", &body("+353871234567")).await;
        let path = format!("leads/{}", made.text("id"));
        let other = desk.beside("other").await;
        let support = desk.as_role(Role::SupportStaff).await;
        for (who, wanted) in [(&other, StatusCode::NOT_FOUND), (&support, StatusCode::FORBIDDEN)] {
            for answer in [
                who.get(&path).await,
                who.patch(&path, &json!({"notes": "x"})).await,
                who.post(&format!("{path}/interactions"), &json!({"kind": "call"})).await,
                who.post(&format!("{path}/convert"), &json!({})).await,
            ] {
                assert_eq!(answer.status, wanted, "{}", answer.body);
            }
        }
        // The phone is free there.
        assert_eq!(other.post("leads", &body("+353871234567")).await.status, StatusCode::CREATED);
        assert_eq!(ids(&other.get("leads").await).len(), 1);
        assert_eq!(desk.get(&path).await.text("notes"), "asked for a massage");
    }

    async fn a_key_makes_a_post_repeatable(db: TestDb) {
        let desk = Desk::open(&db).await;
        let (first, _) = desk.post_with_key("leads", "k1", &body("+353871234567")).await;
        let (again, replayed) = desk.post_with_key("leads", "k1", &body("+353871234567")).await;
        assert_eq!((&again, replayed), (&first, true));
        let path = format!("leads/{}/interactions", first.text("id"));
        for _ in 0..3 {
            let (said, _) = desk.post_with_key(&path, "k2", &json!({"kind": "call"})).await;
            assert_eq!(said.status, StatusCode::CREATED);
        }
        let lead = desk.get(&format!("leads/{}", first.text("id"))).await;
        assert_eq!(lead.body["attempts"], 1);
        let (refused, _) = desk.post_with_key(&path, "k2", &json!({"kind": "email"})).await;
        assert_eq!(refused.text("code"), "idempotency_key_reused");
    }

    async fn everything_that_was_said_can_be_read_page_by_page(db: TestDb) {
        let desk = Desk::open(&db).await;
        let lead = desk.post("leads", &body("+353871234567")).await;
        let path = format!("leads/{}/interactions", lead.text("id"));
        for number in 0..105 {
            let said = json!({"kind": "note", "note": format!("note {number}")});
            assert_eq!(desk.post(&path, &said).await.status, StatusCode::CREATED);
        }
        let (mut notes, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = desk.get(&format!("{path}?limit=50{cursor}")).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.body);
            for said in page.body["data"].as_array().unwrap() {
                notes.push(said["note"].as_str().unwrap().to_owned());
            }
            let Some(next) = page.body["nextCursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let wanted: Vec<String> = (0..105).rev().map(|number| format!("note {number}")).collect();
        assert_eq!(notes, wanted);
        let other = desk.beside("other").await;
        assert_eq!(other.get(&path).await.status, StatusCode::NOT_FOUND);
        let wrong = desk.get(&format!("{path}?cursor=x")).await;
        assert_eq!(wrong.text("code"), "cursor_invalid");
    }
}
