//! A cluster as an operator starts it: one process for each role, real servers, simulated
//! providers, all on this machine.
//!
//! The programs `bench` and `prove` use [`cluster`]. It knows the binary by its command line, its
//! health endpoints and its rows; it links none of the services.

pub mod cluster;
pub mod time;
pub mod usage;
