//! A bar for each phase, a line for each call under way and each reason of waiting, and the planner's reasoning as it
//! streams. Live lines are cut at the width of the terminal, so none of them wraps.

use std::collections::BTreeMap;
use std::time::Duration;

use chorus_api::{DeliveryResource, PhaseCount, ProjectResource};
use chorus_core::id::AttemptId;
use chorus_core::port::projects::StoredEvent;
use chorus_core::progress::Progress;
use chorus_core::task_kind::TaskKind;
use chorus_core::time::Timestamp;
use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::View;
use super::calls::OpenCalls;
use super::failures::Failures;
use super::sentence::sentence;
use super::status::{reasons, summary};

/// Maximum number of calls that have a line.
const SHOWN: usize = 12;

/// Lines of the terminal that are not for calls: phases, money, reasons, thought, the rest, and some history.
const OTHER_LINES: u16 = 12;

/// Maximum number of draws in a second: fewer flicker less.
const DRAWS: u8 = 8;

/// Number of characters of reasoning that are shown.
///
/// The newest ones replace the oldest.
const THOUGHT: usize = 100;

/// Time between two redraws of the line of a thinking call.
const TICK: Duration = Duration::from_millis(200);

/// Number of lines for reasons of waiting.
const REASONS: usize = 4;

/// Names of the phases in order, as wide as the prefix column.
const PHASES: [&str; 4] = ["plan", "work", "resolve", "judge"];

/// Progress bars on standard error.
pub(super) struct Bars {
    all: MultiProgress,
    phases: Vec<ProgressBar>,
    money: ProgressBar,
    reasons: Vec<ProgressBar>,
    thought: ProgressBar,
    thinking: String,
    thinker: Option<AttemptId>,
    bars: BTreeMap<AttemptId, ProgressBar>,
    rest: ProgressBar,
    calls: OpenCalls,
    failures: Failures,
}

impl Bars {
    pub(super) fn new() -> Self {
        Self::on(ProgressDrawTarget::stderr_with_hz(DRAWS))
    }

    fn on(target: ProgressDrawTarget) -> Self {
        let all = MultiProgress::with_draw_target(target);
        let phases = PHASES.map(|phase| {
            let bar = all.add(ProgressBar::new(0));
            bar.set_style(style("  {prefix:<8}{bar:34.cyan/blue} {wide_msg}"));
            bar.set_prefix(phase);
            bar
        });
        let line = |template: &str| {
            let bar = all.add(ProgressBar::new_spinner());
            bar.set_style(style(template));
            bar
        };
        let money = line("  {wide_msg}");
        let reasons = (0..REASONS).map(|_| line("  {wide_msg:.yellow}")).collect();
        let thought = line("  {spinner:.cyan} {elapsed:>4} {wide_msg:.dim}");
        thought.finish_and_clear();
        let rest = line("    {wide_msg:.dim}");
        Self {
            phases: phases.to_vec(),
            money,
            reasons,
            thought,
            rest,
            all,
            thinking: String::new(),
            thinker: None,
            bars: BTreeMap::new(),
            calls: OpenCalls::default(),
            failures: Failures::default(),
        }
    }

    /// Maximum number of calls that the terminal has room for.
    fn room() -> usize {
        let (rows, _) = Term::stderr().size();
        usize::from(rows.saturating_sub(OTHER_LINES)).clamp(2, SHOWN)
    }

    /// Bar of a call, if there is room for one.
    fn bar(&mut self, attempt: AttemptId) -> Option<&ProgressBar> {
        if !self.bars.contains_key(&attempt) {
            if self.bars.len() >= Self::room() {
                return None;
            }
            let bar = self
                .all
                .insert_before(&self.rest, ProgressBar::new_spinner());
            bar.set_style(style("    {wide_msg}"));
            self.bars.insert(attempt, bar);
        }
        self.bars.get(&attempt)
    }

    /// Shows how many calls have no line.
    fn count_rest(&self) {
        let more = self.calls.count().saturating_sub(self.bars.len());
        self.rest.set_message(match more {
            0 => String::new(),
            more => format!("and {more} more"),
        });
    }

    /// Shows a call that thinks before there is work: its newest reasoning, then the growth of its answer. The time
    /// moves also while nothing arrives.
    fn think(&mut self, progress: &Progress) {
        if progress.has_ended {
            self.thinking.clear();
            self.thinker = None;
            self.thought.disable_steady_tick();
            // A message would be drawn only if the last draw is some time ago, and the line would stay.
            self.thought.finish_and_clear();
            return;
        }
        if self.thinker.replace(progress.attempt) != Some(progress.attempt) {
            self.thinking.clear();
            self.thought.reset();
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

    fn print(&self, text: &str) {
        // Standard error that is gone shows nothing any more; the project goes on.
        let _ = self.all.println(text);
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("the template is a constant")
        .progress_chars("█▉▊▋▌▍▎▏ ")
}

impl View for Bars {
    fn event(&mut self, event: &StoredEvent) {
        self.calls.event(&event.event);
        if let Some(sentence) = sentence(&event.event) {
            self.print(&sentence);
        }
    }

    fn progress(&mut self, progress: &Progress, account: &str) {
        match self
            .calls
            .progress(progress, account)
            .map(ToOwned::to_owned)
        {
            Some(line) => {
                if let Some(bar) = self.bar(progress.attempt) {
                    bar.set_message(line);
                }
            }
            None => {
                if let Some(bar) = self.bars.remove(&progress.attempt) {
                    bar.finish_and_clear();
                    self.all.remove(&bar);
                }
            }
        }
        self.count_rest();
        if matches!(
            progress.kind,
            TaskKind::Plan | TaskKind::Clarify | TaskKind::Answer
        ) {
            self.think(progress);
        }
    }

    fn state(&mut self, project: &ProjectResource, now: Timestamp) {
        let phases = &project.tasks.phases;
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
        self.money.set_message(summary(project));
        let mut lines = reasons(project, now).into_iter();
        for bar in &self.reasons {
            bar.set_message(lines.next().unwrap_or_default());
        }
        for line in self.failures.due(now) {
            self.print(&line);
        }
    }

    fn failure(&mut self, delivery: &DeliveryResource, now: Timestamp) {
        if let Some(line) = self.failures.add(delivery, now) {
            self.print(&line);
        }
    }

    fn note(&mut self, text: &str) {
        self.print(text);
    }

    fn clear(&mut self) {
        // Standard error that is gone needs no clearing.
        let _ = self.all.clear();
    }
}

#[cfg(test)]
mod tests {
    use chorus_core::id::{AccountId, Epoch, ModelSlug, ProjectId, TaskId};
    use indicatif::InMemoryTerm;
    use serde_json::json;

    use super::*;

    /// Bars on a terminal of 24 lines and 80 columns, as often drawn as on a real one.
    fn terminal() -> (Bars, InMemoryTerm) {
        let term = InMemoryTerm::new(24, 80);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(term.clone()), DRAWS);
        (Bars::on(target), term)
    }

    fn progress(kind: TaskKind, reasoning: &str, has_ended: bool) -> Progress {
        Progress {
            project: ProjectId::new(1),
            task: TaskId::new(1),
            kind,
            attempt: AttemptId::new(1),
            epoch: Epoch(0),
            number: 1,
            account: AccountId::new(1),
            model: ModelSlug::new("deepseek/m"),
            text_chars: 0,
            reasoning_chars: 0,
            reasoning: reasoning.to_owned(),
            has_ended,
        }
    }

    fn failed(key: &str, end: &str, message: &str) -> DeliveryResource {
        serde_json::from_value(json!({
            "attempt": "att_00000000000000000000000000000001", "number": 1,
            "task": "tsk_00000000000000000000000000000001", "key": key, "kind": "work",
            "account": "acc_00000000000000000000000000000001", "account_name": "grace.kim@example.com",
            "provider": "openai", "model": "openai/m", "dispatched_at_ms": 0, "ended_at_ms": 0,
            "end": end, "is_failure": true, "message": message, "cost_usd": 0.0,
        }))
        .expect("a delivery")
    }

    #[test]
    fn the_line_of_a_thinking_call_goes_when_the_call_ends() {
        let (mut bars, term) = terminal();
        bars.progress(&progress(TaskKind::Plan, "which parts?", false), "a@x.org");
        bars.thought.force_draw();
        assert!(term.contents().contains("thinking: …which parts?"));
        bars.progress(&progress(TaskKind::Plan, "", true), "a@x.org");
        let shown = term.contents();
        assert!(!shown.contains("which parts?"), "{shown}");
        assert!(!shown.contains("0s"), "no clock of an ended call: {shown}");
    }

    #[test]
    fn a_rate_limit_and_a_lost_worker_are_shown_when_they_happen_within_80_columns() {
        let (mut bars, term) = terminal();
        let limited = failed("s3", "limited", "openai answered 429: try again in 200ms");
        bars.failure(&limited, Timestamp(0));
        bars.failure(&failed("s9", "worker_lost", ""), Timestamp(1));
        let shown = term.contents().replace('\n', "");
        for expected in [
            "call of s3 failed on grace.kim@example.com, openai/m: openai answered 429",
            "call of s9 failed on grace.kim@example.com, openai/m: its worker was lost",
        ] {
            assert!(shown.contains(expected), "{expected:?} is missing: {shown}");
        }
    }
}
