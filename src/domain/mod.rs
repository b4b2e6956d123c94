//! Pure types: what a phone, an amount, a time, a client and a booking are.

pub mod booking;
pub mod channel;
pub mod days;
pub mod edit;
pub mod email;
pub mod ids;
pub mod money;
pub mod names;
pub mod person;
pub mod phone;
pub mod problem;
pub mod sighting;
pub mod tenant;
pub mod traces;
pub mod when;
