//! Errors of the [`Client`](crate::Client).

use chorus_api::Problem;
use chorus_core::artifact::ArtifactHash;
use http::StatusCode;

/// Reason why a call of [`Client`](crate::Client) has no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The gateway refused the request; repeating it changes nothing.
    #[error("the server refused: {} ({}){}, request {}", problem.message, problem.code, field(problem), problem.request_id)]
    Refused {
        /// Status of the response.
        status: StatusCode,
        /// Body of the response.
        problem: Box<Problem>,
    },
    /// No server answered before the retry deadline.
    #[error("no answer from {servers}: {reason}")]
    Unreachable {
        /// Servers that were tried, with commas between them.
        servers: String,
        /// Failure of the last try.
        reason: String,
    },
    /// The response is not what the API specifies; the address may not be a Chorus gateway.
    #[error("the server's answer to {path} cannot be read: {reason}")]
    Unreadable {
        /// Path of the request.
        path: String,
        /// Failure of the parser.
        reason: String,
    },
    /// A file of the deliverable arrived with another hash than the gateway announced.
    #[error("{path} arrived with the hash {found}, expected {expected}")]
    Corrupt {
        /// Path of the file in the deliverable.
        path: String,
        /// Hash of the bytes that arrived.
        found: ArtifactHash,
        /// Hash that the deliverable names.
        expected: ArtifactHash,
    },
}

impl ClientError {
    /// Code of the gateway's refusal; none for other errors.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { problem, .. } => Some(&problem.code),
            Self::Unreachable { .. } | Self::Unreadable { .. } | Self::Corrupt { .. } => None,
        }
    }
}

fn field(problem: &Problem) -> String {
    problem
        .field
        .as_ref()
        .map_or_else(String::new, |field| format!(", field {field}"))
}

/// Reason why text is no list of servers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerListError {
    /// An address without a scheme. The text does not repeat it: it may be a key.
    #[error(
        "address {0} of the list is not that of a server: it must begin with http:// or https://, for instance http://127.0.0.1:8780"
    )]
    Scheme(usize),
    /// An address with a user name, which would be printed and logged.
    #[error(
        "address {0} of the list holds a user name or a key, which belongs into CHORUS_API_KEY"
    )]
    Adorned(usize),
    /// No address at all.
    #[error("the list of servers is empty")]
    Empty,
}
