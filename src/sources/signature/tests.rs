//! The known answers of the three schemes (`fixtures/vectors`), and what must be refused.

use super::*;
use serde_json::Value;
use std::fmt::Write as _;

const RETELL: &str = include_str!("../../../fixtures/vectors/retell.json");
const WHATSAPP: &str = include_str!("../../../fixtures/vectors/whatsapp.json");
const STANDARD_WEBHOOKS: &str = include_str!("../../../fixtures/vectors/standard-webhooks.json");

fn vectors(file: &str) -> Vec<Value> {
    serde_json::from_str(file).unwrap()
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().unwrap()
}

fn at_ms(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap()
}

/// A long call's body, rebuilt: its bytes would be 185 KB of the repository.
fn large_body() -> String {
    let mut body = String::from(
        r#"{"event":"call_analyzed","call":{"call_id":"call_large","transcript_object":[{"role":"user","content":"x","words":["#,
    );
    for i in 0..4096 {
        let comma = if i == 0 { "" } else { "," };
        write!(body, r#"{comma}{{"word":"w{i}","start":{i}.5,"end":{i}.75}}"#).unwrap();
    }
    body + "]}]}}"
}

fn retell_body(vector: &Value) -> String {
    vector["body"].as_str().map_or_else(large_body, str::to_owned)
}

#[test]
fn retells_known_answers_verify_within_five_minutes_and_never_beyond() {
    for vector in vectors(RETELL) {
        let (name, key, body) = (text(&vector, "name"), text(&vector, "key"), retell_body(&vector));
        assert_eq!(body.len().to_string(), vector["body_bytes"].to_string(), "{name}");
        let digest = hex::encode(Sha256::digest(body.as_bytes()));
        assert_eq!(digest, text(&vector, "body_sha256"), "{name}");
        let sent = vector["timestamp_ms"].as_i64().unwrap();
        let header = text(&vector, "header");
        assert_eq!(sign_retell(key, body.as_bytes(), at_ms(sent)).unwrap(), header, "{name}");
        let check =
            |key: &str, body: &str, ms| check_retell(key, body.as_bytes(), Some(header), at_ms(ms));
        for ms in [sent, sent - 300_000, sent + 300_000] {
            assert_eq!(check(key, &body, ms), Checked::Verified, "{name} {ms}");
        }
        for ms in [sent - 300_001, sent + 300_001] {
            assert_eq!(check(key, &body, ms), Checked::Refused, "{name} {ms}");
        }
        assert_eq!(check(key, &format!("{body} "), sent), Checked::Refused, "{name}");
        assert_eq!(check("key_wrong", &body, sent), Checked::Refused, "{name}");
        assert_eq!(check("", &body, sent), Checked::Refused, "{name}");
    }
}

#[test]
fn a_retell_header_has_one_form_only() {
    let vector = &vectors(RETELL)[0];
    let (key, body) = (text(vector, "key"), text(vector, "body").as_bytes());
    let sent = vector["timestamp_ms"].as_i64().unwrap();
    let header = text(vector, "header");
    let (time, digest) = header.strip_prefix("v=").unwrap().split_once(",d=").unwrap();
    let changed = header.replace("=f5", "=f6");
    let seconds = time.get(..10).unwrap();
    let variants = [
        format!(" {header}"),
        format!("junk {header}"),
        format!("{header}\n"),
        format!("{header},"),
        format!("v=0{time},d={digest}"),
        format!("v={time}, d={digest}"),
        format!("d={digest},v={time}"),
        digest.to_owned(),
        header[..header.len() - 2].to_owned(),
        format!("v={time},d={}", digest.replace('f', "g")),
        format!("v=+{time},d={digest}"),
        format!("v={seconds},d={digest}"),
        format!("v=12345678901234567890,d={digest}"),
        format!("{header}00"),
        String::new(),
        format!("v=,d={digest}"),
        format!("v={time}"),
        changed,
    ];
    for variant in variants {
        let checked = check_retell(key, body, Some(&variant), at_ms(sent));
        assert_eq!(checked, Checked::Refused, "{variant:?}");
    }
    assert_eq!(check_retell(key, body, None, at_ms(sent)), Checked::Refused);
}

#[test]
fn a_digit_moved_from_the_time_to_the_body_is_out_of_the_window() {
    let (key, time) = ("key", "1767225600000");
    let header = sign_retell(key, br#"{"a":1}"#, at_ms(time.parse().unwrap())).unwrap();
    let shifted = header.replace("v=1", "v=");
    let checked = check_retell(key, br#"{"a":1}1"#, Some(&shifted), at_ms(1_767_225_600_000));
    assert_eq!(checked, Checked::Refused);
    let in_1994 = check_retell(key, br#"{"a":1}1"#, Some(&shifted), at_ms(767_225_600_000));
    assert_eq!(in_1994, Checked::Verified, "the window alone stops it");
}

#[test]
fn metas_known_answers_hold_for_the_bytes_on_the_wire() {
    for vector in vectors(WHATSAPP) {
        let (name, secret) = (text(&vector, "name"), text(&vector, "secret"));
        let (body, header) = (text(&vector, "body").as_bytes(), text(&vector, "header"));
        assert_eq!(body.len().to_string(), vector["body_len"].to_string(), "{name}");
        let valid = vector["raw_bytes_valid"].as_bool().unwrap();
        let check =
            |body: &[u8], header: &str| check_meta(secret, body, Some(header)) == Checked::Verified;
        assert_eq!(check(body, header), valid, "{name}");
        assert_eq!(sign_meta(secret, body).unwrap() == header, valid, "{name}");
        assert_eq!(
            check(body, &header.to_uppercase().replace("SHA256", "sha256")),
            valid,
            "{name}"
        );
        assert!(!check(&[body, b" "].concat(), header), "{name}");
        let digit = if header.ends_with('0') { '1' } else { '0' };
        let changed = format!("{}{digit}", &header[..header.len() - 1]);
        for refused in [
            &changed,
            &header["sha256=".len()..],
            &header[..header.len() - 1],
            "",
            "sha256=",
            text(&vector, "sha1_legacy"),
            &header.replace("sha256=", "sha1="),
            &format!("{header}00"),
            &format!(" {header}"),
            "sha256=zz",
        ] {
            assert!(!check(body, refused), "{name} {refused}");
        }
        assert_eq!(check_meta(secret, body, None), Checked::Refused, "{name}");
        assert_eq!(check_meta("", body, Some(header)), Checked::Refused, "{name}");
    }
}

/// A Standard Webhooks vector with its headers changed in one place.
fn check_with(vector: &Value, change: impl Fn(&mut [String; 3]), late: i64) -> Checked {
    let seconds = vector["timestamp"].as_i64().unwrap();
    let id = text(vector, "id").to_owned();
    let mut sent = [id, seconds.to_string(), text(vector, "signature").to_owned()];
    change(&mut sent);
    let [id, timestamp, signature] = sent.each_ref().map(|text| Some(text.as_str()));
    let headers = StandardHeaders { id, timestamp, signature };
    let now = at_ms((seconds + late) * 1000 + 999);
    check_standard(text(vector, "secret"), text(vector, "body").as_bytes(), headers, now)
}

#[test]
fn standard_webhooks_known_answers_verify_within_five_minutes() {
    for vector in vectors(STANDARD_WEBHOOKS) {
        let (secret, body) = (text(&vector, "secret"), text(&vector, "body").as_bytes());
        let now = at_ms(vector["timestamp"].as_i64().unwrap() * 1000);
        let [_, _, signature] = sign_standard(secret, body, text(&vector, "id"), now).unwrap();
        assert_eq!(signature, text(&vector, "signature"));
        for late in [0, -300, 300] {
            assert_eq!(check_with(&vector, |_| {}, late), Checked::Verified, "{late}");
        }
        for late in [-301, 301] {
            assert_eq!(check_with(&vector, |_| {}, late), Checked::Refused, "{late}");
        }
        let bare = secret.strip_prefix("whsec_").unwrap_or(secret);
        assert_eq!(standard_key(bare), standard_key(&format!("whsec_{bare}")));
    }
}

#[test]
fn of_several_signatures_any_v1_may_match() {
    let vector = &vectors(STANDARD_WEBHOOKS)[1];
    let with = |before: &str, after: &str| {
        let change = |sent: &mut [String; 3]| sent[2] = format!("{before}{}{after}", sent[2]);
        check_with(vector, change, 0)
    };
    assert_eq!(with("v1a,anything ", ""), Checked::Verified);
    assert_eq!(with("v1,AAAA v2,AAAA ", " v1,BBBB"), Checked::Verified);
    assert_eq!(with("v1,AAAA,", ""), Checked::Refused, "a list by commas");
    let version = check_with(vector, |sent| sent[2] = sent[2].replace("v1,", "v2,"), 0);
    assert_eq!(version, Checked::Refused);
    let unpadded = check_with(vector, |sent| sent[2] = sent[2].replace('=', ""), 0);
    assert_eq!(unpadded, Checked::Refused);
}

#[test]
fn standard_webhooks_headers_are_taken_strictly() {
    let vector = &vectors(STANDARD_WEBHOOKS)[1];
    let refused = |place: usize, value: &str| {
        let checked = check_with(vector, |sent| sent[place] = value.to_owned(), 0);
        assert_eq!(checked, Checked::Refused, "{value:?}");
    };
    for id in ["", "msg_booking.0001", "msg_booking_0002", "msg booking"] {
        refused(0, id);
    }
    for time in ["", "1767225600abc", "01767225600", " 1767225600", "+1767225600", "1767225600.0"] {
        refused(1, time);
    }
    for signature in ["", "v1", "v1,", "L8AZYr8Ch4ridINRwwK5fDb/gjG2fd1FinRaPV23j+w="] {
        refused(2, signature);
    }
    let headers = StandardHeaders::default();
    let checked = check_standard(text(vector, "secret"), b"", headers, at_ms(0));
    assert_eq!(checked, Checked::Refused);
}

#[test]
fn a_secret_that_does_not_decode_refuses_everything() {
    let vector = vectors(STANDARD_WEBHOOKS)[1].clone();
    for secret in ["", "whsec_", "not base64!", "whsec_a"] {
        let mut broken = vector.clone();
        broken["secret"] = Value::from(secret);
        assert_eq!(check_with(&broken, |_| {}, 0), Checked::Refused, "{secret:?}");
        assert!(sign_standard(secret, b"", "id", at_ms(0)).is_err(), "{secret:?}");
    }
    assert!(sign_standard("whsec_YWJj", b"", "a.b", at_ms(0)).is_err());
}

#[test]
fn a_secret_that_we_make_is_text_underneath() {
    let made = standard_secret("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_eq!(standard_key(&made).as_deref(), Some("a".repeat(32).as_bytes()));
}
