//! Common first step of every handler below `/v1/projects/{id}`: reads the head of the project of the path, or loads
//! the project with its tasks where the reply shows them.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use chorus_core::port::projects::Loaded;
use chorus_core::project::Head;
use http::request::Parts;

use crate::api_error::ApiError;
use crate::app_state::AppState;
use crate::caller::Caller;
use crate::error_code::ErrorCode;

/// A request for one project that exists and belongs to the caller's tenant, without its tasks.
pub(crate) struct HeadRequest {
    pub(crate) state: Arc<AppState>,
    pub(crate) caller: Caller,
    pub(crate) head: Head,
}

/// As [`HeadRequest`], with the tasks.
pub(crate) struct ProjectRequest {
    pub(crate) state: Arc<AppState>,
    pub(crate) caller: Caller,
    pub(crate) loaded: Loaded,
}

impl FromRequestParts<Arc<AppState>> for HeadRequest {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<AppState>,
    ) -> Result<Self, Self::Rejection> {
        let (id, caller) = id_and_caller(parts, state).await?;
        let head = state.head(&caller, &id).await?;
        Ok(Self {
            state: Arc::clone(state),
            caller,
            head,
        })
    }
}

impl FromRequestParts<Arc<AppState>> for ProjectRequest {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<AppState>,
    ) -> Result<Self, Self::Rejection> {
        let (id, caller) = id_and_caller(parts, state).await?;
        let loaded = state.project(&caller, &id).await?;
        Ok(Self {
            state: Arc::clone(state),
            caller,
            loaded,
        })
    }
}

async fn id_and_caller(
    parts: &mut Parts,
    state: &Arc<AppState>,
) -> Result<(String, Caller), ApiError> {
    let params = RawPathParams::from_request_parts(parts, state)
        .await
        .map_err(|error| ApiError::new(ErrorCode::MalformedRequest, error.body_text()))?;
    let id = params.iter().find(|(name, _)| *name == "id");
    let (_, id) = id.ok_or_else(|| ApiError::of(ErrorCode::NoSuchRoute))?;
    // Authentication runs before every handler, so a request without a caller is a wrong route table.
    let caller = parts.extensions.get::<Caller>().cloned();
    let caller = caller.ok_or_else(|| ApiError::of(ErrorCode::Internal))?;
    Ok((id.to_owned(), caller))
}
