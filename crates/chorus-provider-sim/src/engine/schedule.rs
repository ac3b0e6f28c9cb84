//! Schedule of a reply: the time of each chunk, and the ending.

use bytes::Bytes;

use super::fault::{Fault, InjectedFault};
use super::wire::{Piece, Wire};
use super::{Chunk, End};

/// Speed of one call, in real microseconds.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Time to the first token.
    pub first_us: u64,
    /// Time of each token.
    pub token_us: u64,
    /// Interval of keep-alives while the call waits; 0 for none.
    pub keep_alive_us: u64,
}

/// A reply with scheduled [`Chunk`]s.
#[derive(Debug)]
pub struct Timed {
    /// Chunks to send.
    pub chunks: Vec<Chunk>,
    /// [`End`] of the reply.
    pub end: End,
    /// Number of produced tokens.
    pub produced: u64,
    /// Milliseconds from the call's arrival to its first token.
    pub first_ms: u64,
    /// Milliseconds from the call's arrival to its last token.
    pub last_ms: u64,
}

/// Schedules a stream.
pub fn stream(
    wire: &dyn Wire,
    mut pieces: Vec<Piece>,
    pace: Pace,
    injected: Option<InjectedFault>,
) -> Timed {
    let end = spoil(wire, &mut pieces, injected);
    let mut builder = ChunkBuilder::new(pace, wire.keep_alive(true));
    for piece in &pieces {
        builder.put(
            pace.first_us + piece.produced * pace.token_us,
            Bytes::copy_from_slice(&piece.bytes),
        );
    }
    let produced = pieces.last().map_or(0, |piece| piece.produced);
    builder.timed(end, produced)
}

/// Schedules a whole reply.
pub fn whole(
    wire: &dyn Wire,
    body: Vec<u8>,
    produced: u64,
    pace: Pace,
    injected: Option<InjectedFault>,
) -> Timed {
    let mut builder = ChunkBuilder::new(pace, wire.keep_alive(false));
    let at_us = pace.first_us + produced * pace.token_us;
    let half = body.len() / 2;
    let end = match injected.map(|injected| injected.fault) {
        Some(Fault::Hang) => End::Hang,
        Some(Fault::Cut) => {
            builder.put(at_us, Bytes::copy_from_slice(&body[..half]));
            End::Cut
        }
        Some(Fault::Garbage) => {
            builder.put(at_us, Bytes::copy_from_slice(&body[..half]));
            End::Close
        }
        _ => {
            builder.put(at_us, Bytes::from(body));
            End::Close
        }
    };
    builder.timed(end, produced)
}

/// Truncates a stream at the position of its fault.
fn spoil(wire: &dyn Wire, pieces: &mut Vec<Piece>, injected: Option<InjectedFault>) -> End {
    let Some(injected) = injected else {
        return End::Close;
    };
    let keep = pieces.len() * usize::from(injected.after_percent.min(100)) / 100;
    let mut shorten = |last: Option<Vec<u8>>| {
        pieces.truncate(keep);
        let produced = pieces.last().map_or(0, |piece| piece.produced);
        pieces.extend(last.map(|bytes| Piece { produced, bytes }));
    };
    match injected.fault {
        Fault::Hang => {
            shorten(None);
            End::Hang
        }
        Fault::Cut => {
            shorten(None);
            End::Cut
        }
        Fault::Die => {
            shorten(Some(wire.stream_error()));
            End::Died
        }
        Fault::ErrorEvent => {
            shorten(Some(wire.credit_event()));
            End::Died
        }
        Fault::EmptyStream => {
            pieces.clear();
            End::Close
        }
        Fault::WithoutDone => {
            if let Some(last) = pieces.last_mut() {
                last.bytes.truncate(last.bytes.len() / 2);
            }
            End::Cut
        }
        Fault::UnreadableChunk => {
            let bytes = b"data: {\"id\": \"\xe2\x98\n\n".to_vec();
            let produced = pieces.get(keep).map_or(0, |piece| piece.produced);
            pieces.insert(keep, Piece { produced, bytes });
            End::Close
        }
        Fault::Garbage => {
            shorten(Some(b"data: {\"id\": \"\xe2\x98\n\n".to_vec()));
            End::Close
        }
        _ => End::Close,
    }
}

/// Chunks under construction.
struct ChunkBuilder {
    pace: Pace,
    keep_alive: Option<&'static [u8]>,
    chunks: Vec<Chunk>,
    at_ms: u64,
}

impl ChunkBuilder {
    const fn new(pace: Pace, keep_alive: Option<&'static [u8]>) -> Self {
        Self {
            pace,
            keep_alive,
            chunks: Vec::new(),
            at_ms: 0,
        }
    }

    fn put(&mut self, at_us: u64, bytes: Bytes) {
        let at_ms = at_us / 1000;
        let interval_ms = (self.pace.keep_alive_us / 1000).max(1);
        if let Some(comment) = self.keep_alive.filter(|_| self.pace.keep_alive_us > 0) {
            while self.at_ms + interval_ms < at_ms {
                self.chunks.push(Chunk {
                    delay_ms: interval_ms,
                    bytes: Bytes::from_static(comment),
                });
                self.at_ms += interval_ms;
            }
        }
        self.chunks.push(Chunk {
            delay_ms: at_ms.saturating_sub(self.at_ms),
            bytes,
        });
        self.at_ms = self.at_ms.max(at_ms);
    }

    fn timed(self, end: End, produced: u64) -> Timed {
        let first_ms = self.pace.first_us / 1000;
        let last_ms = (self.pace.first_us + produced * self.pace.token_us) / 1000;
        Timed {
            chunks: self.chunks,
            end,
            produced,
            first_ms,
            last_ms,
        }
    }
}
