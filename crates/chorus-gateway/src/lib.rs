//! The gateway: projects over HTTP for clients with API keys.
//!
//! Every request passes the [request layer](request_layer), [authentication], and one handler. A
//! submission or command is durable before its reply. Events are read from their rows, so any
//! gateway process resumes a stream where another stopped; the bus only wakes readers. The binary
//! gives [`Gateway::serve`] a listener, a stop signal, and routes of its own.
//!
//! Deliberately absent: decisions about a project (the orchestrator's), calls of models, adapters,
//! and any clock or randomness other than the `Clock` port's.

mod accounts;
mod api_error;
mod app_state;
mod audit;
mod authentication;
mod caller;
mod error_code;
pub mod estimate;
mod event_hub;
mod event_stream;
mod gateway;
mod idempotency;
mod json_body;
mod levels;
mod openapi;
mod pools;
mod project_request;
mod projects;
mod query;
mod request_layer;
mod routes;
mod secret;
mod settings;
mod submission;

#[cfg(test)]
mod tests;

use chorus_api as resource;

pub use gateway::{Gateway, ServeError};
pub use secret::Secret;
pub use settings::{Auth, Bounds, LimitSource, Settings};
