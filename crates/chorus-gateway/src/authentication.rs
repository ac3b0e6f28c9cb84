//! Authentication: turns the API key of a request into a [`Caller`] before the body is read.
//!
//! With [`Auth::Open`] (loopback listeners only) every program of the machine is the same caller;
//! then pages of foreign sites in a browser of this machine are refused by their `Origin`, or by
//! the `Host` under which they reached the gateway. Keys are parsed by [`Secret`].

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chorus_core::id::Tenant;
use chorus_core::port::keys::{KeyStatus, Scope, Scopes};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Uri, header};

use crate::api_error::ApiError;
use crate::app_state::AppState;
use crate::caller::Caller;
use crate::error_code::ErrorCode;
use crate::secret::Secret;
use crate::settings::Auth;

/// Middleware: adds the [`Caller`] to the request's extensions, or replies with the refusal.
///
/// The key's id goes into the response's extensions, for the log of the request layer.
pub(crate) async fn authenticate(
    State(state): State<Arc<AppState>>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    match caller(&state, &parts).await {
        Ok(caller) => {
            let key = caller.key;
            parts.extensions.insert(caller);
            let mut response = next.run(Request::from_parts(parts, body)).await;
            if let Some(key) = key {
                response.extensions_mut().insert(key);
            }
            response
        }
        Err(error) => error.into_response(),
    }
}

async fn caller(state: &AppState, request: &Parts) -> Result<Caller, ApiError> {
    let caller = match &state.settings.auth {
        Auth::Open(tenant) => {
            require_loopback_origin(&request.headers, &request.uri)?;
            Caller {
                tenant: tenant.clone(),
                scopes: Scopes::of_clients(),
                key: None,
                is_operator: false,
            }
        }
        Auth::Operator(tenant) => Caller {
            tenant: named_tenant(&request.headers)?.unwrap_or_else(|| tenant.clone()),
            scopes: Scopes::all(),
            key: None,
            is_operator: true,
        },
        Auth::Keys => caller_of_key(state, &request.headers).await?,
    };
    require_scope(&caller.scopes, &request.method, request.uri.path())?;
    Ok(caller)
}

/// Header with the tenant for which the operator acts.
const TENANT: HeaderName = HeaderName::from_static("chorus-tenant");

fn named_tenant(headers: &HeaderMap) -> Result<Option<Tenant>, ApiError> {
    let Some(value) = headers.get(TENANT) else {
        return Ok(None);
    };
    let name = value.to_str().ok().filter(|name| !name.is_empty());
    name.map(|name| Some(Tenant::new(name)))
        .ok_or_else(|| ApiError::field("chorus-tenant", "it is no name of a tenant"))
}

/// Scope that a request needs: reading and changing have one each, for projects and for accounts.
fn needed_scope(method: &Method, path: &str) -> Scope {
    let is_below = |root: &str| {
        path.strip_prefix(root)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    match is_read {
        _ if is_below("/v1/audit") => Scope::AccountsWrite,
        true if is_below("/v1/accounts") || is_below("/v1/pools") => Scope::AccountsRead,
        false if is_below("/v1/accounts") => Scope::AccountsWrite,
        true => Scope::ProjectsRead,
        false => Scope::ProjectsWrite,
    }
}

fn require_scope(scopes: &Scopes, method: &Method, path: &str) -> Result<(), ApiError> {
    let needed = needed_scope(method, path);
    if scopes.allow(needed) {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::MissingScope,
        format!("this key lacks the scope {}", needed.as_str()),
    ))
}

async fn caller_of_key(state: &AppState, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let text = presented_key(headers).ok_or_else(|| ApiError::of(ErrorCode::MissingKey))?;
    let unknown = || ApiError::of(ErrorCode::UnknownKey);
    let secret = Secret::read(text).ok_or_else(unknown)?;
    let found = state.ports.keys.find(secret.hash()).await?;
    let key = found.ok_or_else(unknown)?;
    match key.status(state.ports.clock.now()) {
        KeyStatus::Good => Ok(Caller {
            tenant: key.tenant,
            scopes: key.scopes,
            key: Some(key.id),
            is_operator: false,
        }),
        KeyStatus::Revoked => Err(ApiError::new(
            ErrorCode::RevokedKey,
            format!("the API key {} was revoked", key.id),
        )),
        KeyStatus::Expired => Err(ApiError::new(
            ErrorCode::ExpiredKey,
            format!("the API key {} has expired", key.id),
        )),
    }
}

/// The text of the key: from `Authorization: Bearer`, else from `x-api-key`.
fn presented_key(headers: &HeaderMap) -> Option<&str> {
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

/// Refuses a request with an `Origin` or `Host` other than a loopback name. Programs that are no browsers
/// send no `Origin` and pass.
fn require_loopback_origin(headers: &HeaderMap, uri: &Uri) -> Result<(), ApiError> {
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
    Err(ApiError::of(ErrorCode::ForeignOrigin))
}

/// Returns true if `name:port` is `localhost` or a loopback address.
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
    type Pairs = &'static [(&'static str, &'static str)];

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
        let cases: [(Pairs, Option<&str>); 6] = [
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
            assert_eq!(presented_key(&headers(given)), expected, "{given:?}");
        }
    }

    #[test]
    fn a_foreign_page_in_a_browser_of_this_machine_is_refused() {
        let cases: [(Pairs, bool); 9] = [
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
                require_loopback_origin(&headers(given), &Uri::from_static("/v1/projects")).is_ok(),
                expected,
                "{given:?}"
            );
        }
    }

    #[test]
    fn an_origin_that_is_no_text_is_foreign() {
        let binary = HeaderValue::from_bytes(b"http://127.0.0.1\xff").expect("a header holds it");
        let headers = [(header::ORIGIN, binary)].into_iter().collect();
        let refused = require_loopback_origin(&headers, &Uri::from_static("/v1/projects"));
        assert_eq!(refused, Err(ApiError::of(ErrorCode::ForeignOrigin)));
    }

    #[test]
    fn the_authority_of_an_absolute_address_counts_before_the_host() {
        let headers = headers(&[("host", "127.0.0.1:8780")]);
        let foreign = Uri::from_static("http://evil.example/v1/projects");
        assert!(require_loopback_origin(&headers, &foreign).is_err());
        let local = Uri::from_static("http://localhost:8780/v1/projects");
        assert!(require_loopback_origin(&headers, &local).is_ok());
    }

    #[test]
    fn reading_and_writing_need_scopes_of_their_own() {
        let (projects, accounts) = ("/v1/projects/prj_1", "/v1/accounts/a@example.org/pause");
        let cases = [
            (Method::GET, projects, Scope::ProjectsRead),
            (Method::HEAD, projects, Scope::ProjectsRead),
            (Method::POST, projects, Scope::ProjectsWrite),
            (Method::DELETE, projects, Scope::ProjectsWrite),
            (Method::GET, accounts, Scope::AccountsRead),
            (Method::POST, accounts, Scope::AccountsWrite),
            (Method::DELETE, "/v1/accounts/x", Scope::AccountsWrite),
            (Method::POST, "/v1/accounts", Scope::AccountsWrite),
            (Method::GET, "/v1/pools", Scope::AccountsRead),
            (Method::GET, "/v1/audit/uses", Scope::AccountsWrite),
            (Method::GET, "/v1/auditors", Scope::ProjectsRead),
        ];
        for (method, path, needed) in cases {
            for scope in Scope::ALL {
                let scopes = [scope].into_iter().collect();
                let allowed = require_scope(&scopes, &method, path).is_ok();
                assert_eq!(
                    allowed,
                    scope == needed,
                    "{method} {path} with {}",
                    scope.as_str()
                );
            }
        }
    }
}
