//! The tests of the whole, in one binary.
#![cfg(test)]

#[macro_use]
mod support;

mod architecture;
mod fixtures;
mod functions;
mod refusing;
mod refusing_schemes;
mod resolve;
mod schema;
mod tracking;
