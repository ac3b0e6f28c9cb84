//! What a plan will take, before anything but planning is spent: calls, tokens, and the longest path.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Plan, graph};
use crate::brief::{Outline, count_tokens};
use crate::id::TaskKey;

/// Tokens of the standing rules and the frame of a work prompt.
const FRAME: u64 = 450;
/// Most tokens of the brief that a work prompt shows.
const BRIEF: u64 = 1_600;

/// What a plan will take if every task succeeds the first time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// Calls: one a task, and the judge's.
    pub calls: u32,
    /// Prompt tokens of all calls, by the base count.
    pub input_tokens: u64,
    /// Produced tokens of all calls, thinking not counted.
    pub output_tokens: u64,
    /// The path with most produced tokens, parents first.
    pub critical_path: Vec<TaskKey>,
    /// Produced tokens along that path.
    pub critical_output_tokens: u64,
    /// Most tasks that can run at once, judged by depth.
    pub widest: u32,
    /// Each task.
    pub tasks: BTreeMap<TaskKey, TaskForecast>,
}

/// What one task will take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskForecast {
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Produced tokens.
    pub output_tokens: u64,
    /// Produced tokens from its start to the end of the longest path below it, itself counted.
    pub path_output_tokens: u64,
}

/// Forecasts a plan; `brief` is the brief's text.
pub fn forecast(plan: &Plan, outline: &Outline, brief: &str) -> Forecast {
    let sizes: BTreeMap<&str, u64> = outline
        .sections
        .iter()
        .map(|section| (section.id.0.as_str(), section.tokens))
        .collect();
    let outputs: BTreeMap<&TaskKey, u64> = plan
        .tasks
        .iter()
        .map(|task| (&task.key, u64::from(task.output_tokens)))
        .collect();
    let frame = FRAME + count_tokens(brief).min(BRIEF);
    let paths = paths(plan);
    let task = |(at, task): (usize, &super::PlannedTask)| {
        let sections: u64 = task
            .sections
            .iter()
            .filter_map(|id| sizes.get(id.0.as_str()))
            .sum();
        let results: u64 = task
            .parents
            .iter()
            .filter_map(|parent| outputs.get(parent))
            .sum();
        let own = count_tokens(&task.instructions)
            + task
                .acceptance
                .iter()
                .map(|line| count_tokens(line))
                .sum::<u64>();
        let forecast = TaskForecast {
            input_tokens: frame + sections + results + own,
            output_tokens: u64::from(task.output_tokens),
            path_output_tokens: paths[at],
        };
        (task.key.clone(), forecast)
    };
    let tasks: BTreeMap<TaskKey, TaskForecast> = plan.tasks.iter().enumerate().map(task).collect();
    let judged: u64 = plan
        .part_tasks()
        .iter()
        .filter_map(|key| outputs.get(key))
        .sum();
    let rubric = plan.requirements.len() as u64 * 100;
    Forecast {
        calls: u32::try_from(plan.tasks.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1),
        input_tokens: tasks.values().map(|task| task.input_tokens).sum::<u64>()
            + judged
            + frame
            + rubric,
        output_tokens: tasks.values().map(|task| task.output_tokens).sum::<u64>() + rubric,
        critical_output_tokens: paths.iter().copied().max().unwrap_or(0),
        critical_path: critical_path(plan, &paths),
        widest: widest(plan),
        tasks,
    }
}

/// Produced tokens from each task's start to the end, by place in the plan.
fn paths(plan: &Plan) -> Vec<u64> {
    let children = graph::children(&plan.parents());
    let mut paths = vec![0; plan.tasks.len()];
    for at in (0..plan.tasks.len()).rev() {
        let below = children[at]
            .iter()
            .map(|child| paths[*child])
            .max()
            .unwrap_or(0);
        paths[at] = below + u64::from(plan.tasks[at].output_tokens);
    }
    paths
}

fn critical_path(plan: &Plan, paths: &[u64]) -> Vec<TaskKey> {
    let children = graph::children(&plan.parents());
    let longest = |places: &mut dyn Iterator<Item = usize>| {
        places.max_by_key(|at| (paths[*at], std::cmp::Reverse(*at)))
    };
    let mut path = Vec::new();
    let mut next = longest(&mut (0..plan.tasks.len()));
    while let Some(at) = next {
        path.push(plan.tasks[at].key.clone());
        next = longest(&mut children[at].iter().copied());
    }
    path
}

fn widest(plan: &Plan) -> u32 {
    let mut counts = BTreeMap::new();
    for depth in graph::depths(&plan.parents()) {
        *counts.entry(depth).or_insert(0u32) += 1;
    }
    counts.into_values().max().unwrap_or(0)
}
