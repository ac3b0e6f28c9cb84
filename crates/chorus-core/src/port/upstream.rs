//! One request to one provider with one credential.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::catalog::Dialect;
use crate::failure::FailureClass;
use crate::id::{CredentialId, ModelSlug, ProviderId};
use crate::limit::ObservedLevel;
use crate::llm::{Reply, Request, StreamEvent, Usage};
use crate::time::{Millis, Timestamp};

/// Makes one call. It never retries, never chooses, never waits for a limit.
#[async_trait]
pub trait Upstream: Send + Sync {
    /// Sends the call. The deadline is wall-clock for the whole call, body included; dropping the reply
    /// hangs up.
    async fn send(&self, call: Call) -> Result<Response, CallFailure>;
}

/// The upstream of a process that makes no calls: every call fails before anything is sent.
#[derive(Debug, Clone, Copy)]
pub struct NoProvider;

#[async_trait]
impl Upstream for NoProvider {
    async fn send(&self, call: Call) -> Result<Response, CallFailure> {
        let message = "this process calls no provider";
        Err(CallFailure::local(
            FailureClass::Transient,
            &call.provider,
            message,
        ))
    }
}

/// One call.
#[derive(Debug, Clone)]
pub struct Call {
    /// Whose secret is shown.
    pub credential: CredentialId,
    /// The provider's row.
    pub provider: ProviderId,
    /// The model, as the catalogue names it.
    pub model: ModelSlug,
    /// What is sent.
    pub body: Body,
    /// When the call is cut.
    pub deadline: Timestamp,
    /// Names the call in the provider's logs and ours (`attempt.epoch` of a delivery); sent as `x-client-request-id`.
    pub reference: String,
}

/// What is sent.
#[derive(Debug, Clone)]
pub enum Body {
    /// To be written in the provider's dialect, minding the model's quirks.
    Canonical(Box<Request>),
    /// The same dialect on both sides: the bytes pass untouched, usage is tapped on the way back.
    Verbatim {
        /// The dialect of the bytes, which must be the provider's.
        dialect: Dialect,
        /// The request's body.
        bytes: Bytes,
        /// What must be known of it without reading it again.
        facts: BodyFacts,
    },
}

/// What must be known of a verbatim body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyFacts {
    /// Whether the reply comes in pieces.
    pub stream: bool,
}

/// The provider accepted the call.
pub struct Response {
    /// When the request was sent.
    pub sent_at: Timestamp,
    /// The provider's id of the request.
    pub request_id: Option<String>,
    /// What the headers said of the limits.
    pub levels: Vec<ObservedLevel>,
    /// The reply.
    pub body: ResponseBody,
}

/// The reply, in the form that fits the call.
pub enum ResponseBody {
    /// Whole, to a canonical call that did not ask for a stream.
    Whole(Box<Reply>),
    /// In pieces, to a canonical call; it ends with `StreamEvent::End` or with a failure.
    Stream(BoxStream<'static, Result<StreamEvent, CallFailure>>),
    /// The provider's own bytes, to a verbatim call. A `Usage` item follows when one was seen.
    Verbatim {
        /// Status and content type as the provider sent them.
        status: u16,
        /// The `content-type`.
        content_type: String,
        /// The bytes, with what was tapped on the way.
        body: BoxStream<'static, Result<Tapped, CallFailure>>,
    },
}

/// A piece of a verbatim reply.
#[derive(Debug, Clone, PartialEq)]
pub enum Tapped {
    /// The provider's bytes, untouched.
    Bytes(Bytes),
    /// The usage that they told of; after the last bytes.
    Usage(Usage),
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response")
            .field("sent_at", &self.sent_at)
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}

/// The call failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{provider} answered {}{}: {message}", status.map_or_else(|| "nothing".to_owned(), |code| code.to_string()), kind.as_ref().map(|kind| format!(" {kind}")).unwrap_or_default())]
pub struct CallFailure {
    /// What it means.
    pub class: FailureClass,
    /// The provider's row.
    pub provider: ProviderId,
    /// HTTP status; none when there was no reply.
    pub status: Option<u16>,
    /// The provider's name of the error.
    pub kind: Option<String>,
    /// The provider's words, or ours when there was no reply; never holds a secret.
    pub message: String,
    /// How long the provider asked us to stay away.
    pub retry_after: Option<Millis>,
    /// When the request was sent; none when it never left.
    pub sent_at: Option<Timestamp>,
    /// What the headers said of the limits, on refusals too.
    pub levels: Vec<ObservedLevel>,
}

impl CallFailure {
    /// Returns a failure that was found on our side: no status, no wait, no levels, not sent.
    /// Callers that know more use struct update.
    pub fn local(class: FailureClass, provider: &ProviderId, message: impl Into<String>) -> Self {
        Self {
            class,
            provider: provider.clone(),
            status: None,
            kind: None,
            message: message.into(),
            retry_after: None,
            sent_at: None,
            levels: Vec::new(),
        }
    }
}
