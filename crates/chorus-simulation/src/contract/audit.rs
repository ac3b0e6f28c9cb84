//! Cases of [`Audit`](chorus_core::port::Audit): acts of operators and uses of accounts.

use chorus_core::id::{AccountId, AuditId, Epoch, ProjectId, Tenant};
use chorus_core::port::StoreError;
use chorus_core::port::audit::{AuditAction, AuditEntry, AuditFilter};
use chorus_core::time::{Millis, Timestamp};

use super::{Case, CaseContext, Outcome, cases, fixtures, with_lost_reply};

pub(super) fn cases() -> Vec<Case> {
    cases![
        an_entry_is_added_once_and_entries_are_read_newest_first,
        a_use_names_who_submitted_its_project,
    ]
}

fn tenant() -> Tenant {
    Tenant::new("tenant")
}

fn entry(context: &CaseContext, action: AuditAction) -> AuditEntry {
    AuditEntry {
        id: AuditId::new(context.ids.number()),
        tenant: tenant(),
        at: context.now(),
        caller: "key_1".to_owned(),
        action,
        account: None,
        account_name: String::new(),
        project: None,
        detail: "it's a \"detail\" 'of' many; kinds".to_owned(),
    }
}

async fn read(context: &CaseContext, filter: AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
    context.ports.audit.entries(&tenant(), filter, 10).await
}

async fn an_entry_is_added_once_and_entries_are_read_newest_first(context: CaseContext) -> Outcome {
    let audit = &context.ports.audit;
    let account = AccountId::new(7);
    let pause = AuditEntry {
        account: Some(account),
        account_name: "a@example.org".to_owned(),
        ..entry(&context, AuditAction::Pause)
    };
    with_lost_reply(async || audit.append(pause.clone()).await).await?;
    context.pass(Millis(5)).await;
    let enable = entry(&context, AuditAction::Enable);
    audit.append(enable.clone()).await?;
    let changed = AuditEntry {
        detail: "another".to_owned(),
        ..enable.clone()
    };
    audit.append(changed).await?;
    let all = read(&context, AuditFilter::default()).await?;
    assert_eq!(all, [enable, pause.clone()], "rows are never changed");
    let of_account = AuditFilter {
        account: Some(account),
        ..AuditFilter::default()
    };
    assert_eq!(
        read(&context, of_account).await?,
        std::slice::from_ref(&pause)
    );
    let earlier = AuditFilter {
        before: Some(Timestamp(5)),
        ..AuditFilter::default()
    };
    assert_eq!(read(&context, earlier).await?, [pause]);
    let of_project = AuditFilter {
        project: Some(ProjectId::new(3)),
        ..AuditFilter::default()
    };
    assert_eq!(read(&context, of_project).await?, []);
    let stranger = Tenant::new("stranger");
    let theirs = audit.entries(&stranger, AuditFilter::default(), 10).await?;
    assert_eq!(theirs, []);
    assert_eq!(
        audit
            .entries(&tenant(), AuditFilter::default(), 1)
            .await?
            .len(),
        1
    );
    Ok(())
}

async fn a_use_names_who_submitted_its_project(context: CaseContext) -> Outcome {
    let audit = &context.ports.audit;
    let (project, attempt, holding) = context.running().await?;
    let submission = AuditEntry {
        project: Some(project),
        ..entry(&context, AuditAction::Submit)
    };
    audit.append(submission).await?;
    let uses = audit.uses(&tenant(), AuditFilter::default(), 10).await?;
    let used = &uses[0];
    assert_eq!(
        (uses.len(), used.attempt, used.epoch, used.caller.as_deref()),
        (1, attempt.id, Epoch(0), Some("key_1"))
    );
    assert_eq!((used.ended_at, used.usage), (None, None), "it is under way");
    let finish = context.finish(&holding, fixtures::succeeded());
    context.ports.attempts.finish(finish.clone()).await?;
    let account = used.account;
    for (filter, count) in [
        (Some(account), 1),
        (Some(AccountId::new(account.number() + 1)), 0),
    ] {
        let filter = AuditFilter {
            account: filter,
            project: Some(project),
            before: Some(context.now() + Millis(1)),
        };
        let uses = audit.uses(&tenant(), filter, 10).await?;
        assert_eq!(uses.len(), count, "{filter:?}");
        for one in uses {
            assert_eq!((one.usage, one.cost), (finish.usage, finish.cost));
        }
    }
    let stranger = Tenant::new("stranger");
    let theirs = audit.uses(&stranger, AuditFilter::default(), 10).await?;
    assert!(theirs.is_empty());
    Ok(())
}
