//! Settings of one worker, with defaults that fit most installations.

use chorus_core::id::Pool;
use chorus_core::task_kind::TaskKind;
use chorus_core::time::Millis;

/// Settings of one worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Pool of the dispatches that are taken.
    pub pool: Pool,
    /// Maximum deliveries at a time; at least four times the share of what the limits allow, so
    /// that only limits are scarce.
    pub slots: usize,
    /// Time between two heartbeats.
    pub beat: Millis,
    /// Maximum time of a call, counted from its claim.
    pub call_timeout: Millis,
    /// Maximum counted retries of one attempt.
    pub max_retries: u32,
    /// Maximum continuations of a reply that `max_tokens` cut, for tasks that make a part.
    pub max_continues: u32,
    /// The same bound for all other tasks: a longer plan or verdict is not worth its tokens.
    pub max_steering_continues: u32,
    /// Minimum time between two progress records of one delivery.
    pub progress_every: Millis,
    /// Characters for each token that was asked for, beyond which a reply counts as never ending.
    pub chars_per_token: u32,
    /// Time for which calls may go on after the worker was stopped.
    pub drain: Millis,
    /// Time for recording the calls that are cut after it.
    pub hand_back: Millis,
}

impl Settings {
    /// Returns the defaults for one pool.
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

    /// Returns the maximum continuations of a reply to this kind of task.
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

/// Returns the consumer group of a pool's workers.
pub fn group(pool: &Pool) -> String {
    format!("worker.{pool}")
}
