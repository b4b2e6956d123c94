//! What the tests share.

pub(crate) mod app;
pub(crate) mod binary;
pub(crate) mod bodies;
pub(crate) mod catalog;
#[macro_use]
pub(crate) mod db;
pub(crate) mod desk;
pub(crate) mod many;
pub(crate) mod outage;
pub(crate) mod people;
pub(crate) mod plans;
pub(crate) mod rows;
pub(crate) mod scans;
pub(crate) mod shell;
pub(crate) mod source;
pub(crate) mod wire;
