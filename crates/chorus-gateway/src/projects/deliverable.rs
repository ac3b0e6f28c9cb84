//! `GET /v1/projects/{id}/deliverable` as JSON or zip, and its files one by one.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery};
use axum::response::{IntoResponse, Response};
use chorus_core::merge::{Deliverable, MergedFile};
use chorus_core::project::Head;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::archive;
use super::format::Format;
use crate::api_error::ApiError;
use crate::app_state::AppState;
use crate::error_code::ErrorCode;
use crate::project_request::HeadRequest;
use crate::resource::{DeliverableFile, DeliverableResource};

const ZIP: Format = Format {
    name: "zip",
    media_type: "application/zip",
};

/// Maximum size of a deliverable with its texts in the JSON, in bytes.
const MAX_INLINE_BYTES: u64 = 8 << 20;

/// Headers of a file: a model wrote it, so no script of it may run under the gateway's name.
const SANDBOX: [(HeaderName, HeaderValue); 2] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("sandbox"),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
];

/// `GET …/deliverable`
pub(crate) async fn deliverable(
    HeadRequest { state, head, .. }: HeadRequest,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let is_zip = ZIP.is_requested(query.as_deref(), &headers)?;
    let deliverable = load(&state, &head).await?;
    if !is_zip {
        return Ok(Json(resource(&state, &head, deliverable).await?).into_response());
    }
    let name = format!("attachment; filename=\"{}.zip\"", head.id);
    let headers = [
        (header::CONTENT_TYPE, ZIP.media_type.to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    let body = Body::from_stream(archive::stream(state, deliverable.files));
    Ok((headers, body).into_response())
}

/// `GET …/deliverable/{path}`
pub(crate) async fn file(
    HeadRequest { state, head, .. }: HeadRequest,
    Path((_, path)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let deliverable = load(&state, &head).await?;
    let file = deliverable.files.into_iter().find(|file| file.path == path);
    let file = file.ok_or_else(|| {
        let message = format!("the deliverable has no file {path:.200}");
        ApiError::new(ErrorCode::NoSuchFile, message).of_project(head.id)
    })?;
    let bytes = state.bytes(file.content).await?;
    let mut response = (SANDBOX, bytes).into_response();
    let media_type = HeaderValue::from_str(&file.media_type)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, media_type);
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", file.content)) {
        headers.insert(header::ETAG, tag);
    }
    Ok(response)
}

/// Loads the deliverable of a project in a final state.
async fn load(state: &AppState, head: &Head) -> Result<Deliverable, ApiError> {
    let refused = |code, reason: &str| {
        let name = head.state.as_str().replace('_', " ");
        ApiError::new(code, format!("the project is {name}: {reason}")).of_project(head.id)
    };
    if !head.is_terminal() {
        return Err(refused(ErrorCode::NotReady, "there is no deliverable yet"));
    }
    let none = || refused(ErrorCode::NoDeliverable, "nothing was delivered");
    state.artifact(head.deliverable().ok_or_else(none)?).await
}

async fn resource(
    state: &AppState,
    head: &Head,
    deliverable: Deliverable,
) -> Result<DeliverableResource, ApiError> {
    let project = head.id;
    let size: u64 = deliverable.files.iter().map(|file| file.bytes).sum();
    let mut files = Vec::with_capacity(deliverable.files.len());
    for file in deliverable.files {
        let text = if size <= MAX_INLINE_BYTES {
            String::from_utf8(state.bytes(file.content).await?.into()).ok()
        } else {
            None
        };
        let MergedFile {
            path,
            media_type,
            content,
            bytes,
        } = file;
        let href = format!("/v1/projects/{project}/deliverable/{}", escaped(&path));
        files.push(DeliverableFile {
            path,
            media_type,
            bytes,
            sha256: content,
            href,
            text,
        });
    }
    Ok(DeliverableResource {
        project,
        files,
        conflicts: deliverable.conflicts,
        resolutions: deliverable.resolutions,
    })
}

/// A path with every byte escaped that may not be in the path of an address.
fn escaped(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    path.bytes()
        .map(|byte| {
            if is_plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_escaped_for_its_address() {
        let cases = [
            ("teil/Übung 1#.md", "teil/%C3%9Cbung%201%23.md"),
            ("a-b_c.d~e/f", "a-b_c.d~e/f"),
            ("50%?.md", "50%25%3F.md"),
        ];
        for (path, address) in cases {
            assert_eq!(escaped(path), address);
        }
    }
}
