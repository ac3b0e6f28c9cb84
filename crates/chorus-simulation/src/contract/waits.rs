//! Cases of [`Waits`](chorus_core::port::Waits) and [`Workers`](chorus_core::port::Workers): reasons of
//! waiting, announced slots, slots that are taken.

use std::collections::BTreeSet;

use chorus_core::attempt::{AttemptWait, NewAttempt, Requeue, WaitReason};
use chorus_core::failure::FailureClass;
use chorus_core::id::{AccountId, AttemptId, BootId, Epoch, Pool, ProjectId, Tenant};
use chorus_core::port::StoreError;
use chorus_core::port::attempts::{Announced, QueuePage, QueueSelection};
use chorus_core::port::projects::Commit;
use chorus_core::port::workers::{TakenSlots, WorkerSlots};
use chorus_core::project::{Attention, Head, State};
use chorus_core::task_kind::TaskKind;
use chorus_core::time::Millis;

use super::context::AMPLE;
use super::{Case, CaseContext, Outcome, cases, fixtures};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_recorded_reason_is_read_until_the_attempt_moves_on,
        an_attempt_without_a_reason_waits_for_its_place_in_the_queue,
        a_failed_call_is_the_reason_until_the_next_one_may_start,
        a_long_line_hides_no_other_line,
        what_may_not_start_soon_is_not_read,
        a_line_is_read_by_age_and_by_path_and_counted_whole,
        announced_attempts_are_read_with_those_created_with_them,
        what_was_queued_or_came_due_lately_is_read_by_time,
        an_announcement_lives_until_its_end,
        projects_that_are_held_up_are_found_page_by_page,
        slots_are_taken_by_dispatched_and_running_deliveries,
    ]
}

async fn a_recorded_reason_is_read_until_the_attempt_moves_on(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let attempt = context.queued(project).await?;
    let wait = AttemptWait {
        attempt: attempt.id,
        epoch: Epoch(0),
        since: context.now(),
        reason: WaitReason::NoWorker {
            pool: Pool::new("claude"),
        },
    };
    let stale = AttemptWait {
        epoch: Epoch(4),
        reason: WaitReason::Budget,
        ..wait.clone()
    };
    let waits = &context.ports.waits;
    waits.record_waits(vec![wait.clone(), stale]).await?;
    assert_eq!(waits.waits_of(project, 10).await?, [wait]);
    let holding = context.run(&attempt, Epoch(0)).await?;
    assert_eq!(waits.waits_of(project, 10).await?, [], "it runs");
    let again = fixtures::requeue(Requeue::Drained, context.now());
    let finish = context.finish(&holding, again);
    context.ports.attempts.finish(finish).await?;
    let found = waits.waits_of(project, 10).await?;
    assert_eq!(found[0].epoch, Epoch(1));
    assert_eq!(found[0].reason, WaitReason::Queue { ahead: 0 });
    Ok(())
}

async fn an_attempt_without_a_reason_waits_for_its_place_in_the_queue(
    context: CaseContext,
) -> Outcome {
    let (project, other) = (context.project(AMPLE).await?, context.project(AMPLE).await?);
    let mut expected = Vec::new();
    for ahead in 0..3 {
        context.pass(Millis(1)).await;
        let attempt = context.queued(project).await?;
        context.queued(other).await?;
        expected.push((attempt.id, WaitReason::Queue { ahead }));
    }
    let found = context.ports.waits.waits_of(project, 2).await?;
    let found: Vec<_> = found
        .into_iter()
        .map(|wait| (wait.attempt, wait.reason))
        .collect();
    assert_eq!(found, expected[..2]);
    Ok(())
}

async fn a_failed_call_is_the_reason_until_the_next_one_may_start(context: CaseContext) -> Outcome {
    let (project, _, holding) = context.running().await?;
    let until = context.now() + Millis::from_secs(9);
    let class = FailureClass::Overload;
    let again = fixtures::requeue(Requeue::Retry { class }, until);
    let finish = context.finish(&holding, again);
    context.ports.attempts.finish(finish).await?;
    let found = context.ports.waits.waits_of(project, 10).await?;
    let expected = WaitReason::Retry {
        account: Some(AccountId::new(78)),
        class: Some(class),
        message: None,
        until: Some(until),
    };
    assert_eq!(found[0].reason, expected);
    context.pass(Millis::from_secs(9)).await;
    let found = context.ports.waits.waits_of(project, 10).await?;
    assert_eq!(found[0].reason, WaitReason::Queue { ahead: 0 });
    Ok(())
}

async fn a_long_line_hides_no_other_line(context: CaseContext) -> Outcome {
    let (long, short) = (context.project(AMPLE).await?, context.project(AMPLE).await?);
    let many = (0..40).map(|_| fixtures::attempt(&context.ids, long, context.now()));
    let commit = context.decision(long).await?;
    let judge = NewAttempt {
        kind: TaskKind::Judge,
        ..fixtures::attempt(&context.ids, long, context.now())
    };
    let attempts: Vec<_> = many.chain([judge.clone()]).collect();
    context.decide(Commit { attempts, ..commit }).await?;
    context.pass(Millis(1)).await;
    let late = context.queued(short).await?;
    let read = context.ports.attempts.queued(30).await?;
    let has = |attempt: &NewAttempt| read.iter().any(|row| row.attempt.id == attempt.id);
    assert_eq!(read.len(), 12, "ten of the long line");
    assert!(has(&late) && has(&judge), "a line was hidden");
    Ok(())
}

async fn what_may_not_start_soon_is_not_read(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let later = |length| NewAttempt {
        not_before: context.now() + Millis(length),
        ..fixtures::attempt(&context.ids, project, context.now())
    };
    let (soon, late) = (later(1_500), later(2_500));
    let commit = context.decision(project).await?;
    let attempts = vec![soon.clone(), late.clone()];
    context.decide(Commit { attempts, ..commit }).await?;
    let read = context.ports.attempts.queued(10).await?;
    let ids: Vec<_> = read.into_iter().map(|row| row.attempt.id).collect();
    assert_eq!(ids, [soon.id]);
    context.pass(Millis(500)).await;
    assert_eq!(context.ports.attempts.queued(10).await?.len(), 2);
    Ok(())
}

async fn an_announcement_lives_until_its_end(context: CaseContext) -> Outcome {
    let workers = &context.ports.workers;
    let of = |boot, slots| WorkerSlots {
        boot: BootId::new(boot),
        pool: Pool::new("claude"),
        slots,
    };
    workers.announce(of(1, 4), Millis(1_000)).await?;
    workers.announce(of(2, 8), Millis(5_000)).await?;
    workers.announce(of(2, 6), Millis(5_000)).await?;
    let announced = workers.announced().await?;
    let read: Vec<_> = announced.into_iter().map(|one| one.worker).collect();
    assert_eq!(read, [of(1, 4), of(2, 6)]);
    context.pass(Millis(1_000)).await;
    let announced = workers.announced().await?;
    assert_eq!(announced.len(), 1, "the first one ended");
    assert_eq!(announced[0].until, context.now() + Millis(4_000));
    workers.announce(of(2, 0), Millis(5_000)).await?;
    assert_eq!(workers.announced().await?, []);
    Ok(())
}

async fn slots_are_taken_by_dispatched_and_running_deliveries(context: CaseContext) -> Outcome {
    let (project, _, holding) = context.running().await?;
    let attempt = context.queued(project).await?;
    context.queued(project).await?;
    context.send(&attempt, Epoch(0)).await?;
    let taken = |boot: Option<&str>| TakenSlots {
        pool: Pool::new("claude"),
        boot: boot.map(str::to_owned),
        deliveries: 1,
    };
    let process = holding.holder.process();
    let found = context.ports.workers.taken_slots().await?;
    assert_eq!(found, [taken(None), taken(Some(process))]);
    Ok(())
}

async fn projects_that_are_held_up_are_found_page_by_page(context: CaseContext) -> Outcome {
    let mut held_up = Vec::new();
    for number in 0..4 {
        let project = context.project(AMPLE).await?;
        let was = Box::new(State::Running);
        let state = match number {
            0 => State::Running,
            1 => State::Paused { was },
            _ => State::NeedsAttention {
                since: context.now(),
                why: Attention::NoAccount {
                    message: "none".to_owned(),
                },
                was,
            },
        };
        let head = fixtures::head(project, &Tenant::new("tenant"), context.now());
        let head = Head { state, ..head };
        let commit = context.decision(project).await?;
        let decided = head.clone();
        context
            .decide(Commit {
                head: decided,
                ..commit
            })
            .await?;
        let loaded = context.ports.projects.head(project).await?;
        assert_eq!(loaded.map(|loaded| loaded.head), Some(head));
        held_up.extend((number > 0).then_some(project));
    }
    let mut found: Vec<ProjectId> = Vec::new();
    loop {
        let page = context
            .ports
            .waits
            .held_up(found.last().copied(), 2)
            .await?;
        assert!(page.len() <= 2 && page.iter().all(|one| one.tenant == Tenant::new("tenant")));
        if page.is_empty() {
            break;
        }
        found.extend(page.into_iter().map(|one| one.project));
    }
    assert_eq!(found, held_up);
    assert_eq!(
        context
            .ports
            .projects
            .head(ProjectId::new(u128::MAX))
            .await?,
        None
    );
    Ok(())
}

/// Attempts with these paths, queued by one decision each at its own time.
async fn with_paths(
    context: &CaseContext,
    project: ProjectId,
    paths: &[u64],
) -> Result<Vec<AttemptId>, StoreError> {
    let mut ids = Vec::new();
    for path in paths {
        context.pass(Millis(1)).await;
        let attempt = NewAttempt {
            path: Millis(*path),
            ..fixtures::attempt(&context.ids, project, context.now())
        };
        ids.push(attempt.id);
        let commit = context.decision(project).await?;
        let attempts = vec![attempt];
        context.decide(Commit { attempts, ..commit }).await?;
    }
    Ok(ids)
}

fn ids_of(page: &QueuePage) -> BTreeSet<AttemptId> {
    page.rows.iter().map(|row| row.attempt.id).collect()
}

async fn a_line_is_read_by_age_and_by_path_and_counted_whole(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let paths = [5, 1, 2, 9, 1, 1, 8, 1];
    let ids = with_paths(&context, project, &paths).await?;
    let kind = TaskKind::Work;
    let attempts = &context.ports.attempts;
    let line = attempts
        .read_queue(QueueSelection::Line { project, kind }, 4)
        .await?;
    let expected: BTreeSet<AttemptId> = [0, 1, 3, 6].map(|at| ids[at]).into();
    assert_eq!(ids_of(&line), expected, "two oldest and two longest");
    let whole = attempts.read_queue(QueueSelection::Lines, 100).await?;
    assert_eq!(whole.rows.len(), paths.len(), "each once");
    assert_eq!((line.lines.len(), &line.lines), (1, &whole.lines));
    let counted = &line.lines[0];
    assert_eq!((counted.project, counted.kind), (project, kind));
    assert_eq!(
        (&counted.tenant, counted.calls),
        (&Tenant::new("tenant"), 8)
    );
    let sums = whole.rows.iter().fold((0, 0), |(input, output), row| {
        let size = row.attempt.size;
        (input + size.input, output + size.output)
    });
    assert_eq!((counted.input, counted.output), sums);
    Ok(())
}

async fn announced_attempts_are_read_with_those_created_with_them(context: CaseContext) -> Outcome {
    let (project, other) = (context.project(AMPLE).await?, context.project(AMPLE).await?);
    let ids = with_paths(&context, project, &[1, 1, 1]).await?;
    let others = with_paths(&context, other, &[1, 1]).await?;
    let attempts = &context.ports.attempts;
    let read = async |announced: Vec<(AttemptId, u32)>| {
        let announced = announced.into_iter().map(|(attempt, epoch)| Announced {
            attempt,
            epoch: Epoch(epoch),
        });
        let selection = QueueSelection::Announced(announced.collect());
        let page = attempts.read_queue(selection, 100).await?;
        Ok::<_, StoreError>(ids_of(&page))
    };
    let later: BTreeSet<AttemptId> = [ids[1], ids[2]].into();
    assert_eq!(read(vec![(ids[1], 0)]).await?, later, "of one project");
    let named: BTreeSet<AttemptId> = [ids[0], others[1]].into();
    assert_eq!(read(vec![(ids[0], 1), (others[1], 3)]).await?, named);
    let gone = AttemptId::new(u128::MAX);
    assert_eq!(read(vec![(gone, 0), (gone, 1)]).await?, BTreeSet::new());
    Ok(())
}

async fn what_was_queued_or_came_due_lately_is_read_by_time(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let due = context.now() + Millis(10_000);
    let early = NewAttempt {
        not_before: due,
        ..fixtures::attempt(&context.ids, project, context.now())
    };
    let commit = context.decision(project).await?;
    let attempts = vec![early.clone()];
    context.decide(Commit { attempts, ..commit }).await?;
    context.pass(Millis(5_000)).await;
    let late = context.queued(project).await?;
    let since = context.now();
    let read = async |since| {
        let selection = QueueSelection::Recent { since };
        let page = context.ports.attempts.read_queue(selection, 100).await?;
        Ok::<_, StoreError>(ids_of(&page))
    };
    assert_eq!(read(since).await?, [late.id].into());
    context.pass(Millis(3_500)).await;
    let recent = read(since + Millis(1)).await?;
    assert!(
        recent.contains(&early.id) && !recent.contains(&late.id),
        "it may start soon"
    );
    Ok(())
}
