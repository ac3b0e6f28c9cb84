//! A bar for each phase, a line for each call under way, and the planner's reasoning as it streams.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chorus_api::{PhaseCount, ProjectResource, micro_usd};
use chorus_core::id::{AttemptId, TaskId};
use chorus_core::port::projects::StoredEvent;
use chorus_core::progress::Progress;
use chorus_core::task_kind::TaskKind;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::View;
use super::lines::sentence;

/// Maximum number of calls that have a line.
const SHOWN: usize = 12;

/// Number of characters of reasoning that are shown.
///
/// The newest ones replace the oldest.
const THOUGHT: usize = 100;

/// Time between two redraws of the line of a thinking call.
const TICK: Duration = Duration::from_millis(200);

/// Names of the phases in order, as wide as the prefix column.
const PHASES: [&str; 4] = ["plan", "work", "resolve", "judge"];

/// Progress bars on standard error.
pub(super) struct Bars {
    all: MultiProgress,
    phases: Vec<ProgressBar>,
    money: ProgressBar,
    thought: ProgressBar,
    thinking: String,
    thinker: Option<AttemptId>,
    calls: BTreeMap<AttemptId, ProgressBar>,
    hidden: BTreeSet<AttemptId>,
    more: ProgressBar,
    titles: BTreeMap<TaskId, String>,
}

/// Style of a line or bar; every template here is a constant.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("the template is a constant")
        .progress_chars("█▉▊▋▌▍▎▏ ")
}

impl Bars {
    pub(super) fn new() -> Self {
        let all = MultiProgress::new();
        let phases = PHASES.map(|phase| {
            let bar = all.add(ProgressBar::new(0));
            bar.set_style(style("  {prefix:<8}{bar:34.cyan/blue} {msg}"));
            bar.set_prefix(phase);
            bar
        });
        let line = |template: &str| {
            let bar = all.add(ProgressBar::new_spinner());
            bar.set_style(style(template));
            bar
        };
        let (money, thought) = (line("  {wide_msg}"), line("  {msg}"));
        let more = line("    {msg:.dim}");
        Self {
            phases: phases.to_vec(),
            money,
            thought,
            all,
            thinking: String::new(),
            thinker: None,
            calls: BTreeMap::new(),
            hidden: BTreeSet::new(),
            more,
            titles: BTreeMap::new(),
        }
    }

    fn call(&mut self, attempt: AttemptId) -> Option<&ProgressBar> {
        if !self.calls.contains_key(&attempt) {
            if self.calls.len() >= SHOWN {
                self.hidden.insert(attempt);
                return None;
            }
            let bar = self
                .all
                .insert_before(&self.more, ProgressBar::new_spinner());
            bar.set_style(style("    {wide_msg}"));
            self.calls.insert(attempt, bar);
            self.hidden.remove(&attempt);
        }
        self.calls.get(&attempt)
    }

    /// Shows the number of calls that have no line.
    fn count_hidden(&self) {
        self.more.set_message(match self.hidden.len() {
            0 => String::new(),
            count => format!("and {count} more"),
        });
    }
}

impl Bars {
    /// Shows a call that thinks before there is work: its newest reasoning, then the growth of its answer. The time
    /// moves also while nothing arrives.
    fn think(&mut self, progress: &Progress) {
        if progress.has_ended {
            self.thinking.clear();
            self.thinker = None;
            self.thought.disable_steady_tick();
            self.thought.set_message("");
            self.thought.set_style(style("  {msg}"));
            return;
        }
        if self.thinker.replace(progress.attempt) != Some(progress.attempt) {
            self.thinking.clear();
            self.thought
                .set_style(style("  {spinner:.cyan} {elapsed:>4} {wide_msg:.dim}"));
            self.thought.reset_elapsed();
            self.thought.enable_steady_tick(TICK);
        }
        self.thinking
            .push_str(&progress.reasoning.replace('\n', " "));
        let skip = self.thinking.chars().count().saturating_sub(THOUGHT);
        self.thinking = self.thinking.chars().skip(skip).collect();
        let message = if progress.text_chars > 0 {
            format!("writing, ≈{} tokens", progress.text_chars / 4)
        } else if self.thinking.is_empty() {
            "waiting for the first token".to_owned()
        } else {
            format!("thinking: …{}", self.thinking)
        };
        self.thought.set_message(message);
    }
}

impl View for Bars {
    fn event(&mut self, event: &StoredEvent) {
        use chorus_core::project::HistoryEvent;
        if let HistoryEvent::TaskReady { task, .. } = &event.event {
            self.titles
                .insert(task.id, format!("{} {}", task.key, task.title));
        }
        if let Some(sentence) = sentence(&event.event) {
            let _ = self.all.println(sentence);
        }
    }

    fn progress(&mut self, progress: &Progress, account: &str) {
        if progress.has_ended {
            if let Some(bar) = self.calls.remove(&progress.attempt) {
                bar.finish_and_clear();
                self.all.remove(&bar);
            }
            self.hidden.remove(&progress.attempt);
        } else {
            let title = self.titles.get(&progress.task).cloned().unwrap_or_default();
            let again = if progress.epoch.0 > 0 {
                format!(", delivery {}", progress.epoch.0 + 1)
            } else {
                String::new()
            };
            let message = format!(
                "≈{:<5} {title:.34}  {account}  {}  try {}{again}",
                (progress.text_chars + progress.reasoning_chars) / 4,
                progress.model,
                progress.number,
            );
            if let Some(bar) = self.call(progress.attempt) {
                bar.set_message(message);
            }
        }
        self.count_hidden();
        if matches!(
            progress.kind,
            TaskKind::Plan | TaskKind::Clarify | TaskKind::Answer
        ) {
            self.think(progress);
        }
    }

    fn state(&mut self, project: &ProjectResource) {
        let (tasks, money) = (&project.tasks, &project.money);
        let phases = &tasks.phases;
        let counts = [phases.plan, phases.work, phases.resolve, phases.judge];
        for (bar, PhaseCount { ended, total }) in self.phases.iter().zip(counts) {
            bar.set_length(total.max(1));
            bar.set_position(ended);
            bar.set_message(if total == 0 {
                String::new()
            } else {
                format!("{ended}/{total}")
            });
        }
        self.money.set_message(format!(
            "{}: {} tasks under way, {} spent, {} reserved, budget {}",
            project.state.replace('_', " "),
            tasks.under_way,
            micro_usd(money.spent_usd),
            micro_usd(money.reserved_usd),
            micro_usd(money.budget_usd)
        ));
    }

    fn note(&mut self, text: &str) {
        let _ = self.all.println(text);
    }

    fn clear(&mut self) {
        let _ = self.all.clear();
    }
}
