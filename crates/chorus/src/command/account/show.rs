//! Accounts as a person reads them: state, reason, end of a pause, models and limits. Secrets are never shown.

use chorus_core::id::Tenant;
use chorus_core::limit::{Limit, Window};
use chorus_core::port::directory::{Account, Credential, CredentialState};
use chorus_core::time::{Millis, Timestamp};

use crate::app::App;
use crate::exit::Exit;
use crate::human_time;

/// Prints the accounts of a tenant, a line for each credential.
pub(super) async fn list(app: &App, tenant: &Tenant) -> anyhow::Result<Exit> {
    let accounts = app.ports.directory.accounts(tenant).await?;
    if accounts.is_empty() {
        println!(
            "No accounts yet. `chorus account import accounts.toml` adds some; so does a variable such as DEEPSEEK_API_KEY."
        );
    }
    for account in accounts {
        println!(
            "{}  ({}, {}, since {})",
            account.name,
            account.owner,
            account.entitlement.kind,
            human_time::date(account.entitlement.attested_at)
        );
        for credential in &account.credentials {
            println!(
                "  {:<12} {}, {} models",
                credential.provider.to_string(),
                state(credential, app.clock.now()),
                credential.groups.len()
            );
        }
    }
    Ok(Exit::Done)
}

/// Prints one account with its credentials, their models and limits.
pub(super) fn one(app: &App, account: &Account) -> anyhow::Result<Exit> {
    let now = app.clock.now();
    println!("{}", account.name);
    println!("  owner        {}", account.owner);
    println!(
        "  entitlement  {}, attested by {} on {}",
        account.entitlement.kind,
        account.entitlement.attested_by,
        human_time::date(account.entitlement.attested_at)
    );
    if account.same_owner_spill {
        println!("  calls may move to other accounts of this owner");
    }
    for credential in &account.credentials {
        println!("\n{}  {}", credential.provider, state(credential, now));
        if let Some(advice) = advice(credential, account, now) {
            println!("  → {advice}");
        }
        if let Some(url) = &credential.base_url {
            println!("  address      {url}");
        }
        for group in &credential.groups {
            let models: Vec<String> = group.models.iter().map(ToString::to_string).collect();
            let models = if models.is_empty() {
                "all models".to_owned()
            } else {
                models.join(", ")
            };
            println!("  {models}");
            for limit in &group.group.limits {
                println!("    {}", limit_text(limit));
            }
        }
    }
    Ok(Exit::Done)
}

/// State of a credential with reason and end.
fn state(credential: &Credential, now: Timestamp) -> String {
    match &credential.state {
        CredentialState::Active => "active".to_owned(),
        CredentialState::Refused { reason } => format!("refused: {reason}"),
        CredentialState::Parked { until, .. } if *until <= now => "active".to_owned(),
        CredentialState::Parked { until, reason } => {
            format!("parked {}: {reason}", human_time::until(*until, now))
        }
    }
}

/// Advice about a credential on which no call is made.
fn advice(credential: &Credential, account: &Account, now: Timestamp) -> Option<String> {
    let name = &account.name;
    match &credential.state {
        CredentialState::Parked { until, .. } if *until <= now => None,
        CredentialState::Active => None,
        CredentialState::Refused { .. } => Some(format!(
            "mend the key at the provider, then `chorus account probe {name}`; or import a new one"
        )),
        CredentialState::Parked { .. } => Some(format!(
            "top it up or wait; `chorus account enable {name}` uses it at once"
        )),
    }
}

/// A limit in words: `60 requests in 1 min`.
fn limit_text(limit: &Limit) -> String {
    let dimension = format!("{:?}", limit.dimension).to_lowercase();
    let window = match &limit.window {
        Window::Bucket { per_ms } | Window::Sliding { per_ms } => {
            format!(" in {}", human_time::length(Millis(*per_ms)))
        }
        Window::Day { .. } => " in a day".to_owned(),
        Window::Month => " in a month".to_owned(),
        Window::Held => " at once".to_owned(),
    };
    format!("{} {dimension}{window}", limit.amount)
}
