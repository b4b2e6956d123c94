//! The tests of the whole, in one binary.
#![cfg(test)]

#[macro_use]
mod support;

mod architecture;
mod bad_input;
mod bad_values;
mod fixtures;
mod outage;
mod predecessor;
mod problems;
mod refusing;
mod refusing_schemes;
mod repeats;
mod resolve;
mod schema;
mod tenants_apart;
mod tracking;
