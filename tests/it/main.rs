//! The tests of the whole, in one binary.
#![cfg(test)]

#[macro_use]
mod support;

mod api_bookings;
mod api_clients;
mod api_clients_erase;
mod api_clients_list;
mod api_clients_plans;
mod api_clients_write;
mod api_document;
mod api_exports;
mod api_import;
mod api_leads;
mod api_lists;
mod api_requests;
mod api_running;
mod api_tenants;
mod api_whole_tenant;
mod architecture;
mod bad_input;
mod bad_values;
mod batches;
mod cli;
mod cli_events;
mod cli_running;
mod duplicates;
mod failing;
mod fixtures;
mod functions;
mod histories;
mod long_lists;
mod maps;
mod metrics;
mod outage;
mod people;
mod phones;
mod predecessor;
mod predecessor_process;
mod problems;
mod provenance;
mod refusing;
mod refusing_schemes;
mod repeats;
mod resolve;
mod reworded;
mod schema;
mod seed;
mod settled;
mod statements;
mod supplied;
mod tenants_apart;
mod tracking;
mod whatsapp;
