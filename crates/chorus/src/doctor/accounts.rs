//! Accounts, their credentials, who would serve each role, and the keys of clients.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chorus_core::id::{Pool, Tenant};
use chorus_core::limit::Dimension;
use chorus_core::port::directory::{Account, Credential, CredentialState};
use chorus_core::port::keys::KeyStatus;
use chorus_core::port::{Directory, Keys, StoreError, Workers as _};
use chorus_core::task_kind::ModelRole;
use chorus_core::time::Timestamp;
use chorus_pool::endpoint_index::{ChoiceReason, Unserved};
use chorus_pool::{EndpointIndex, ModelChoice};
use chorus_store::sql::Store;
use chorus_vault::EnvelopeKey;

use super::finding::Finding;
use crate::config::Config;
use crate::human_time;

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
            findings.extend(expiry(account, credential, now));
            if let Some(key) = key {
                findings.extend(sealed(store, account, credential, key).await);
            }
        }
    }
    let mut pools = BTreeSet::new();
    if !accounts.is_empty() {
        let slots = slots(config, &accounts);
        let mut index = EndpointIndex::new(Arc::clone(&config.catalog));
        index.set(tenant, accounts);
        for choice in roles(config, &index, tenant, now) {
            let models = choice.iter().flat_map(|choice| &choice.models);
            pools.extend(models.filter_map(|slug| Some(index.catalog().model(slug)?.pool.clone())));
            findings.push(role(choice));
        }
        findings.extend(slots);
        match workers(store, &pools).await {
            Ok(found) => findings.extend(found),
            Err(error) => findings.push(Finding::wrong("workers", error.to_string())),
        }
    }
    findings.push(
        client_keys(store, tenant, now)
            .await
            .unwrap_or_else(|error| Finding::wrong("client keys", error.to_string())),
    );
    (pools, findings)
}

/// Finding of an installation without a database yet.
pub(super) fn none_yet() -> Finding {
    counted(&[])
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

/// Finding about the end of a key.
fn expiry(account: &Account, credential: &Credential, now: Timestamp) -> Option<Finding> {
    let end = credential.expires_at?;
    let warning = chorus_api::expiry(end, now)?;
    let key = format!("the key of {} at {}", account.name, credential.provider);
    let text = if warning == "over" {
        format!("{key} has expired on {}", human_time::date(end))
    } else {
        format!("{key} expires in {}", human_time::length(end.since(now)))
    };
    let advice = format!("`chorus account rotate {}` takes a new key", account.name);
    let finding = if warning == "over" {
        Finding::wrong(PART, text)
    } else {
        Finding::doubtful(PART, text)
    };
    Some(finding.advise(advice))
}

fn state(account: &Account, credential: &Credential, now: Timestamp) -> Option<Finding> {
    let whose = format!("{} at {}", account.name, credential.provider);
    match &credential.state {
        CredentialState::Active | CredentialState::Draining { .. } => None,
        CredentialState::Paused { .. } => Some(
            Finding::doubtful(PART, format!("{whose}: paused")).advise(format!(
                "`chorus account enable {}` ends the pause",
                account.name
            )),
        ),
        CredentialState::Refused { reason } => {
            let advice = format!(
                "mend the key at the provider, then `chorus account probe {0}`; `chorus account enable {0}` ends a pause, \
                 and an import of a new key adds it",
                account.name
            );
            Some(Finding::wrong(PART, format!("{whose}: refused: {reason}")).advise(advice))
        }
        CredentialState::Parked { until, .. } if *until <= now => None,
        CredentialState::Parked { until, reason } => {
            let advice = format!(
                "top it up or wait; `chorus account probe {0}` asks the provider, `chorus account enable {0}` uses it at once",
                account.name
            );
            let parked = human_time::until(*until, now);
            Some(
                Finding::doubtful(PART, format!("{whose}: parked {parked}: {reason}"))
                    .advise(advice),
            )
        }
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
    let import = "import an account that serves a model of the list in [roles], or name a model that yours serve: \
                  `chorus model list`";
    match choice {
        Ok(choice) if matches!(choice.because, ChoiceReason::Strongest { .. }) => {
            Finding::doubtful("roles", choice.to_string()).advise(import)
        }
        Ok(choice) => Finding::well("roles", choice.to_string()),
        Err(unserved @ Unserved::Parked { .. }) => Finding::wrong("roles", unserved.to_string())
            .advise("see the parked accounts above: wait, top up, or `chorus account enable`"),
        Err(unserved @ Unserved::Refused { .. }) => {
            Finding::wrong("roles", unserved.to_string()).advise("see the refused accounts above")
        }
        Err(unserved @ Unserved::NoAccount(_)) => {
            Finding::wrong("roles", unserved.to_string()).advise(import)
        }
    }
}

/// Compares the slots of this process's workers with the calls at once that limits allow in each pool.
fn slots(config: &Config, accounts: &[Account]) -> Vec<Finding> {
    let mut allowed: BTreeMap<Pool, u64> = BTreeMap::new();
    for group in accounts
        .iter()
        .flat_map(|account| &account.credentials)
        .flat_map(|of| &of.groups)
    {
        let held = group
            .group
            .limits
            .iter()
            .filter(|limit| limit.dimension == Dimension::Concurrency);
        let Some(calls) = held.map(|limit| limit.amount).min() else {
            continue;
        };
        let pool = group
            .models
            .iter()
            .find_map(|slug| config.catalog.model(slug));
        if let Some(model) = pool {
            *allowed.entry(model.pool.clone()).or_default() += calls;
        }
    }
    let slots = u64::from(config.worker.slots);
    let short = allowed.into_iter().filter(|(_, calls)| *calls > slots);
    short
        .map(|(pool, calls)| {
            let what = format!("pool {pool}: limits allow {calls} calls at once, worker.slots is {slots}");
            Finding::doubtful("slots", what)
                .advise("raise worker.slots, so that the limits are the only scarce thing, or run more workers")
        })
        .collect()
}

/// Names chosen pools that no worker serves, where workers run at all.
async fn workers(store: &Store, pools: &BTreeSet<Pool>) -> Result<Option<Finding>, StoreError> {
    let announced = store.announced().await?;
    if announced.is_empty() {
        return Ok(None);
    }
    let is_served = |pool: &&Pool| announced.iter().any(|one| one.worker.pool == **pool);
    let unserved: Vec<&str> = pools
        .iter()
        .filter(|pool| !is_served(pool))
        .map(Pool::as_str)
        .collect();
    Ok(Some(if unserved.is_empty() {
        Finding::well("workers", "every chosen pool has a worker")
    } else {
        let what = format!("no worker serves: {}", unserved.join(", "));
        Finding::wrong("workers", what)
            .advise("start `chorus worker`, without --pool for all pools, or with --pool for these")
    }))
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
