//! What a client is told when it does not get what it asked for: a real status, a stable code, words, and where it
//! helps the field and the project. The frame around all routes adds the request's id and writes the body.

use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::response::{IntoResponse, Response};
use chorus_core::id::ProjectId;
use chorus_core::port::StoreError;
use chorus_core::time::Millis;
use http::StatusCode;

use crate::resource::{ErrorBody, Problem};

/// A refusal or a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    code: Code,
    message: String,
    field: Option<String>,
    project: Option<ProjectId>,
}

/// The stable codes, each with its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    MalformedRequest,
    InvalidField,
    MissingKey,
    UnknownKey,
    RevokedKey,
    ExpiredKey,
    MissingScope,
    ForeignOrigin,
    NoSuchRoute,
    NoSuchProject,
    NoSuchFile,
    NoDeliverable,
    MethodNotAllowed,
    NotReady,
    WrongState,
    IdempotencyKeyReused,
    TooLarge,
    UnsupportedMediaType,
    Busy,
    TimedOut,
    StoreUnavailable,
    StoreBroken,
    Internal,
}

impl Code {
    /// Every code, for the specification's test.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 23] = [
        Self::MalformedRequest,
        Self::InvalidField,
        Self::MissingKey,
        Self::UnknownKey,
        Self::RevokedKey,
        Self::ExpiredKey,
        Self::MissingScope,
        Self::ForeignOrigin,
        Self::NoSuchRoute,
        Self::NoSuchProject,
        Self::NoSuchFile,
        Self::NoDeliverable,
        Self::MethodNotAllowed,
        Self::NotReady,
        Self::WrongState,
        Self::IdempotencyKeyReused,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::Busy,
        Self::TimedOut,
        Self::StoreUnavailable,
        Self::StoreBroken,
        Self::Internal,
    ];

    /// Its word, its status, and after how long it is worth asking again.
    pub(crate) const fn row(self) -> (&'static str, StatusCode, Option<Millis>) {
        match self {
            Self::MalformedRequest => ("malformed_request", StatusCode::BAD_REQUEST, None),
            Self::InvalidField => ("invalid_field", StatusCode::UNPROCESSABLE_ENTITY, None),
            Self::MissingKey => ("missing_key", StatusCode::UNAUTHORIZED, None),
            Self::UnknownKey => ("unknown_key", StatusCode::UNAUTHORIZED, None),
            Self::RevokedKey => ("revoked_key", StatusCode::UNAUTHORIZED, None),
            Self::ExpiredKey => ("expired_key", StatusCode::UNAUTHORIZED, None),
            Self::MissingScope => ("missing_scope", StatusCode::FORBIDDEN, None),
            Self::ForeignOrigin => ("foreign_origin", StatusCode::FORBIDDEN, None),
            Self::NoSuchRoute => ("no_such_route", StatusCode::NOT_FOUND, None),
            Self::NoSuchProject => ("no_such_project", StatusCode::NOT_FOUND, None),
            Self::NoSuchFile => ("no_such_file", StatusCode::NOT_FOUND, None),
            Self::NoDeliverable => ("no_deliverable", StatusCode::NOT_FOUND, None),
            Self::MethodNotAllowed => ("method_not_allowed", StatusCode::METHOD_NOT_ALLOWED, None),
            Self::NotReady => ("not_ready", StatusCode::CONFLICT, None),
            Self::WrongState => ("wrong_state", StatusCode::CONFLICT, None),
            Self::IdempotencyKeyReused => ("idempotency_key_reused", StatusCode::CONFLICT, None),
            Self::TooLarge => ("too_large", StatusCode::PAYLOAD_TOO_LARGE, None),
            Self::UnsupportedMediaType => (
                "unsupported_media_type",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                None,
            ),
            Self::Busy => (
                "busy",
                StatusCode::SERVICE_UNAVAILABLE,
                Some(Millis::from_secs(1)),
            ),
            Self::TimedOut => (
                "timed_out",
                StatusCode::SERVICE_UNAVAILABLE,
                Some(Millis::from_secs(2)),
            ),
            Self::StoreUnavailable => (
                "store_unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                Some(Millis::from_secs(2)),
            ),
            Self::StoreBroken => (
                "store_broken",
                StatusCode::SERVICE_UNAVAILABLE,
                Some(Millis::from_secs(30)),
            ),
            Self::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR, None),
        }
    }

    /// The code for a bare status that no handler of ours gave.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NoSuchRoute,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            status if status.is_client_error() => Self::MalformedRequest,
            _ => Self::Internal,
        }
    }
}

impl Fault {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            field: None,
            project: None,
        }
    }

    /// Something is wrong with one field of what was sent.
    pub(crate) fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: Some(field.into()),
            ..Self::new(Code::InvalidField, message)
        }
    }

    /// The same, naming the field.
    pub(crate) fn of_field(self, field: impl Into<String>) -> Self {
        Self {
            field: Some(field.into()),
            ..self
        }
    }

    /// The same, naming a project.
    pub(crate) fn of_project(self, project: ProjectId) -> Self {
        Self {
            project: Some(project),
            ..self
        }
    }

    pub(crate) fn no_such_project(id: &str) -> Self {
        let id: String = id.chars().take(64).collect();
        Self::new(Code::NoSuchProject, format!("there is no project {id}"))
    }

    pub(crate) const fn code(&self) -> Code {
        self.code
    }

    /// The body, once the request's id is known.
    pub(crate) fn body(&self, request_id: &str) -> ErrorBody {
        let (code, ..) = self.code.row();
        ErrorBody {
            error: Problem {
                code: code.to_owned(),
                message: self.message.clone(),
                request_id: request_id.to_owned(),
                field: self.field.clone(),
                project: self.project,
            },
        }
    }
}

/// The frame finds the fault in the response's extensions and writes its body.
impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = self.code.row().1.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { message: why, .. } => {
                tracing::warn!(store.error = why, "the store did not answer a request");
                Self::new(
                    Code::StoreUnavailable,
                    "the store does not answer at the moment; ask again, with the same Idempotency-Key where you gave one",
                )
            }
            StoreError::Broken { message: why, .. } => {
                tracing::error!(store.error = why, "the store cannot go on");
                Self::new(
                    Code::StoreBroken,
                    "the store needs its operator; what was accepted is kept",
                )
            }
        }
    }
}

impl From<JsonRejection> for Fault {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(Code::of_status(rejection.status()), rejection.body_text())
    }
}

impl From<BytesRejection> for Fault {
    fn from(rejection: BytesRejection) -> Self {
        Self::new(Code::of_status(rejection.status()), rejection.body_text())
    }
}
