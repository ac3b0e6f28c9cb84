//! Joining of parts into one file of a structured kind: JSON by arrays and objects, CSV by its
//! header, TOML and YAML by their top level. The text of each part stays as it was written.
//!
//! Parts that cannot be one file are put one after the other and give [`MergeFault`]s. Neighbour:
//! [`files`](mod@super::files) puts all other files together.

mod json;
mod lines;
mod records;
mod tables;

use super::{MergeFault, PartSpan};
use crate::file_kind::FileKind;
use crate::id::TaskKey;

/// A part and the task that made it.
pub(super) type TaskPart<'a> = (TaskKey, &'a str);

/// Several parts as one text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Joined {
    pub text: String,
    pub spans: Vec<PartSpan>,
    pub faults: Vec<MergeFault>,
}

impl Joined {
    /// Appends a piece of a task's part; neighbouring pieces of one task are one span.
    fn push(&mut self, task: &TaskKey, piece: &str) {
        let start = self.text.len();
        self.text.push_str(piece);
        self.spans.push(PartSpan {
            task: task.clone(),
            range: start..self.text.len(),
        });
    }

    fn fault(&mut self, tasks: Vec<TaskKey>, message: String, feedback: String) {
        self.faults.push(MergeFault {
            tasks,
            message,
            feedback,
        });
    }
}

/// Returns the parts as one file of this kind; none for kinds without rules of joining.
pub(super) fn joined(kind: FileKind, parts: &[TaskPart<'_>]) -> Option<Joined> {
    match kind {
        FileKind::Json => Some(json::joined(parts)),
        FileKind::JsonLines => Some(lines::joined(parts)),
        FileKind::Csv => Some(records::joined(parts, records::delimiter(parts))),
        FileKind::Tsv => Some(records::joined(parts, b'\t')),
        FileKind::Toml => Some(tables::joined_toml(parts)),
        FileKind::Yaml => Some(tables::joined_yaml(parts)),
        FileKind::Html => Some(tables::joined_html(parts)),
        FileKind::Markdown
        | FileKind::Plain
        | FileKind::JsonWithComments
        | FileKind::Css
        | FileKind::Python
        | FileKind::JavaScript
        | FileKind::TypeScript
        | FileKind::Tsx
        | FileKind::Rust
        | FileKind::Go
        | FileKind::Java
        | FileKind::Code => None,
    }
}

/// Puts parts one after the other, each ended by a line end.
fn concatenated(parts: &[TaskPart<'_>]) -> Joined {
    let mut joined = Joined::default();
    for (task, text) in parts {
        joined.push(task, text);
        if !text.is_empty() && !text.ends_with('\n') {
            joined.text.push('\n');
        }
    }
    joined
}
