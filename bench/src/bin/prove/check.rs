//! Checks at the end of the proof: each [`Check`] prints what it inspected and can fail.

mod books;
mod carried;
mod limits;
mod projects;
mod shares;
mod tasks;

pub(crate) use books::books;
pub(crate) use carried::carried;
pub(crate) use limits::limits;
pub(crate) use projects::{done, equal, heard, received, resolved};
pub(crate) use shares::shares;
pub(crate) use tasks::tasks;

/// Maximum number of faults printed for one check.
const TOLD: usize = 8;

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

    /// Prints the result and returns true if the check passed.
    pub(crate) fn tell(&self) -> bool {
        let holds = self.faults.is_empty();
        println!(
            "  {}  {}: {}",
            if holds { "ok    " } else { "FAILED" },
            self.name,
            self.saw
        );
        for fault in self.faults.iter().take(TOLD) {
            println!("            {fault}");
        }
        if self.faults.len() > TOLD {
            println!("            … and {} more", self.faults.len() - TOLD);
        }
        holds
    }
}
