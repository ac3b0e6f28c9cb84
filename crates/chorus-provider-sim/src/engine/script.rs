//! What goes in and out of the engine: a request, and the script of its answer.

use bytes::Bytes;

use super::journal::CallId;
use super::quota::Counted;

/// A request as it came in.
#[derive(Debug, Clone, Default)]
pub struct HttpRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// The path, which begins with the provider's name; no query.
    pub path: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// What is to be answered, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scripted {
    /// HTTP status.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body; status and headers go out with the first chunk.
    pub chunks: Vec<Chunk>,
    /// What comes after the last chunk.
    pub end: End,
    /// The call that must be reported as finished; none when there is nothing to report.
    pub call: Option<CallId>,
    /// The limit that the call would have passed, by the provider's own count.
    pub passed: Option<Counted>,
}

/// A part of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Milliseconds after the one before it.
    pub delay_ms: u64,
    /// The bytes.
    pub bytes: Bytes,
}

/// What comes after the last chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The body is complete.
    Close,
    /// The body is complete, but its last event was an error.
    Died,
    /// The connection breaks.
    Cut,
    /// Nothing, ever.
    Hang,
}

/// How much of a body went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The script was played to its end.
    All,
    /// The client hung up after so many bytes.
    Bytes(u64),
}
