//! What the tests share.

#[macro_use]
pub(crate) mod db;
pub(crate) mod source;
