//! Kills this process right after the n-th time that a port was used, so that tests can show what survives.
//!
//! The points are the ones at which an owner of a task changes: they lie between two ports, so wrappers around
//! the ports reach them and no service knows of it. Set by `CHORUS_CRASH=<point>:<n>`; absent in normal use.

mod attempts;
mod bus;
mod limits;
mod upstream;

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use chorus_core::port::{Attempts, Bus, LimitState, Upstream};

/// Point at which the process kills itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    /// A lease was reserved.
    Reserve,
    /// A dispatch was committed.
    Dispatch,
    /// A dispatch was published.
    Publish,
    /// A worker claimed a delivery.
    Claim,
    /// A worker stored its offset.
    Offset,
    /// A provider's reply came in whole.
    Reply,
    /// A delivery was finished.
    Finish,
}

/// All points with their names.
const POINTS: [(&str, Point); 7] = [
    ("reserve", Point::Reserve),
    ("dispatch", Point::Dispatch),
    ("publish", Point::Publish),
    ("claim", Point::Claim),
    ("offset", Point::Offset),
    ("reply", Point::Reply),
    ("finish", Point::Finish),
];

/// A [`Point`] and how often it is passed before the process dies there.
#[derive(Debug)]
pub(crate) struct Crash {
    point: Point,
    left: AtomicU32,
}

impl FromStr for Crash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let names = || POINTS.map(|(name, _)| name).join(", ");
        let refusal = || {
            format!(
                "CHORUS_CRASH={text:?}: expected <point>:<n> with a point of {}",
                names()
            )
        };
        let (name, times) = text.split_once(':').ok_or_else(refusal)?;
        let (_, point) = POINTS
            .into_iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(refusal)?;
        let times: u32 = times
            .parse()
            .ok()
            .filter(|times| *times > 0)
            .ok_or_else(refusal)?;
        Ok(Self {
            point,
            left: AtomicU32::new(times),
        })
    }
}

impl Crash {
    /// Called after a point was reached; does not return when it is the one.
    fn reached(&self, point: Point) {
        if self.point == point && self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            die();
        }
    }
}

/// SIGKILL: no destructor runs, no buffer is flushed, as when the machine loses power.
fn die() -> ! {
    let me = std::process::id().to_string();
    let _ = std::process::Command::new("kill")
        .args(["-KILL", &me])
        .status();
    std::process::abort()
}

/// The ports through which the points are reached.
pub(crate) struct Wrapped {
    pub(crate) attempts: Arc<dyn Attempts>,
    pub(crate) limits: Arc<dyn LimitState>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) upstream: Arc<dyn Upstream>,
}

impl Wrapped {
    /// The same ports, which kill the process at the crash's point.
    pub(crate) fn with(self, crash: &Arc<Crash>) -> Self {
        Self {
            attempts: Arc::new(attempts::Wrap {
                inner: self.attempts,
                crash: Arc::clone(crash),
            }),
            limits: Arc::new(limits::Wrap {
                inner: self.limits,
                crash: Arc::clone(crash),
            }),
            bus: Arc::new(bus::Wrap {
                inner: self.bus,
                crash: Arc::clone(crash),
            }),
            upstream: Arc::new(upstream::Wrap {
                inner: self.upstream,
                crash: Arc::clone(crash),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_is_a_point_and_a_count() {
        let crash: Crash = "claim:3".parse().expect("a point and a count");
        assert_eq!((crash.point, crash.left.into_inner()), (Point::Claim, 3));
        for wrong in ["claim", "claim:0", "clam:1", ""] {
            let refusal = wrong.parse::<Crash>().expect_err(wrong);
            assert!(refusal.contains("expected <point>:<n>"), "{refusal}");
        }
    }
}
