//! Input and output of the engine: a request, and the script of its reply.

use bytes::Bytes;

use super::call::CallId;
use super::quota::Counted;

/// A request as received.
#[derive(Debug, Clone, Default)]
pub struct HttpRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// Path without query; the first segment is the provider's name.
    pub path: String,
    /// Header names and values.
    pub headers: Vec<(String, String)>,
    /// Bytes of the body.
    pub body: Bytes,
}

/// Script of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scripted {
    /// HTTP status.
    pub status: u16,
    /// Header names and values.
    pub headers: Vec<(String, String)>,
    /// Chunks of the body; status and headers go out with the first one.
    pub chunks: Vec<Chunk>,
    /// Ending after the last chunk.
    pub end: End,
    /// Call to report with [`Providers::finished`](super::Providers::finished); `None` if there is
    /// nothing to report.
    pub call: Option<CallId>,
    /// Limit that the call exceeds by the provider's own count.
    pub passed: Option<Counted>,
}

/// A chunk of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Milliseconds after the previous chunk.
    pub delay_ms: u64,
    /// Bytes of the chunk.
    pub bytes: Bytes,
}

/// Ending after the last chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The body is complete.
    Close,
    /// The body is complete; its last event is an error.
    Died,
    /// The connection breaks.
    Cut,
    /// The connection stays open for ever.
    Hang,
}

/// Delivered part of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// All of it.
    All,
    /// Number of bytes delivered before the client closed the connection.
    Bytes(u64),
}
