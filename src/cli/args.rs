//! What several commands take.

use super::error::{Error, Result};
use crate::sources::fieldmap::FieldMap;
use crate::sources::{self, Source};
use chrono::TimeDelta;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::fmt::Display;
use std::io::{self, Read as _};
use std::str::FromStr;

/// Whose something is: one tenant's, or the whole platform's.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub(super) struct Owner {
    /// The tenant it is for, by id or slug
    #[arg(long, value_name = "TENANT")]
    pub(super) tenant: Option<String>,
    /// It is for the whole platform
    #[arg(long)]
    pub(super) platform: bool,
}

/// Where a connection's secret comes from.
#[derive(Args, Clone, Debug, Default)]
#[group(multiple = false)]
pub(super) struct SecretGiven {
    /// Read the secret from standard input
    #[arg(long)]
    pub(super) secret_stdin: bool,
    /// The secret; other users of this machine can see it while the command runs
    #[arg(long, value_name = "SECRET")]
    pub(super) secret: Option<String>,
}

impl SecretGiven {
    /// The secret, where one is given; never an empty one.
    pub(super) fn read(&self) -> Result<Option<String>> {
        let secret = match &self.secret {
            None if self.secret_stdin => Some(stdin_line("the secret")?),
            given => given.clone(),
        };
        match secret {
            Some(secret) if secret.is_empty() => Err(Error::refused("the secret is empty")),
            secret => Ok(secret),
        }
    }
}

/// Standard input as text, without the newline at its end.
pub(super) fn stdin_line(what: &str) -> Result<String> {
    let mut text = String::new();
    let read = io::stdin().read_to_string(&mut text);
    read.map_err(|error| Error::File { path: format!("standard input ({what})"), error })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// The bytes of a file, or of standard input for `-`.
pub(super) fn read_file(path: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = match path {
        "-" => io::stdin().read_to_end(&mut bytes).map(drop),
        path => std::fs::read(path).map(|read| bytes = read),
    };
    read.map_err(|error| Error::File { path: path.to_owned(), error })?;
    Ok(bytes)
}

/// The field map in a file, as it is written and as it is used.
pub(super) fn read_map(path: &str) -> Result<(String, FieldMap)> {
    let text = String::from_utf8(read_file(path)?);
    let text = text.map_err(|_| Error::Refused(format!("{path} is not UTF-8 text")))?;
    let map = FieldMap::parse(&text);
    let map = map.map_err(|error| Error::Refused(format!("{path}: {error}")))?;
    Ok((text, map))
}

/// Reads a word of a closed list, and names the list in the help.
pub(super) fn one_of<T>(
    words: impl IntoIterator<Item = &'static str>,
) -> impl TypedValueParser<Value = T>
where
    T: FromStr + Clone + Send + Sync + 'static,
    T::Err: Display,
{
    let words: Vec<_> = words.into_iter().collect();
    PossibleValuesParser::new(words)
        .try_map(|word| word.parse::<T>().map_err(|error| error.to_string()))
}

/// Reads a source's name.
pub(super) fn source() -> impl TypedValueParser<Value = &'static dyn Source> {
    let names: Vec<_> = sources::ALL.iter().map(|source| source.name()).collect();
    PossibleValuesParser::new(names)
        .try_map(|name| sources::find(&name).ok_or("there is no such source"))
}

/// Reads the name of whoever tells events: a source, or `api`.
pub(super) fn teller() -> impl TypedValueParser<Value = &'static dyn Source> {
    let all = sources::ALL.iter().chain([&sources::api::BY_HAND]);
    let names: Vec<_> = all.map(|source| source.name()).collect();
    PossibleValuesParser::new(names)
        .try_map(|name| sources::api::find_teller(&name).ok_or("there is no such source"))
}

/// Reads `30s`, `15m`, `24h` or `7d`.
pub(super) fn duration(text: &str) -> std::result::Result<TimeDelta, String> {
    let wrong = || format!("\"{text}\" is no duration; write one like 30s, 15m, 24h or 7d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number = text.strip_suffix(unit).and_then(|digits| digits.parse::<u32>().ok());
    let number = i64::from(number.ok_or_else(wrong)?);
    let duration = match unit {
        's' => TimeDelta::seconds(number),
        'm' => TimeDelta::minutes(number),
        'h' => TimeDelta::hours(number),
        'd' => TimeDelta::days(number),
        _ => return Err(wrong()),
    };
    if duration > TimeDelta::days(3650) {
        return Err(format!("\"{text}\" is too long; ten years (3650d) is the most"));
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit() {
        assert_eq!(duration("24h"), Ok(TimeDelta::days(1)));
        assert_eq!(duration("0s"), Ok(TimeDelta::zero()));
        for text in ["", "24", "h", "-1h", "1.5h", "1é", "99999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
