//! One request to one provider with one credential. Neighbour: `chorus-dialect` writes and reads
//! the bodies.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::catalog::Dialect;
use crate::failure::FailureClass;
use crate::id::{CredentialId, ModelSlug, ProviderId};
use crate::limit::ObservedLevel;
use crate::llm::{Reply, Request, StreamEvent, Usage};
use crate::time::{Millis, Timestamp};

/// Makes one call. Deliberately absent: retries, choice of a credential, waiting for a limit.
#[async_trait]
pub trait Upstream: Send + Sync {
    /// Sends the call. The deadline is wall-clock for the whole call, body included; dropping the
    /// reply closes the connection.
    async fn send(&self, call: Call) -> Result<Response, CallFailure>;
}

/// Upstream of a process that makes no calls: every call fails before anything is sent.
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

/// One call of a provider.
#[derive(Debug, Clone)]
pub struct Call {
    /// Credential on which the call runs.
    pub credential: CredentialId,
    /// Provider that is called.
    pub provider: ProviderId,
    /// Model, by its catalogue name.
    pub model: ModelSlug,
    /// Body of the request.
    pub body: Body,
    /// Time after which the request is not sent any more: the lease's `not_after`.
    pub begin_by: Timestamp,
    /// Time at which the call is cut.
    pub deadline: Timestamp,
    /// Name of the call in the provider's logs and in ours (`attempt.epoch` of a delivery); sent as
    /// `x-client-request-id`.
    pub reference: String,
}

/// Body of a request.
#[derive(Debug, Clone)]
pub enum Body {
    /// A canonical request, to be written in the provider's dialect for the model's quirks.
    Canonical(Box<Request>),
    /// Bytes in the dialect that both sides speak: they pass untouched, and usage is read from the
    /// reply.
    Verbatim {
        /// Dialect of the bytes, which must be the provider's.
        dialect: Dialect,
        /// Bytes of the request.
        bytes: Bytes,
        /// Facts that the upstream needs without parsing the bytes.
        facts: BodyFacts,
    },
}

/// Facts about a verbatim body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyFacts {
    /// True if the reply comes as a stream.
    pub stream: bool,
}

/// Reply of a provider that accepted the call.
pub struct Response {
    /// Time at which the request was sent.
    pub sent_at: Timestamp,
    /// Id that the provider gave the request.
    pub request_id: Option<String>,
    /// Limits as the headers showed them.
    pub levels: Vec<ObservedLevel>,
    /// Body of the reply.
    pub body: ResponseBody,
}

/// Body of a reply, in the form that fits the [`Body`] of the call.
pub enum ResponseBody {
    /// A whole reply, to a canonical call that did not ask for a stream.
    Whole(Box<Reply>),
    /// A stream, to a canonical call; it ends with [`StreamEvent::End`] or with a failure.
    Stream(BoxStream<'static, Result<StreamEvent, CallFailure>>),
    /// Bytes of the provider, to a verbatim call. A [`Tapped::Usage`] follows when one was seen.
    Verbatim {
        /// HTTP status that the provider sent.
        status: u16,
        /// Value of `content-type` that the provider sent.
        content_type: String,
        /// Bytes, with the usage that was read on the way.
        body: BoxStream<'static, Result<Tapped, CallFailure>>,
    },
}

/// A piece of a verbatim reply.
#[derive(Debug, Clone, PartialEq)]
pub enum Tapped {
    /// Bytes of the provider, untouched.
    Bytes(Bytes),
    /// Usage that the bytes reported; after the last bytes.
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

/// Failure of one call.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{provider} answered {}{}: {message}", status.map_or_else(|| "nothing".to_owned(), |code| code.to_string()), kind.as_ref().map(|kind| format!(" {kind}")).unwrap_or_default())]
pub struct CallFailure {
    /// Class of the failure, which selects the reaction in the failure
    /// [`TABLE`](crate::failure::TABLE).
    pub class: FailureClass,
    /// Provider that was called.
    pub provider: ProviderId,
    /// HTTP status; none when there was no reply.
    pub status: Option<u16>,
    /// Name that the provider gave the error.
    pub kind: Option<String>,
    /// Message of the provider, or ours when there was no reply; never holds a secret.
    pub message: String,
    /// Wait that the provider asked for.
    pub retry_after: Option<Millis>,
    /// Time at which the request was sent; none when it was not sent.
    pub sent_at: Option<Timestamp>,
    /// Limits as the headers showed them, on refusals too.
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
