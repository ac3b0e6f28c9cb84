//! A project as this process knows it: the row with its version, and the artifacts at hand. It is only a
//! guess until a commit at its version succeeds.

use chorus_core::id::{Seq, Version};
use chorus_core::port::projects::Loaded;
use chorus_core::project::Project;

use crate::settings::SizeLimits;
use crate::shelf::Shelf;

/// A cached project.
pub(crate) struct Aggregate {
    pub(crate) version: Version,
    pub(crate) seq: Seq,
    pub(crate) project: Project,
    pub(crate) shelf: Shelf,
    /// As they were when the batch at hand was begun: one decision rests on one measure.
    pub(crate) sizes: SizeLimits,
}

impl Aggregate {
    pub(crate) fn new(loaded: Loaded, shelf: Shelf, sizes: SizeLimits) -> Self {
        let Loaded {
            version,
            seq,
            project,
        } = loaded;
        Self {
            version,
            seq,
            project,
            shelf,
            sizes,
        }
    }
}
