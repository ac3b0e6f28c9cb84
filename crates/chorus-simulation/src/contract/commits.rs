//! Decisions: whole or not at all, at the expected version, folding each record once.

use chorus_core::attempt::{Dispatched, Reclaim};
use chorus_core::id::{Epoch, Seq, TaskId, Version};
use chorus_core::money::MicroUsd;
use chorus_core::port::StoreError;
use chorus_core::port::bus::Topic;
use chorus_core::port::projects::{Commit, Committed};
use chorus_core::time::Millis;

use super::stage::{AMPLE, ESTIMATE};
use super::{Case, Outcome, Stage, cases, given, with_lost_reply};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_decision_is_seen_whole,
        a_decision_on_an_old_version_changes_nothing,
        the_decision_whose_reply_was_lost_is_recognised,
        the_empty_decision_whose_reply_was_lost_is_recognised,
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

async fn a_decision_is_seen_whole(stage: Stage) -> Outcome {
    let project = stage.project(AMPLE).await?;
    let task = given::task(TaskId::new(stage.ids.number()), "first");
    let attempt = given::attempt(&stage.ids, project, stage.now());
    let mut commit = stage.decision(project).await?;
    commit.head.title = "Named by the plan".to_owned();
    commit.tasks = vec![task.clone()];
    commit.attempts = vec![attempt.clone()];
    commit.events = vec![given::event(project, 1, stage.now())];
    commit.outbox = vec![given::record(&stage.ids, Topic::Event, "key")];
    let head = commit.head.clone();
    assert_eq!(
        stage.ports.projects.commit(commit).await?,
        Committed::Done(Version(1))
    );

    let loaded = stage
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
    let queued = stage.ports.attempts.queued(10).await?;
    assert_eq!(
        (&queued[0].attempt, queued[0].epoch, queued[0].created_at),
        (&attempt, Epoch(0), stage.now())
    );
    assert_eq!(
        stage.unsent_topics().await?,
        ["chorus.project.cmd.v1", "chorus.event.v1"]
    );
    assert_eq!(
        stage.ports.projects.list(&head.tenant, None, 1).await?[0].title,
        head.title
    );
    Ok(())
}

async fn a_decision_on_an_old_version_changes_nothing(stage: Stage) -> Outcome {
    let project = stage.project(AMPLE).await?;
    let old = stage.decision(project).await?;
    stage
        .decide(Commit {
            events: vec![given::event(project, 1, stage.now())],
            ..old.clone()
        })
        .await?;
    let before = stage.ports.projects.load(project).await?;
    let late = Commit {
        tasks: vec![given::task(TaskId::new(stage.ids.number()), "late")],
        attempts: vec![given::attempt(&stage.ids, project, stage.now())],
        events: vec![given::event(project, 1, stage.now())],
        outbox: vec![given::record(&stage.ids, Topic::Event, "key")],
        ..old
    };
    assert_eq!(
        stage.ports.projects.commit(late).await?,
        Committed::Conflict
    );
    assert_eq!(stage.ports.projects.load(project).await?, before);
    assert_eq!(stage.ports.attempts.queued(10).await?, []);
    assert_eq!(stage.unsent_topics().await?.len(), 1);
    Ok(())
}

async fn the_decision_whose_reply_was_lost_is_recognised(stage: Stage) -> Outcome {
    let project = stage.project(AMPLE).await?;
    let command = stage.ports.outbox.unsent(Millis::ZERO, 1).await?[0].id;
    let commit = Commit {
        attempts: vec![given::attempt(&stage.ids, project, stage.now())],
        events: vec![given::event(project, 1, stage.now())],
        outbox: vec![given::record(&stage.ids, Topic::Event, "key")],
        folded: vec![command, command],
        ..stage.decision(project).await?
    };
    let answer =
        with_lost_reply(async || stage.ports.projects.commit(commit.clone()).await).await?;
    assert_eq!(answer, Committed::Done(Version(1)));
    assert_eq!(stage.ports.attempts.queued(10).await?.len(), 1);
    assert_eq!(stage.unsent_topics().await?.len(), 2);
    Ok(())
}

async fn the_empty_decision_whose_reply_was_lost_is_recognised(stage: Stage) -> Outcome {
    let project = stage.project(AMPLE).await?;
    let mut commit = stage.decision(project).await?;
    commit.head.title = "Another".to_owned();
    let answer =
        with_lost_reply(async || stage.ports.projects.commit(commit.clone()).await).await?;
    assert_eq!(answer, Committed::Done(Version(1)));
    Ok(())
}

async fn another_decision_on_the_same_version_is_a_conflict(stage: Stage) -> Outcome {
    let project = stage.project(AMPLE).await?;
    let ours = stage.decision(project).await?;
    let theirs = Commit {
        events: vec![given::event(project, 1, stage.now())],
        ..ours.clone()
    };
    stage.decide(theirs).await?;
    let ours = Commit {
        outbox: vec![given::record(&stage.ids, Topic::Event, "key")],
        ..ours
    };
    assert_eq!(
        stage.ports.projects.commit(ours).await?,
        Committed::Conflict
    );
    Ok(())
}

async fn what_was_folded_is_never_folded_again(stage: Stage) -> Outcome {
    let project = stage.project(AMPLE).await?;
    let command = stage.ports.outbox.unsent(Millis::ZERO, 1).await?[0].id;
    let first = stage.decision(project).await?;
    stage
        .decide(Commit {
            folded: vec![command],
            ..first
        })
        .await?;
    let fresh = stage.ids.event();
    let second = Commit {
        folded: vec![fresh, command],
        attempts: vec![given::attempt(&stage.ids, project, stage.now())],
        ..stage.decision(project).await?
    };
    assert_eq!(
        stage.ports.projects.commit(second).await?,
        Committed::Conflict
    );
    assert_eq!(
        stage
            .ports
            .projects
            .load(project)
            .await?
            .map(|loaded| loaded.version),
        Some(Version(1))
    );
    assert_eq!(stage.ports.attempts.queued(10).await?, []);
    let third = stage.decision(project).await?;
    stage
        .decide(Commit {
            folded: vec![fresh],
            ..third
        })
        .await
}

async fn tasks_that_did_not_change_stay_as_they_are(stage: Stage) -> Outcome {
    let project = stage.project(AMPLE).await?;
    let tasks: Vec<_> = (0..4)
        .map(|at| given::task(TaskId::new(stage.ids.number()), &format!("task {at}")))
        .collect();
    let commit = stage.decision(project).await?;
    stage
        .decide(Commit {
            tasks: tasks.clone(),
            ..commit
        })
        .await?;
    let commit = stage.decision(project).await?;
    let changed = given::task(tasks[2].id, "changed");
    stage
        .decide(Commit {
            tasks: vec![changed],
            ..commit
        })
        .await?;
    let loaded = stage
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

async fn events_out_of_place_are_refused(stage: Stage) -> Outcome {
    let project = stage.project(AMPLE).await?;
    let commit = stage.decision(project).await?;
    let gap = Commit {
        events: vec![given::event(project, 2, stage.now())],
        ..commit
    };
    let refusal = stage.ports.projects.commit(gap).await;
    assert!(
        matches!(&refusal, Err(StoreError::Broken(text)) if text.contains("event 2 where 1 was due")),
        "{refusal:?}"
    );
    assert_eq!(
        stage
            .ports
            .projects
            .load(project)
            .await?
            .map(|loaded| loaded.version),
        Some(Version(0))
    );
    Ok(())
}

async fn a_decision_on_no_project_is_refused(stage: Stage) -> Outcome {
    let project = stage.project(AMPLE).await?;
    let commit = stage.decision(project).await?;
    let nowhere = Commit {
        project: chorus_core::id::ProjectId::new(999),
        ..commit
    };
    let refusal = stage.ports.projects.commit(nowhere).await;
    assert!(
        matches!(&refusal, Err(StoreError::Broken(text)) if text.contains("there is no project")),
        "{refusal:?}"
    );
    Ok(())
}

async fn a_cancelled_queued_attempt_is_never_dispatched(stage: Stage) -> Outcome {
    let project = stage.project(AMPLE).await?;
    let attempt = stage.queued(project).await?;
    let commit = stage.decision(project).await?;
    stage
        .decide(Commit {
            cancel: vec![attempt.id],
            ..commit
        })
        .await?;
    assert_eq!(stage.ports.attempts.queued(10).await?, []);
    let dispatch = stage.dispatch(&attempt, Epoch(0));
    assert_eq!(
        stage.ports.attempts.dispatch(vec![dispatch]).await?,
        [Dispatched::Conflict]
    );
    assert_eq!(stage.money(project).await?, (0, 0, 0));
    Ok(())
}

async fn cancelling_a_dispatched_attempt_gives_its_money_back(stage: Stage) -> Outcome {
    let project = stage.project(AMPLE).await?;
    let attempt = stage.queued(project).await?;
    stage.send(&attempt, Epoch(0)).await?;
    assert_eq!(stage.money(project).await?, (0, ESTIMATE.0, 0));
    let commit = stage.decision(project).await?;
    stage
        .decide(Commit {
            cancel: vec![attempt.id],
            ..commit
        })
        .await?;
    assert_eq!(stage.money(project).await?, (0, 0, 0));
    assert_eq!(
        stage
            .ports
            .attempts
            .claim(stage.claim(&attempt, Epoch(0)))
            .await?,
        None
    );
    assert_eq!(stage.ports.deliveries.outstanding().await?, []);
    Ok(())
}

async fn cancelling_a_running_attempt_counts_its_estimate_as_waste(stage: Stage) -> Outcome {
    let (project, attempt, holding) = stage.running().await?;
    let commit = stage.decision(project).await?;
    stage
        .decide(Commit {
            cancel: vec![attempt.id, attempt.id],
            ..commit
        })
        .await?;
    assert_eq!(stage.money(project).await?, (ESTIMATE.0, 0, ESTIMATE.0));
    assert_eq!(
        stage.ports.attempts.beat(vec![holding.clone()]).await?,
        std::slice::from_ref(&holding)
    );
    assert!(
        !stage
            .ports
            .attempts
            .finish(stage.finish(&holding, given::succeeded()))
            .await?
    );
    assert_eq!(
        stage.ports.deliveries.outstanding().await?.len(),
        1,
        "its call may still be running"
    );
    stage.pass(Millis::from_secs(3600)).await;
    let overdue = Reclaim {
        unclaimed_for: Millis::ZERO,
        silent_for: Millis::ZERO,
        limit: 10,
    };
    assert_eq!(stage.ports.attempts.reclaim(overdue).await?, []);
    Ok(())
}

async fn cancelling_what_has_ended_changes_nothing(stage: Stage) -> Outcome {
    let (project, attempt, holding) = stage.running().await?;
    assert!(
        stage
            .ports
            .attempts
            .finish(stage.finish(&holding, given::succeeded()))
            .await?
    );
    let before = stage.ports.deliveries.of_project(project).await?;
    let commit = stage.decision(project).await?;
    stage
        .decide(Commit {
            cancel: vec![attempt.id],
            ..commit
        })
        .await?;
    assert_eq!(stage.ports.deliveries.of_project(project).await?, before);
    assert_eq!(stage.money(project).await?, (MicroUsd(700).0, 0, 0));
    Ok(())
}
