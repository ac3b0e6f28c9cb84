//! The text of a merged file, with the positions of its parts.

use std::ops::Range;

use crate::id::TaskKey;

/// A merged file, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileText {
    /// Relative path with `/`.
    pub path: String,
    /// Media type, for instance `text/markdown`.
    pub media_type: String,
    /// Text of the whole file.
    pub text: String,
    /// Positions of the parts that tasks made, in order.
    pub parts: Vec<PartSpan>,
}

/// Position of a task's part in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartSpan {
    /// Task that made the part.
    pub task: TaskKey,
    /// Bytes of the part in [`FileText::text`].
    pub range: Range<usize>,
}
