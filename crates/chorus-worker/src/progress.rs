//! Progress records of running deliveries: lossy, rate-limited, and never in the way of the call.

use std::ops::ControlFlow;
use std::task::Context as TaskContext;

use async_trait::async_trait;
use chorus_call::{CallObserver, Piece};
use chorus_core::attempt::Delivery;
use chorus_core::llm::StreamEvent;
use chorus_core::progress::Progress;
use chorus_core::record;
use chorus_core::task_kind::ModelRole;
use chorus_core::time::{Millis, Timestamp};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::context::Context;

/// Maximum bytes of thinking in one record.
const REASONING_AT_ONCE: usize = 2_048;
/// Maximum bytes of thinking that wait for the next record; beyond that the oldest are dropped.
const REASONING_KEPT: usize = 8 * REASONING_AT_ONCE;
/// Maximum time that the last record may take.
const LAST_RECORD: Millis = Millis(250);

/// Publisher of the [`Progress`] of one delivery, as the [`CallObserver`] of its call.
pub(crate) struct ProgressReporter<'a> {
    context: &'a Context,
    delivery: &'a Delivery,
    state: Progress,
    thoughts: String,
    started: bool,
    /// Earliest time of the next record.
    next: Timestamp,
    publishing: Option<BoxFuture<'static, ()>>,
}

impl<'a> ProgressReporter<'a> {
    pub(crate) fn new(context: &'a Context, delivery: &'a Delivery) -> Self {
        let attempt = &delivery.attempt;
        let state = Progress {
            project: attempt.project,
            task: attempt.task,
            kind: attempt.kind,
            attempt: attempt.id,
            epoch: delivery.epoch,
            number: attempt.number,
            account: delivery.assignment.account,
            model: delivery.assignment.model.clone(),
            text_chars: 0,
            reasoning_chars: 0,
            reasoning: String::new(),
            has_ended: false,
        };
        Self {
            context,
            delivery,
            state,
            thoughts: String::new(),
            started: false,
            next: Timestamp::default(),
            publishing: None,
        }
    }

    /// Publishes the last record of a call that had started; waits 250 ms at most.
    pub(crate) async fn finish(mut self) {
        if !self.started {
            return;
        }
        self.state.has_ended = true;
        let before = self.publishing.take();
        self.send();
        let until = self.context.clock().now() + LAST_RECORD;
        for publishing in before.into_iter().chain(self.publishing.take()) {
            self.context.clock().deadline(until, publishing).await;
        }
    }

    /// Counts an event of the reply, and publishes a record when it is time.
    fn count(&mut self, event: &StreamEvent) {
        match event {
            StreamEvent::Text { delta, .. } => {
                self.state.text_chars += delta.chars().count() as u64;
            }
            StreamEvent::Reasoning { delta, .. } => {
                self.state.reasoning_chars += delta.chars().count() as u64;
                self.keep_thought(delta);
            }
            _ => return,
        }
        if self.publishing.is_none() && self.context.clock().now() >= self.next {
            self.send();
        }
    }

    fn keep_thought(&mut self, delta: &str) {
        if self.delivery.attempt.kind.role() != ModelRole::Planner {
            return;
        }
        self.thoughts.push_str(delta);
        let surplus = self.thoughts.len().saturating_sub(REASONING_KEPT);
        if surplus > 0 {
            self.thoughts
                .drain(..self.thoughts.ceil_char_boundary(surplus));
        }
    }

    fn send(&mut self) {
        let at = self.thoughts.floor_char_boundary(REASONING_AT_ONCE);
        self.state.reasoning = self.thoughts.drain(..at).collect();
        let record = record::progress(
            self.context.event_id(),
            &self.delivery.attempt.tenant,
            &self.state,
        );
        let bus = self.context.ports.bus.clone();
        self.publishing = Some(Box::pin(async move {
            if let Err(error) = bus.publish(vec![record]).await {
                tracing::debug!(error = %error, "failed to publish progress");
            }
        }));
        self.next = self.context.clock().now() + self.context.settings.progress_every;
    }
}

#[async_trait]
impl CallObserver for ProgressReporter<'_> {
    fn on_start(&mut self) {
        self.started = true;
        self.send();
    }

    async fn on_piece(&mut self, piece: Piece<'_>) -> ControlFlow<()> {
        if let Piece::Event(event) = piece {
            self.count(event);
        }
        ControlFlow::Continue(())
    }

    fn poll_background(&mut self, context: &mut TaskContext<'_>) {
        let is_done =
            |publishing: &mut BoxFuture<'static, ()>| publishing.poll_unpin(context).is_ready();
        if self.publishing.as_mut().is_some_and(is_done) {
            self.publishing = None;
        }
    }
}
