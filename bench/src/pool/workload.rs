//! Calls of one run ([`Workload`]): true sizes and times, which only the servers know, and estimates, which routers know.

use std::str::FromStr;

use chorus_core::attempt::CallSize;
use chorus_core::time::Millis;

use super::random::Random;
use super::trace::{Sizes, completions, conversations};

/// Milliseconds before the first token, without the prompt's reading time.
const FIRST_TOKEN_MS: u64 = 300;
/// Prompt tokens that are read in a millisecond.
const READ_PER_MS: u64 = 10;
/// Milliseconds of one produced token.
const TOKEN_MS: f64 = 18.0;
/// Deviation of the logarithm of a call's pace.
const PACE_DEVIATION: f64 = 0.2;
/// Deviation of the logarithm of the plan's guess at the output.
const OUTPUT_DEVIATION: f64 = 0.5;
/// Part by which the count of a prompt may be wrong.
const INPUT_ERROR: f64 = 0.08;
/// `max_tokens` as a multiple of the plan's guess, about the 99 % quantile.
const MAX_TOKENS_FACTOR: f64 = 3.2;

/// Arrangement of the calls of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shape {
    /// All calls are ready at the start; sizes of conversations.
    Flat,
    /// Eight layers; each call waits for two of the layer before it; sizes of conversations.
    Depth8,
    /// Twenty layers; half conversations, half code completions.
    Depth20,
    /// Eight layers; conversations, completions, and one long prompt in twenty.
    Mixed,
    /// Flat, of forty tenants with an equal number of calls.
    Tenants,
}

impl Shape {
    /// All shapes, in the order of tables.
    pub(crate) const ALL: [Self; 5] = [
        Self::Flat,
        Self::Depth8,
        Self::Depth20,
        Self::Mixed,
        Self::Tenants,
    ];

    /// Name in cells and tables.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Depth8 => "depth8",
            Self::Depth20 => "depth20",
            Self::Mixed => "mixed",
            Self::Tenants => "tenants40",
        }
    }

    const fn layers(self) -> usize {
        match self {
            Self::Flat | Self::Tenants => 1,
            Self::Depth8 | Self::Mixed => 8,
            Self::Depth20 => 20,
        }
    }
}

impl FromStr for Shape {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|shape| shape.as_str() == text);
        named.ok_or_else(|| anyhow::anyhow!("no shape {text:?}"))
    }
}

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Task {
    /// True prompt tokens.
    pub(crate) input: u64,
    /// True produced tokens.
    pub(crate) output: u64,
    /// Time from the arrival at the server to the first token.
    pub(crate) first_token: Millis,
    /// Time from the arrival at the server to the end of the reply.
    pub(crate) took: Millis,
    /// Size as the planner guesses it.
    pub(crate) size: CallSize,
    /// Predicted time from the start of the call to the end of the run's last reader.
    pub(crate) path: Millis,
    /// Indices of the calls it waits for.
    pub(crate) parents: Vec<usize>,
    /// Number of the tenant, from 0.
    pub(crate) tenant: usize,
    /// Milliseconds from the start at which an interactive call arrives; none for a task.
    pub(crate) arrives: Option<u64>,
}

impl Task {
    pub(crate) const fn is_interactive(&self) -> bool {
        self.arrives.is_some()
    }
}

/// All calls of a run, parents before their readers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Workload {
    pub(crate) tasks: Vec<Task>,
    /// Readers of each call.
    pub(crate) readers: Vec<Vec<usize>>,
    pub(crate) tenants: usize,
}

impl Workload {
    /// Draws the calls of a shape.
    pub(crate) fn new(shape: Shape, count: usize, seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x9e37_79b9);
        let (conversations, completions) = (conversations(), completions());
        let tenants = if shape == Shape::Tenants { 40 } else { 1 };
        let width = count.div_ceil(shape.layers()).max(1);
        let mut tasks = Vec::with_capacity(count);
        for at in 0..count {
            let sizes = draw(shape, &conversations, &completions, &mut random);
            let mut task = Task::new(sizes, &mut random);
            let layer = at / width;
            if layer > 0 {
                task.parents = two_of((layer - 1) * width, width, &mut random);
            }
            task.tenant = at % tenants;
            tasks.push(task);
        }
        Self::of(tasks, tenants)
    }

    /// Adds interactive calls that arrive at random from the start to `until`, `per_second` on average.
    pub(crate) fn with_interactive(mut self, per_second: f64, until: Millis, seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x1234_5678);
        let conversations = conversations();
        let mut at = 0.0;
        loop {
            at += random.exponential(1000.0 / per_second);
            if at >= until.0 as f64 {
                break;
            }
            let sizes = conversations[random.below(conversations.len())];
            let mut task = Task::new(sizes, &mut random);
            task.arrives = Some(at as u64);
            self.tasks.push(task);
        }
        Self::of(self.tasks, self.tenants)
    }

    fn of(mut tasks: Vec<Task>, tenants: usize) -> Self {
        let mut readers = vec![Vec::new(); tasks.len()];
        for (at, task) in tasks.iter().enumerate() {
            for parent in &task.parents {
                readers[*parent].push(at);
            }
        }
        for at in (0..tasks.len()).rev() {
            let longest = readers[at].iter().map(|reader| tasks[*reader].path.0);
            tasks[at].path = Millis(predicted(&tasks[at].size) + longest.max().unwrap_or(0));
        }
        Self {
            tasks,
            readers,
            tenants,
        }
    }
}

impl Task {
    fn new(sizes: Sizes, random: &mut Random) -> Self {
        let guess = (sizes.output as f64 * random.factor(OUTPUT_DEVIATION)).max(1.0);
        let max_tokens = (guess * MAX_TOKENS_FACTOR).ceil().max(16.0) as u32;
        let output = sizes.output.clamp(1, u64::from(max_tokens));
        let counted = 1.0 + INPUT_ERROR * (2.0 * random.unit() - 1.0);
        let first_token = FIRST_TOKEN_MS + sizes.input / READ_PER_MS;
        let pace = TOKEN_MS * random.factor(PACE_DEVIATION);
        Self {
            input: sizes.input,
            output,
            first_token: Millis(first_token),
            took: Millis(first_token + (output as f64 * pace) as u64),
            size: CallSize {
                input: (sizes.input as f64 * counted).max(1.0) as u64,
                output: guess as u64,
                max_tokens,
            },
            path: Millis::ZERO,
            parents: Vec::new(),
            tenant: 0,
            arrives: None,
        }
    }
}

/// Predicted time of a call, as plans predict it: prompt, first token, and about seventy tokens a second.
const fn predicted(size: &CallSize) -> u64 {
    1_000 + size.input / READ_PER_MS + 14 * size.output
}

fn draw(
    shape: Shape,
    conversations: &[Sizes],
    completions: &[Sizes],
    random: &mut Random,
) -> Sizes {
    let part = random.unit();
    let completion_from = match shape {
        Shape::Flat | Shape::Depth8 | Shape::Tenants => 1.0,
        Shape::Depth20 => 0.5,
        Shape::Mixed => 0.6,
    };
    if shape == Shape::Mixed && part >= 0.95 {
        return Sizes {
            input: 8_000 + random.below(24_000) as u64,
            output: 50 + random.below(950) as u64,
        };
    }
    let of = if part < completion_from {
        conversations
    } else {
        completions
    };
    of[random.below(of.len())]
}

/// One or two different indices from `from` on.
fn two_of(from: usize, width: usize, random: &mut Random) -> Vec<usize> {
    let mut chosen = vec![from + random.below(width), from + random.below(width)];
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_calls_and_parents_come_first() {
        let one = Workload::new(Shape::Depth8, 400, 7);
        assert_eq!(one, Workload::new(Shape::Depth8, 400, 7));
        assert_ne!(one, Workload::new(Shape::Depth8, 400, 8));
        for (at, task) in one.tasks.iter().enumerate() {
            assert!(task.parents.iter().all(|parent| *parent < at));
            assert_eq!(task.parents.is_empty(), at < 50, "layers of fifty");
            for parent in &task.parents {
                assert!(one.tasks[*parent].path > task.path);
            }
        }
    }

    #[test]
    fn guesses_are_as_wrong_as_the_study_assumes() {
        let load = Workload::new(Shape::Flat, 4_000, 1);
        let mut logs: Vec<f64> = load
            .tasks
            .iter()
            .filter(|task| task.output > 20)
            .map(|task| (task.size.output as f64 / task.output as f64).ln())
            .collect();
        logs.sort_by(f64::total_cmp);
        let deviation = (logs[logs.len() * 84 / 100] - logs[logs.len() * 16 / 100]) / 2.0;
        assert!((0.4..0.6).contains(&deviation), "{deviation}");
        let cut = load
            .tasks
            .iter()
            .filter(|task| task.output == u64::from(task.size.max_tokens))
            .count();
        assert!(
            cut < 120,
            "about one call of a hundred meets its maximum: {cut}"
        );
    }
}
