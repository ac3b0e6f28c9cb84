//! Wire forms of LLM calls to and from the canonical model. Pure codecs, used at both edges: the gateway
//! reads requests and writes replies with them, the upstream writes requests and reads replies.
//!
//! A dialect knows only the canonical form, never another dialect. Models that depart from their dialect are
//! met before writing, in [`fit`]. Deliberately absent: sockets, clocks, limits on sizes, decisions about retries.

pub mod anthropic_messages;
mod fields;
pub mod fit;
pub mod openai_chat;
pub mod sse;
mod think;
mod wire_error;

pub use fields::ReadError;
pub use wire_error::WireError;
