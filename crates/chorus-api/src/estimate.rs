//! The estimate of a plan ([`Estimate`]), as JSON and as text for a terminal.

use std::fmt;

use chorus_core::id::ModelSlug;
use chorus_core::money::MicroUsd;
use chorus_core::task_kind::ModelRole;
use chorus_core::time::Millis;
use serde::{Deserialize, Serialize};

/// Estimate of a plan that waits for approval. Pairs are (likely, with much rework).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Title of the plan.
    pub title: String,
    /// Number of tasks.
    pub tasks: u64,
    /// Maximum number of tasks that can run at once.
    pub widest: u32,
    /// Number of model calls.
    pub calls: u32,
    /// Prompt tokens of all calls.
    pub input_tokens: u64,
    /// Output tokens of all calls.
    pub output_tokens: u64,
    /// Cost in millionths of a dollar.
    pub cost_micro_usd: (MicroUsd, MicroUsd),
    /// Time in milliseconds.
    pub time_ms: (Millis, Millis),
    /// Spent so far, in millionths of a dollar.
    pub spent_micro_usd: MicroUsd,
    /// Budget in millionths of a dollar.
    pub budget_micro_usd: MicroUsd,
    /// Models chosen for each role.
    pub models: Vec<RoleModels>,
}

/// Models that serve one role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleModels {
    /// Role of the calls.
    pub role: ModelRole,
    /// Models in order of preference.
    pub models: Vec<ModelSlug>,
    /// Sentence for people: role, models, and the reason of the choice.
    pub description: String,
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cost, time) = (self.cost_micro_usd, self.time_ms);
        writeln!(
            f,
            "Plan “{}”: {} tasks, at most {} at once",
            self.title, self.tasks, self.widest
        )?;
        writeln!(f, "  calls   about {}", self.calls)?;
        writeln!(
            f,
            "  tokens  about {} in, {} out",
            self.input_tokens, self.output_tokens
        )?;
        writeln!(
            f,
            "  money   about {} to {}; spent so far {}, budget {}",
            cost.0, cost.1, self.spent_micro_usd, self.budget_micro_usd
        )?;
        writeln!(f, "  time    at least {}, likely below {}", time.0, time.1)?;
        for choice in &self.models {
            writeln!(f, "  {}", choice.description)?;
        }
        if self.spent_micro_usd + cost.1 > self.budget_micro_usd {
            writeln!(
                f,
                "  The budget may not suffice: then the project stops cleanly and delivers what there is."
            )?;
        }
        Ok(())
    }
}
