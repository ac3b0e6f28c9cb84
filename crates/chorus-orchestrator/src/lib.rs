//! A project's only writer: clarify, plan, run, merge, evaluate. Decides; never calls a model itself.
//!
//! The machine is core's and pure. This shell takes records of commands and finished attempts from the bus,
//! reads the artifacts they name, has the machine decide, stores prompts and deliverables, commits the
//! decision with everything that belongs to it at the expected version, and only then acknowledges. It may die at any await:
//! what was not committed comes again, what was is found done.
//!
//! Neighbours: `chorus-dispatcher` admits the attempts that are queued here, `chorus-worker` carries them out.

mod aggregate;
mod context;
mod deciding;
mod fold;
mod gathered;
mod intake;
mod material;
mod merging;
mod opening;
mod orchestrator;
mod order;
mod part;
pub mod prompt;
mod reading;
mod settings;
mod shelf;

pub use orchestrator::{GROUP, Orchestrator};
pub use settings::{Settings, SizeLimits, SizePolicy, TokenBudgets};

#[cfg(test)]
mod tests;
