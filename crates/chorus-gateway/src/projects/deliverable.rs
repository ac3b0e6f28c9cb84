//! `GET /v1/projects/{id}/deliverable` as JSON or zip, and its files one by one.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use chorus_core::merge::{Deliverable, MergedFile};
use chorus_core::port::projects::Loaded;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::archive;
use crate::auth::Caller;
use crate::desk::Desk;
use crate::fault::{Code, Fault};
use crate::query::Query;
use crate::resource::{DeliverableFile, DeliverableResource};

/// Texts of at most so many bytes together stand in the JSON; larger deliverables are fetched file by file or as a zip.
const INLINE: u64 = 8 << 20;

/// What a model wrote is shown, if at all, without rights: no script of it runs under the gateway's name.
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
    State(desk): State<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let format = Query::read(query.as_deref(), &["format"])?.word("format", &["json", "zip"])?;
    let loaded = desk.project(&caller, &id).await?;
    let deliverable = of(&desk, &loaded).await?;
    if format == Some("zip") || (format.is_none() && wants(&headers, "application/zip")) {
        let name = format!("attachment; filename=\"{}.zip\"", loaded.project.head.id);
        let head = [
            (header::CONTENT_TYPE, "application/zip".to_owned()),
            (header::CONTENT_DISPOSITION, name),
        ];
        return Ok((
            head,
            Body::from_stream(archive::stream(desk, deliverable.files)),
        )
            .into_response());
    }
    Ok(Json(resource(&desk, &loaded, deliverable).await?).into_response())
}

/// `GET …/deliverable/{path}`
pub(crate) async fn file(
    State(desk): State<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path((id, path)): Path<(String, String)>,
) -> Result<Response, Fault> {
    let loaded = desk.project(&caller, &id).await?;
    let deliverable = of(&desk, &loaded).await?;
    let file = deliverable.files.into_iter().find(|file| file.path == path);
    let file = file.ok_or_else(|| {
        Fault::new(
            Code::NoSuchFile,
            format!("the deliverable has no file {path:.200}"),
        )
    })?;
    let bytes = desk.bytes(file.content).await?;
    let mut response = (SANDBOX, bytes).into_response();
    let kind = HeaderValue::from_str(&file.media_type)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", file.content)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// What was delivered, once the project is over.
async fn of(desk: &Desk, loaded: &Loaded) -> Result<Deliverable, Fault> {
    let head = &loaded.project.head;
    if !head.is_terminal() {
        let words = format!(
            "the project is {}: there is no deliverable yet",
            head.state.as_str().replace('_', " ")
        );
        return Err(Fault::new(Code::NotReady, words).of_project(head.id));
    }
    let none = || {
        Fault::new(
            Code::NoDeliverable,
            format!(
                "the project is {}: nothing was delivered",
                head.state.as_str()
            ),
        )
        .of_project(head.id)
    };
    desk.artifact(head.deliverable().ok_or_else(none)?).await
}

/// Whether the client would rather have this media type than JSON.
pub(super) fn wants(headers: &HeaderMap, media_type: &str) -> bool {
    let accepted = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let names = accepted
        .split(',')
        .map(|one| one.split(';').next().unwrap_or_default().trim());
    let first = names
        .into_iter()
        .find(|name| [media_type, "application/json", "*/*", "application/*"].contains(name));
    first == Some(media_type)
}

async fn resource(
    desk: &Desk,
    loaded: &Loaded,
    deliverable: Deliverable,
) -> Result<DeliverableResource, Fault> {
    let id = loaded.project.head.id;
    let inline = deliverable.files.iter().map(|file| file.bytes).sum::<u64>() <= INLINE;
    let mut files = Vec::with_capacity(deliverable.files.len());
    for file in deliverable.files {
        let text = if inline {
            String::from_utf8(desk.bytes(file.content).await?.into()).ok()
        } else {
            None
        };
        let MergedFile {
            path,
            media_type,
            content,
            bytes,
        } = file;
        let href = format!("/v1/projects/{id}/deliverable/{}", escaped(&path));
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
        project: id,
        files,
        conflicts: deliverable.conflicts,
        resolutions: deliverable.resolutions,
    })
}

/// A path as it stands in an address.
fn escaped(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    path.bytes()
        .map(|byte| {
            if plain(byte) {
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
    fn the_first_type_that_we_have_is_given() {
        for (accept, zip) in [
            ("application/zip", true),
            ("application/json", false),
            ("application/json, application/zip", false),
            ("text/html, application/zip;q=0.9, */*;q=0.1", true),
            ("*/*", false),
            ("", false),
        ] {
            let headers = [(
                header::ACCEPT,
                HeaderValue::from_str(accept).expect("visible letters"),
            )]
            .into_iter()
            .collect();
            assert_eq!(wants(&headers, "application/zip"), zip, "{accept}");
        }
    }

    #[test]
    fn a_path_is_escaped_for_its_address() {
        assert_eq!(escaped("teil/Übung 1#.md"), "teil/%C3%9Cbung%201%23.md");
    }
}
