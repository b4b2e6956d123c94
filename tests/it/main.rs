//! The tests of the whole, in one binary.
#![cfg(test)]

mod support;
