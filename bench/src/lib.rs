//! Parts of the benches: the account [`pool`] on a virtual clock, and a cluster as an operator starts it.
//!
//! The programs `bench` and `prove` use `cluster`: one process for each role, real servers, simulated
//! providers, all on this machine. It knows the binary by its command line, its health endpoints and
//! its rows; it links none of the services. The program `pool` is built without it.

#[cfg(feature = "services")]
pub mod cluster;
pub mod machine_clock;
pub mod pool;
pub mod time;
pub mod usage;
