//! `GET /v1/projects/{id}/report`: figures of a project so far, as JSON or as one HTML page.

use axum::Json;
use axum::extract::RawQuery;
use axum::response::{Html, IntoResponse, Response};
use chorus_core::id::Tenant;
use chorus_core::money::MicroUsd;
use chorus_core::port::projects::{StoredEvent, every_event};
use chorus_core::project::HistoryEvent;
use chorus_report::{ReportInput, build, page};
use http::{HeaderMap, HeaderValue, header};

use super::format::Format;
use super::sources;
use crate::api_error::ApiError;
use crate::app_state::AppState;
use crate::estimate;
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
    let plan = match head.plan {
        Some(plan) => Some(state.artifact(plan.hash).await?),
        None => None,
    };
    let events = every_event(&*state.ports.projects, head.id).await?;
    Ok(ReportInput {
        estimate: price(&state, &head.tenant, &events).await?,
        events,
        deliveries: state.ports.deliveries.of_project(head.id).await?,
        money: state.money(head.id).await?,
        plan,
        deliverable,
        accounts: state.accounts(&caller).await?,
        limits: state.settings.limits_in_force.read(),
        simulated: state.settings.is_simulated,
        project: loaded.project,
    })
}

/// Price of the first plan with the accounts of today; none without a plan or without an account that serves it.
async fn price(
    state: &AppState,
    tenant: &Tenant,
    events: &[StoredEvent],
) -> Result<Option<(MicroUsd, MicroUsd)>, ApiError> {
    let size = events.iter().find_map(|stored| match &stored.event {
        HistoryEvent::Planned { estimate, .. } => Some(estimate),
        _ => None,
    });
    let Some(size) = size else {
        return Ok(None);
    };
    match estimate::price(&sources(state), tenant, size).await {
        Ok(price) => Ok(Some(price)),
        Err(estimate::Unknown::Store(error)) => Err(error.into()),
        Err(estimate::Unknown::Unserved(_) | estimate::Unknown::Missing(_)) => Ok(None),
    }
}
