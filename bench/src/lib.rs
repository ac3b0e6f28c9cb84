//! Chorus as an operator starts it: one process a role, real services, simulated providers, all on this machine.
//!
//! The programs `bench` and `prove` stand on this. It knows the binary by its command line, its probes and its
//! rows; it links none of the services.

pub mod stage;
pub mod time;
pub mod usage;
