//! Size limits of plans, prompts and answers: values that the orchestrator applies and that
//! `chorus_pool::size_policy` derives from the models a tenant can use.

use crate::plan::Limits;
use crate::task_kind::ModelRole;

/// Size limits of the plans, prompts and answers of one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SizeLimits {
    /// Limits of a plan and of each of its tasks.
    pub plan: Limits,
    /// Tokens that one answer of each role may have.
    pub answers: TokenBudgets,
    /// Maximum number of tokens of a deliverable that one call of the judge sees; a longer one is judged in
    /// parts.
    pub judge_tokens: u64,
}

impl Default for SizeLimits {
    fn default() -> Self {
        Self {
            plan: Limits::default(),
            answers: TokenBudgets::default(),
            judge_tokens: 24_000,
        }
    }
}

/// A [`TokenBudget`] for each [`ModelRole`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenBudgets {
    /// Clarifications, plans, and answers to questions of writers.
    pub planner: TokenBudget,
    /// Parts of the deliverable.
    pub writer: TokenBudget,
    /// Resolutions of conflicts.
    pub merger: TokenBudget,
    /// Verdicts.
    pub judge: TokenBudget,
}

impl TokenBudgets {
    /// The budget of a role, to be changed.
    pub const fn of_role_mut(&mut self, role: ModelRole) -> &mut TokenBudget {
        match role {
            ModelRole::Planner => &mut self.planner,
            ModelRole::Writer => &mut self.writer,
            ModelRole::Merger => &mut self.merger,
            ModelRole::Judge => &mut self.judge,
        }
    }
}

impl Default for TokenBudgets {
    fn default() -> Self {
        let thinking = TokenBudget {
            ceiling: 32_000,
            thinking: 8_000,
        };
        let writing = TokenBudget {
            ceiling: 16_000,
            thinking: 0,
        };
        Self {
            planner: thinking,
            writer: writing,
            merger: writing,
            judge: thinking,
        }
    }
}

/// Tokens that the models of one role may produce in one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenBudget {
    /// Maximum that every model of the role can produce in one answer, thinking included.
    pub ceiling: u32,
    /// Tokens added for thinking before the answer; 0 for models that do not think.
    pub thinking: u32,
}

impl TokenBudget {
    /// Maximum tokens to ask for when the answer itself has `answer` tokens: at least 1, at most the ceiling.
    #[must_use]
    pub fn max_tokens(self, answer: u32) -> u32 {
        answer
            .saturating_add(self.thinking)
            .min(self.ceiling)
            .max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ceiling: u32, thinking: u32, answer: u32, expected: u32) {
        let budget = TokenBudget { ceiling, thinking };
        assert_eq!(budget.max_tokens(answer), expected);
    }

    #[test]
    fn thinking_is_added_and_the_ceiling_holds() {
        check(1_000, 0, 300, 300);
        check(1_000, 500, 300, 800);
        check(1_000, 500, 900, 1_000);
        check(1_000, u32::MAX, u32::MAX, 1_000);
        check(0, 0, 0, 1);
    }
}
