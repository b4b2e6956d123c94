//! Bookhook: one customer record from every booking webhook.
//!
//! The house, top down; an import points down this list, never up:
//!
//! - [`cli`]: one file a command.
//! - [`app`]: builds the service from its settings and runs it until it is stopped.
//! - [`http`]: the only place that names the web framework.
//! - [`tracking`]: takes deliveries, answers with their outcomes.
//! - [`auth`]: tokens and passwords become an access; nothing else can build one.
//! - [`storage`]: the only place that names the database library; all SQL.
//! - [`sources`]: one file a source: verify and map, pure.
//! - [`domain`]: pure types.
//! - [`config`], [`clock`], [`telemetry`].

pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod http;
pub mod sources;
pub mod storage;
pub mod telemetry;
pub mod tracking;
