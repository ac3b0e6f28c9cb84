//! Error of a request: a code of [`error_code`](crate::error_code), a message, and where it helps
//! the field and the project.
//!
//! Handlers return [`ApiError`]; the [request layer](crate::request_layer) adds the request's id and
//! writes the body. Errors of ports are logged here with their sources; clients get the code and
//! the sentence of the table, never a driver's text.

use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use chorus_core::id::ProjectId;
use chorus_core::port::StoreError;
use chorus_core::port::error::full_text;

use crate::error_code::ErrorCode;
use crate::resource::{ErrorBody, Problem};

/// Maximum number of characters of an id or path that a message repeats.
const MAX_QUOTED: usize = 64;

/// A refusal or a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    code: ErrorCode,
    message: String,
    field: Option<String>,
    project: Option<ProjectId>,
}

impl ApiError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            field: None,
            project: None,
        }
    }

    /// An error with the sentence of its row.
    pub(crate) fn of(code: ErrorCode) -> Self {
        Self::new(code, code.row().message)
    }

    /// An [`ErrorCode::InvalidField`] of this field, header or parameter.
    pub(crate) fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidField, message).of_field(field)
    }

    /// An [`ErrorCode::Internal`]; its reason goes to the log only.
    pub(crate) fn internal(attempted: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(
            request.error = full_text(error),
            request.attempted = attempted,
            "a request failed"
        );
        Self::of(ErrorCode::Internal)
    }

    /// The same error with the name of a field.
    pub(crate) fn of_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The same error with a project.
    pub(crate) fn of_project(mut self, project: ProjectId) -> Self {
        self.project = Some(project);
        self
    }

    pub(crate) fn no_such_project(id: &str) -> Self {
        let id: String = id.chars().take(MAX_QUOTED).collect();
        Self::new(
            ErrorCode::NoSuchProject,
            format!("there is no project {id}"),
        )
    }

    pub(crate) const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The body of the reply to the request of this id.
    pub(crate) fn body(&self, request_id: &str) -> ErrorBody {
        ErrorBody {
            error: Problem {
                code: self.code.row().name.to_owned(),
                message: self.message.clone(),
                request_id: request_id.to_owned(),
                field: self.field.clone(),
                project: self.project,
            },
        }
    }
}

/// Puts the error into the extensions of the response, where the request layer finds it.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.code.row().status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let text = full_text(&error);
        match error {
            StoreError::Unavailable { .. } => {
                tracing::warn!(store.error = text, "the store did not answer a request");
                Self::of(ErrorCode::StoreUnavailable)
            }
            StoreError::Broken { .. } => {
                tracing::error!(store.error = text, "the store cannot go on");
                Self::of(ErrorCode::StoreBroken)
            }
        }
    }
}

impl From<BytesRejection> for ApiError {
    fn from(rejection: BytesRejection) -> Self {
        Self::new(
            ErrorCode::of_status(rejection.status()),
            rejection.body_text(),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn errors_of_the_store_keep_their_text_from_clients() {
        let driver = io::Error::other("password authentication failed for user chorus");
        let cases = [
            (
                StoreError::unavailable("failed to connect").caused_by(driver),
                "store_unavailable",
            ),
            (StoreError::broken("disk I/O error"), "store_broken"),
        ];
        for (error, code) in cases {
            let error = ApiError::from(error);
            assert_eq!(error.code().row().status.as_u16(), 503);
            let text = serde_json::to_string(&error.body("req_1")).expect("a plain struct");
            assert!(text.contains(code), "{text}");
            for secret in ["password", "connect", "disk", "I/O"] {
                assert!(!text.contains(secret), "{text}");
            }
        }
    }

    #[test]
    fn a_body_has_code_message_and_request_and_omits_what_is_not_known() {
        let plain = ApiError::of(ErrorCode::Busy).body("req_1");
        assert_eq!(
            serde_json::to_value(plain).expect("a plain struct"),
            serde_json::json!({ "error": {
                "code": "busy",
                "message": "too many clients follow projects here; ask another gateway, or again",
                "request_id": "req_1",
            }})
        );
        let project = ProjectId::new(1);
        let full = ApiError::field("brief", "it is missing").of_project(project);
        let full = serde_json::to_value(full.body("req_2")).expect("a plain struct");
        assert_eq!(full["error"]["field"], "brief");
        assert_eq!(full["error"]["project"], project.to_string());
        assert_eq!(full["error"]["code"], "invalid_field");
    }

    #[test]
    fn a_long_id_is_cut_in_the_message() {
        let error = ApiError::no_such_project(&"é".repeat(1000));
        assert_eq!(
            error.message,
            format!("there is no project {}", "é".repeat(MAX_QUOTED))
        );
    }

    #[test]
    fn the_reason_of_an_internal_error_is_not_in_its_message() {
        let error = ApiError::internal("draw the report", &io::Error::other("secret path"));
        assert_eq!(error, ApiError::of(ErrorCode::Internal));
    }
}
