//! The name of an attempt that a worker holds.

use crate::id::{AttemptId, Epoch, Holder};

/// Name of one holding of one attempt by one worker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holding {
    /// Attempt that is held.
    pub attempt: AttemptId,
    /// Epoch at which it was claimed.
    pub epoch: Epoch,
    /// Holder named by the [`Claim`](super::Claim).
    pub holder: Holder,
}
