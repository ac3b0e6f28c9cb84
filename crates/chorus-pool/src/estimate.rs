//! Estimates of the use of a call, learned from ended calls.
//!
//! Input: the base count times a ratio learned for each provider, model and kind of task, because plans, code and
//! verdicts are written in texts of different classes; a kind begins with the ratio of its route. Cached input: the
//! share of the prompt that nine calls of ten read from a cache. Output: the expectation of the plan times a ratio
//! learned for each model and kind, as a log-normal, and thinking beside it. Time: milliseconds for each produced token.
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
/// Minimum weight of a new sample. Calls that end one after the other are alike, so that a greater one would follow the
/// latest kind of text instead of the mean.
const LEAST_WEIGHT: f64 = 0.01;
/// Minimum weight of a new sample of the cached share, which ends with the cache's life of some minutes.
const CACHE_WEIGHT: f64 = 0.1;
/// Number of samples that the initial estimate counts for.
const GUESS_COUNTS: f64 = 4.0;

/// Estimates of all routes and kinds of tasks.
#[derive(Debug, Clone, Default)]
pub struct Estimator {
    inputs: BTreeMap<(ProviderId, ModelSlug), Learned>,
    inputs_of_kind: BTreeMap<(ProviderId, ModelSlug, TaskKind), Learned>,
    cached: BTreeMap<(ProviderId, ModelSlug, TaskKind), Share>,
    /// Answers without thinking, by what the plan expects.
    outputs: BTreeMap<(ModelSlug, TaskKind), Learned>,
    /// Tokens of thinking; a model without an entry has shown none.
    thinking: BTreeMap<(ModelSlug, TaskKind), Learned>,
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

/// Mean and variance of a share from 0 to 1.
#[derive(Debug, Clone, Copy)]
struct Share {
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
        let route = (provider.clone(), model.slug.clone(), kind);
        let input = self.input(&route);
        let input_p90 = scaled(size.input, input.quantile(P90));
        let cached = self.cached.get(&route).map_or(0.0, |share| share.p10());
        let most = u64::from(size.max_tokens.min(model.room(input_p90)).max(1));
        let (output_p50, output_p90) = self.output(&model.slug, kind, expected_output(size));
        let output_p90 = output_p90.clamp(1, most);
        let cached = part(scaled(size.input, input.quantile(-P90)), cached);
        let usage = Usage {
            input: input_p90 - cached,
            cache_read: cached,
            output: output_p90,
            ..Usage::default()
        };
        CallEstimate {
            input: input_p90,
            cached,
            output_p50: output_p50.clamp(1, most),
            output_p90,
            max_tokens: most,
            cost: model.price.cost(&usage),
        }
    }

    /// Tokens of an answer with its thinking: the median and the 90 % quantile.
    fn output(&self, model: &ModelSlug, kind: TaskKind, expected: u64) -> (u64, u64) {
        let key = (model.clone(), kind);
        let answer = self.outputs.get(&key).copied();
        let answer = answer.unwrap_or_else(|| Learned::first(1.0, 0.5));
        let (median, high) = (answer.quantile(0.0), answer.quantile(P90));
        let (median, high) = (expected as f64 * median, expected as f64 * high);
        let Some(thinking) = self.thinking.get(&key) else {
            return (median.ceil() as u64, high.ceil() as u64);
        };
        let (thought, most_thought) = (thinking.quantile(0.0), thinking.quantile(P90));
        let median = median + thought;
        // Both are seldom high at once.
        let above = (high - (median - thought)).hypot(most_thought - thought);
        (median.ceil() as u64, (median + above).ceil() as u64)
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
        let usage = &lesson.usage;
        let route = (lesson.provider.clone(), lesson.model.clone());
        let (provider, model) = route.clone();
        let of_kind = (provider, model, lesson.kind);
        if lesson.size.input > 0 && usage.prompt() > 0 {
            let ratio = ratio(usage.prompt(), lesson.size.input).clamp(0.3, 4.0);
            let learned = self.inputs.entry(route.clone());
            let learned = learned.or_insert_with(|| Learned::first(1.1, 0.08));
            let first = learned.as_guess();
            learned.take(ratio);
            let learned = self.inputs_of_kind.entry(of_kind.clone());
            learned.or_insert(first).take(ratio);
            let share = usage.cache_read as f64 / usage.prompt() as f64;
            let cached = self.cached.entry(of_kind);
            cached.or_insert_with(Share::none).take(share);
        }
        if usage.output > 0 {
            let key = (lesson.model.clone(), lesson.kind);
            let thought = usage.reasoning.min(usage.output);
            if thought > 0 {
                let learned = self.thinking.entry(key.clone());
                let learned = learned.or_insert_with(|| Learned::first(thought as f64, 0.8));
                learned.take(thought as f64);
            } else if let Some(learned) = self.thinking.get_mut(&key) {
                learned.take(1.0);
            }
            let learned = self
                .outputs
                .entry(key)
                .or_insert_with(|| Learned::first(1.0, 0.5));
            let answer = usage.output - thought;
            if answer > 0 {
                learned.take(ratio(answer, expected_output(&lesson.size)).clamp(0.02, 50.0));
            }
            let pace = self
                .paces
                .entry(route)
                .or_insert_with(|| Learned::first(20.0, 0.5));
            pace.take(ratio(lesson.took.0, usage.output).clamp(0.01, 5_000.0));
        }
    }

    /// Tokens that the provider counts for one token of the base count: the median, and the spread as a factor.
    pub fn calibration(&self, provider: &ProviderId, model: &ModelSlug) -> (f64, f64) {
        let learned = self.input_of_route(provider, model);
        (
            learned.quantile(0.0),
            learned.quantile(1.645) / learned.quantile(0.0),
        )
    }

    fn input(&self, route: &(ProviderId, ModelSlug, TaskKind)) -> Learned {
        let of_kind = self.inputs_of_kind.get(route).copied();
        of_kind.unwrap_or_else(|| self.input_of_route(&route.0, &route.1))
    }

    fn input_of_route(&self, provider: &ProviderId, model: &ModelSlug) -> Learned {
        self.inputs
            .get(&(provider.clone(), model.clone()))
            .copied()
            .unwrap_or_else(|| Learned::first(1.1, 0.08))
    }
}

impl Share {
    const fn none() -> Self {
        Self {
            mean: 0.0,
            variance: 0.0,
            seen: GUESS_COUNTS,
        }
    }

    fn take(&mut self, share: f64) {
        self.seen += 1.0;
        let weight = (1.0 / self.seen).max(CACHE_WEIGHT);
        let off = share.clamp(0.0, 1.0) - self.mean;
        self.mean += weight * off;
        self.variance = (1.0 - weight) * (self.variance + weight * off * off);
    }

    /// Share that nine calls of ten reach.
    fn p10(&self) -> f64 {
        (self.mean - P90 * self.variance.sqrt()).clamp(0.0, 1.0)
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

    /// Returns what is learned as the initial estimate of a part.
    const fn as_guess(self) -> Self {
        Self {
            seen: GUESS_COUNTS,
            ..self
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

fn part(whole: u64, share: f64) -> u64 {
    (whole as f64 * share).floor() as u64
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

    fn learned(lessons: &[UsageSample]) -> Estimator {
        let mut estimator = Estimator::default();
        for lesson in lessons {
            estimator.learn(lesson);
        }
        estimator
    }

    fn of_kind(estimator: &Estimator, kind: TaskKind) -> CallEstimate {
        let model = model("claude/sonnet", &["sim"], 80);
        estimator.estimate(&"sim".into(), &model, kind, &lesson(0, 0).size)
    }

    #[test]
    fn each_kind_of_task_has_the_ratio_of_its_own_texts_and_begins_with_that_of_its_route() {
        let of = |kind, input| UsageSample {
            kind,
            ..lesson(input, 100)
        };
        let mixed: Vec<_> = (0..200)
            .flat_map(|_| [of(TaskKind::Work, 900), of(TaskKind::Judge, 1_600)])
            .collect();
        let estimator = learned(&mixed);
        let input = |kind| of_kind(&estimator, kind).input;
        assert!(
            (880..=1_000).contains(&input(TaskKind::Work)),
            "{}",
            input(TaskKind::Work)
        );
        assert!((1_550..=1_760).contains(&input(TaskKind::Judge)));
        let unseen = input(TaskKind::Resolve);
        assert!((1_000..=1_900).contains(&unseen), "the route's: {unseen}");
    }

    #[test]
    fn the_latest_calls_do_not_pull_a_ratio_that_hundreds_taught() {
        let mut lessons = vec![lesson(1_000, 600); 400];
        lessons.extend(vec![lesson(1_000, 60); 5]);
        let p50 = of_kind(&learned(&lessons), TaskKind::Work).output_p50;
        assert!((500..=640).contains(&p50), "{p50}");
    }

    #[test]
    fn the_cached_share_counts_once_nine_calls_of_ten_reach_it() {
        let cached = |read: u64| {
            let mut cached = lesson(1_000 - read, 100);
            cached.usage.cache_read = read;
            cached
        };
        let warm = of_kind(&learned(&vec![cached(800); 60]), TaskKind::Work);
        assert!((600..=820).contains(&warm.cached), "{}", warm.cached);
        let cold = of_kind(&learned(&vec![cached(0); 60]), TaskKind::Work);
        assert_eq!(cold.cached, 0);
        assert!(warm.cost < cold.cost, "cached prompts are cheaper");
        let by_turns: Vec<_> = (0..60).map(|turn| cached(800 * (turn % 2))).collect();
        let unsure = of_kind(&learned(&by_turns), TaskKind::Work);
        assert_eq!(unsure.cached, 0, "half of the calls read nothing");
    }

    #[test]
    fn thinking_is_estimated_beside_the_answer_and_not_by_its_length() {
        let thought = |expected: u64, answer: u64| {
            let mut lesson = lesson(1_000, answer + 2_000);
            lesson.usage.reasoning = 2_000;
            lesson.size.output = expected;
            lesson
        };
        let estimator = learned(&vec![thought(100, 100); 100]);
        let model = model("claude/sonnet", &["sim"], 80);
        let size = CallSize {
            output: 1_000,
            ..lesson(0, 0).size
        };
        let estimate = estimator.estimate(&"sim".into(), &model, TaskKind::Work, &size);
        let p50 = estimate.output_p50;
        assert!(
            (2_800..=3_200).contains(&p50),
            "2,000 of thinking and 1,000: {p50}"
        );
        assert!(estimate.output_p90 > p50);
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
