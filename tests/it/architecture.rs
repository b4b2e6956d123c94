//! The rules of the house, checked against its sources.

use crate::support::source::{Found, Source};
use std::process::Command;

/// The rooms from top to bottom (`src/lib.rs` says what each is for): an import points down.
const HOUSE: &[&str] = &[
    "cli", "app", "http", "tracking", "auth", "storage", "sources", "telemetry", "config", "error",
    "domain", "clock",
];

/// What has one home: the beginning of a path, and the files that alone may name it.
const HOMES: &[(&str, &[&str])] = &[
    ("actix", &["src/http/", "src/main.rs"]),
    ("tracing_actix_web", &["src/http/", "src/main.rs"]),
    ("sqlx", &["src/storage/"]),
    ("metrics", &["src/telemetry.rs"]),
    ("metrics_exporter_prometheus", &["src/telemetry.rs"]),
    ("rlibphonenumber", &["src/domain/phone.rs"]),
    ("getrandom", &["src/domain/ids.rs"]),
];

/// The rooms whose answers follow from their arguments alone.
const PURE: &[&str] = &["sources", "domain"];

/// What a pure room can't name: files, the network, the machine, the time.
const IMPURE: &[&str] = &[
    "crate::clock", "crate::config", "crate::telemetry", "reqwest", "std::env", "std::fs",
    "std::io", "std::net", "std::process", "std::thread", "std::time::Instant",
    "std::time::SystemTime", "tempfile", "tokio",
];

const LONGEST_FILE: usize = 400;

/// How a machine's own places begin. In halves, so that this file names none.
const MACHINE_PLACES: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Use", "rs/"),
    concat!("/wo", "rk/"),
    concat!("/tm", "p/wt"),
    concat!("../sh", "ared"),
];

#[test]
fn an_import_points_down() {
    none(Source::all("src").iter().flat_map(upward_imports));
}

#[test]
fn a_library_is_named_in_its_home_only() {
    none(Source::all("src").iter().flat_map(strays));
}

#[test]
fn sources_and_domain_are_pure() {
    none(Source::all("src").iter().flat_map(impurities));
}

#[test]
fn sql_is_in_storage_only() {
    none(Source::all("src").iter().flat_map(sql_elsewhere));
}

#[test]
fn nothing_is_unfinished_or_switched_off() {
    let sources = ["src", "tests"].into_iter().flat_map(Source::all);
    none(sources.flat_map(|source| unfinished(&source)));
}

#[test]
fn no_source_is_too_long() {
    none(Source::all("src").iter().filter_map(too_long));
}

#[test]
fn no_text_names_a_machine() {
    none(texts().into_iter().flat_map(|(path, text)| machine_places(&path, &text)));
}

fn upward_imports(source: &Source) -> Vec<String> {
    let Some(room) = source.room() else { return Vec::new() };
    let Some(floor) = HOUSE.iter().position(|name| *name == room) else {
        return vec![format!("{}: \"{room}\" is no room of the house", source.path)];
    };
    let higher: Vec<_> = HOUSE.iter().take(floor).map(|name| format!("crate::{name}")).collect();
    let upward = source.paths.iter().filter(|path| higher.iter().any(|high| leads(path, high)));
    upward.map(|path| said(source, path, "points up")).collect()
}

fn strays(source: &Source) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, homes) in HOMES {
        let at_home = homes.iter().any(|home| source.path.starts_with(home));
        // A family of libraries shares the beginning of its names: actix, actix_web, actix_rt.
        let named = source.paths.iter().filter(|path| path.what.starts_with(name));
        let astray = named.filter(|path| !at_home && !path.in_test);
        problems.extend(astray.map(|path| said(source, path, &format!("belongs in {homes:?}"))));
    }
    problems
}

fn impurities(source: &Source) -> Vec<String> {
    let pure = source.room().is_some_and(|room| PURE.contains(&room.as_str()));
    let paths = source.paths.iter().filter(|path| pure && !path.in_test);
    let impure = paths.filter(|path| IMPURE.iter().any(|name| leads(path, name)));
    impure.map(|path| said(source, path, "is not pure")).collect()
}

fn sql_elsewhere(source: &Source) -> Vec<String> {
    if source.room().as_deref() == Some("storage") {
        return Vec::new();
    }
    let sql = source.texts.iter().filter(|text| is_sql(&text.what));
    sql.map(|text| said(source, text, "is SQL outside src/storage")).collect()
}

/// True for a text that starts as a statement does and goes on as only a statement would.
fn is_sql(literal: &str) -> bool {
    let lower = literal.to_lowercase();
    let words: Vec<_> = lower.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let words: Vec<_> =
        words.into_iter().filter(|word| !["", "r", "n", "br"].contains(word)).collect();
    match words.as_slice() {
        ["select" | "with", rest @ ..] => rest.contains(&"from") && lower.contains("select"),
        words => matches!(
            words,
            ["insert", "into", ..]
                | ["delete", "from", ..]
                | ["update", _, "set", ..]
                | ["pragma", _]
                | ["create" | "alter" | "drop", "table" | "index" | "unique", ..]
        ),
    }
}

fn unfinished(source: &Source) -> Vec<String> {
    let macros = source.macros.iter().filter(|found| {
        let name = found.what.as_str();
        name == "todo" || name == "unimplemented"
    });
    let attributes = source.attributes.iter().filter(|found| {
        let mut words = found.what.split(' ');
        match words.next() {
            Some("ignore") => true,
            Some("allow" | "expect") => !words.any(|word| word == "reason"),
            _ => false,
        }
    });
    macros.chain(attributes).map(|found| said(source, found, "without a reason")).collect()
}

fn too_long(source: &Source) -> Option<String> {
    let (path, lines) = (&source.path, source.lines);
    (lines > LONGEST_FILE).then(|| format!("{path} has {lines} lines, over {LONGEST_FILE}"))
}

/// The files of the repository, those not yet committed included.
fn texts() -> Vec<(String, String)> {
    let top = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let listed = Command::new("git").args(list).current_dir(top).output().unwrap();
    assert!(listed.status.success(), "git: {}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).unwrap();
    assert!(names.contains("Cargo.toml"), "git lists: {names}");
    // A file that was deleted is listed until that is committed.
    let read = |name: &str| Some((name.to_owned(), std::fs::read(top.join(name)).ok()?));
    let files = names.lines().filter_map(read);
    files.map(|(name, bytes)| (name, String::from_utf8_lossy(&bytes).into_owned())).collect()
}

fn machine_places(path: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for place in MACHINE_PLACES {
            // After a letter it is the middle of a longer path or address.
            let starts = |at: usize| !line[..at].ends_with(char::is_alphanumeric);
            if line.match_indices(place).any(|(at, _)| starts(at)) {
                problems.push(format!("{path}:{}: names {place}", number + 1));
            }
        }
    }
    problems
}

/// True when `path` is `place` or something in it.
fn leads(path: &Found, place: &str) -> bool {
    path.what.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn said(source: &Source, found: &Found, problem: &str) -> String {
    format!("{}:{}: {} {problem}", source.path, found.line, found.what)
}

fn none(problems: impl IntoIterator<Item = String>) {
    let problems: Vec<_> = problems.into_iter().collect();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// The checks themselves, on sources made up to break each rule.
mod can_fail {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source::read(path, text)
    }

    #[test]
    fn an_import_that_points_up_is_reported() {
        let up = [
            ("src/storage/clients.rs", "use crate::{domain::ids, http::problem};"),
            ("src/storage/clients.rs", "fn f() { super::super::tracking::go() }"),
            ("src/storage/clients.rs", "macro_rules! m { () => { $crate::app::x() } }"),
            ("src/clock.rs", "use crate::domain;"),
            ("src/storage/mod.rs", "mod tests { use super::super::auth::Access; }"),
            ("src/util.rs", ""),
        ];
        for (path, text) in up {
            assert_eq!(upward_imports(&source(path, text)).len(), 1, "{path}: {text}");
        }
        let down = [
            ("src/storage/clients.rs", "use crate::domain::ids; use super::leads; // crate::cli"),
            ("src/storage/mod.rs", "mod tests { use super::auth::Access; }"),
            ("src/http/api/mod.rs", "use crate::https; use crate::http::problem;"),
            ("src/main.rs", "use bookhook::cli;"),
        ];
        for (path, text) in down {
            assert_eq!(upward_imports(&source(path, text)), [""; 0], "{path}: {text}");
        }
    }

    #[test]
    fn a_library_away_from_its_home_is_reported() {
        let astray = [
            ("src/tracking/mod.rs", "use actix_web::web;"),
            ("src/app.rs", "#[actix_rt::main] async fn main() {}"),
            ("src/auth.rs", "fn f() -> sqlx::Result<()> { Ok(()) }"),
            ("src/sources/fields.rs", "use rlibphonenumber as p;"),
        ];
        for (path, text) in astray {
            assert_eq!(strays(&source(path, text)).len(), 1, "{path}: {text}");
        }
        let at_home = [
            ("src/http/mod.rs", "use actix_web::web;"),
            ("src/domain/phone.rs", "use rlibphonenumber::Region;"),
            ("src/auth.rs", "#[cfg(test)] mod tests { #[actix_web::test] async fn t() {} }"),
        ];
        for (path, text) in at_home {
            assert_eq!(strays(&source(path, text)), [""; 0], "{path}: {text}");
        }
    }

    #[test]
    fn a_source_that_reads_a_file_or_the_time_is_reported() {
        let read = "fn f() { std::fs::read(\"x\"); }";
        assert_eq!(impurities(&source("src/sources/chat.rs", read)).len(), 1);
        assert_eq!(impurities(&source("src/domain/when.rs", "use crate::clock::Clock;")).len(), 1);
        let both = "use std::time::{Duration, Instant};";
        assert_eq!(impurities(&source("src/domain/when.rs", both)).len(), 1);
        assert_eq!(impurities(&source("src/app.rs", read)), [""; 0]);
        let in_test = format!("#[cfg(test)] mod tests {{ {read} }}");
        assert_eq!(impurities(&source("src/sources/chat.rs", &in_test)), [""; 0]);
    }

    #[test]
    fn sql_outside_storage_is_reported() {
        let sql = "const FIND: &str = \"
            select id from clients where tenant_id = $1\";";
        assert_eq!(sql_elsewhere(&source("src/http/api/clients.rs", sql)).len(), 1);
        assert_eq!(sql_elsewhere(&source("src/storage/clients.rs", sql)), [""; 0]);
        for sql in [
            "insert into clients (id) values ($1)",
            "UPDATE clients SET name = $1",
            "delete from clients",
            "with a as (select 1) select x from a",
            "pragma foreign_keys",
            "create unique index a on b (c)",
        ] {
            assert!(is_sql(&format!("\"{sql}\"")), "{sql}");
        }
        for prose in ["select a tenant first", "update the booking", "with what it came from", ""] {
            assert!(!is_sql(&format!("\"{prose}\"")), "{prose}");
        }
    }

    #[test]
    fn what_is_unfinished_or_switched_off_is_reported() {
        for text in [
            "fn f() { todo!() }",
            "fn f() { unimplemented!(\"later\") }",
            "#[test] #[ignore = \"slow\"] fn f() {}",
            "#![allow(dead_code)]",
            "#[expect(clippy::float_cmp)] fn f() {}",
        ] {
            assert_eq!(unfinished(&source("src/app.rs", text)).len(), 1, "{text}");
        }
        let fine = "#[expect(clippy::float_cmp, reason = \"exact\")] fn ignore() { /* todo!() */ }";
        assert_eq!(unfinished(&source("src/app.rs", fine)), [""; 0]);
    }

    #[test]
    fn a_long_source_is_reported() {
        assert!(too_long(&source("src/app.rs", &"\n".repeat(LONGEST_FILE))).is_none());
        assert!(too_long(&source("src/app.rs", &"\n".repeat(LONGEST_FILE + 1))).is_some());
    }

    #[test]
    fn a_machines_own_place_is_reported() {
        for place in MACHINE_PLACES {
            assert_eq!(machine_places("a.md", &format!("see `{place}x`")).len(), 1, "{place}");
        }
        let address = format!("https://example.com{}", MACHINE_PLACES[0]);
        assert_eq!(machine_places("a.md", &address), [""; 0]);
    }
}
