//! The deliverable of a finished project ([`DeliverableResource`]).

use chorus_core::artifact::ArtifactHash;
use chorus_core::id::ProjectId;
use chorus_core::merge::{Conflict, Resolution};
use serde::{Deserialize, Serialize};

/// Body of `GET /v1/projects/{id}/deliverable`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverableResource {
    /// Project that made it.
    pub project: ProjectId,
    /// Files, sorted by path.
    pub files: Vec<DeliverableFile>,
    /// Contradictions found between the parts.
    pub conflicts: Vec<Conflict>,
    /// Resolutions of those [`conflicts`](Self::conflicts).
    pub resolutions: Vec<Resolution>,
}

/// One file of a deliverable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverableFile {
    /// Relative path with `/`.
    pub path: String,
    /// Media type, for instance `text/markdown`.
    pub media_type: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the content, equal to its ETag.
    pub sha256: ArtifactHash,
    /// Address of the file.
    pub href: String,
    /// Content, if it is UTF-8 and the deliverable has at most 8 MiB.
    #[serde(default)]
    pub text: Option<String>,
}
