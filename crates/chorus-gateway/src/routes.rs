//! The table of routes. The router is made from it, and the specification is held against it by a test.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use serde_json::Value;

use crate::auth;
use crate::desk::Desk;
use crate::fault::{Code, Fault};
use crate::follow::events;
use crate::frame::frame;
use crate::openapi;
use crate::projects;
use crate::submission::submit;

/// Method, path, handler.
pub(crate) type Route = (&'static str, &'static str, MethodRouter<Arc<Desk>>);

/// Routes that want a key.
pub(crate) fn keyed() -> Vec<Route> {
    vec![
        ("post", "/v1/projects", post(submit)),
        ("get", "/v1/projects", get(projects::list)),
        ("get", "/v1/projects/{id}", get(projects::show)),
        ("get", "/v1/projects/{id}/plan", get(projects::plan)),
        ("get", "/v1/projects/{id}/events", get(events)),
        (
            "get",
            "/v1/projects/{id}/deliverable",
            get(projects::deliverable),
        ),
        (
            "get",
            "/v1/projects/{id}/deliverable/{*path}",
            get(projects::file),
        ),
        ("get", "/v1/projects/{id}/report", get(projects::report)),
        ("post", "/v1/projects/{id}/answers", post(projects::answer)),
        ("post", "/v1/projects/{id}/approve", post(projects::approve)),
        ("post", "/v1/projects/{id}/reject", post(projects::reject)),
        ("post", "/v1/projects/{id}/pause", post(projects::pause)),
        ("post", "/v1/projects/{id}/resume", post(projects::resume)),
        ("post", "/v1/projects/{id}/cancel", post(projects::cancel)),
    ]
}

/// Routes for everybody.
pub(crate) fn open() -> Vec<Route> {
    vec![("get", "/openapi.json", get(specification))]
}

async fn specification() -> Json<Value> {
    Json(openapi::document())
}

/// All routes in their frame.
pub(crate) fn router(desk: Arc<Desk>) -> Router {
    let gather = |routes: Vec<Route>| {
        routes
            .into_iter()
            .fold(Router::new(), |router, (_, path, handler)| {
                router.route(path, handler)
            })
    };
    let missing = async || {
        Fault::new(
            Code::NoSuchRoute,
            "there is nothing at this address; /openapi.json tells what there is",
        )
    };
    gather(keyed())
        .route_layer(from_fn_with_state(Arc::clone(&desk), auth::admit))
        .merge(gather(open()))
        .fallback(missing)
        .layer(DefaultBodyLimit::max(desk.settings.bounds.body))
        .layer(from_fn_with_state(Arc::clone(&desk), frame))
        .with_state(desk)
}
