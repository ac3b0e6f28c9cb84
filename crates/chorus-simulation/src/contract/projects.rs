//! Cases of [`Projects`](chorus_core::port::Projects): submissions, commands and reads.

use chorus_core::artifact::ArtifactHash;
use chorus_core::id::{ProjectId, Seq, Tenant, Version};
use chorus_core::port::bus::Topic;
use chorus_core::port::projects::{Commit, Cursor, NewProject, Submitted};
use chorus_core::time::Millis;

use super::context::AMPLE;
use super::{Case, CaseContext, Outcome, cases, fixtures, with_lost_reply};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_submitted_project_is_there_with_its_first_command,
        a_submission_with_a_lost_reply_is_the_same_project,
        a_key_used_for_another_body_is_reported,
        keys_of_different_tenants_do_not_meet,
        a_command_is_kept_once_and_within_its_tenant_only,
        an_unknown_project_is_not_there,
        events_are_read_in_order_after_a_place,
        a_list_is_of_one_tenant_newest_first,
        a_list_goes_on_after_any_of_its_projects,
    ]
}

async fn a_submitted_project_is_there_with_its_first_command(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let loaded = context
        .ports
        .projects
        .load(project)
        .await?
        .expect("it was submitted");
    assert_eq!((loaded.version, loaded.seq), (Version(0), Seq(0)));
    assert_eq!(
        loaded.project.head,
        fixtures::head(project, &Tenant::new("tenant"), context.now())
    );
    assert!(loaded.project.tasks.is_empty());
    assert_eq!(context.unsent_topics().await?, ["chorus.project.cmd.v1"]);
    Ok(())
}

async fn a_submission_with_a_lost_reply_is_the_same_project(context: CaseContext) -> Outcome {
    let new = fixtures::project(&context.ids, &Tenant::new("tenant"), context.now(), AMPLE);
    let answer = with_lost_reply(async || context.ports.projects.submit(new.clone()).await).await?;
    assert_eq!(answer, Submitted::Accepted(new.id));
    let again = fixtures::project(&context.ids, &Tenant::new("tenant"), context.now(), AMPLE);
    let again = NewProject {
        idempotency_key: new.idempotency_key.clone(),
        body: new.body,
        ..again
    };
    assert_eq!(
        context.ports.projects.submit(again).await?,
        Submitted::Accepted(new.id)
    );
    assert_eq!(context.unsent_topics().await?.len(), 1);
    Ok(())
}

async fn a_key_used_for_another_body_is_reported(context: CaseContext) -> Outcome {
    let first = fixtures::project(&context.ids, &Tenant::new("tenant"), context.now(), AMPLE);
    context.ports.projects.submit(first.clone()).await?;
    let other = fixtures::project(&context.ids, &Tenant::new("tenant"), context.now(), AMPLE);
    let other = NewProject {
        idempotency_key: first.idempotency_key,
        body: ArtifactHash::of(b"another brief"),
        ..other
    };
    let id = other.id;
    assert_eq!(
        context.ports.projects.submit(other).await?,
        Submitted::KeyReused(first.id)
    );
    assert_eq!(context.ports.projects.load(id).await?, None);
    Ok(())
}

async fn keys_of_different_tenants_do_not_meet(context: CaseContext) -> Outcome {
    let one = fixtures::project(&context.ids, &Tenant::new("one"), context.now(), AMPLE);
    let other = fixtures::project(&context.ids, &Tenant::new("other"), context.now(), AMPLE);
    let other = NewProject {
        idempotency_key: one.idempotency_key.clone(),
        ..other
    };
    context.ports.projects.submit(one).await?;
    let id = other.id;
    assert_eq!(
        context.ports.projects.submit(other).await?,
        Submitted::Accepted(id)
    );
    Ok(())
}

async fn a_command_is_kept_once_and_within_its_tenant_only(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let record = fixtures::record(&context.ids, Topic::ProjectCmd, "key");
    let stranger = Tenant::new("stranger");
    assert!(
        !context
            .ports
            .projects
            .command(&stranger, project, record.clone())
            .await?
    );
    assert_eq!(context.unsent_topics().await?.len(), 1);
    let tenant = Tenant::new("tenant");
    assert!(
        with_lost_reply(async || context
            .ports
            .projects
            .command(&tenant, project, record.clone())
            .await)
        .await?
    );
    assert_eq!(context.unsent_topics().await?.len(), 2);
    assert!(
        !context
            .ports
            .projects
            .command(&tenant, ProjectId::new(999), record)
            .await?
    );
    Ok(())
}

async fn an_unknown_project_is_not_there(context: CaseContext) -> Outcome {
    let project = ProjectId::new(999);
    assert_eq!(context.ports.projects.load(project).await?, None);
    assert_eq!(context.ports.projects.events(project, Seq(0), 9).await?, []);
    assert_eq!(context.ports.deliveries.money(project).await?, None);
    Ok(())
}

async fn events_are_read_in_order_after_a_place(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let commit = context.decision(project).await?;
    let events: Vec<_> = (1..=5)
        .map(|seq| fixtures::event(project, seq, context.now()))
        .collect();
    context
        .decide(Commit {
            events: events.clone(),
            ..commit
        })
        .await?;
    assert_eq!(
        context.ports.projects.events(project, Seq(0), 100).await?,
        events
    );
    assert_eq!(
        context.ports.projects.events(project, Seq(2), 2).await?,
        events[2..4]
    );
    assert_eq!(context.ports.projects.events(project, Seq(5), 2).await?, []);
    Ok(())
}

async fn a_list_is_of_one_tenant_newest_first(context: CaseContext) -> Outcome {
    let mut mine = Vec::new();
    for _ in 0..3 {
        mine.push(context.project(AMPLE).await?);
    }
    context.pass(Millis::from_secs(1)).await;
    let foreign = fixtures::project(&context.ids, &Tenant::new("stranger"), context.now(), AMPLE);
    context.ports.projects.submit(foreign).await?;
    let list = context
        .ports
        .projects
        .list(&Tenant::new("tenant"), None, 2)
        .await?;
    assert_eq!(
        list.iter().map(|summary| summary.id).collect::<Vec<_>>(),
        [mine[2], mine[1]]
    );
    let head = fixtures::head(mine[2], &Tenant::new("tenant"), list[0].created_at);
    assert_eq!(
        (
            list[0].title.as_str(),
            list[0].state.as_str(),
            list[0].is_terminal
        ),
        (head.title.as_str(), head.state.as_str(), head.is_terminal())
    );
    Ok(())
}

async fn a_list_goes_on_after_any_of_its_projects(context: CaseContext) -> Outcome {
    let tenant = Tenant::new("tenant");
    for second in [0, 0, 0, 1, 1] {
        context.pass(Millis::from_secs(second)).await;
        context
            .ports
            .projects
            .submit(fixtures::project(
                &context.ids,
                &tenant,
                context.now(),
                AMPLE,
            ))
            .await?;
    }
    let all = context.ports.projects.list(&tenant, None, 9).await?;
    assert_eq!(all.len(), 5);
    for (at, summary) in all.iter().enumerate() {
        let before = Some(Cursor {
            created_at: summary.created_at,
            id: summary.id,
        });
        assert_eq!(
            context.ports.projects.list(&tenant, before, 9).await?,
            all[at + 1..]
        );
        assert_eq!(
            context
                .ports
                .projects
                .list(&Tenant::new("stranger"), before, 9)
                .await?,
            []
        );
    }
    Ok(())
}
