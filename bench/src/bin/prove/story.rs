//! What happened when, told while it happens.

use chorus_bench::time::stopwatch;

/// Tells lines with the seconds since its beginning.
pub(crate) struct Story {
    elapsed: Box<dyn Fn() -> f64 + Send + Sync>,
}

impl Story {
    pub(crate) fn begin() -> Self {
        Self {
            elapsed: Box::new(stopwatch()),
        }
    }

    pub(crate) fn tell(&self, line: &str) {
        println!("{:7.1} s  {line}", (self.elapsed)());
    }

    pub(crate) fn seconds(&self) -> f64 {
        (self.elapsed)()
    }
}
