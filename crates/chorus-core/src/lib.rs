//! The pure middle of Chorus: ids, the canonical model of LLM calls ([`llm`]), the machines of
//! projects, tasks and attempts ([`project`], [`attempt`]), the rules of plans, merges and verdicts
//! ([`plan`], [`merge`], [`verdict`]), and the [`port`]s through which services reach the outside.
//!
//! Deliberately absent: tokio, sockets, databases, clocks, randomness. Time and ids are arguments;
//! an effect that a machine asks for is a returned value. Every other crate points down to this
//! one.

#![warn(missing_docs)]

pub mod artifact;
pub mod attempt;
pub mod brief;
pub mod catalog;
pub mod failure;
pub mod file_kind;
pub mod id;
pub mod intake;
pub mod json;
pub mod limit;
pub mod llm;
pub mod merge;
pub mod money;
mod numerals;
pub mod output_path;
pub mod plan;
pub mod port;
pub mod progress;
pub mod project;
pub mod record;
pub mod sizes;
pub mod state_machine;
pub mod task_kind;
pub mod thought;
pub mod time;
pub mod verdict;
