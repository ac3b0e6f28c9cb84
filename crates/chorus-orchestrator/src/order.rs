//! From a task that is to be done to its attempt: the prompt is built and stored as a work order.

use std::sync::Arc;

use chorus_core::attempt::{NewAttempt, WorkOrder};
use chorus_core::brief::Answered;
use chorus_core::llm::Request;
use chorus_core::merge::framed_for_judge;
use chorus_core::plan::Plan;
use chorus_core::project::{Queue, Subject, Task};
use chorus_core::task_kind::TaskKind;

use crate::aggregate::Aggregate;
use crate::context::Context;
use crate::prompt::{self, Answer, Clarify, Judge, Planning, Resolve};
use crate::shelf::Missing;
use crate::{material, opening, part};

/// Version of the stored form of work orders.
const WORK_ORDER: u32 = 1;

/// Tokens that answers to steering tasks usually have.
const CLARIFICATION: u64 = 400;
const PLAN: u64 = 3_000;
const ANSWER: u64 = 150;
const SETTLEMENT: u64 = 80;
const VERDICT_ITEM: u64 = 100;

/// A call that is to be made, with the tokens that its answer is expected to have.
pub(crate) struct Call {
    pub(crate) request: Request,
    pub(crate) output: u64,
}

/// The attempt, with its work order in the store.
pub(crate) async fn attempt(
    context: &Context,
    aggregate: &mut Aggregate,
    queue: &Queue,
) -> Result<NewAttempt, Missing> {
    let task = aggregate
        .project
        .tasks
        .get(&queue.task)
        .expect("an attempt is queued for a task of the project")
        .clone();
    let Call { request, output } = call(context, aggregate, &task).await?;
    let size = prompt::size(&request, output);
    let order = aggregate
        .shelf
        .put(
            context,
            &WorkOrder {
                version: WORK_ORDER,
                request,
                so_far: String::new(),
            },
        )
        .await;
    let head = &aggregate.project.head;
    Ok(NewAttempt {
        id: queue.attempt,
        task: task.id,
        project: head.id,
        tenant: head.tenant.clone(),
        plan_version: task.plan_version,
        kind: task.kind,
        number: queue.number,
        order,
        size,
        priority: queue.priority,
        path: queue.path,
        not_before: context.clock.now(),
    })
}

async fn call(context: &Context, aggregate: &mut Aggregate, task: &Task) -> Result<Call, Missing> {
    match task.kind {
        TaskKind::Clarify => clarify(context, aggregate, task).await,
        TaskKind::Plan => plan(context, aggregate, task).await,
        TaskKind::Work => part::work(context, aggregate, task).await,
        TaskKind::Answer => answer(context, aggregate, task).await,
        TaskKind::Resolve => resolve(context, aggregate, task).await,
        TaskKind::Judge => judge(context, aggregate, task).await,
    }
}

async fn clarify(
    context: &Context,
    aggregate: &mut Aggregate,
    task: &Task,
) -> Result<Call, Missing> {
    let brief = opening::brief(context, aggregate).await?;
    let outline = opening::stored_outline(context, aggregate).await?;
    let room = aggregate.sizes.rooms.planner;
    let request = prompt::clarify(&Clarify {
        brief: &brief.text,
        outline: &outline,
        refused: refused(task),
        room,
    });
    Ok(Call {
        request,
        output: CLARIFICATION,
    })
}

async fn plan(context: &Context, aggregate: &mut Aggregate, task: &Task) -> Result<Call, Missing> {
    let brief = opening::brief(context, aggregate).await?;
    let outline = opening::stored_outline(context, aggregate).await?;
    let head = &aggregate.project.head;
    let rejected = head
        .rejections
        .iter()
        .map(|reason| format!("The client refused the plan: {reason}"));
    let refused: Vec<_> = rejected.chain(refused(task).iter().cloned()).collect();
    let answers = part::known(&aggregate.project);
    let request = prompt::plan(&Planning {
        brief: &brief.text,
        answers: &answers,
        outline: &outline,
        limits: aggregate.sizes.limits,
        refused: &refused,
        room: aggregate.sizes.rooms.planner,
    });
    Ok(Call {
        request,
        output: PLAN,
    })
}

async fn answer(
    context: &Context,
    aggregate: &mut Aggregate,
    task: &Task,
) -> Result<Call, Missing> {
    let brief = opening::brief(context, aggregate).await?;
    let plan = stored_plan(context, aggregate).await?;
    let Subject::Question { task: asking, text } = &task.about else {
        unreachable!("an answer task is about a question")
    };
    let asking = aggregate
        .project
        .tasks
        .get(asking)
        .expect("a question is asked by a task of the project");
    let planned = material::planned(&plan, &asking.key).ok_or(Missing {
        what: "the asking task's plan",
        hash: aggregate.project.head.brief,
    })?;
    let answers: Vec<Answered> = part::known(&aggregate.project);
    let room = aggregate.sizes.rooms.planner;
    let request = prompt::answer(&Answer {
        brief: &brief.text,
        answers: &answers,
        task: planned,
        question: text,
        refused: refused(task),
        room,
    });
    Ok(Call {
        request,
        output: ANSWER,
    })
}

async fn resolve(
    context: &Context,
    aggregate: &mut Aggregate,
    task: &Task,
) -> Result<Call, Missing> {
    let brief = opening::brief(context, aggregate).await?;
    let open = material::ledger(context, aggregate).await?.open();
    let room = aggregate.sizes.rooms.merger;
    let request = prompt::resolve(&Resolve {
        brief: &brief.text,
        conflicts: &open,
        refused: refused(task),
        room,
    });
    Ok(Call {
        request,
        output: SETTLEMENT * open.len() as u64,
    })
}

async fn judge(context: &Context, aggregate: &mut Aggregate, task: &Task) -> Result<Call, Missing> {
    let brief = opening::brief(context, aggregate).await?;
    let plan = stored_plan(context, aggregate).await?;
    let files = material::files(context, aggregate, &plan).await?;
    let Subject::Part { number, of } = task.about else {
        unreachable!("a judge task is about a part")
    };
    let mut tokens = aggregate.sizes.judge_tokens;
    let mut chunks = framed_for_judge(&plan, &files, tokens);
    // SizeLimits may have changed since the parts were counted; as many judges as there are must see the whole.
    while chunks.len() > of.max(1) as usize {
        tokens = tokens.saturating_mul(2).max(1);
        chunks = framed_for_judge(&plan, &files, tokens);
    }
    let chunk = chunks
        .get(number as usize)
        .or_else(|| chunks.last())
        .expect("there is always a chunk");
    let room = aggregate.sizes.rooms.judge;
    let request = prompt::judge(&Judge {
        brief: &brief.text,
        plan: &plan,
        chunk,
        refused: refused(task),
        room,
    });
    Ok(Call {
        request,
        output: VERDICT_ITEM * chunk.requirements.len() as u64,
    })
}

/// What was wrong with the tries before this one.
fn refused(task: &Task) -> &[String] {
    task.current_attempt()
        .map(|doing| doing.feedback.as_slice())
        .unwrap_or_default()
}

pub(crate) async fn stored_plan(
    context: &Context,
    aggregate: &mut Aggregate,
) -> Result<Arc<Plan>, Missing> {
    let hash = aggregate.project.head.brief;
    opening::plan(context, aggregate).await?.ok_or(Missing {
        what: "the plan",
        hash,
    })
}
