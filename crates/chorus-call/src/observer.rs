//! Observers of a running call: progress for watchers, or a stream to a client.

use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::pin::pin;
use std::task::Context;

use async_trait::async_trait;
use bytes::Bytes;
use chorus_core::llm::{Reply, StreamEvent};

/// One piece of a reply, in the order of the provider.
#[derive(Debug, Clone, Copy)]
pub enum Piece<'a> {
    /// Event of a canonical stream.
    Event(&'a StreamEvent),
    /// Whole reply to a canonical call that asked for no stream.
    Reply(&'a Reply),
    /// Status and content type of a verbatim reply, before its bytes.
    Head {
        /// HTTP status as the provider sent it.
        status: u16,
        /// Value of `content-type`.
        content_type: &'a str,
    },
    /// Bytes of a verbatim reply, untouched.
    Bytes(&'a Bytes),
}

/// Receiver of a running call's pieces.
#[async_trait]
pub trait CallObserver: Send {
    /// Called once, when the lease was sent and before the request is; not called for a call that
    /// is never made.
    fn on_start(&mut self) {}

    /// Takes one piece. The next piece is read when the returned future completes, so an observer
    /// that waits for its client slows the provider down; the call's deadline runs on meanwhile.
    /// `Break` cancels the call.
    async fn on_piece(&mut self, piece: Piece<'_>) -> ControlFlow<()>;

    /// Polled whenever the call is: drives work of the observer that the call must not wait for.
    fn poll_background(&mut self, context: &mut Context<'_>) {
        let _ = context;
    }
}

/// Observer that drops every piece.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

#[async_trait]
impl CallObserver for Silent {
    async fn on_piece(&mut self, _: Piece<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Returns the future's value; the observer's background work goes on beside it.
pub(crate) async fn beside<F: Future>(observer: &mut dyn CallObserver, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        observer.poll_background(context);
        future.as_mut().poll(context)
    })
    .await
}
