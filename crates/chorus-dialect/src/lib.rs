//! Wire forms of LLM calls to and from the canonical model ([`Request`](chorus_core::llm::Request),
//! [`Reply`](chorus_core::llm::Reply)). Pure codecs, used at both edges: the gateway reads requests
//! and writes replies with them, the upstream writes requests and reads replies.
//!
//! A dialect knows only the canonical form, never another dialect. [`fit`](fit::fit) adapts a
//! request to a model that departs from its dialect, before writing. Deliberately absent: sockets,
//! clocks, limits on sizes, decisions about retries.

#![warn(missing_docs)]

pub mod anthropic_messages;
mod fields;
mod finish;
pub mod fit;
pub mod openai_chat;
pub mod sniff;
pub mod sse;
mod think;
mod unreadable;
pub mod wait;
mod wire_error;

pub use fields::ReadError;
pub use wire_error::{WEB_PAGE, WireError};
