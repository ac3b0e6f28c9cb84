//! Cases of commits: atomic, at the expected version, each record folded once.

use chorus_core::attempt::{Dispatched, Reclaim};
use chorus_core::id::{Epoch, Seq, TaskId, Version};
use chorus_core::money::MicroUsd;
use chorus_core::port::StoreError;
use chorus_core::port::bus::Topic;
use chorus_core::port::projects::{Commit, Committed};
use chorus_core::time::Millis;

use super::context::{AMPLE, ESTIMATE};
use super::{Case, CaseContext, Outcome, cases, fixtures, with_lost_reply};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_decision_is_seen_whole,
        a_decision_on_an_old_version_changes_nothing,
        a_decision_with_a_lost_reply_is_recognised,
        an_empty_decision_with_a_lost_reply_is_recognised,
        another_decision_on_the_same_version_is_a_conflict,
        what_was_folded_is_never_folded_again,
        tasks_that_did_not_change_stay_as_they_are,
        events_out_of_place_are_refused,
        a_decision_on_no_project_is_refused,
        a_cancelled_queued_attempt_is_never_dispatched,
        cancelling_a_dispatched_attempt_gives_its_money_back,
        cancelling_a_running_attempt_counts_its_estimate_as_waste,
        cancelling_what_has_ended_changes_nothing,
    ]
}

async fn a_decision_is_seen_whole(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let task = fixtures::task(TaskId::new(context.ids.number()), "first");
    let attempt = fixtures::attempt(&context.ids, project, context.now());
    let mut commit = context.decision(project).await?;
    commit.head.title = "Named by the plan".to_owned();
    commit.tasks = vec![task.clone()];
    commit.attempts = vec![attempt.clone()];
    commit.events = vec![fixtures::event(project, 1, context.now())];
    commit.outbox = vec![fixtures::record(&context.ids, Topic::Event, "key")];
    let head = commit.head.clone();
    assert_eq!(
        context.ports.projects.commit(commit).await?,
        Committed::Done(Version(1))
    );

    let loaded = context
        .ports
        .projects
        .load(project)
        .await?
        .expect("it was submitted");
    assert_eq!((loaded.version, loaded.seq), (Version(1), Seq(1)));
    assert_eq!(loaded.project.head, head);
    assert_eq!(
        loaded.project.tasks.into_values().collect::<Vec<_>>(),
        [task]
    );
    let queued = context.ports.attempts.queued(10).await?;
    assert_eq!(
        (&queued[0].attempt, queued[0].epoch, queued[0].created_at),
        (&attempt, Epoch(0), context.now())
    );
    assert_eq!(
        context.unsent_topics().await?,
        ["chorus.project.cmd.v1", "chorus.event.v1"]
    );
    assert_eq!(
        context.ports.projects.list(&head.tenant, None, 1).await?[0].title,
        head.title
    );
    Ok(())
}

async fn a_decision_on_an_old_version_changes_nothing(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let old = context.decision(project).await?;
    context
        .decide(Commit {
            events: vec![fixtures::event(project, 1, context.now())],
            ..old.clone()
        })
        .await?;
    let before = context.ports.projects.load(project).await?;
    let late = Commit {
        tasks: vec![fixtures::task(TaskId::new(context.ids.number()), "late")],
        attempts: vec![fixtures::attempt(&context.ids, project, context.now())],
        events: vec![fixtures::event(project, 1, context.now())],
        outbox: vec![fixtures::record(&context.ids, Topic::Event, "key")],
        ..old
    };
    assert_eq!(
        context.ports.projects.commit(late).await?,
        Committed::Conflict
    );
    assert_eq!(context.ports.projects.load(project).await?, before);
    assert_eq!(context.ports.attempts.queued(10).await?, []);
    assert_eq!(context.unsent_topics().await?.len(), 1);
    Ok(())
}

async fn a_decision_with_a_lost_reply_is_recognised(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let command = context.ports.outbox.unsent(Millis::ZERO, 1).await?[0].id;
    let commit = Commit {
        attempts: vec![fixtures::attempt(&context.ids, project, context.now())],
        events: vec![fixtures::event(project, 1, context.now())],
        outbox: vec![fixtures::record(&context.ids, Topic::Event, "key")],
        folded: vec![command, command],
        ..context.decision(project).await?
    };
    let answer =
        with_lost_reply(async || context.ports.projects.commit(commit.clone()).await).await?;
    assert_eq!(answer, Committed::Done(Version(1)));
    assert_eq!(context.ports.attempts.queued(10).await?.len(), 1);
    assert_eq!(context.unsent_topics().await?.len(), 2);
    Ok(())
}

async fn an_empty_decision_with_a_lost_reply_is_recognised(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let mut commit = context.decision(project).await?;
    commit.head.title = "Another".to_owned();
    let answer =
        with_lost_reply(async || context.ports.projects.commit(commit.clone()).await).await?;
    assert_eq!(answer, Committed::Done(Version(1)));
    Ok(())
}

async fn another_decision_on_the_same_version_is_a_conflict(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let ours = context.decision(project).await?;
    let theirs = Commit {
        events: vec![fixtures::event(project, 1, context.now())],
        ..ours.clone()
    };
    context.decide(theirs).await?;
    let ours = Commit {
        outbox: vec![fixtures::record(&context.ids, Topic::Event, "key")],
        ..ours
    };
    assert_eq!(
        context.ports.projects.commit(ours).await?,
        Committed::Conflict
    );
    Ok(())
}

async fn what_was_folded_is_never_folded_again(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let command = context.ports.outbox.unsent(Millis::ZERO, 1).await?[0].id;
    let first = context.decision(project).await?;
    context
        .decide(Commit {
            folded: vec![command],
            ..first
        })
        .await?;
    let fresh = context.ids.event();
    let second = Commit {
        folded: vec![fresh, command],
        attempts: vec![fixtures::attempt(&context.ids, project, context.now())],
        ..context.decision(project).await?
    };
    assert_eq!(
        context.ports.projects.commit(second).await?,
        Committed::Conflict
    );
    assert_eq!(
        context
            .ports
            .projects
            .load(project)
            .await?
            .map(|loaded| loaded.version),
        Some(Version(1))
    );
    assert_eq!(context.ports.attempts.queued(10).await?, []);
    let third = context.decision(project).await?;
    context
        .decide(Commit {
            folded: vec![fresh],
            ..third
        })
        .await
}

async fn tasks_that_did_not_change_stay_as_they_are(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let tasks: Vec<_> = (0..4)
        .map(|at| fixtures::task(TaskId::new(context.ids.number()), &format!("task {at}")))
        .collect();
    let commit = context.decision(project).await?;
    context
        .decide(Commit {
            tasks: tasks.clone(),
            ..commit
        })
        .await?;
    let commit = context.decision(project).await?;
    let changed = fixtures::task(tasks[2].id, "changed");
    context
        .decide(Commit {
            tasks: vec![changed],
            ..commit
        })
        .await?;
    let loaded = context
        .ports
        .projects
        .load(project)
        .await?
        .expect("it was submitted");
    let titles: Vec<_> = loaded
        .project
        .tasks
        .into_values()
        .map(|task| task.title)
        .collect();
    assert_eq!(titles, ["task 0", "task 1", "changed", "task 3"]);
    Ok(())
}

async fn events_out_of_place_are_refused(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let commit = context.decision(project).await?;
    let gap = Commit {
        events: vec![fixtures::event(project, 2, context.now())],
        ..commit
    };
    let refusal = context.ports.projects.commit(gap).await;
    assert!(
        matches!(&refusal, Err(StoreError::Broken { message: text, .. }) if text.contains("event 2 where 1 was due")),
        "{refusal:?}"
    );
    assert_eq!(
        context
            .ports
            .projects
            .load(project)
            .await?
            .map(|loaded| loaded.version),
        Some(Version(0))
    );
    Ok(())
}

async fn a_decision_on_no_project_is_refused(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let commit = context.decision(project).await?;
    let nowhere = Commit {
        project: chorus_core::id::ProjectId::new(999),
        ..commit
    };
    let refusal = context.ports.projects.commit(nowhere).await;
    assert!(
        matches!(&refusal, Err(StoreError::Broken { message: text, .. }) if text.contains("there is no project")),
        "{refusal:?}"
    );
    Ok(())
}

async fn a_cancelled_queued_attempt_is_never_dispatched(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let attempt = context.queued(project).await?;
    let commit = context.decision(project).await?;
    context
        .decide(Commit {
            cancel: vec![attempt.id],
            ..commit
        })
        .await?;
    assert_eq!(context.ports.attempts.queued(10).await?, []);
    let dispatch = context.dispatch(&attempt, Epoch(0));
    assert_eq!(
        context.ports.attempts.dispatch(vec![dispatch]).await?,
        [Dispatched::Conflict]
    );
    assert_eq!(context.money(project).await?, (0, 0, 0));
    Ok(())
}

async fn cancelling_a_dispatched_attempt_gives_its_money_back(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let attempt = context.queued(project).await?;
    context.send(&attempt, Epoch(0)).await?;
    assert_eq!(context.money(project).await?, (0, ESTIMATE.0, 0));
    let commit = context.decision(project).await?;
    context
        .decide(Commit {
            cancel: vec![attempt.id],
            ..commit
        })
        .await?;
    assert_eq!(context.money(project).await?, (0, 0, 0));
    assert_eq!(
        context
            .ports
            .attempts
            .claim(context.claim(&attempt, Epoch(0)))
            .await?,
        None
    );
    assert_eq!(context.ports.deliveries.outstanding().await?, []);
    Ok(())
}

async fn cancelling_a_running_attempt_counts_its_estimate_as_waste(
    context: CaseContext,
) -> Outcome {
    let (project, attempt, holding) = context.running().await?;
    let commit = context.decision(project).await?;
    context
        .decide(Commit {
            cancel: vec![attempt.id, attempt.id],
            ..commit
        })
        .await?;
    assert_eq!(context.money(project).await?, (ESTIMATE.0, 0, ESTIMATE.0));
    assert_eq!(
        context.ports.attempts.beat(vec![holding.clone()]).await?,
        std::slice::from_ref(&holding)
    );
    assert!(
        !context
            .ports
            .attempts
            .finish(context.finish(&holding, fixtures::succeeded()))
            .await?
    );
    assert_eq!(
        context.ports.deliveries.outstanding().await?.len(),
        1,
        "its call may still be running"
    );
    context.pass(Millis::from_secs(3600)).await;
    let overdue = Reclaim {
        unclaimed_for: Millis::ZERO,
        silent_for: Millis::ZERO,
        alone_since: None,
        limit: 10,
    };
    assert_eq!(context.ports.attempts.reclaim(overdue).await?, []);
    Ok(())
}

async fn cancelling_what_has_ended_changes_nothing(context: CaseContext) -> Outcome {
    let (project, attempt, holding) = context.running().await?;
    assert!(
        context
            .ports
            .attempts
            .finish(context.finish(&holding, fixtures::succeeded()))
            .await?
    );
    let before = context.ports.deliveries.of_project(project).await?;
    let commit = context.decision(project).await?;
    context
        .decide(Commit {
            cancel: vec![attempt.id],
            ..commit
        })
        .await?;
    assert_eq!(context.ports.deliveries.of_project(project).await?, before);
    assert_eq!(context.money(project).await?, (MicroUsd(700).0, 0, 0));
    Ok(())
}
