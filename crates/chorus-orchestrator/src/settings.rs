//! What an operator may turn, with the values that fit most installations.

use async_trait::async_trait;
use chorus_core::id::Tenant;
use chorus_core::plan::Limits;
use chorus_core::time::Millis;

use crate::prompt::Room;

/// How an orchestrator works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Records that are taken in before those at hand are folded; beyond it the subscription pauses.
    pub records: usize,
    /// Most records of one project that are folded in one commit.
    pub batch: usize,
    /// Projects kept in memory between records.
    pub cached: usize,
    /// Most bytes of artifacts kept in memory for one project.
    pub shelf_bytes: usize,
    /// How long folds under way may go on after the orchestrator was told to stop.
    pub drain: Millis,
}

/// How large plans, prompts and answers may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SizeLimits {
    /// How large plans and their tasks may be.
    pub limits: Limits,
    /// How much the models of each role may produce.
    pub rooms: TokenBudgets,
    /// Most tokens of a deliverable that one call of the judge is shown.
    pub judge_tokens: u64,
}

/// Says how large things may be for a tenant now. SizeLimits follow the models that the tenant's accounts can serve,
/// and accounts come and go while an orchestrator runs; asked once for each batch that is folded.
#[async_trait]
pub trait SizePolicy: Send + Sync {
    /// The sizes. There is always an answer: one that is old or usual serves where no better one is known.
    async fn sizes(&self, tenant: &Tenant) -> SizeLimits;
}

/// The same for everybody.
#[async_trait]
impl SizePolicy for SizeLimits {
    async fn sizes(&self, _: &Tenant) -> SizeLimits {
        self.clone()
    }
}

/// How many tokens the models of each role may produce in one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenBudgets {
    /// Clarifies, plans, answers questions.
    pub planner: Room,
    /// Makes parts.
    pub worker: Room,
    /// Resolves conflicts.
    pub merger: Room,
    /// Judges.
    pub judge: Room,
}

impl Default for TokenBudgets {
    fn default() -> Self {
        let thinks = Room {
            ceiling: 32_000,
            thinking: 8_000,
        };
        let writes = Room {
            ceiling: 16_000,
            thinking: 0,
        };
        Self {
            planner: thinks,
            worker: writes,
            merger: writes,
            judge: thinks,
        }
    }
}

impl Default for SizeLimits {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            rooms: TokenBudgets::default(),
            judge_tokens: 24_000,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            records: 1_000,
            batch: 64,
            cached: 64,
            shelf_bytes: 8 << 20,
            drain: Millis::from_secs(5),
        }
    }
}
