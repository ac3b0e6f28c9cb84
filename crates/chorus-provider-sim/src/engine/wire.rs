//! Wire format of each provider: requests, whole replies, streams and errors.
//!
//! A [`Wire`] knows no limits and no time; it writes what the engine decided. Providers of one
//! dialect share it.

use serde_json::Value;

use super::call::CallRequest;
use super::quota::{Exceeded, Level};
use crate::config::{Dialect, ModelConfig};

pub mod anthropic;
pub mod deepseek;
pub mod openai;

/// Wire format of one dialect.
pub trait Wire: Sync {
    /// Route of a method and path, the path without the provider's name.
    fn route(&self, method: &str, path: &str) -> Option<Route>;

    /// API key in the headers.
    fn key(&self, headers: &[(String, String)]) -> Option<String>;

    /// Parses a request's body. An error is the message that the provider writes.
    fn read(&self, headers: &[(String, String)], body: &Value) -> Result<CallRequest, String>;

    /// Checks that the model supports the request. An error is the message that the provider
    /// writes.
    fn check(&self, _ask: &CallRequest, _model: &ModelConfig) -> Result<(), String> {
        Ok(())
    }

    /// Returns true if the reply's maximum tokens count against the context.
    fn reply_counts_in_context(&self) -> bool {
        true
    }

    /// Writes an error reply.
    fn error(&self, refusal: &Refusal, to: &ReplyContext<'_>) -> ErrorReply;

    /// Headers of a reply.
    fn headers(&self, levels: &[Level], to: &ReplyContext<'_>) -> Vec<(String, String)>;

    /// Writes a whole reply.
    fn whole(&self, reply: &WireReply<'_>) -> Value;

    /// Writes a streamed reply.
    fn pieces(&self, reply: &WireReply<'_>) -> Vec<Piece>;

    /// Event of a stream that fails in the middle.
    fn stream_error(&self) -> Vec<u8>;

    /// Event of a stream that ends because the credit is used up.
    fn credit_event(&self) -> Vec<u8>;

    /// Bytes that keep a waiting call alive.
    fn keep_alive(&self, _streamed: bool) -> Option<&'static [u8]> {
        None
    }

    /// List of models.
    fn models(&self, models: &[ModelConfig], now_ms: u64) -> Value;

    /// Request id for a hash.
    fn request_id(&self, hash: super::hash::Hash) -> String;

    /// Returns true if refused calls count against the request limit.
    fn refused_calls_count(&self) -> bool {
        false
    }

    /// Tokens charged at entry if prompt and reply share a limit.
    fn charged_at_entry(&self, ask: &CallRequest, input: u64) -> u64 {
        ask.max_tokens.unwrap_or(0) + input
    }
}

/// Operation of a request, found by [`Wire::route`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Create a reply.
    Call,
    /// Count the tokens of a prompt.
    Count,
    /// List the models.
    Models,
    /// List the limits of an organisation.
    Limits(LimitsList),
}

/// Form of a list of limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitsList {
    /// Groups of models, as Anthropic has them.
    Groups,
    /// Models of a project, as OpenAI has them.
    Models,
}

/// Reason for an [`ErrorReply`].
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// The path does not exist.
    NoSuchPath,
    /// The request has no key.
    NoKey,
    /// The key is unknown or revoked.
    DeadKey,
    /// The account may not use the model.
    Forbidden,
    /// The organisation's credit is used up.
    Unpaid,
    /// The customer's own spend limit is reached.
    Capped,
    /// The body exceeds the provider's maximum.
    TooLarge,
    /// The request is invalid; the message is the provider's.
    Invalid(String),
    /// The model does not exist.
    UnknownModel,
    /// Prompt and reply exceed the model's context.
    Overflow {
        /// Number of prompt tokens.
        input: u64,
        /// Requested maximum tokens of the reply.
        output: u64,
        /// Context of the model.
        context: u64,
    },
    /// The call exceeds a limit.
    Rate(Exceeded),
    /// The provider has no capacity.
    Overloaded,
    /// The provider failed.
    Failed,
}

/// Request to which a reply belongs.
#[derive(Debug, Clone, Copy)]
pub struct ReplyContext<'a> {
    /// Id of the organisation; empty if unknown.
    pub organisation: &'a str,
    /// API key; empty if there was none.
    pub key: &'a str,
    /// Requested model.
    pub model: &'a str,
    /// Request id of the provider.
    pub request: &'a str,
    /// Current levels of the limits.
    pub levels: &'a [Level],
    /// Current time, in milliseconds since 1970.
    pub now_ms: u64,
}

/// An error reply.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorReply {
    /// HTTP status.
    pub status: u16,
    /// Headers besides [`Wire::headers`].
    pub headers: Vec<(String, String)>,
    /// JSON body.
    pub body: Value,
}

/// Content of a reply that a [`Wire`] writes, whole or as [`Piece`]s.
#[derive(Debug, Clone, Copy)]
pub struct WireReply<'a> {
    /// Request of the call.
    pub ask: &'a CallRequest,
    /// Hash from which ids are made.
    pub hash: super::hash::Hash,
    /// Time of creation, in seconds since 1970.
    pub created_s: u64,
    /// Reasoning text.
    pub reasoning: &'a str,
    /// Answer text.
    pub text: &'a str,
    /// Reason for the end of the reply.
    pub finish: FinishReason,
    /// Reported prompt tokens.
    pub input: u64,
    /// Reported output tokens, including thinking.
    pub output: u64,
    /// Thinking tokens among [`WireReply::output`].
    pub thinking: u64,
}

/// Reason for the end of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// The reply is complete.
    Stop,
    /// The reply reached its maximum tokens.
    Length,
    /// The model refused.
    Refusal,
    /// The reply reached its maximum tokens, under another provider's name.
    ForeignLength,
    /// A reason of no known provider.
    Unknown,
}

/// Part of a stream of [`Wire::pieces`], with the number of tokens produced when it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Tokens produced up to and including this piece.
    pub produced: u64,
    /// Bytes of the piece.
    pub bytes: Vec<u8>,
}

/// [`Wire`] format of a [`Dialect`].
pub fn of(dialect: Dialect) -> &'static dyn Wire {
    match dialect {
        Dialect::Anthropic => &anthropic::Anthropic,
        Dialect::Openai => &openai::Openai,
        Dialect::Deepseek => &deepseek::Deepseek,
    }
}

/// Value of a header, ignoring the case of its name.
pub fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

/// Token of `authorization: Bearer`.
pub(super) fn bearer(headers: &[(String, String)]) -> Option<String> {
    header(headers, "authorization")?
        .strip_prefix("Bearer ")
        .map(|token| token.trim().to_owned())
}

/// Groups of tokens for streaming: at most 64, each with its token count.
pub(super) fn groups(text: &str) -> Vec<(u64, String)> {
    const GROUPS: usize = 64;
    let tokens: Vec<&str> = super::tokens::pieces(text).collect();
    let size = tokens.len().div_ceil(GROUPS).max(1);
    tokens
        .chunks(size)
        .map(|group| (group.len() as u64, group.concat()))
        .collect()
}
