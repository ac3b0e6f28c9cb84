//! Limits of one organisation on one group of models, with the calls that draw on them.
//!
//! Each provider charges in its own way: OpenAI at entry, Anthropic's output as it is produced,
//! DeepSeek by calls in flight. The provider's own count is exact and is shown at `/_sim/limits`.

use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use super::call::CallId;
use crate::config::Limits;

/// All limits of one organisation on one group of models.
#[derive(Debug, Clone)]
pub struct Quota {
    requests: Option<Bucket>,
    input: Option<Bucket>,
    output: Option<Bucket>,
    total: Option<Bucket>,
    slots: Option<u64>,
    flights: Vec<Flight>,
    peak_flights: u64,
    admitted: u64,
    refused: u64,
}

/// Counted dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// Calls.
    Requests,
    /// Prompt tokens.
    InputTokens,
    /// Output tokens.
    OutputTokens,
    /// Prompt and output tokens, as OpenAI counts them.
    Tokens,
    /// Calls in flight.
    Concurrency,
}

/// Amounts that a call draws in [`Quota::admit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// Prompt tokens.
    pub input: u64,
    /// Tokens charged at entry if prompt and reply share a limit.
    pub total: u64,
}

/// Limit of a [`Quota`] that a call exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// Dimension of the limit.
    pub counted: Counted,
    /// Amount of the limit.
    pub limit: u64,
    /// Amount in use.
    pub used: u64,
    /// Amount that the call requested.
    pub requested: u64,
    /// Milliseconds until the call fits; `None` if it never does.
    pub wait_ms: Option<u64>,
}

/// Level of one limit of a [`Quota`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Dimension of the limit.
    pub counted: Counted,
    /// Amount of the limit.
    pub limit: u64,
    /// Amount left.
    pub remaining: u64,
    /// Milliseconds until the limit is full.
    pub full_in_ms: u64,
}

/// The provider's own count of one limit of a [`Quota`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Peak {
    /// Dimension of the limit.
    pub counted: Counted,
    /// Amount of the limit.
    pub limit: u64,
    /// Maximum amount in use at one moment.
    pub peak: u64,
}

/// A call in progress, or one with an end that the client does not know yet.
#[derive(Debug, Clone, Copy)]
pub struct Flight {
    /// Number of the call.
    pub call: CallId,
    /// Time of the first token.
    pub from_ms: u64,
    /// Time of the last token.
    pub until_ms: u64,
    /// Number of output tokens.
    pub output: u64,
    charged: u64,
    over_ms: Option<u64>,
}

impl Flight {
    /// Creates a call that produces its tokens evenly between two moments.
    pub const fn new(call: CallId, from_ms: u64, until_ms: u64, output: u64) -> Self {
        Self {
            call,
            from_ms,
            until_ms,
            output,
            charged: 0,
            over_ms: None,
        }
    }

    fn produced(&self, now_ms: u64) -> u64 {
        let end = self.over_ms.map_or(now_ms, |over| over.min(now_ms));
        if end >= self.until_ms {
            return self.output;
        }
        let span = self.until_ms.saturating_sub(self.from_ms).max(1);
        let done = u128::from(self.output) * u128::from(end.saturating_sub(self.from_ms))
            / u128::from(span);
        u64::try_from(done).unwrap_or(self.output)
    }
}

impl Quota {
    /// Creates full limits; a minute lasts `minute_ms`.
    pub fn new(limits: Limits, minute_ms: u64, now_ms: u64) -> Self {
        let bucket =
            |amount: Option<u64>| amount.map(|amount| Bucket::full(amount, minute_ms, now_ms));
        Self {
            requests: bucket(limits.requests_per_minute),
            input: bucket(limits.input_tokens_per_minute),
            output: bucket(limits.output_tokens_per_minute),
            total: bucket(limits.tokens_per_minute),
            slots: limits.concurrency,
            flights: Vec::new(),
            peak_flights: 0,
            admitted: 0,
            refused: 0,
        }
    }

    /// Advances every limit to a later moment.
    pub fn advance(&mut self, now_ms: u64) {
        let mut moments: Vec<u64> = self
            .flights
            .iter()
            .flat_map(|flight| [Some(flight.from_ms), Some(flight.until_ms), flight.over_ms])
            .flatten()
            .filter(|moment| *moment < now_ms)
            .collect();
        moments.sort_unstable();
        moments.push(now_ms);
        for moment in moments {
            self.step(moment);
        }
        self.flights
            .retain(|flight| flight.over_ms.is_none_or(|over| over > now_ms));
    }

    /// Admits a call or returns the limit that it exceeds. A refused call counts as a request if
    /// `refused_count` is set.
    pub fn admit(&mut self, draw: Draw, refused_count: bool) -> Result<(), Exceeded> {
        if let Some(exceeded) = self.exceeded(draw) {
            self.refused += 1;
            if let Some(requests) = self
                .requests
                .as_mut()
                .filter(|requests| refused_count && requests.has(1))
            {
                requests.take(1);
            }
            return Err(exceeded);
        }
        let charges = [
            (&mut self.requests, 1),
            (&mut self.input, draw.input),
            (&mut self.total, draw.total),
        ];
        for (bucket, amount) in charges {
            if let Some(bucket) = bucket {
                bucket.take(amount);
            }
        }
        self.admitted += 1;
        Ok(())
    }

    /// Starts serving an admitted call.
    pub fn begin(&mut self, flight: Flight) {
        self.flights.push(flight);
        self.peak_flights = self.peak_flights.max(self.flights.len() as u64);
    }

    /// Ends a call: after `over_ms` it holds no slot and produces nothing.
    pub fn end(&mut self, call: CallId, over_ms: u64) {
        if let Some(flight) = self.flights.iter_mut().find(|flight| flight.call == call) {
            flight.over_ms = Some(over_ms);
        }
    }

    /// Level of each limit that refills with time.
    pub fn levels(&self) -> Vec<Level> {
        self.buckets()
            .map(|(counted, bucket)| Level {
                counted,
                limit: bucket.amount(),
                remaining: bucket.remaining(),
                full_in_ms: bucket.full_in_ms(),
            })
            .collect()
    }

    /// The provider's own count of every limit.
    pub fn peaks(&self) -> Vec<Peak> {
        let mut peaks: Vec<Peak> = self
            .buckets()
            .map(|(counted, bucket)| Peak {
                counted,
                limit: bucket.amount(),
                peak: bucket.peak_used(),
            })
            .collect();
        peaks.extend(self.slots.map(|limit| Peak {
            counted: Counted::Concurrency,
            limit,
            peak: self.peak_flights,
        }));
        peaks
    }

    /// Number of admitted calls, and of calls refused because of a limit.
    pub const fn calls(&self) -> (u64, u64) {
        (self.admitted, self.refused)
    }

    fn buckets(&self) -> impl Iterator<Item = (Counted, &Bucket)> {
        [
            (Counted::Requests, &self.requests),
            (Counted::InputTokens, &self.input),
            (Counted::OutputTokens, &self.output),
            (Counted::Tokens, &self.total),
        ]
        .into_iter()
        .filter_map(|(counted, bucket)| bucket.as_ref().map(|bucket| (counted, bucket)))
    }

    /// Advances through an interval in which the number of producing calls is constant.
    fn step(&mut self, now_ms: u64) {
        let mut produced = 0;
        for flight in &mut self.flights {
            let due = flight.produced(now_ms).saturating_sub(flight.charged);
            flight.charged += due;
            produced += due;
        }
        for bucket in [&mut self.requests, &mut self.input, &mut self.total]
            .into_iter()
            .flatten()
        {
            bucket.refill(now_ms);
        }
        if let Some(output) = &mut self.output {
            output.drain(now_ms, produced);
        }
    }

    fn exceeded(&self, draw: Draw) -> Option<Exceeded> {
        let in_flight = self.flights.len() as u64;
        if let Some(limit) = self.slots.filter(|slots| in_flight >= *slots) {
            return Some(Exceeded {
                counted: Counted::Concurrency,
                limit,
                used: in_flight,
                requested: 1,
                wait_ms: None,
            });
        }
        self.buckets().find_map(|(counted, bucket)| {
            let requested = match counted {
                Counted::InputTokens => draw.input,
                Counted::Tokens => draw.total,
                Counted::Requests | Counted::OutputTokens | Counted::Concurrency => 1,
            };
            (!bucket.has(requested)).then(|| Exceeded {
                counted,
                limit: bucket.amount(),
                used: bucket.amount().saturating_sub(bucket.remaining()),
                requested,
                wait_ms: bucket.wait_ms(requested),
            })
        })
    }
}
