//! Cuts of a call from our side: at its deadline, or when its caller cancels it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use chorus_core::port::Clock;
use chorus_core::time::Timestamp;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

/// Reason of a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutBy {
    /// The call's wall-clock deadline came.
    Deadline,
    /// The caller cancelled the call.
    Cancel,
}

/// Deadline and cancellation of one call.
///
/// A future that waits through [`Cut::or`] is dropped at the cut, which hangs up on the provider.
/// A value that is ready at the moment of the cut is returned.
pub struct Cut<'a> {
    deadline: BoxFuture<'static, ()>,
    cancel: Pin<&'a mut (dyn Future<Output = ()> + Send)>,
    by: Option<CutBy>,
}

impl<'a> Cut<'a> {
    /// Cuts at the deadline, or when `cancel` completes; a call that is never cancelled passes a
    /// future that stays pending.
    pub fn new(
        clock: &dyn Clock,
        deadline: Timestamp,
        cancel: Pin<&'a mut (dyn Future<Output = ()> + Send)>,
    ) -> Self {
        Self {
            deadline: clock.sleep_until(deadline),
            cancel,
            by: None,
        }
    }

    /// Returns the future's value, or the reason of a cut that came before it.
    pub async fn or<F: Future>(&mut self, future: F) -> Result<F::Output, CutBy> {
        let mut future = pin!(future);
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Ok(value)),
            Poll::Pending => self.poll_cut(context).map(Err),
        })
        .await
    }

    fn poll_cut(&mut self, context: &mut Context<'_>) -> Poll<CutBy> {
        if self.by.is_none() && self.cancel.as_mut().poll(context).is_ready() {
            self.by = Some(CutBy::Cancel);
        }
        if self.by.is_none() && self.deadline.poll_unpin(context).is_ready() {
            self.by = Some(CutBy::Deadline);
        }
        self.by.map_or(Poll::Pending, Poll::Ready)
    }
}
