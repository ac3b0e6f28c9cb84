//! The real services over in-memory adapters on a virtual clock, from one seed; for tests only.
//!
//! Processes run under [`executor`], see every port through the wrappers of `faulty`, and are watched by the
//! monitor of `invariant`, which stands between the wrappers and the in-memory adapters. Nothing here opens a
//! socket, a file or a thread, reads a clock, or draws chance that is not from the seed; but [`real`] tells tests of
//! the adapters which servers they were given, and writes down what ran against them.

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
