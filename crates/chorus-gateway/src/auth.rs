//! Who calls: the key of a request becomes a caller with a tenant and scopes, before anything else of it is read.
//!
//! Without keys (loopback only) everybody on this machine is the same caller; then a page of a foreign site that a
//! browser on this machine shows is turned away by its `Origin`, or by the name under which it reached us.

mod secret;

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chorus_core::id::{KeyId, Tenant};
use chorus_core::port::keys::{KeyStatus, Scope, Scopes};
use http::request::Parts;
use http::{HeaderMap, Method, Uri, header};

use crate::desk::Desk;
use crate::fault::{Code, Fault};
use crate::settings::Auth;

pub use secret::Secret;

/// Who calls.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Whose projects are seen and commanded.
    pub(crate) tenant: Tenant,
    /// What may be done.
    pub(crate) scopes: Scopes,
    /// The key, for the log.
    pub(crate) key: Option<KeyId>,
}

/// Lets the request in as its caller, or answers why not.
pub(crate) async fn admit(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match caller(&desk, &parts).await {
        Ok(caller) => {
            let key = caller.key;
            parts.extensions.insert(caller);
            let mut response = next.run(Request::from_parts(parts, body)).await;
            if let Some(key) = key {
                response.extensions_mut().insert(key);
            }
            response
        }
        Err(fault) => fault.into_response(),
    }
}

async fn caller(desk: &Desk, request: &Parts) -> Result<Caller, Fault> {
    let caller = match &desk.settings.auth {
        Auth::Open(tenant) => {
            neighbour(&request.headers, &request.uri)?;
            Caller {
                tenant: tenant.clone(),
                scopes: Scopes::all(),
                key: None,
            }
        }
        Auth::Keys => keyed(desk, &request.headers).await?,
    };
    let needed = if matches!(request.method, Method::GET | Method::HEAD) {
        Scope::ProjectsRead
    } else {
        Scope::ProjectsWrite
    };
    if !caller.scopes.allow(needed) {
        return Err(Fault::new(
            Code::MissingScope,
            format!("this key lacks the scope {}", needed.as_str()),
        ));
    }
    Ok(caller)
}

async fn keyed(desk: &Desk, headers: &HeaderMap) -> Result<Caller, Fault> {
    let presented = presented(headers).ok_or_else(|| {
        Fault::new(Code::MissingKey, "give an API key as `Authorization: Bearer chorus-sk-…` or `x-api-key`; `chorus key create` makes one")
    })?;
    let unknown = || Fault::new(Code::UnknownKey, "there is no such API key");
    let secret = Secret::read(presented).ok_or_else(unknown)?;
    let key = desk
        .ports
        .keys
        .find(secret.hash())
        .await?
        .ok_or_else(unknown)?;
    match key.status(desk.ports.clock.now()) {
        KeyStatus::Good => Ok(Caller {
            tenant: key.tenant,
            scopes: key.scopes,
            key: Some(key.id),
        }),
        KeyStatus::Revoked => Err(Fault::new(
            Code::RevokedKey,
            format!("the API key {} was revoked", key.id),
        )),
        KeyStatus::Expired => Err(Fault::new(
            Code::ExpiredKey,
            format!("the API key {} has expired", key.id),
        )),
    }
}

/// The key's text, from either header.
fn presented(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| {
            let (scheme, rest) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim())
        });
    bearer.or_else(|| {
        headers
            .get("x-api-key")
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
    })
}

/// Whether the request comes from this machine's own programs, as far as a browser tells.
fn neighbour(headers: &HeaderMap, uri: &Uri) -> Result<(), Fault> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = uri
        .host()
        .map(str::to_owned)
        .or_else(|| text(header::HOST).map(str::to_owned));
    let origin = headers.get(header::ORIGIN).map(|_| {
        text(header::ORIGIN)
            .and_then(|origin| origin.split_once("://"))
            .map_or("", |(_, host)| host)
    });
    if host.is_none_or(|host| is_loopback(&host)) && origin.is_none_or(is_loopback) {
        return Ok(());
    }
    Err(Fault::new(
        Code::ForeignOrigin,
        "without keys this gateway serves programs of its own machine only, under a loopback name",
    ))
}

/// Whether `name:port` is this machine under a loopback name.
fn is_loopback(authority: &str) -> bool {
    let name = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => authority.split(':').next().unwrap_or(authority),
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// Headers by name and value.
    type Given = &'static [(&'static str, &'static str)];

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    header::HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn a_key_is_taken_from_either_header() {
        let cases: [(Given, Option<&str>); 6] = [
            (&[], None),
            (&[("authorization", "Bearer one")], Some("one")),
            (&[("authorization", "bearer  one ")], Some("one")),
            (&[("authorization", "Basic one")], None),
            (
                &[("authorization", "Basic one"), ("x-api-key", " two ")],
                Some("two"),
            ),
            (
                &[("authorization", "Bearer one"), ("x-api-key", "two")],
                Some("one"),
            ),
        ];
        for (given, expected) in cases {
            assert_eq!(presented(&headers(given)), expected, "{given:?}");
        }
    }

    #[test]
    fn a_foreign_page_in_a_browser_of_this_machine_is_turned_away() {
        let cases: [(Given, bool); 9] = [
            (&[], true),
            (&[("host", "127.0.0.1:8780")], true),
            (
                &[
                    ("host", "localhost:8780"),
                    ("origin", "http://localhost:3000"),
                ],
                true,
            ),
            (&[("host", "[::1]:8780")], true),
            (&[("host", "evil.example:8780")], false),
            (&[("host", "127.0.0.1.evil.example")], false),
            (
                &[
                    ("host", "127.0.0.1:8780"),
                    ("origin", "https://evil.example"),
                ],
                false,
            ),
            (&[("host", "127.0.0.1:8780"), ("origin", "null")], false),
            (
                &[
                    ("host", "127.0.0.1:8780"),
                    ("origin", "https://127.0.0.1:8780"),
                ],
                true,
            ),
        ];
        for (given, expected) in cases {
            assert_eq!(
                neighbour(&headers(given), &Uri::from_static("/v1/projects")).is_ok(),
                expected,
                "{given:?}"
            );
        }
    }
}
