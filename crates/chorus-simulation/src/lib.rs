//! Deterministic simulation of the services: the real services over in-memory adapters on a virtual
//! clock, from one seed.
//!
//! Processes run under [`executor`] and call every port through the wrappers of [`faulty`]. The
//! monitor of [`invariant`] sits between these wrappers and the in-memory adapters. [`contract`]
//! holds the suites that every adapter of a port passes. Nothing here opens a socket, a file or a
//! thread, reads a clock, or draws randomness outside the seed. The exception is [`real`], which
//! gives tests of real adapters the addresses of their servers and records the suites that ran.
//! This crate is for tests only.

pub mod brief;
pub mod chance;
pub mod cli;
pub mod clock;
pub mod contract;
pub mod executor;
pub mod fault;
pub mod faulty;
pub mod invariant;
pub mod log;
pub mod network;
pub mod providers;
pub mod real;
pub mod watched;
pub mod world;
