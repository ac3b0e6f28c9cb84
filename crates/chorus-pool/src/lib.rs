//! The account pool: which endpoint can serve a call, what the call will likely use, and which call goes first. All
//! of that is pure; [`Admission`] is the one async part, which asks the
//! [`LimitState`](chorus_core::port::LimitState) port.
//!
//! Levels, windows and leases are in the limiter behind that port. Nothing here makes a call, keeps a secret or
//! reads a database.

#![warn(missing_docs)]

pub mod admission;
pub mod bound;
pub mod breaker;
pub mod cost_estimate;
mod decided;
pub mod endpoint_index;
mod engine;
pub mod estimate;
mod fit_tree;
pub mod health;
mod mirror;
pub mod order;
mod request;
mod settings;
pub mod size_policy;
mod targets;

pub use admission::{
    Admission, AdmissionRequest, ChoiceReason, Decided, ModelSelector, PoolSlots, Prefix, Rest,
    StateLost,
};
pub use endpoint_index::{EndpointIndex, ModelChoice, RoleModels};
pub use engine::Counts;

#[cfg(test)]
mod tests;
