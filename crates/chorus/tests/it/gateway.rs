//! The gateway over real HTTP on loopback: two of them over one store and one bus, as two processes would be. What an
//! orchestrator does is played by hand, so that each test says exactly what happens when.

mod client;
mod commands;
mod deliverables;
mod doors;
mod events;
mod keys;
mod site;
mod submissions;
mod wire;
