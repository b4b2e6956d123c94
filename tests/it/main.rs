//! The tests of the whole, in one binary.
#![cfg(test)]

#[macro_use]
mod support;

mod architecture;
mod cli;
mod cli_events;
mod cli_running;
mod fixtures;
mod histories;
mod refusing;
mod refusing_schemes;
mod resolve;
mod schema;
mod tracking;
