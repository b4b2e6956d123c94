//! `seed customers` and `seed clean`: made-up customers who leave nothing behind, and take nothing
//! real along.

use super::support::db::{Engine, TestDb};
use super::support::desk::{Desk, instant};
use super::support::shell::Shell;
use bookhook::domain::phone::{Phone, Region};
use chrono::TimeDelta;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The first customer's phone, who booked often, and the fourth's.
const AOIFE: &str = "+353871000101";
const SIOBHAN: &str = "+353871000104";

/// Every table that seeding writes to.
const TABLES: &[&str] = &[
    "clients", "client_identities", "client_words", "client_service_mappings", "bookings",
    "booking_sightings", "webhook_events", "leads", "lead_interactions", "client_duplicates",
    "identities_told_beside", "record_aliases", "seeded_rows",
];

struct Salon {
    desk: Desk,
    shell: Shell,
}

impl Salon {
    async fn open(db: &TestDb) -> Self {
        Self { desk: Desk::open(db).await, shell: Shell::new(db) }
    }

    fn seed(&self) -> Value {
        self.shell.json(&["seed", "customers", "--tenant", "salon"])
    }

    fn clean(&self) -> Value {
        self.shell.json(&["seed", "clean", "--tenant", "salon"])
    }

    async fn rows(&self, noun: &str) -> Vec<Value> {
        let page = self.desk.get(&format!("{noun}?limit=100")).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        page.body["data"].as_array().unwrap().clone()
    }

    async fn client(&self, phone: &str) -> Value {
        self.desk.get(&format!("clients/phone:{phone}")).await.body
    }

    /// A real booking, told by a workflow.
    async fn books(&self, phone: &str, service: &str, start: &str) -> Value {
        let told = json!({"bookingData": {"customerPhone": phone, "firstName": "Brigid", "lastName": "Real",
            "serviceName": service, "source": "web", "appointmentDateTime": start, "amount": 33}});
        self.desk.deliver(&told).await.body
    }
}

/// Every row of every table but the log, as text.
async fn everything(db: &TestDb) -> BTreeMap<&'static str, Vec<String>> {
    let mut all = BTreeMap::new();
    for table in TABLES {
        let select = match db.engine {
            Engine::Postgres => {
                format!("select cast(row_to_json(r) as text) from {table} r order by 1")
            }
            Engine::Sqlite => {
                let columns =
                    db.texts(&format!("select name from pragma_table_info('{table}')")).await;
                let cells: Vec<_> = columns.iter().map(|name| format!("quote({name})")).collect();
                format!("select {} from {table} order by 1", cells.join(" || ','  || "))
            }
        };
        all.insert(*table, db.texts(&select).await);
    }
    all
}

fn count<'a>(rows: &'a [Value], field: &str) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(row[field].as_str().unwrap()).or_default() += 1;
    }
    counts
}

/// What the counters of every client say is what their bookings come to.
async fn counters_are_right(db: &TestDb) {
    let wrong = "clients c where bookings_count <> (select count(*) from bookings b
            where b.tenant_id = c.tenant_id and b.client_id = c.id and b.status not in ('cancelled', 'no_show'))
        or spent_minor <> (select coalesce(sum(b.amount_minor), 0) from bookings b
            where b.tenant_id = c.tenant_id and b.client_id = c.id and b.currency = 'EUR'
                and b.status not in ('cancelled', 'no_show') and b.payment_status <> 'refunded')";
    assert_eq!(db.count(wrong).await, 0, "counters");
}

both_engines! {
    async fn six_clients_seventeen_bookings_three_leads_however_often(db: TestDb) {
        let salon = Salon::open(&db).await;
        let said = salon.seed();
        assert_eq!([&said["clients"], &said["bookings"], &said["leads"]], [6, 17, 3], "{said}");
        assert_eq!((&said["alreadyThere"], &said["phonesTaken"]), (&json!(false), &json!([])));
        let again = salon.seed();
        assert_eq!([&again["clients"], &again["bookings"], &again["leads"]], [6, 17, 3], "{again}");
        assert_eq!(again["alreadyThere"], true);
        let (clients, bookings, leads) = (salon.rows("clients").await, salon.rows("bookings").await, salon.rows("leads").await);
        assert_eq!((clients.len(), bookings.len(), leads.len()), (6, 17, 3));
        assert_eq!(count(&clients, "status"), BTreeMap::from([("active", 5), ("inactive", 1)]));
        assert_eq!(count(&clients, "firstInteractionSource"), BTreeMap::from([("voice", 2), ("web", 2), ("whatsapp", 2)]));
        assert_eq!(clients.iter().filter(|client| client["email"].is_null()).count(), 1);
        let ireland = Region::parse("IE").unwrap();
        for client in clients.iter().chain(&leads) {
            let phone = client["phone"].as_str().unwrap();
            assert_eq!(Phone::parse(phone, ireland).unwrap().as_str(), phone);
        }
        assert_eq!(count(&leads, "status"), BTreeMap::from([("contacted", 1), ("new", 1), ("qualified", 1)]));
        let categories: BTreeSet<_> = bookings.iter().map(|row| row["serviceCategory"].as_str().unwrap()).collect();
        assert_eq!(categories, BTreeSet::from(["Facial", "Hair", "Massage", "Nails"]));
        let starts: Vec<_> = bookings.iter().map(|row| instant(&row["bookingDate"])).collect();
        let span = *starts.iter().max().unwrap() - *starts.iter().min().unwrap();
        assert!(span > TimeDelta::days(50) && span < TimeDelta::days(60), "{span}");
        assert!(bookings.iter().all(|row| row["amount"].as_f64().unwrap() >= 45.0 && row["staffMember"].is_string()));
        assert!(bookings.iter().all(|row| row["flags"] == json!([])), "nothing impossible was told");
        let states = count(&bookings, "status");
        assert_eq!((states["cancelled"], states["no_show"], states["completed"]), (1, 1, 12), "{states:?}");
        let mut providers = BTreeSet::new();
        for client in &clients {
            let profile = salon.desk.get(&format!("clients/{}", client["id"].as_str().unwrap())).await.body;
            let mappings = profile["mappings"].as_array().unwrap();
            assert!(!mappings.is_empty(), "{profile}");
            providers.extend(mappings.iter().map(|one| one["serviceProvider"].as_str().unwrap().to_owned()));
        }
        assert_eq!(providers, BTreeSet::from(["fresha".to_owned(), "phorest".to_owned()]));
        let aoife = salon.client(AOIFE).await;
        assert_eq!((&aoife["firstName"], &aoife["stats"]["totalBookings"]), (&json!("Aoife"), &json!(4)));
        assert_eq!(aoife["stats"]["totalSpent"], 285.0);
        let days = instant(&aoife["createdAt"]) - instant(&aoife["firstInteractionDate"]);
        assert_eq!(days.num_days(), 60);
        counters_are_right(&db).await;
        let found = salon.desk.get("clients?q=siobhan").await;
        assert_eq!(found.body["data"].as_array().unwrap().len(), 1);
    }

    /// The predecessor's cleaning removed real rows.
    async fn cleaning_leaves_every_table_as_it_was(db: TestDb) {
        let salon = Salon::open(&db).await;
        let other = salon.desk.beside("other").await;
        salon.books("087 123 4567", "Swedish Massage", "2026-03-14T15:00:00Z").await;
        salon.desk.post("leads", &json!({"phone": "+353871234568", "source": "web"})).await;
        other.post("clients", &json!({"phone": AOIFE, "firstName": "Other"})).await;
        let before = everything(&db).await;
        salon.seed();
        assert_ne!(everything(&db).await, before);
        let said = salon.clean();
        assert_eq!([&said["clients"], &said["bookings"], &said["leads"]], [6, 17, 3], "{said}");
        assert_eq!((&said["keptClients"], &said["keptLeads"]), (&json!([]), &json!([])));
        assert_eq!(everything(&db).await, before);
        let said = salon.clean();
        assert_eq!(said["clients"], 0, "there is nothing to clean: {said}");
        assert_eq!(everything(&db).await, before);
        salon.seed();
        assert_eq!(salon.rows("clients").await.len(), 7);
        salon.clean();
        assert_eq!(everything(&db).await, before);
    }

    async fn what_people_changed_of_them_goes_as_well(db: TestDb) {
        let salon = Salon::open(&db).await;
        let before = everything(&db).await;
        salon.seed();
        let aoife = salon.client(AOIFE).await["id"].as_str().unwrap().to_owned();
        let changed = salon.desk.patch(&format!("clients/{aoife}"), &json!({"phone": "+353871234999", "firstName": "Eve", "status": "blocked"})).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
        let mapped = salon.desk.post(&format!("clients/{aoife}/mappings"), &json!({"serviceProvider": "fresha", "externalClientId": "mine"})).await;
        assert_eq!(mapped.status, StatusCode::CREATED, "{}", mapped.body);
        let bookings = salon.rows(&format!("clients/{aoife}/bookings")).await;
        let open = bookings.iter().find(|row| row["status"] == "confirmed").unwrap();
        let path = format!("bookings/{}", open["id"].as_str().unwrap());
        let moved = salon.desk.patch(&path, &json!({"bookingDate": "2027-01-02T10:00:00Z", "staffMember": "Nora"})).await;
        assert_eq!(moved.status, StatusCode::OK, "{}", moved.body);
        let cancelled = salon.desk.patch(&path, &json!({"status": "cancelled"})).await;
        assert_eq!(cancelled.status, StatusCode::OK, "{}", cancelled.body);
        counters_are_right(&db).await;
        let leads = salon.rows("leads").await;
        for lead in &leads {
            let path = format!("leads/{}", lead["id"].as_str().unwrap());
            salon.desk.patch(&path, &json!({"notes": "called"})).await;
            salon.desk.post(&format!("{path}/interactions"), &json!({"kind": "call"})).await;
        }
        let said = salon.clean();
        assert_eq!([&said["clients"], &said["bookings"], &said["leads"]], [6, 17, 3], "{said}");
        assert_eq!(everything(&db).await, before);
    }

    async fn who_really_booked_keeps_that_booking_and_nothing_made_up(db: TestDb) {
        let salon = Salon::open(&db).await;
        salon.seed();
        let real = salon.books(AOIFE, "Real Massage", "2027-03-14T15:00:00Z").await;
        // The very appointment that was made up, told by a real workflow: theirs from then on.
        let siobhan = salon.client(SIOBHAN).await;
        let bookings = salon.rows(&format!("clients/{}/bookings", siobhan["id"].as_str().unwrap())).await;
        let open = bookings.iter().find(|row| row["status"] == "confirmed").unwrap();
        let same = salon.books(SIOBHAN, open["serviceName"].as_str().unwrap(), open["bookingDate"].as_str().unwrap()).await;
        assert_eq!(same["bookingId"], open["id"], "one booking, told twice");
        counters_are_right(&db).await;

        let said = salon.clean();
        assert_eq!([&said["clients"], &said["bookings"], &said["leads"]], [4, 16, 3], "{said}");
        assert_eq!(said["keptClients"].as_array().unwrap().len(), 2);
        let (clients, bookings) = (salon.rows("clients").await, salon.rows("bookings").await);
        assert_eq!((clients.len(), bookings.len()), (2, 2));
        let ids: BTreeSet<_> = bookings.iter().map(|row| row["id"].clone().to_string()).collect();
        assert_eq!(ids, BTreeSet::from([real["bookingId"].to_string(), same["bookingId"].to_string()]));
        for row in &bookings {
            assert_eq!((row["amount"].as_f64(), row["staffMember"].as_str(), row["source"].as_str()), (Some(33.0), None, Some("web")), "only what was really told: {row}");
        }
        for client in &clients {
            assert_eq!((&client["firstName"], &client["lastName"], &client["email"]), (&json!("Brigid"), &json!("Real"), &Value::Null), "{client}");
            assert_eq!(client["firstInteractionSource"], "web");
            let profile = salon.desk.get(&format!("clients/{}", client["id"].as_str().unwrap())).await.body;
            assert_eq!((&profile["stats"]["totalBookings"], &profile["mappings"]), (&json!(1), &json!([])), "{profile}");
            assert_eq!(client["firstBookingDate"], client["lastBookingDate"]);
        }
        counters_are_right(&db).await;
        assert_eq!(db.count("seeded_rows").await, 0);
        assert_eq!(db.count("webhook_events").await, 2);
    }

    async fn who_joined_a_made_up_client_is_not_removed_with_it(db: TestDb) {
        let salon = Salon::open(&db).await;
        salon.seed();
        let told = |who: Value, start: &str| {
            let mut data = json!({"firstName": "Brigid", "serviceName": "Shave", "source": "whatsapp", "appointmentDateTime": start});
            data.as_object_mut().unwrap().extend(who.as_object().unwrap().clone());
            json!({"bookingData": data})
        };
        let id = "IE.40817263554098123008";
        let alone = salon.desk.deliver(&told(json!({"whatsappId": id}), "2027-03-14T15:00:00Z")).await;
        let both = salon.desk.deliver(&told(json!({"whatsappId": id, "customerPhone": AOIFE}), "2027-04-14T15:00:00Z")).await;
        let aoife = salon.client(AOIFE).await;
        assert_eq!(both.body["clientId"], aoife["id"]);
        let once = salon.desk.get(&format!("clients/{}", alone.text("clientId"))).await;
        assert_eq!(once.body["id"], aoife["id"], "they are one");
        let said = salon.clean();
        assert_eq!([&said["clients"], &said["bookings"]], [5, 17], "{said}");
        assert_eq!(salon.rows("bookings").await.len(), 2);
        assert_eq!(salon.desk.get(&format!("clients/{}", alone.text("clientId"))).await.body["firstName"], "Brigid");
        counters_are_right(&db).await;
    }

    async fn a_real_person_with_such_a_phone_is_left_alone_and_named(db: TestDb) {
        let salon = Salon::open(&db).await;
        let mine = salon.desk.post("clients", &json!({"phone": AOIFE, "firstName": "Real"})).await;
        let lead = salon.desk.post("leads", &json!({"phone": "+353871000201", "source": "web"})).await;
        assert_eq!((mine.status, lead.status), (StatusCode::CREATED, StatusCode::CREATED));
        let before = everything(&db).await;
        let said = salon.seed();
        assert_eq!([&said["clients"], &said["bookings"], &said["leads"]], [5, 12, 2], "{said}");
        assert_eq!(said["phonesTaken"], json!([AOIFE, "+353871000201"]));
        let shown = salon.shell.run(&["seed", "customers", "--tenant", "salon"]);
        assert!(shown.out.contains("already") || shown.out.contains("nothing was done"), "{}", shown.out);
        salon.clean();
        assert_eq!(everything(&db).await, before);
        let none = salon.shell.run(&["seed", "clean", "--tenant", "nowhere"]);
        assert_eq!(none.code, 1, "{none:?}");
    }

    async fn who_was_erased_and_wrote_meanwhile_does_not_stop_the_cleaning(db: TestDb) {
        let salon = Salon::open(&db).await;
        salon.seed();
        let aoife = salon.client(AOIFE).await["id"].as_str().unwrap().to_owned();
        let token = salon.desk.admin_token().to_owned();
        let path = format!("/api/platform/tenants/{}/clients/{aoife}", salon.desk.tenant);
        let erased = salon.desk.app.ask(reqwest::Method::DELETE, &path, &token).await;
        assert_eq!(erased.status, StatusCode::NO_CONTENT, "{}", erased.body);
        let said = salon.clean();
        assert_eq!([&said["clients"], &said["bookings"], &said["leads"]], [6, 17, 3], "{said}");
        for table in ["clients", "bookings", "leads", "seeded_rows", "client_identities"] {
            assert_eq!(db.count(table).await, 0, "{table}");
        }
    }

    async fn the_client_that_a_made_up_lead_became_goes_as_well(db: TestDb) {
        let salon = Salon::open(&db).await;
        let before = everything(&db).await;
        salon.seed();
        let leads = salon.rows("leads").await;
        for lead in &leads[..2] {
            let path = format!("leads/{}/convert", lead["id"].as_str().unwrap());
            let made = salon.desk.post(&path, &json!({})).await;
            assert!(made.status.is_success(), "{}", made.body);
        }
        let phone = leads[0]["phone"].as_str().unwrap();
        let renamed = json!({"firstName": "Declan-Patrick"});
        let renamed = salon.desk.patch(&format!("clients/phone:{phone}"), &renamed).await;
        assert_eq!(renamed.status, StatusCode::OK, "{}", renamed.body);
        let said = salon.clean();
        assert_eq!([&said["clients"], &said["leads"]], [8, 3], "{said}");
        assert_eq!(everything(&db).await, before);
        let again = salon.seed();
        assert_eq!(again["phonesTaken"], json!([]), "{again}");
    }

    async fn what_was_erased_is_seeded_anew(db: TestDb) {
        let salon = Salon::open(&db).await;
        salon.seed();
        let path = format!("/api/platform/tenants/{}/clients/phone:{AOIFE}", salon.desk.tenant);
        let token = salon.desk.admin_token();
        let gone = salon.desk.app.ask(reqwest::Method::DELETE, &path, token).await;
        assert_eq!(gone.status, StatusCode::NO_CONTENT);
        salon.clean();
        let again = salon.seed();
        assert_eq!([&again["clients"], &again["bookings"], &again["leads"]], [6, 17, 3], "{again}");
    }
}
