//! Prompts: one pure builder for each kind of task, as documented in `docs/prompts.md`.
//!
//! Neighbours: `call_builder` fills the structs from artifacts, core parses the answers. Builders read nothing and
//! decide nothing; equal inputs give equal [`Request`](chorus_core::llm::Request)s.

mod answer;
mod blocks;
mod clarify;
mod judge;
mod outline_block;
mod plan;
mod request;
mod resolve;
mod schema;
mod work;

pub use answer::{Answer, answer};
pub use clarify::{Clarify, clarify};
pub use judge::{Judge, judge};
pub use plan::{Planning, plan};
pub use request::size;
pub use resolve::{Resolve, resolve};
pub use work::{Input, ParentResult, Rework, Work, work};

#[cfg(test)]
mod tests;
