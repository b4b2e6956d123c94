//! The commands that make and list: tenants, connections, tokens, users.

use crate::support::shell::Shell;
use serde_json::{Value, json};

/// The members of an object, sorted.
fn members(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

both_engines! {
    async fn a_tenant_is_made_once_and_listed(db: TestDb) {
        let shell = Shell::new(&db);
        let id = "8d8ac610-566d-4ef0-9c22-186b2a5ed793";
        let made = shell.json(&["tenant", "add", "--name", "Áine's Hair & Beauty", "--id", id]);
        assert_eq!(made, json!({
            "id": id, "slug": "aines-hair-beauty", "name": "Áine's Hair & Beauty", "region": "IE",
            "timezone": "Europe/Dublin", "currency": "EUR", "dateOrder": "dmy",
        }));
        let other = ["tenant", "add", "--name", "Glow", "--region", "us", "--timezone",
            "America/New_York", "--currency", "usd", "--date-order", "mdy"];
        let other = shell.json(&other);
        let kept = json!([other["region"], other["currency"], other["dateOrder"]]);
        assert_eq!(kept, json!(["US", "USD", "mdy"]));

        let again = shell.run(&["tenant", "add", "--name", "Aines hair beauty"]);
        assert_eq!((again.code, again.out.as_str()), (1, ""));
        assert!(again.err.contains("aines-hair-beauty") && again.err.contains("--slug"));
        let same_id = shell.run(&["tenant", "add", "--name", "New", "--id", id]);
        assert_eq!(same_id.code, 1);
        assert!(same_id.err.contains(id), "{same_id:?}");

        let list = shell.json(&["tenant", "list"]);
        assert_eq!(list[0]["id"], id);
        assert_eq!(list.as_array().unwrap().len(), 2);
        assert_eq!(members(&list[0]), ["createdAt", "currency", "dateOrder", "id", "name",
            "region", "slug", "status", "timezone"]);
        let people = shell.run(&["tenant", "list"]);
        assert!(people.out.contains("aines-hair-beauty") && people.out.starts_with("slug"));
    }

    async fn a_wrong_command_line_ends_with_2(db: TestDb) {
        let shell = Shell::new(&db);
        shell.tenant("Glow");
        for wrong in [
            &["tenant"][..],
            &["tenant", "add"],
            &["tenant", "add", "--name", "x", "--region", "ZZ"],
            &["tenant", "add", "--name", "x", "--timezone", "Dublin"],
            &["tenant", "add", "--name", "x", "--currency", "EURO"],
            &["tenant", "add", "--name", "x", "--slug", "Not A Slug"],
            &["connection", "add", "--source", "chat"],
            &["connection", "add", "--source", "fax", "--tenant", "glow"],
            &["connection", "add", "--source", "chat", "--tenant", "glow", "--platform"],
            &["connection", "add", "--source", "chat", "--tenant", "glow", "--account", "a"],
            &["connection", "add", "--source", "retell", "--tenant", "glow", "--account", "a=glow"],
            &["connection", "add", "--source", "retell", "--platform", "--account", "a"],
            &["connection", "rotate", "cn_x", "--overlap", "soon"],
            &["token", "add", "--role", "queen", "--platform"],
            &["token", "add", "--role", "service"],
            &["user", "add", "--email", "a@b.ie", "--role", "service"],
            &["send", "chat", "x.json"],
            &["send", "retell", "x.json", "--token", "bk_live_x"],
            &["events", "replay"],
            &["events", "list", "--status", "done"],
        ] {
            let ran = shell.run(wrong);
            assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{wrong:?}: {ran:?}");
            assert!(!ran.err.is_empty(), "{wrong:?}");
        }
        assert_eq!(db.count("tenants").await, 1);
        assert_eq!(db.count("connections").await, 0);
    }

    async fn a_secret_is_shown_once(db: TestDb) {
        let shell = Shell::new(&db);
        let slug = shell.tenant("Glow");
        let chat = shell.json(&["connection", "add", "--source", "chat", "--tenant", &slug]);
        assert_eq!(members(&chat), ["accounts", "id", "secret", "source", "tenantId", "webhookUrl"]);
        let secret = chat["secret"].as_str().unwrap();
        assert!(secret.starts_with("whsec_") && secret.len() >= 38, "{secret}");
        let id = chat["id"].as_str().unwrap();
        assert!(id.len() == 23 && id.starts_with("cn_"), "{id}");
        let url = format!("http://127.0.0.1:8080/chat/booking-confirmed/{id}");
        assert_eq!(chat["webhookUrl"], url);

        let list = shell.run(&["connection", "list", "--json"]);
        assert!(!list.out.contains(secret) && !list.out.contains("\"secret\""), "{}", list.out);
        assert_eq!(list.json()[0]["id"], id);
        assert!(!shell.run(&["connection", "list"]).out.contains(secret));
        let doctor = shell.run(&["doctor", "--json"]);
        assert!(!doctor.out.contains(secret), "{}", doctor.out);
    }

    async fn a_provider_brings_its_own_secret(db: TestDb) {
        let shell = Shell::new(&db);
        let slug = shell.tenant("Glow");
        for source in ["retell", "whatsapp"] {
            let add = ["connection", "add", "--source", source, "--tenant", &slug];
            let without = shell.run(&add);
            assert_eq!(without.code, 1);
            assert!(without.err.contains("--secret-stdin"), "{without:?}");
            let with = [&add[..], &["--secret-stdin", "--account", "one", "--account", "two"]];
            let made = shell.json_with(&with.concat(), "its own long secret\n");
            assert_eq!(made["secret"], "its own long secret");
            assert_eq!(made["accounts"].as_array().unwrap().len(), 2);
            assert_eq!(made["verifyToken"].is_string(), source == "whatsapp");
        }
        let add = ["connection", "add", "--source", "chat", "--tenant", &slug];
        let unfit = shell.run(&[&add[..], &["--secret", "not base64!"]].concat());
        assert_eq!(unfit.code, 1);
        assert!(unfit.err.contains("base64"), "{unfit:?}");
        // Twenty-three bytes, and fifteen.
        for (source, short) in
            [("n8n", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="), ("retell", "key_0123456789a")]
        {
            let add = ["connection", "add", "--source", source, "--tenant", &slug];
            let unfit = shell.run(&[&add[..], &["--secret", short]].concat());
            assert_eq!(unfit.code, 1, "{unfit:?}");
            assert!(unfit.err.contains("at least"), "{unfit:?}");
        }
    }

    async fn an_account_is_on_one_connection_of_its_tenant(db: TestDb) {
        let shell = Shell::new(&db);
        let (glow, blue) = (shell.tenant("Glow"), shell.tenant("Blue"));
        let add = |tenant: &str, account: &str| {
            let add = ["connection", "add", "--source", "retell", "--secret", "key_0123456789abcdef", "--json"];
            shell.run(&[&add[..], &["--tenant", tenant, "--account", account]].concat())
        };
        let first = add(&glow, "agent_1").json();
        let first = first["id"].as_str().unwrap();
        let second = add(&glow, "agent_1");
        assert_eq!(second.code, 1);
        assert!(second.err.contains(first) && second.err.contains("agent_1"), "{second:?}");
        assert_eq!(add(&blue, "agent_1").code, 0, "a platform admin may let two tenants claim it");

        shell.json(&["connection", "disable", first]);
        assert_eq!(add(&glow, "agent_1").code, 0, "a disabled connection lets go of it");
        let rotated = shell.run(&["connection", "rotate", first, "--secret", "new"]);
        assert_eq!(rotated.code, 1);
        assert!(rotated.err.contains("disabled"), "{rotated:?}");
    }

    async fn one_secret_of_two_tenants_needs_accounts_to_tell_them_apart(db: TestDb) {
        let shell = Shell::new(&db);
        let (glow, blue) = (shell.tenant("Glow"), shell.tenant("Blue"));
        let add = |more: &[&str]| {
            let add = ["connection", "add", "--source", "whatsapp", "--secret", "0123456789abcdef0123456789abcdef",
                "--json"];
            shell.run(&[&add[..], more].concat())
        };
        assert_eq!(add(&["--tenant", &glow]).code, 0);
        let undivided = add(&["--tenant", &blue, "--account", "1"]);
        assert_eq!(undivided.code, 1);
        assert!(undivided.err.contains("--account"), "{undivided:?}");
        let routed = [format!("1={glow}"), format!("2={blue}")];
        let platform = add(&["--platform", "--account", &routed[0], "--account", &routed[1]]);
        let platform = platform.json();
        assert_eq!(platform.get("tenantId"), None);
        assert_ne!(platform["accounts"][0]["tenantId"], platform["accounts"][1]["tenantId"]);
        assert_eq!(db.count("connections").await, 2);
    }

    async fn a_token_is_shown_once_and_can_be_revoked(db: TestDb) {
        let shell = Shell::new(&db);
        let slug = shell.tenant("Glow");
        let add = ["token", "add", "--role", "service", "--tenant", &slug, "--name", "till"];
        let made = shell.json(&add);
        assert_eq!(members(&made), ["id", "name", "role", "tenantId", "token"]);
        let token = made["token"].as_str().unwrap();
        let list = shell.run(&["token", "list", "--json"]);
        assert!(!list.out.contains(token));
        assert_eq!(list.json()[0]["name"], "till");

        let id = made["id"].as_str().unwrap();
        shell.json(&["token", "revoke", id]);
        assert!(shell.json(&["token", "list"])[0]["revokedAt"].is_string());
        assert_eq!(shell.run(&["token", "revoke", id]).code, 1);
        let unfit = shell.run(&["token", "add", "--role", "platform_admin", "--tenant", &slug]);
        assert_eq!(unfit.code, 1);
        let nobody = shell.run(&["token", "add", "--role", "service", "--tenant", "nobody"]);
        assert_eq!(nobody.code, 1);
        assert!(nobody.err.contains("bookhook tenant list"), "{nobody:?}");
    }

    async fn a_user_has_a_password_that_nobody_sees(db: TestDb) {
        let shell = Shell::new(&db);
        let slug = shell.tenant("Glow");
        let add = ["user", "add", "--email", "Orla@Glow.ie", "--role", "client_admin",
            "--tenant", &slug, "--password-stdin"];
        let made = shell.json_with(&add, "a long enough password\n");
        assert_eq!(members(&made), ["email", "id", "role", "tenantId"]);
        assert_eq!(made["email"], "orla@glow.ie");
        assert_eq!(shell.run_with(&add, "a long enough password\n").code, 1, "the e-mail is taken");
        let short = shell.run_with(&["user", "add", "--email", "b@glow.ie", "--role",
            "platform_admin", "--password-stdin"], "short\n");
        assert_eq!(short.code, 1);
        assert!(short.err.contains("12 characters"), "{short:?}");
        let list = shell.run(&["user", "list", "--json"]);
        assert!(!list.out.contains("password"), "{}", list.out);
        assert_eq!(list.json().as_array().unwrap().len(), 1);
    }
}
