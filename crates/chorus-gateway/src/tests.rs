//! Tests of the router as a whole: requests against a store in memory, without sockets, on paused time.

mod accounts;
mod auth;
mod commands;
mod deliverables;
mod error_pages;
mod errors;
mod event_catalogue;
mod event_streams;
mod failing_store;
mod fixture;
mod idempotent_requests;
mod lists;
mod reports;
mod specified_fields;
mod submissions;
