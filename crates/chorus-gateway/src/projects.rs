//! `/v1/projects` and what lies below a project, but for submissions and events.

mod archive;
mod command;
mod deliverable;
mod list;
mod plan;
mod report;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use chorus_core::port::projects::Loaded;
use chorus_core::project::State as Stand;

use crate::auth::Caller;
use crate::desk::Desk;
use crate::estimate::{self, Sources};
use crate::fault::Fault;
use crate::resource::{Estimate, ProjectResource};

pub(crate) use command::{answer, approve, cancel, pause, reject, resume};
pub(crate) use deliverable::{deliverable, file};
pub(crate) use list::list;
pub(crate) use plan::plan;
pub(crate) use report::report;

/// `GET /v1/projects/{id}`
pub(crate) async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<ProjectResource>, Fault> {
    resource(&desk, &caller, &id).await.map(Json)
}

/// The project as it is.
pub(crate) async fn resource(
    desk: &Desk,
    caller: &Caller,
    id: &str,
) -> Result<ProjectResource, Fault> {
    let loaded = desk.project(caller, id).await?;
    let money = desk.money(loaded.project.head.id).await?;
    let estimate = estimate(desk, &loaded).await?;
    Ok(ProjectResource::new(&loaded, money, estimate))
}

/// The estimate of a plan that waits for approval. That no account can serve it now is no error of the request.
async fn estimate(desk: &Desk, loaded: &Loaded) -> Result<Option<Estimate>, Fault> {
    if !matches!(loaded.project.head.state, Stand::WaitingApproval) {
        return Ok(None);
    }
    let (ports, settings) = (&desk.ports, &desk.settings);
    let sources = Sources {
        artifacts: &*ports.artifacts,
        deliveries: &*ports.deliveries,
        directory: &*ports.directory,
        catalog: &settings.catalog,
        roles: &settings.roles,
        now: ports.clock.now(),
    };
    match estimate::of(&sources, loaded).await {
        Ok(estimate) => Ok(Some(estimate)),
        Err(estimate::Unknown::Store(error)) => Err(error.into()),
        Err(other) => {
            tracing::warn!(project.id = %loaded.project.head.id, estimate.error = %other, "no estimate of a waiting plan");
            Ok(None)
        }
    }
}
