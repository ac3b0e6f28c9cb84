//! Cases of [`Outbox`](chorus_core::port::Outbox): unsent, sent and folded records.

use chorus_core::id::{EventId, Pool};
use chorus_core::port::StoreError;
use chorus_core::port::bus::{Record, Topic};
use chorus_core::port::projects::Commit;
use chorus_core::time::Millis;

use super::context::AMPLE;
use super::{Case, CaseContext, Outcome, cases, fixtures, with_lost_reply};

pub(super) fn cases() -> Vec<Case> {
    cases![
        records_come_back_as_they_were,
        unsent_records_are_listed_by_age_oldest_first,
        a_mark_with_a_lost_reply_stands,
        only_sent_commands_and_ends_wait_to_be_folded,
        sending_again_starts_the_wait_anew,
        what_was_folded_waits_no_more,
        what_was_sent_and_folded_long_ago_is_forgotten,
        what_is_young_or_still_waits_is_kept,
        the_longest_sent_are_forgotten_first_and_once,
    ]
}

async fn commit_records(context: &CaseContext, records: Vec<Record>) -> Outcome {
    let project = context.project(AMPLE).await?;
    let command = context
        .ports
        .outbox
        .unsent(Millis::ZERO, 1000)
        .await?
        .pop()
        .expect("the command of the submission");
    context.ports.outbox.mark_sent(vec![command.id]).await?;
    let commit = context.decision(project).await?;
    context
        .decide(Commit {
            outbox: records,
            folded: vec![command.id],
            ..commit
        })
        .await
}

fn every_topic(context: &CaseContext) -> Vec<Record> {
    let topics = [
        Topic::ProjectCmd,
        Topic::TaskReady,
        Topic::TaskDispatch(Pool::new("gpt")),
        Topic::TaskDone,
        Topic::Event,
        Topic::Usage,
        Topic::Control,
        Topic::Dlq,
    ];
    topics
        .into_iter()
        .map(|topic| fixtures::record(&context.ids, topic, "khoá \"1\""))
        .collect()
}

async fn records_come_back_as_they_were(context: CaseContext) -> Outcome {
    let records = every_topic(&context);
    commit_records(&context, records.clone()).await?;
    assert_eq!(
        context.ports.outbox.unsent(Millis::ZERO, 100).await?,
        records
    );
    Ok(())
}

async fn unsent_records_are_listed_by_age_oldest_first(context: CaseContext) -> Outcome {
    let mut records = Vec::new();
    for _ in 0..3 {
        let record = fixtures::record(&context.ids, Topic::Event, "key");
        commit_records(&context, vec![record.clone()]).await?;
        records.push(record);
    }
    // The three are one second apart; the last one is new.
    assert_eq!(
        context
            .ports
            .outbox
            .unsent(Millis::from_secs(1), 10)
            .await?,
        records[..2]
    );
    assert_eq!(
        context.ports.outbox.unsent(Millis::ZERO, 1).await?,
        records[..1]
    );
    assert_eq!(
        context
            .ports
            .outbox
            .unsent(Millis::from_secs(3), 10)
            .await?,
        []
    );
    Ok(())
}

async fn a_mark_with_a_lost_reply_stands(context: CaseContext) -> Outcome {
    let records = every_topic(&context);
    commit_records(&context, records.clone()).await?;
    let ids = vec![records[1].id, records[3].id, EventId::new(999)];
    with_lost_reply(async || context.ports.outbox.mark_sent(ids.clone()).await).await?;
    let left: Vec<_> = context
        .ports
        .outbox
        .unsent(Millis::ZERO, 100)
        .await?
        .into_iter()
        .map(|record| record.id)
        .collect();
    let expected: Vec<_> = records
        .iter()
        .map(|record| record.id)
        .filter(|id| !ids.contains(id))
        .collect();
    assert_eq!(left, expected);
    Ok(())
}

async fn unfolded(context: &CaseContext, older_than: Millis) -> Result<Vec<EventId>, StoreError> {
    Ok(context
        .ports
        .outbox
        .unfolded(older_than, 100)
        .await?
        .into_iter()
        .map(|record| record.id)
        .collect())
}

async fn only_sent_commands_and_ends_wait_to_be_folded(context: CaseContext) -> Outcome {
    let records = every_topic(&context);
    commit_records(&context, records.clone()).await?;
    assert_eq!(unfolded(&context, Millis::ZERO).await?, []);
    context
        .ports
        .outbox
        .mark_sent(records.iter().map(|record| record.id).collect())
        .await?;
    context.pass(Millis::from_secs(10)).await;
    assert_eq!(
        unfolded(&context, Millis::from_secs(10)).await?,
        [records[0].id, records[3].id]
    );
    assert_eq!(unfolded(&context, Millis::from_secs(11)).await?, []);
    assert_eq!(
        context.ports.outbox.unfolded(Millis::ZERO, 1).await?.len(),
        1
    );
    Ok(())
}

async fn sending_again_starts_the_wait_anew(context: CaseContext) -> Outcome {
    let record = fixtures::record(&context.ids, Topic::TaskDone, "key");
    commit_records(&context, vec![record.clone()]).await?;
    context.ports.outbox.mark_sent(vec![record.id]).await?;
    context.pass(Millis::from_secs(10)).await;
    context.ports.outbox.mark_sent(vec![record.id]).await?;
    context.pass(Millis::from_secs(5)).await;
    assert_eq!(unfolded(&context, Millis::from_secs(6)).await?, []);
    assert_eq!(unfolded(&context, Millis::from_secs(5)).await?, [record.id]);
    Ok(())
}

async fn what_was_folded_waits_no_more(context: CaseContext) -> Outcome {
    let record = fixtures::record(&context.ids, Topic::TaskDone, "key");
    commit_records(&context, vec![record.clone()]).await?;
    context.ports.outbox.mark_sent(vec![record.id]).await?;
    let project = context.project(AMPLE).await?;
    let commit = context.decision(project).await?;
    context
        .decide(Commit {
            folded: vec![record.id],
            ..commit
        })
        .await?;
    assert_eq!(unfolded(&context, Millis::ZERO).await?, []);
    Ok(())
}

/// Marks every record as sent, folds these, and lets time pass.
async fn send_and_fold(
    context: &CaseContext,
    records: &[Record],
    folded: Vec<EventId>,
    pass: Millis,
) -> Outcome {
    context
        .ports
        .outbox
        .mark_sent(records.iter().map(|record| record.id).collect())
        .await?;
    let project = context.project(AMPLE).await?;
    let commit = context.decision(project).await?;
    context.decide(Commit { folded, ..commit }).await?;
    context.pass(pass).await;
    Ok(())
}

async fn what_was_sent_and_folded_long_ago_is_forgotten(context: CaseContext) -> Outcome {
    let records = every_topic(&context);
    commit_records(&context, records.clone()).await?;
    let (command, done) = (records[0].id, records[3].id);
    send_and_fold(&context, &records, vec![done], Millis::from_secs(10)).await?;
    // All but the unfolded command and the submission's command, which was folded when the records
    // came.
    assert_eq!(
        context
            .ports
            .outbox
            .forget(Millis::from_secs(10), 100)
            .await?,
        8
    );
    assert_eq!(unfolded(&context, Millis::ZERO).await?, [command]);
    assert_eq!(context.ports.outbox.forget(Millis::ZERO, 100).await?, 0);
    Ok(())
}

async fn what_is_young_or_still_waits_is_kept(context: CaseContext) -> Outcome {
    let records = every_topic(&context);
    commit_records(&context, records.clone()).await?;
    context.pass(Millis::from_secs(10)).await;
    // Only the submission's command was sent.
    assert_eq!(
        context
            .ports
            .outbox
            .forget(Millis::from_secs(10), 100)
            .await?,
        1
    );
    assert_eq!(
        context.ports.outbox.unsent(Millis::ZERO, 100).await?.len(),
        records.len()
    );
    send_and_fold(
        &context,
        &records,
        vec![records[3].id],
        Millis::from_secs(10),
    )
    .await?;
    assert_eq!(
        context
            .ports
            .outbox
            .forget(Millis::from_secs(12), 100)
            .await?,
        0
    );
    // A record folded a moment ago is kept, however long ago it was sent.
    let project = context.project(AMPLE).await?;
    let commit = context.decision(project).await?;
    context
        .decide(Commit {
            folded: vec![records[0].id],
            ..commit
        })
        .await?;
    assert_eq!(
        context
            .ports
            .outbox
            .forget(Millis::from_secs(10), 100)
            .await?,
        7
    );
    Ok(())
}

async fn the_longest_sent_are_forgotten_first_and_once(context: CaseContext) -> Outcome {
    let records: Vec<_> = (0..3)
        .map(|_| fixtures::record(&context.ids, Topic::Event, "key"))
        .collect();
    commit_records(&context, records.clone()).await?;
    context.ports.outbox.mark_sent(vec![records[2].id]).await?;
    context.pass(Millis::from_secs(5)).await;
    context
        .ports
        .outbox
        .mark_sent(vec![records[0].id, records[1].id])
        .await?;
    context.pass(Millis::from_secs(5)).await;
    assert_eq!(
        context
            .ports
            .outbox
            .forget(Millis::from_secs(10), 100)
            .await?,
        2
    );
    let repeated =
        with_lost_reply(async || context.ports.outbox.forget(Millis::from_secs(5), 1).await)
            .await?;
    assert_eq!(
        (
            repeated,
            context
                .ports
                .outbox
                .forget(Millis::from_secs(5), 100)
                .await?
        ),
        (1, 0)
    );
    Ok(())
}
