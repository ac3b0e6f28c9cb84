//! Around every route: an id for the request, a deadline for its reply, one line in the log, and one shape for every
//! error, whoever made it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chorus_core::id::KeyId;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::desk::Desk;
use crate::fault::{Code, Fault};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that a client may give its request.
const LONGEST_ID: usize = 128;

/// Runs the request inside the frame.
pub(crate) async fn frame(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    let clock = &desk.ports.clock;
    let id =
        given_id(request.headers()).unwrap_or_else(|| format!("req_{:032x}", clock.random_u128()));
    let (method, path, began) = (
        request.method().clone(),
        request.uri().path().to_owned(),
        clock.now(),
    );
    let late = || {
        Fault::new(
            Code::TimedOut,
            "the request took too long; ask again, with the same Idempotency-Key where you gave one",
        )
    };
    let reply = clock
        .deadline(began + desk.settings.deadline, next.run(request))
        .await;
    let reply = reply.unwrap_or_else(|| late().into_response());
    let key = reply
        .extensions()
        .get::<KeyId>()
        .map(ToString::to_string)
        .unwrap_or_default();
    let (status, took) = (reply.status().as_u16(), clock.now().since(began).0);
    tracing::info!(request.id = id, http.method = %method, http.path = path, http.status = status, request.ms = took, key.id = key, "request");
    framed(reply, &id)
}

/// The id that the client gave, if it can stand in a header and a log.
fn given_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(REQUEST_ID)?.to_str().ok()?;
    let fit =
        (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    fit.then(|| text.to_owned())
}

fn framed(mut reply: Response, id: &str) -> Response {
    let status = reply.status();
    let fault = reply.extensions_mut().remove::<Fault>();
    let bare = || Fault::new(Code::of_status(status), words(status));
    if let Some(fault) =
        fault.or_else(|| (status.is_client_error() || status.is_server_error()).then(bare))
    {
        let (_, status, again) = fault.code().row();
        let headers = reply.headers().clone();
        reply = (status, Json(fault.body(id))).into_response();
        // What axum says beside a refusal, such as `Allow`.
        for (name, value) in headers.iter().filter(|(name, _)| **name == header::ALLOW) {
            reply.headers_mut().insert(name, value.clone());
        }
        if status == http::StatusCode::UNAUTHORIZED {
            reply.headers_mut().insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"chorus\""),
            );
        }
        if let Some(again) = again {
            reply.headers_mut().insert(
                header::RETRY_AFTER,
                HeaderValue::from(again.0.div_ceil(1000)),
            );
        }
    }
    if let Ok(value) = HeaderValue::from_str(id) {
        reply.headers_mut().insert(REQUEST_ID, value);
    }
    reply
}

fn words(status: http::StatusCode) -> String {
    let said = status
        .canonical_reason()
        .unwrap_or("refused")
        .to_lowercase();
    match status {
        http::StatusCode::NOT_FOUND => {
            "there is nothing at this address; /openapi.json tells what there is".to_owned()
        }
        http::StatusCode::METHOD_NOT_ALLOWED => {
            "this address takes other methods; the header Allow names them".to_owned()
        }
        _ => said,
    }
}
