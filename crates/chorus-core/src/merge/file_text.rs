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
    /// Positions of the parts that tasks made, in order. A task whose part was taken apart to be
    /// joined with others has several.
    pub parts: Vec<PartSpan>,
    /// Tasks with a part without text.
    pub empty: Vec<TaskKey>,
    /// Reasons why the parts could not become one file of this kind.
    pub faults: Vec<MergeFault>,
}

/// Position of a task's part in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartSpan {
    /// Task that made the part.
    pub task: TaskKey,
    /// Bytes of the part in [`FileText::text`].
    pub range: Range<usize>,
}

/// Parts that do not fit together. [`verdict::check`](crate::verdict::check) makes a defect of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeFault {
    /// Tasks with parts that must change.
    pub tasks: Vec<TaskKey>,
    /// Fault, for people.
    pub message: String,
    /// Change that the tasks should make.
    pub feedback: String,
}
