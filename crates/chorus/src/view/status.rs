//! The present of a project in words: counts, money, and the reasons for which its tasks wait. Pure.

use chorus_api::{ProjectResource, WaitResource, micro_usd};
use chorus_core::time::{Millis, Timestamp};

use crate::human_time;

/// Maximum number of reasons that are shown at once.
const SHOWN: usize = 3;

/// State, counts and money: `running: 3 calls under way, 4 tasks wait; $0.12 spent, …`.
pub(crate) fn summary(project: &ProjectResource) -> String {
    let (tasks, money) = (&project.tasks, &project.money);
    let calls = match tasks.under_way {
        1 => "1 call under way".to_owned(),
        calls => format!("{calls} calls under way"),
    };
    let waiting = match tasks.queued {
        0 => String::new(),
        1 => ", 1 task waits".to_owned(),
        count => format!(", {count} tasks wait"),
    };
    format!(
        "{}: {calls}{waiting}; {} spent, {} reserved, budget {}",
        project.state.replace('_', " "),
        micro_usd(money.spent_usd),
        micro_usd(money.reserved_usd),
        micro_usd(money.budget_usd)
    )
}

/// Reasons of waiting, one a line, the most frequent first: `4 wait: no worker serves pool claude, for 12 s`.
pub(crate) fn reasons(project: &ProjectResource, now: Timestamp) -> Vec<String> {
    let waits = &project.waits;
    let mut lines: Vec<String> = waits
        .iter()
        .take(SHOWN)
        .map(|wait| reason(wait, now))
        .collect();
    let more = waits.len().saturating_sub(SHOWN);
    if more > 0 {
        lines.push(format!("and {more} more reasons"));
    }
    lines
}

fn reason(wait: &WaitResource, now: Timestamp) -> String {
    let count = match wait.tasks {
        1 => "1 waits".to_owned(),
        tasks => format!("{tasks} wait"),
    };
    let waited = now.since(wait.since_ms);
    let since = if waited >= Millis::from_secs(1) {
        format!(", for {}", human_time::length(waited))
    } else {
        String::new()
    };
    let until = match wait.until_ms {
        Some(until) => format!(", {}", human_time::until(until, now)),
        None => String::new(),
    };
    format!("{count}: {}{since}{until}", wait.text)
}

/// Names of the reasons, which change when a line about them is worth another one.
pub(super) fn causes(project: &ProjectResource) -> Vec<String> {
    let waits = project.waits.iter().filter(|wait| wait.code != "queue");
    waits.map(|wait| wait.text.clone()).collect()
}
