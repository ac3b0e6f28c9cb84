//! The gateway over real HTTP on loopback: two gateways over one store and one bus, as in two
//! processes.
//!
//! The tests do the orchestrator's part themselves, so each test decides what happens when.

mod auth;
mod client;
mod commands;
mod deliverables;
mod events;
mod fixture;
mod keys;
mod submissions;
mod wire;
