//! Tells watchers how a delivery goes: lossy, at most every so often, and never in the way of the call.

use std::future::{Future, poll_fn};
use std::pin::pin;

use chorus_core::attempt::Delivery;
use chorus_core::llm::StreamEvent;
use chorus_core::progress::Progress;
use chorus_core::record;
use chorus_core::task_kind::ModelRole;
use chorus_core::time::{Millis, Timestamp};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::workshop::Workshop;

/// Most bytes of thinking in one record.
const REASONING_AT_ONCE: usize = 2_048;
/// Most bytes of thinking that wait for the next record; beyond that the oldest is lost.
const REASONING_KEPT: usize = 8 * REASONING_AT_ONCE;
/// How long the last word may take.
const LAST_WORD: Millis = Millis(250);

/// The telling of one delivery.
pub(crate) struct Telling<'a> {
    shop: &'a Workshop,
    delivery: &'a Delivery,
    state: Progress,
    thoughts: String,
    next: Timestamp,
    publishing: Option<BoxFuture<'static, ()>>,
}

impl<'a> Telling<'a> {
    pub(crate) fn new(shop: &'a Workshop, delivery: &'a Delivery) -> Self {
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
            over: false,
        };
        let mut telling = Self {
            shop,
            delivery,
            state,
            thoughts: String::new(),
            next: Timestamp::default(),
            publishing: None,
        };
        telling.tell();
        telling
    }

    /// Takes note of a piece of the answer, and tells it when it is time.
    pub(crate) fn note(&mut self, event: &StreamEvent) {
        match event {
            StreamEvent::Text { delta, .. } => {
                self.state.text_chars += delta.chars().count() as u64
            }
            StreamEvent::Reasoning { delta, .. } => {
                self.state.reasoning_chars += delta.chars().count() as u64;
                self.think(delta);
            }
            _ => return,
        }
        if self.publishing.is_none() && self.shop.clock().now() >= self.next {
            self.tell();
        }
    }

    /// Characters that came so far, thinking included.
    pub(crate) const fn chars(&self) -> u64 {
        self.state.text_chars + self.state.reasoning_chars
    }

    /// The future's value; what is being published goes on beside it.
    pub(crate) async fn beside<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| {
            if self
                .publishing
                .as_mut()
                .is_some_and(|publishing| publishing.poll_unpin(context).is_ready())
            {
                self.publishing = None;
            }
            future.as_mut().poll(context)
        })
        .await
    }

    /// Tells that the call is over; waits a moment at most.
    pub(crate) async fn over(mut self) {
        self.state.over = true;
        let before = self.publishing.take();
        self.tell();
        let until = self.shop.clock().now() + LAST_WORD;
        for publishing in before.into_iter().chain(self.publishing.take()) {
            self.shop.clock().deadline(until, publishing).await;
        }
    }

    fn think(&mut self, delta: &str) {
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

    fn tell(&mut self) {
        let at = self.thoughts.floor_char_boundary(REASONING_AT_ONCE);
        self.state.reasoning = self.thoughts.drain(..at).collect();
        let record = record::progress(
            self.shop.event_id(),
            &self.delivery.attempt.tenant,
            &self.state,
        );
        let bus = self.shop.ports.bus.clone();
        self.publishing = Some(Box::pin(async move {
            if let Err(error) = bus.publish(vec![record]).await {
                tracing::debug!(error = %error, "a piece of progress was not taken");
            }
        }));
        self.next = self.shop.clock().now() + self.shop.settings.progress_every;
    }
}
