//! Plain lines for files, pipes and terminals without a cursor: one for each event and failed call, and at growing
//! distances one about what is under way and what waits for what.

use chorus_api::{DeliveryResource, ProjectResource};
use chorus_core::port::projects::StoredEvent;
use chorus_core::progress::Progress;
use chorus_core::time::{Millis, Timestamp};

use super::View;
use super::calls::OpenCalls;
use super::failures::Failures;
use super::sentence::sentence;
use super::status::{causes, reasons, summary};

/// Silence after which the first line about the present is written.
const QUIET: Millis = Millis::from_secs(10);

/// Maximum silence.
const MAX_QUIET: Millis = Millis::from_secs(120);

/// Time for which a new cause of waiting must hold before it is worth a line.
const SETTLED: Millis = Millis::from_secs(2);

/// Number of calls under way that a line names.
const NAMED: usize = 3;

/// Lines on standard error with the seconds since the first event.
pub(super) struct Lines {
    began: Option<Timestamp>,
    state: String,
    calls: OpenCalls,
    failures: Failures,
    silence: Silence,
}

/// Measures silence: lines about the present come at growing distances, and at once when a cause changes.
#[derive(Default)]
struct Silence {
    /// True if a line was written since the time was read last.
    is_broken: bool,
    since: Option<Timestamp>,
    distance: Option<Millis>,
    shown: Vec<String>,
    changed_at: Option<Timestamp>,
}

impl Silence {
    /// Returns true if a line about the present is due.
    fn is_due(&mut self, causes: &[String], now: Timestamp) -> bool {
        if std::mem::take(&mut self.is_broken) || self.since.is_none() {
            self.since = Some(now);
            self.distance = None;
        }
        let has_changed = !causes.is_empty() && causes != self.shown;
        if has_changed {
            let since = *self.changed_at.get_or_insert(now);
            if now.since(since) >= SETTLED {
                self.shown(causes, now, QUIET);
                return true;
            }
        } else {
            self.changed_at = None;
        }
        let distance = self.distance.unwrap_or(QUIET);
        let is_long = self.since.is_some_and(|since| now.since(since) >= distance);
        if is_long {
            let next = Millis((distance.0 * 3 / 2).min(MAX_QUIET.0));
            self.shown(causes, now, next);
        }
        is_long
    }

    fn shown(&mut self, causes: &[String], now: Timestamp, next: Millis) {
        self.since = Some(now);
        self.distance = Some(next);
        self.shown = causes.to_vec();
        self.changed_at = None;
    }
}

impl Lines {
    pub(super) fn new() -> Self {
        Self {
            began: None,
            state: String::new(),
            calls: OpenCalls::default(),
            failures: Failures::default(),
            silence: Silence::default(),
        }
    }

    fn line(&mut self, text: &str) {
        self.silence.is_broken = true;
        eprintln!("          {text}");
    }

    /// Writes what is under way and what waits.
    fn present(&self, project: &ProjectResource, now: Timestamp) {
        eprintln!("          [{}]", summary(project));
        for line in self.calls.lines().take(NAMED) {
            eprintln!("            {line}");
        }
        let more = self.calls.count().saturating_sub(NAMED);
        if more > 0 {
            eprintln!("            and {more} more calls");
        }
        for reason in reasons(project, now) {
            eprintln!("            {reason}");
        }
    }
}

impl View for Lines {
    fn event(&mut self, event: &StoredEvent) {
        let began = *self.began.get_or_insert(event.at);
        self.calls.event(&event.event);
        if let Some(sentence) = sentence(&event.event) {
            self.silence.is_broken = true;
            eprintln!("{:>7.1}s  {sentence}", event.at.since(began).as_secs_f64());
        }
    }

    fn progress(&mut self, progress: &Progress, account: &str) {
        self.calls.progress(progress, account);
    }

    fn state(&mut self, project: &ProjectResource, now: Timestamp) {
        if self.state != project.state {
            self.state.clone_from(&project.state);
            self.line(&format!("[{}]", summary(project)));
        }
        for line in self.failures.due(now) {
            self.line(&line);
        }
        if self.silence.is_due(&causes(project), now) {
            self.present(project, now);
        }
    }

    fn failure(&mut self, delivery: &DeliveryResource, now: Timestamp) {
        if let Some(line) = self.failures.add(delivery, now) {
            self.line(&line);
        }
    }

    fn note(&mut self, text: &str) {
        self.line(text);
    }

    fn clear(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due_at(silence: &mut Silence, seconds: std::ops::Range<i64>, causes: &[String]) -> Vec<i64> {
        let times = seconds.filter(|second| silence.is_due(causes, Timestamp(second * 1_000)));
        times.collect()
    }

    #[test]
    fn silence_is_broken_within_fifteen_seconds_and_then_at_growing_distances() {
        let mut silence = Silence::default();
        assert_eq!(due_at(&mut silence, 0..120, &[]), [10, 25, 48, 82]);
        silence.is_broken = true;
        assert_eq!(
            due_at(&mut silence, 120..132, &[]),
            [130],
            "a line begins anew"
        );
    }

    #[test]
    fn a_new_cause_of_waiting_is_shown_once_it_holds_for_two_seconds() {
        let mut silence = Silence::default();
        let cause = ["no worker serves pool claude".to_owned()];
        assert_eq!(due_at(&mut silence, 0..3, &[]), [] as [i64; 0]);
        assert_eq!(due_at(&mut silence, 3..4, &cause), [] as [i64; 0]);
        assert_eq!(
            due_at(&mut silence, 4..5, &[]),
            [] as [i64; 0],
            "it went by"
        );
        assert_eq!(due_at(&mut silence, 5..10, &cause), [7]);
    }
}
