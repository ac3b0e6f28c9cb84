//! A cluster around the binary: servers, providers, processes, briefs and rows.

pub mod briefs;
pub mod client;
pub mod fleet;
pub mod house;
#[cfg(feature = "distributed")]
pub mod membership;
pub mod ports;
pub mod process;
pub mod providers;
pub mod rows;
pub mod services;
pub mod settings;
pub mod web;
#[cfg(feature = "distributed")]
pub mod witness;
