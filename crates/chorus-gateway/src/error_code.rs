//! The table of API error codes: one row a code, with its status, its wait and its sentence.
//!
//! `docs/errors/` has a page for each row and `openapi.json` lists all; tests compare both with
//! [`TABLE`].

use chorus_core::time::Millis;
use http::StatusCode;

/// Stable code of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorCode {
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
    NoSuchTask,
    NoSuchAccount,
    NoSuchFile,
    NoDeliverable,
    MethodNotAllowed,
    NotReady,
    WrongState,
    PlanChanged,
    IdempotencyKeyReused,
    KeyRefused,
    DuplicateKey,
    TooLarge,
    UnsupportedMediaType,
    Busy,
    TimedOut,
    StoreUnavailable,
    StoreBroken,
    ArtifactMissing,
    Internal,
}

/// Row of [`TABLE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ErrorRow {
    /// Key of the row.
    pub(crate) code: ErrorCode,
    /// Text of the code in replies; also the name of its page, `docs/errors/<name>.md`.
    pub(crate) name: &'static str,
    /// Status of the reply.
    pub(crate) status: StatusCode,
    /// Value of `Retry-After`, where repeating the same request may succeed.
    pub(crate) retry_after: Option<Millis>,
    /// Message of a reply to which the handler adds nothing.
    pub(crate) message: &'static str,
}

/// Every code, in the order of [`ErrorCode`].
pub(crate) const TABLE: [ErrorRow; 29] = [
    row(
        ErrorCode::MalformedRequest,
        "malformed_request",
        StatusCode::BAD_REQUEST,
        "the request cannot be read",
    ),
    row(
        ErrorCode::InvalidField,
        "invalid_field",
        StatusCode::UNPROCESSABLE_ENTITY,
        "a field has a value that is not accepted",
    ),
    row(
        ErrorCode::MissingKey,
        "missing_key",
        StatusCode::UNAUTHORIZED,
        "give an API key as `Authorization: Bearer chorus-sk-…` or `x-api-key`; `chorus key create` makes one",
    ),
    row(
        ErrorCode::UnknownKey,
        "unknown_key",
        StatusCode::UNAUTHORIZED,
        "there is no such API key",
    ),
    row(
        ErrorCode::RevokedKey,
        "revoked_key",
        StatusCode::UNAUTHORIZED,
        "the API key was revoked",
    ),
    row(
        ErrorCode::ExpiredKey,
        "expired_key",
        StatusCode::UNAUTHORIZED,
        "the API key has expired",
    ),
    row(
        ErrorCode::MissingScope,
        "missing_scope",
        StatusCode::FORBIDDEN,
        "this key lacks a scope",
    ),
    row(
        ErrorCode::ForeignOrigin,
        "foreign_origin",
        StatusCode::FORBIDDEN,
        "without keys this gateway serves programs of its own machine only, under a loopback name",
    ),
    row(
        ErrorCode::NoSuchRoute,
        "no_such_route",
        StatusCode::NOT_FOUND,
        "there is nothing at this address; /openapi.json lists all routes",
    ),
    row(
        ErrorCode::NoSuchProject,
        "no_such_project",
        StatusCode::NOT_FOUND,
        "there is no such project",
    ),
    row(
        ErrorCode::NoSuchTask,
        "no_such_task",
        StatusCode::NOT_FOUND,
        "the project has no such task",
    ),
    row(
        ErrorCode::NoSuchAccount,
        "no_such_account",
        StatusCode::NOT_FOUND,
        "there is no such account",
    ),
    row(
        ErrorCode::NoSuchFile,
        "no_such_file",
        StatusCode::NOT_FOUND,
        "the deliverable has no such file",
    ),
    row(
        ErrorCode::NoDeliverable,
        "no_deliverable",
        StatusCode::NOT_FOUND,
        "the project ended without a deliverable",
    ),
    row(
        ErrorCode::MethodNotAllowed,
        "method_not_allowed",
        StatusCode::METHOD_NOT_ALLOWED,
        "this address takes other methods; the header Allow names them",
    ),
    row(
        ErrorCode::NotReady,
        "not_ready",
        StatusCode::CONFLICT,
        "the project has not come this far yet",
    ),
    row(
        ErrorCode::WrongState,
        "wrong_state",
        StatusCode::CONFLICT,
        "the command has no effect in the project's state",
    ),
    row(
        ErrorCode::PlanChanged,
        "plan_changed",
        StatusCode::CONFLICT,
        "another plan waits for approval than the one that was named",
    ),
    row(
        ErrorCode::IdempotencyKeyReused,
        "idempotency_key_reused",
        StatusCode::CONFLICT,
        "this Idempotency-Key was used with another body; choose a new key for new work",
    ),
    row(
        ErrorCode::KeyRefused,
        "key_refused",
        StatusCode::UNPROCESSABLE_ENTITY,
        "the new key cannot be used; the old one serves as before",
    ),
    row(
        ErrorCode::DuplicateKey,
        "duplicate_key",
        StatusCode::CONFLICT,
        "an account has this key already",
    ),
    row(
        ErrorCode::TooLarge,
        "too_large",
        StatusCode::PAYLOAD_TOO_LARGE,
        "the request is larger than this gateway takes",
    ),
    row(
        ErrorCode::UnsupportedMediaType,
        "unsupported_media_type",
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "the request has a Content-Type that this address does not take",
    ),
    retry(
        ErrorCode::Busy,
        "busy",
        1,
        "too many clients follow projects here; ask another gateway, or again",
    ),
    retry(
        ErrorCode::TimedOut,
        "timed_out",
        2,
        "the request took too long; ask again, with the same Idempotency-Key where you gave one",
    ),
    retry(
        ErrorCode::StoreUnavailable,
        "store_unavailable",
        2,
        "the store does not answer at the moment; ask again, with the same Idempotency-Key where you gave one",
    ),
    retry(
        ErrorCode::StoreBroken,
        "store_broken",
        30,
        "the store needs its operator; what was accepted is kept",
    ),
    row(
        ErrorCode::ArtifactMissing,
        "artifact_missing",
        StatusCode::INTERNAL_SERVER_ERROR,
        "a stored text of the project is gone from the artifact store; its operator can restore it",
    ),
    row(
        ErrorCode::Internal,
        "internal",
        StatusCode::INTERNAL_SERVER_ERROR,
        "the gateway failed; its log has the reason under this request id",
    ),
];

/// A row of an error that repeating the request does not mend.
const fn row(
    code: ErrorCode,
    name: &'static str,
    status: StatusCode,
    message: &'static str,
) -> ErrorRow {
    ErrorRow {
        code,
        name,
        status,
        retry_after: None,
        message,
    }
}

/// A row of an error that passes, with status 503 and `Retry-After` in seconds.
const fn retry(
    code: ErrorCode,
    name: &'static str,
    seconds: u64,
    message: &'static str,
) -> ErrorRow {
    ErrorRow {
        retry_after: Some(Millis::from_secs(seconds)),
        ..row(code, name, StatusCode::SERVICE_UNAVAILABLE, message)
    }
}

impl ErrorCode {
    /// Returns the row of this code in [`TABLE`].
    pub(crate) const fn row(self) -> &'static ErrorRow {
        &TABLE[self as usize]
    }

    /// The code for a status that axum chose, not a handler.
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

const _: () = {
    let mut row = 0;
    while row < TABLE.len() {
        assert!(
            TABLE[row].code as usize == row,
            "a row stands at the place of its code"
        );
        row += 1;
    }
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_only_passing_errors_ask_for_a_repetition() {
        let names: BTreeSet<&str> = TABLE.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), TABLE.len());
        for row in TABLE {
            assert_eq!(
                row.retry_after.is_some(),
                row.status == StatusCode::SERVICE_UNAVAILABLE,
                "{}",
                row.name
            );
            assert!(!row.message.is_empty() && !row.message.ends_with('.'));
        }
    }

    #[test]
    fn a_status_without_a_handler_gets_a_code_of_its_kind() {
        let cases = [
            (StatusCode::NOT_FOUND, ErrorCode::NoSuchRoute),
            (StatusCode::METHOD_NOT_ALLOWED, ErrorCode::MethodNotAllowed),
            (StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::TooLarge),
            (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                ErrorCode::UnsupportedMediaType,
            ),
            (StatusCode::IM_A_TEAPOT, ErrorCode::MalformedRequest),
            (StatusCode::BAD_GATEWAY, ErrorCode::Internal),
        ];
        for (status, code) in cases {
            assert_eq!(ErrorCode::of_status(status), code, "{status}");
        }
    }
}
