//! Accounts, their credentials, who would serve each role, and the keys of clients.

use std::collections::BTreeSet;
use std::sync::Arc;

use chorus_core::id::{Pool, Tenant};
use chorus_core::port::directory::{Account, Credential, CredentialState};
use chorus_core::port::keys::KeyStatus;
use chorus_core::port::{Directory, Keys, StoreError};
use chorus_core::task_kind::ModelRole;
use chorus_core::time::Timestamp;
use chorus_pool::endpoint_index::Unserved;
use chorus_pool::{EndpointIndex, ModelChoice};
use chorus_store::sql::Store;
use chorus_vault::EnvelopeKey;

use super::finding::Finding;
use crate::config::Config;

const PART: &str = "accounts";

/// All that can be said of who makes a tenant's calls, and the pools that these go to.
pub(super) async fn look(
    config: &Config,
    store: &Store,
    tenant: &Tenant,
    key: Option<&EnvelopeKey>,
    now: Timestamp,
) -> (BTreeSet<Pool>, Vec<Finding>) {
    let accounts = match store.accounts(tenant).await {
        Ok(accounts) => accounts,
        Err(error) => {
            return (
                BTreeSet::new(),
                vec![Finding::wrong(
                    PART,
                    format!("they cannot be read: {error}"),
                )],
            );
        }
    };
    let mut findings = vec![counted(&accounts)];
    for account in &accounts {
        for credential in &account.credentials {
            findings.extend(state(account, credential, now));
            if let Some(key) = key {
                findings.extend(sealed(store, account, credential, key).await);
            }
        }
    }
    let mut pools = BTreeSet::new();
    if !accounts.is_empty() {
        let mut index = EndpointIndex::new(Arc::new(chorus_upstream::catalog::load()));
        index.set(tenant, accounts);
        for choice in roles(config, &index, tenant, now) {
            let models = choice.iter().flat_map(|choice| &choice.models);
            pools.extend(models.filter_map(|slug| Some(index.catalog().model(slug)?.pool.clone())));
            findings.push(role(choice));
        }
    }
    findings.push(
        client_keys(store, tenant, now)
            .await
            .unwrap_or_else(|error| Finding::wrong("client keys", error.to_string())),
    );
    (pools, findings)
}

fn counted(accounts: &[Account]) -> Finding {
    let credentials: usize = accounts
        .iter()
        .map(|account| account.credentials.len())
        .sum();
    if credentials == 0 {
        let advice = "set a key such as DEEPSEEK_API_KEY for `chorus run`, or `chorus account import accounts.toml`";
        return Finding::doubtful(PART, "none yet").advise(advice);
    }
    Finding::well(
        PART,
        format!("{} accounts with {credentials} credentials", accounts.len()),
    )
}

fn state(account: &Account, credential: &Credential, now: Timestamp) -> Option<Finding> {
    let whose = format!("{} at {}", account.name, credential.provider);
    match &credential.state {
        CredentialState::Active => None,
        CredentialState::Refused { reason } => {
            let advice = "check the key with the provider; remove the account and import it again with a new one";
            Some(
                Finding::wrong(PART, format!("{whose}: refused by the provider: {reason}"))
                    .advise(advice),
            )
        }
        CredentialState::Parked { until, .. } if *until <= now => None,
        CredentialState::Parked { until, reason } => Some(Finding::doubtful(
            PART,
            format!(
                "{whose}: rests for {} s more: {reason}",
                until.since(now).0 / 1000
            ),
        )),
    }
}

async fn sealed(
    store: &Store,
    account: &Account,
    credential: &Credential,
    key: &EnvelopeKey,
) -> Option<Finding> {
    let whose = format!("{} at {}", account.name, credential.provider);
    match store.secret(credential.id).await {
        Ok(Some(deposit)) => match key.open(&deposit.secret, credential.id, &credential.provider) {
            Ok(_) => None,
            Err(error) => {
                let found = Finding::wrong(
                    PART,
                    format!("{whose}: the secret cannot be opened: {error}"),
                );
                Some(found.advise(
                    "give every process the key that sealed it, or import the account again",
                ))
            }
        },
        Ok(None) => Some(
            Finding::wrong(PART, format!("{whose}: its secret is gone"))
                .advise("import the account again"),
        ),
        Err(error) => Some(Finding::wrong(
            PART,
            format!("{whose}: its secret cannot be read: {error}"),
        )),
    }
}

fn roles(
    config: &Config,
    index: &EndpointIndex,
    tenant: &Tenant,
    now: Timestamp,
) -> [Result<ModelChoice, Unserved>; 4] {
    let lists = config.roles.lists();
    [
        ModelRole::Planner,
        ModelRole::Writer,
        ModelRole::Merger,
        ModelRole::Judge,
    ]
    .map(|role| index.choose(tenant, role, &lists, now))
}

fn role(choice: Result<ModelChoice, Unserved>) -> Finding {
    match choice {
        Ok(choice) => Finding::well("roles", choice.to_string()),
        Err(unserved) => Finding::wrong("roles", unserved.to_string())
            .advise("import an account that serves a model of the list in [roles]"),
    }
}

async fn client_keys(
    store: &Store,
    tenant: &Tenant,
    now: Timestamp,
) -> Result<Finding, StoreError> {
    let keys = store.list(tenant).await?;
    let good = keys
        .iter()
        .filter(|key| key.status(now) == KeyStatus::Good)
        .count();
    let dead = keys.len() - good;
    Ok(Finding::well(
        "client keys",
        format!(
            "{good} in use, {dead} revoked or expired; `chorus key create` makes one for a client of the gateway"
        ),
    ))
}
