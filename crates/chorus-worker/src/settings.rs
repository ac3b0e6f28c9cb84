//! What an operator may turn, with the values that fit most installations.

use chorus_core::id::Pool;
use chorus_core::task_kind::TaskKind;
use chorus_core::time::Millis;

/// How one worker works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whose deliveries it takes.
    pub pool: Pool,
    /// Deliveries at a time; at least four times its share of what the limits allow, so that only limits are scarce.
    pub slots: usize,
    /// How often it says that it is still at work.
    pub beat: Millis,
    /// Longest call, fixed when it is claimed.
    pub call_timeout: Millis,
    /// Failed calls of one attempt that may be followed by another.
    pub max_retries: u32,
    /// Answers of one attempt that may be cut by `max_tokens` and continued, where a part is made.
    pub max_continues: u32,
    /// The same for everything else: a plan or verdict that is longer is not worth its tokens.
    pub max_steering_continues: u32,
    /// Least time between two progress records of one delivery.
    pub progress_every: Millis,
    /// Characters for each token that was asked for, beyond which an answer counts as never ending.
    pub chars_per_token: u32,
    /// How long calls may go on after the worker was told to stop.
    pub drain: Millis,
    /// How long it may take to write down what was cut off then.
    pub hand_back: Millis,
}

impl Settings {
    /// The usual values for one pool.
    pub fn of_pool(pool: Pool) -> Self {
        Self {
            pool,
            slots: 64,
            beat: Millis::from_secs(5),
            call_timeout: Millis::from_secs(600),
            max_retries: 8,
            max_continues: 16,
            max_steering_continues: 2,
            progress_every: Millis(250),
            chars_per_token: 16,
            drain: Millis::from_secs(20),
            hand_back: Millis::from_secs(5),
        }
    }

    /// How often an answer of this kind may be continued.
    pub const fn continues(&self, kind: TaskKind) -> u32 {
        match kind {
            TaskKind::Work => self.max_continues,
            TaskKind::Clarify
            | TaskKind::Plan
            | TaskKind::Answer
            | TaskKind::Resolve
            | TaskKind::Judge => self.max_steering_continues,
        }
    }
}

/// The consumer group of a pool's workers.
pub fn group(pool: &Pool) -> String {
    format!("worker.{pool}")
}
