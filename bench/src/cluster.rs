//! A cluster around the binary: servers, providers, processes, briefs and rows.

pub mod briefs;
pub mod client;
pub mod fleet;
pub mod installation;
#[cfg(feature = "distributed")]
pub mod membership;
#[cfg(feature = "distributed")]
pub mod observer;
pub mod ports;
pub mod process;
pub mod providers;
pub mod rows;
pub mod services;
pub mod settings;
pub mod silence;
pub mod web;
