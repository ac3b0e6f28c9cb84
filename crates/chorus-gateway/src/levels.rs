//! Levels of limits beside the configured ones, from the ledger of this process or the shared one.

use std::collections::BTreeMap;
use std::sync::Arc;

use chorus_core::id::GroupId;
use chorus_core::limit::{GroupLevel, LevelSource, LimitLevel, QuotaGroup};
use chorus_core::port::directory::Account;
use chorus_core::time::{Millis, Timestamp};

use crate::app_state::AppState;
use crate::resource::{AccountResource, GroupResource, LimitResource};

/// Maximum time for the limiter's answer: without it the configured limits are shown.
const ANSWER_LIMIT: Millis = Millis::from_secs(2);

/// Adds the levels of all groups of these accounts; returns false where no ledger knows them: the limiter has no state,
/// because no process that makes calls has restored it, or does not answer.
pub(crate) async fn add_to_accounts(
    state: &AppState,
    accounts: &[Account],
    shown: &mut [AccountResource],
) -> bool {
    let groups = groups(accounts);
    if groups.is_empty() {
        return false;
    }
    let (clock, limits) = (&state.ports.clock, &state.ports.limits);
    let answer = clock.deadline(clock.now() + ANSWER_LIMIT, limits.levels(&groups));
    let levels = match answer.await {
        Some(Ok(levels)) => levels,
        Some(Err(error)) => {
            tracing::debug!(error = %error, "the limiter has no levels to show");
            return false;
        }
        None => return false,
    };
    let levels: BTreeMap<GroupId, GroupLevel> = levels
        .into_iter()
        .map(|level| (level.group.clone(), level))
        .collect();
    let credentials = shown
        .iter_mut()
        .flat_map(|account| &mut account.credentials);
    for group in credentials.flat_map(|credential| &mut credential.groups) {
        if let Some(level) = levels.get(&group.group) {
            add(group, level, clock.now());
        }
    }
    true
}

/// Groups of the accounts, each once.
fn groups(accounts: &[Account]) -> Vec<Arc<QuotaGroup>> {
    let credentials = accounts.iter().flat_map(|account| &account.credentials);
    let groups = credentials.flat_map(|credential| &credential.groups);
    let groups: BTreeMap<&GroupId, &QuotaGroup> =
        groups.map(|of| (&of.group.id, &of.group)).collect();
    let groups = groups.into_values();
    groups.map(|group| Arc::new(group.clone())).collect()
}

fn add(shown: &mut GroupResource, level: &GroupLevel, now: Timestamp) {
    shown.in_flight = Some(level.in_flight);
    let closed = level.closed.map(|closed| closed.until);
    shown.closed_until_ms = closed.filter(|until| *until > now);
    for limit in &mut shown.limits {
        let mut levels = level.limits.iter();
        let found = levels.find(|of| of.dimension == limit.dimension && of.window == limit.window);
        if let Some(found) = found {
            add_limit(limit, found);
        }
    }
}

fn add_limit(shown: &mut LimitResource, level: &LimitLevel) {
    shown.in_force = Some(level.amount);
    shown.room = Some(level.room);
    shown.held = Some(u64::try_from(level.held).unwrap_or(0));
    shown.full_at_ms = level.full_at;
    let source = match level.source {
        LevelSource::Own => "own",
        LevelSource::Header => "header",
        LevelSource::Refusal => "refusal",
        LevelSource::Past => "past",
        LevelSource::Configured => "configured",
    };
    shown.source = Some(source.to_owned());
    shown.source_at_ms = (level.source != LevelSource::Configured).then_some(level.source_at);
}
