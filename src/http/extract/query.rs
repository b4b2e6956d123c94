//! The query of an address, read strictly: what is wrong is told parameter by parameter.

use crate::domain::problem::Problem as Fault;
use crate::http::problem::Problem;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use serde::de::DeserializeOwned;
use std::future::{Ready, ready};
use std::ops::Deref;

const CODE: &str = "query_invalid";

/// The most parameters that are looked at one by one, and the most characters of a name.
const MOST: usize = 100;

/// The parameters of a query.
pub(in crate::http) struct Query<T>(T);

impl<T> Deref for Query<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request.query_string()).map(Self))
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let whole = match parse::<T>(text) {
        Ok(read) => return Ok(read),
        Err(said) => said,
    };
    // The whole says what is wrong without saying where; each alone says it of itself.
    let mut faults = Vec::new();
    for part in text.split('&').filter(|part| !part.is_empty()).take(MOST) {
        if let Err(said) = parse::<T>(part) {
            faults.push(fault(&name(part), &sentence(&said)));
        }
    }
    if faults.is_empty() {
        let twice = whole.split('`').nth(1).unwrap_or_default();
        faults.push(fault(twice, &sentence(&whole)));
    }
    let told = faults.iter().map(|fault| {
        let name = fault.field.as_deref().unwrap_or_default();
        format!("{name}: {}", fault.detail)
    });
    let detail = told.collect::<Vec<_>>().join("; ");
    Err(Problem::bad_parameters(CODE, &detail, faults))
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let read = web::Query::<T>::from_query(text).map(web::Query::into_inner);
    read.map_err(|error| error.to_string())
}

fn name(part: &str) -> String {
    let pairs = parse::<Vec<(String, String)>>(part).unwrap_or_default();
    let name = pairs.into_iter().next().map(|(name, _)| name).unwrap_or_default();
    name.chars().take(MOST).collect()
}

fn fault(name: &str, detail: &str) -> Fault {
    Fault::at("", CODE, detail, name, None)
}

/// What the parser said, as a sentence that says what would do.
fn sentence(said: &str) -> String {
    let known = said.split_once("expected ").map(|(_, known)| known.trim_start_matches("one of "));
    let has = |word: &str| said.contains(word);
    match known {
        Some(known) if has("unknown field") => format!("this is not known; known are {known}"),
        Some(known) if has("unknown variant") => format!("send one of {known}"),
        _ if has("duplicate field") => "it was sent twice: send it once".to_owned(),
        _ if has("UUID") => "send an id as it was answered: a UUID".to_owned(),
        _ if has("`true`") => "send true or false".to_owned(),
        _ if has("integer") || has("digit") || has("number") => "send a whole number".to_owned(),
        _ => "send a value of its kind".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::channel::BookingStatus;
    use serde::Deserialize;
    use uuid::Uuid;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Asked {
        limit: Option<i64>,
        client_id: Option<Uuid>,
        status: Option<BookingStatus>,
        dry_run: Option<bool>,
    }

    #[test]
    fn what_is_wrong_is_named_and_says_what_to_send() {
        for (text, name, words) in [
            ("limit=abc", "limit", "a whole number"),
            ("limit=", "limit", "a whole number"),
            ("limit=99999999999999999999", "limit", "a whole number"),
            ("clientId=1", "clientId", "a UUID"),
            ("status=banana", "status", "`confirmed`"),
            ("dryRun=yes", "dryRun", "true or false"),
            ("page=2", "page", "`limit`"),
            ("limit=1&limit=2", "limit", "twice"),
        ] {
            let said =
                serde_json::from_str::<serde_json::Value>(&read::<Asked>(text).unwrap_err().text());
            let said = said.unwrap();
            assert_eq!(said["errors"][0]["parameter"], name, "{text}: {said}");
            assert!(said["detail"].as_str().unwrap().contains(words), "{text}: {said}");
            assert!(said["detail"].as_str().unwrap().starts_with(name), "{text}: {said}");
        }
        let both = read::<Asked>("limit=abc&status=x&dryRun=true").unwrap_err().text();
        let both: serde_json::Value = serde_json::from_str(&both).unwrap();
        assert_eq!(both["errors"].as_array().unwrap().len(), 2, "{both}");
        let fine = read::<Asked>("limit=7&dryRun=true").unwrap();
        assert_eq!((fine.limit, fine.dry_run), (Some(7), Some(true)));
        assert_eq!((fine.client_id, fine.status), (None, None));
    }
}
