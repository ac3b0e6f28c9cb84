//! Exit codes of the process, documented in README.md.

/// Outcome of a command, which is the process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything was done.
    Done = 0,
    /// The command failed, or the project ended without a deliverable.
    Failed = 1,
    /// The project was delivered with defects.
    Partial = 2,
    /// The input cannot be used.
    Usage = 64,
    /// The project is parked and can be resumed.
    Parked = 75,
}
