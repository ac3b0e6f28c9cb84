//! The wire text of each provider: how it is asked, how it answers whole, in pieces and with an error.
//!
//! A wire knows no limits and no time; it writes what the engine decided. Providers of one dialect share it.

use serde_json::Value;

use super::call::Ask;
use super::quota::{Exceeded, Level};
use crate::config::{Dialect, ModelConfig};

pub mod anthropic;
pub mod deepseek;
pub mod openai;

/// One provider's wire text.
pub trait Wire: Sync {
    /// What a method and path (without the provider's name) ask for.
    fn route(&self, method: &str, path: &str) -> Option<Route>;

    /// The key in the headers.
    fn key(&self, headers: &[(String, String)]) -> Option<String>;

    /// Reads a request's body, or says in the provider's words what is wrong with it.
    fn read(&self, headers: &[(String, String)], body: &Value) -> Result<Ask, String>;

    /// Says in the provider's words what this model cannot do of what is asked.
    fn check(&self, _ask: &Ask, _model: &ModelConfig) -> Result<(), String> {
        Ok(())
    }

    /// Whether the most tokens of the reply count against the context, as the prompt does.
    fn reply_counts_in_context(&self) -> bool {
        true
    }

    /// Writes an error.
    fn refuse(&self, refusal: &Refusal, to: &Addressee<'_>) -> Refused;

    /// Headers of a reply.
    fn headers(&self, levels: &[Level], to: &Addressee<'_>) -> Vec<(String, String)>;

    /// A whole reply.
    fn whole(&self, written: &Written<'_>) -> Value;

    /// A reply in pieces.
    fn pieces(&self, written: &Written<'_>) -> Vec<Piece>;

    /// What a stream says when the provider fails in the middle of it.
    fn broken(&self) -> Vec<u8>;

    /// What keeps a waiting call alive.
    fn keep_alive(&self, _streamed: bool) -> Option<&'static [u8]> {
        None
    }

    /// The list of models.
    fn models(&self, models: &[ModelConfig], now_ms: u64) -> Value;

    /// The id of a request whose hash this is.
    fn request_id(&self, hash: super::hash::Hash) -> String;

    /// Whether a refused call counts against the limit of requests.
    fn refused_calls_count(&self) -> bool {
        false
    }

    /// Tokens that a call is charged at entry where prompt and reply share a limit.
    fn charged_at_entry(&self, ask: &Ask, input: u64) -> u64 {
        ask.max_tokens.unwrap_or(0) + input
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// A reply.
    Call,
    /// The number of tokens in a prompt.
    Count,
    /// The models.
    Models,
}

/// A call is answered with an error.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// There is nothing at this path.
    NoSuchPath,
    /// No key was shown.
    NoKey,
    /// The key is unknown or revoked.
    DeadKey,
    /// The organisation's credit is used up.
    Unpaid,
    /// The customer's own spend limit is reached.
    Capped,
    /// The body is larger than the provider takes.
    TooLarge,
    /// The request is wrong, in the provider's words.
    Invalid(String),
    /// There is no such model.
    UnknownModel,
    /// Prompt and reply do not fit into the model's context.
    Overflow {
        /// Tokens of the prompt.
        input: u64,
        /// Most tokens of the reply that were asked for.
        output: u64,
        /// The model's context.
        context: u64,
    },
    /// A limit would be passed.
    Rate(Exceeded),
    /// The provider has no room.
    Overloaded,
    /// The provider failed.
    Failed,
}

/// To whom an answer goes.
#[derive(Debug, Clone, Copy)]
pub struct Addressee<'a> {
    /// The organisation's id; empty when unknown.
    pub organisation: &'a str,
    /// The key; empty when none was shown.
    pub key: &'a str,
    /// The model asked for.
    pub model: &'a str,
    /// The provider's id of the request.
    pub request: &'a str,
    /// What is left of the limits.
    pub levels: &'a [Level],
    /// When, in milliseconds since 1970.
    pub now_ms: u64,
}

/// An error as it goes out.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// HTTP status.
    pub status: u16,
    /// Headers besides those of every reply.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Value,
}

/// A reply, ready to be written.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// What was asked.
    pub ask: &'a Ask,
    /// Hash from which ids are made.
    pub hash: super::hash::Hash,
    /// When, in seconds since 1970.
    pub created_s: u64,
    /// What was thought aloud.
    pub reasoning: &'a str,
    /// What was said.
    pub text: &'a str,
    /// Why it ended.
    pub finish: Finish,
    /// Prompt tokens told.
    pub input: u64,
    /// Produced tokens told, thinking included.
    pub output: u64,
    /// The thinking among them.
    pub thinking: u64,
}

/// Why a reply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// It was finished.
    Stop,
    /// It reached the most tokens that it may have.
    Length,
    /// The model declined.
    Refusal,
}

/// One piece of a stream, and how many tokens have been produced when it can go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Tokens produced up to and with this piece.
    pub produced: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// The wire of a dialect.
pub fn of(dialect: Dialect) -> &'static dyn Wire {
    match dialect {
        Dialect::Anthropic => &anthropic::Anthropic,
        Dialect::Openai => &openai::Openai,
        Dialect::Deepseek => &deepseek::Deepseek,
    }
}

/// The value of a header, whatever the case of its name.
pub fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

/// The token of `authorization: Bearer`.
pub(super) fn bearer(headers: &[(String, String)]) -> Option<String> {
    header(headers, "authorization")?
        .strip_prefix("Bearer ")
        .map(|token| token.trim().to_owned())
}

/// A text cut into groups of tokens for streaming: at most sixty-four groups, each with its token count.
pub(super) fn groups(text: &str) -> Vec<(u64, String)> {
    const GROUPS: usize = 64;
    let tokens: Vec<&str> = super::tokens::pieces(text).collect();
    let size = tokens.len().div_ceil(GROUPS).max(1);
    tokens
        .chunks(size)
        .map(|group| (group.len() as u64, group.concat()))
        .collect()
}
