//! Exit codes of the process. `docs/errors/README.md` lists the error codes that lead to each.

/// Outcome of a command, which is the process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything was done.
    Done = 0,
    /// The command failed, or the project ended without a deliverable.
    Failed = 1,
    /// The arguments are wrong; the parser of the command line exits with this code itself.
    #[cfg(test)]
    Usage = 2,
    /// The project was delivered with defects.
    Partial = 3,
    /// The input cannot be used: a brief, a file, an id, an address.
    Input = 64,
    /// A server or a database does not answer; the same command may succeed later.
    Unavailable = 69,
    /// The project is parked and can be resumed.
    Parked = 75,
    /// The configuration cannot be used.
    Configuration = 78,
    /// The reader of the output went away; the code of a process that SIGPIPE ended.
    BrokenPipe = 141,
    /// A second signal ended the process at once, or a first one before there was anything to keep.
    Interrupted = 130,
}
