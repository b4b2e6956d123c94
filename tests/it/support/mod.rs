//! What the tests share.

pub(crate) mod app;
pub(crate) mod catalog;
#[macro_use]
pub(crate) mod db;
pub(crate) mod source;
