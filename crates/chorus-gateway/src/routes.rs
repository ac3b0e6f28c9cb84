//! The table of routes. The router is built from it, and a test compares `openapi.json` with it.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, post};
use axum::{Json, Router};
use serde_json::Value;

use crate::accounts;
use crate::api_error::ApiError;
use crate::app_state::AppState;
use crate::audit;
use crate::authentication::authenticate;
use crate::error_code::ErrorCode;
use crate::event_stream::events;
use crate::openapi;
use crate::pools;
use crate::projects::{self, command};
use crate::request_layer::request_layer;
use crate::submission::submit;

/// Method, path, handler.
pub(crate) type Route = (&'static str, &'static str, MethodRouter<Arc<AppState>>);

/// Routes that need a key.
#[rustfmt::skip]
pub(crate) fn authenticated() -> Vec<Route> {
    vec![
        ("post", "/v1/projects", post(submit)),
        ("get", "/v1/projects", get(projects::list)),
        ("get", "/v1/projects/{id}", get(projects::show)),
        ("get", "/v1/projects/{id}/plan", get(projects::plan)),
        ("get", "/v1/projects/{id}/estimate", get(projects::estimate_of_plan)),
        ("get", "/v1/projects/{id}/deliveries", get(projects::deliveries)),
        ("get", "/v1/projects/{id}/events", get(events)),
        ("get", "/v1/projects/{id}/deliverable", get(projects::deliverable)),
        ("get", "/v1/projects/{id}/deliverable/{*path}", get(projects::file)),
        ("get", "/v1/projects/{id}/report", get(projects::report)),
        ("get", "/v1/projects/{id}/tasks/{task}/why", get(projects::why)),
        ("post", "/v1/projects/{id}/answers", command::route(command::read_answers)),
        ("post", "/v1/projects/{id}/approve", command::route(command::read_approve)),
        ("post", "/v1/projects/{id}/reject", command::route(command::read_reject)),
        ("post", "/v1/projects/{id}/pause", command::route(command::read_pause)),
        ("post", "/v1/projects/{id}/resume", command::route(command::read_resume)),
        ("post", "/v1/projects/{id}/cancel", command::route(command::read_cancel)),
        ("post", "/v1/projects/{id}/budget", command::route(command::read_budget)),
        ("post", "/v1/projects/{id}/retry", command::route(command::read_retry)),
        ("post", "/v1/projects/{id}/skip", command::route(command::read_skip)),
        ("post", "/v1/projects/{id}/reopen", command::route(command::read_reopen)),
        ("get", "/v1/accounts", get(accounts::list)),
        ("post", "/v1/accounts", post(accounts::import)),
        ("post", "/v1/accounts/pause", post(accounts::pause_owner)),
        ("post", "/v1/accounts/enable", post(accounts::enable_owner)),
        ("get", "/v1/accounts/{account}", get(accounts::show)),
        ("delete", "/v1/accounts/{account}", delete(accounts::remove)),
        ("post", "/v1/accounts/{account}/probe", post(accounts::probe)),
        ("post", "/v1/accounts/{account}/pause", post(accounts::pause)),
        ("post", "/v1/accounts/{account}/enable", post(accounts::enable)),
        ("post", "/v1/accounts/{account}/rotate", post(accounts::rotate)),
        ("get", "/v1/pools", get(pools::list)),
        ("get", "/v1/audit", get(audit::acts)),
        ("get", "/v1/audit/uses", get(audit::uses)),
    ]
}

/// Routes that need no key.
pub(crate) fn open() -> Vec<Route> {
    vec![("get", "/openapi.json", get(specification))]
}

async fn specification() -> Json<Value> {
    Json(openapi::document())
}

/// All routes inside authentication, body limit and [`request_layer`].
pub(crate) fn router(state: Arc<AppState>) -> Router {
    let gather = |routes: Vec<Route>| {
        routes
            .into_iter()
            .fold(Router::new(), |router, (_, path, handler)| {
                router.route(path, handler)
            })
    };
    gather(authenticated())
        .route_layer(from_fn_with_state(Arc::clone(&state), authenticate))
        .merge(gather(open()))
        .fallback(async || ApiError::of(ErrorCode::NoSuchRoute))
        .layer(DefaultBodyLimit::max(state.settings.bounds.body))
        .layer(from_fn_with_state(Arc::clone(&state), request_layer))
        .with_state(state)
}
