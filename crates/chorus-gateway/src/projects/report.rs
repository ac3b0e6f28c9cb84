//! `GET /v1/projects/{id}/report`: figures of a project so far, as JSON or as one HTML page.

use axum::Json;
use axum::extract::RawQuery;
use axum::response::{Html, IntoResponse, Response};
use chorus_core::port::projects::every_event;
use chorus_report::{ReportInput, build, page};
use http::{HeaderMap, HeaderValue, header};

use super::format::Format;
use crate::api_error::ApiError;
use crate::project_request::ProjectRequest;

const HTML: Format = Format {
    name: "html",
    media_type: "text/html",
};

/// Policy of the page: its own script draws it, and nothing else may be loaded or reached.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:",
);

pub(crate) async fn report(
    request: ProjectRequest,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let is_html = HTML.is_requested(query.as_deref(), &headers)?;
    let report = build(&input(request).await?);
    if !is_html {
        return Ok(Json(report).into_response());
    }
    let html = page(&report).map_err(|error| ApiError::internal("draw the report", &error))?;
    let headers = [(header::CONTENT_SECURITY_POLICY, PAGE_POLICY)];
    Ok((headers, Html(html)).into_response())
}

async fn input(request: ProjectRequest) -> Result<ReportInput, ApiError> {
    let ProjectRequest {
        state,
        caller,
        loaded,
    } = request;
    let head = &loaded.project.head;
    let deliverable = match head.deliverable() {
        Some(hash) => Some(state.artifact(hash).await?),
        None => None,
    };
    Ok(ReportInput {
        events: every_event(&*state.ports.projects, head.id).await?,
        deliveries: state.ports.deliveries.of_project(head.id).await?,
        money: state.money(head.id).await?,
        deliverable,
        accounts: state.accounts(&caller).await?,
        limits: state.settings.limit_use.read(),
        simulated: state.settings.is_simulated,
        project: loaded.project,
    })
}
