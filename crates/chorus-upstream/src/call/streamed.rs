//! Replies as canonical events, as they arrive.

use std::collections::VecDeque;
use std::sync::Arc;

use chorus_core::failure::FailureClass;
use chorus_core::llm::{FinishReason, Reply, StreamEvent};
use chorus_core::port::Clock;
use chorus_core::port::upstream::CallFailure;
use chorus_core::time::Timestamp;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};

use super::{aborted, body};
use crate::codec::Reader;
use crate::failure::Exchange;
use crate::transport::BodyStream;

type Item = Result<StreamEvent, CallFailure>;

/// A streamed reply before its first byte.
pub(super) struct Streamed {
    pub(super) exchange: Exchange,
    pub(super) reader: Reader,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) deadline: Timestamp,
}

/// Events of a whole reply, for a server that does not stream although it was asked to.
pub(super) fn replay(reply: Reply) -> BoxStream<'static, Item> {
    stream::iter(reply.into_events().into_iter().map(Ok)).boxed()
}

impl Streamed {
    /// Events of the reply; the last one is [`StreamEvent::End`] or a failure.
    pub(super) fn stream(self, body: BodyStream) -> BoxStream<'static, Item> {
        let state = State {
            of: self,
            body: Some(body),
            pending: VecDeque::new(),
            received: 0,
            aborted: false,
            is_ended: false,
        };
        stream::unfold(state, |mut state| async move {
            state.next().await.map(|item| (item, state))
        })
        .boxed()
    }
}

struct State {
    of: Streamed,
    /// None once either side closed the connection.
    body: Option<BodyStream>,
    pending: VecDeque<StreamEvent>,
    received: usize,
    aborted: bool,
    is_ended: bool,
}

impl State {
    async fn next(&mut self) -> Option<Item> {
        loop {
            if self.is_ended {
                return None;
            }
            if let Some(event) = self.pending.pop_front() {
                if let Some(item) = self.item(event) {
                    return Some(item);
                }
                continue;
            }
            if self.body.is_none() {
                return Some(self.cut("the stream ended before the reply did"));
            }
            if let Err(failure) = self.receive().await {
                return Some(self.fail(failure));
            }
        }
    }

    /// The caller's item for an event; none for events that it does not receive.
    fn item(&mut self, event: StreamEvent) -> Option<Item> {
        match event {
            StreamEvent::Error { kind, message } => {
                let failure = self
                    .of
                    .exchange
                    .failure(FailureClass::MidStream, &kind, &message);
                Some(self.fail(failure))
            }
            StreamEvent::Finish(FinishReason::Aborted) => {
                self.aborted = true;
                None
            }
            StreamEvent::End if self.aborted => Some(self.fail(aborted(&self.of.exchange))),
            StreamEvent::End => {
                self.close();
                Some(Ok(StreamEvent::End))
            }
            other => Some(Ok(other)),
        }
    }

    async fn receive(&mut self) -> Result<(), CallFailure> {
        let Some(body) = &mut self.body else {
            return Ok(());
        };
        match self.of.clock.deadline(self.of.deadline, body.next()).await {
            None => Err(self.of.exchange.past_deadline()),
            Some(None) => {
                self.body = None;
                self.pending.extend(self.of.reader.close());
                Ok(())
            }
            Some(Some(Err(error))) => Err(self.broken(&error.to_string())),
            Some(Some(Ok(bytes))) => {
                self.received += bytes.len();
                if self.received > body::LARGEST {
                    return Err(self.broken(&body::too_large().to_string()));
                }
                self.pending.extend(self.of.reader.push(&bytes));
                Ok(())
            }
        }
    }

    fn broken(&self, message: &str) -> CallFailure {
        self.of
            .exchange
            .failure(FailureClass::MidStream, "cut_stream", message)
    }

    fn cut(&mut self, message: &str) -> Item {
        let failure = if self.aborted {
            aborted(&self.of.exchange)
        } else {
            self.broken(message)
        };
        self.fail(failure)
    }

    fn fail(&mut self, failure: CallFailure) -> Item {
        self.close();
        Err(failure)
    }

    fn close(&mut self) {
        self.is_ended = true;
        self.body = None;
    }
}
