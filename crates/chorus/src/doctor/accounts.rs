//! Accounts, their credentials, who would serve each role, and the keys of clients.

use std::sync::Arc;

use chorus_core::delivery::Role;
use chorus_core::port::directory::{Account, Credential, CredentialState};
use chorus_core::port::keys::Standing;
use chorus_core::port::{Directory, Keys, StoreError};
use chorus_core::time::Timestamp;
use chorus_pool::Roster;
use chorus_store::sql::Store;
use chorus_upstream::credential::EnvelopeKey;

use super::finding::Finding;
use crate::config::Config;
use crate::house::House;

const PART: &str = "accounts";

/// All that can be said of who makes the calls.
pub(super) async fn look(config: &Config, store: &Store, key: Option<&EnvelopeKey>, now: Timestamp) -> Vec<Finding> {
    let read = store.accounts(&House::own_tenant()).await;
    let accounts = match read {
        Ok(accounts) => accounts,
        Err(error) => return vec![Finding::wrong(PART, format!("they cannot be read: {error}"))],
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
    if !accounts.is_empty() {
        findings.extend(roles(config, accounts, now));
    }
    findings.push(client_keys(store, now).await.unwrap_or_else(|error| Finding::wrong("client keys", error.to_string())));
    findings
}

fn counted(accounts: &[Account]) -> Finding {
    let credentials: usize = accounts.iter().map(|account| account.credentials.len()).sum();
    if credentials == 0 {
        let advice = "set a key such as DEEPSEEK_API_KEY for `chorus run`, or `chorus account import accounts.toml`";
        return Finding::doubtful(PART, "none yet").advise(advice);
    }
    Finding::well(PART, format!("{} accounts with {credentials} credentials", accounts.len()))
}

fn state(account: &Account, credential: &Credential, now: Timestamp) -> Option<Finding> {
    let whose = format!("{} at {}", account.name, credential.provider);
    match &credential.state {
        CredentialState::Active => None,
        CredentialState::Refused { reason } => {
            let advice = "check the key with the provider; remove the account and import it again with a new one";
            Some(Finding::wrong(PART, format!("{whose}: refused by the provider: {reason}")).advise(advice))
        }
        CredentialState::Parked { until, .. } if *until <= now => None,
        CredentialState::Parked { until, reason } => {
            Some(Finding::doubtful(PART, format!("{whose}: rests for {} s more: {reason}", until.since(now).0 / 1000)))
        }
    }
}

async fn sealed(store: &Store, account: &Account, credential: &Credential, key: &EnvelopeKey) -> Option<Finding> {
    let whose = format!("{} at {}", account.name, credential.provider);
    match store.secret(credential.id).await {
        Ok(Some(deposit)) => match key.open(&deposit.secret, credential.id, &credential.provider) {
            Ok(_) => None,
            Err(error) => {
                let found = Finding::wrong(PART, format!("{whose}: the secret cannot be opened: {error}"));
                Some(found.advise("give every process the key that sealed it, or import the account again"))
            }
        },
        Ok(None) => Some(Finding::wrong(PART, format!("{whose}: its secret is gone")).advise("import the account again")),
        Err(error) => Some(Finding::wrong(PART, format!("{whose}: its secret cannot be read: {error}"))),
    }
}

fn roles(config: &Config, accounts: Vec<Account>, now: Timestamp) -> Vec<Finding> {
    let mut roster = Roster::new(Arc::new(chorus_upstream::catalog::load()));
    let tenant = House::own_tenant();
    roster.set(&tenant, accounts);
    let lists = config.roles.lists();
    let choose = |role| match roster.choose(&tenant, role, &lists, now) {
        Ok(choice) => Finding::well("roles", choice.to_string()),
        Err(unserved) => {
            Finding::wrong("roles", unserved.to_string()).advise("import an account that serves a model of the list in [roles]")
        }
    };
    [Role::Planner, Role::Worker, Role::Merger, Role::Judge].map(choose).into()
}

async fn client_keys(store: &Store, now: Timestamp) -> Result<Finding, StoreError> {
    let keys = store.list(&House::own_tenant()).await?;
    let good = keys.iter().filter(|key| key.standing(now) == Standing::Good).count();
    let dead = keys.len() - good;
    Ok(Finding::well(
        "client keys",
        format!("{good} in use, {dead} revoked or expired; `chorus key create` makes one for a client of the gateway"),
    ))
}
