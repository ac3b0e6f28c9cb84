//! Model check of the rule for slots of calls whose process ended: every state of a small model is visited.
//!
//! The model has one account with two slots, processes that crash and are replaced, and time in ticks. Its provider
//! counts a call while the connection is open, and for at most a grace after it closed; a call may take any length up
//! to its deadline. The ledger holds a slot as the rule says. `chorus_dispatcher::restoration` and `End::Lost` carry
//! out what is checked here.

use std::collections::{BTreeSet, VecDeque};

/// Slots of the account.
const SLOTS: usize = 2;
/// Ticks for which the provider may count a call after its connection closed.
const GRACE: u8 = 2;
/// Ticks from the claim of a call to its deadline, the grace included.
const DEADLINE: u8 = 8;
/// Ticks after a crash within which another process takes the data over.
const TAKEN_OVER_WITHIN: u8 = 2;

/// Time at which a slot comes back after the process of its call ended or fell silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// The grace after the takeover, which proves the end of every earlier process.
    GraceAfterTakeover,
    /// At the takeover.
    AtTakeover,
    /// The grace after the claim of the call.
    GraceAfterClaim,
    /// The deadline of the call.
    AtDeadline,
    /// Never.
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    /// Ticks since the claim.
    age: u8,
    /// Ticks for which the provider still counts the call after its connection closed; none while it is open.
    closed: Option<u8>,
    /// True while the provider counts the call.
    counted: bool,
    /// Ticks until the ledger frees the slot of a call without its process; none while its process lives.
    frees_in: Option<u8>,
    /// True while the ledger holds the slot.
    held: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    calls: Vec<Call>,
    /// Ticks since the crash; none while a process lives.
    down: Option<u8>,
    /// Crashes that may still come.
    crashes: u8,
}

/// What a rule did wrong, or the longest time for which a slot was held without need.
#[derive(Debug, PartialEq, Eq)]
enum Finding {
    /// The provider counted more calls than it has slots.
    Passed,
    /// A slot was held at its deadline.
    Kept,
    /// No call could be made for this number of ticks at most after a takeover.
    Sound { longest_wait: u8 },
}

impl State {
    fn held(&self) -> usize {
        self.calls.iter().filter(|call| call.held).count()
    }

    fn counted(&self) -> usize {
        self.calls.iter().filter(|call| call.counted).count()
    }

    /// Forgets calls that neither side counts.
    fn forget(mut self) -> Self {
        self.calls.retain(|call| call.held || call.counted);
        self.calls.sort_unstable();
        self
    }

    /// Returns every state after one step: a call, the end of a call, a crash, a takeover, a tick.
    fn next(&self, rule: Rule) -> Vec<Self> {
        let mut next = Vec::new();
        if self.down.is_none() {
            if self.held() < SLOTS {
                let mut called = self.clone();
                called.calls.push(Call {
                    age: 0,
                    closed: None,
                    counted: true,
                    frees_in: None,
                    held: true,
                });
                next.push(called);
            }
            for place in 0..self.calls.len() {
                if self.calls[place].closed.is_none() {
                    let mut ended = self.clone();
                    (ended.calls[place].counted, ended.calls[place].held) = (false, false);
                    next.push(ended);
                }
            }
        }
        if self.down.is_none() && self.crashes > 0 {
            let mut crashed = self.clone();
            (crashed.down, crashed.crashes) = (Some(0), self.crashes - 1);
            for call in &mut crashed.calls {
                call.closed = call.closed.or(Some(GRACE));
            }
            next.push(crashed);
        }
        if self.down.is_some() {
            next.push(self.taken_over(rule));
        }
        next.extend(self.ticks());
        next.into_iter().map(Self::forget).collect()
    }

    fn taken_over(&self, rule: Rule) -> Self {
        let mut taken = self.clone();
        taken.down = None;
        for call in taken.calls.iter_mut().filter(|call| call.held) {
            let left = DEADLINE - call.age;
            let frees_in = match rule {
                Rule::GraceAfterTakeover => GRACE.min(left),
                Rule::AtTakeover => 0,
                Rule::GraceAfterClaim => GRACE.saturating_sub(call.age),
                Rule::AtDeadline => left,
                Rule::Never => u8::MAX,
            };
            call.frees_in = Some(
                call.frees_in
                    .map_or(frees_in, |before| before.min(frees_in)),
            );
            call.held = call.frees_in != Some(0);
        }
        taken
    }

    /// Returns the states after one tick; the provider may stop counting a closed call at any of its ticks.
    fn ticks(&self) -> Vec<Self> {
        if self.down.is_some_and(|down| down >= TAKEN_OVER_WITHIN) {
            return Vec::new();
        }
        let mut slow = self.clone();
        slow.down = slow.down.map(|down| down + 1);
        for call in &mut slow.calls {
            call.age = call.age.saturating_add(1).min(DEADLINE);
            call.closed = call.closed.map(|left| left.saturating_sub(1));
            call.counted &= call.closed != Some(0);
            call.frees_in = call.frees_in.map(|left| left.saturating_sub(1));
            call.held &= call.frees_in != Some(0);
            if call.closed.is_none() && call.age >= DEADLINE - GRACE {
                // The call is cut at its deadline by its own process.
                (call.counted, call.held) = (false, false);
            }
        }
        let mut quick = slow.clone();
        for call in quick.calls.iter_mut().filter(|call| call.closed.is_some()) {
            call.counted = false;
        }
        vec![slow, quick]
    }
}

/// Visits every state that a rule reaches.
fn check(rule: Rule) -> Finding {
    let start = State {
        calls: Vec::new(),
        down: None,
        crashes: 2,
    };
    let mut seen = BTreeSet::from([start.clone()]);
    let mut ahead = VecDeque::from([start]);
    let mut longest_wait = 0;
    while let Some(state) = ahead.pop_front() {
        if state.counted() > SLOTS {
            return Finding::Passed;
        }
        let orphans = || {
            state
                .calls
                .iter()
                .filter(|call| call.held && call.frees_in.is_some())
        };
        if orphans().any(|call| call.age >= DEADLINE) {
            return Finding::Kept;
        }
        longest_wait = orphans()
            .filter_map(|call| call.frees_in)
            .fold(longest_wait, u8::max);
        for next in state.next(rule) {
            if seen.insert(next.clone()) {
                ahead.push_back(next);
            }
        }
    }
    assert!(seen.len() > 1_000, "the model has {} states", seen.len());
    Finding::Sound { longest_wait }
}

#[test]
fn a_slot_comes_back_after_the_grace_that_follows_the_takeover() {
    let longest_wait = GRACE;
    assert_eq!(
        check(Rule::GraceAfterTakeover),
        Finding::Sound { longest_wait }
    );
}

#[test]
fn a_slot_that_comes_back_earlier_passes_the_limit() {
    assert_eq!(check(Rule::AtTakeover), Finding::Passed);
    assert_eq!(check(Rule::GraceAfterClaim), Finding::Passed);
}

#[test]
fn a_slot_that_waits_for_its_deadline_is_sound_and_slow() {
    let Finding::Sound { longest_wait } = check(Rule::AtDeadline) else {
        panic!("it is safe");
    };
    assert!(longest_wait > GRACE, "{longest_wait}");
    assert_eq!(check(Rule::Never), Finding::Kept);
}
