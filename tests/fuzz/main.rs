//! Reading answers whatever it is given: no body and no value, however odd, ends it, takes memory
//! out of proportion, or is read in two ways.
//!
//! A binary of its own, as it counts what is allocated. `PROPTEST_CASES` says how many bodies and
//! values are made up (256); what once failed is tried first, from `proptest-regressions/`.
#![cfg(test)]

mod bodies;
mod heap;
mod large;
mod mutation;
mod reading;
mod values;
