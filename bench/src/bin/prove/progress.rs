//! Progress output of the proof.

use chorus_bench::time::stopwatch;

/// Prints lines with the seconds since the start.
pub(crate) struct Progress {
    elapsed: Box<dyn Fn() -> f64 + Send + Sync>,
}

impl Progress {
    pub(crate) fn begin() -> Self {
        Self {
            elapsed: Box::new(stopwatch()),
        }
    }

    pub(crate) fn print(&self, line: &str) {
        println!("{:7.1} s  {line}", (self.elapsed)());
    }

    pub(crate) fn seconds(&self) -> f64 {
        (self.elapsed)()
    }
}
