//! Providers simulated over real HTTP, written from recorded wire text.
//!
//! An independent witness: it depends on no other part of Chorus, counts every limit by itself and keeps a
//! journal of every call, so that what Chorus believes can be compared with what a provider saw. The engine
//! is pure (time is an argument, chance is seeded); `http` plays its answers out in real time; `brain`
//! writes the replies by rules, from the prompt alone.

pub mod brain;
pub mod config;
pub mod engine;
pub mod http;

pub use config::Config;
pub use engine::Providers;
pub use http::Server;
