//! Estimates of the use of a call, learned from ended calls.
//!
//! Input: the base count times a ratio learned for each provider and model. Output: the expectation of the plan times
//! a ratio learned for each model and kind of task, as a log-normal. Time: milliseconds for each produced token.
//! Deliberately simple: coarse sizes suffice, because the ledger charges the real use when a call ends.
//! [`Admission`](crate::Admission) feeds the [`Estimator`] with each [`UsageSample`].

use std::collections::BTreeMap;

use chorus_core::attempt::CallSize;
use chorus_core::catalog::Model;
use chorus_core::id::{ModelSlug, ProviderId};
use chorus_core::limit::CallEstimate;
use chorus_core::llm::Usage;
use chorus_core::task_kind::TaskKind;
use chorus_core::time::Millis;

/// Number of standard deviations from the median to the 90 % quantile.
const P90: f64 = 1.2816;
/// Minimum weight of a new sample.
const LEAST_WEIGHT: f64 = 0.05;
/// Number of samples that the initial estimate counts for.
const GUESS_COUNTS: f64 = 4.0;

/// Estimates of all routes and kinds of tasks.
#[derive(Debug, Clone, Default)]
pub struct Estimator {
    inputs: BTreeMap<(ProviderId, ModelSlug), Learned>,
    outputs: BTreeMap<(ModelSlug, TaskKind), Learned>,
    paces: BTreeMap<(ProviderId, ModelSlug), Learned>,
}

/// Real use of one call.
#[derive(Debug, Clone, PartialEq)]
pub struct UsageSample {
    /// Provider that was called.
    pub provider: ProviderId,
    /// Model that was called.
    pub model: ModelSlug,
    /// Kind of the task.
    pub kind: TaskKind,
    /// Size as estimated before the call.
    pub size: CallSize,
    /// Tokens used.
    pub usage: Usage,
    /// Time from the start of the call to its end.
    pub took: Millis,
}

/// Mean and variance of the logarithm of a ratio.
#[derive(Debug, Clone, Copy)]
struct Learned {
    mean: f64,
    variance: f64,
    seen: f64,
}

impl Estimator {
    /// Estimates a call on a provider's route to a model.
    pub fn estimate(
        &self,
        provider: &ProviderId,
        model: &Model,
        kind: TaskKind,
        size: &CallSize,
    ) -> CallEstimate {
        let input = self.input(provider, &model.slug);
        let output = self
            .outputs
            .get(&(model.slug.clone(), kind))
            .copied()
            .unwrap_or_else(|| Learned::first(1.0, 0.5));
        let at = |learned: Learned, deviations: f64, base: u64| {
            scaled(base, learned.quantile(deviations))
        };
        let expected = expected_output(size);
        let input_p90 = at(input, P90, size.input);
        let most = u64::from(size.max_tokens.min(model.room(input_p90)).max(1));
        let output_p90 = at(output, P90, expected).clamp(1, most);
        let usage = Usage {
            input: input_p90,
            output: output_p90,
            ..Usage::default()
        };
        CallEstimate {
            input: input_p90,
            output_p50: at(output, 0.0, expected).clamp(1, most),
            output_p90,
            max_tokens: most,
            cost: model.price.cost(&usage),
        }
    }

    /// Estimated service time of a call.
    pub fn service(
        &self,
        provider: &ProviderId,
        model: &Model,
        kind: TaskKind,
        size: &CallSize,
    ) -> Millis {
        let tokens = self.estimate(provider, model, kind, size).output_p50;
        Millis(scaled(tokens, self.pace(provider, &model.slug)).max(200))
    }

    /// Milliseconds per produced token, the wait for the first one included.
    pub fn pace(&self, provider: &ProviderId, model: &ModelSlug) -> f64 {
        let key = (provider.clone(), model.clone());
        self.paces
            .get(&key)
            .copied()
            .unwrap_or_else(|| Learned::first(20.0, 0.5))
            .quantile(0.0)
    }

    /// Learns from the real use of a call.
    pub fn learn(&mut self, lesson: &UsageSample) {
        let route = (lesson.provider.clone(), lesson.model.clone());
        if lesson.size.input > 0 && lesson.usage.prompt() > 0 {
            let learned = self
                .inputs
                .entry(route.clone())
                .or_insert_with(|| Learned::first(1.1, 0.08));
            learned.take(ratio(lesson.usage.prompt(), lesson.size.input).clamp(0.3, 4.0));
        }
        if lesson.usage.output > 0 {
            let learned = self
                .outputs
                .entry((lesson.model.clone(), lesson.kind))
                .or_insert_with(|| Learned::first(1.0, 0.5));
            learned
                .take(ratio(lesson.usage.output, expected_output(&lesson.size)).clamp(0.02, 50.0));
            let pace = self
                .paces
                .entry(route)
                .or_insert_with(|| Learned::first(20.0, 0.5));
            pace.take(ratio(lesson.took.0, lesson.usage.output).clamp(0.01, 5_000.0));
        }
    }

    /// Tokens that the provider counts for one token of the base count: the median, and the spread as a factor.
    pub fn calibration(&self, provider: &ProviderId, model: &ModelSlug) -> (f64, f64) {
        let learned = self.input(provider, model);
        (
            learned.quantile(0.0),
            learned.quantile(1.645) / learned.quantile(0.0),
        )
    }

    fn input(&self, provider: &ProviderId, model: &ModelSlug) -> Learned {
        self.inputs
            .get(&(provider.clone(), model.clone()))
            .copied()
            .unwrap_or_else(|| Learned::first(1.1, 0.08))
    }
}

impl Learned {
    fn first(median: f64, deviation: f64) -> Self {
        Self {
            mean: median.ln(),
            variance: deviation * deviation,
            seen: GUESS_COUNTS,
        }
    }

    fn take(&mut self, ratio: f64) {
        self.seen += 1.0;
        let weight = (1.0 / self.seen).max(LEAST_WEIGHT);
        let off = ratio.ln() - self.mean;
        self.mean += weight * off;
        self.variance = (1.0 - weight) * (self.variance + weight * off * off);
    }

    fn quantile(self, deviations: f64) -> f64 {
        (self.mean + deviations * self.variance.sqrt()).exp()
    }
}

fn expected_output(size: &CallSize) -> u64 {
    if size.output > 0 {
        size.output
    } else {
        (u64::from(size.max_tokens) / 2).max(1)
    }
}

fn ratio(actual: u64, base: u64) -> f64 {
    actual.max(1) as f64 / base.max(1) as f64
}

fn scaled(base: u64, factor: f64) -> u64 {
    (base as f64 * factor).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::model;

    fn lesson(input: u64, output: u64) -> UsageSample {
        UsageSample {
            provider: "sim".into(),
            model: "claude/sonnet".into(),
            kind: TaskKind::Work,
            size: CallSize {
                input: 1000,
                output: 400,
                max_tokens: 4000,
            },
            usage: Usage {
                input,
                output,
                ..Usage::default()
            },
            took: Millis(output * 10),
        }
    }

    #[test]
    fn an_estimate_covers_nine_calls_of_ten_after_twenty_lessons() {
        let model = model("claude/sonnet", &["sim"], 80);
        let mut estimator = Estimator::default();
        let mut random = fastrand::Rng::with_seed(7);
        let mut draw = || {
            let normal: f64 = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
            lesson(
                (1300.0 * (1.0 + 0.05 * normal)) as u64,
                (600.0 * (0.3 * normal).exp()) as u64,
            )
        };
        for _ in 0..60 {
            estimator.learn(&draw());
        }
        let estimate =
            estimator.estimate(&"sim".into(), &model, TaskKind::Work, &lesson(0, 0).size);
        let calls: Vec<_> = (0..1000).map(|_| draw().usage).collect();
        let share =
            |covered: &dyn Fn(&Usage) -> bool| calls.iter().filter(|usage| covered(usage)).count();
        let (input, output) = (
            share(&|usage| usage.input <= estimate.input),
            share(&|usage| usage.output <= estimate.output_p90),
        );
        assert!((820..=995).contains(&input), "input covered {input}");
        assert!((820..=975).contains(&output), "output covered {output}");
        assert!(
            (9.0..11.0).contains(&estimator.pace(&"sim".into(), &model.slug))
                || estimator.pace(&"sim".into(), &model.slug) < 12.0
        );
    }

    #[test]
    fn an_estimate_never_exceeds_what_the_call_may_produce() {
        let model = model("claude/sonnet", &["sim"], 80);
        let size = CallSize {
            input: 10,
            output: 1_000_000,
            max_tokens: 64,
        };
        let estimate = Estimator::default().estimate(&"sim".into(), &model, TaskKind::Plan, &size);
        assert_eq!(
            (
                estimate.output_p50,
                estimate.output_p90,
                estimate.max_tokens
            ),
            (64, 64, 64)
        );
        assert!(estimate.cost.0 > 0);
    }

    #[test]
    fn an_answer_is_estimated_within_what_the_prompt_leaves_of_the_context() {
        let model = Model {
            context: 8_192,
            max_output: 4_096,
            ..model("local/model", &["sim"], 10)
        };
        let most = |input| {
            Estimator::default().estimate(
                &"sim".into(),
                &model,
                TaskKind::Plan,
                &CallSize {
                    input,
                    output: 0,
                    max_tokens: 24_000,
                },
            )
        };
        assert_eq!(most(100).max_tokens, 4_096);
        let estimate = most(5_000);
        assert_eq!(estimate.max_tokens, 8_192 - estimate.input);
        assert_eq!(most(9_000).max_tokens, 1);
    }
}
