//! Cases of [`Directory`](chorus_core::port::Directory): accounts and credentials.

use chorus_core::attempt::{Dispatch, DispatchDecision};
use chorus_core::id::{AccountId, CredentialId, Epoch, Tenant};
use chorus_core::port::StoreError;
use chorus_core::port::directory::{
    CredentialState, Imported, Mark, NewAccount, Removal, StoredSecret,
};
use chorus_core::time::{Millis, Timestamp};

use super::context::AMPLE;
use super::{Case, CaseContext, Outcome, cases, fixtures, with_lost_reply};

pub(super) fn cases() -> Vec<Case> {
    cases![
        accounts_are_listed_by_name_without_secrets,
        an_import_with_a_lost_reply_is_added,
        a_secret_that_is_there_is_refused_with_its_holders_name,
        a_secret_twice_in_one_row_is_refused,
        a_known_name_gets_the_new_credentials,
        a_batch_sees_its_own_rows,
        tenants_do_not_meet,
        states_are_kept,
        newer_evidence_of_a_state_wins,
        an_update_replaces_what_it_names_and_keeps_the_rest,
        a_pause_outlasts_calls_checks_and_imports,
        a_secret_is_known_under_its_earlier_fingerprint_too,
        a_drained_credential_is_removed_after_its_last_delivery,
        a_removed_account_leaves_nothing,
    ]
}

fn tenant() -> Tenant {
    Tenant::new("tenant")
}

async fn import(
    context: &CaseContext,
    name: &str,
    secrets: &[&str],
) -> Result<(NewAccount, Imported), StoreError> {
    let account = fixtures::account(&context.ids, &tenant(), name, secrets);
    let answer = context
        .ports
        .directory
        .import(vec![account.clone()])
        .await?
        .remove(0);
    Ok((account, answer))
}

async fn names(context: &CaseContext) -> Result<Vec<(String, usize)>, StoreError> {
    let accounts = context.ports.directory.accounts(&tenant()).await?;
    Ok(accounts
        .into_iter()
        .map(|account| (account.name, account.credentials.len()))
        .collect())
}

async fn accounts_are_listed_by_name_without_secrets(context: CaseContext) -> Outcome {
    let (zoe, _) = import(&context, "zoe@example.org", &["one", "two"]).await?;
    import(&context, "An@example.org", &["three"]).await?;
    import(&context, "bare@example.org", &[]).await?;
    let accounts = context.ports.directory.accounts(&tenant()).await?;
    let names: Vec<_> = accounts
        .iter()
        .map(|account| account.name.as_str())
        .collect();
    assert_eq!(
        names,
        ["An@example.org", "bare@example.org", "zoe@example.org"]
    );
    let shown = &accounts[2];
    assert_eq!(
        (shown.id, &shown.owner, &shown.entitlement),
        (zoe.id, &zoe.owner, &zoe.entitlement)
    );
    assert!(shown.same_owner_spill);
    for (credential, new) in shown.credentials.iter().zip(&zoe.credentials) {
        assert_eq!(
            (credential.id, &credential.groups, &credential.state),
            (new.id, &new.groups, &CredentialState::Active)
        );
        let expected = StoredSecret {
            provider: new.provider.clone(),
            base_url: new.base_url.clone(),
            secret: new.secret.clone(),
            fingerprint: new.fingerprint.clone(),
        };
        assert_eq!(
            context.ports.directory.secret(new.id).await?,
            Some(expected)
        );
    }
    assert_eq!(
        context
            .ports
            .directory
            .secret(CredentialId::new(999))
            .await?,
        None
    );
    Ok(())
}

async fn an_import_with_a_lost_reply_is_added(context: CaseContext) -> Outcome {
    let account = fixtures::account(&context.ids, &tenant(), "a@example.org", &["one", "two"]);
    let answer =
        with_lost_reply(async || context.ports.directory.import(vec![account.clone()]).await)
            .await?;
    assert_eq!(answer, [Imported::Added(account.id)]);
    assert_eq!(names(&context).await?, [("a@example.org".to_owned(), 2)]);
    Ok(())
}

async fn a_secret_that_is_there_is_refused_with_its_holders_name(context: CaseContext) -> Outcome {
    import(&context, "first@example.org", &["one"]).await?;
    let (_, answer) = import(&context, "second@example.org", &["two", "one"]).await?;
    assert_eq!(
        answer,
        Imported::Duplicate {
            held_by: "first@example.org".to_owned()
        }
    );
    assert_eq!(
        names(&context).await?,
        [("first@example.org".to_owned(), 1)]
    );
    let (_, answer) = import(&context, "third@example.org", &["two"]).await?;
    assert!(
        matches!(answer, Imported::Added(_)),
        "nothing of the refused row was added"
    );
    Ok(())
}

async fn a_secret_twice_in_one_row_is_refused(context: CaseContext) -> Outcome {
    let (_, answer) = import(&context, "a@example.org", &["one", "one"]).await?;
    assert_eq!(
        answer,
        Imported::Duplicate {
            held_by: "a@example.org".to_owned()
        }
    );
    assert_eq!(names(&context).await?, []);
    Ok(())
}

async fn a_known_name_gets_the_new_credentials(context: CaseContext) -> Outcome {
    let (first, _) = import(&context, "a@example.org", &["one"]).await?;
    let (_, answer) = import(&context, "a@example.org", &["two"]).await?;
    assert_eq!(answer, Imported::Added(first.id));
    assert_eq!(names(&context).await?, [("a@example.org".to_owned(), 2)]);
    Ok(())
}

async fn a_batch_sees_its_own_rows(context: CaseContext) -> Outcome {
    let rows = [
        ("a@example.org", "one"),
        ("b@example.org", "one"),
        ("b@example.org", "two"),
    ];
    let rows: Vec<_> = rows
        .into_iter()
        .map(|(name, secret)| fixtures::account(&context.ids, &tenant(), name, &[secret]))
        .collect();
    let answers = context.ports.directory.import(rows.clone()).await?;
    let duplicate = Imported::Duplicate {
        held_by: "a@example.org".to_owned(),
    };
    assert_eq!(
        answers,
        [
            Imported::Added(rows[0].id),
            duplicate,
            Imported::Added(rows[2].id)
        ]
    );
    Ok(())
}

async fn tenants_do_not_meet(context: CaseContext) -> Outcome {
    let (account, _) = import(&context, "a@example.org", &["one"]).await?;
    let stranger = Tenant::new("stranger");
    let theirs = fixtures::account(&context.ids, &stranger, "a@example.org", &["one"]);
    assert_eq!(
        context.ports.directory.import(vec![theirs.clone()]).await?,
        [Imported::Added(theirs.id)]
    );
    assert_eq!(context.ports.directory.accounts(&stranger).await?.len(), 1);
    assert!(
        !context
            .ports
            .directory
            .remove(&stranger, Removal::Account(account.id))
            .await?
    );
    assert_eq!(names(&context).await?, [("a@example.org".to_owned(), 1)]);
    Ok(())
}

async fn states_are_kept(context: CaseContext) -> Outcome {
    let (account, _) = import(&context, "a@example.org", &["one"]).await?;
    let states = [
        CredentialState::Refused {
            reason: "invalid x-api-key".to_owned(),
        },
        CredentialState::Parked {
            until: Timestamp(99),
            reason: "daily quota".to_owned(),
        },
        CredentialState::Active,
    ];
    for state in states {
        with_lost_reply(async || {
            context
                .ports
                .directory
                .set_state(account.credentials[0].id, state.clone())
                .await
        })
        .await?;
        assert_eq!(
            context.ports.directory.accounts(&tenant()).await?[0].credentials[0].state,
            state
        );
    }
    context
        .ports
        .directory
        .set_state(CredentialId::new(999), CredentialState::Active)
        .await
}

async fn newer_evidence_of_a_state_wins(context: CaseContext) -> Outcome {
    let (account, _) = import(&context, "a@example.org", &["one"]).await?;
    let (id, directory) = (account.credentials[0].id, &context.ports.directory);
    let parked = CredentialState::Parked {
        until: Timestamp(900_000),
        reason: "no money".to_owned(),
    };
    let call = |at| Mark::of_call(Timestamp(at));
    assert!(directory.mark_state(id, parked.clone(), call(100)).await?);
    let found = directory.accounts(&tenant()).await?[0].credentials[0].clone();
    assert_eq!((found.state, found.mark), (parked.clone(), Some(call(100))));
    context.pass(Millis(500)).await;
    directory.set_state(id, CredentialState::Active).await?;
    let late = directory.mark_state(id, parked.clone(), call(context.now().0 - 1));
    assert!(!late.await?, "a call from before the person acted");
    let found = directory.accounts(&tenant()).await?[0].credentials[0].clone();
    assert_eq!(found.state, CredentialState::Active);
    assert_eq!(found.mark, Some(Mark::of_person(context.now())));
    let newer = call(context.now().0 + 1);
    assert!(directory.mark_state(id, parked, newer).await?);
    let absent = CredentialId::new(999);
    assert!(
        !directory
            .mark_state(absent, CredentialState::Active, newer)
            .await?
    );
    Ok(())
}

async fn an_update_replaces_what_it_names_and_keeps_the_rest(context: CaseContext) -> Outcome {
    let directory = &context.ports.directory;
    let (mut account, _) = import(&context, "a@example.org", &["one", "two", "three"]).await?;
    import(&context, "b@example.org", &["four"]).await?;
    let parked = CredentialState::Parked {
        until: Timestamp(99),
        reason: "no money".to_owned(),
    };
    let [first, second, third] = [0, 1, 2].map(|at| account.credentials[at].id);
    directory.set_state(first, parked.clone()).await?;
    directory.set_state(second, parked.clone()).await?;
    account.owner = "another".to_owned();
    account.credentials.truncate(1);
    account.credentials[0].base_url = Some("http://127.0.0.1:9/v1".to_owned());
    let removed = vec![third];
    with_lost_reply(async || directory.update(account.clone(), removed.clone()).await).await?;
    let stored = directory.accounts(&tenant()).await?.remove(0);
    let mut states: Vec<_> = stored
        .credentials
        .iter()
        .map(|credential| (credential.id, credential.state.clone()))
        .collect();
    states.sort_by_key(|(id, _)| *id);
    assert_eq!(stored.owner, "another");
    assert_eq!(states, [(first, CredentialState::Active), (second, parked)]);
    account.credentials[0].fingerprint = "fingerprint of four".to_owned();
    account.owner = "a third".to_owned();
    let answer = directory.update(account, Vec::new()).await?;
    let held_by = "b@example.org".to_owned();
    assert_eq!(answer, Imported::Duplicate { held_by });
    let stored = directory.accounts(&tenant()).await?.remove(0);
    assert_eq!(stored.owner, "another", "nothing was changed");
    Ok(())
}

async fn a_pause_outlasts_calls_checks_and_imports(context: CaseContext) -> Outcome {
    let (account, _) = import(&context, "a@example.org", &["one"]).await?;
    let (id, directory) = (account.credentials[0].id, &context.ports.directory);
    let replaced_by = CredentialId::new(5);
    let held = [
        CredentialState::Paused {
            reason: "leaked".to_owned(),
            is_cut: true,
        },
        CredentialState::Draining { replaced_by },
    ];
    for state in held {
        directory.set_state(id, state.clone()).await?;
        context.pass(Millis(500)).await;
        let later = context.now() + Millis(1);
        for mark in [Mark::of_check(later), Mark::of_call(later)] {
            let marked = directory.mark_state(id, CredentialState::Active, mark);
            assert!(!marked.await?, "{state:?} against {mark:?}");
        }
        directory.update(account.clone(), Vec::new()).await?;
        let found = directory.accounts(&tenant()).await?[0].credentials[0].clone();
        assert_eq!(found.state, state);
    }
    directory.set_state(id, CredentialState::Active).await?;
    let found = directory.accounts(&tenant()).await?[0].credentials[0].clone();
    assert_eq!(found.state, CredentialState::Active, "a person ends it");
    Ok(())
}

async fn a_secret_is_known_under_its_earlier_fingerprint_too(context: CaseContext) -> Outcome {
    import(&context, "a@example.org", &["one"]).await?;
    let mut again = fixtures::account(&context.ids, &tenant(), "b@example.org", &["one"]);
    let credential = &mut again.credentials[0];
    let earlier = std::mem::replace(&mut credential.fingerprint, "a new form".to_owned());
    credential.earlier_fingerprints = vec![earlier];
    credential.expires_at = Some(Timestamp(77));
    let held_by = "a@example.org".to_owned();
    let directory = &context.ports.directory;
    assert_eq!(
        directory.import(vec![again.clone()]).await?,
        [Imported::Duplicate { held_by }]
    );
    again.credentials[0].earlier_fingerprints.clear();
    let id = again.credentials[0].id;
    directory.import(vec![again]).await?;
    let stored = directory.secret(id).await?.map(|stored| stored.fingerprint);
    assert_eq!(stored.as_deref(), Some("a new form"));
    let found = directory.accounts(&tenant()).await?.remove(1);
    assert_eq!(found.credentials[0].expires_at, Some(Timestamp(77)));
    Ok(())
}

async fn a_drained_credential_is_removed_after_its_last_delivery(context: CaseContext) -> Outcome {
    let (account, _) = import(&context, "a@example.org", &["one", "two"]).await?;
    let [old, new] = [0, 1].map(|at| account.credentials[at].id);
    let directory = &context.ports.directory;
    let drained = Removal::Drained(old);
    assert!(
        !directory.remove(&tenant(), drained).await?,
        "it may be called"
    );
    let state = CredentialState::Draining { replaced_by: new };
    directory.set_state(old, state).await?;
    let project = context.project(AMPLE).await?;
    let attempt = context.queued(project).await?;
    let mut dispatch = context.dispatch(&attempt, Epoch(0));
    if let DispatchDecision::Send(assignment) = &mut dispatch.decision {
        assignment.lease.credential = old;
    }
    let Dispatch { attempt: id, .. } = dispatch;
    context.ports.attempts.dispatch(vec![dispatch]).await?;
    assert!(!directory.remove(&tenant(), drained).await?, "a call of it");
    assert!(!directory.remove(&Tenant::new("stranger"), drained).await?);
    let claim = context.claim(&attempt, Epoch(0));
    context.ports.attempts.claim(claim.clone()).await?;
    let holding = chorus_core::attempt::Holding {
        attempt: id,
        epoch: Epoch(0),
        holder: claim.holder,
    };
    let finish = context.finish(&holding, fixtures::succeeded());
    context.ports.attempts.finish(finish).await?;
    with_lost_reply(async || directory.remove(&tenant(), drained).await.map(drop)).await?;
    let left = directory.accounts(&tenant()).await?.remove(0).credentials;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].id, new);
    Ok(())
}

async fn a_removed_account_leaves_nothing(context: CaseContext) -> Outcome {
    let (account, _) = import(&context, "a@example.org", &["one"]).await?;
    assert!(
        context
            .ports
            .directory
            .remove(&tenant(), Removal::Account(account.id))
            .await?
    );
    assert!(
        !context
            .ports
            .directory
            .remove(&tenant(), Removal::Account(account.id))
            .await?
    );
    assert!(
        !context
            .ports
            .directory
            .remove(&tenant(), Removal::Account(AccountId::new(999)))
            .await?
    );
    assert_eq!(names(&context).await?, []);
    assert_eq!(
        context
            .ports
            .directory
            .secret(account.credentials[0].id)
            .await?,
        None
    );
    let (_, answer) = import(&context, "b@example.org", &["one"]).await?;
    assert!(
        matches!(answer, Imported::Added(_)),
        "its secret may be imported anew"
    );
    Ok(())
}
