//! What must hold in every world, whatever goes wrong: the monitor behind the faults sees each operation at the
//! moment it is done and holds the rows, the limiter's books and the calls against its own account of them.
//!
//! The invariants are those of the model-checked protocol (I1 to I8). The first violation ends a run. What can
//! only be judged when everything is over is in `end`.

mod arrows;
mod calls;
mod end;
mod leases;
mod money;
mod plan;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use chorus_core::attempt::{Claim, Finish};
use chorus_core::id::{ProjectId, Version};
use chorus_core::time::Timestamp;
use chorus_limits::Level;
use chorus_store::rows::Rows;

use crate::executor::Timeline;
use crate::log::Log;

pub use calls::{CallStart, Calls};
pub use end::Ending;
pub use leases::{LeaseOperation, Leases};

/// A rule that no world may break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// At most one attempt of a task succeeds (I1).
    OneSuccess,
    /// The word of a fenced holder is never recorded (I1).
    FencedReport,
    /// A claim is granted only at the record's epoch, to one holder (I4).
    OneClaim,
    /// Rows change along the arrows of their machine only.
    Arrows,
    /// Epochs only grow, and every requeue raises its attempt's (I4).
    EpochGrows,
    /// Nothing leaves a terminal state (I5).
    TerminalAbsorbs,
    /// A child is ready only when its parents' policy holds (I6).
    ParentPolicy,
    /// A ready task and its attempt appear together, one live attempt a task (I6).
    ReadyHasAttempt,
    /// A decision changes only the version that it was made on.
    OneWriter,
    /// A record is folded once.
    FoldedOnce,
    /// One call in flight for each epoch (I4).
    OneCallPerEpoch,
    /// No call without a lease that was sent and has not expired, and none outlives its lease (I3).
    CallNeedsLease,
    /// No lease draws two calls (I3).
    OneCallPerLease,
    /// Only one holder sends a lease, and only while it is reserved (I3).
    SentOnce,
    /// The limiter's own count never passes a limit (I7).
    LimiterCount,
    /// The limiter's books say what leases and calls make them: nothing charged twice, nothing given back that was used (I3).
    LedgerBalance,
    /// The provider's own count of calls in flight never passes its limit (I7).
    ProviderCount,
    /// Money set aside and spent is the sum over the deliveries.
    Money,
    /// No dispatch beyond the budget.
    Budget,
    /// At the end nothing is reserved, held, or unsent.
    NothingLeft,
    /// Every provider call is told of by a delivery's row, and every row's usage by its call.
    CallsAccounted,
    /// Every accepted project ends in bounded time after the last fault (I2).
    NoProjectLost,
    /// No paid call is thrown away when only the store and dispatchers failed (I8).
    PaidCallKept,
    /// The deliverable's bytes are those of the undisturbed run.
    SameDeliverable,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// An invariant that was broken, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// What was seen.
    pub what: String,
}

impl Violation {
    /// A violation with these words.
    pub fn new(invariant: Invariant, what: impl Into<String>) -> Self {
        Self {
            invariant,
            what: what.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

/// A operation at the store whose answer says more than the rows do.
#[derive(Debug, Clone, Copy)]
pub enum RowOperation<'a> {
    /// A claim was granted.
    Claimed(&'a Claim),
    /// A finish was said to be recorded.
    Finished(&'a Finish),
    /// A decision was said to be committed.
    Committed {
        /// The project.
        project: ProjectId,
        /// The version that it was made on.
        expected: Version,
        /// What it folds.
        folded: &'a [chorus_core::id::EventId],
    },
    /// Anything else.
    Other,
}

/// Watches one world.
pub struct Monitor {
    timeline: Arc<Timeline>,
    log: Arc<Log>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    violation: Option<Violation>,
    arrows: arrows::Arrows,
    plan: plan::Plans,
    leases: Leases,
    calls: Calls,
}

impl Monitor {
    /// A monitor that has seen nothing yet.
    pub fn new(timeline: &Arc<Timeline>, log: &Arc<Log>) -> Arc<Self> {
        Arc::new(Self {
            timeline: Arc::clone(timeline),
            log: Arc::clone(log),
            state: Mutex::default(),
        })
    }

    /// The first violation, if there was one.
    pub fn violation(&self) -> Option<Violation> {
        self.lock().violation.clone()
    }

    /// Looks at the rows after a operation.
    pub fn rows(&self, operation: RowOperation<'_>, rows: &Rows) {
        self.judge(|state, _| {
            state.arrows.look(operation, rows)?;
            state.plan.look(operation, rows)?;
            money::look(rows)
        });
    }

    /// Looks at the limiter's books after a operation.
    pub fn limits(&self, operation: &LeaseOperation<'_>, levels: &[Level]) {
        self.judge(|state, now| state.leases.look(operation, levels, now));
    }

    /// The limiter forgot everything.
    pub fn flushed(&self) {
        self.lock().leases.flush();
    }

    /// In this world no lease expires by itself.
    pub fn leases_never_expire(&self) {
        self.lock().leases.never_expire();
    }

    /// A request reached a provider.
    pub fn call_started(&self, call: &CallStart<'_>, rows: &Rows) {
        self.judge(|state, now| state.calls.start(call, &mut state.leases, rows, now));
    }

    /// The connection of a call is over.
    pub fn call_ended(&self, reference: &str) {
        let State { calls, leases, .. } = &mut *self.lock();
        calls.end(reference, leases);
    }

    /// Judges the whole run when everything is over.
    pub fn end(&self, ending: &Ending<'_>) {
        self.judge(|state, now| end::judge(ending, state, now));
    }

    /// Breaks an invariant from outside.
    pub fn report(&self, violation: Violation) {
        self.judge(|_, _| Err(violation));
    }

    fn judge(&self, look: impl FnOnce(&mut State, Timestamp) -> Result<(), Violation>) {
        let now = self.timeline.now();
        let mut state = self.lock();
        if state.violation.is_some() {
            return;
        }
        if let Err(violation) = look(&mut state, now) {
            self.log
                .note("monitor", format_args!("VIOLATION {violation}"));
            state.violation = Some(violation);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("one thread alone watches")
    }
}

#[cfg(test)]
mod tests;
