//! The reader of the output went away, as in `chorus project list | head -1`: the process ends quietly.
//!
//! The macros that print panic when standard output or standard error is closed; the hook of this module turns just
//! that panic into an exit. Projects under way stay in their rows and can be resumed.

use crate::exit::Exit;

/// Beginning of the message of a print macro that failed.
const FAILED: &str = "failed printing to std";

/// Ends the process on a closed output from now on; every other panic is reported as before.
pub(crate) fn end_quietly() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload_as_str().is_some_and(is_broken_pipe) {
            std::process::exit(Exit::BrokenPipe as i32);
        }
        report(info);
    }));
}

/// Returns true for the message of a print macro without a reader.
fn is_broken_pipe(message: &str) -> bool {
    message.starts_with(FAILED) && message.contains("os error 32")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_closed_output_ends_quietly() {
        let closed = std::io::Error::from_raw_os_error(32);
        assert!(is_broken_pipe(&format!(
            "failed printing to stdout: {closed}"
        )));
        let full = std::io::Error::from_raw_os_error(28);
        assert!(!is_broken_pipe(&format!(
            "failed printing to stdout: {full}"
        )));
        assert!(!is_broken_pipe("index out of bounds"));
    }
}
