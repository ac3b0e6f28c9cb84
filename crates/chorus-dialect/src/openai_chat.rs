//! OpenAI chat completions, as OpenAI, DeepSeek, OpenRouter and every compatible server speak them.
//!
//! Requests and replies, whole and streamed, in both directions. The catalogue's
//! [`Form`](chorus_core::catalog::Form) and [`Quirks`](chorus_core::catalog::Quirks) decide the
//! points on which servers disagree.

mod content;
mod error;
mod finish;
mod reply;
mod request_read;
mod request_write;
mod stream_read;
mod stream_write;
mod usage;

pub use error::{read_error, write_error};
pub use reply::{read_reply, write_reply};
pub use request_read::read_request;
pub use request_write::write_request;
pub use stream_read::StreamReader;
pub use stream_write::StreamWriter;
