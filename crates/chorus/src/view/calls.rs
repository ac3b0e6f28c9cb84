//! Calls under way, as their progress shows them.

use std::collections::BTreeMap;

use chorus_core::id::{AttemptId, TaskId};
use chorus_core::progress::Progress;
use chorus_core::project::HistoryEvent;

/// Calls under way by attempt, with the titles of their tasks.
#[derive(Default)]
pub(super) struct OpenCalls {
    titles: BTreeMap<TaskId, String>,
    lines: BTreeMap<AttemptId, String>,
}

impl OpenCalls {
    /// Takes the title of a task that became ready.
    pub(super) fn event(&mut self, event: &HistoryEvent) {
        if let HistoryEvent::TaskReady { task, .. } = event {
            let title = format!("{} {}", task.key, task.title);
            self.titles.insert(task.id, title);
        }
    }

    /// Takes progress of a call that this account serves. Returns the line about it, none once it has ended.
    pub(super) fn progress(&mut self, progress: &Progress, account: &str) -> Option<&str> {
        if progress.has_ended {
            self.lines.remove(&progress.attempt);
            return None;
        }
        let title = self.titles.get(&progress.task).cloned();
        let title = title.unwrap_or_else(|| progress.kind.as_str().to_owned());
        let again = if progress.epoch.0 > 0 {
            format!(", delivery {}", progress.epoch.0 + 1)
        } else {
            String::new()
        };
        let line = format!(
            "≈{:<5} {title:.34}  {account}  {}  try {}{again}",
            (progress.text_chars + progress.reasoning_chars) / 4,
            progress.model,
            progress.number,
        );
        self.lines.insert(progress.attempt, line);
        self.lines.get(&progress.attempt).map(String::as_str)
    }

    /// Lines of the calls under way.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.values().map(String::as_str)
    }

    /// Number of calls under way.
    pub(super) fn count(&self) -> usize {
        self.lines.len()
    }
}
