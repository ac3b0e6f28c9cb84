//! Utilisation of the account pool on a virtual clock, against servers that count by themselves.
//!
//! A [`run`](mod@run) drives a [`Router`](router::Router) over [`server`]s that are written from the providers'
//! documents and share no code with the limiter. The real `Admission` over the real limiter is one router, the
//! others are [`rivals`]. The makespan is compared with the certified bound of `chorus_pool::bound`. Definitions
//! are in `bench/README.md`.

pub mod bars;
mod bounds;
mod cell;
mod chorus;
mod clock;
mod cost;
mod faults;
mod fleet;
pub mod matrix;
mod outcome;
mod plot;
mod random;
#[cfg(feature = "redis")]
mod redis;
mod rivals;
mod router;
mod run;
mod server;
mod trace;
mod workload;
