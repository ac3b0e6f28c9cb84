//! What models are told: one pure builder for each kind of task, exactly as `docs/prompts.md` says.
//!
//! Neighbours: the orchestrator fills the structs from its artifacts, core reads the answers. Nothing here looks anything
//! up or decides what comes next; equal inputs give equal requests.

mod answer;
mod blocks;
mod clarify;
mod judge;
mod plan;
mod request;
mod resolve;
mod schema;
mod work;

pub use answer::{Answer, answer};
pub use clarify::{Clarify, clarify};
pub use judge::{Judge, judge};
pub use plan::{Planning, plan};
pub use request::{Room, size};
pub use resolve::{Resolve, resolve};
pub use work::{Given, Input, Rework, Work, work};

#[cfg(test)]
mod tests;
