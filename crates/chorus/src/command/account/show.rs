//! Accounts as a person reads them: state, reason, end of a pause, models and limits. Secrets are never shown.

use chorus_api::{AccountList, AccountResource, CredentialResource, GroupResource, LimitResource};
use chorus_core::limit::{Dimension, Window};
use chorus_core::port::Clock as _;
use chorus_core::time::{Millis, Timestamp};
use serde::Serialize;

use crate::clock::SystemClock;
use crate::exit::Exit;
use crate::human_time;

/// Form of what is printed.
pub(crate) struct Form {
    /// True for JSON.
    pub(crate) is_json: bool,
    /// True if a process that makes calls answered: then the levels are its.
    pub(crate) is_running: bool,
}

impl Form {
    /// Prints a resource as JSON, if that is asked for.
    pub(crate) fn json(&self, resource: &impl Serialize) -> anyhow::Result<bool> {
        if self.is_json {
            println!("{}", serde_json::to_string_pretty(resource)?);
        }
        Ok(self.is_json)
    }
}

/// A text of a provider or a person without characters that steer a terminal.
pub(crate) fn plain(text: &str) -> String {
    let shown = |letter: char| {
        let is_steering = letter.is_control()
            || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if is_steering { '\u{fffd}' } else { letter }
    };
    text.chars().map(shown).collect()
}

/// Prints accounts, a line for each credential.
pub(super) fn list(list: &AccountList, form: &Form) -> anyhow::Result<Exit> {
    if form.json(list)? {
        return Ok(Exit::Done);
    }
    if list.accounts.is_empty() {
        println!(
            "No accounts yet. `chorus account import accounts.toml` adds some; so does a variable such as DEEPSEEK_API_KEY."
        );
    }
    let now = SystemClock.now();
    for account in &list.accounts {
        println!(
            "{}  ({}, {}, since {})",
            plain(&account.name),
            plain(&account.owner),
            account.entitlement.kind,
            human_time::date(account.entitlement.attested_at_ms)
        );
        for credential in &account.credentials {
            println!(
                "  {:<12} {}, {} models{}",
                credential.provider.to_string(),
                state(credential, now),
                models(credential),
                expiry(credential)
            );
        }
    }
    Ok(Exit::Done)
}

/// Prints one account with its credentials, their models and limits.
pub(super) fn one(account: &AccountResource, form: &Form) -> anyhow::Result<Exit> {
    if form.json(account)? {
        return Ok(Exit::Done);
    }
    println!("{}  {}", plain(&account.name), account.id);
    println!("  owner        {}", plain(&account.owner));
    println!(
        "  entitlement  {}, attested by {} on {}",
        account.entitlement.kind,
        plain(&account.entitlement.attested_by),
        human_time::date(account.entitlement.attested_at_ms)
    );
    if account.same_owner_spill {
        println!("  calls may move to other accounts of this owner");
    }
    print_credentials(account, form);
    Ok(Exit::Done)
}

/// Prints the limits of one account.
pub(super) fn limits(account: &AccountResource, form: &Form) -> anyhow::Result<Exit> {
    if form.json(account)? {
        return Ok(Exit::Done);
    }
    println!("{}", plain(&account.name));
    print_credentials(account, form);
    Ok(Exit::Done)
}

fn print_credentials(account: &AccountResource, form: &Form) {
    let now = SystemClock.now();
    for credential in &account.credentials {
        println!("\n{}  {}", credential.provider, state(credential, now));
        println!("  credential   {}{}", credential.id, expiry(credential));
        if let Some(advice) = advice(credential, account) {
            println!("  → {advice}");
        }
        if let Some(url) = &credential.base_url {
            println!("  address      {}", plain(url));
        }
        for group in &credential.groups {
            print_group(group, now);
        }
    }
    let mut groups = account.credentials.iter().flat_map(|of| &of.groups);
    if !groups.any(has_levels) {
        println!("\n{}", without_levels(form));
    }
}

/// Sentence under limits without levels.
pub(crate) const fn without_levels(form: &Form) -> &'static str {
    if form.is_running {
        "These are the configured limits; no level of them is known yet."
    } else {
        "Nothing runs here: these are the configured limits. While `chorus run` or `chorus serve` runs, its levels are shown."
    }
}

/// Returns true if a ledger gave a level of the group.
pub(crate) fn has_levels(group: &GroupResource) -> bool {
    group.limits.iter().any(|limit| limit.room.is_some())
}

/// Prints a quota group with its limits, at most 80 columns wide but for names.
pub(crate) fn print_group(group: &GroupResource, now: Timestamp) {
    let models: Vec<String> = group.models.iter().map(ToString::to_string).collect();
    let models = match models.as_slice() {
        [] => "all models".to_owned(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    };
    let in_flight = group
        .in_flight
        .map(|calls| format!("  {calls} calls under way"));
    println!(
        "  {}  ({models}){}",
        plain(group.group.as_str()),
        in_flight.unwrap_or_default()
    );
    if let Some(until) = group.closed_until_ms.filter(|until| *until > now) {
        println!(
            "    closed by its provider {}",
            human_time::until(until, now)
        );
    }
    for limit in &group.limits {
        println!("    {}", limit_text(limit));
        if let Some(level) = level_text(limit, now) {
            println!("      {level}");
        }
    }
}

/// Free and reserved amounts with their source: `12 free, 3 reserved, full until …, header 4 s ago`.
fn level_text(limit: &LimitResource, now: Timestamp) -> Option<String> {
    let room = limit.room?;
    let mut text = format!(
        "{} free, {} reserved",
        amount(limit, room),
        limit.held.unwrap_or(0)
    );
    if let Some(full) = limit.full_at_ms.filter(|full| *full > now) {
        text.push_str(&format!(", full {}", human_time::until(full, now)));
    }
    if let Some(source) = &limit.source {
        let age = limit
            .source_at_ms
            .map(|at| human_time::length(now.since(at)));
        let age = age.map(|age| format!(" {age} ago")).unwrap_or_default();
        text.push_str(&format!(", by {source}{age}"));
    }
    Some(text)
}

/// An amount in the unit of people: money in dollars.
fn amount(limit: &LimitResource, amount: i64) -> String {
    if limit.dimension == Dimension::Spend {
        return format!("${}", amount / 1_000_000);
    }
    amount.to_string()
}

/// State of a credential with reason and end.
fn state(credential: &CredentialResource, now: Timestamp) -> String {
    let reason = plain(&credential.reason);
    let because = if reason.is_empty() {
        String::new()
    } else {
        format!(": {reason}")
    };
    match (credential.state.as_str(), credential.until_ms) {
        ("parked", Some(until)) => format!("parked {}{because}", human_time::until(until, now)),
        ("draining", _) => "draining: another key replaces it".to_owned(),
        (state, _) => format!("{state}{because}"),
    }
}

/// Warning about the end of the key, after a comma.
fn expiry(credential: &CredentialResource) -> String {
    let Some(end) = credential.expires_ms else {
        return String::new();
    };
    let warning = match credential.expiry.as_deref() {
        Some("over") => "  EXPIRED",
        Some("urgent") => "  EXPIRES WITHIN 3 DAYS",
        Some("soon") => "  expires within 14 days",
        _ => "",
    };
    format!(", key until {}{warning}", human_time::date(end))
}

/// Advice about a credential on which no call is made.
fn advice(credential: &CredentialResource, account: &AccountResource) -> Option<String> {
    let name = plain(&account.name);
    match credential.state.as_str() {
        "refused" => Some(format!(
            "mend the key at the provider, then `chorus account probe {name}`; or `chorus account rotate {name}`"
        )),
        "parked" => Some(format!(
            "top it up or wait; `chorus account enable {name}` uses it at once"
        )),
        "paused" => Some(format!("`chorus account enable {name}` ends the pause")),
        _ if credential.expiry.is_some() => {
            Some(format!("`chorus account rotate {name}` takes a new key"))
        }
        _ => None,
    }
}

fn models(credential: &CredentialResource) -> usize {
    let models = credential.groups.iter().flat_map(|group| &group.models);
    models.collect::<std::collections::BTreeSet<_>>().len()
}

/// A limit in words: `60 requests in 1 min`.
fn limit_text(limit: &LimitResource) -> String {
    let dimension = match limit.dimension {
        Dimension::Requests => "requests",
        Dimension::InputTokens => "prompt tokens",
        Dimension::OutputTokens => "output tokens",
        Dimension::TotalTokens => "tokens",
        Dimension::Spend => "of money",
        Dimension::Concurrency => "calls",
    };
    let window = match &limit.window {
        Window::Bucket { per_ms } | Window::Sliding { per_ms } => {
            format!(" in {}", human_time::length(Millis(*per_ms)))
        }
        Window::Day { .. } => " in a day".to_owned(),
        Window::Month => " in a month".to_owned(),
        Window::Held => " at once".to_owned(),
    };
    let in_force = limit.in_force.unwrap_or(limit.configured);
    let shown = amount(limit, i64::try_from(in_force).unwrap_or(i64::MAX));
    let lowered = if in_force == limit.configured {
        String::new()
    } else {
        let configured = i64::try_from(limit.configured).unwrap_or(i64::MAX);
        format!(", configured {}", amount(limit, configured))
    };
    format!("{shown} {dimension}{window}{lowered}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_do_not_steer_the_terminal() {
        let shown = plain("a\u{1b}[2J\r\n\u{202e}b\u{7}é");
        assert_eq!(shown, "a\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}b\u{fffd}é");
    }
}
