//! Checks at the end of the proof: each [`Check`] prints what it inspected and can fail.

mod accounting;
mod dispatches;
mod limits;
mod projects;
mod shares;
mod storms;
mod tasks;

pub(crate) use accounting::accounting;
pub(crate) use dispatches::dispatched;
pub(crate) use limits::limits;
pub(crate) use projects::{done, equal, events, received, resolved};
pub(crate) use shares::shares;
pub(crate) use storms::storms;
pub(crate) use tasks::tasks;

/// Maximum number of faults that [`Check::print`] shows.
const MAX_SHOWN: usize = 8;

/// Result of one check.
pub(crate) struct Check {
    name: String,
    saw: String,
    faults: Vec<String>,
}

impl Check {
    /// Creates a check that passes if `faults` is empty.
    pub(crate) fn new(name: &str, saw: String, faults: Vec<String>) -> Self {
        Self {
            name: name.to_owned(),
            saw,
            faults,
        }
    }

    /// Returns true if the check passes.
    #[cfg(test)]
    pub(crate) const fn holds(&self) -> bool {
        self.faults.is_empty()
    }

    /// Prints the result and returns true if the check passed.
    pub(crate) fn print(&self) -> bool {
        let holds = self.faults.is_empty();
        println!(
            "  {}  {}: {}",
            if holds { "ok    " } else { "FAILED" },
            self.name,
            self.saw
        );
        for fault in self.faults.iter().take(MAX_SHOWN) {
            println!("            {fault}");
        }
        if self.faults.len() > MAX_SHOWN {
            println!("            … and {} more", self.faults.len() - MAX_SHOWN);
        }
        holds
    }
}
