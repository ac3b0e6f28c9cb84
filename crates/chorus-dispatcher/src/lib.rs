//! The one queue of queued attempts: order, admission, publishing; the reconciler.
