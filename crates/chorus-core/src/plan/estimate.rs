//! Size of a plan before anything but planning is spent: calls, tokens, and the longest path.
//!
//! Deliberately absent: prices and rates, which depend on a tenant's accounts; `chorus-pool` adds them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Plan, graph};
use crate::brief::{Outline, count_tokens};
use crate::id::TaskKey;

/// Tokens of the fixed rules and the frame of a work prompt.
const FRAME: u64 = 450;
/// Maximum tokens of the brief that a work prompt shows.
const BRIEF: u64 = 1_600;
/// Tokens that a judge reads and writes for one requirement.
const RUBRIC: u64 = 100;

/// Calls and tokens of a plan if every task succeeds the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PlanEstimate {
    /// Number of calls: one a task, and one for the judge.
    pub calls: u32,
    /// Prompt tokens of all calls, by [`count_tokens`].
    pub input_tokens: u64,
    /// Produced tokens of all calls, thinking not counted.
    pub output_tokens: u64,
    /// Produced tokens along the path that produces most.
    pub critical_output_tokens: u64,
    /// Maximum number of tasks that can run at once, by depth in the graph.
    pub widest: u32,
}

/// Estimates a plan with tasks that read sections of `outline`; `brief` is the brief's text.
pub fn estimate(plan: &Plan, outline: &Outline, brief: &str) -> PlanEstimate {
    let outputs: BTreeMap<&TaskKey, u64> = plan
        .tasks
        .iter()
        .map(|task| (&task.key, u64::from(task.output_tokens)))
        .collect();
    let frame = FRAME + count_tokens(brief).min(BRIEF);
    let judged: u64 = plan
        .part_tasks()
        .iter()
        .filter_map(|key| outputs.get(key))
        .sum();
    let rubric = plan.requirements.len() as u64 * RUBRIC;
    let calls = plan.tasks.len() as u64 + 1;
    PlanEstimate {
        calls: u32::try_from(calls).unwrap_or(u32::MAX),
        input_tokens: calls * frame + read_by_tasks(plan, outline, &outputs) + judged + rubric,
        output_tokens: outputs.values().sum::<u64>() + rubric,
        critical_output_tokens: critical(plan),
        widest: widest(plan),
    }
}

/// Tokens that all tasks read besides the frame: sections, results of parents, their own instructions.
fn read_by_tasks(plan: &Plan, outline: &Outline, outputs: &BTreeMap<&TaskKey, u64>) -> u64 {
    let sizes: BTreeMap<&str, u64> = outline
        .sections
        .iter()
        .map(|section| (section.id.0.as_str(), section.tokens))
        .collect();
    let of = |task: &super::PlannedTask| {
        let sections = task.sections.iter();
        let parents = task.parents.iter();
        let acceptance = task.acceptance.iter();
        sections
            .filter_map(|id| sizes.get(id.0.as_str()))
            .sum::<u64>()
            + parents.filter_map(|key| outputs.get(key)).sum::<u64>()
            + acceptance.map(|line| count_tokens(line)).sum::<u64>()
            + count_tokens(&task.instructions)
    };
    plan.tasks.iter().map(of).sum()
}

/// Produced tokens along the path that produces most. Parents stand before children.
fn critical(plan: &Plan) -> u64 {
    let children = graph::children(&plan.parents());
    let mut paths = vec![0; plan.tasks.len()];
    for at in (0..plan.tasks.len()).rev() {
        let below = children[at].iter().map(|child| paths[*child]).max();
        paths[at] = below.unwrap_or(0) + u64::from(plan.tasks[at].output_tokens);
    }
    paths.into_iter().max().unwrap_or(0)
}

/// Number of tasks at the depth that has most of them.
fn widest(plan: &Plan) -> u32 {
    let mut counts = BTreeMap::new();
    for depth in graph::depths(&plan.parents()) {
        *counts.entry(depth).or_insert(0u32) += 1;
    }
    counts.into_values().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::sketch;

    /// Checks calls, produced tokens, tokens of the longest path, and width.
    fn check(line: &str, calls: u32, output: u64, critical: u64, widest: u32) {
        let estimate = estimate(&sketch::plan(line), &sketch::outline(&[]), "");
        assert_eq!(
            (
                estimate.calls,
                estimate.output_tokens,
                estimate.critical_output_tokens,
                estimate.widest
            ),
            (calls, output + RUBRIC, critical, widest),
            "{line}"
        );
    }

    #[test]
    fn the_shape_of_a_plan_decides_its_path_and_width() {
        check("t1=10 | a.md: t1", 2, 10, 10, 1);
        check("t1=10 t2=30 t3=20 | a.md: t1 t2 t3", 4, 60, 30, 3);
        check("t1=10 t2(t1)=30 t3(t2)=20 | a.md: t3", 4, 60, 60, 1);
        check("a=10 b=40 c(a,b)=5 d(a)=50 | a.md: c d", 5, 105, 60, 2);
    }

    #[test]
    fn a_task_reads_its_frame_its_sections_and_the_results_of_its_parents() {
        let outline = sketch::outline(&[1_000, 2_000]);
        let input =
            |line: &str, brief: &str| estimate(&sketch::plan(line), &outline, brief).input_tokens;
        let bare = input("t1=10 | a.md: t1", "");
        assert_eq!(input("t1[d1.2]=10 | a.md: t1", "") - bare, 2_000);
        assert_eq!(input("t1[d1.1,d1.2,d9.9]=10 | a.md: t1", "") - bare, 3_000);
        let apart = input("t1=500 t2=10 | a.md: t2", "");
        assert_eq!(input("t1=500 t2(t1)=10 | a.md: t2", "") - apart, 500);
        let long = "word ".repeat(100_000);
        assert_eq!(
            input("t1=10 | a.md: t1", &long) - bare,
            2 * BRIEF,
            "a long brief is cut"
        );
    }

    proptest! {
        #[test]
        fn a_longer_plan_never_costs_less(sizes in prop::collection::vec(1u64..500, 1..8), chain in any::<bool>()) {
            let line = |count: usize| {
                let task = |(at, size): (usize, &u64)| match at {
                    at if at > 0 && chain => format!("t{at}(t{})={size} ", at - 1),
                    at => format!("t{at}={size} "),
                };
                let tasks: String = sizes[..count].iter().enumerate().map(task).collect();
                format!("{tasks}| a.md: t0")
            };
            let of = |count: usize| estimate(&sketch::plan(&line(count)), &sketch::outline(&[]), "b");
            let (less, more) = (of(sizes.len()), of(sizes.len() - usize::from(sizes.len() > 1)));
            prop_assert!(less.calls >= more.calls && less.input_tokens >= more.input_tokens);
            prop_assert!(less.output_tokens >= more.output_tokens);
            prop_assert!(less.critical_output_tokens >= more.critical_output_tokens);
            prop_assert!(less.widest >= more.widest && u64::from(less.widest) < u64::from(less.calls));
            let total: u64 = sizes.iter().sum();
            prop_assert_eq!(less.critical_output_tokens == total, chain || sizes.len() == 1);
        }
    }
}
