//! Takes a deliverable and the report from the server into a folder, each file checked against its hash.

use std::path::Path;

use anyhow::{Context, ensure};
use bytes::Bytes;
use chorus_api::{DeliverableFile, DeliverableResource};
use chorus_core::artifact::ArtifactHash;
use chorus_core::id::ProjectId;

use super::api::{Api, ApiError, Call};
use crate::deliver;
use crate::report::Report;

/// Writes the files of the deliverable below `out`; nothing when nothing was delivered.
pub(super) async fn deliverable(api: &Api, project: ProjectId, out: &Path) -> anyhow::Result<()> {
    let told = api
        .get::<DeliverableResource>(&format!("/v1/projects/{project}/deliverable?format=json"))
        .await;
    let deliverable = match told {
        Ok(deliverable) => deliverable,
        Err(ApiError::Refused { problem, .. }) if problem.code == "no_deliverable" => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for file in deliverable.files {
        let bytes = content(api, &file).await?;
        let found = ArtifactHash::of(&bytes);
        ensure!(
            found == file.sha256,
            "{} came with the hash {found}, not {}: nothing was written there",
            file.path,
            file.sha256
        );
        deliver::file(&file.path, &bytes, out)?;
    }
    Ok(())
}

async fn content(api: &Api, file: &DeliverableFile) -> anyhow::Result<Bytes> {
    match &file.text {
        Some(text) => Ok(Bytes::copy_from_slice(text.as_bytes())),
        None => Ok(api
            .ask(&Call::get(&file.href), None)
            .await
            .with_context(|| format!("take {}", file.path))?),
    }
}

/// The report as figures.
pub(super) async fn report(api: &Api, project: ProjectId) -> anyhow::Result<Report> {
    Ok(api
        .get(&format!("/v1/projects/{project}/report?format=json"))
        .await?)
}
