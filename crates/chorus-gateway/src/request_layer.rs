//! Outermost layer of every route: request id, deadline of the reply, one log line, error bodies.
//!
//! An [`ApiError`] of a handler and a bare error status of axum get the same JSON body here, so no
//! client meets an error of another shape.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chorus_core::id::KeyId;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::api_error::ApiError;
use crate::app_state::AppState;
use crate::error_code::ErrorCode;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Maximum length of a client's request id, in bytes.
const MAX_ID_BYTES: usize = 128;

/// Middleware around all routes.
pub(crate) async fn request_layer(
    State(state): State<Arc<AppState>>,
    request: Request,
    next: Next,
) -> Response {
    let clock = &state.ports.clock;
    let id =
        client_id(request.headers()).unwrap_or_else(|| format!("req_{:032x}", clock.random_u128()));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let began = clock.now();
    let reply = clock
        .deadline(began + state.settings.deadline, next.run(request))
        .await;
    let reply = reply.unwrap_or_else(|| ApiError::of(ErrorCode::TimedOut).into_response());
    let key = reply.extensions().get::<KeyId>();
    let key = key.map(ToString::to_string).unwrap_or_default();
    let (status, took) = (reply.status().as_u16(), clock.now().since(began).0);
    tracing::info!(request.id = id, http.method = %method, http.path = path, http.status = status, request.ms = took, key.id = key, "request");
    finish(reply, &id)
}

/// The client's own request id, if it fits into a header and a log line.
fn client_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(REQUEST_ID)?.to_str().ok()?;
    let fits = (1..=MAX_ID_BYTES).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| text.to_owned())
}

/// Adds the request id, and replaces the body of an error.
fn finish(mut reply: Response, id: &str) -> Response {
    let status = reply.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let error = reply.extensions_mut().remove::<ApiError>();
    if let Some(error) = error.or_else(|| is_error.then(|| bare_error(status))) {
        reply = error_reply(&error, reply.headers(), id);
    }
    if let Ok(value) = HeaderValue::from_str(id) {
        reply.headers_mut().insert(REQUEST_ID, value);
    }
    reply
}

/// The reply to an error; `Allow` is kept from the reply that axum made.
fn error_reply(error: &ApiError, headers: &HeaderMap, id: &str) -> Response {
    let row = error.code().row();
    let mut reply = (row.status, Json(error.body(id))).into_response();
    if let Some(allow) = headers.get(header::ALLOW) {
        reply.headers_mut().insert(header::ALLOW, allow.clone());
    }
    if row.status == StatusCode::UNAUTHORIZED {
        reply.headers_mut().insert(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"chorus\""),
        );
    }
    if let Some(wait) = row.retry_after {
        let seconds = HeaderValue::from(wait.0.div_ceil(1000));
        reply.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    reply
}

/// The error of a status that axum chose. A code of another status keeps the status's own name.
fn bare_error(status: StatusCode) -> ApiError {
    let code = ErrorCode::of_status(status);
    if code.row().status == status {
        return ApiError::of(code);
    }
    let reason = status.canonical_reason().unwrap_or("refused");
    ApiError::new(code, reason.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers_of(reply: &Response, name: HeaderName) -> Option<&str> {
        reply
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    }

    #[test]
    fn a_client_id_is_kept_if_it_fits_into_a_header_and_a_log() {
        let given = |text: &str| {
            let value = HeaderValue::from_str(text).expect("a header holds it");
            client_id(&[(REQUEST_ID, value)].into_iter().collect())
        };
        let longest = "x".repeat(MAX_ID_BYTES);
        for text in ["a", "req-1/2", longest.as_str()] {
            assert_eq!(given(text).as_deref(), Some(text));
        }
        for text in ["", "two words", &"x".repeat(MAX_ID_BYTES + 1)] {
            assert_eq!(given(text), None, "{text}");
        }
        assert_eq!(client_id(&HeaderMap::new()), None);
    }

    #[test]
    fn errors_of_each_kind_carry_their_headers() {
        let reply = |code| finish(ApiError::of(code).into_response(), "req_1");
        let unauthorized = reply(ErrorCode::MissingKey);
        assert_eq!(unauthorized.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(
            headers_of(&unauthorized, header::WWW_AUTHENTICATE),
            Some("Bearer realm=\"chorus\"")
        );
        let busy = reply(ErrorCode::StoreBroken);
        assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(headers_of(&busy, header::RETRY_AFTER), Some("30"));
        let refused = reply(ErrorCode::InvalidField);
        assert_eq!(headers_of(&refused, header::RETRY_AFTER), None);
        assert_eq!(headers_of(&refused, header::WWW_AUTHENTICATE), None);
        for reply in [unauthorized, busy, refused] {
            assert_eq!(headers_of(&reply, REQUEST_ID), Some("req_1"));
            assert_eq!(
                headers_of(&reply, header::CONTENT_TYPE),
                Some("application/json")
            );
        }
    }

    #[test]
    fn a_bare_status_becomes_an_error_of_its_kind() {
        let cases = [
            (StatusCode::NOT_FOUND, "no_such_route", 404),
            (StatusCode::PAYLOAD_TOO_LARGE, "too_large", 413),
            (StatusCode::BAD_REQUEST, "malformed_request", 400),
            (StatusCode::NOT_IMPLEMENTED, "internal", 500),
        ];
        for (status, name, becomes) in cases {
            let error = bare_error(status);
            assert_eq!(error.code().row().name, name);
            assert_eq!(finish(status.into_response(), "x").status(), becomes);
        }
        assert_eq!(
            bare_error(StatusCode::NOT_IMPLEMENTED)
                .body("")
                .error
                .message,
            "not implemented"
        );
    }

    #[test]
    fn a_success_gets_the_request_id_and_keeps_its_body() {
        let reply = finish((StatusCode::OK, "text").into_response(), "req_7");
        assert_eq!(headers_of(&reply, REQUEST_ID), Some("req_7"));
        assert_eq!(
            headers_of(&reply, header::CONTENT_TYPE),
            Some("text/plain; charset=utf-8")
        );
    }
}
