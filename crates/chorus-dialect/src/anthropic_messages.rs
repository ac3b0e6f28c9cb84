//! Anthropic Messages, as Anthropic and servers with an Anthropic-shaped route speak them.
//!
//! Requests and replies, whole and streamed, in both directions. `max_tokens` is required there;
//! [`fit`](crate::fit::fit) sets it when the caller named none.

mod block;
mod error;
mod reply;
mod request_read;
mod request_write;
mod stop;
mod stream_read;
mod stream_write;

pub use error::{read_error, write_error};
pub use reply::{read_reply, write_reply};
pub use request_read::read_request;
pub use request_write::write_request;
pub use stream_read::StreamReader;
pub use stream_write::StreamWriter;
