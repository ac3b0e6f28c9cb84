//! Attempts and their deliveries: the values that pass between orchestrator, dispatcher and worker.
//!
//! An attempt is one try at a task. A delivery is one bus record of an attempt handed to one
//! worker; one delivery is one provider call. A rate-limited or lost delivery is followed by a new
//! delivery of the same attempt. The port [`Attempts`](crate::port::Attempts) applies these values
//! to the rows.

mod charged_call;
mod claim;
mod dispatch;
mod ended_call;
mod failure_cause;
mod finish;
mod holding;
mod queue;
mod state;
mod summary;
mod wait;

pub use charged_call::ChargedCall;
pub use claim::{Claim, Delivery, Outstanding, Reclaim, Reclaimed};
pub use dispatch::{Assignment, Dispatch, DispatchDecision, Dispatched};
pub use ended_call::EndedCall;
pub use failure_cause::FailureCause;
pub use finish::{AttemptDone, DeliveryEnd, DeliveryRow, Finish, LateUsage, Outcome, Requeue};
pub use holding::Holding;
pub use queue::{CallSize, NewAttempt, QueuedAttempt, UnfitModel, WorkOrder};
pub use state::{
    ARROWS, AttemptArrow, AttemptState, AttemptTrigger, Counter, EpochRule, Who, between, step,
};
pub use summary::CallSummary;
pub use wait::{AttemptWait, ParkedCredential, WaitReason};
