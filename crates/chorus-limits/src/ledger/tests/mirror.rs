//! The ledger beside an exact server, at thousands of tokens a second, with a header for every call.

use std::sync::Arc;

use chorus_core::id::{Holder, LeaseId};
use chorus_core::limit::{
    Dimension, Limit, LimitSignals, ObservedLevel, QuotaGroup, ReserveRule, Reserved,
};
use chorus_core::time::Timestamp;
use proptest::prelude::*;

use super::{MINUTE, demand, group, limit, limits, used};
use crate::ledger::{Ledger, Start};

const MINUTE_MS: i64 = 60_000;
const INPUT: i64 = 300_000;
const OUTPUT: i64 = 120_000;
const TRAVEL: i64 = 500;

/// A call: gap to the one before, travel, time to the first byte, time from there to the end, tokens.
#[derive(Debug, Clone, Copy)]
struct Call {
    gap: i64,
    travel: i64,
    first: i64,
    rest: i64,
    input: i64,
    output: i64,
}

impl Call {
    /// Returns the tokens produced until a time after the arrival.
    fn produced(&self, after: i64) -> i64 {
        let spent = (after - self.first).clamp(0, self.rest);
        self.output * spent / self.rest.max(1)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrives,
    FirstByte { input: i64, output: i64 },
    Ends,
}

/// Server that charges prompts when they arrive and output while it is produced, or all at the arrival.
struct Server {
    calls: Vec<(i64, Call)>,
    arrived: Vec<(i64, Call)>,
    /// Output of the calls that ended.
    ended: i64,
    at_once: bool,
}

impl Server {
    /// Returns what is left, in tokens: refill since the start less all charges. Levels never reach the top.
    fn left(&self, now: i64) -> (i64, i64) {
        let charged = |(at, call): &(i64, Call)| {
            if self.at_once {
                call.output
            } else {
                call.produced(now - at)
            }
        };
        let input: i64 = self.arrived.iter().map(|(_, call)| call.input).sum();
        let output: i64 = self.arrived.iter().map(charged).sum();
        (
            now * INPUT / MINUTE_MS - input,
            now * OUTPUT / MINUTE_MS - output,
        )
    }

    /// Returns the most that calls can have brought that were sent while another travelled: its header may
    /// show them, and the ledger counts them as later.
    fn overtaking(&self) -> (i64, i64) {
        let after = |sent_at: i64| {
            let later = self
                .calls
                .iter()
                .filter(move |(at, _)| *at >= sent_at && *at <= sent_at + TRAVEL);
            later.fold((0, 0), |(input, output), (_, call)| {
                (input + call.input, output + call.output)
            })
        };
        let each = self.calls.iter().map(|(at, _)| after(*at));
        each.fold((0, 0), |most, one| (most.0.max(one.0), most.1.max(one.1)))
    }

    /// Returns what the ledger should have: calls under way are charged with their prompt, and not yet with
    /// what they produce.
    fn counted(&self, now: i64) -> (i64, i64) {
        let input: i64 = self.calls.iter().map(|(_, call)| call.input).sum();
        let output = self.ended;
        (
            now * INPUT / MINUTE_MS - input,
            now * OUTPUT / MINUTE_MS - output,
        )
    }
}

/// Calls under way beside the ledger and the server that count them.
struct Play<'a> {
    calls: &'a [Call],
    group: Arc<QuotaGroup>,
    ledger: Ledger,
    server: Server,
    /// Events to come: time, call by its number, and the time at which the call was sent.
    ahead: Vec<(i64, Event, usize, i64)>,
    now: i64,
    /// Number of headers that the ledger has read.
    headers: u32,
}

impl<'a> Play<'a> {
    fn new(calls: &'a [Call], at_once: bool) -> Self {
        let reserve = if at_once {
            ReserveRule::Estimate
        } else {
            ReserveRule::AsProduced
        };
        let mut ledger = Ledger::new(Start::Empty);
        ledger.expire(Timestamp(0));
        Self {
            calls,
            group: group(vec![
                limit(Dimension::InputTokens, INPUT.unsigned_abs(), MINUTE),
                Limit {
                    reserve,
                    ..limit(Dimension::OutputTokens, OUTPUT.unsigned_abs(), MINUTE)
                },
            ]),
            ledger,
            server: Server {
                calls: Vec::new(),
                arrived: Vec::new(),
                ended: 0,
                at_once,
            },
            ahead: Vec::new(),
            now: 0,
            headers: 0,
        }
    }

    /// Sends a call if it fits; returns the time at which it may fit otherwise.
    fn offer(&mut self, number: usize) -> Result<Option<i64>, TestCaseError> {
        let (call, now) = (self.calls[number], self.now);
        let (input, output) = (call.input.unsigned_abs(), call.output.unsigned_abs());
        let mut ask = demand(number as u128 + 1, &self.group, input, output);
        ask.not_after = Timestamp(i64::MAX / 4);
        match self.ledger.reserve(&ask, Timestamp(now)) {
            Reserved::Granted(lease) => {
                let deadline = Timestamp(i64::MAX / 4);
                self.ledger
                    .send(lease.id, &Holder::new("one"), deadline, Timestamp(now));
                self.server.calls.push((now, call));
                self.ahead
                    .push((now + call.travel, Event::Arrives, number, now));
                Ok(None)
            }
            Reserved::Wait { at, .. } => Ok(Some(at.map_or(i64::MAX, |at| at.0))),
            Reserved::Never(why) => Err(TestCaseError::fail(why)),
        }
    }

    /// Plays the next event.
    fn step(&mut self) -> Result<(), TestCaseError> {
        let (now, event, number, sent_at) = self.ahead.remove(0);
        self.now = now;
        let (call, lease) = (self.calls[number], LeaseId::new(number as u128 + 1));
        match event {
            Event::Arrives => {
                self.server.arrived.push((now, call));
                let (input, output) = self.server.left(now);
                let shown = Event::FirstByte { input, output };
                self.ahead.push((now + call.first, shown, number, sent_at));
            }
            Event::FirstByte { input, output } => {
                let signals = signals(sent_at, input, output);
                self.ledger.observe(lease, &signals, Timestamp(now));
                self.ahead
                    .push((now + call.rest, Event::Ends, number, sent_at));
                self.headers += 1;
            }
            Event::Ends => {
                self.server.ended += call.output;
                let (input, output) = (call.input.unsigned_abs(), call.output.unsigned_abs());
                self.ledger.end(lease, &used(input, output), Timestamp(now));
            }
        }
        self.compare(event)
    }

    /// Compares the levels of the ledger with those of the server.
    fn compare(&mut self, event: Event) -> Result<(), TestCaseError> {
        let now = self.now;
        let (input, output) = self.server.counted(now);
        let (input_behind, output_behind) = self.server.overtaking();
        let truths = [(input, input_behind), (output, output_behind)];
        let levels = limits(&mut self.ledger, now);
        for (level, (truth, behind)) in levels.iter().zip(truths) {
            let own = level.room + level.held;
            prop_assert!(
                own <= truth + 2,
                "{own} for {truth} after {event:?} at {now}: {level:?}"
            );
            prop_assert!(
                own >= truth - behind - 2,
                "{own} for {truth}, {behind} may travel, after {event:?} at {now}: {level:?}"
            );
        }
        Ok(())
    }
}

/// Headers of a reply to a call that was sent at this time.
fn signals(sent_at: i64, input: i64, output: i64) -> LimitSignals {
    let level = |dimension, remaining: i64| ObservedLevel {
        dimension,
        limit: None,
        remaining: Some(remaining.max(0).unsigned_abs()),
        full_at: None,
        rounded_to: 1,
        window: None,
    };
    LimitSignals {
        sent_at: Timestamp(sent_at),
        failure: None,
        retry_after: None,
        levels: vec![
            level(Dimension::InputTokens, input),
            level(Dimension::OutputTokens, output),
        ],
    }
}

/// Plays calls as they fit, and compares the ledger with the server after each event. Returns the number of headers.
fn play(calls: &[Call], at_once: bool) -> Result<u32, TestCaseError> {
    let mut play = Play::new(calls, at_once);
    let mut next = 0;
    let mut not_before = calls.first().map_or(0, |call| call.gap);
    while next < calls.len() || !play.ahead.is_empty() {
        play.ahead.sort_unstable();
        let mut wake = i64::MAX;
        if not_before > play.now && next < calls.len() {
            wake = not_before;
        } else if next < calls.len() {
            if let Some(at) = play.offer(next)? {
                wake = at;
            } else {
                next += 1;
                not_before = play.now + calls.get(next).map_or(0, |call| call.gap);
                continue;
            }
        }
        if play.ahead.first().map_or(i64::MAX, |event| event.0) > wake {
            play.now = wake;
        } else {
            play.step()?;
        }
    }
    Ok(play.headers)
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let call = (
        0..120_i64,
        0..TRAVEL,
        50..4_000_i64,
        200..12_000_i64,
        100..4_000_i64,
        50..1_500_i64,
    );
    let call = call.prop_map(|(gap, travel, first, rest, input, output)| Call {
        gap,
        travel,
        first,
        rest,
        input,
        output,
    });
    prop::collection::vec(call, 20..160)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn headers_move_an_exact_ledger_by_what_travels_at_most_while_output_is_charged_as_it_is_produced(calls in calls()) {
        prop_assert!(play(&calls, false)? > 0);
    }

    #[test]
    fn headers_move_an_exact_ledger_by_what_travels_at_most_where_everything_is_charged_at_the_start(calls in calls()) {
        prop_assert!(play(&calls, true)? > 0);
    }
}
