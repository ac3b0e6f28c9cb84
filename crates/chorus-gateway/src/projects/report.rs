//! `GET /v1/projects/{id}/report`: what happened so far, as figures or as one page.

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::{Html, IntoResponse, Response};
use chorus_core::port::projects::every_event;
use chorus_report::{ReportInput, build, page};
use http::{HeaderMap, HeaderValue, header};

use super::deliverable::wants;
use crate::auth::Caller;
use crate::desk::Desk;
use crate::fault::{Code, Fault};
use crate::query::Query;

/// The page's own script draws it; nothing else may be loaded or reached.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:",
);

pub(crate) async fn report(
    State(desk): State<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let format = Query::read(query.as_deref(), &["format"])?.word("format", &["json", "html"])?;
    let report = build(&story(&desk, &caller, &id).await?);
    if format != Some("html") && !(format.is_none() && wants(&headers, "text/html")) {
        return Ok(Json(report).into_response());
    }
    let drawn = page(&report).map_err(|error| {
        Fault::new(
            Code::Internal,
            format!("the report cannot be drawn: {error}"),
        )
    })?;
    Ok((
        [(header::CONTENT_SECURITY_POLICY, PAGE_POLICY)],
        Html(drawn),
    )
        .into_response())
}

async fn story(desk: &Desk, caller: &Caller, id: &str) -> Result<ReportInput, Fault> {
    let loaded = desk.project(caller, id).await?;
    let head = &loaded.project.head;
    let project = head.id;
    let deliverable = match head.deliverable() {
        Some(hash) => Some(desk.artifact(hash).await?),
        None => None,
    };
    Ok(ReportInput {
        events: every_event(&*desk.ports.projects, project).await?,
        deliveries: desk.ports.deliveries.of_project(project).await?,
        money: desk.money(project).await?,
        deliverable,
        accounts: desk.accounts(caller).await?,
        limits: Vec::new(),
        simulated: false,
        project: loaded.project,
    })
}
