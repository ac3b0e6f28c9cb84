//! Replies as the provider's own bytes, with their usage read in passing.

use std::sync::Arc;

use bytes::Bytes;
use chorus_core::catalog::Quirks;
use chorus_core::failure::FailureClass;
use chorus_core::llm::{StreamEvent, Usage};
use chorus_core::port::Clock;
use chorus_core::port::upstream::{CallFailure, Tapped};
use chorus_core::time::Timestamp;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};

use super::body;
use crate::codec::{Reader, read_reply};
use crate::failure::Exchange;
use crate::transport::BodyStream;

type Item = Result<Tapped, CallFailure>;

/// A reply to be passed on before its first byte.
pub(super) struct Tap {
    pub(super) exchange: Exchange,
    pub(super) quirks: Quirks,
    /// Reads a streamed reply; none for a whole one.
    pub(super) reader: Option<Reader>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) deadline: Timestamp,
}

impl Tap {
    /// The untouched bytes, then the usage, then a failure if the stream was not whole.
    pub(super) fn stream(self, body: BodyStream) -> BoxStream<'static, Item> {
        let state = State {
            of: self,
            body: Some(body),
            seen: Seen::default(),
        };
        stream::unfold(state, |mut state| async move {
            state.next().await.map(|item| (item, state))
        })
        .boxed()
    }
}

struct State {
    of: Tap,
    body: Option<BodyStream>,
    seen: Seen,
}

/// Facts read from the bytes so far.
#[derive(Default)]
struct Seen {
    /// Bytes of a whole reply, until it is complete.
    copy: Vec<u8>,
    usage: Option<Usage>,
    ended: bool,
    error: Option<CallFailure>,
    usage_sent: bool,
    failure_sent: bool,
}

impl State {
    async fn next(&mut self) -> Option<Item> {
        if let Some(body) = &mut self.body {
            match self.of.clock.deadline(self.of.deadline, body.next()).await {
                None => return Some(self.fail(self.of.exchange.past_deadline())),
                Some(Some(Err(error))) => {
                    self.close();
                    // A reply that gave its reason to end is whole.
                    let is_whole = self.of.reader.is_some() && self.seen.ended;
                    if !is_whole && self.seen.error.is_none() {
                        return Some(self.fail(self.cut("cut_stream", &error.to_string())));
                    }
                }
                Some(Some(Ok(bytes))) => {
                    self.observe(&bytes);
                    return Some(Ok(Tapped::Bytes(bytes)));
                }
                Some(None) => self.close(),
            }
        }
        if let Some(usage) = self
            .seen
            .usage
            .filter(|_| !std::mem::replace(&mut self.seen.usage_sent, true))
        {
            return Some(Ok(Tapped::Usage(usage)));
        }
        if std::mem::replace(&mut self.seen.failure_sent, true) {
            return None;
        }
        match (self.seen.error.take(), self.seen.ended) {
            (Some(failure), _) => Some(Err(failure)),
            (None, false) => Some(Err(
                self.cut("cut_stream", "the stream ended before the reply did")
            )),
            (None, true) => None,
        }
    }

    fn observe(&mut self, bytes: &Bytes) {
        match &mut self.of.reader {
            Some(reader) => {
                let events = reader.push(bytes);
                self.record(events);
            }
            None if self.seen.copy.len() + bytes.len() <= body::LARGEST => {
                self.seen.copy.extend_from_slice(bytes);
            }
            None => {}
        }
    }

    fn close(&mut self) {
        self.body = None;
        match &mut self.of.reader {
            Some(reader) => {
                let events = reader.close();
                self.record(events);
            }
            None => {
                let reply = read_reply(
                    self.of.exchange.provider.dialect,
                    &self.seen.copy,
                    &self.of.quirks,
                );
                self.seen.usage = reply.ok().and_then(|reply| reply.usage);
                self.seen.ended = true;
            }
        }
    }

    fn record(&mut self, events: Vec<StreamEvent>) {
        for event in events {
            match event {
                StreamEvent::Usage(usage) => self.seen.usage = Some(usage),
                StreamEvent::Error { kind, message } => {
                    let reader = self.of.reader.as_mut();
                    let error = reader.and_then(Reader::take_error);
                    let now = self.of.clock.now();
                    let exchange = &self.of.exchange;
                    let failure = exchange.in_stream(error.as_ref(), (&kind, &message), now);
                    self.seen.error = Some(failure);
                }
                StreamEvent::End => self.seen.ended = true,
                _ => {}
            }
        }
    }

    fn cut(&self, kind: &str, message: &str) -> CallFailure {
        self.of
            .exchange
            .failure(FailureClass::MidStream, kind, message)
    }

    fn fail(&mut self, failure: CallFailure) -> Item {
        self.body = None;
        self.seen.usage_sent = true;
        self.seen.failure_sent = true;
        Err(failure)
    }
}
