//! One account at a provider ([`Server`]), as `reference/limits.md` 1.1 and 1.3 describe providers. It shares no
//! code with the limiter: what the limiter believes is compared with what this refuses.

mod meter;

use chorus_core::failure::FailureClass;
use chorus_core::limit::Dimension;
use chorus_core::time::{Millis, Timestamp};

use super::fleet::{Amounts, Charging, DAILY};
use super::router::{Failure, Shown};
pub(crate) use meter::{Charge, Meter, ServerWindow};

/// A call as it arrives at a server.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Arriving {
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) max_tokens: u64,
    pub(crate) first_token: Millis,
    pub(crate) took: Millis,
}

/// Answer to an arriving call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Accepted {
        shown: Vec<Shown>,
        first_token: Millis,
        took: Millis,
        /// True if the stream breaks at the end of `took`.
        breaks: bool,
    },
    Refused(Failure),
}

/// Limits that headers of replies and refusals show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum LimitHeaders {
    /// Limits and what remains, on replies and refusals.
    #[default]
    All,
    /// What remains, and the wait on refusals, but not the limits.
    Remaining,
    /// Nothing at all.
    Nothing,
}

/// Way in which an account is sick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Illness {
    /// Its key is refused: 401.
    KeyRefused,
    /// It may not use the model: 403 or 404.
    Forbidden,
    /// It has no money: 402.
    OutOfMoney,
    /// It answers 500 to every call.
    Failing,
    /// Every reply breaks in the middle.
    Breaking,
    /// Every reply takes six times as long.
    Slow,
}

impl Illness {
    /// All ways.
    pub(crate) const ALL: [Self; 6] = [
        Self::KeyRefused,
        Self::Forbidden,
        Self::OutOfMoney,
        Self::Failing,
        Self::Breaking,
        Self::Slow,
    ];

    /// Name in cells and tables.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::KeyRefused => "key",
            Self::Forbidden => "forbidden",
            Self::OutOfMoney => "money",
            Self::Failing => "failing",
            Self::Breaking => "breaking",
            Self::Slow => "slow",
        }
    }
}

/// Account at a provider.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    meters: Vec<Meter>,
    slots: Option<u64>,
    running: u64,
    pub(crate) headers: LimitHeaders,
    pub(crate) illness: Option<Illness>,
    pub(crate) overloaded_until: Option<Timestamp>,
    /// Age that the figures in headers may have.
    pub(crate) lag: Millis,
    /// True if a refused call counts as a request.
    refused_counts: bool,
    /// Unit of the waits on refusals, in milliseconds.
    wait_unit: u64,
    rounded_to: u64,
    last_shown: Option<(Timestamp, Vec<Shown>)>,
}

impl Server {
    /// Account with these amounts, full at `now`.
    pub(crate) fn new(amounts: Amounts, charging: Charging, now: Timestamp) -> Self {
        let bucket = |dimension, amount, charge| {
            Meter::new(dimension, ServerWindow::Bucket, amount, charge, now)
        };
        let requests = bucket(Dimension::Requests, amounts.requests, Charge::One);
        let input = bucket(Dimension::InputTokens, amounts.input, Charge::Input);
        let output = |charge| bucket(Dimension::OutputTokens, amounts.output, charge);
        let (meters, refused_counts, wait_unit, rounded_to) = match charging {
            Charging::Admission => (vec![requests, input, output(Charge::Output)], false, 1, 1),
            Charging::Anthropic => (
                vec![requests, input, output(Charge::Produced)],
                false,
                1_000,
                1_000,
            ),
            Charging::Openai => {
                let amount = amounts.input + amounts.output;
                let total = bucket(Dimension::TotalTokens, amount, Charge::MaxOrInput);
                (vec![requests, total], true, 1, 1)
            }
            Charging::Mistral => {
                let sliding = |dimension, amount, charge| {
                    Meter::new(dimension, ServerWindow::Sliding, amount, charge, now)
                };
                let amount = amounts.input + amounts.output;
                let requests = sliding(Dimension::Requests, amounts.requests, Charge::One);
                let total = sliding(Dimension::TotalTokens, amount, Charge::Settled);
                (vec![requests, total], false, 1_000, 1)
            }
            Charging::Bedrock => {
                let amount = amounts.input + 5 * amounts.output;
                let total = bucket(Dimension::TotalTokens, amount, Charge::InputAndMax(5));
                (vec![total], false, 1, 1)
            }
            Charging::Gemini => {
                let window = ServerWindow::Day(86_400_000);
                let amount = amounts.requests * DAILY;
                let day = Meter::new(Dimension::Requests, window, amount, Charge::One, now);
                (vec![requests, input, day], false, 1_000, 1)
            }
            Charging::Deepseek => (Vec::new(), false, 1, 1),
        };
        // Some providers have no headers.
        let headers = match charging {
            Charging::Bedrock | Charging::Gemini | Charging::Deepseek => LimitHeaders::Nothing,
            _ => LimitHeaders::All,
        };
        Self {
            headers,
            refused_counts,
            wait_unit,
            rounded_to,
            ..Self::of(meters, Some(amounts.slots))
        }
    }

    /// Account with any meters.
    pub(crate) fn of(meters: Vec<Meter>, slots: Option<u64>) -> Self {
        Self {
            meters,
            slots,
            running: 0,
            headers: LimitHeaders::All,
            illness: None,
            overloaded_until: None,
            lag: Millis::ZERO,
            refused_counts: false,
            wait_unit: 1,
            rounded_to: 1,
            last_shown: None,
        }
    }

    /// A call arrives. It is charged and runs, or it is refused.
    pub(crate) fn arrive(&mut self, call: &Arriving, now: Timestamp) -> Answer {
        if let Some(class) = self.fails_with(now) {
            return Answer::Refused(failure(class));
        }
        if self.slots.is_some_and(|slots| self.running >= slots) {
            let shown = self.shown(now);
            return Answer::Refused(Failure {
                shown,
                ..failure(FailureClass::Concurrency)
            });
        }
        let waits = self.meters.iter_mut().filter_map(|meter| {
            meter.refresh(now);
            meter.wait(call)
        });
        if let Some(wait) = waits.max_by(f64::total_cmp) {
            return Answer::Refused(self.refuse(wait, now));
        }
        for meter in &mut self.meters {
            meter.arrive(call, now);
        }
        self.running += 1;
        let breaks = self.illness == Some(Illness::Breaking);
        let factor = if self.illness == Some(Illness::Slow) {
            6
        } else {
            1
        };
        let took = if breaks {
            Millis(u64::midpoint(call.first_token.0, call.took.0))
        } else {
            Millis(call.took.0 * factor)
        };
        Answer::Accepted {
            shown: self.shown(now),
            first_token: Millis(call.first_token.0 * factor).min(took),
            took,
            breaks,
        }
    }

    /// The first token of an accepted call is produced; the rest follows evenly until `ends`.
    pub(crate) fn first_token(&mut self, call: &Arriving, ends: Timestamp, now: Timestamp) {
        for meter in &mut self.meters {
            meter.produces(call, ends, now);
        }
    }

    /// An accepted call is complete. `begun` is the time of its first token.
    pub(crate) fn finish(&mut self, call: &Arriving, begun: Timestamp, now: Timestamp) {
        for meter in &mut self.meters {
            meter.finish(call, begun, now);
        }
        self.running = self.running.saturating_sub(1);
    }

    /// All amounts that come back by time change by this factor.
    pub(crate) fn scale_limits(&mut self, factor: f64, now: Timestamp) {
        for meter in &mut self.meters {
            meter.scale(factor, now);
        }
    }

    /// From now on, others use this part of what comes back.
    pub(crate) fn others_draw(&mut self, part: f64, now: Timestamp) {
        for meter in &mut self.meters {
            meter.others_draw(part, now);
        }
    }

    /// Requests, prompt tokens and produced tokens a second, and slots; without limit where it has none.
    pub(crate) fn rates(&self) -> (f64, f64, f64, f64) {
        let of = |wanted: &[Dimension]| {
            let meters = self.meters.iter();
            let named = meters.filter(|meter| wanted.contains(&meter.dimension()));
            named.map(Meter::per_second).fold(f64::INFINITY, f64::min)
        };
        (
            of(&[Dimension::Requests]),
            of(&[Dimension::InputTokens, Dimension::TotalTokens]),
            of(&[Dimension::OutputTokens, Dimension::TotalTokens]),
            self.slots.map_or(f64::INFINITY, |slots| slots as f64),
        )
    }

    fn fails_with(&self, now: Timestamp) -> Option<FailureClass> {
        if self.overloaded_until.is_some_and(|until| until > now) {
            return Some(FailureClass::Overload);
        }
        match self.illness? {
            Illness::KeyRefused => Some(FailureClass::Auth),
            Illness::Forbidden => Some(FailureClass::Forbidden),
            Illness::OutOfMoney => Some(FailureClass::Spend),
            Illness::Failing => Some(FailureClass::Transient),
            Illness::Breaking | Illness::Slow => None,
        }
    }

    fn refuse(&mut self, wait: f64, now: Timestamp) -> Failure {
        if self.refused_counts {
            for meter in &mut self.meters {
                meter.count_refused(now);
            }
        }
        let wait = (wait.clamp(1.0, 86_400_000.0)) as u64;
        let has_headers = self.headers != LimitHeaders::Nothing;
        Failure {
            retry_after: has_headers.then_some(Millis(
                wait.div_ceil(self.wait_unit).max(1) * self.wait_unit,
            )),
            shown: self.shown(now),
            ..failure(FailureClass::RateWindow)
        }
    }

    /// Limits as headers show them now.
    fn shown(&mut self, now: Timestamp) -> Vec<Shown> {
        if self.headers == LimitHeaders::Nothing {
            return Vec::new();
        }
        if let Some((at, shown)) = &self.last_shown
            && now.since(*at) < self.lag
        {
            return shown.clone();
        }
        let (shows_limits, unit) = (self.headers == LimitHeaders::All, self.rounded_to);
        let shown: Vec<Shown> = self
            .meters
            .iter_mut()
            .map(|meter| {
                meter.refresh(now);
                meter.shown(shows_limits, unit, now)
            })
            .collect();
        self.last_shown = Some((now, shown.clone()));
        shown
    }
}

fn failure(class: FailureClass) -> Failure {
    Failure {
        class,
        retry_after: None,
        shown: Vec::new(),
        produced: 0,
    }
}

#[cfg(test)]
mod tests;
