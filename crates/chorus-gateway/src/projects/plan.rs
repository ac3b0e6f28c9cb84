//! `GET /v1/projects/{id}/plan`: the newest plan and the tasks of all its versions.

use axum::Json;

use crate::api_error::ApiError;
use crate::error_code::ErrorCode;
use crate::project_request::ProjectRequest;
use crate::resource::{PlanResource, PlanTask};

pub(crate) async fn plan(request: ProjectRequest) -> Result<Json<PlanResource>, ApiError> {
    let ProjectRequest { state, loaded, .. } = request;
    let head = &loaded.project.head;
    let newest = head.plan.ok_or_else(|| {
        let message = format!("{} has no plan yet: it is {}", head.id, head.state.as_str());
        ApiError::new(ErrorCode::NotReady, message).of_project(head.id)
    })?;
    Ok(Json(PlanResource {
        version: newest.version,
        hash: Some(newest.hash),
        plan: state.artifact(newest.hash).await?,
        tasks: loaded.project.tasks.values().map(PlanTask::from).collect(),
    }))
}
