//! Records: unsent, sent, folded.

use chorus_core::id::{EventId, Pool};
use chorus_core::port::StoreError;
use chorus_core::port::bus::{Record, Topic};
use chorus_core::port::projects::Commit;
use chorus_core::time::Millis;

use super::stage::AMPLE;
use super::{Case, Outcome, Stage, cases, given, with_lost_reply};

pub(super) fn cases() -> Vec<Case> {
    cases![
        records_come_back_as_they_were,
        unsent_records_are_told_by_age_oldest_first,
        the_mark_whose_reply_was_lost_stands,
        only_sent_commands_and_ends_wait_to_be_folded,
        sending_again_starts_the_wait_anew,
        what_was_folded_waits_no_more,
        what_was_sent_and_folded_long_ago_is_forgotten,
        what_is_young_or_still_waits_is_kept,
        the_longest_sent_are_forgotten_first_and_once,
    ]
}

async fn commit_records(stage: &Stage, records: Vec<Record>) -> Outcome {
    let project = stage.project(AMPLE).await?;
    let command = stage
        .ports
        .outbox
        .unsent(Millis::ZERO, 1000)
        .await?
        .pop()
        .expect("the command of the submission");
    stage.ports.outbox.mark_sent(vec![command.id]).await?;
    let commit = stage.decision(project).await?;
    stage
        .decide(Commit {
            outbox: records,
            folded: vec![command.id],
            ..commit
        })
        .await
}

fn every_topic(stage: &Stage) -> Vec<Record> {
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
        .map(|topic| given::record(&stage.ids, topic, "khoá \"1\""))
        .collect()
}

async fn records_come_back_as_they_were(stage: Stage) -> Outcome {
    let records = every_topic(&stage);
    commit_records(&stage, records.clone()).await?;
    assert_eq!(stage.ports.outbox.unsent(Millis::ZERO, 100).await?, records);
    Ok(())
}

async fn unsent_records_are_told_by_age_oldest_first(stage: Stage) -> Outcome {
    let mut records = Vec::new();
    for _ in 0..3 {
        let record = given::record(&stage.ids, Topic::Event, "key");
        commit_records(&stage, vec![record.clone()]).await?;
        records.push(record);
    }
    // The three lie one second apart, the last one is new.
    assert_eq!(
        stage.ports.outbox.unsent(Millis::from_secs(1), 10).await?,
        records[..2]
    );
    assert_eq!(
        stage.ports.outbox.unsent(Millis::ZERO, 1).await?,
        records[..1]
    );
    assert_eq!(
        stage.ports.outbox.unsent(Millis::from_secs(3), 10).await?,
        []
    );
    Ok(())
}

async fn the_mark_whose_reply_was_lost_stands(stage: Stage) -> Outcome {
    let records = every_topic(&stage);
    commit_records(&stage, records.clone()).await?;
    let ids = vec![records[1].id, records[3].id, EventId::new(999)];
    with_lost_reply(async || stage.ports.outbox.mark_sent(ids.clone()).await).await?;
    let left: Vec<_> = stage
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

async fn unfolded(stage: &Stage, older_than: Millis) -> Result<Vec<EventId>, StoreError> {
    Ok(stage
        .ports
        .outbox
        .unfolded(older_than, 100)
        .await?
        .into_iter()
        .map(|record| record.id)
        .collect())
}

async fn only_sent_commands_and_ends_wait_to_be_folded(stage: Stage) -> Outcome {
    let records = every_topic(&stage);
    commit_records(&stage, records.clone()).await?;
    assert_eq!(unfolded(&stage, Millis::ZERO).await?, []);
    stage
        .ports
        .outbox
        .mark_sent(records.iter().map(|record| record.id).collect())
        .await?;
    stage.pass(Millis::from_secs(10)).await;
    assert_eq!(
        unfolded(&stage, Millis::from_secs(10)).await?,
        [records[0].id, records[3].id]
    );
    assert_eq!(unfolded(&stage, Millis::from_secs(11)).await?, []);
    assert_eq!(stage.ports.outbox.unfolded(Millis::ZERO, 1).await?.len(), 1);
    Ok(())
}

async fn sending_again_starts_the_wait_anew(stage: Stage) -> Outcome {
    let record = given::record(&stage.ids, Topic::TaskDone, "key");
    commit_records(&stage, vec![record.clone()]).await?;
    stage.ports.outbox.mark_sent(vec![record.id]).await?;
    stage.pass(Millis::from_secs(10)).await;
    stage.ports.outbox.mark_sent(vec![record.id]).await?;
    stage.pass(Millis::from_secs(5)).await;
    assert_eq!(unfolded(&stage, Millis::from_secs(6)).await?, []);
    assert_eq!(unfolded(&stage, Millis::from_secs(5)).await?, [record.id]);
    Ok(())
}

async fn what_was_folded_waits_no_more(stage: Stage) -> Outcome {
    let record = given::record(&stage.ids, Topic::TaskDone, "key");
    commit_records(&stage, vec![record.clone()]).await?;
    stage.ports.outbox.mark_sent(vec![record.id]).await?;
    let project = stage.project(AMPLE).await?;
    let commit = stage.decision(project).await?;
    stage
        .decide(Commit {
            folded: vec![record.id],
            ..commit
        })
        .await?;
    assert_eq!(unfolded(&stage, Millis::ZERO).await?, []);
    Ok(())
}

/// Sends every record and folds those; time passes.
async fn send_and_fold(
    stage: &Stage,
    records: &[Record],
    folded: Vec<EventId>,
    pass: Millis,
) -> Outcome {
    stage
        .ports
        .outbox
        .mark_sent(records.iter().map(|record| record.id).collect())
        .await?;
    let project = stage.project(AMPLE).await?;
    let commit = stage.decision(project).await?;
    stage.decide(Commit { folded, ..commit }).await?;
    stage.pass(pass).await;
    Ok(())
}

async fn what_was_sent_and_folded_long_ago_is_forgotten(stage: Stage) -> Outcome {
    let records = every_topic(&stage);
    commit_records(&stage, records.clone()).await?;
    let (command, done) = (records[0].id, records[3].id);
    send_and_fold(&stage, &records, vec![done], Millis::from_secs(10)).await?;
    // All but the command that nobody folded, and the submission's command, which was folded when the records came.
    assert_eq!(
        stage
            .ports
            .outbox
            .forget(Millis::from_secs(10), 100)
            .await?,
        8
    );
    assert_eq!(unfolded(&stage, Millis::ZERO).await?, [command]);
    assert_eq!(stage.ports.outbox.forget(Millis::ZERO, 100).await?, 0);
    Ok(())
}

async fn what_is_young_or_still_waits_is_kept(stage: Stage) -> Outcome {
    let records = every_topic(&stage);
    commit_records(&stage, records.clone()).await?;
    stage.pass(Millis::from_secs(10)).await;
    // The submission's command alone was sent.
    assert_eq!(
        stage
            .ports
            .outbox
            .forget(Millis::from_secs(10), 100)
            .await?,
        1
    );
    assert_eq!(
        stage.ports.outbox.unsent(Millis::ZERO, 100).await?.len(),
        records.len()
    );
    send_and_fold(&stage, &records, vec![records[3].id], Millis::from_secs(10)).await?;
    assert_eq!(
        stage
            .ports
            .outbox
            .forget(Millis::from_secs(12), 100)
            .await?,
        0
    );
    // What was folded a moment ago is kept, however long ago it was sent.
    let project = stage.project(AMPLE).await?;
    let commit = stage.decision(project).await?;
    stage
        .decide(Commit {
            folded: vec![records[0].id],
            ..commit
        })
        .await?;
    assert_eq!(
        stage
            .ports
            .outbox
            .forget(Millis::from_secs(10), 100)
            .await?,
        7
    );
    Ok(())
}

async fn the_longest_sent_are_forgotten_first_and_once(stage: Stage) -> Outcome {
    let records: Vec<_> = (0..3)
        .map(|_| given::record(&stage.ids, Topic::Event, "key"))
        .collect();
    commit_records(&stage, records.clone()).await?;
    stage.ports.outbox.mark_sent(vec![records[2].id]).await?;
    stage.pass(Millis::from_secs(5)).await;
    stage
        .ports
        .outbox
        .mark_sent(vec![records[0].id, records[1].id])
        .await?;
    stage.pass(Millis::from_secs(5)).await;
    assert_eq!(
        stage
            .ports
            .outbox
            .forget(Millis::from_secs(10), 100)
            .await?,
        2
    );
    let repeated =
        with_lost_reply(async || stage.ports.outbox.forget(Millis::from_secs(5), 1).await).await?;
    assert_eq!(
        (
            repeated,
            stage.ports.outbox.forget(Millis::from_secs(5), 100).await?
        ),
        (1, 0)
    );
    Ok(())
}
