//! Port between a run and what chooses accounts for its calls ([`Router`]).

use chorus_core::failure::FailureClass;
use chorus_core::limit::Dimension;
use chorus_core::time::{Millis, Timestamp};

/// Call that a router sends now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Order {
    /// Index of the task.
    pub(crate) task: usize,
    /// Index of the account.
    pub(crate) account: usize,
    /// Number by which the router knows the call.
    pub(crate) call: usize,
}

/// One limit as headers show it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shown {
    pub(crate) dimension: Dimension,
    pub(crate) limit: Option<u64>,
    pub(crate) remaining: u64,
    pub(crate) full_at: Timestamp,
    pub(crate) rounded_to: u64,
}

/// Refusal or failure of a call, as the caller sees it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failure {
    pub(crate) class: FailureClass,
    pub(crate) retry_after: Option<Millis>,
    /// Limits in the headers of the refusal.
    pub(crate) shown: Vec<Shown>,
    /// Produced tokens before a stream broke.
    pub(crate) produced: u64,
}

/// Further course of a task after its call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// The router keeps the task and sends it again.
    Again,
    /// The task has failed for good.
    Given,
}

/// Chooses an account and a time for each call. All methods are called in the order of virtual time.
pub(crate) trait Router {
    /// A task is ready.
    fn ready(&mut self, task: usize, now: Timestamp);

    /// Calls to send now; it is asked again until it returns none.
    fn decide(&mut self, now: Timestamp) -> Vec<Order>;

    /// Tasks that it has given up without a call since it was asked last.
    fn given_up(&mut self) -> Vec<usize> {
        Vec::new()
    }

    /// Next time at which it decides without news.
    fn wakes_at(&self) -> Option<Timestamp>;

    /// The worker sends the call. Returns false if the call may not be made any more; its task is kept.
    fn sends(&mut self, call: usize, now: Timestamp) -> bool;

    /// The first byte of the reply arrived, with the limits that its headers show.
    fn first_byte(&mut self, call: usize, shown: &[Shown], now: Timestamp);

    /// The reply is complete.
    fn ended(&mut self, call: usize, took: Millis, now: Timestamp);

    /// The call was refused or failed.
    fn failed(&mut self, call: usize, failure: &Failure, now: Timestamp) -> After;

    /// The worker of the call has ended, and its lease is given up; the task is kept.
    fn lost(&mut self, call: usize, now: Timestamp);

    /// The process that decides ends, and another one takes its part after a while.
    fn process_ends(&mut self, _now: Timestamp) {}
}
