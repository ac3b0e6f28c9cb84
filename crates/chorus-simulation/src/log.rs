//! Event log: one line for every port call, provider call and fault, with a hash over all lines.
//!
//! Two runs of one seed have equal hashes. A failing run prints the last lines.

use std::collections::VecDeque;
use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard};

use chorus_core::time::Timestamp;
use sha2::{Digest, Sha256};

use crate::executor::Timeline;

/// Maximum number of lines kept in memory.
const TAIL: usize = 400;

/// Event log of one run.
pub struct Log {
    timeline: Arc<Timeline>,
    start: Timestamp,
    trace: bool,
    lines: Mutex<Lines>,
}

#[derive(Default)]
struct Lines {
    hash: Sha256,
    tail: VecDeque<String>,
    count: u64,
}

impl Log {
    /// Creates an empty log. With `trace`, lines are also written to standard error.
    pub fn new(timeline: &Arc<Timeline>, trace: bool) -> Arc<Self> {
        let start = timeline.now();
        Arc::new(Self {
            timeline: Arc::clone(timeline),
            start,
            trace,
            lines: Mutex::default(),
        })
    }

    /// Adds a line under the name of a process.
    pub fn note(&self, who: &str, what: fmt::Arguments<'_>) {
        let line = format!(
            "{:>10.3} {who:<16} {what}",
            self.timeline.now().since(self.start).as_secs_f64()
        );
        if self.trace {
            // A failed write to the trace does not fail the run.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
        let mut lines = self.lock();
        lines.hash.update(line.as_bytes());
        lines.hash.update(b"\n");
        lines.count += 1;
        if lines.tail.len() == TAIL {
            lines.tail.pop_front();
        }
        lines.tail.push_back(line);
    }

    /// Returns the last `lines` lines.
    pub fn tail(&self, lines: usize) -> Vec<String> {
        let all = self.lock();
        all.tail
            .iter()
            .skip(all.tail.len().saturating_sub(lines))
            .cloned()
            .collect()
    }

    /// Number of lines so far.
    pub fn count(&self) -> u64 {
        self.lock().count
    }

    /// SHA-256 over all lines so far, in hex.
    pub fn hash(&self) -> String {
        let digest = self.lock().hash.clone().finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().expect("one thread alone writes the log")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str]) -> String {
        let log = Log::new(&Timeline::new(Timestamp(0)), false);
        lines
            .iter()
            .for_each(|line| log.note("w", format_args!("{line}")));
        log.hash()
    }

    #[test]
    fn the_hash_depends_on_lines_and_their_order() {
        assert_eq!(check(&["one", "two"]), check(&["one", "two"]));
        assert_ne!(check(&["one", "two"]), check(&["two", "one"]));
        assert_ne!(check(&["one"]), check(&["one", "two"]));
    }

    #[test]
    fn the_tail_is_bounded() {
        let log = Log::new(&Timeline::new(Timestamp(0)), false);
        (0..TAIL + 5).for_each(|number| log.note("w", format_args!("line {number}")));
        assert_eq!(log.tail(TAIL * 2).len(), TAIL);
        assert!(log.tail(1)[0].ends_with(&format!("line {}", TAIL + 4)));
        assert_eq!(log.count(), TAIL as u64 + 5);
    }
}
