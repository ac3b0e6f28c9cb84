//! The canonical form of one LLM call, which every dialect is read into and written from.
//!
//! A dialect that knows a field which is not named here carries it in `extra`, so that same-dialect
//! traffic and later releases lose nothing. The codecs are in `chorus-dialect`.

mod reply;
mod request;
mod stream;
mod usage;

pub use reply::{FinishReason, Reply};
pub use request::{
    CacheHint, Content, Extra, Image, ImageSource, Message, Reasoning, ReasoningEffort, Request,
    ResponseFormat, Role, Sampling, Tool, ToolCall, ToolChoice, ToolResult,
};
pub use stream::{Assembler, StreamEvent};
pub use usage::Usage;
