//! Rotations of keys: a drained credential is removed after its last delivery, and takes over again if the provider
//! refuses its replacement.
//!
//! `chorus-accounts` begins a rotation, the leading dispatcher ends it. A credential is removed only if an earlier reading
//! of the accounts had it draining too: what was decided before that reading is committed by then, and the store
//! removes nothing that an open delivery uses.

use chorus_core::id::{AuditId, Tenant};
use chorus_core::port::audit::{AuditAction, AuditEntry};
use chorus_core::port::directory::{Account, Credential, CredentialState, Removal};
use chorus_core::time::Millis;

use crate::context::Context;

/// Time between two readings of the accounts while a key drains.
pub(crate) const PACE: Millis = Millis::from_secs(1);

/// Returns true if a key drains.
pub(crate) fn are_under_way(accounts: &[Account]) -> bool {
    let mut credentials = accounts.iter().flat_map(|account| &account.credentials);
    credentials.any(|credential| matches!(credential.state, CredentialState::Draining { .. }))
}

/// Step of one rotation.
#[derive(Debug, PartialEq)]
enum Step {
    /// Calls under way end first, or the new key has no evidence yet.
    Wait,
    /// The old key is removed.
    Retire,
    /// The old key serves again.
    Undo,
}

/// Moves the rotations of a tenant on; returns true if accounts changed. `known` is the reading before.
pub(crate) async fn advance(
    context: &Context,
    tenant: &Tenant,
    (known, accounts): (&[Account], &[Account]),
) -> bool {
    let mut is_changed = false;
    for account in accounts {
        for old in &account.credentials {
            is_changed |= match step(account, old, known) {
                Step::Wait => false,
                Step::Retire => retire(context, tenant, account, old).await,
                Step::Undo => undo(context, tenant, account, old).await,
            };
        }
    }
    is_changed
}

fn step(account: &Account, old: &Credential, known: &[Account]) -> Step {
    let CredentialState::Draining { replaced_by } = old.state else {
        return Step::Wait;
    };
    let find = |account: &Account, id| {
        let mut credentials = account.credentials.iter();
        credentials.find(|credential| credential.id == id).cloned()
    };
    let new = find(account, replaced_by);
    match new.map(|new| (new.state, new.mark)) {
        None | Some((CredentialState::Refused { .. }, _)) => Step::Undo,
        Some((CredentialState::Active | CredentialState::Parked { .. }, Some(_))) => {
            let earlier = known.iter().find(|earlier| earlier.id == account.id);
            let was_draining = earlier
                .and_then(|earlier| find(earlier, old.id))
                .is_some_and(|earlier| earlier.state == old.state);
            if was_draining {
                Step::Retire
            } else {
                Step::Wait
            }
        }
        Some(_) => Step::Wait,
    }
}

async fn retire(context: &Context, tenant: &Tenant, account: &Account, old: &Credential) -> bool {
    let removing = context.directory.remove(tenant, Removal::Drained(old.id));
    let removed = context
        .statement("remove a drained credential", removing)
        .await;
    if !removed.is_ok_and(|is_removed| is_removed) {
        return false;
    }
    tracing::info!(account.id = %account.id, credential.id = %old.id, "a drained credential is removed");
    write(context, tenant, (account, old), AuditAction::Retire).await;
    true
}

async fn undo(context: &Context, tenant: &Tenant, account: &Account, old: &Credential) -> bool {
    tracing::warn!(account.id = %account.id, credential.id = %old.id, "the provider refuses the new key, the old one serves again");
    write(context, tenant, (account, old), AuditAction::UndoRotation).await;
    let activating = context.directory.set_state(old.id, CredentialState::Active);
    let activated = context.statement("make a replaced credential active", activating);
    activated.await.is_ok()
}

async fn write(
    context: &Context,
    tenant: &Tenant,
    (account, credential): (&Account, &Credential),
    action: AuditAction,
) {
    let entry = AuditEntry {
        id: AuditId::new(context.clock.random_u128()),
        tenant: tenant.clone(),
        at: context.now(),
        caller: "dispatcher".to_owned(),
        action,
        account: Some(account.id),
        account_name: account.name.clone(),
        project: None,
        detail: format!("{} of {}", credential.id, credential.provider),
    };
    // A failed entry is logged; the state of a key is not left to it.
    let _ = context
        .statement("write to the audit", context.audit.append(entry))
        .await;
}

#[cfg(test)]
mod tests {
    use chorus_core::id::{AccountId, CredentialId};
    use chorus_core::port::directory::{Entitlement, Mark};
    use chorus_core::time::Timestamp;

    use super::*;

    fn credential(number: u128, state: CredentialState, mark: Option<Mark>) -> Credential {
        Credential {
            id: CredentialId::new(number),
            provider: "anthropic".into(),
            base_url: None,
            groups: Vec::new(),
            expires_at: None,
            state,
            mark,
        }
    }

    fn account(credentials: Vec<Credential>) -> Account {
        Account {
            id: AccountId::new(1),
            name: "a@example.org".to_owned(),
            owner: "an".to_owned(),
            entitlement: Entitlement {
                kind: "own".to_owned(),
                attested_by: "an".to_owned(),
                attested_at: Timestamp(0),
            },
            same_owner_spill: false,
            credentials,
        }
    }

    #[test]
    fn the_old_key_goes_only_when_the_new_one_is_proven_and_comes_back_when_it_is_refused() {
        let mark = Some(Mark::of_check(Timestamp(5)));
        let refused = CredentialState::Refused {
            reason: "401".to_owned(),
        };
        let paused = CredentialState::Paused {
            reason: String::new(),
            is_cut: false,
        };
        let cases = [
            (CredentialState::Active, mark, true, Step::Retire),
            (CredentialState::Active, mark, false, Step::Wait),
            (CredentialState::Active, None, true, Step::Wait),
            (refused, mark, true, Step::Undo),
            (paused, mark, true, Step::Wait),
        ];
        for (state, mark, was_draining, expected) in cases {
            let replaced_by = CredentialId::new(2);
            let old = credential(1, CredentialState::Draining { replaced_by }, None);
            let now = account(vec![old.clone(), credential(2, state.clone(), mark)]);
            let earlier = if was_draining {
                vec![now.clone()]
            } else {
                vec![account(vec![credential(1, CredentialState::Active, None)])]
            };
            assert_eq!(
                step(&now, &old, &earlier),
                expected,
                "{state:?} {was_draining}"
            );
        }
    }
}
