//! The gateway: the API of projects over HTTP, for clients with keys.
//!
//! It speaks to ports only. A submission is durable before it is answered; events are read from their rows, so
//! any gateway process can go on where another stopped; the bus only wakes readers. Whoever wires a process
//! gives it a listener, a stop signal and, if it likes, routes of its own to serve beside these.
//!
//! Deliberately absent: deciding anything about a project (the orchestrator's), calling models, adapters,
//! clocks and chance other than the `Clock` port's.

mod auth;
mod desk;
pub mod estimate;
mod fault;
mod follow;
mod frame;
mod gateway;
mod hub;
mod openapi;
mod projects;
mod query;
mod routes;
mod settings;
mod submission;

use chorus_api as resource;

pub use auth::Secret;
pub use gateway::{Gateway, ServeError};
pub use settings::{Auth, Bounds, Settings};
