//! One limit as a provider counts it ([`Meter`]).

use std::collections::VecDeque;

use chorus_core::limit::Dimension;
use chorus_core::time::Timestamp;

use super::{Arriving, Shown};

/// Way in which a provider's limit comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerWindow {
    /// Continuously, the whole amount in a minute.
    Bucket,
    /// By age: what was used in the last minute counts.
    Sliding,
    /// All at once, a day of this many milliseconds after the last time.
    Day(i64),
}

/// Amount and time of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charge {
    /// One, when the call arrives.
    One,
    /// Prompt, when the call arrives.
    Input,
    /// Output as it will be, when the call arrives.
    Output,
    /// The greater of `max_tokens` and the prompt, when the call arrives; kept.
    MaxOrInput,
    /// Prompt and `max_tokens` when the call arrives; prompt and this multiple of the output at the end.
    InputAndMax(u64),
    /// Output, as it is produced; a call is accepted while anything is left.
    Produced,
    /// Prompt and output, at the end; a call is accepted while anything is left.
    Settled,
}

const MINUTE_MS: f64 = 60_000.0;

/// One limit.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    dimension: Dimension,
    window: ServerWindow,
    amount: f64,
    charge: Charge,
    level: f64,
    at: Timestamp,
    /// Tokens that running calls produce in a millisecond.
    produced_per_ms: f64,
    /// Part of the refill that others use.
    others: f64,
    /// Charges of a sliding window.
    past: VecDeque<(Timestamp, f64)>,
    /// Start of the present day.
    day_began: Timestamp,
}

impl Meter {
    /// Limit that is full at `now`.
    pub(crate) fn new(
        dimension: Dimension,
        window: ServerWindow,
        amount: u64,
        charge: Charge,
        now: Timestamp,
    ) -> Self {
        Self {
            dimension,
            window,
            amount: amount as f64,
            charge,
            level: amount as f64,
            at: now,
            produced_per_ms: 0.0,
            others: 0.0,
            past: VecDeque::new(),
            day_began: now,
        }
    }

    pub(crate) const fn dimension(&self) -> Dimension {
        self.dimension
    }

    /// Amount that comes back in a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.amount * 1000.0 / MINUTE_MS * (1.0 - self.others)
    }

    /// Brings the level to `now`.
    pub(crate) fn refresh(&mut self, now: Timestamp) {
        let passed = now.since(self.at).0 as f64;
        match self.window {
            ServerWindow::Bucket => {
                let refill = self.amount / MINUTE_MS * (1.0 - self.others);
                let change = (refill - self.produced_per_ms) * passed;
                self.level = (self.level + change).min(self.amount);
            }
            ServerWindow::Sliding => {
                self.level -= self.produced_per_ms * passed;
                while let Some((_, amount)) = self
                    .past
                    .pop_front_if(|(at, _)| now.since(*at).0 as f64 >= MINUTE_MS)
                {
                    self.level += amount;
                }
            }
            ServerWindow::Day(length) => {
                self.level -= self.produced_per_ms * passed;
                while now.0 - self.day_began.0 >= length {
                    self.day_began.0 += length;
                    self.level = self.amount;
                }
            }
        }
        self.at = now;
    }

    /// Milliseconds until a call is accepted; none if it is accepted now. Needs a refreshed level.
    pub(crate) fn wait(&self, call: &Arriving) -> Option<f64> {
        let needed = match self.charge {
            Charge::Produced | Charge::Settled => 1.0,
            _ => self.at_arrival(call),
        };
        let missing = needed - self.level;
        if missing <= 0.0 {
            return None;
        }
        let per_ms = self.amount / MINUTE_MS * (1.0 - self.others);
        Some(match self.window {
            ServerWindow::Bucket => (missing / per_ms).ceil(),
            ServerWindow::Sliding => self.sliding_wait(missing),
            ServerWindow::Day(length) => (self.day_began.0 + length - self.at.0) as f64,
        })
    }

    fn sliding_wait(&self, mut missing: f64) -> f64 {
        for (at, amount) in &self.past {
            missing -= amount;
            if missing <= 0.0 {
                return MINUTE_MS - self.at.since(*at).0 as f64;
            }
        }
        MINUTE_MS
    }

    /// Charges an accepted call.
    pub(crate) fn arrive(&mut self, call: &Arriving, now: Timestamp) {
        let amount = match self.charge {
            Charge::Produced | Charge::Settled => 0.0,
            _ => self.at_arrival(call),
        };
        self.take(amount, now);
    }

    /// Output of a call is produced evenly from now until `ends`.
    pub(crate) fn produces(&mut self, call: &Arriving, ends: Timestamp, now: Timestamp) {
        if self.charge == Charge::Produced {
            self.refresh(now);
            self.produced_per_ms += per_ms(call, now, ends);
        }
    }

    /// A call whose first token came at `begun` is complete.
    pub(crate) fn finish(&mut self, call: &Arriving, begun: Timestamp, now: Timestamp) {
        self.refresh(now);
        match self.charge {
            Charge::Produced => {
                self.produced_per_ms = (self.produced_per_ms - per_ms(call, begun, now)).max(0.0);
            }
            Charge::Settled => self.take((call.input + call.output) as f64, now),
            Charge::InputAndMax(weight) => {
                let real = (call.input + weight * call.output) as f64;
                self.take(real - self.at_arrival(call), now);
                self.level = self.level.min(self.amount);
            }
            Charge::One | Charge::Input | Charge::Output | Charge::MaxOrInput => {}
        }
    }

    /// A refused call counts as a request.
    pub(crate) fn count_refused(&mut self, now: Timestamp) {
        if self.charge == Charge::One && self.level >= 1.0 {
            self.take(1.0, now);
        }
    }

    pub(crate) fn scale(&mut self, factor: f64, now: Timestamp) {
        self.refresh(now);
        self.amount *= factor;
        self.level = self.level.min(self.amount);
    }

    pub(crate) fn others_draw(&mut self, part: f64, now: Timestamp) {
        self.refresh(now);
        self.others = part;
    }

    /// The limit as headers show it: tokens are rounded to a multiple of `unit`.
    pub(crate) fn shown(&self, shows_limit: bool, unit: u64, now: Timestamp) -> Shown {
        let unit = if self.dimension == Dimension::Requests {
            1
        } else {
            unit
        };
        let remaining = (self.level.max(0.0) / unit as f64).round() * unit as f64;
        // Requests are counted whole.
        let remaining = if unit == 1 {
            self.level.max(0.0).floor()
        } else {
            remaining
        };
        let missing = (self.amount - self.level).max(0.0);
        Shown {
            dimension: self.dimension,
            limit: shows_limit.then_some(self.amount as u64),
            remaining: remaining as u64,
            full_at: Timestamp(now.0 + (missing / self.amount * MINUTE_MS) as i64),
            rounded_to: unit,
        }
    }

    fn at_arrival(&self, call: &Arriving) -> f64 {
        let amount = match self.charge {
            Charge::One => 1,
            Charge::Input => call.input,
            Charge::Output => call.output,
            Charge::MaxOrInput => call.max_tokens.max(call.input),
            Charge::InputAndMax(_) => call.input + call.max_tokens,
            Charge::Produced | Charge::Settled => 0,
        };
        amount as f64
    }

    fn take(&mut self, amount: f64, now: Timestamp) {
        self.level -= amount;
        if self.window == ServerWindow::Sliding && amount != 0.0 {
            self.past.push_back((now, amount));
        }
    }
}

fn per_ms(call: &Arriving, from: Timestamp, until: Timestamp) -> f64 {
    call.output as f64 / until.since(from).0.max(1) as f64
}
