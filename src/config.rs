//! Where the settings come from: flags and environment first, then `bookhook.toml`, then defaults.

use clap::{Args, ValueEnum};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The environment variables that are read, and no others of the prefix `BOOKHOOK_`.
pub const VARIABLES: &[&str] = &[
    "BOOKHOOK_API_RATE", "BOOKHOOK_CONFIG", "BOOKHOOK_LISTEN", "BOOKHOOK_LOG",
    "BOOKHOOK_LOG_FORMAT", "BOOKHOOK_MASTER_KEY", "BOOKHOOK_PUBLIC_URL", "BOOKHOOK_SPOOL",
    "BOOKHOOK_SPOOL_SIZE", "BOOKHOOK_STOP_WITHIN",
];

/// How often a second one token may ask the API where nothing is said.
pub const API_RATE: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);

/// How many MiB the spool may have where nothing is said.
const SPOOL_SIZE: u32 = 1024;

/// How many seconds a service may take to stop where nothing is said: less than what orchestrators
/// give it before they kill it (30).
const STOP_WITHIN: u32 = 25;

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Settings as flags and environment give them: each may be missing.
#[derive(Args, Clone, Debug, Default)]
pub struct Given {
    /// Read settings from this file (default: bookhook.toml, if it is there)
    #[arg(long, env = "BOOKHOOK_CONFIG", global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the data is: `sqlite://FILE` or `postgres://…` (default: `sqlite://bookhook.db`)
    #[arg(long, env = "DATABASE_URL", global = true, hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// Listen at this address (default: 127.0.0.1:8080; port 0 takes a free one)
    #[arg(long, env = "BOOKHOOK_LISTEN", global = true, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// The address under which others reach the service, for the webhook URLs that are printed
    #[arg(long, env = "BOOKHOOK_PUBLIC_URL", global = true, value_name = "URL")]
    pub public_url: Option<String>,
    /// How often a second one token may ask the API, on the average (default: 100)
    #[arg(long, env = "BOOKHOOK_API_RATE", global = true, value_name = "N")]
    pub api_rate: Option<NonZeroU32>,
    /// How many MiB may wait in the spool while PostgreSQL is away (default: 1024)
    #[arg(long, env = "BOOKHOOK_SPOOL_SIZE", global = true, value_name = "MIB")]
    pub spool_size: Option<NonZeroU32>,
    /// How many seconds what was taken may still need once the service is asked to stop (default: 25)
    #[arg(long, env = "BOOKHOOK_STOP_WITHIN", global = true, value_name = "SECONDS")]
    pub stop_within: Option<NonZeroU32>,
    /// What is logged: error, warn, info, debug, or a filter (default: info)
    #[arg(long, env = "BOOKHOOK_LOG", global = true, value_name = "FILTER")]
    pub log: Option<String>,
    /// How log lines are written (default: text)
    #[arg(long, env = "BOOKHOOK_LOG_FORMAT", global = true, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// What `bookhook.toml` may say. An unknown key is refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    database_url: Option<String>,
    listen: Option<SocketAddr>,
    public_url: Option<String>,
    api_rate: Option<NonZeroU32>,
    master_key: Option<String>,
    spool: Option<PathBuf>,
    spool_size: Option<NonZeroU32>,
    stop_within: Option<NonZeroU32>,
    log: Option<String>,
    log_format: Option<LogFormat>,
}

/// The settings in force.
#[derive(Clone)]
pub struct Settings {
    /// `sqlite://FILE` or `postgres://…`.
    pub database_url: String,
    /// Where to listen.
    pub listen: SocketAddr,
    /// The address under which others reach the service, without a slash at the end.
    pub public_url: Option<String>,
    /// How often a second one token may ask the API.
    pub api_rate: NonZeroU32,
    /// 32 bytes in base64, where it is given.
    pub master_key: Option<SecretString>,
    /// Where deliveries go while the main database is away.
    pub spool: PathBuf,
    /// How many bytes may wait there.
    pub spool_size: u64,
    /// How long what was taken may still need once the service is asked to stop.
    pub stop_within: Duration,
    /// What is logged.
    pub log: String,
    /// How log lines are written.
    pub log_format: LogFormat,
}

/// Why the settings can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read, or says something it may not.
    #[error("{path}: {message}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        message: String,
    },
    /// A variable of our prefix that means nothing.
    #[error("the environment variable {0} is not known; known are {known}", known = VARIABLES.join(", "))]
    UnknownVariable(String),
}

impl Settings {
    /// Puts the settings together. `environment` is the names and values of all variables.
    ///
    /// # Errors
    /// [`ConfigError`], which says what to correct.
    pub fn load(
        given: Given,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let (mut master_key, mut spool) = (None, None);
        for (name, value) in environment.filter(|(name, _)| name.starts_with("BOOKHOOK_")) {
            match name.as_str() {
                "BOOKHOOK_MASTER_KEY" => master_key = Some(value).filter(|v| !v.is_empty()),
                "BOOKHOOK_SPOOL" => spool = Some(PathBuf::from(value)),
                known if VARIABLES.contains(&known) => {}
                _ => return Err(ConfigError::UnknownVariable(name)),
            }
        }
        let file = read_file(given.config.as_deref())?;
        let public_url = given.public_url.or(file.public_url);
        let mebibytes = given.spool_size.or(file.spool_size);
        let seconds = given.stop_within.or(file.stop_within);
        Ok(Self {
            database_url: given
                .database_url
                .or(file.database_url)
                .unwrap_or_else(|| "sqlite://bookhook.db".to_owned()),
            listen: given.listen.or(file.listen).unwrap_or(([127, 0, 0, 1], 8080).into()),
            public_url: public_url.map(|url| url.trim_end_matches('/').to_owned()),
            api_rate: given.api_rate.or(file.api_rate).unwrap_or(API_RATE),
            master_key: master_key.or(file.master_key).map(SecretString::from),
            spool: spool.or(file.spool).unwrap_or_else(|| "bookhook-spool.db".into()),
            spool_size: u64::from(mebibytes.map_or(SPOOL_SIZE, NonZeroU32::get)) << 20,
            stop_within: Duration::from_secs(seconds.map_or(STOP_WITHIN, NonZeroU32::get).into()),
            log: given.log.or(file.log).unwrap_or_else(|| "info".to_owned()),
            log_format: given.log_format.or(file.log_format).unwrap_or(LogFormat::Text),
        })
    }

    /// True when the data is in SQLite.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        self.database_url.starts_with("sqlite:")
    }

    /// The SQLite file, when there is one.
    #[must_use]
    pub fn sqlite_file(&self) -> Option<PathBuf> {
        let path = self.database_url.strip_prefix("sqlite:")?;
        let path = path.strip_prefix("//").unwrap_or(path);
        let path = path.split('?').next().unwrap_or(path);
        (!path.is_empty() && path != ":memory:").then(|| PathBuf::from(path))
    }

    /// Every setting by name, with what is secret masked.
    #[must_use]
    pub fn masked(&self) -> Vec<(&'static str, String)> {
        let set = |there: bool| if there { "(set)" } else { "(not set)" }.to_owned();
        vec![
            ("databaseUrl", mask_password(&self.database_url)),
            ("listen", self.listen.to_string()),
            ("publicUrl", self.public_url.clone().unwrap_or_else(|| set(false))),
            ("apiRate", self.api_rate.to_string()),
            ("masterKey", set(self.master_key.is_some())),
            ("spool", self.spool.display().to_string()),
            ("spoolSize", format!("{} MiB", self.spool_size >> 20)),
            ("stopWithin", format!("{} s", self.stop_within.as_secs())),
            ("log", self.log.clone()),
            ("logFormat", format!("{:?}", self.log_format).to_lowercase()),
        ]
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.masked()).finish()
    }
}

/// A database address with its password (between `:` and the last `@`) masked, in the query too.
fn mask_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(r, q)| (r, Some(q)));
    let rest = match rest.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((name, _)) => format!("{name}:***@{host}"),
            None => rest.to_owned(),
        },
        None => rest.to_owned(),
    };
    let query = query.map(|query| {
        let pairs = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, _)) if name.contains("password") => format!("{name}=***"),
            _ => pair.to_owned(),
        });
        format!("?{}", pairs.collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{rest}{}", query.unwrap_or_default())
}

fn read_file(named: Option<&Path>) -> Result<File, ConfigError> {
    let path = named.unwrap_or(Path::new("bookhook.toml"));
    let source = config::File::from(path).format(config::FileFormat::Toml);
    let built = config::Config::builder().add_source(source.required(named.is_some())).build();
    built.and_then(config::Config::try_deserialize).map_err(|error| ConfigError::File {
        path: path.display().to_string(),
        message: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(variables: &[(&str, &str)], file: Option<&str>) -> Result<Settings, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.toml");
        if let Some(text) = file {
            std::fs::write(&path, text).unwrap();
        }
        let config = file.map(|_| path);
        let variables = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        Settings::load(Given { config, ..Given::default() }, variables)
    }

    #[test]
    fn a_word_that_means_nothing_is_refused() {
        let file = load(&[], Some("listen = \"127.0.0.1:1\"\nlisten_adress = \"x\"\n"));
        assert!(file.unwrap_err().to_string().contains("listen_adress"));
        let variable = load(&[("BOOKHOOK_LISTN", "x")], None);
        assert!(variable.unwrap_err().to_string().contains("BOOKHOOK_LISTN"));
        let missing =
            Given { config: Some("/nonexistent/bookhook.toml".into()), ..Given::default() };
        assert!(Settings::load(missing, std::iter::empty()).is_err());
    }

    #[test]
    fn what_is_secret_is_not_shown() {
        let url = "postgres://salon:hunter2@db/book?sslpassword=hunter2&host=x";
        let file = format!("database_url = \"{url}\"\nmaster_key = \"hunter2\"\n");
        let settings = load(&[], Some(&file)).unwrap();
        let shown = format!("{settings:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("postgres://salon:***@db/book"));
    }
}
