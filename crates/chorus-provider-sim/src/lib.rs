//! Providers simulated over real HTTP, written from recorded wire text.
//!
//! This crate is an independent witness: it depends on no other part of Chorus, counts every limit
//! by itself and keeps a [`journal`](engine::journal) of every call, so that Chorus' own records
//! can be compared with those of a provider. The [`engine`] is pure (time is an argument,
//! randomness is seeded); [`http`] plays its replies in real time; [`model`] writes replies by
//! rules from the prompt alone.

pub mod config;
pub mod engine;
pub mod http;
pub mod model;

pub use config::Config;
pub use engine::Providers;
pub use http::Server;
