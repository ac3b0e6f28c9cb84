//! `GET /v1/projects/{id}/plan`

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};

use crate::auth::Caller;
use crate::desk::Desk;
use crate::fault::{Code, Fault};
use crate::resource::{PlanResource, PlanTask};

pub(crate) async fn plan(
    State(desk): State<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<PlanResource>, Fault> {
    let loaded = desk.project(&caller, &id).await?;
    let named = loaded.project.head.plan;
    let named = named.ok_or_else(|| {
        Fault::new(
            Code::NotReady,
            format!(
                "{id} has no plan yet: it is {}",
                loaded.project.head.state.as_str()
            ),
        )
    })?;
    let plan = desk.artifact(named.hash).await?;
    Ok(Json(PlanResource {
        version: named.version,
        plan,
        tasks: loaded.project.tasks.values().map(PlanTask::from).collect(),
    }))
}
