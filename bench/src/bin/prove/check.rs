//! What must hold at the end: each check says what it saw and can fail.

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

/// How many faults of one check are told.
const TOLD: usize = 8;

/// What one check found.
pub(crate) struct Check {
    name: String,
    saw: String,
    faults: Vec<String>,
}

impl Check {
    /// A check that holds when it has no faults.
    pub(crate) fn new(name: &str, saw: String, faults: Vec<String>) -> Self {
        Self {
            name: name.to_owned(),
            saw,
            faults,
        }
    }

    /// Tells what was found; whether it holds.
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
