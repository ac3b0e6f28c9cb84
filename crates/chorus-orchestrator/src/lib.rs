//! The only writer of projects: clarifies, plans, runs, merges and evaluates by deciding; never calls a model.
//!
//! The machine is core's [`Project`](chorus_core::project::Project) and pure. This shell reads records of commands
//! and finished attempts from the bus, reads the artifacts they name, lets the machine decide, stores prompts
//! and deliverables, commits the decision with everything that belongs to it at the expected version, and only
//! then acknowledges. It may stop at any await: an uncommitted record is delivered again, a committed one is
//! found folded.
//!
//! Neighbours: `chorus-dispatcher` admits the attempts queued here, `chorus-worker` carries them out.

mod aggregate;
mod artifact_cache;
mod call_builder;
mod commit_builder;
mod context;
mod decider;
mod fold;
mod inputs;
mod judging;
mod merging;
mod orchestrator;
mod project_cache;
pub mod prompt;
mod reading;
mod record_queue;
mod settings;

pub use orchestrator::{GROUP, Orchestrator};
pub use settings::{Settings, SizePolicy};

#[cfg(test)]
mod tests;
