//! One call, from the request to the reply: the [`Upstream`] port over a [`Transport`].
//!
//! `prepare` writes the request; `streamed` and `tapped` read replies as they arrive, `whole` reads complete ones;
//! `decoded` undoes compression that was not asked for.

mod body;
mod decoded;
mod prepare;
mod streamed;
mod tapped;
mod whole;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chorus_core::catalog::{Catalog, Provider};
use chorus_core::failure::FailureClass;
use chorus_core::id::ProviderId;
use chorus_core::port::upstream::{Body, Call, CallFailure, Response, ResponseBody};
use chorus_core::port::{Clock, Upstream};
use chorus_vault::address::AddressPolicy;
use chorus_vault::{Secret, Secrets};
use http::HeaderMap;

use crate::codec::Reader;
use crate::failure::Exchange;
use crate::limit_headers::observed;
use crate::transport::{BodyStream, Transport, TransportError};
use prepare::Prepared;

/// Parts of [`Http`].
#[derive(Clone)]
pub struct Parts {
    /// Rows of providers and models.
    pub catalog: Arc<Catalog>,
    /// Way to the providers.
    pub transport: Arc<dyn Transport>,
    /// Source of opened credentials.
    pub secrets: Arc<dyn Secrets>,
    /// Source of time.
    pub clock: Arc<dyn Clock>,
    /// Base URLs that credentials may name.
    pub addresses: AddressPolicy,
}

/// Calls providers as the catalogue describes them.
#[derive(Clone)]
pub struct Http {
    pub(crate) parts: Parts,
    /// Providers of the catalogue, shared with the calls that run there.
    providers: Arc<BTreeMap<ProviderId, Arc<Provider>>>,
}

impl Http {
    /// Creates an upstream of these parts.
    pub fn new(parts: Parts) -> Self {
        let providers = parts
            .catalog
            .providers
            .iter()
            .map(|row| (row.id.clone(), Arc::new(row.clone())))
            .collect();
        Self {
            parts,
            providers: Arc::new(providers),
        }
    }
}

#[async_trait]
impl Upstream for Http {
    async fn send(&self, call: Call) -> Result<Response, CallFailure> {
        let clock = &self.parts.clock;
        let prepared = clock.deadline(call.deadline, self.prepare(&call)).await;
        let mut prepared = prepared.unwrap_or_else(|| Err(prepare::too_late(&call)))?;
        // A process that was frozen meanwhile must not begin a call on a lease that expired or was counted as lost.
        let now = clock.now();
        if now >= call.deadline || now > call.begin_by {
            return Err(prepare::too_late(&call));
        }
        let result = self.exchange(&call, &mut prepared).await;
        if result
            .as_ref()
            .is_err_and(|failure| failure.class == FailureClass::Auth)
        {
            self.parts.secrets.forget(call.credential);
        }
        result
    }
}

impl Http {
    async fn exchange(
        &self,
        call: &Call,
        prepared: &mut Prepared,
    ) -> Result<Response, CallFailure> {
        let clock = &self.parts.clock;
        let sent_at = clock.now();
        let exchange = &mut prepared.exchange;
        exchange.sent_at = Some(sent_at);
        let request = std::mem::take(&mut prepared.request);
        let response = match clock
            .deadline(call.deadline, self.parts.transport.send(request))
            .await
        {
            None => return Err(exchange.past_deadline()),
            Some(Err(error)) => return Err(unreached(exchange, &error)),
            Some(Ok(response)) => response,
        };
        let (head, body) = response.into_parts();
        exchange.status = Some(head.status.as_u16());
        exchange.levels = observed(&exchange.provider.limit_headers, &head.headers, clock.now());
        exchange.headers.clone_from(&head.headers);
        let request_id = request_id(&head.headers);
        if head.status.is_redirection() {
            return Err(exchange.redirected());
        }
        if !head.status.is_success() {
            return Err(self.refusal(call, exchange, body).await);
        }
        let levels = exchange.levels.clone();
        let body = self.accepted(call, prepared, &head, body).await?;
        Ok(Response {
            sent_at,
            request_id,
            levels,
            body,
        })
    }

    async fn refusal(&self, call: &Call, exchange: &Exchange, body: BodyStream) -> CallFailure {
        const LONGEST: usize = 1 << 20;
        let clock = &self.parts.clock;
        let bytes = match clock
            .deadline(call.deadline, body::prefix(body, LONGEST))
            .await
        {
            None => return exchange.past_deadline(),
            Some(bytes) => bytes,
        };
        let error = match decoded::Decoder::whole(&exchange.headers, &bytes) {
            Ok(plain) => exchange.read_error(&plain),
            Err(error) => exchange.read_error(error.to_string().as_bytes()),
        };
        exchange.refused(&error, clock.now())
    }

    async fn accepted(
        &self,
        call: &Call,
        prepared: &Prepared,
        head: &http::response::Parts,
        body: BodyStream,
    ) -> Result<ResponseBody, CallFailure> {
        let Prepared {
            exchange, quirks, ..
        } = prepared;
        let clock = Arc::clone(&self.parts.clock);
        let content_type = head
            .headers
            .get(http::header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        match &call.body {
            Body::Verbatim { facts, .. } => {
                let reader = || Reader::new(exchange.provider.dialect, quirks);
                let reader = facts.stream.then(reader);
                let tap = tapped::Tap {
                    exchange: exchange.clone(),
                    quirks: quirks.clone(),
                    reader,
                    clock,
                    deadline: call.deadline,
                };
                Ok(ResponseBody::Verbatim {
                    status: head.status.as_u16(),
                    content_type: content_type.to_owned(),
                    body: tap.stream(body),
                })
            }
            Body::Canonical(request) if request.stream => {
                let stream = streamed::Streamed {
                    exchange: exchange.clone(),
                    quirks: quirks.clone(),
                    clock,
                    deadline: call.deadline,
                };
                Ok(ResponseBody::Stream(stream.stream(body)))
            }
            Body::Canonical(_) => {
                let bytes = match clock.deadline(call.deadline, body::whole(body)).await {
                    None => return Err(exchange.past_deadline()),
                    Some(bytes) => bytes,
                };
                let reply = match bytes {
                    Ok(bytes) => whole::read(exchange, quirks, &bytes, clock.now()),
                    Err(error) => Err(exchange.failure(
                        FailureClass::MidStream,
                        "cut_reply",
                        &error.to_string(),
                    )),
                };
                Ok(ResponseBody::Whole(Box::new(reply?)))
            }
        }
    }
}

/// A reply that the provider aborted although it began with 200.
fn aborted(exchange: &Exchange) -> CallFailure {
    exchange.failure(
        FailureClass::Overload,
        "insufficient_system_resource",
        "the provider ended the reply for want of resources",
    )
}

fn unreached(exchange: &Exchange, error: &TransportError) -> CallFailure {
    let kind = match error {
        TransportError::Connect(_) => "unreachable",
        TransportError::Broken(_) => "connection_broke",
    };
    exchange.failure(FailureClass::Transient, kind, &error.to_string())
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    let names = ["request-id", "x-request-id", "x-ds-trace-id"];
    names
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok().map(str::to_owned))
}

/// The headers of a check of a key.
pub(crate) fn key_check_headers(provider: &Provider, secret: &Secret) -> Result<HeaderMap, String> {
    prepare::headers(provider, secret, "key-check")
}

/// Beginning of a body, without compression.
pub(crate) async fn plain_prefix(exchange: &Exchange, body: BodyStream) -> Vec<u8> {
    const LONGEST: usize = 4 << 20;
    let bytes = body::prefix(body, LONGEST).await;
    decoded::Decoder::whole(&exchange.headers, &bytes).unwrap_or_default()
}
