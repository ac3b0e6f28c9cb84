//! Requests before their first byte: rows, secret, address, headers and body.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use chorus_core::catalog::{Auth, Provider, Quirks};
use chorus_core::failure::FailureClass;
use chorus_core::port::upstream::{Body, Call, CallFailure};
use chorus_vault::address::check_address;
use chorus_vault::{Opened, Secret, SecretsError};
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Http;
use crate::codec::write_request;
use crate::failure::Exchange;

/// A request, with the facts for its reply.
pub(super) struct Prepared {
    pub(super) exchange: Exchange,
    pub(super) request: http::Request<Bytes>,
    pub(super) quirks: Quirks,
}

impl Http {
    pub(super) async fn prepare(&self, call: &Call) -> Result<Prepared, CallFailure> {
        let unfit = |message: String| unsent(call, FailureClass::Request, "catalogue", message);
        let provider = self
            .providers
            .get(&call.provider)
            .ok_or_else(|| unfit(format!("no provider {}", call.provider)))?;
        let model = self
            .parts
            .catalog
            .model(&call.model)
            .ok_or_else(|| unfit(format!("no model {}", call.model)))?;
        let wire_name = model
            .routes
            .get(&provider.id)
            .ok_or_else(|| unfit(format!("{} does not serve {}", provider.id, model.slug)))?;
        let opened = self
            .parts
            .secrets
            .open(call.credential, &call.provider)
            .await
            .map_err(|error| sealed(call, &error))?;
        let url = self
            .endpoint(provider, &opened, &provider.path)
            .map_err(|error| unsent(call, FailureClass::Auth, "address", error))?;
        let (body, stream) = match &call.body {
            Body::Canonical(request) => (
                write_request(request, provider, model, wire_name),
                request.stream,
            ),
            Body::Verbatim { dialect, .. } if *dialect != provider.dialect => {
                return Err(unfit(format!(
                    "{} speaks another dialect than the verbatim body",
                    provider.id
                )));
            }
            Body::Verbatim { bytes, facts, .. } => (bytes.clone(), facts.stream),
        };
        let mut headers = headers(provider, &opened.secret, &call.reference)
            .map_err(|error| unsent(call, FailureClass::Auth, "credential", error))?;
        headers.insert(
            ACCEPT,
            HeaderValue::from_static(if stream {
                "text/event-stream"
            } else {
                "application/json"
            }),
        );
        let mut request = http::Request::post(url)
            .body(body)
            .map_err(|error| unsent(call, FailureClass::Auth, "address", error.to_string()))?;
        *request.headers_mut() = headers;
        let exchange = Exchange {
            provider: Arc::clone(provider),
            has_own_address: opened.base_url.is_some(),
            wire_name: wire_name.clone(),
            secret: opened.secret,
            sent_at: None,
            status: None,
            headers: HeaderMap::new(),
            levels: Vec::new(),
        };
        Ok(Prepared {
            exchange,
            request,
            quirks: model.quirks.clone(),
        })
    }

    /// Address of a path at the provider, or at the credential's own server; checked by [`check_address`].
    pub(crate) fn endpoint(
        &self,
        provider: &Provider,
        opened: &Opened,
        path: &str,
    ) -> Result<String, String> {
        let base = opened.base_url.as_deref().unwrap_or(&provider.base_url);
        if base.is_empty() {
            return Err(format!(
                "{} has no address of its own: the account must name a base_url",
                provider.id
            ));
        }
        let base =
            check_address(base, self.parts.addresses).map_err(|refusal| refusal.to_string())?;
        Ok(format!("{base}{path}"))
    }
}

/// Headers of every request to a provider.
pub(crate) fn headers(
    provider: &Provider,
    secret: &Secret,
    reference: &str,
) -> Result<HeaderMap, String> {
    let mut headers = fixed_headers(&provider.headers)?;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if let Ok(reference) = HeaderValue::from_str(reference) {
        headers.insert("x-client-request-id", reference);
    }
    let credential = |text: String| {
        let mut value = HeaderValue::from_str(&text)
            .map_err(|_| "the secret holds characters that no header can carry".to_owned())?;
        value.set_sensitive(true);
        Ok::<_, String>(value)
    };
    match provider.auth {
        Auth::None if secret.expose().is_empty() => {}
        Auth::Bearer | Auth::None => {
            headers.insert(
                AUTHORIZATION,
                credential(format!("Bearer {}", secret.expose()))?,
            );
        }
        Auth::XApiKey => {
            headers.insert("x-api-key", credential(secret.expose().to_owned())?);
        }
    }
    Ok(headers)
}

fn fixed_headers(rows: &BTreeMap<String, String>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in rows {
        let wrong = || format!("the provider's row has a header {name:?} that cannot be sent");
        headers.insert(
            name.parse::<HeaderName>().map_err(|_| wrong())?,
            value.parse().map_err(|_| wrong())?,
        );
    }
    Ok(headers)
}

/// A call that was not sent before its deadline.
pub(super) fn too_late(call: &Call) -> CallFailure {
    unsent(
        call,
        FailureClass::Transient,
        "deadline",
        "the deadline passed before the call was sent".to_owned(),
    )
}

fn sealed(call: &Call, error: &SecretsError) -> CallFailure {
    let class = match error {
        SecretsError::Missing(_) | SecretsError::Sealed(_) => FailureClass::Auth,
        SecretsError::Store(_) => FailureClass::Transient,
    };
    unsent(call, class, "credential", error.to_string())
}

fn unsent(call: &Call, class: FailureClass, kind: &str, message: String) -> CallFailure {
    CallFailure {
        kind: Some(kind.to_owned()),
        ..CallFailure::local(class, &call.provider, message)
    }
}
