//! Record of what a project wrote into a folder: files that a later run of the same project may replace.

use std::collections::BTreeMap;
use std::io::{self, Read as _};

use cap_std::fs::Dir;
use chorus_core::artifact::ArtifactHash;
use chorus_core::id::ProjectId;
use serde::{Deserialize, Serialize};

use super::regular_file::open_file;

/// Name of the notes in the folder of the report.
pub(super) const NAME: &str = "files.json";

/// Maximum size of notes that are read, in bytes.
const MAX_BYTES: u64 = 4 << 20;

/// Files that a project wrote, each with the hash of what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Notes {
    pub(super) project: ProjectId,
    files: BTreeMap<String, ArtifactHash>,
}

impl Notes {
    pub(super) const fn new(project: ProjectId) -> Self {
        Self {
            project,
            files: BTreeMap::new(),
        }
    }

    /// Reads the notes of a folder; none if there are none that can be read.
    pub(super) fn read(folder: &Dir) -> Option<Self> {
        let file = open_file(folder, NAME).ok()?;
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    pub(super) fn add(&mut self, path: &str, content: ArtifactHash) {
        self.files.insert(path.to_owned(), content);
    }

    /// Returns the content that was written under a path.
    pub(super) fn content(&self, path: &str) -> Option<ArtifactHash> {
        self.files.get(path).copied()
    }

    /// These notes with newer ones put in.
    pub(super) fn with(&self, newer: &Self) -> Self {
        let mut merged = self.clone();
        merged
            .files
            .extend(newer.files.iter().map(|(path, hash)| (path.clone(), *hash)));
        merged
    }

    pub(super) fn to_json(&self) -> io::Result<Vec<u8>> {
        serde_json::to_vec_pretty(self).map_err(io::Error::other)
    }
}
