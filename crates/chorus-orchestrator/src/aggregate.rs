//! A project as this process knows it: its row with version and last event, and its cached artifacts. The state
//! is confirmed only by a commit at its [`Version`].

use chorus_core::id::{Seq, Version};
use chorus_core::port::projects::Loaded;
use chorus_core::project::Project;
use chorus_core::sizes::SizeLimits;

use crate::artifact_cache::ArtifactCache;

/// A cached project.
pub(crate) struct Aggregate {
    pub(crate) version: Version,
    pub(crate) seq: Seq,
    pub(crate) project: Project,
    pub(crate) artifacts: ArtifactCache,
    /// Limits read when the current batch began; all decisions of a batch use the same.
    pub(crate) sizes: SizeLimits,
}

impl Aggregate {
    pub(crate) fn new(loaded: Loaded, artifacts: ArtifactCache, sizes: SizeLimits) -> Self {
        let Loaded {
            version,
            seq,
            project,
        } = loaded;
        Self {
            version,
            seq,
            project,
            artifacts,
            sizes,
        }
    }
}
