//! Reads the outcome of a finished attempt by core's rules for its kind of task.
//!
//! The [`Decider`](crate::decider::Decider) hands the [`Reading`] to the project; parsers live in core.

use chorus_core::attempt::{AttemptDone, Outcome};
use chorus_core::brief;
use chorus_core::merge;
use chorus_core::plan::{self, Plan, Scope};
use chorus_core::project::{Conflicts, Planned, Reading, Subject, Task};
use chorus_core::task_kind::TaskKind;
use chorus_core::verdict;

use crate::aggregate::Aggregate;
use crate::artifact_cache::Missing;
use crate::context::Context;
use crate::inputs;
use crate::judging;

/// Reads the outcome of an attempt; [`Reading::Nothing`] if its task does not wait for this attempt.
pub(crate) async fn read_outcome(
    context: &Context,
    aggregate: &mut Aggregate,
    done: &AttemptDone,
) -> Result<Reading, Missing> {
    let waiting = |task: &&Task| {
        task.current_attempt()
            .is_some_and(|current| current.attempt == done.attempt)
    };
    let Some(task) = aggregate
        .project
        .tasks
        .get(&done.task)
        .filter(waiting)
        .cloned()
    else {
        return Ok(Reading::Nothing);
    };
    let text = match &done.outcome {
        Outcome::Succeeded { .. } if task.kind == TaskKind::Work => None,
        Outcome::Succeeded { result } => Some(
            aggregate
                .artifacts
                .text(context, "a result", *result)
                .await?,
        ),
        Outcome::Asked { question } => Some(
            aggregate
                .artifacts
                .text(context, "a question", *question)
                .await?,
        ),
        Outcome::Failed { .. } | Outcome::Requeue { .. } => None,
    };
    match (task.kind, text) {
        (TaskKind::Plan, text) => planned(context, aggregate, text).await,
        (_, None) => Ok(Reading::Nothing),
        (TaskKind::Work, Some(text)) => Ok(Reading::Question(
            merge::question(&text)
                .unwrap_or_else(|| text.trim())
                .to_owned(),
        )),
        (TaskKind::Clarify, Some(text)) => {
            Ok(Reading::Clarification(brief::read_clarification(&text)))
        }
        (TaskKind::Answer, Some(text)) => Ok(Reading::Answer(brief::read_answer(&text))),
        (TaskKind::Resolve, Some(text)) => resolved(context, aggregate, &text).await,
        (TaskKind::Judge, Some(text)) => judged(context, aggregate, &task.about, &text).await,
    }
}

/// Reads a judge's answer about the requirements that it was asked about.
async fn judged(
    context: &Context,
    aggregate: &mut Aggregate,
    about: &Subject,
    text: &str,
) -> Result<Reading, Missing> {
    let Some(plan) = inputs::plan(context, aggregate).await? else {
        return Ok(Reading::Nothing);
    };
    let files = inputs::files(context, aggregate, &plan).await?;
    let chunk = judging::chunk(&plan, &files, about, aggregate.sizes.judge_tokens);
    let read = match about {
        Subject::Undecided { .. } => verdict::read_final,
        Subject::Itself | Subject::Question { .. } | Subject::Part { .. } => verdict::read,
    };
    Ok(Reading::Verdict(read(text, &plan, &chunk.requirements)))
}

async fn resolved(
    context: &Context,
    aggregate: &mut Aggregate,
    text: &str,
) -> Result<Reading, Missing> {
    let conflicts = inputs::conflicts(context, aggregate).await?;
    Ok(Reading::Resolutions(merge::read_resolutions(
        text,
        &Conflicts::open(&conflicts),
    )))
}

/// Reads the planner's plan. A reply that breaks the rules is read leniently, and the [`plan::fallback`] is offered
/// for one that is no plan.
async fn planned(
    context: &Context,
    aggregate: &mut Aggregate,
    text: Option<String>,
) -> Result<Reading, Missing> {
    let outline = inputs::outline(context, aggregate).await?;
    let scope = Scope {
        outline: &outline,
        limits: aggregate.sizes.plan,
    };
    let brief = inputs::brief(context, aggregate).await?;
    let strict = text.as_deref().map(|text| plan::read(text, &scope));
    let wrong = match strict {
        Some(Ok(reading)) => {
            let planned = store(
                context,
                aggregate,
                (reading.plan, reading.warnings),
                &scope,
                &brief.text,
            )
            .await;
            return Ok(Reading::Plan {
                read: Ok(planned),
                repaired: None,
                fallback: None,
            });
        }
        Some(Err(refused)) => refused.errors,
        None => Vec::new(),
    };
    let lenient = text
        .as_deref()
        .and_then(|text| plan::read_leniently(text, &scope).ok());
    if let Some(reading) = lenient {
        let mended = (reading.plan, reading.warnings);
        let repaired = store(context, aggregate, mended, &scope, &brief.text).await;
        return Ok(Reading::Plan {
            read: Err(wrong),
            repaired: Some(repaired),
            fallback: None,
        });
    }
    let rule = plan::fallback(&aggregate.project.head.title, &brief.text, &scope);
    let by_rule = (rule, wrong.clone());
    let fallback = store(context, aggregate, by_rule, &scope, &brief.text).await;
    Ok(Reading::Plan {
        read: Err(wrong),
        repaired: None,
        fallback: Some(fallback),
    })
}

async fn store(
    context: &Context,
    aggregate: &mut Aggregate,
    (plan, warnings): (Plan, Vec<String>),
    scope: &Scope<'_>,
    brief: &str,
) -> Planned {
    let hash = aggregate.artifacts.put(context, &plan).await;
    let estimate = plan::estimate(&plan, scope.outline, brief);
    Planned {
        plan: Box::new(plan),
        hash,
        warnings,
        estimate,
    }
}
