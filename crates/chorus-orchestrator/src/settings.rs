//! What an operator may turn, with the values that fit most installations.

use chorus_core::plan::Limits;
use chorus_core::time::Millis;

/// How an orchestrator works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How large plans and their tasks may be.
    pub limits: Limits,
    /// Most tokens of a deliverable that one call of the judge is shown.
    pub judge_tokens: u64,
    /// Records that are taken in before those at hand are folded; beyond it the subscription pauses.
    pub records: usize,
    /// Most records of one project that are folded in one commit.
    pub batch: usize,
    /// Projects kept in memory between records.
    pub cached: usize,
    /// Most bytes of artifacts kept in memory for one project.
    pub shelf_bytes: usize,
    /// How long the bus may take to accept records after a commit; the leader sweeps what it did not.
    pub publish: Millis,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            judge_tokens: 24_000,
            records: 1_000,
            batch: 64,
            cached: 256,
            shelf_bytes: 32 << 20,
            publish: Millis::from_secs(5),
        }
    }
}
