//! Replies as canonical events, as they arrive.
//!
//! The first bytes decide how the body is read: events as they come, anything else as a whole at
//! its end (see [`whole`](super::whole)).

use std::collections::VecDeque;
use std::sync::Arc;

use chorus_core::catalog::Quirks;
use chorus_core::failure::FailureClass;
use chorus_core::llm::{FinishReason, StreamEvent};
use chorus_core::port::Clock;
use chorus_core::port::upstream::CallFailure;
use chorus_core::time::{Millis, Timestamp};
use chorus_dialect::sniff::{Shape, Sniffer};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};

use super::decoded::{Decoder, Undecodable};
use super::{aborted, body, whole};
use crate::codec::Reader;
use crate::failure::Exchange;
use crate::transport::BodyStream;

type Item = Result<StreamEvent, CallFailure>;

/// Time for which a server may keep the connection open after the reason of the end: usage and the
/// last marker come at once or not at all.
const AFTER_FINISH: Millis = Millis::from_secs(10);

/// Bytes of a page or of prose after which the rest is not awaited.
const ENOUGH_PROSE: usize = 1 << 16;

/// A reply that was asked for as a stream, before its first byte.
pub(super) struct Streamed {
    pub(super) exchange: Exchange,
    pub(super) quirks: Quirks,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) deadline: Timestamp,
}

impl Streamed {
    /// Events of the reply; the last one is [`StreamEvent::End`] or a failure.
    pub(super) fn stream(self, body: BodyStream) -> BoxStream<'static, Item> {
        let state = State {
            decoder: Decoder::new(&self.exchange.headers),
            mode: Mode::Unknown(Sniffer::new()),
            of: self,
            body: Some(body),
            pending: VecDeque::new(),
            received: 0,
            leave_at: None,
            is_aborted: false,
            has_event: false,
            has_enough: false,
            is_ended: false,
        };
        stream::unfold(state, |mut state| async move {
            state.next().await.map(|item| (item, state))
        })
        .boxed()
    }
}

/// Kind of the body, as far as it is known.
enum Mode {
    Unknown(Sniffer),
    Events(Reader),
    Whole(Shape, Vec<u8>),
}

struct State {
    of: Streamed,
    decoder: Decoder,
    mode: Mode,
    /// None once either side closed the connection.
    body: Option<BodyStream>,
    pending: VecDeque<StreamEvent>,
    received: usize,
    /// Time at which a reply that gave its reason to end is left.
    leave_at: Option<Timestamp>,
    is_aborted: bool,
    has_event: bool,
    /// True if the page or prose so far suffices to name it.
    has_enough: bool,
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
        self.has_event = true;
        match event {
            StreamEvent::Error { kind, message } => {
                let error = match &mut self.mode {
                    Mode::Events(reader) => reader.take_error(),
                    Mode::Unknown(_) | Mode::Whole(..) => None,
                };
                let now = self.of.clock.now();
                let exchange = &self.of.exchange;
                let failure = exchange.in_stream(error.as_ref(), (&kind, &message), now);
                Some(self.fail(failure))
            }
            StreamEvent::Finish(FinishReason::Aborted) => {
                self.is_aborted = true;
                None
            }
            StreamEvent::End if self.is_aborted => Some(self.fail(aborted(&self.of.exchange))),
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
        let until = self
            .leave_at
            .map_or(self.of.deadline, |leave| leave.min(self.of.deadline));
        match self.of.clock.deadline(until, body.next()).await {
            None if self.leave_at.is_some() => self.end(None),
            None => Err(self.of.exchange.past_deadline()),
            Some(None) => self.end(None),
            Some(Some(Err(error))) => self.end(Some(&error.to_string())),
            Some(Some(Ok(bytes))) => {
                self.received += bytes.len();
                if self.received > body::LARGEST {
                    return Err(self.broken(&body::too_large().to_string()));
                }
                let plain = self.decoder.push(&bytes);
                let plain = plain.map_err(|error| self.undecodable(&error))?;
                self.take(&plain)?;
                if self.has_enough {
                    return self.end(None);
                }
                Ok(())
            }
        }
    }

    /// Takes decoded bytes in the mode that the first of them chose.
    fn take(&mut self, bytes: &[u8]) -> Result<(), CallFailure> {
        match &mut self.mode {
            Mode::Unknown(sniffer) => {
                if let Some(known) = sniffer.push(bytes) {
                    return self.choose(known);
                }
                Ok(())
            }
            Mode::Events(reader) => {
                self.pending.extend(reader.push(bytes));
                if reader.is_finished() && self.leave_at.is_none() {
                    self.leave_at = Some(self.of.clock.now() + AFTER_FINISH);
                }
                Ok(())
            }
            Mode::Whole(shape, all) => {
                all.extend_from_slice(bytes);
                if *shape != Shape::Json && all.len() > ENOUGH_PROSE {
                    all.truncate(ENOUGH_PROSE);
                    self.has_enough = true;
                }
                if all.len() > body::LARGEST {
                    return Err(self.broken(&body::too_large().to_string()));
                }
                Ok(())
            }
        }
    }

    fn choose(&mut self, (shape, bytes): (Shape, Vec<u8>)) -> Result<(), CallFailure> {
        let provider = &self.of.exchange.provider;
        self.mode = match shape {
            Shape::Events => Mode::Events(Reader::new(provider.dialect, &self.of.quirks)),
            other => Mode::Whole(other, Vec::new()),
        };
        self.take(&bytes)
    }

    /// Ends the body, closed well or broken: what came is whole if it gave its reason to end.
    fn end(&mut self, broken: Option<&str>) -> Result<(), CallFailure> {
        self.body = None;
        let rest = self.decoder.close();
        let rest = rest.map_err(|error| self.undecodable(&error))?;
        self.take(&rest)?;
        if let Mode::Unknown(sniffer) = &mut self.mode {
            let known = sniffer.close();
            self.choose(known)?;
        }
        match &mut self.mode {
            Mode::Events(reader) => {
                let events = reader.close();
                self.has_event |= !events.is_empty();
                let is_whole = events.last() == Some(&StreamEvent::End);
                self.pending.extend(events);
                match broken {
                    Some(message) if !is_whole && self.pending.is_empty() => {
                        Err(self.broken(message))
                    }
                    _ if !self.has_event => Err(whole::empty(&self.of.exchange)),
                    _ => Ok(()),
                }
            }
            Mode::Whole(shape, bytes) => {
                let (shape, bytes) = (*shape, std::mem::take(bytes));
                if let Some(message) = broken
                    && matches!(shape, Shape::Empty)
                {
                    return Err(self.broken(message));
                }
                let now = self.of.clock.now();
                let (exchange, quirks) = (&self.of.exchange, &self.of.quirks);
                let reply = whole::read_shape(exchange, quirks, (shape, &bytes), now)?;
                self.pending.extend(reply.into_events());
                Ok(())
            }
            Mode::Unknown(_) => Err(whole::empty(&self.of.exchange)),
        }
    }

    fn undecodable(&self, error: &Undecodable) -> CallFailure {
        whole::undecodable(&self.of.exchange, &error.to_string())
    }

    fn broken(&self, message: &str) -> CallFailure {
        self.of
            .exchange
            .failure(FailureClass::MidStream, "cut_stream", message)
    }

    fn cut(&mut self, message: &str) -> Item {
        let failure = if self.is_aborted {
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
